import { ProtocolError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';
import { RowsFlag } from './constants.ts';
import type { Reader } from './reader.ts';
import { readTypeOption, writeTypeOption } from './type_option.ts';
import { Writer } from './writer.ts';

/** A column of a result, or a bind variable. Spec: native_protocol_v4 4.2.5.2, <col_spec_i>. */
export interface ColumnSpec {
  readonly keyspace: string;
  readonly table: string;
  readonly name: string;
  readonly type: CqlType;
}

/** Columns as bytes: what follows the counts in <metadata>. */
export interface EncodedColumns {
  /** `RowsFlag.GLOBAL_TABLE_SPEC` or 0. */
  readonly flags: number;
  readonly count: number;
  /** Global table, if the flag says so, then the columns. */
  readonly bytes: Buffer;
}

/** Fewest bytes of a column: an empty name and the id of a type. */
const MIN_COLUMN_BYTES = 4;

const encodedV3 = new WeakMap<readonly ColumnSpec[], EncodedColumns>();
const encodedV4 = new WeakMap<readonly ColumnSpec[], EncodedColumns>();

/**
 * Reads [<global_table_spec>] and the columns.
 *
 * @throws ProtocolError
 */
export function readColumns(reader: Reader, count: number, flags: number): ColumnSpec[] {
  checkCount(count, MIN_COLUMN_BYTES, reader);
  const isGlobal = (flags & RowsFlag.GLOBAL_TABLE_SPEC) !== 0;
  let keyspace = isGlobal ? reader.readString() : '';
  let table = isGlobal ? reader.readString() : '';
  const columns: ColumnSpec[] = [];
  for (let i = 0; i < count; i++) {
    if (!isGlobal) {
      keyspace = reader.readString();
      table = reader.readString();
    }
    const name = reader.readString();
    columns.push({ keyspace, table, name, type: readTypeOption(reader) });
  }
  return columns;
}

/**
 * Makes the bytes of the columns, with one table for all if they are of one table, as Cassandra does. The result is kept
 * for as long as the array lives, so the array must not be changed afterwards, and one that is used for many results
 * should be the same array.
 *
 * @throws InvalidRequestError if a name does not fit
 */
export function encodeColumns(columns: readonly ColumnSpec[], version: number): EncodedColumns {
  const cache = version >= 4 ? encodedV4 : encodedV3;
  const known = cache.get(columns);
  if (known !== undefined) return known;
  const encoded = encode(columns, version);
  cache.set(columns, encoded);
  return encoded;
}

/**
 * Refuses a count off the wire that the rest of the message cannot hold.
 *
 * @throws ProtocolError
 */
export function checkCount(count: number, bytesEach: number, reader: Reader): void {
  if (count < 0 || count * bytesEach > reader.remaining()) {
    throw new ProtocolError(
      'PROTOCOL_LENGTH',
      `a count of ${count} is not possible in the ${reader.remaining()} bytes that are left`,
    );
  }
}

function encode(columns: readonly ColumnSpec[], version: number): EncodedColumns {
  const writer = new Writer();
  const first = columns[0];
  const isGlobal =
    first !== undefined &&
    columns.every(({ keyspace, table }) => keyspace === first.keyspace && table === first.table);
  if (isGlobal) {
    writer.writeString(first.keyspace);
    writer.writeString(first.table);
  }
  for (const column of columns) {
    if (!isGlobal) {
      writer.writeString(column.keyspace);
      writer.writeString(column.table);
    }
    writer.writeString(column.name);
    writeTypeOption(writer, column.type, version);
  }
  return {
    flags: isGlobal ? RowsFlag.GLOBAL_TABLE_SPEC : 0,
    count: columns.length,
    // A copy of the exact size: it lives long.
    bytes: Buffer.from(writer.toBuffer()),
  };
}
