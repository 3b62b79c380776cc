import { storedRow } from '../encryption/index.ts';
import type { Row } from '../encryption/index.ts';
import type { StoredCells } from '../crypto/index.ts';
import { InternalError, UpstreamError } from '../errors/index.ts';
import type { RowPosition } from './evaluated_position.ts';
import { readPageRows, seal } from './read_stored.ts';
import type { Prefix, ReadJob } from './read_stored.ts';

/** Bytes of stored rows that a page should not exceed by much: its rows are in memory twice. */
const PAGE_BYTES = 2 * 1024 * 1024;
/** How often a page is read again to find the place of its last row, while others write there. */
const PLACE_ATTEMPTS = 8;

/** Rows that a SELECT is evaluated on. */
export interface RowPage {
  readonly rows: readonly Row[];
  readonly prefix: Prefix;
  /** Where the page begins, and where the next one does. */
  readonly start: RowPosition;
  readonly next: RowPosition;
}

/** Gives rows page by page, from any place. */
export interface RowReader<P extends RowPage> {
  /** Whether there is nothing to read at a position. */
  isEnd(position: RowPosition): boolean;
  /** Reads the page at a position. */
  page(start: RowPosition): Promise<P>;
  /** The place behind the first `count` rows of a page. */
  after(page: P, count: number): Promise<RowPosition>;
}

/** One page of an inner read. */
export interface InnerPage extends RowPage {
  readonly cells: StoredCells;
}

/** Reads one page of an inner read. */
export type ReadInner = (start: RowPosition, pageSize: number) => Promise<StoredPage>;

/** A page as it was read. */
export interface StoredPage {
  readonly rows: readonly Row[];
  readonly cells: StoredCells;
  readonly prefix: Prefix;
  readonly upstream: Buffer | undefined;
}

/** Reads the rows of an evaluated SELECT page by page: one read a partition, or one scan. */
export class EvaluatedReader implements RowReader<InnerPage> {
  readonly #count: number;
  readonly #keySlots: readonly number[];
  readonly #read: ReadInner;
  #pageSize: number;
  /** Whether rows are so large that a page has fewer. */
  #isLarge = false;

  /**
   * @param count how many reads there are
   * @param keySlots where the key stands in a stored row
   * @param pageSize rows of an inner page; fewer where rows are large
   */
  constructor(count: number, keySlots: readonly number[], pageSize: number, read: ReadInner) {
    this.#count = count;
    this.#keySlots = keySlots;
    this.#pageSize = pageSize;
    this.#read = read;
  }

  /** The reader of a statement: its keys are sealed. */
  static async open(job: ReadJob, pageSize: number): Promise<EvaluatedReader> {
    const reads = await seal(job, job.bound.partitions ?? [undefined]);
    const keySlots = job.bound.plan.roles.flatMap((role, slot) =>
      role.kind === 'partition' || role.kind === 'clustering' ? [slot] : [],
    );
    let { flags } = job.request;
    return new EvaluatedReader(reads.length, keySlots, pageSize, (start, size) => {
      const read = reads[start.read];
      if (read === undefined) throw new InternalError('there is no such inner read');
      const reading = readPageRows(job, read, {
        limit: undefined,
        pageSize: size,
        upstream: start.upstream,
        flags,
      });
      flags = 0;
      return reading;
    });
  }

  isEnd(position: RowPosition): boolean {
    return position.read >= this.#count;
  }

  /** @param rows fewer where they are large */
  async page(start: RowPosition, rows = this.#pageSize): Promise<InnerPage> {
    const size = this.#isLarge ? Math.min(rows, this.#pageSize) : rows;
    const page = await this.#read(start, size);
    const { upstream } = page;
    const bytes = page.cells.bytes.length;
    if (bytes > PAGE_BYTES && size > 1) {
      this.#pageSize = Math.max(1, Math.floor((size * PAGE_BYTES) / bytes));
      this.#isLarge = true;
    }
    const next =
      upstream === undefined
        ? { read: start.read + 1, upstream: undefined }
        : { read: start.read, upstream };
    return { rows: page.rows, cells: page.cells, prefix: page.prefix, start, next };
  }

  /**
   * The place behind the first `count` rows of a page. Only Cassandra can name it: those rows are read again, as a page of
   * their own. Where others write meanwhile, it is the place behind the last of those rows that is still there, so no row
   * is skipped and none that was taken comes again.
   */
  async after(page: InnerPage, count: number): Promise<RowPosition> {
    if (count === 0) return page.start;
    if (count === page.rows.length) return page.next;
    const { start } = page;
    let size = count;
    for (let attempt = 0; attempt < PLACE_ATTEMPTS; attempt++) {
      const again = await this.#read(start, size);
      const last = again.cells.rowCount - 1;
      if (last === size - 1 && this.#isSame(page.cells, count - 1, again.cells, last)) {
        return again.upstream === undefined
          ? { read: start.read + 1, upstream: undefined }
          : { read: start.read, upstream: again.upstream };
      }
      const whole = await this.#read(start, this.#pageSize + count);
      const found = this.#lastCommon(page.cells, count, whole.cells);
      if (found === undefined) return start;
      count = found.taken;
      size = found.place;
    }
    throw new UpstreamError(
      'UPSTREAM_ANSWER',
      'the rows of a page change faster than they can be read; try again',
    );
  }

  /** The last of the first `count` rows that is in other cells, too: how many rows lead up to it in each. */
  #lastCommon(
    cells: StoredCells,
    count: number,
    others: StoredCells,
  ): { readonly taken: number; readonly place: number } | undefined {
    for (let row = count - 1; row >= 0; row--) {
      for (let other = others.rowCount - 1; other >= 0; other--) {
        if (this.#isSame(cells, row, others, other)) return { taken: row + 1, place: other + 1 };
      }
    }
    return undefined;
  }

  /** Whether two stored rows have the same key. */
  #isSame(cells: StoredCells, row: number, others: StoredCells, other: number): boolean {
    const left = storedRow(cells, row);
    const right = storedRow(others, other);
    return this.#keySlots.every((at) => {
      const a = left[at] ?? null;
      const b = right[at] ?? null;
      return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
    });
  }
}
