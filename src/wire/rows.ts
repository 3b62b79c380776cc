import { InternalError, ProtocolError } from '../errors/index.ts';
import type { ColumnSpec } from './column_spec.ts';
import { checkCount, encodeColumns, readColumns } from './column_spec.ts';
import { ResultKind, RowsFlag } from './constants.ts';
import type { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** <metadata> of rows. Spec: native_protocol_v4 4.2.5.2. */
export interface RowsMetadata {
  /** Bits of `RowsFlag`. */
  readonly flags: number;
  readonly columnCount: number;
  /** Where the next page begins; `undefined` on the last page. A view when decoded. */
  readonly pagingState: Buffer | undefined;
  /** `undefined` if the request asked to leave them out. */
  readonly columns: readonly ColumnSpec[] | undefined;
}

/** What stands before the cells of rows to be sent. */
export interface RowsHeader {
  /** Columns of the rows, also if `noMetadata`; keep the array for later pages, see {@link encodeColumns}. */
  readonly columns: readonly ColumnSpec[];
  readonly pagingState?: Uint8Array | undefined;
  /** The client asked to leave the columns out. */
  readonly noMetadata?: boolean | undefined;
}

const KNOWN_FLAGS = RowsFlag.GLOBAL_TABLE_SPEC | RowsFlag.HAS_MORE_PAGES | RowsFlag.NO_METADATA;

/**
 * Reads <metadata> of rows or of the result of a prepared statement.
 *
 * @throws ProtocolError also for flags that v3 and v4 do not have
 */
export function readRowsMetadata(reader: Reader): RowsMetadata {
  const flags = reader.readInt();
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    throw new ProtocolError('PROTOCOL_FLAG', `unknown flags ${flags} of the metadata of rows`);
  }
  const columnCount = reader.readInt();
  if (columnCount < 0) {
    throw new ProtocolError('PROTOCOL_LENGTH', `rows of ${columnCount} columns`);
  }
  let pagingState: Buffer | undefined;
  if ((flags & RowsFlag.HAS_MORE_PAGES) !== 0) {
    pagingState = reader.readBytes() ?? undefined;
    if (pagingState === undefined) {
      throw new ProtocolError('PROTOCOL_VALUE', 'rows have more pages, but no paging state');
    }
  }
  const columns =
    (flags & RowsFlag.NO_METADATA) !== 0 ? undefined : readColumns(reader, columnCount, flags);
  return { flags, columnCount, pagingState, columns };
}

/**
 * Reads the number of rows, and checks that so many cells can follow.
 *
 * @throws ProtocolError
 */
export function readRowCount(reader: Reader, columnCount: number): number {
  const rowCount = reader.readInt();
  if (rowCount > 0 && columnCount === 0) {
    throw new ProtocolError('PROTOCOL_LENGTH', `${rowCount} rows without columns`);
  }
  checkCount(rowCount, columnCount * 4, reader);
  return rowCount;
}

/**
 * Writes everything of a RESULT of rows that stands before the first cell; the cells follow by `writeBytes`, row by row.
 *
 * Spec: native_protocol_v4 4.2.5.2.
 *
 * @returns the offset of the number of rows, for `patchInt` when it is known only at the end
 * @throws InvalidRequestError if something does not fit
 */
export function encodeRowsHeader(
  writer: Writer,
  header: RowsHeader,
  rowCount: number,
  version: number,
): number {
  const { pagingState } = header;
  const noMetadata = header.noMetadata === true;
  const columns = encodeColumns(header.columns, version);
  writer.writeInt(ResultKind.ROWS);
  writer.writeInt(
    columns.flags |
      (pagingState !== undefined ? RowsFlag.HAS_MORE_PAGES : 0) |
      (noMetadata ? RowsFlag.NO_METADATA : 0),
  );
  writer.writeInt(columns.count);
  if (pagingState !== undefined) writer.writeBytes(pagingState);
  if (!noMetadata) writer.writeFixed(columns.bytes);
  const rowCountAt = writer.length();
  writer.writeInt(rowCount);
  return rowCountAt;
}

/** Makes the body of a RESULT of rows, cell after cell; counts the rows itself. */
export class RowsWriter {
  readonly #writer: Writer;
  readonly #columnCount: number;
  readonly #rowCountAt: number;
  #cells = 0;

  /** Begins the body; `capacity` is a guess of its length, in bytes, `maxLength` the limit. */
  constructor(header: RowsHeader, version: number, capacity = 1024, maxLength?: number) {
    this.#writer = new Writer(capacity, maxLength);
    this.#columnCount = header.columns.length;
    this.#rowCountAt = encodeRowsHeader(this.#writer, header, 0, version);
  }

  /**
   * The next cell, copied; null for no value.
   *
   * @throws InvalidRequestError above the limit
   */
  writeCell(value: Uint8Array | null): void {
    this.#cells++;
    this.#writer.writeBytes(value);
  }

  /**
   * The next cell from a part of a buffer: `source[start, end)`, copied.
   *
   * @throws InvalidRequestError above the limit
   */
  writeCellFrom(source: Uint8Array, start: number, end: number): void {
    this.#cells++;
    this.#writer.writeBytesFrom(source, start, end);
  }

  /** Bytes of the body so far. */
  length(): number {
    return this.#writer.length();
  }

  /**
   * Ends the body. The writer is not used again.
   *
   * @throws InternalError if the last row is not complete
   */
  finish(): Buffer {
    const rows = this.#columnCount === 0 ? 0 : this.#cells / this.#columnCount;
    if (!Number.isInteger(rows) || (this.#columnCount === 0 && this.#cells > 0)) {
      throw new InternalError('the last row has too few cells');
    }
    this.#writer.patchInt(this.#rowCountAt, rows);
    return this.#writer.toBuffer();
  }
}
