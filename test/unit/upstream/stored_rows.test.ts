import { describe, expect, it } from 'vitest';
import { StoredRows, tokenRanges } from '../../../src/upstream/index.ts';
import type { StoredTable } from '../../../src/upstream/index.ts';

const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 63n - 1n;

const TABLE: StoredTable = {
  keyspace: 'Ks',
  name: 'we"ird',
  partition: ['p1', 'p2'],
  clustering: ['ck'],
  statics: ['s'],
  regulars: ['a', 'b'],
};

interface Call {
  readonly query: string;
  readonly params: readonly unknown[];
}

function recorded(row: Readonly<Record<string, unknown>> = {}) {
  const calls: Call[] = [];
  const rows = new StoredRows({
    execute: () =>
      Promise.resolve({ rows: [{ partitioner: 'a.b.RandomPartitioner' }], columns: [] }),
    page: (query, params) => {
      calls.push({ query, params });
      return Promise.resolve({ rows: [row], columns: [], next: 'more' });
    },
    executeUnlogged: (statements) => {
      calls.push(...statements);
      return Promise.resolve();
    },
  });
  return { rows, calls };
}

describe('token ranges', () => {
  it.each([1, 2, 3, 7, 256, 1000])('%i of them hold every token exactly once', (count) => {
    const ranges = tokenRanges(count);
    expect(ranges).toHaveLength(count);
    expect(ranges[0]?.after).toBe(LOWEST);
    expect(ranges.at(-1)?.upTo).toBe(HIGHEST);
    for (const [index, range] of ranges.entries()) {
      expect(range.upTo > range.after).toBe(true);
      if (index > 0) expect(range.after).toBe(ranges[index - 1]?.upTo);
    }
  });
});

describe('stored rows', () => {
  it('are read with write times and times to live, statics apart', async () => {
    const value = Buffer.of(1);
    const [p1, p2, ck] = [Buffer.of(2), Buffer.of(3), Buffer.of(4)];
    const { rows, calls } = recorded({
      ...{ c0: p1, c1: p2, c2: ck },
      ...{ c3: value, c4: value, c5: null },
      ...{ c6: 60n, c7: 70n, c8: null },
      ...{ c9: null, c10: 500, c11: null },
    });
    const page = await rows.page(TABLE, { after: 1n, upTo: 2n }, 10, undefined);
    expect(page).toEqual({
      next: 'more',
      rows: [
        {
          partition: [p1, p2],
          clustering: [ck],
          statics: [{ value, timestamp: 60n, ttl: null }],
          regulars: [{ value, timestamp: 70n, ttl: 500 }, null],
        },
      ],
    });
    expect(calls[0]?.query).toMatch(
      /^SELECT "p1" AS c0, .*writetime\("s"\) AS c6.*ttl\("b"\) AS c11 FROM "Ks"\."we""ird" WHERE token\("p1", "p2"\) > \? AND token\("p1", "p2"\) <= \?$/,
    );
    expect(calls[0]?.params).toEqual([1n, 2n]);
  });

  it('of a partition with statics only have no clustering', async () => {
    const { rows } = recorded({ c0: Buffer.of(2), c1: Buffer.of(3) });
    const { rows: found } = await rows.page(TABLE, { after: 1n, upTo: 2n }, 10, undefined);
    expect(found[0]?.clustering).toBe(null);
  });

  it('are written by UPDATE with time and TTL, and only the cells that are given', async () => {
    const { rows, calls } = recorded();
    const partition = [Buffer.of(2), Buffer.of(3)];
    const cell = Buffer.of(9);
    await rows.write(TABLE, [
      { partition, clustering: [Buffer.of(4)], timestamp: 5n, ttl: 0, cells: [undefined, cell] },
      { partition, clustering: null, timestamp: 6n, ttl: 77, cells: [cell] },
    ]);
    expect(calls.map(({ query }) => query)).toEqual([
      'UPDATE "Ks"."we""ird" USING TIMESTAMP ? AND TTL ? SET "a" = ?, "b" = ? WHERE "p1" = ? AND "p2" = ? AND "ck" = ?',
      'UPDATE "Ks"."we""ird" USING TIMESTAMP ? AND TTL ? SET "s" = ? WHERE "p1" = ? AND "p2" = ?',
    ]);
    expect(calls[0]?.params.slice(0, 2)).toEqual([5n, 0]);
    expect(calls[0]?.params[2]).not.toBe(null);
    expect(calls[0]?.params[3]).toBe(cell);
    expect(calls[1]?.params).toEqual([6n, 77, cell, ...partition]);
  });

  it('fields are cells; maps come whole, their entries with times and are written one by one', async () => {
    const table: StoredTable = {
      ...TABLE,
      regulars: ['a', { column: 'u', field: 'f' }],
      regularMaps: ['m'],
    };
    const [key, value] = [Buffer.of(7), Buffer.of(8)];
    const { rows, calls } = recorded({
      ...{ c0: key, c1: key, c2: key, c5: value, c8: 70n, c12: new Map([[key, value]]) },
      ...{ v0: value, w0: 5n, t0: 60 },
    });
    const partition = [Buffer.of(2), Buffer.of(3)];
    const clustering = [Buffer.of(4)];
    const { rows: found } = await rows.page(table, { after: 1n, upTo: 2n }, 10, undefined);
    expect(calls[0]?.query).toContain('"u"."f" AS c5');
    expect(calls[0]?.query).toContain('writetime("u"."f") AS c8');
    expect(calls[0]?.query).toContain('"m" AS c12');
    expect(found[0]?.regulars).toEqual([null, { value, timestamp: 70n, ttl: null }]);
    expect(found[0]?.regularMaps).toEqual([[[key, value]]]);
    const entries = await rows.entries(table, partition, clustering, 'm', [key, key]);
    expect(entries).toEqual([{ value, timestamp: 5n, ttl: 60 }, null]);
    expect(calls[1]?.query).toContain('"m"[?] AS v0, writetime("m"[?]) AS w0, ttl("m"[?]) AS t0');
    expect(calls[1]?.params).toEqual([key, key, key, key, key, key, ...partition, ...clustering]);
    await rows.write(table, [
      { partition, clustering, timestamp: 5n, ttl: 61, cells: [], entry: { map: 'm', key, value } },
      { partition, clustering, timestamp: 6n, ttl: 0, cells: [undefined, value] },
    ]);
    expect(calls[2]).toMatchObject({
      query:
        'UPDATE "Ks"."we""ird" USING TIMESTAMP ? AND TTL ? SET "m"[?] = ? WHERE "p1" = ? AND "p2" = ? AND "ck" = ?',
      params: [5n, 61, key, value, ...partition, ...clustering],
    });
    expect(calls[3]?.query).toContain('SET "a" = ?, "u"."f" = ? WHERE');
  });

  it('are not read by tokens of another partitioner', async () => {
    await expect(recorded().rows.requireKnownTokens()).rejects.toMatchObject({
      code: 'UPSTREAM_PARTITIONER',
    });
  });
});
