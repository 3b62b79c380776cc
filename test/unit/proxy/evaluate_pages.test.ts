import { describe, expect, it } from 'vitest';
import { bindEvaluated } from '../../../src/encryption/index.ts';
import type { Row } from '../../../src/encryption/index.ts';
import { decodePosition, encodePosition } from '../../../src/proxy/evaluated_position.ts';
import type { EvaluatedPosition } from '../../../src/proxy/evaluated_position.ts';
import { EvaluatedReader } from '../../../src/proxy/evaluated_reader.ts';
import type { ReadInner } from '../../../src/proxy/evaluated_reader.ts';
import { answerSize, evaluatePages } from '../../../src/proxy/evaluate_pages.ts';
import { evaluated, int, row } from '../encryption/evaluate/support.ts';
import type { Planned } from '../encryption/evaluate/support.ts';
import { storedCells } from '../../support/stored_cells.ts';

type Stored = readonly [number, number, number];

/** A table of (pk, c, v) whose paging states name the last row that was sent, as Cassandra's do. */
class Store {
  rows: Stored[];
  reads = 0;
  onRead: () => void = () => undefined;

  constructor(rows: readonly Stored[]) {
    this.rows = [...rows];
  }

  /** @param accepts gives undefined in the place of rows that it refuses, as a reader does that tests them first */
  read(planned: Planned, accepts: (row: Row) => boolean = () => true): ReadInner {
    return (start, pageSize) => {
      this.reads++;
      this.onRead();
      const key = (stored: Stored): number => stored[0] * 1000 + stored[1];
      const after = start.upstream === undefined ? -1 : start.upstream.readInt32BE(0);
      const rest = this.rows.filter((stored) => key(stored) > after);
      const page = rest.slice(0, pageSize);
      const last = page.at(-1);
      const upstream =
        page.length < pageSize || last === undefined ? undefined : Buffer.from(int(key(last)));
      return Promise.resolve({
        rows: page
          .map(([pk, c, v]) =>
            row(planned.plan, { pk: int(pk), '"pk"': int(pk), c: int(c), v: int(v) }),
          )
          .map((one) => (accepts(one) ? one : undefined)),
        cells: storedCells(page.map(([pk, c]) => [int(pk), int(c)])),
        prefix: {},
        upstream,
      });
    };
  }
}

const ROWS: readonly Stored[] = Array.from({ length: 60 }, (_, n) => [
  Math.floor(n / 12),
  Math.floor(n / 2) % 6 === 5 ? n % 12 : n % 12,
  (n * 7) % 5,
]);

async function allPages(
  cql: string,
  store: Store,
  page: number | undefined,
  inner: number,
  nowMs: () => number = () => 0,
  isTested = false,
): Promise<string[][]> {
  const planned = evaluated(cql);
  const bound = bindEvaluated(planned.plan, planned.context());
  const answers: string[][] = [];
  let next: EvaluatedPosition | undefined;
  do {
    const reader = new EvaluatedReader(
      1,
      [0, 1],
      inner,
      store.read(planned, isTested ? bound.accepts : undefined),
    );
    const answer = await evaluatePages(bound, reader, answerSize(bound, page), next, nowMs);
    answers.push(
      answer.rows.map((cells) =>
        cells.map((cell) => (cell === null ? 'null' : Buffer.from(cell).toString('hex'))).join(' '),
      ),
    );
    next = answer.next === undefined ? undefined : decodePosition(encodePosition(answer.next));
  } while (next !== undefined && answers.length < 500);
  return answers;
}

const STATEMENTS = [
  'SELECT pk, c, v FROM t WHERE v > 1 ALLOW FILTERING',
  'SELECT pk, c FROM t WHERE v = 9 ALLOW FILTERING',
  'SELECT pk, c, v FROM t WHERE v > 1 LIMIT 11 ALLOW FILTERING',
  'SELECT pk, c, v FROM t WHERE v > 1 PER PARTITION LIMIT 3 ALLOW FILTERING',
  'SELECT pk, v + 1 FROM t',
  'SELECT pk, count(*), sum(v) FROM t GROUP BY pk',
  'SELECT pk, c, max(v) FROM t GROUP BY pk, c',
  'SELECT pk, c, max(v) FROM t GROUP BY pk, c PER PARTITION LIMIT 5',
  'SELECT pk, c, max(v) FROM t WHERE v > 2 GROUP BY pk, c LIMIT 7 ALLOW FILTERING',
  'SELECT count(*), sum(v) FROM t WHERE v > 2 ALLOW FILTERING',
];

describe('paging of evaluated answers', () => {
  it.each(STATEMENTS)('%s: all page sizes give the same rows', async (cql) => {
    const whole = (await allPages(cql, new Store(ROWS), undefined, 1000)).flat();
    for (const page of [1, 2, 3, 7, 50]) {
      for (const inner of [1, 3, 10, 1000]) {
        const isTested = inner !== 10;
        const pages = await allPages(cql, new Store(ROWS), page, inner, () => 0, isTested);
        expect(pages.flat(), `pages of ${String(page)}, inner ones of ${String(inner)}`).toEqual(
          whole,
        );
        const full = pages.slice(0, -1);
        if (!cql.includes('sum(v) FROM t WHERE')) {
          for (const rows of full) expect(rows).toHaveLength(page);
        }
      }
    }
  });

  it('a page is sent when its time is over, also without rows', async () => {
    let now = 0;
    const clock = (): number => (now += 1_500);
    const pages = await allPages(STATEMENTS[1] ?? '', new Store(ROWS), 10, 5, clock);
    expect(pages.length).toBeGreaterThan(3);
    expect(pages.flat()).toEqual([]);
  });

  it('groups whose time is over go on with the first row of a group', async () => {
    const cql = 'SELECT pk, count(*), sum(v) FROM t GROUP BY pk';
    const whole = (await allPages(cql, new Store(ROWS), undefined, 1000)).flat();
    let now = 0;
    const clock = (): number => (now += 1_500);
    const pages = await allPages(cql, new Store(ROWS), 10, 5, clock);
    expect(pages.flat()).toEqual(whole);
    expect(pages.length).toBeGreaterThan(1);
  });

  it('rows that come and go between the reads of a page are neither skipped nor doubled', async () => {
    for (let round = 0; round < 40; round++) {
      const store = new Store(ROWS);
      const stable = ROWS.filter(([pk, c]) => (pk + c) % 3 !== 0);
      let reads = 0;
      store.onRead = () => {
        reads++;
        // Every third row is there or not, as it happens; the others always are.
        store.rows = ROWS.filter(
          ([pk, c]) => (pk + c) % 3 !== 0 || (Math.floor(reads / 4) * 7 + pk + c + round) % 2 === 0,
        );
      };
      const pages = await allPages('SELECT pk, c FROM t WHERE v >= 0 ALLOW FILTERING', store, 4, 9);
      const seen = pages.flat();
      expect(new Set(seen).size).toBe(seen.length);
      for (const [pk, c] of stable) {
        expect(seen).toContain(`${int(pk).toString('hex')} ${int(c).toString('hex')}`);
      }
    }
  });

  it('a page costs one read more than its rows need', async () => {
    const store = new Store(ROWS);
    await allPages('SELECT pk, c FROM t WHERE v >= 0 ALLOW FILTERING', store, 30, 1000);
    // Two pages of 30 rows: the first is read with all rows, then as far as it went; the second to the end, and so on.
    expect(store.reads).toBeLessThanOrEqual(5);
  });
});

describe('positions', () => {
  it.each([
    [
      {
        read: 0,
        upstream: undefined,
        remaining: undefined,
        partition: { digest: undefined, count: 0 },
      },
    ],
    [
      {
        read: 7,
        upstream: Buffer.from('state'),
        remaining: 5,
        partition: { digest: Buffer.alloc(16, 3), count: 9 },
      },
    ],
  ])('%o', (position) => {
    expect(decodePosition(encodePosition(position))).toEqual(position);
  });

  it('bytes that are none', () => {
    expect(() => decodePosition(Buffer.alloc(3))).toThrow('Invalid value for the paging state');
  });
});
