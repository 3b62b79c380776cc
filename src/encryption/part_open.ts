import type { OpenPage, StoredCells } from '../crypto/index.ts';
import type { TableEntry } from '../schema/index.ts';
import {
  compareValues,
  packEntries,
  padNestedFields,
  serializeList,
  serializeTuple,
} from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import type { ColumnParts } from './column_parts.ts';
import { foreignResult } from './page_keys.ts';

/**
 * A key column of a page whose type has tuples or user types. Canonical values lack the nulls at their end; a client sees all
 * fields, as a literal writes them.
 */
export class PaddedKeys {
  readonly #page: OpenPage;
  readonly #type: CqlType;
  readonly #handles: Int32Array;

  /** @param handles into the batch, one for each row; negative for a row without the column */
  constructor(page: OpenPage, type: CqlType, handles: Int32Array) {
    this.#page = page;
    this.#type = type;
    this.#handles = handles;
  }

  /** Bytes that the values have beside the plain texts; after the batch ran. */
  get overhead(): number {
    const page = this.#page;
    return this.#handles.reduce(
      (sum, handle, row) =>
        handle < 0 ? sum : sum + (this.value(row)?.length ?? 0) - page.lengthOf(handle),
      0,
    );
  }

  /** The value of a row with all fields, after the batch ran. */
  value(row: number): Uint8Array | null {
    const handle = this.#handles[row] as number;
    if (handle < 0) return null;
    const start = this.#page.startOf(handle);
    const end = start + this.#page.lengthOf(handle);
    return padNestedFields(this.#type, this.#page.output.subarray(start, end));
  }
}

/** A value of a stored collection or user type: bytes of the page. `length` is -1 for null. */
type Visit = (start: number, length: number) => void;

/**
 * A column of several cells of a page, queued for decryption. Stored elements lie in the order of their stored bytes; the
 * logical value has sets and maps in Cassandra's order of the values, and user types with all fields.
 */
export class OpenedParts {
  /** How many ciphertexts were queued. */
  readonly count: number;
  /** Bytes that the logical values have beside the plain texts, at most. */
  readonly overhead: number;
  readonly #page: OpenPage;
  readonly #parts: ColumnParts;
  /** Handles of the parts of all rows; -1 for a null field. Of a map: key, value, in turn. */
  readonly #handles: number[] = [];
  /** Where the handles of each row begin and end; the end is -1 for null. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /**
   * Queues the cells of `column`.
   * @param owners row of each row, or its partition for a static column
   * @throws MetadataIntegrityError for bytes that are no collection of blobs; CiphertextError for wrong heads
   */
  constructor(
    page: OpenPage,
    table: TableEntry,
    parts: ColumnParts,
    cells: StoredCells,
    column: number,
    owners: Int32Array,
  ) {
    this.#page = page;
    this.#parts = parts;
    const open = opener(page, parts);
    const { rowCount, columnCount, starts, lengths } = cells;
    let count = 0;
    for (let row = 0, cell = column; row < rowCount; row++, cell += columnCount) {
      const length = lengths[cell] as number;
      this.#starts.push(this.#handles.length);
      if (length < 0) {
        this.#ends.push(-1);
        continue;
      }
      const owner = owners[row] as number;
      if (owner < 0) throw foreignResult(table, 'a cell without its row');
      const add = open(owner, this.#handles);
      const isWhole = visit(cells.bytes, starts[cell] as number, length, parts, add);
      if (!isWhole) throw foreignResult(table, 'a column of another type');
      this.#ends.push(this.#handles.length);
    }
    for (const handle of this.#handles) if (handle >= 0) count++;
    this.count = count;
    const fields = parts.kind === 'fields' ? parts.fields.length * rowCount : 0;
    this.overhead = 4 * (this.#handles.length + fields + rowCount);
  }

  /** The logical value of a row, after the batch ran. */
  value(row: number): Uint8Array | null {
    const end = this.#ends[row] ?? -1;
    if (end < 0) return null;
    const plain = this.#plain(row, end);
    const parts = this.#parts;
    switch (parts.kind) {
      case 'list':
        return serializeList(plain as Uint8Array[]);
      case 'set':
        return serializeList(
          (plain as Uint8Array[])
            .sort((a, b) => compareValues(parts.type, a, b))
            .map((item) => padNestedFields(parts.type, item)),
        );
      case 'map': {
        return packEntries(
          this.order(row).map((entry) => [
            padNestedFields(parts.keyType, plain[2 * entry] as Uint8Array),
            plain[2 * entry + 1] as Uint8Array,
          ]),
        );
      }
      case 'fields':
        while (plain.length < parts.fields.length) plain.push(null);
        return serializeTuple(plain);
    }
  }

  /** Which stored element or entry stands at each place of the logical value, after the batch ran. */
  order(row: number): number[] {
    const end = this.#ends[row] ?? -1;
    if (end < 0) return [];
    const plain = this.#plain(row, end);
    const parts = this.#parts;
    const width = parts.kind === 'map' ? 2 : 1;
    const order = Array.from({ length: plain.length / width }, (_, index) => index);
    if (parts.kind === 'list' || parts.kind === 'fields') return order;
    const type = parts.kind === 'map' ? parts.keyType : parts.type;
    return order.sort((a, b) =>
      compareValues(type, plain[a * width] as Uint8Array, plain[b * width] as Uint8Array),
    );
  }

  #plain(row: number, end: number): (Uint8Array | null)[] {
    const page = this.#page;
    const { output } = page;
    return this.#handles.slice(this.#starts[row], end).map((handle) => {
      if (handle < 0) return null;
      const at = page.startOf(handle);
      return output.subarray(at, at + page.lengthOf(handle));
    });
  }
}

/** Write times or times to live of a column of several cells, in the order of its logical value. */
export class PartTimes {
  readonly overhead: number;
  readonly #table: TableEntry;
  readonly #cells: StoredCells;
  readonly #column: number;
  readonly #width: number;
  readonly #parts: OpenedParts | undefined;

  /** @param parts the set or map whose elements they belong to; `undefined` where the order is the stored one */
  constructor(
    table: TableEntry,
    cells: StoredCells,
    column: number,
    width: number,
    parts: OpenedParts | undefined,
  ) {
    this.#table = table;
    this.#cells = cells;
    this.#column = column;
    this.#width = width;
    this.#parts = parts;
    let overhead = 0;
    for (let row = 0; row < cells.rowCount; row++) {
      overhead += Math.max(0, cells.lengths[row * cells.columnCount + column] as number);
    }
    this.overhead = overhead;
  }

  /**
   * The list of a row, after the batch ran.
   * @throws MetadataIntegrityError when it is no list of such numbers, or one for other elements
   */
  value(row: number): Uint8Array | null {
    const { bytes, starts, lengths, columnCount } = this.#cells;
    const cell = row * columnCount + this.#column;
    const length = lengths[cell] as number;
    if (length < 0) return null;
    const start = starts[cell] as number;
    const stored = Buffer.from(bytes.buffer, bytes.byteOffset + start, length);
    const items: Buffer[] = [];
    for (let at = 4; at < length;) {
      const size = at + 4 <= length ? stored.readInt32BE(at) : 0;
      const end = at + 4 + Math.max(size, 0);
      if ((size >= 0 && size !== this.#width) || end > length) throw this.#foreign();
      items.push(stored.subarray(at, end));
      at = end;
    }
    if (length < 4 || stored.readInt32BE(0) !== items.length) throw this.#foreign();
    if (this.#parts === undefined) return stored;
    const order = this.#parts.order(row);
    if (order.length !== items.length) throw this.#foreign();
    return Buffer.concat([stored.subarray(0, 4), ...order.map((at) => items[at] as Buffer)]);
  }

  #foreign(): Error {
    return foreignResult(this.#table, 'a column of another type');
  }
}

/** Makes what queues the values of one stored cell, one after the other. */
function opener(page: OpenPage, parts: ColumnParts): (owner: number, to: number[]) => Visit {
  switch (parts.kind) {
    case 'list':
    case 'set': {
      const elements = page.elements(parts.element);
      return (owner, to) => (start, length) => to.push(elements.open(owner, start, length));
    }
    case 'map': {
      const keys = page.elements(parts.key);
      const values = page.parts(parts.value);
      return (owner, to) => {
        let key: { readonly start: number; readonly length: number } | undefined;
        return (start, length) => {
          if (key === undefined) {
            key = { start, length };
            to.push(keys.open(owner, start, length));
            return;
          }
          to.push(values.openMapValue(owner, key.start, key.length, start, length));
          key = undefined;
        };
      };
    }
    case 'fields': {
      const fields = parts.fields.map((context) => page.parts(context));
      return (owner, to) => {
        let index = 0;
        return (start, length) => {
          const field = fields[index++];
          to.push(length < 0 || field === undefined ? -1 : field.openField(owner, start, length));
        };
      };
    }
  }
}

/** Goes through the values of a stored cell. @returns false when the bytes are no collection, or no user type of so few fields. */
function visit(
  bytes: Uint8Array,
  start: number,
  length: number,
  parts: ColumnParts,
  add: Visit,
): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  const isFields = parts.kind === 'fields';
  let at = 0;
  let left = isFields ? parts.fields.length : -1;
  if (!isFields) {
    if (length < 4) return false;
    left = view.getInt32(0) * (parts.kind === 'map' ? 2 : 1);
    at = 4;
    if (left < 0) return false;
  }
  for (; left > 0; left--) {
    // A user type from before a field was added ends early.
    if (isFields && at === length) break;
    if (length - at < 4) return false;
    const size = view.getInt32(at);
    at += 4;
    if (size < 0 && !isFields) return false;
    if (size > length - at) return false;
    add(start + at, size);
    if (size > 0) at += size;
  }
  return at === length;
}
