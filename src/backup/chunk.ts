import { BackupError, InternalError } from '../errors/index.ts';

/** A stored cell of a row. Columns of several cells have one for each element or field, one after the other. */
export interface BackupCell {
  /** Index among the cell columns of the manifest. */
  readonly column: number;
  /**
   * Which cell of a column of several: the stored element of a set (which has an empty value) or key of a map, the place of
   * a list element or of a field. `undefined` for a column of one cell.
   */
  readonly path?: Uint8Array | undefined;
  /** Microseconds since the epoch. */
  readonly writeTime: bigint;
  /** Seconds since the epoch when it expires; 0 for never. */
  readonly expiresAt: number;
  /** Stored bytes. */
  readonly value: Uint8Array;
}

/** What is stored under one primary key, or the static cells of a partition. */
export interface BackupRow {
  /** Stored components of the partition key. */
  readonly partition: readonly Uint8Array[];
  /** Stored clustering columns; `undefined` for the static cells of the partition. */
  readonly clustering: readonly Uint8Array[] | undefined;
  readonly cells: readonly BackupCell[];
}

/** Where the reading of the table goes on after a chunk. */
export interface ScanPosition {
  /** Index of the token range; the number of ranges when all are read. */
  readonly range: number;
  /** Cassandra's paging state, hex; empty for the beginning of the range. */
  readonly pagingState: string;
}

/** What a chunk holds. */
export interface ChunkCounts {
  /** Rows, static ones apart. */
  readonly rows: number;
  /** Cells; elements and fields count one each. */
  readonly cells: number;
}

const VERSION = 1;
const PARTITION = 1;
const STATICS = 2;
const ROW = 3;
const SIMPLE_CELL = 0;
const PARTS = 1;
const MAX_CELLS = 0xffff;

/** Collects rows of one chunk. Spec: backup format 4 */
export class ChunkWriter {
  #bytes: Buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;
  #rows = 0;
  #cells = 0;
  #partition: readonly Uint8Array[] | undefined;

  /** Bytes so far. */
  get size(): number {
    return this.#length;
  }

  /** Adds a row. */
  add(row: BackupRow): void {
    if (!isSamePartition(this.#partition, row.partition)) {
      this.#partition = row.partition;
      this.#u8(PARTITION);
      this.#key(row.partition);
    }
    if (row.clustering === undefined) {
      this.#u8(STATICS);
    } else {
      this.#u8(ROW);
      this.#key(row.clustering);
      this.#rows += 1;
    }
    const columns = byColumn(row.cells);
    if (columns.length > MAX_CELLS) throw new InternalError('a row with too many cells');
    this.#reserve(2);
    this.#length = this.#bytes.writeUInt16BE(columns.length, this.#length);
    for (const cells of columns) this.#column(cells);
    this.#cells += row.cells.length;
  }

  /**
   * The chunk's plain text; the writer is empty afterwards.
   * @param position where the scan goes on; `undefined` when the chunk ends inside a page
   */
  finish(position: ScanPosition | undefined): { plaintext: Buffer; counts: ChunkCounts } {
    const state = Buffer.from(position?.pagingState ?? '', 'hex');
    const head = Buffer.alloc(18);
    head[0] = VERSION;
    head[1] = position === undefined ? 0 : 1;
    head.writeUInt32BE(position?.range ?? 0, 2);
    head.writeUInt32BE(this.#rows, 6);
    head.writeUInt32BE(this.#cells, 10);
    head.writeUInt32BE(state.length, 14);
    const counts = { rows: this.#rows, cells: this.#cells };
    const plaintext = Buffer.concat([head, state, this.#bytes.subarray(0, this.#length)]);
    this.#length = 0;
    this.#rows = 0;
    this.#cells = 0;
    this.#partition = undefined;
    return { plaintext, counts };
  }

  #column(cells: readonly BackupCell[]): void {
    const [first] = cells;
    if (first === undefined) return;
    this.#reserve(7);
    let at = this.#bytes.writeUInt16BE(first.column, this.#length);
    if (first.path === undefined) {
      this.#length = this.#bytes.writeUInt8(SIMPLE_CELL, at);
    } else {
      at = this.#bytes.writeUInt8(PARTS, at);
      this.#length = this.#bytes.writeUInt32BE(cells.length, at);
    }
    for (const cell of cells) {
      if (cell.path !== undefined) this.#sized(cell.path);
      this.#reserve(12);
      at = this.#bytes.writeBigInt64BE(cell.writeTime, this.#length);
      this.#length = this.#bytes.writeUInt32BE(cell.expiresAt, at);
      this.#sized(cell.value);
    }
  }

  #sized(value: Uint8Array): void {
    this.#reserve(4 + value.length);
    const at = this.#bytes.writeUInt32BE(value.length, this.#length);
    this.#bytes.set(value, at);
    this.#length = at + value.length;
  }

  #key(parts: readonly Uint8Array[]): void {
    this.#u8(parts.length);
    for (const part of parts) {
      this.#reserve(2 + part.length);
      const at = this.#bytes.writeUInt16BE(part.length, this.#length);
      this.#bytes.set(part, at);
      this.#length = at + part.length;
    }
  }

  #u8(value: number): void {
    this.#reserve(1);
    this.#length = this.#bytes.writeUInt8(value, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Cells of one column each: single ones, and the elements or fields that follow each other. */
function byColumn(cells: readonly BackupCell[]): readonly (readonly BackupCell[])[] {
  const columns: BackupCell[][] = [];
  let last: BackupCell | undefined;
  for (const cell of cells) {
    const isNext = last?.path !== undefined && cell.path !== undefined;
    if (isNext && last?.column === cell.column) columns.at(-1)?.push(cell);
    else columns.push([cell]);
    last = cell;
  }
  return columns;
}

/** A chunk that was opened. */
export interface ChunkContent {
  readonly counts: ChunkCounts;
  /** `undefined` when the chunk ends inside a page. */
  readonly position: ScanPosition | undefined;
  /** Its rows in order; values are views of the plain text. @throws BackupError BACKUP_FORMAT */
  rows(): Generator<BackupRow, void, undefined>;
}

/** Reads a chunk's plain text. @throws BackupError BACKUP_FORMAT when a later version wrote it */
export function readChunk(plaintext: Buffer): ChunkContent {
  const reader = new Reader(plaintext);
  if (reader.u8() !== VERSION) throw unknownFormat();
  const isPosition = reader.u8() === 1;
  const range = reader.u32();
  const counts = { rows: reader.u32(), cells: reader.u32() };
  const pagingState = reader.bytes(reader.u32()).toString('hex');
  const start = reader.at;
  return {
    counts,
    position: isPosition ? { range, pagingState } : undefined,
    rows: () => rowsOf(plaintext, start, counts),
  };
}

function* rowsOf(
  plaintext: Buffer,
  start: number,
  counts: ChunkCounts,
): Generator<BackupRow, void, undefined> {
  const reader = new Reader(plaintext);
  reader.at = start;
  let partition: readonly Uint8Array[] | undefined;
  let rows = 0;
  let cells = 0;
  while (reader.at < plaintext.length) {
    const entry = reader.u8();
    if (entry === PARTITION) {
      partition = reader.key();
      continue;
    }
    if (partition === undefined || (entry !== STATICS && entry !== ROW)) throw unknownFormat();
    const clustering = entry === ROW ? reader.key() : undefined;
    const row = { partition, clustering, cells: reader.cells() };
    if (entry === ROW) rows += 1;
    cells += row.cells.length;
    yield row;
  }
  if (rows !== counts.rows || cells !== counts.cells) {
    throw new BackupError('BACKUP_INTEGRITY', 'a chunk of a backup does not hold what it says');
  }
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.bytes(1).readUInt8();
  }

  u32(): number {
    return this.bytes(4).readUInt32BE();
  }

  key(): readonly Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (let left = this.u8(); left > 0; left -= 1) {
      parts.push(this.bytes(this.bytes(2).readUInt16BE()));
    }
    return parts;
  }

  cells(): readonly BackupCell[] {
    const cells: BackupCell[] = [];
    for (let left = this.bytes(2).readUInt16BE(); left > 0; left -= 1) {
      const column = this.bytes(2).readUInt16BE();
      const kind = this.u8();
      if (kind === SIMPLE_CELL) cells.push(this.#cell(column));
      else if (kind === PARTS) {
        for (let parts = this.u32(); parts > 0; parts -= 1) {
          const path = this.bytes(this.u32());
          cells.push({ ...this.#cell(column), path });
        }
      } else throw unknownFormat();
    }
    return cells;
  }

  #cell(column: number): BackupCell {
    const head = this.bytes(16);
    return {
      column,
      writeTime: head.readBigInt64BE(0),
      expiresAt: head.readUInt32BE(8),
      value: this.bytes(head.readUInt32BE(12)),
    };
  }

  bytes(length: number): Buffer {
    if (this.#bytes.length - this.at < length) throw unknownFormat();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}

/** True when both are the same stored key. */
export function isSamePartition(
  a: readonly Uint8Array[] | undefined,
  b: readonly Uint8Array[],
): boolean {
  return (
    a === b ||
    (a?.length === b.length &&
      a.every((part, index) => Buffer.compare(part, b[index] as Uint8Array) === 0))
  );
}

function unknownFormat(): BackupError {
  return new BackupError(
    'BACKUP_FORMAT',
    'a backup has a format that this version of cqlock does not know; use the version that made it, or a later one',
  );
}
