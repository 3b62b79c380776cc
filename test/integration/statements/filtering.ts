import { afterAll, beforeAll, expect, it } from 'vitest';
import { int, listOf, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** A list's bytes. */
/** ALLOW FILTERING: what Cassandra would filter on plain values, filtered by the proxy. */
export function describeFiltering(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'filtering');
    await sides.done(
      'CREATE TYPE KS.u (f int, g text)',
      'CREATE TABLE KS.t (pk int, ck int, s text STATIC, v int, w text, d decimal, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.m (a int, b text, c int, d text, e int, v text, n varint, PRIMARY KEY ((a, b), c, d, e)) WITH CLUSTERING ORDER BY (c DESC, d ASC, e DESC)',
      'CREATE TABLE KS.f (pk int PRIMARY KEY, l frozen<list<int>>, st frozen<set<text>>, mp frozen<map<text, int>>, tp frozen<tuple<int, text>>, ud frozen<u>, ve vector<float, 2>, du duration, ld frozen<list<decimal>>, ts timestamp, bo boolean, ip inet, tu timeuuid)',
      'CREATE TABLE KS.ic (a int, b int, ck frozen<list<int>>, v int, PRIMARY KEY ((a, b), ck))',
      'CREATE INDEX ON KS.ic (full(ck))',
      'INSERT INTO KS.ic (a, b, ck, v) VALUES (1, 1, [1, 2], 1)',
      'INSERT INTO KS.ic (a, b, ck, v) VALUES (1, 2, [1], 2)',
      'INSERT INTO KS.ic (a, b, ck, v) VALUES (1, 2, [3, 1], 3)',
      'CREATE TABLE KS.lc (pk int, ck frozen<list<int>>, v int, PRIMARY KEY (pk, ck))',
    );
    for (let pk = 0; pk < 5; pk++) {
      for (let ck = 0; ck < 8; ck++) {
        await sides.done(
          `INSERT INTO KS.t (pk, ck, v, w, d) VALUES (${String(pk)}, ${String(ck)}, ${String((pk * ck) % 5)}, ${ck === 3 ? 'null' : `'w${String(ck % 4)}'`}, ${String(ck)}.${'0'.repeat(pk)}5) USING TIMESTAMP ${String(1000 + ck)}`,
        );
      }
      if (pk !== 2) {
        await sides.done(`UPDATE KS.t SET s = 's${String(pk % 2)}' WHERE pk = ${String(pk)}`);
      }
    }
    await sides.done(
      "INSERT INTO KS.t (pk, s) VALUES (7, 's1')",
      "INSERT INTO KS.t (pk, s) VALUES (8, 's0')",
    );
    for (const a of [1, 2])
      for (const b of ['x', 'y'])
        for (const c of [1, 2])
          for (const d of ['p', 'q'])
            for (const e of [-1, 4]) {
              await sides.done(
                `INSERT INTO KS.m (a, b, c, d, e, v, n) VALUES (${String(a)}, '${b}', ${String(c)}, '${d}', ${String(e)}, '${b}${d}', ${String(e * c)})`,
              );
            }
    await sides.done(
      "INSERT INTO KS.f (pk, l, st, mp, tp, ud, ve, du, ld, ts, bo, ip, tu) VALUES (1, [1, 2], {'a', 'b'}, {'k': 1, 'l': 2}, (1, 'x'), {f: 1, g: 'g'}, [1, 2], 1h, [1.0, 2.5], '2020-01-01T00:00:00Z', true, '10.0.0.1', d2177dd0-eaa2-11de-a572-001b779c76e3)",
      "INSERT INTO KS.f (pk, l, st, mp, tp, ud, ve, du, ld, ts, bo, ip, tu) VALUES (2, [2, 3], {'c'}, {'k': 2}, (2, null), {f: null, g: 'h'}, [1, 3], 2mo, [1.00], '2021-01-01T00:00:00Z', false, '::1', e2177dd0-eaa2-11de-a572-001b779c76e3)",
      'INSERT INTO KS.f (pk, l, st, mp) VALUES (3, [], {}, {})',
      'INSERT INTO KS.f (pk) VALUES (4)',
    );
    for (const [at, ck] of ['[1]', '[1, 2]', '[3]'].entries()) {
      await sides.done(`INSERT INTO KS.lc (pk, ck, v) VALUES (1, ${ck}, ${String(at)})`);
    }
  });

  afterAll(() => {
    sides.close();
  });

  const OF_A_PARTITION = [
    'SELECT * FROM KS.t WHERE pk = 1 AND v = 2 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE pk = 1 AND v > 1 AND v <= 3 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v IN (1, 3) ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v IN (3) ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v IN () ALLOW FILTERING',
    "SELECT ck FROM KS.t WHERE pk = 1 AND w = 'w1' ALLOW FILTERING",
    "SELECT ck FROM KS.t WHERE pk = 1 AND w > 'w1' AND v < 3 ALLOW FILTERING",
    "SELECT ck FROM KS.t WHERE pk = 1 AND w < 'zzz' ALLOW FILTERING",
    'SELECT ck FROM KS.t WHERE pk = 3 AND d = 4.0005 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 3 AND d >= 4.00050 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v > 0 ORDER BY ck DESC ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND ck > 2 AND v > 0 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND ck IN (1, 2, 4) AND v > 1 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND ck = 2 AND v = 2 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND ck = 2 AND v = 3 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v > 0 LIMIT 2 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v > 0 PER PARTITION LIMIT 2 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 4) AND v > 1 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 4) AND v > 1 LIMIT 4 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 4) AND v > 1 PER PARTITION LIMIT 1 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 4) AND v > 1 ORDER BY ck DESC ALLOW FILTERING',
    'SELECT pk FROM KS.t WHERE pk IN (3, 1, 4) AND v > 1 ORDER BY ck ASC LIMIT 3 ALLOW FILTERING',
    'SELECT pk, ck, v, w AS x FROM KS.t WHERE pk IN () AND v > 1 ALLOW FILTERING',
    "SELECT pk, ck, s FROM KS.t WHERE pk = 1 AND s = 's1' ALLOW FILTERING",
    "SELECT pk, ck, s FROM KS.t WHERE pk = 1 AND s = 's0' ALLOW FILTERING",
    "SELECT pk, ck, s FROM KS.t WHERE pk = 7 AND s = 's1' ALLOW FILTERING",
    "SELECT pk, ck, s FROM KS.t WHERE pk = 7 AND s = 's1' AND v = 1 ALLOW FILTERING",
    "SELECT pk, ck, s FROM KS.t WHERE pk = 7 AND s = 's1' AND ck > 0 ALLOW FILTERING",
    "SELECT DISTINCT pk, s FROM KS.t WHERE pk = 7 AND s = 's1' ALLOW FILTERING",
    "SELECT DISTINCT s FROM KS.t WHERE pk IN (7, 1) AND s > 's0' ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND d = 'p' ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND e > 0 ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) > (1, 'p') AND n < 0 ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) = (1, 'p') AND n < 0 ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) IN ((1, 'p'), (2, 'q')) AND n < 0 ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND (d, e) > ('p', 1) ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND c = 1 AND e IN (-1, 4) AND v = 'xp' ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND (c) < (2) AND e = 4 ALLOW FILTERING",
    "SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) >= (1, 'q') AND e IN (4, 5) ALLOW FILTERING",
    "SELECT c FROM KS.m WHERE a = 1 AND b = 'x' AND c > 5 AND c < 0 AND (d) >= ('p') ALLOW FILTERING",
    "SELECT c FROM KS.m WHERE a = 1 AND b = 'x' AND c > 5 AND c < 0 AND (d, e) IN (('p', 4)) ALLOW FILTERING",
    "SELECT c FROM KS.m WHERE a = 1 AND b = 'x' AND c > 5 AND c < 0 AND (d, e) = ('p', 4) ALLOW FILTERING",
    'SELECT v FROM KS.ic WHERE a = 1 AND b IN (1, 2) AND ck CONTAINS 1 ALLOW FILTERING',
    'SELECT v FROM KS.ic WHERE a = 1 AND b = 2 AND ck CONTAINS 1 ORDER BY ck DESC ALLOW FILTERING',
    'SELECT v FROM KS.ic WHERE a = 1 AND b = 2 AND ck CONTAINS 1',
    'SELECT v FROM KS.lc WHERE pk = 1 AND ck CONTAINS 1 ALLOW FILTERING',
    'SELECT v FROM KS.lc WHERE pk = 1 AND ck CONTAINS 1',
    'SELECT v FROM KS.t WHERE pk = 1 AND v = 1',
    'SELECT v FROM KS.t WHERE pk = 1 AND v > 1',
    'SELECT v FROM KS.t WHERE pk = 1 AND v IN (1, 2)',
  ];

  it.each(OF_A_PARTITION)('%s', async (cql) => {
    await sides.same(cql);
    await sides.samePrepared(cql, [{}]);
  });

  const SCANS = [
    'SELECT * FROM KS.t WHERE v = 2 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v > 1 AND v < 4 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE ck = 3 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE ck > 3 AND ck <= 6 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE ck IN (6, 1) ALLOW FILTERING',
    'SELECT pk FROM KS.t WHERE pk > 2 ALLOW FILTERING',
    'SELECT pk FROM KS.t WHERE pk >= 2 AND pk < 4 AND v = 1 ALLOW FILTERING',
    "SELECT pk, ck, s FROM KS.t WHERE s = 's1' ALLOW FILTERING",
    "SELECT s FROM KS.t WHERE s = 's1' ALLOW FILTERING",
    "SELECT DISTINCT pk, s FROM KS.t WHERE s = 's1' ALLOW FILTERING",
    "SELECT pk, ck, s FROM KS.t WHERE s = 's1' AND ck > 2 ALLOW FILTERING",
    "SELECT pk, ck, s FROM KS.t WHERE s = 's1' AND v > 1 ALLOW FILTERING",
    'SELECT pk, ck FROM KS.t WHERE ck = 2 PER PARTITION LIMIT 1 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE v > 0 PER PARTITION LIMIT 2 ALLOW FILTERING',
    'SELECT * FROM KS.m WHERE a = 1 ALLOW FILTERING',
    "SELECT * FROM KS.m WHERE b = 'x' ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE a IN (1, 2) AND b > 'x' ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE a = 1 AND c = 2 AND v = 'yq' ALLOW FILTERING",
    'SELECT * FROM KS.m WHERE c = 2 AND e = 4 ALLOW FILTERING',
    "SELECT * FROM KS.m WHERE (c, d) > (1, 'p') ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (c, d) >= (1, 'p') AND (c) < (2) ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (c, d) IN ((1, 'p'), (2, 'q')) ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (c, d) = (1, 'p') ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (c) <= (1) AND d = 'p' ALLOW FILTERING",
    'SELECT * FROM KS.m WHERE (c) <= (1) AND e > -1 ALLOW FILTERING',
    "SELECT * FROM KS.m WHERE c = 1 AND (d, e) > ('p', -1) AND v = 'xp' ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (c, d) > (1, 'p') AND e = 4 ALLOW FILTERING",
    'SELECT * FROM KS.m WHERE (c) < (2) AND (e) > (0) ALLOW FILTERING',
    "SELECT * FROM KS.m WHERE (d, e) = ('p', 4) ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (d, e) > ('p', 4) ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE (d, e) IN (('p', 4), ('q', -1)) ALLOW FILTERING",
    'SELECT * FROM KS.m WHERE n < 0 ALLOW FILTERING',
    'SELECT * FROM KS.m WHERE token(a, b) > -9223372036854775808 AND n < 0 ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE l = [1, 2] ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE l > [1, 2] ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE l CONTAINS 2 ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE l CONTAINS 2 AND l CONTAINS 3 ALLOW FILTERING',
    "SELECT pk FROM KS.f WHERE st CONTAINS 'c' ALLOW FILTERING",
    'SELECT pk FROM KS.f WHERE mp CONTAINS 2 ALLOW FILTERING',
    "SELECT pk FROM KS.f WHERE mp CONTAINS KEY 'l' ALLOW FILTERING",
    "SELECT pk FROM KS.f WHERE mp CONTAINS KEY 'k' AND mp CONTAINS 1 ALLOW FILTERING",
    "SELECT pk FROM KS.f WHERE mp['k'] = 1 ALLOW FILTERING",
    'SELECT pk FROM KS.f WHERE ld CONTAINS 1.0 ALLOW FILTERING',
    "SELECT pk FROM KS.f WHERE tp = (1, 'x') ALLOW FILTERING",
    'SELECT pk FROM KS.f WHERE tp = (2, null) ALLOW FILTERING',
    "SELECT pk FROM KS.f WHERE tp < (2, 'a') ALLOW FILTERING",
    "SELECT pk FROM KS.f WHERE ud = {f: 1, g: 'g'} ALLOW FILTERING",
    'SELECT pk FROM KS.f WHERE ve = [1, 3] ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE ve > [1, 2] ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE du = 60m ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE du = 1h ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE du > 1h ALLOW FILTERING',
    "SELECT pk FROM KS.f WHERE ts >= '2020-06-01' ALLOW FILTERING",
    'SELECT pk FROM KS.f WHERE bo = true ALLOW FILTERING',
    "SELECT pk FROM KS.f WHERE ip = '10.0.0.1' ALLOW FILTERING",
    'SELECT pk FROM KS.f WHERE tu > d2177dd0-eaa2-11de-a572-001b779c76e3 ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE l = [] ALLOW FILTERING',
    'SELECT pk FROM KS.f WHERE l IN ([1, 2], []) ALLOW FILTERING',
    'SELECT v FROM KS.ic WHERE b IN (1, 2) AND ck CONTAINS 1 AND v > 1 ALLOW FILTERING',
    'SELECT v FROM KS.ic WHERE ck CONTAINS 3 ALLOW FILTERING',
    'SELECT DISTINCT a, b FROM KS.ic WHERE ck CONTAINS 3 ALLOW FILTERING',
    // refused
    'SELECT * FROM KS.t WHERE v = 2',
    'SELECT * FROM KS.t WHERE ck = 2',
    'SELECT * FROM KS.t WHERE pk > 2',
    'SELECT * FROM KS.m WHERE a = 1',
    "SELECT * FROM KS.t WHERE s = 'x'",
    'SELECT * FROM KS.t WHERE v = 1 AND v = 2 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v = 1 AND v > 2 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v > 1 AND v > 2 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE nope = 1 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v CONTAINS 1 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v CONTAINS KEY 1 ALLOW FILTERING',
    'SELECT * FROM KS.f WHERE l CONTAINS KEY 1 ALLOW FILTERING',
    'SELECT * FROM KS.f WHERE l[0] = 1 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v[0] = 1 ALLOW FILTERING',
    'SELECT * FROM KS.f WHERE l = [1] AND l CONTAINS 1 ALLOW FILTERING',
    'SELECT * FROM KS.f WHERE l CONTAINS 1 AND l = [1] ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v = null ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE ck = null ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE pk > null ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v > null ALLOW FILTERING',
    'SELECT * FROM KS.m WHERE e = null ALLOW FILTERING',
    'SELECT * FROM KS.f WHERE l CONTAINS null ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v = 1 ORDER BY ck ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE (v) = (1) ALLOW FILTERING',
    'SELECT DISTINCT pk FROM KS.t WHERE v = 1 ALLOW FILTERING',
    'SELECT DISTINCT pk FROM KS.t WHERE ck = 1 ALLOW FILTERING',
    'SELECT s FROM KS.t WHERE ck = 1 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v = 1 LIMIT 0 ALLOW FILTERING',
  ];

  it.each(SCANS)('%s', async (cql) => {
    await sides.same(cql, { anyOrder: true });
    await sides.samePrepared(cql, [{}], { anyOrder: true });
  });

  it.each([
    "SELECT * FROM KS.t WHERE v = 'x' ALLOW FILTERING",
    'SELECT * FROM KS.t WHERE w = 1 ALLOW FILTERING',
    'SELECT * FROM KS.f WHERE l = 1 ALLOW FILTERING',
    "SELECT * FROM KS.f WHERE l CONTAINS 'a' ALLOW FILTERING",
    "SELECT * FROM KS.t WHERE w LIKE 'w%' ALLOW FILTERING",
    'SELECT * FROM KS.t WHERE v != 1 ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v IS NOT NULL ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v IN (1, null) ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v IN (1, null, 2) ALLOW FILTERING',
    'SELECT * FROM KS.t WHERE v IN (null, 2) ALLOW FILTERING',
    "SELECT pk FROM KS.t WHERE pk = 1 AND ck = 2 AND s = 's1' ALLOW FILTERING",
    "SELECT pk, count(*) FROM KS.t WHERE pk IN (1, 3) AND ck > 2 AND s >= 's1' GROUP BY pk ALLOW FILTERING",
    "SELECT s FROM KS.t WHERE pk = 1 AND ck = 2 AND s = 's1' ALLOW FILTERING",
  ])('%s', async (cql) => {
    await sides.same(cql, { anyOrder: true, anyText: true });
  });

  it('bound values', async () => {
    await sides.samePrepared(
      'SELECT pk, ck FROM KS.t WHERE v = ? AND w = :w ALLOW FILTERING',
      [
        { values: [int(2), text('w1')] },
        { values: [int(9), text('w1')] },
        { values: [null, text('w1')] },
        { values: ['unset', text('w1')] },
        { values: [int(2), 'unset'] },
      ],
      { anyOrder: true },
    );
    await sides.samePrepared(
      'SELECT pk, ck FROM KS.t WHERE v IN ? AND ck > ? ALLOW FILTERING',
      [
        { values: [listOf(int(2), int(4)), int(1)] },
        { values: [listOf(), int(1)] },
        { values: [listOf(null, int(2)), int(1)] },
        { values: [listOf(int(4), Buffer.alloc(0), int(2)), int(1)] },
        { values: [null, int(1)] },
        { values: ['unset', int(1)] },
        { values: [listOf(int(2)), 'unset'] },
      ],
      { anyOrder: true },
    );
    const lists = [
      listOf(int(-1), int(4)),
      listOf(null, int(4)),
      listOf(int(4), null, int(-1)),
      listOf(Buffer.alloc(0)),
      listOf(int(4), Buffer.alloc(0), int(-1)),
      listOf(),
      null,
    ];
    await sides.samePrepared(
      'SELECT c, d, e FROM KS.m WHERE a = ? AND b = ? AND c > ? AND e IN ? ALLOW FILTERING',
      lists.map((list) => ({ values: [int(1), text('x'), int(0), list] })),
    );
    await sides.samePrepared(
      'SELECT a, b, c, d, e FROM KS.m WHERE e IN ? ALLOW FILTERING',
      lists.map((list) => ({ values: [list] })),
      { anyOrder: true },
    );
    await sides.samePrepared(
      'SELECT c, d, e FROM KS.m WHERE a = ? AND b = ? AND c > ? AND e = ? ALLOW FILTERING',
      [int(4), Buffer.alloc(0), null, 'unset' as const].map((value) => ({
        values: [int(1), text('x'), int(0), value],
      })),
    );
    await sides.samePrepared(
      'SELECT pk FROM KS.f WHERE l CONTAINS ? AND mp CONTAINS KEY ? ALLOW FILTERING',
      [
        { values: [int(2), text('k')] },
        { values: [null, text('k')] },
        { values: ['unset', text('k')] },
      ],
      { anyOrder: true },
    );
    await sides.samePrepared('SELECT ck FROM KS.t WHERE pk = ? AND v > ? LIMIT ? ALLOW FILTERING', [
      { values: [int(1), int(1), int(2)] },
      { values: [int(1), int(1), 'unset'] },
      { values: [int(99), int(1), int(2)] },
    ]);
  });

  it.each([
    // A slice that is empty is not read, one that rows are tested by is.
    "SELECT * FROM KS.m WHERE a IN (1, 2) AND b = 'x' AND c > 5 AND c < 0 ORDER BY c DESC ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE a IN (1, 2) AND b = 'x' AND e > 5 AND e < 0 ORDER BY c DESC ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE a = 1 AND b = 'x' AND e > 5 AND e < 0 ALLOW FILTERING",
    "SELECT * FROM KS.m WHERE a IN (1, 2) AND b = 'x' AND d IN () ORDER BY c DESC ALLOW FILTERING",
  ])('with a page size: %s', async (cql) => {
    await sides.same(cql, { pageSize: 2 });
    await sides.same(cql);
  });

  it.each([
    'SELECT ck, v FROM KS.t WHERE pk = 1 AND v > 0 ALLOW FILTERING',
    'SELECT ck, v FROM KS.t WHERE pk = 1 AND v > 0 LIMIT 5 ALLOW FILTERING',
    'SELECT ck FROM KS.t WHERE pk = 1 AND v > 0 ORDER BY ck DESC ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE pk IN (1, 3, 4) AND v > 0 PER PARTITION LIMIT 3 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE pk IN (1, 3, 4) AND v > 0 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE v > 1 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE v > 1 PER PARTITION LIMIT 2 ALLOW FILTERING',
    'SELECT pk, ck FROM KS.t WHERE v > 1 LIMIT 7 ALLOW FILTERING',
    "SELECT pk, ck FROM KS.t WHERE s = 's1' ALLOW FILTERING",
  ])('pages: %s', async (cql) => {
    const isScan = !cql.includes('pk =') && !cql.includes('pk IN');
    for (const pageSize of [1, 2, 3, 5, 100]) {
      const [direct, proxy] = await Promise.all([
        pagesOf(sides, 'direct', cql, pageSize),
        pagesOf(sides, 'proxy', cql, pageSize),
      ]);
      const what = `${cql} by ${String(pageSize)}`;
      if (cql.includes('LIMIT 7')) {
        expect(proxy.flat().length, what).toBe(direct.flat().length);
      } else if (isScan) expect(proxy.flat().sort(), what).toEqual(direct.flat().sort());
      else expect(proxy, what).toEqual(direct);
    }
  });
}

/** The rows of all pages. */
export async function pagesOf(
  sides: SideBySide,
  side: 'direct' | 'proxy',
  cql: string,
  pageSize: number,
): Promise<string[][]> {
  const pages: string[][] = [];
  let pagingState: Buffer | undefined;
  do {
    const answer = await sides[side].query(sides.text(cql, side), {
      pageSize,
      ...(pagingState === undefined ? {} : { pagingState }),
    });
    if (answer.kind !== 'rows') throw new Error(`${side}: ${cql}: ${JSON.stringify(answer)}`);
    pages.push(
      answer.rows.map((row) => row.map((cell) => cell?.toString('hex') ?? 'null').join(' ')),
    );
    pagingState = answer.pagingState ?? undefined;
  } while (pagingState !== undefined && pages.length < 1000);
  return pages;
}
