import { nonceOfHidden } from '../crypto/index.ts';
import type { IndexDek, TableCipherKeys } from '../crypto/index.ts';
import { InternalError, InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, HiddenColumnRecord, IndexEntry, TableEntry } from '../schema/index.ts';
import { canonicalValue } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { tableName } from './table_columns.ts';

/** Cassandra's own kind of index takes values below this length. */
const MAX_INDEXED_BYTES = 0xffff;

/** An index with a hidden column. */
export interface BlindIndex extends IndexEntry {
  readonly hidden: HiddenColumnRecord;
}

/** A hidden column that a statement writes beside a cell: with its value, its life time, or its deletion. */
export interface BlindAssignment {
  readonly index: BlindIndex;
  /** Which of the statement's cells it mirrors. */
  readonly cell: number;
}

/** The indexes on a column whose blind values are in hidden columns, also those that are not complete. */
export function blindIndexes(table: TableEntry, column: ColumnEntry): BlindIndex[] {
  return table.indexes.filter(
    (index): index is BlindIndex =>
      index.column === column && index.hidden !== null && !isVectorIndex(index),
  );
}

/** Whether an index serves ORDER BY … ANN OF. Its hidden column stays empty: nearness is judged on plain vectors. */
export function isVectorIndex({ column, className }: IndexEntry): boolean {
  return column.type.kind === 'vector' && className !== null;
}

/** What a statement that writes these columns, each of one cell, writes beside them. */
export function blindAssignments(
  table: TableEntry,
  columns: readonly ColumnEntry[],
): BlindAssignment[] {
  if (table.indexes.length === 0) return [];
  return columns.flatMap((column, cell) =>
    blindIndexes(table, column).map((index) => ({ index, cell })),
  );
}

/** The blind values of the cells of one execution. */
export interface BlindValues {
  /** In the order of the assignments; null and unset are those of the cell. */
  readonly values: readonly BoundValue[];
  /** By cell: of two cells with one write time Cassandra keeps that of the greater nonce, and so the same as of the blind values. */
  readonly nonces: ReadonlyMap<number, Uint8Array>;
}

const NO_BLINDS: BlindValues = { values: [], nonces: new Map() };

/** The ids of index DEKs of a plan that keys lack: then the plan or the keys are of another version of the table. */
export function lacksIndexKeys(
  assignments: readonly BlindAssignment[],
  keys: TableCipherKeys,
): boolean {
  return assignments.some(({ index }) => keys.indexDek(index.hidden.dekId) === undefined);
}

/**
 * Computes blind values. The nonce of an indexed cell is taken from them: decision 19.
 * @throws InvalidRequestError as Cassandra for a value that cannot be indexed
 */
export function blindValues(
  table: TableEntry,
  assignments: readonly BlindAssignment[],
  cells: readonly BoundValue[],
  keys: TableCipherKeys,
): BlindValues {
  if (assignments.length === 0) return NO_BLINDS;
  const nonces = new Map<number, Uint8Array>();
  const values = assignments.map(({ index, cell }): BoundValue => {
    const value = cells[cell];
    if (value === undefined || value === UNSET) return UNSET;
    if (value === null) return null;
    checkIndexedSize(table, index, value.length);
    const blind = blindValue(index, value, keys);
    nonces.set(cell, nonceOfHidden(blind));
    return storedBlind(index, blind);
  });
  return { values, nonces };
}

/** The blind value of one value of an index, 20 bytes. */
export function blindValue(index: BlindIndex, value: Uint8Array, keys: TableCipherKeys): Buffer {
  const { column } = index;
  const dek = blindingDek(index, keys);
  const [blind] = dek.blindValues(column.id, [canonicalValue(column.type, value)]);
  if (blind === undefined) throw new InternalError('no blind value was made');
  return blind;
}

/** The DEK of an index. */
export function blindingDek({ hidden }: BlindIndex, keys: TableCipherKeys): IndexDek {
  const dek = keys.indexDek(hidden.dekId);
  if (dek === undefined) throw new InternalError('an index without its key');
  return dek;
}

/** A blind value as the hidden column holds it. */
export function storedBlind({ hidden }: BlindIndex, blind: Buffer): Uint8Array {
  return !hidden.type.includes('ascii') ? blind : Buffer.from(blind.toString('hex'), 'latin1');
}

/** @throws InvalidRequestError as Cassandra for what its own kind of index cannot hold */
export function checkIndexedSize(table: TableEntry, index: BlindIndex, size: number): void {
  if (index.className !== null || size < MAX_INDEXED_BYTES) return;
  throw new InvalidRequestError(
    `Cannot index value of size ${String(size)} for index ${index.name} on ${tableName(table)}(${index.column.name}) (maximum allowed size=${String(MAX_INDEXED_BYTES)})`,
  );
}
