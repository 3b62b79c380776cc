import { parseStatement } from '../cql/index.ts';
import type { Relation } from '../cql/index.ts';
import { MetadataIntegrityError, ProxyError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from './entries.ts';
import type { RawSchema, StoredColumnRow } from './raw_schema.ts';
import type { TableForm } from './record.ts';

/** A component of a view's key. */
export interface ViewKeyRecord {
  /** Of the base's column, hex. */
  readonly columnId: string;
  /** Of clustering columns only. */
  readonly order: 'asc' | 'desc' | null;
}

/**
 * The stored column of the one key column of a view that is no key column of its base: beside each cell its value in the form
 * of a clustering column. Clients never see it.
 */
export interface ViewColumnRecord {
  readonly name: string;
  /** Of the base's column, hex. */
  readonly columnId: string;
}

/**
 * A materialized view as the record of its base keeps it. Cassandra has one of the same name and keeps its rows: they are the
 * stored values of the base's.
 */
export interface ViewRecord {
  readonly name: string;
  /** Cassandra's table id of the view, UUID text. */
  readonly cassandraId: string;
  readonly partition: readonly ViewKeyRecord[];
  readonly clustering: readonly ViewKeyRecord[];
  /** The columns beside the key, by id; `null` for all that the base has. */
  readonly selected: readonly string[] | null;
  /** Columns of WHERE … IS NOT NULL, by id, in its order. */
  readonly notNull: readonly string[];
  /** Absent where all key columns are the base's. */
  readonly further?: ViewColumnRecord;
  /**
   * building: every write keeps `further`, rows of before may lack it. active: complete; and where there is no `further`.
   * abandoned: there is no view, only its stored column is left, to be dropped when no view of the table is left.
   */
  readonly state: 'building' | 'active' | 'abandoned';
}

/** A view as system_schema shows it. */
export interface StoredViewRow {
  readonly keyspace: string;
  readonly name: string;
  /** UUID text. */
  readonly id: string;
  readonly base: string;
  readonly includesAll: boolean;
  readonly where: string;
}

/** Whether partitions of a view hold rows of several partitions of its base. */
export function spansPartitions(view: ViewRecord, base: Pick<TableEntry, 'partitionKey'>): boolean {
  const own = new Set(view.partition.map(({ columnId }) => columnId));
  return !base.partitionKey.every(({ id }) => own.has(Buffer.from(id).toString('hex')));
}

/** The views that clients know. */
export function liveViews(form: TableForm): readonly ViewRecord[] {
  return (form.views ?? []).filter((view) => view.state !== 'abandoned');
}

/** The stored columns that views need in their base, those of abandoned views too. */
export function viewColumns(form: TableForm): readonly ViewColumnRecord[] {
  return (form.views ?? []).flatMap(({ further }) => (further === undefined ? [] : [further]));
}

/** Cassandra's views; empty when system_schema.views was not read. */
export function storedViews(raw: Pick<RawSchema, 'raw'>): StoredViewRow[] {
  const table = raw.raw.get('system_schema.views');
  if (table === undefined) return [];
  const at = (name: string): number => table.columns.findIndex((column) => column.name === name);
  const columns = [
    at('keyspace_name'),
    at('view_name'),
    at('id'),
    at('base_table_name'),
    at('include_all_columns'),
    at('where_clause'),
  ] as const;
  return table.rows.map((row) => {
    const cell = (index: number): Buffer => Buffer.from(row[columns[index] ?? -1] ?? []);
    return {
      keyspace: cell(0).toString('utf8'),
      name: cell(1).toString('utf8'),
      id: uuidText(cell(2)),
      base: cell(3).toString('utf8'),
      includesAll: cell(4)[0] === 1,
      where: cell(5).toString('utf8'),
    };
  });
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [8, 12, 16, 20, 32]
    .map((end, index) => hex.slice([0, 8, 12, 16, 20][index], end))
    .join('-');
}

/**
 * What becomes of the views of a form by those that Cassandra has of the table: one that it lacks is not there any more, or
 * never came to be. Where it has a stored column that stays for it to be dropped.
 */
export function settledViews(
  form: TableForm,
  stored: readonly StoredViewRow[],
): readonly ViewRecord[] | undefined {
  return form.views?.flatMap((view): ViewRecord[] => {
    if (view.state === 'abandoned') return [view];
    if (stored.some(({ name, id }) => name === view.name && id === view.cassandraId)) return [view];
    return view.further === undefined ? [] : [{ ...view, state: 'abandoned' }];
  });
}

/** Everything known of a stored view. */
export interface ViewInput {
  readonly row: StoredViewRow;
  readonly columns: readonly StoredColumnRow[];
  /** An encrypted entry. */
  readonly base: TableEntry;
  readonly record: ViewRecord;
}

/**
 * The entry of a view of an encrypted table: the columns are the base's in other places, so the ids, and with them what
 * values are bound to, are the base's.
 * @throws MetadataIntegrityError when the stored view is not that of the record
 */
export function viewEntry(input: ViewInput, version: string): TableEntry {
  const { row, base, record } = input;
  if (row.id !== record.cassandraId) {
    throw new MetadataIntegrityError(
      'METADATA_TABLE_ID',
      `view ${row.keyspace}.${row.name} is not the one of its record: it was dropped and created again around the proxy`,
    );
  }
  const byId = new Map(
    base.allColumns.map((column) => [Buffer.from(column.id).toString('hex'), column]),
  );
  const of = (id: string): ColumnEntry => {
    const column = byId.get(id);
    if (column === undefined) throw differs(row);
    return column;
  };
  const spans = spansPartitions(record, base);
  const keyEntry = (
    key: ViewKeyRecord,
    kind: 'partition' | 'clustering',
    position: number,
  ): ColumnEntry => {
    const column = of(key.columnId);
    const isFurther = record.further?.columnId === key.columnId;
    return {
      ...column,
      kind,
      position,
      clusteringOrder: kind === 'clustering' ? (key.order ?? 'asc') : undefined,
      ...(isFurther
        ? {
            scheme: spans ? 'partition' : 'ordered',
            padded: false,
            storedType: 'blob',
            storedName: record.further.name,
          }
        : {}),
    };
  };
  const partitionKey = record.partition.map((key, at) => keyEntry(key, 'partition', at));
  const clustering = record.clustering.map((key, at) => keyEntry(key, 'clustering', at));
  const names = new Set([...partitionKey, ...clustering].map(({ name }) => name));
  const selected =
    record.selected === null ? undefined : new Set(record.selected.map((id) => of(id)));
  const regulars = base.regulars.filter(
    (column) => !names.has(column.name) && (selected === undefined || selected.has(column)),
  );
  const cell = record.further === undefined ? undefined : of(record.further.columnId);
  const entry: TableEntry = {
    ...base,
    name: row.name,
    id: row.id,
    partitionKey,
    clustering,
    statics: [],
    regulars,
    columns: new Map(
      [...partitionKey, ...clustering, ...regulars].map((column) => [column.name, column]),
    ),
    allColumns: [...partitionKey, ...clustering, ...regulars],
    indexes: [],
    defaultTtl: 0,
    view: { base, cell, spansPartitions: spans, record },
    version,
  };
  checkStored(input, entry);
  return entry;
}

/** The stored view must be exactly the one of the record: its key, its columns and its WHERE clause. */
function checkStored({ row, columns, base, record }: ViewInput, entry: TableEntry): void {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const { partitionKey, clustering, regulars } = entry;
  const keys = [...partitionKey, ...clustering];
  const isKept =
    row.includesAll === (record.selected === null) &&
    keys.every((column) => {
      const stored = byName.get(column.storedName ?? column.name);
      return (
        stored?.kind === column.kind &&
        stored.position === column.position &&
        stored.type === column.storedType &&
        (column.kind !== 'clustering' || stored.order === column.clusteringOrder)
      );
    }) &&
    regulars.every((column) => {
      const stored = byName.get(column.name);
      return stored?.kind === 'regular' && stored.type === column.storedType;
    });
  // The cell of the further column, and, where all columns are in it, hidden ones of the base.
  const known = new Set([
    ...keys.map((column) => column.storedName ?? column.name),
    ...regulars.map(({ name }) => name),
    ...(entry.view?.cell === undefined ? [] : [entry.view.cell.name]),
    ...(record.selected === null ? base.hiddenColumns : []),
  ]);
  const hasCell =
    entry.view?.cell === undefined || byName.get(entry.view.cell.name)?.kind === 'regular';
  if (!isKept || !hasCell || columns.some(({ name }) => !known.has(name))) throw differs(row);
  const expected = record.notNull.map((id) => {
    const column = base.allColumns.find((c) => Buffer.from(c.id).toString('hex') === id);
    return record.further?.columnId === id ? record.further.name : column?.name;
  });
  const stored = whereNames(row);
  if (
    stored.length !== expected.length ||
    !stored.every((name, index) => name === expected[index])
  ) {
    throw differs(row);
  }
}

/** The columns of a stored WHERE clause, which has nothing but IS NOT NULL. */
function whereNames(row: StoredViewRow): string[] {
  let relations: readonly Relation[];
  try {
    const { statement } = parseStatement(`SELECT * FROM t WHERE ${row.where}`);
    relations = statement.kind === 'select' ? statement.where : [];
  } catch (error) {
    if (error instanceof ProxyError) throw differs(row);
    throw error;
  }
  return relations.map((relation) => {
    if (relation.kind !== 'is_not_null') throw differs(row);
    return relation.column.text;
  });
}

function differs(row: StoredViewRow): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_STORED_SCHEMA',
    `the stored view ${row.keyspace}.${row.name} differs from the record of its base table: it was made or altered around the proxy`,
  );
}
