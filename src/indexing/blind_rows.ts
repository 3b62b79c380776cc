import { OpenBatch } from '../crypto/index.ts';
import type { OpenHandle, TableCipherKeys } from '../crypto/index.ts';
import { columnContext, columnParts } from '../encryption/index.ts';
import { CiphertextError, InvalidRequestError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import type { StoredCellWrite, StoredTable, StoredTableRow } from '../upstream/index.ts';
import { missingPartBlinds } from './blind_part_rows.ts';
import type { BuiltColumn } from './built_columns.ts';
import { placeOf, ttlOf } from './row_places.ts';
import type { MissingBlinds } from './row_places.ts';

/** The stored table as building sees it: its keys, the indexed column and the hidden one. */
export function storedTableOf(table: TableEntry, index: BuiltColumn): StoredTable {
  const both = [index.column.name, index.hidden.name];
  const isCollection = columnParts(table, index.column) !== undefined;
  const cells = isCollection ? [] : both;
  const isStatic = index.hidden.kind === 'static';
  return {
    keyspace: table.keyspace,
    name: table.name,
    partition: table.partitionKey.map(({ name }) => name),
    clustering: table.clustering.map(({ name }) => name),
    statics: isStatic ? cells : [],
    regulars: isStatic ? [] : cells,
    staticCollections: isCollection && isStatic ? both : [],
    regularCollections: isCollection && !isStatic ? both : [],
  };
}

/**
 * Finds what is to be written so that the index has exactly the cells of some rows: blind values that are missing, and ones
 * of cells that were deleted by a proxy that did not know of the index yet.
 */
export function missingBlinds(
  table: TableEntry,
  index: BuiltColumn,
  keys: TableCipherKeys,
  rows: readonly StoredTableRow[],
): MissingBlinds {
  if (index.blind !== undefined && columnParts(table, index.column) !== undefined)
    return missingPartBlinds(table, index.blind, keys, rows);
  const damaged: string[] = [];
  const writes: StoredCellWrite[] = [];
  const isStatic = index.hidden.kind === 'static';
  for (const row of rows) {
    const [cell, blind] = isStatic ? row.statics : row.regulars;
    const place = placeOf(table, index, row);
    if (place === undefined) continue;
    if (cell === null || cell === undefined) {
      if (blind === null || blind === undefined) continue;
      writes.push({ ...place, timestamp: blind.timestamp, ttl: 0, cells: [undefined, null] });
      continue;
    }
    let expected: Uint8Array;
    try {
      expected = openAndBlind(table, index, keys, row, cell.value);
    } catch (error) {
      // A value that is too long for the key of a view does not keep other rows out of it.
      if (!(error instanceof CiphertextError || error instanceof InvalidRequestError)) throw error;
      damaged.push(error.code);
      continue;
    }
    const present = blind === null || blind === undefined ? undefined : Buffer.from(blind.value);
    if (present?.equals(expected) === true && blind?.timestamp === cell.timestamp) continue;
    const ttl = ttlOf(cell);
    if (ttl === undefined) continue;
    const later =
      blind !== null && blind !== undefined && blind.timestamp > cell.timestamp ? blind : cell;
    const bytes = Buffer.from(expected);
    const value = index.isText ? bytes.toString('latin1') : bytes;
    writes.push({ ...place, timestamp: later.timestamp, ttl, cells: [undefined, value] });
  }
  return { writes, damaged };
}

function openAndBlind(
  table: TableEntry,
  index: BuiltColumn,
  keys: TableCipherKeys,
  row: StoredTableRow,
  stored: Buffer,
): Uint8Array {
  const batch = new OpenBatch();
  const partition = batch.partition(keys, row.partition);
  const owner =
    index.hidden.kind === 'static' ? partition : batch.row(partition, row.clustering ?? []);
  const handle: OpenHandle = batch.openCell(owner, columnContext(table, index.column), stored);
  batch.run();
  const plain = batch.bytes(handle);
  try {
    return index.value(keys, row.partition, plain);
  } finally {
    plain.fill(0);
  }
}
