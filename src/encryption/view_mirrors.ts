import { SealBatch } from '../crypto/index.ts';
import type { ClusteringHandle, PartitionHandle, TableCipherKeys } from '../crypto/index.ts';
import type { ColumnEntry, TableEntry, ViewColumnRecord } from '../schema/index.ts';
import { canonicalValue } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { columnContext } from './table_columns.ts';

/**
 * A hidden column that a statement writes beside a cell, for a view that has the cell's column in its key: the value in the form of a
 * clustering column, its life time, or its deletion.
 */
export interface MirrorAssignment {
  readonly hidden: ViewColumnRecord;
  /** The column in the form that the view's key has. */
  readonly column: ColumnEntry;
  /** Which of the statement's cells it mirrors. */
  readonly cell: number;
}

const keyForms = new WeakMap<ColumnEntry, ColumnEntry>();

/** A regular column in the form of a clustering column. */
function keyForm(column: ColumnEntry): ColumnEntry {
  const known = keyForms.get(column);
  if (known !== undefined) return known;
  const made: ColumnEntry = { ...column, kind: 'clustering', scheme: 'ordered', padded: false };
  keyForms.set(column, made);
  return made;
}

/** What a statement that writes these columns writes beside them for views. */
export function mirrorAssignments(
  table: TableEntry,
  columns: readonly ColumnEntry[],
): MirrorAssignment[] {
  if (table.views.length === 0) return [];
  return table.views.flatMap(({ further }) => {
    if (further === undefined) return [];
    const cell = columns.findIndex(
      ({ id }) => Buffer.from(id).toString('hex') === further.columnId,
    );
    const column = columns[cell];
    return column === undefined ? [] : [{ hidden: further, column: keyForm(column), cell }];
  });
}

/** A mirror queued for sealing. */
export type SealedViewMirror = ClusteringHandle | null | typeof UNSET;

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
    if (value === null) return null;
    const canonical = canonicalValue(column.type, value);
    return batch.clustering(partition, columnContext(table, column), canonical);
  });
}

/**
 * What stands beside a value that is there already.
 * @param partition stored partition key of its row
 */
export function mirrorValue(
  table: TableEntry,
  column: ColumnEntry,
  keys: TableCipherKeys,
  partition: readonly Uint8Array[],
  value: Uint8Array,
): Uint8Array {
  const batch = new SealBatch();
  const owner = batch.storedPartition(keys, partition);
  const form = keyForm(column);
  const handle = batch.clustering(
    owner,
    columnContext(table, form),
    canonicalValue(column.type, value),
  );
  batch.run();
  return batch.clusteringBytes(handle);
}
