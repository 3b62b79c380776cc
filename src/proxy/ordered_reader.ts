import { compareOrdered } from '../encryption/index.ts';
import type { OrderedSlot, Row } from '../encryption/index.ts';
import { InternalError } from '../errors/index.ts';
import type { RowPosition } from './evaluated_position.ts';
import { PAGE_BYTES } from './evaluated_reader.ts';
import type { EvaluatedReader, InnerPage, RowPage, RowReader } from './evaluated_reader.ts';
import { decodePlace, encodePlace } from './ordered_position.ts';
import type { OrderedPlace } from './ordered_position.ts';
import { mergePrefix } from './read_stored.ts';
import type { Prefix } from './read_stored.ts';
import { SmallestRows } from './smallest_rows.ts';
import type { KeptRows } from './smallest_rows.ts';

/** Rows of an inner page while a partition is read that is larger than one. */
const LARGE_ROWS = 1_000;

/** Rows of one partition in a page: as they came, and as they are given. */
interface Run {
  readonly key: Row;
  /** Places in the inner page. */
  readonly from: number;
  readonly to: number;
  /** The place behind its last one among the rows given. */
  readonly givenTo: number;
}

/** A page whose partitions are sorted. */
export interface OrderedPage extends RowPage {
  readonly rows: readonly Row[];
  readonly inner: InnerPage;
  readonly runs: readonly Run[];
}

/**
 * Reads rows whose partitions follow each other, and sorts each partition. A page has whole partitions, or the next rows of one
 * that is larger than a page: then the partition is read to its end for each page, and only the rows that are given are kept.
 */
export class OrderedReader implements RowReader<OrderedPage> {
  readonly #inner: EvaluatedReader;
  readonly #order: readonly OrderedSlot[];
  readonly #partitionSlots: readonly number[];
  readonly #limit: KeptRows;
  readonly #accepts: (row: Row) => boolean;
  readonly readsAhead = false;

  /**
   * @param partitionSlots of the partition key; without any, each read is of a partition of its own
   * @param limit what is kept of a partition that is larger than an inner page
   * @param accepts the filters of the statement: rows that they refuse are not given
   */
  constructor(
    inner: EvaluatedReader,
    order: readonly OrderedSlot[],
    partitionSlots: readonly number[],
    limit: KeptRows,
    accepts: (row: Row) => boolean,
  ) {
    this.#inner = inner;
    this.#order = order;
    this.#partitionSlots = partitionSlots;
    this.#limit = limit;
    this.#accepts = accepts;
  }

  isEnd(position: RowPosition): boolean {
    return this.#inner.isEnd(position);
  }

  async page(start: RowPosition): Promise<OrderedPage> {
    const place = decodePlace(start.upstream);
    const inner = await this.#inner.page({ read: start.read, upstream: place.upstream });
    const stored = rowsOf(inner);
    const runs = this.#runs(stored);
    const isLast = inner.next.read !== start.read;
    const whole = isLast ? runs : runs.slice(0, -1);
    return whole.length === 0 && runs.length > 0
      ? this.#large(start, place, inner)
      : this.#whole(start, place, inner, stored, whole);
  }

  async after(page: OrderedPage, count: number): Promise<RowPosition> {
    if (count === 0) return page.start;
    if (count === page.rows.length) return page.next;
    const { read } = page.start;
    const run = page.runs.find(({ givenTo }) => count <= givenTo);
    if (run === undefined) return page.next;
    if (run.givenTo === count) {
      return placed(await this.#inner.after(page.inner, run.to), read, undefined);
    }
    const begin = await this.#inner.after(page.inner, run.from);
    return placed(begin, read, this.#given(run.key, page.rows[count - 1] ?? []));
  }

  /** A page of whole partitions. */
  async #whole(
    start: RowPosition,
    place: OrderedPlace,
    inner: InnerPage,
    stored: readonly Row[],
    whole: readonly { readonly key: Row; readonly from: number; readonly to: number }[],
  ): Promise<OrderedPage> {
    const rows: Row[] = [];
    let { given } = place;
    const runs = whole.map(({ key, from, to }): Run => {
      const isNew = this.#isNew(key, given);
      if (isNew !== undefined) given = undefined;
      const found = stored
        .slice(from, to)
        .filter((row) => this.#accepts(row) && (isNew?.(row) ?? true));
      rows.push(...found.sort((a, b) => compareOrdered(this.#order, a, b)));
      return { key, from, to, givenTo: rows.length };
    });
    const end = whole.at(-1)?.to;
    const next = end === undefined ? inner.next : await this.#inner.after(inner, end);
    return {
      rows,
      prefix: inner.prefix,
      start,
      next: placed(next, start.read, given),
      inner,
      runs,
    };
  }

  /** The next rows of a partition that does not end in its first page. */
  async #large(start: RowPosition, place: OrderedPlace, first: InnerPage): Promise<OrderedPage> {
    const key = this.#key(rowsOf(first)[0] ?? []);
    const isNew = this.#isNew(key, place.given);
    const kept = new SmallestRows((a, b) => compareOrdered(this.#order, a, b), this.#limit);
    const prefix: { -readonly [K in keyof Prefix]: Prefix[K] } = {};
    let page = first;
    let end: RowPosition | undefined;
    while (end === undefined) {
      const isLast = page.next.read !== start.read;
      // Cassandra reads the next page while this one is looked through.
      const ahead = isLast ? undefined : this.#inner.page(page.next, rowsAhead(page));
      ahead?.catch(() => undefined);
      mergePrefix(prefix, page.prefix);
      const all = rowsOf(page);
      const other = all.findIndex((row) => !sameRow(this.#key(row), key));
      const rows = other < 0 ? all : all.slice(0, other);
      for (const row of rows) {
        if (this.#accepts(row) && (isNew?.(row) ?? true)) kept.add(row);
      }
      if (other >= 0) end = await this.#inner.after(page, other);
      else if (ahead === undefined) end = page.next;
      else page = await ahead;
    }
    const rows = kept.take();
    const given = isNew === undefined ? place.given : undefined;
    const last = rows.at(-1);
    const run: Run = { key, from: 0, to: first.rows.length, givenTo: rows.length };
    return {
      rows,
      prefix,
      start,
      next:
        kept.isCut && last !== undefined
          ? placed(first.start, start.read, this.#given(key, last))
          : placed(end, start.read, given),
      inner: first,
      runs: [run],
    };
  }

  #runs(rows: readonly Row[]): { readonly key: Row; readonly from: number; to: number }[] {
    const runs: { readonly key: Row; readonly from: number; to: number }[] = [];
    for (const [at, row] of rows.entries()) {
      const key = this.#key(row);
      const run = runs.at(-1);
      if (run !== undefined && sameRow(run.key, key)) run.to = at + 1;
      else runs.push({ key, from: at, to: at + 1 });
    }
    return runs;
  }

  /** Tells rows that were not given yet, where some of the partition were; undefined for any other partition. */
  #isNew(key: Row, given: OrderedPlace['given']): ((row: Row) => boolean) | undefined {
    if (given === undefined || !sameRow(given.partition, key)) return undefined;
    const last: Row = [];
    for (const [at, { slot }] of this.#order.entries()) last[slot] = given.last[at] ?? null;
    return (row) => compareOrdered(this.#order, row, last) > 0;
  }

  #given(key: Row, row: Row): OrderedPlace['given'] {
    return { partition: key, last: this.#order.map(({ slot }) => row[slot] ?? null) };
  }

  #key(row: Row): Row {
    return this.#partitionSlots.map((slot) => row[slot] ?? null);
  }
}

/** How many rows a page should have by the size of those of another. */
function rowsAhead({ cells }: InnerPage): number {
  const bytes = Math.max(1, cells.bytes.length);
  const fitting = Math.floor((PAGE_BYTES * Math.max(1, cells.rowCount)) / bytes);
  return Math.max(1, Math.min(LARGE_ROWS, fitting));
}

/** The rows of a page that was opened whole: which partition each is of must be seen. */
function rowsOf({ rows }: InnerPage): readonly Row[] {
  return rows.map((row) => {
    if (row === undefined) throw new InternalError('a row of a partition to be sorted is missing');
    return row;
  });
}

/** A place of the inner reads as one of the sorted ones. */
function placed(position: RowPosition, read: number, given: OrderedPlace['given']): RowPosition {
  if (position.read !== read) return position;
  return { read, upstream: encodePlace({ upstream: position.upstream, given }) };
}

function sameRow(a: Row, b: Row): boolean {
  return a.every((value, at) => {
    const other = b[at] ?? null;
    return value === null || other === null ? value === other : Buffer.compare(value, other) === 0;
  });
}
