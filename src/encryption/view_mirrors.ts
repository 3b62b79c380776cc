import { SealBatch, nonceOfHidden } from '../crypto/index.ts';
import type { ClusteringHandle, PartitionHandle, TableCipherKeys } from '../crypto/index.ts';
import { InternalError } from '../errors/index.ts';
import { spansPartitions } from '../schema/index.ts';
import type { ColumnEntry, TableEntry, ViewColumnRecord, ViewRecord } from '../schema/index.ts';
import { canonicalValue } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { columnContext, isPartitionForm } from './table_columns.ts';

/**
 * A hidden column that a statement writes beside a cell, for a view that has the cell's column in its key: the value in the form of a
 * clustering column, or of a partition key where the view spans partitions; its life time, or its deletion.
 */
export interface MirrorAssignment {
  readonly hidden: ViewColumnRecord;
  /** The column in the form that the view's key has. */
  readonly column: ColumnEntry;
  /** Which of the statement's cells it mirrors. */
  readonly cell: number;
}

const keyForms = {
  ordered: new WeakMap<ColumnEntry, ColumnEntry>(),
  partition: new WeakMap<ColumnEntry, ColumnEntry>(),
};

/** A regular column in the form that it has in the key of a view. */
function keyForm(column: ColumnEntry, spans: boolean): ColumnEntry {
  const scheme = spans ? 'partition' : 'ordered';
  const known = keyForms[scheme].get(column);
  if (known !== undefined) return known;
  const made: ColumnEntry = { ...column, kind: 'clustering', scheme, padded: false };
  keyForms[scheme].set(column, made);
  return made;
}

/** What a statement that writes these columns writes beside them for views. */
export function mirrorAssignments(
  table: TableEntry,
  columns: readonly ColumnEntry[],
): MirrorAssignment[] {
  if (table.views.length === 0) return [];
  return table.views.flatMap((view) => {
    const { further } = view;
    if (further === undefined) return [];
    const cell = columns.findIndex(
      ({ id }) => Buffer.from(id).toString('hex') === further.columnId,
    );
    const column = columns[cell];
    if (column === undefined) return [];
    return [{ hidden: further, column: keyForm(column, spansPartitions(view, table)), cell }];
  });
}

/** A mirror queued for sealing, or, in the form of a partition key, sealed. */
export type SealedViewMirror =
  { readonly clustering: ClusteringHandle } | Uint8Array | null | typeof UNSET;

/** The mirrors in the form of a partition key: bound to their column alone, they are equal in all rows of one execution. */
export interface PartitionMirrors {
  /** In the order of the assignments. */
  readonly values: readonly (Uint8Array | undefined)[];
  /** By cell: of two writes with one write time Cassandra keeps cell and mirror of the same one, as for blind values. */
  readonly nonces: ReadonlyMap<number, Uint8Array>;
}

const NO_MIRRORS: PartitionMirrors = { values: [], nonces: new Map() };

/** Seals the mirrors in the form of a partition key; null and unset are those of the cell. */
export function sealPartitionMirrors(
  keys: TableCipherKeys,
  table: TableEntry,
  mirrors: readonly MirrorAssignment[],
  cells: readonly BoundValue[],
): PartitionMirrors {
  if (mirrors.length === 0) return NO_MIRRORS;
  const nonces = new Map<number, Uint8Array>();
  const values = mirrors.map(({ column, cell }) => {
    const value = cells[cell];
    if (!isPartitionForm(column) || !(value instanceof Uint8Array)) return undefined;
    const stored = partitionForm(keys, table, column, value);
    nonces.set(cell, nonceOfHidden(stored));
    return stored;
  });
  return { values, nonces };
}

/** Queues the mirrors of one row; null and unset are those of the cell. */
export function sealMirrors(
  batch: SealBatch,
  partition: PartitionHandle,
  table: TableEntry,
  mirrors: readonly MirrorAssignment[],
  cells: readonly BoundValue[],
  { values }: PartitionMirrors,
): SealedViewMirror[] {
  return mirrors.map(({ column, cell }, at) => {
    const value = cells[cell];
    if (value === undefined || value === UNSET) return UNSET;
    if (value === null) return null;
    return values[at] ?? { clustering: clusteringForm(batch, partition, table, column, value) };
  });
}

function partitionForm(
  keys: TableCipherKeys,
  table: TableEntry,
  column: ColumnEntry,
  value: Uint8Array,
): Uint8Array {
  const batch = new SealBatch();
  const handle = batch.partition(keys, [{ context: columnContext(table, column), value }]);
  batch.run();
  const [stored] = batch.partitionComponents(handle);
  if (stored === undefined) throw new InternalError('no hidden value was made');
  return stored;
}

function clusteringForm(
  batch: SealBatch,
  partition: PartitionHandle,
  table: TableEntry,
  column: ColumnEntry,
  value: Uint8Array,
): ClusteringHandle {
  const context = columnContext(table, column);
  return batch.clustering(partition, context, canonicalValue(column.type, value));
}

/** What a mirror is written as, after the batch ran. */
export function storedMirror(batch: SealBatch, mirror: SealedViewMirror | undefined): BoundValue {
  if (mirror === undefined || mirror === null) return null;
  if (mirror === UNSET || mirror instanceof Uint8Array) return mirror;
  return batch.clusteringBytes(mirror.clustering);
}

/**
 * What stands beside a value that is there already.
 * @param partition stored partition key of its row
 */
export function mirrorValue(
  table: TableEntry,
  view: ViewRecord,
  column: ColumnEntry,
  keys: TableCipherKeys,
  partition: readonly Uint8Array[],
  value: Uint8Array,
): Uint8Array {
  const form = keyForm(column, spansPartitions(view, table));
  if (isPartitionForm(form)) return partitionForm(keys, table, form, value);
  const batch = new SealBatch();
  const handle = clusteringForm(batch, batch.storedPartition(keys, partition), table, form, value);
  batch.run();
  return batch.clusteringBytes(handle);
}
