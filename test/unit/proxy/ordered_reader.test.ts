import { describe, expect, it } from 'vitest';
import type { Row } from '../../../src/encryption/index.ts';
import type { RowPosition } from '../../../src/proxy/evaluated_position.ts';
import { EvaluatedReader } from '../../../src/proxy/evaluated_reader.ts';
import { decodePlace, encodePlace } from '../../../src/proxy/ordered_position.ts';
import { OrderedReader } from '../../../src/proxy/ordered_reader.ts';
import { SmallestRows } from '../../../src/proxy/smallest_rows.ts';
import { native } from '../../../src/values/index.ts';
import { storedCells } from '../../support/stored_cells.ts';

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const number = (cell: Uint8Array | null | undefined): number =>
  Buffer.from(cell ?? []).readInt32BE();

/** pk and a value; rows of a partition come in no order. */
type Stored = readonly [number, number];

/** Stored rows, whose paging states name the last row that was sent. */
class Store {
  rows: Stored[];
  most = 0;

  constructor(rows: readonly Stored[]) {
    this.rows = [...rows];
  }

  reader(pageSize: number, reads = 1): EvaluatedReader {
    return new EvaluatedReader(reads, [0, 1], pageSize, (start, size) => {
      const own = reads === 1 ? this.rows : this.rows.filter(([pk]) => pk === start.read);
      const after = Number(start.upstream?.toString() ?? -1);
      const page = own.filter((row) => ROWS.indexOf(row) > after).slice(0, size);
      this.most = Math.max(this.most, page.length);
      const last = page.at(-1);
      return Promise.resolve({
        rows: page.map((row): Row => row.map(int)),
        cells: storedCells(page.map((row) => row.map(int))),
        prefix: {},
        upstream:
          page.length < size || last === undefined
            ? undefined
            : Buffer.from(String(ROWS.indexOf(last))),
      });
    });
  }
}

const SIZES = [1, 5, 2, 30, 1, 3];
const ROWS: readonly Stored[] = SIZES.flatMap((size, pk) =>
  Array.from({ length: size }, (_, n): Stored => [pk, ((n * 17 + 5) % 31) - 10]),
);
const sorted = (rows: readonly Stored[]): Stored[] =>
  [...rows].sort((a, b) => a[0] - b[0] || a[1] - b[1]);

function ordered(
  store: Store,
  inner: number,
  kept: number,
  descending = false,
  reads = 1,
  bytes = 1 << 20,
  accepts: (row: Row) => boolean = () => true,
): OrderedReader {
  return new OrderedReader(
    store.reader(inner, reads),
    [{ slot: 1, type: native('int'), descending }],
    reads === 1 ? [0] : [],
    { rows: kept, bytes },
    accepts,
  );
}

/** All rows, `take` of each page: the rest is read again from the place behind them. */
async function all(reader: OrderedReader, take = Infinity): Promise<Stored[]> {
  const found: Stored[] = [];
  let at: RowPosition = { read: 0, upstream: undefined };
  for (let turn = 0; !reader.isEnd(at) && turn < 500; turn++) {
    const page = await reader.page(at);
    const rows = page.rows.slice(0, take);
    found.push(...rows.map((row): Stored => [number(row[0]), number(row[1])]));
    at = rows.length < page.rows.length ? await reader.after(page, rows.length) : page.next;
  }
  return found;
}

describe('rows of a view that spans partitions', () => {
  it.each([1, 2, 3, 7, 100])('are sorted by partition, in stored pages of %i', async (inner) => {
    for (const kept of [1, 2, 5, 100]) {
      for (const take of [1, 2, 4, Infinity]) {
        const rows = await all(ordered(new Store(ROWS), inner, kept), take);
        expect(rows, `${String(kept)} kept, ${String(take)} taken`).toEqual(sorted(ROWS));
      }
    }
  });

  it('are sorted where each partition is read by itself, and in the reverse order', async () => {
    for (const inner of [2, 100]) {
      const store = new Store(ROWS);
      expect(await all(ordered(store, inner, 4, false, SIZES.length), 3)).toEqual(sorted(ROWS));
      const reversed = await all(ordered(store, inner, 4, true, SIZES.length), 3);
      expect(reversed).toEqual([...ROWS].sort((a, b) => a[0] - b[0] || b[1] - a[1]));
    }
  });

  it('are all given, where few bytes are kept at a time', async () => {
    for (const bytes of [1, 20, 50]) {
      const rows = await all(ordered(new Store(ROWS), 3, 100, false, 1, bytes), 2);
      expect(rows).toEqual(sorted(ROWS));
    }
  });

  it('are filtered before they are sorted: a large partition is read once for a few of its rows', async () => {
    const isWanted = (row: Row): boolean => number(row[1]) === 3 || number(row[1]) === 7;
    const wanted = sorted(ROWS).filter(([, value]) => value === 3 || value === 7);
    const reader = ordered(new Store(ROWS), 4, 5, false, 1, 1 << 20, isWanted);
    expect(await all(reader)).toEqual(wanted);
    expect(await all(reader, 1)).toEqual(wanted);
    const alone = new Store(ROWS.filter(([pk]) => pk === SIZES.indexOf(30)));
    const page = await ordered(alone, 4, 5, false, 1, 1 << 20, isWanted).page({
      read: 0,
      upstream: undefined,
    });
    expect(page.rows).toHaveLength(2);
    expect(page.next.read).toBe(1);
  });

  it('come once, though others write meanwhile', async () => {
    const store = new Store(ROWS);
    const reader = ordered(store, 4, 5);
    const found: Stored[] = [];
    let at: RowPosition = { read: 0, upstream: undefined };
    for (let turn = 0; !reader.isEnd(at) && turn < 500; turn++) {
      const page = await reader.page(at);
      const rows = page.rows.slice(0, 2);
      found.push(...rows.map((row): Stored => [number(row[0]), number(row[1])]));
      if (turn === 3) store.rows = store.rows.filter(([pk, value]) => pk !== 1 && value !== -9);
      at = rows.length < page.rows.length ? await reader.after(page, rows.length) : page.next;
    }
    const seen = found.map(String);
    expect(new Set(seen).size).toBe(seen.length);
    const [left, has] = [store.rows.map(String), new Set(seen)];
    expect(left.filter((row) => !has.has(row))).toEqual([]);
  });

  it('have places that survive the way to the client', () => {
    for (const place of [
      { upstream: undefined, given: undefined },
      { upstream: Buffer.from('state'), given: undefined },
      { upstream: undefined, given: { partition: [], last: [int(1), null, Buffer.alloc(0)] } },
      { upstream: Buffer.alloc(0), given: { partition: [int(7)], last: [int(1)] } },
    ]) {
      const again = decodePlace(encodePlace(place));
      expect(again.upstream).toEqual(place.upstream);
      expect(again.given).toEqual(place.given);
    }
    const bytes = encodePlace({ upstream: undefined, given: { partition: [int(7)], last: [] } });
    for (let length = 0; length < (bytes?.length ?? 0); length++) {
      expect(() => decodePlace(bytes?.subarray(0, length))).toThrow('paging state');
    }
  });
});

describe('the smallest rows', () => {
  const compare = (a: Row, b: Row): number => number(a[0]) - number(b[0]);

  it('are kept up to a number and a size, one at least', () => {
    const kept = new SmallestRows(compare, { rows: 3, bytes: 1000 });
    for (let n = 0; n < 100; n++) kept.add([int((n * 37) % 101)]);
    expect(kept.take().map(([cell]) => number(cell))).toEqual([0, 1, 2]);
    expect(kept.isCut).toBe(true);
    const few = new SmallestRows(compare, { rows: 1000, bytes: 10 });
    for (let n = 20; n > 0; n--) few.add([int(n), Buffer.alloc(4)]);
    expect(few.take().map(([cell]) => number(cell))).toEqual([1]);
    const all = new SmallestRows(compare, { rows: 1000, bytes: 1000 });
    for (let n = 20; n > 0; n--) all.add([int(n)]);
    expect(all.take()).toHaveLength(20);
    expect(all.isCut).toBe(false);
  });

  it('are those before the first one that was left out, whatever the sizes of the others', () => {
    const few = new SmallestRows(compare, { rows: 1000, bytes: 10 });
    for (const [n, size] of [
      [1, 2],
      [2, 2],
      [3, 4],
      [9, 0],
    ] as const) {
      few.add([int(n), Buffer.alloc(size)]);
    }
    expect(few.take().map(([cell]) => number(cell))).toEqual([1]);
    for (let seed = 1; seed <= 200; seed++) {
      const sizeOf = (n: number): number => (n * seed * 7919) % 60;
      const kept = new SmallestRows(compare, { rows: 12, bytes: 150 });
      for (let n = 0; n < 101; n++) {
        const value = (n * (seed % 100 || 1) + seed) % 101;
        kept.add([int(value), Buffer.alloc(sizeOf(value))]);
      }
      const found = kept.take().map(([cell]) => number(cell));
      expect(found.length).toBeGreaterThan(0);
      expect(found).toEqual(found.map((_, at) => at));
    }
  });

  it('do not keep the page that they came in', () => {
    const page = Buffer.alloc(1000);
    const kept = new SmallestRows(compare, { rows: 3, bytes: 1000 });
    kept.add([page.subarray(0, 4)]);
    expect(kept.take()[0]?.[0]?.buffer.byteLength).toBe(4);
  });
});
