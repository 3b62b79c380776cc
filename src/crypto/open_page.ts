import { InternalError } from '../errors/index.ts';
import { requireAnyCell, requirePart } from './column_context.ts';
import type { ColumnContext } from './column_context.ts';
import type { CellColumn, KeyColumn, OpenQueues } from './open_queues.ts';
import type { TableCipherKeys } from './table_keys.ts';

/** Cells of a result as they lie in one buffer. Cell c of row r has the index `r * columnCount + c`. */
export interface StoredCells {
  readonly bytes: Uint8Array;
  readonly columnCount: number;
  readonly rowCount: number;
  /** First byte of each cell. */
  readonly starts: Int32Array;
  /** Bytes of each cell; -1 for null. */
  readonly lengths: Int32Array;
}

/** Queues parts of a page's cells: bytes of the page by first byte and length. Each gives a handle. */
export class PageElements {
  readonly #queues: OpenQueues;
  readonly #column: KeyColumn;
  readonly #source: number;

  constructor(queues: OpenQueues, column: KeyColumn, source: number) {
    this.#queues = queues;
    this.#column = column;
    this.#source = source;
  }

  /** @param owner row, or partition for a static column */
  open(owner: number, start: number, length: number): number {
    return this.#queues.element(this.#column, required(owner), this.#source, start, length);
  }
}

/** As {@link PageElements}, for fields of user types and values of maps. */
export class PageParts {
  readonly #queues: OpenQueues;
  readonly #column: CellColumn;
  readonly #source: number;

  constructor(queues: OpenQueues, column: CellColumn, source: number) {
    this.#queues = queues;
    this.#column = column;
    this.#source = source;
  }

  /** @param owner row, or partition for a static column */
  openField(owner: number, start: number, length: number): number {
    return this.#queues.cell(this.#column, required(owner), this.#source, start, length);
  }

  /** The value of a map under the stored key of `keyLength` bytes from `keyStart` on. */
  openMapValue(
    owner: number,
    keyStart: number,
    keyLength: number,
    start: number,
    length: number,
  ): number {
    const key = { source: this.#source, start: keyStart, length: keyLength };
    return this.#queues.cell(this.#column, required(owner), this.#source, start, length, key);
  }
}

/**
 * A page in an open batch. First its partitions and rows are named, by what the caller knows of them or by the page's own
 * cells; then its columns are queued, each for all rows. Partitions and rows are numbers within the batch, -1 for none.
 * Handles are numbers too, -1 for null.
 */
export class OpenPage {
  readonly #queues: OpenQueues;
  readonly #keys: TableCipherKeys;
  readonly #cells: StoredCells;
  readonly #source: number;

  /** The batch reads the cells when it runs. */
  constructor(queues: OpenQueues, keys: TableCipherKeys, cells: StoredCells) {
    this.#queues = queues;
    this.#keys = keys;
    this.#cells = cells;
    this.#source = queues.addSource(cells.bytes);
  }

  /** A partition by the stored bytes of its key, which are not of the page. */
  partition(stored: readonly Uint8Array[]): number {
    const { ad } = this.#queues;
    ad.requireOpen();
    return ad.addPartition(this.#keys, ad.addKey(stored), stored.length);
  }

  /** A partition by the cells of a row that hold its key, in the order of the table. None of them is null. */
  partitionAt(row: number, columns: readonly number[]): number {
    const { ad } = this.#queues;
    ad.requireOpen();
    return ad.addPartition(this.#keys, this.#keyAt(row, columns), columns.length);
  }

  /** A row by the stored bytes of its clustering columns, which are not of the page. */
  row(partition: number, stored: readonly Uint8Array[]): number {
    const { ad } = this.#queues;
    ad.requireOpen();
    return ad.addRow(partition, ad.addKey(stored), stored.length);
  }

  /** A row by its cells that hold its clustering columns, in the order of the table. None of them is null. */
  rowAt(partition: number, row: number, columns: readonly number[]): number {
    const { ad } = this.#queues;
    ad.requireOpen();
    return ad.addRow(partition, this.#keyAt(row, columns), columns.length);
  }

  /** Queues a component of a partition key, of the given rows. */
  openPartitions(context: ColumnContext, column: number, rows: readonly number[]): Int32Array {
    const queues = this.#queues;
    const handles = new Int32Array(rows.length);
    const target = queues.keyColumn(this.#keys, context);
    target.queue.reserve(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const cell = (rows[i] as number) * this.#cells.columnCount + column;
      const start = this.#cells.starts[cell] as number;
      const length = this.#cells.lengths[cell] as number;
      handles[i] = queues.partition(target, this.#source, start, length);
    }
    return handles;
  }

  /**
   * Queues a clustering column; of an ordered one the order parts are computed again and compared.
   *
   * @param partitions partition of each row
   */
  openClusterings(context: ColumnContext, column: number, partitions: Int32Array): Int32Array {
    const queues = this.#queues;
    const target = queues.keyColumn(this.#keys, context);
    const { rowCount, columnCount, starts, lengths } = this.#cells;
    const handles = new Int32Array(rowCount);
    target.queue.reserve(rowCount);
    for (let row = 0, cell = column; row < rowCount; row++, cell += columnCount) {
      const length = lengths[cell] as number;
      const start = starts[cell] as number;
      handles[row] =
        length < 0
          ? -1
          : queues.clustering(target, owner(partitions, row), this.#source, start, length);
    }
    return handles;
  }

  /**
   * Queues a column of cells.
   *
   * @param owners row of each row, or its partition for a static column
   */
  openCells(context: ColumnContext, column: number, owners: Int32Array): Int32Array {
    requireAnyCell(context);
    requirePart(context, undefined);
    const queues = this.#queues;
    const target = queues.cellColumn(this.#keys, context);
    const { rowCount, columnCount, starts, lengths } = this.#cells;
    const handles = new Int32Array(rowCount);
    target.queue.reserve(rowCount);
    for (let row = 0, cell = column; row < rowCount; row++, cell += columnCount) {
      const length = lengths[cell] as number;
      const start = starts[cell] as number;
      handles[row] =
        length < 0 ? -1 : queues.cell(target, owner(owners, row), this.#source, start, length);
    }
    return handles;
  }

  /** Opens elements of the cells of a column of several cells, one by one. */
  elements(context: ColumnContext): PageElements {
    const queues = this.#queues;
    return new PageElements(queues, queues.keyColumn(this.#keys, context), this.#source);
  }

  /** Opens fields or map values of the cells of a column of several cells, one by one. */
  parts(context: ColumnContext): PageParts {
    const queues = this.#queues;
    return new PageParts(queues, queues.cellColumn(this.#keys, context), this.#source);
  }

  /** The plain texts of the batch, after it ran. */
  get output(): Uint8Array {
    return this.#queues.output;
  }

  /** First byte of a plain text in {@link output}. */
  startOf(handle: number): number {
    return this.#queues.places.at.at(handle);
  }

  /** Length of a plain text, after the batch ran. */
  lengthOf(handle: number): number {
    return this.#queues.places.length.at(handle);
  }

  #keyAt(row: number, columns: readonly number[]): number {
    const { ad } = this.#queues;
    const { starts, lengths, columnCount } = this.#cells;
    const key = ad.nextKey();
    for (let i = 0; i < columns.length; i++) {
      const cell = row * columnCount + (columns[i] as number);
      const length = lengths[cell] as number;
      if (length < 0) throw new InternalError('a key column without a value');
      ad.addPart(this.#source, starts[cell] as number, length);
    }
    return key;
  }
}

function owner(owners: Int32Array, row: number): number {
  return required(owners[row] as number);
}

function required(index: number): number {
  if (index < 0) throw new InternalError('a cell without a row or partition');
  return index;
}
