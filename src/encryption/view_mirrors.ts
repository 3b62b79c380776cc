import { SealBatch } from '../crypto/index.ts';
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

/** A mirror queued for sealing. */
export type SealedViewMirror =
  | { readonly clustering: ClusteringHandle }
  | { readonly partition: PartitionHandle }
  | null
  | typeof UNSET;

/** Queues the mirrors of one row; null and unset are those of the cell. */
export function sealMirrors(
  batch: SealBatch,
  partition: PartitionHandle,
  table: TableEntry,
  mirrors: readonly MirrorAssignment[],
  cells: readonly BoundValue[],
): SealedViewMirror[] {
  return mirrors.map(({ column, cell }) => {
    const value = cells[cell];
    if (value === undefined || value === UNSET) return UNSET;
    return value === null ? null : sealMirror(batch, partition, table, column, value);
  });
}

function sealMirror(
  batch: SealBatch,
  partition: PartitionHandle,
  table: TableEntry,
  column: ColumnEntry,
  value: Uint8Array,
): Exclude<SealedViewMirror, null | typeof UNSET> {
  const context = columnContext(table, column);
  if (isPartitionForm(column)) {
    return { partition: batch.partition(partition.keys, [{ context, value }]) };
  }
  return { clustering: batch.clustering(partition, context, canonicalValue(column.type, value)) };
}

/** What a mirror is written as, after the batch ran. */
export function storedMirror(batch: SealBatch, mirror: SealedViewMirror | undefined): BoundValue {
  if (mirror === undefined || mirror === null) return null;
  if (mirror === UNSET) return mirror;
  if ('clustering' in mirror) return batch.clusteringBytes(mirror.clustering);
  return batch.partitionComponents(mirror.partition)[0] ?? null;
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
  const batch = new SealBatch();
  const owner = batch.storedPartition(keys, partition);
  const form = keyForm(column, spansPartitions(view, table));
  const mirror = sealMirror(batch, owner, table, form, value);
  batch.run();
  const stored = storedMirror(batch, mirror);
  if (!(stored instanceof Uint8Array)) throw new InternalError('no hidden value was made');
  return stored;
}
