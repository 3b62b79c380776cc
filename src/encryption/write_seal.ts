import type { CellHandle, PartitionHandle, SealBatch, TableCipherKeys } from '../crypto/index.ts';
import { InternalError, InvalidRequestError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import {
  checkKeySize,
  checkPartitionKeys,
  clusteringMarkers,
  clusteringValues,
  partitionKeys,
  sealClustering,
  sealPartition,
  storedClustering,
} from './key_sealing.ts';
import type { ClusteringValues, PartitionKey, SealedClustering } from './key_sealing.ts';
import { blindValues } from './blind_columns.ts';
import type { BlindValues } from './blind_columns.ts';
import { mapNonces } from './blind_parts.ts';
import type { SealedMirror } from './blind_parts.ts';
import { impossibleValue } from './conditions.ts';
import type { BoundCondition } from './conditions.ts';
import { sealPart } from './part_writes.ts';
import type { BoundPart, SealedPart } from './part_writes.ts';
import type { TermContext } from './terms.ts';
import { sealMirrors, sealPartitionMirrors, storedMirror } from './view_mirrors.ts';
import type { SealedViewMirror } from './view_mirrors.ts';
import type { WritePlan } from './write_plan.ts';

/** The values of one execution of a write, before they are sealed. */
export interface BoundWrite {
  readonly plan: WritePlan;
  readonly partitions: readonly PartitionKey[];
  readonly clustering: ClusteringValues;
  readonly cells: readonly BoundValue[];
  /** Keys of entries of maps, by cell. */
  readonly cellKeys: readonly (BoundValue | undefined)[];
  /** Values of the plain markers (TTL, TIMESTAMP), in order. */
  readonly plain: readonly BoundValue[];
}

/** The conditions of one execution, in the order of {@link WritePlan.conditions}. */
export function bindConditions(plan: WritePlan, context: TermContext): BoundCondition[] {
  return plan.conditions.map((condition) => condition.bind(context));
}

/** Cassandra's rule for every statement of a batch with conditions, also for those that have none. */
export function checkConditionalBatch(plans: readonly WritePlan[]): void {
  if (!plans.some((plan) => plan.conditional)) return;
  for (const plan of plans) refuseClusteringIn(plan);
}

/** Evaluates the terms of a write. @throws InvalidRequestError as Cassandra for wrong values. */
export function bindWrite(plan: WritePlan, context: TermContext): BoundWrite {
  if (plan.table.view !== undefined) {
    // Cassandra's rule, also checked at execution.
    throw new InvalidRequestError('Cannot directly modify a materialized view');
  }
  if (plan.conditional) checkConditional(plan);
  const partitions = partitionKeys(plan.table, plan.partition, context);
  checkPartitionKeys(partitions);
  return {
    plan,
    partitions,
    clustering: clusteringValues(plan.clustering, context),
    cells: plan.cells.map((cell) => cell.source(context)),
    cellKeys: plan.cells.map((cell) => cell.parts?.key?.(context)),
    plain: plan.markers.flatMap((marker) =>
      marker.kind === 'plain' ? [marker.source(context)] : [],
    ),
  };
}

/** Cassandra's rule, which it checks at execution; a split statement would slip by it. */
function checkConditional(plan: WritePlan): void {
  if (plan.partition.some(isIn)) {
    throw new InvalidRequestError(
      `IN on the partition key is not supported with conditional ${kindOf(plan)}`,
    );
  }
  refuseClusteringIn(plan);
}

function refuseClusteringIn(plan: WritePlan): void {
  if (!plan.clustering.some(isIn)) return;
  throw new InvalidRequestError(
    `IN on the clustering key columns is not supported with conditional ${kindOf(plan)}`,
  );
}

function isIn({ operator }: WritePlan['clustering'][number]): boolean {
  return operator === 'IN';
}

function kindOf({ statement }: WritePlan): string {
  return statement === 'delete' ? 'deletions' : 'updates';
}

/** One stored statement of a write, queued for sealing: one row, or one partition of a DELETE. */
interface SealedStatement {
  readonly partition: PartitionHandle;
  readonly key: PartitionKey;
  readonly clusteringValues: ClusteringValues;
  readonly clustering: SealedClustering;
  readonly cells: readonly (CellHandle | SealedPart | null | typeof UNSET)[];
  /** In the order of {@link WritePlan.mirrors}. */
  readonly mirrors: readonly SealedMirror[];
  /** In the order of {@link WritePlan.viewMirrors}. */
  readonly viewMirrors: readonly SealedViewMirror[];
}

/** A write queued for sealing. */
export interface SealedWrite {
  readonly bound: BoundWrite;
  readonly blinds: BlindValues;
  readonly statements: readonly SealedStatement[];
  /** How many values are encrypted. */
  readonly cellCount: number;
}

/** Queues everything a write encrypts: each row gets ciphertext of its own. */
export function sealWrite(batch: SealBatch, keys: TableCipherKeys, bound: BoundWrite): SealedWrite {
  const { plan } = bound;
  const { table } = plan;
  const statements: SealedStatement[] = [];
  // Equal in all rows: they are bound to the column alone.
  const blinds = blindValues(table, plan.blinds, bound.cells, keys);
  const viewKeys = sealPartitionMirrors(keys, table, plan.viewMirrors, bound.cells);
  let cellCount = 0;
  for (const key of bound.partitions) {
    const partition = sealPartition(batch, keys, table, key);
    cellCount += key.length;
    // Elements are bound to their row, so a DELETE of some has a statement for each row.
    const isWholePartition = plan.statement === 'delete' && plan.cells.length === 0;
    const rows = isWholePartition ? [bound.clustering] : rowsOf(bound.clustering);
    for (const values of rows) {
      const clustering = sealClustering(batch, partition, table, plan.clustering, values);
      const needsRow = plan.cells.some((cell) => cell.column.kind === 'regular');
      const row = needsRow ? batch.row(partition, inColumnOrder(plan, clustering)) : undefined;
      const cells = plan.cells.map((cell, index) => {
        const value = bound.cells[index];
        if (cell.parts !== undefined) {
          const owner = cell.column.kind === 'static' ? partition : row;
          if (owner === undefined) throw new InternalError('an element without its row');
          const nonces = mapNonces(table, cell.column, keys);
          const part = sealPart(batch, owner, cell.parts, boundPart(bound, index), nonces);
          cellCount += part.count;
          return part;
        }
        if (value === undefined || value === UNSET) return UNSET;
        if (value === null) return null;
        cellCount++;
        const nonce = blinds.nonces.get(index) ?? viewKeys.nonces.get(index);
        if (cell.column.kind === 'static') {
          return batch.cell(partition, cell.context, value, nonce);
        }
        if (row === undefined) throw new InternalError('a regular cell without its row');
        return batch.cell(row, cell.context, value, nonce);
      });
      const mirrors = plan.mirrors.map((mirror) => {
        const owner = mirror.index.hidden.kind === 'static' ? partition : row;
        if (owner === undefined) throw new InternalError('an element without its row');
        return mirror.seal(batch, owner, keys, boundPart(bound, mirror.cell));
      });
      const viewMirrors = sealMirrors(
        batch,
        partition,
        table,
        plan.viewMirrors,
        bound.cells,
        viewKeys,
      );
      cellCount += viewMirrors.length;
      statements.push({
        partition,
        key,
        clusteringValues: values,
        clustering,
        cells,
        mirrors,
        viewMirrors,
      });
    }
  }
  return { bound, blinds, statements, cellCount };
}

function boundPart(bound: BoundWrite, cell: number): BoundPart {
  return { key: bound.cellKeys[cell], value: bound.cells[cell] ?? null };
}

/** The rows that clustering restrictions by `=` and IN name: one tuple of each restriction. */
export function rowsOf(values: ClusteringValues): ClusteringValues[] {
  let rows: (readonly (readonly Uint8Array[])[])[][] = [[]];
  for (const tuples of values) {
    // A row that IN names twice is written once: lists would be appended to twice.
    const named = distinctTuples(tuples);
    rows = rows.flatMap((row) => named.map((tuple) => [...row, [tuple]]));
  }
  return rows;
}

/** Tuples without those that are there already; the values are canonical. */
function distinctTuples(tuples: readonly (readonly Uint8Array[])[]): typeof tuples {
  if (tuples.length < 2) return tuples;
  const byBytes = new Map(
    tuples.map((tuple) => [tuple.map((v) => Buffer.from(v).toString('hex')).join(), tuple]),
  );
  return [...byBytes.values()];
}

/** What single values of the clustering restrictions are, in the order of the clustering columns. */
export function inColumnOrder<H>(
  plan: WritePlan,
  tuplesByRestriction: readonly (readonly (readonly H[])[])[],
): H[] {
  const ordered: H[] = [];
  plan.clustering.forEach((restriction, r) => {
    restriction.columns.forEach((column, c) => {
      const value = tuplesByRestriction[r]?.[0]?.[c];
      if (value !== undefined) ordered[column.position] = value;
    });
  });
  return ordered;
}

/** A stored statement as Cassandra gets it. */
export interface StoredStatement {
  readonly table: TableEntry;
  readonly text: string;
  readonly values: readonly BoundValue[];
  /** Index of the partition it writes: statements of one partition may share a batch. */
  readonly partitionIndex: number;
  readonly known: {
    readonly partition: { readonly logical: PartitionKey; readonly stored: readonly Uint8Array[] };
    /** The row, where the statement names it whole. */
    readonly clustering:
      | { readonly logical: readonly Uint8Array[]; readonly stored: readonly Uint8Array[] }
      | undefined;
  };
}

/** Takes the stored statements out of the batch that ran, for a protocol version. @throws InvalidRequestError for keys that are too long. */
export function storedStatements(
  batch: SealBatch,
  write: SealedWrite,
  version: number,
): StoredStatement[] {
  const { plan } = write.bound;
  return write.statements.map((statement) => {
    const partition = batch.partitionComponents(statement.partition);
    checkKeySize(plan.table, 'partition key', partition, statement.key);
    const clustering = storedClustering(batch, statement.clustering);
    const row = inColumnOrder(plan, clustering);
    const logicalRow = inColumnOrder(plan, statement.clusteringValues);
    checkKeySize(plan.table, 'clustering', row, logicalRow);
    const values: BoundValue[] = [];
    let plainIndex = 0;
    for (const marker of plan.markers) {
      switch (marker.kind) {
        case 'partition':
          values.push(partition[marker.position] ?? missing());
          break;
        case 'clustering':
          values.push(row[marker.position] ?? missing());
          break;
        case 'clustering_restrictions':
          values.push(...clusteringMarkers(plan.clustering, clustering));
          break;
        case 'cell': {
          const cell = statement.cells[marker.cell];
          if (cell === undefined || cell === UNSET || cell === null) values.push(cell ?? null);
          else if (typeof cell === 'number') values.push(batch.cellBytes(cell));
          else values.push(storedPart(batch, cell.value));
          break;
        }
        case 'cell_key': {
          const cell = statement.cells[marker.cell];
          if (typeof cell !== 'object' || cell === null) missing();
          values.push(storedPart(batch, cell.key ?? null));
          break;
        }
        case 'blind':
          values.push(write.blinds.values[marker.blind] ?? null);
          break;
        case 'mirror_key':
        case 'mirror': {
          const mirror = statement.mirrors[marker.mirror] ?? missing();
          const part = marker.kind === 'mirror' ? mirror.value : mirror.key;
          values.push(storedPart(batch, part ?? null));
          break;
        }
        case 'view_mirror':
          values.push(storedMirror(batch, statement.viewMirrors[marker.mirror]));
          break;
        case 'condition':
          values.push(impossibleValue(marker.column));
          break;
        case 'plain': {
          const value = write.bound.plain[plainIndex++];
          values.push(value === undefined ? missing() : value);
          break;
        }
      }
    }
    return {
      table: plan.table,
      ...forVersion(plan, plan.storedText, values, version),
      partitionIndex: write.bound.partitions.indexOf(statement.key),
      known: {
        partition: { logical: statement.key, stored: partition },
        clustering: namesWholeRow(plan) ? { logical: logicalRow, stored: row } : undefined,
      },
    };
  });
}

/**
 * A stored statement as a protocol version takes it: v3 has no unset values, so their columns are left out.
 * Only INSERT JSON has unset values there; USING comes after the columns and has none.
 */
function forVersion(
  { textWithout }: WritePlan,
  text: string,
  values: readonly BoundValue[],
  version: number,
): { readonly text: string; readonly values: readonly BoundValue[] } {
  if (version >= 4 || textWithout === undefined) return { text, values };
  const unset = new Set(values.flatMap((value, i) => (value === UNSET ? [i] : [])));
  if (unset.size === 0) return { text, values };
  return { text: textWithout(unset), values: values.filter((value) => value !== UNSET) };
}

function storedPart(batch: SealBatch, part: SealedPart['value']): BoundValue {
  return part === null || part === UNSET ? part : part.bytes(batch);
}

/** Whether a write names every clustering column by one value. */
export function namesWholeRow({ table, clustering }: WritePlan): boolean {
  const named = clustering.flatMap(({ operator, columns }) => (operator === '=' ? columns : []));
  return table.clustering.length > 0 && table.clustering.every((column) => named.includes(column));
}

function missing(): never {
  throw new InternalError('a marker of a stored statement has no value');
}
