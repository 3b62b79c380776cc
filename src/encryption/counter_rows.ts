import { quoteIdentifier } from '../cql/index.ts';
import type { TableCipherKeys, SealBatch } from '../crypto/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { counterBytes, counterValue } from './counter_plan.ts';
import type { PartitionKey } from './key_sealing.ts';
import type { KeyRestriction } from './restrictions.ts';
import { columnContext } from './table_columns.ts';
import type { WritePlan } from './write_plan.ts';
import { inColumnOrder, rowsOf, sealWrite } from './write_seal.ts';
import type { BoundWrite, SealedWrite, StoredStatement } from './write_seal.ts';

/** What one request adds to the counters of one row, or to the static ones of a partition. */
export interface CounterRow {
  /** The same for the same row of its partition; that of static counters is no row's. */
  readonly id: string;
  readonly plan: WritePlan;
  readonly key: PartitionKey;
  /** Canonical clustering values; none for static counters. */
  readonly clustering: readonly Uint8Array[];
  /** In the order of the plan's cells. */
  readonly increments: readonly bigint[];
}

/** Everything that one request does to one partition of a counter table. */
export interface CounterPartition {
  /** The same for the same partition, whoever writes it. */
  readonly id: string;
  readonly table: TableEntry;
  readonly rows: readonly CounterRow[];
  readonly deletions: readonly BoundWrite[];
}

/** Increments of one row while they are summed up. */
interface Sum {
  readonly key: PartitionKey;
  readonly clustering: readonly Uint8Array[];
  readonly isStatic: boolean;
  readonly columns: Map<ColumnEntry, bigint>;
}

interface Collected {
  readonly table: TableEntry;
  readonly sums: Map<string, Sum>;
  readonly deletions: BoundWrite[];
}

/** Sorts writes of counters by partition and adds up what they add to one counter. */
export function counterPartitions(writes: readonly BoundWrite[]): CounterPartition[] {
  const tables = new Map<TableEntry, Map<string, Collected>>();
  for (const write of writes) {
    const { table, counter } = write.plan;
    let partitions = tables.get(table);
    if (partitions === undefined) tables.set(table, (partitions = new Map<string, Collected>()));
    for (const key of write.partitions) {
      const id = idOf(key);
      let collected = partitions.get(id);
      if (collected === undefined) {
        partitions.set(id, (collected = { table, sums: new Map(), deletions: [] }));
      }
      if (counter === 'delete') collected.deletions.push({ ...write, partitions: [key] });
      else addIncrements(collected.sums, write, key);
    }
  }
  return [...tables.values()].flatMap((partitions) =>
    [...partitions]
      .filter(([, { sums, deletions }]) => sums.size > 0 || deletions.length > 0)
      .map(([id, { table, sums, deletions }]) => ({
        id: `${table.id} ${id}`,
        table,
        rows: [...sums].map(([row, sum]) => counterRow(table, row, sum)),
        deletions,
      })),
  );
}

function addIncrements(sums: Map<string, Sum>, write: BoundWrite, key: PartitionKey): void {
  const { plan } = write;
  for (const values of rowsOf(write.clustering)) {
    const row = inColumnOrder(plan, values);
    plan.cells.forEach(({ column }, index) => {
      const value = write.cells[index];
      if (!(value instanceof Uint8Array)) return;
      const isStatic = column.kind === 'static';
      const id = isStatic ? 'static' : `row ${idOf(row)}`;
      let sum = sums.get(id);
      if (sum === undefined) {
        sum = { key, clustering: isStatic ? [] : row, isStatic, columns: new Map() };
        sums.set(id, sum);
      }
      sum.columns.set(column, (sum.columns.get(column) ?? 0n) + counterValue(value));
    });
  }
}

function idOf(values: readonly Uint8Array[]): string {
  return values.map((value) => Buffer.from(value).toString('base64')).join(' ');
}

function counterRow(
  table: TableEntry,
  id: string,
  { key, clustering, isStatic, columns }: Sum,
): CounterRow {
  const ordered = [...columns].sort(([a], [b]) => (a.name < b.name ? -1 : 1));
  return {
    id,
    plan: counterUpdatePlan(
      table,
      ordered.map(([column]) => column),
      isStatic,
    ),
    key,
    clustering,
    increments: ordered.map(([, value]) => value),
  };
}

/** The update of some counters of one row: set if they still are what was read. */
function counterUpdatePlan(
  table: TableEntry,
  columns: readonly ColumnEntry[],
  isStatic: boolean,
): WritePlan {
  const keyColumns = [...table.partitionKey, ...(isStatic ? [] : table.clustering)];
  const equals = (column: ColumnEntry): string => `${quoteIdentifier(column.name)} = ?`;
  const text = `UPDATE ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)} SET ${columns.map(equals).join(', ')} WHERE ${keyColumns.map(equals).join(' AND ')} IF ${columns.map(equals).join(' AND ')}`;
  return {
    kind: 'write',
    statement: 'update',
    table,
    validationText: text,
    refusal: undefined,
    storedText: text,
    markers: [
      ...columns.map((_, cell) => ({ kind: 'cell' as const, cell })),
      ...table.partitionKey.map(({ position }) => ({ kind: 'partition' as const, position })),
      ...(isStatic ? [] : table.clustering).map(({ position }) => ({
        kind: 'clustering' as const,
        position,
      })),
      ...columns.map((column) => ({ kind: 'condition' as const, column })),
    ],
    partition: [],
    clustering: isStatic ? [] : table.clustering.map(named),
    cells: columns.map((column) => ({
      column,
      context: columnContext(table, column),
      source: () => null,
    })),
    blinds: [],
    mirrors: [],
    viewMirrors: [],
    conditional: true,
    conditions: [],
    conditionColumns: columns,
    hasTimestamp: false,
  };
}

/** A clustering column that is named by its value; the value comes with the row. */
function named(column: ColumnEntry): KeyRestriction {
  return { columns: [column], operator: '=', multiColumn: false, values: () => [] };
}

/**
 * The next values of a row's counters.
 * @param current the counters as they are, 8 bytes or null for one that was never incremented
 */
export function incremented(
  row: CounterRow,
  current: readonly (Uint8Array | null)[],
): Uint8Array[] {
  return row.increments.map((increment, index) => {
    const value = current[index] ?? null;
    return counterBytes((value === null ? 0n : counterValue(value)) + increment);
  });
}

/** Queues the next values of a row's counters. */
export function sealCounterRow(
  batch: SealBatch,
  keys: TableCipherKeys,
  row: CounterRow,
  next: readonly Uint8Array[],
): SealedWrite {
  return sealWrite(batch, keys, {
    plan: row.plan,
    partitions: [row.key],
    clustering: row.clustering.map((value) => [[value]]),
    cells: next,
    cellKeys: [],
    plain: [],
  });
}

/** The statement that sets a row's counters if they still are the stored bytes that were read. */
export function comparedWith(
  statement: StoredStatement,
  stored: readonly BoundValue[],
): StoredStatement {
  return {
    ...statement,
    values: [...statement.values.slice(0, statement.values.length - stored.length), ...stored],
  };
}
