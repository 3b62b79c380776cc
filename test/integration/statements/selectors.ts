import { afterAll, beforeAll, expect, it } from 'vitest';
import { int, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';
import { pagesOf } from './filtering.ts';

/** Selections that Cassandra cannot evaluate on ciphertext: functions, parts, aggregates, groups, JSON. */
export function describeSelectors(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'selectors');
    await sides.done(
      'CREATE TYPE KS.u (f int, g text, "Q" bigint)',
      'CREATE TABLE KS.t (pk int, ck int, s text STATIC, i int, b bigint, d double, e decimal, x text, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.m (a int, b text, c int, d text, e int, v int, PRIMARY KEY ((a, b), c, d, e)) WITH CLUSTERING ORDER BY (c DESC)',
      'CREATE TABLE KS.f (pk int PRIMARY KEY, l frozen<list<int>>, st frozen<set<text>>, mp frozen<map<text, int>>, tp frozen<tuple<int, text>>, ud frozen<u>, ts timestamp, tu timeuuid, bl blob, "Case" int, du duration, bo boolean, da date, ti time, ip inet, uu uuid, ve vector<float, 2>)',
      'CREATE TABLE KS.g (pk int, t timestamp, v int, PRIMARY KEY (pk, t))',
      'CREATE TABLE KS.none (pk int, ck int, v int, PRIMARY KEY (pk, ck))',
    );
    for (let pk = 0; pk < 4; pk++) {
      for (let ck = 0; ck < 6; ck++) {
        await sides.done(
          `INSERT INTO KS.t (pk, ck, i, b, d, e, x) VALUES (${String(pk)}, ${String(ck)}, ${ck === 4 ? 'null' : String(pk * 10 + ck)}, ${String(ck * 1000000007)}, ${String(ck / 3)}, ${String(ck)}.${String(pk)}0, 'x${String(ck % 3)}') USING TIMESTAMP ${String(1000 + ck)}`,
        );
        await sides.done(
          `INSERT INTO KS.g (pk, t, v) VALUES (${String(pk)}, '2024-01-01T0${String(Math.floor(ck / 2))}:${ck % 2 === 0 ? '10' : '50'}:00Z', ${String(ck)})`,
        );
      }
      await sides.done(`UPDATE KS.t SET s = 's${String(pk)}' WHERE pk = ${String(pk)}`);
    }
    await sides.done("INSERT INTO KS.t (pk, s) VALUES (9, 'static only')");
    for (const a of [1, 2])
      for (const b of ['x', 'y'])
        for (const c of [1, 2])
          for (const d of ['p', 'q'])
            for (const e of [1, 2]) {
              await sides.done(
                `INSERT INTO KS.m (a, b, c, d, e, v) VALUES (${String(a)}, '${b}', ${String(c)}, '${d}', ${String(e)}, ${String(a * c + e)})`,
              );
            }
    await sides.done(
      "INSERT INTO KS.f (pk, l, st, mp, tp, ud, ts, tu, bl, \"Case\", du, bo, da, ti, ip, uu, ve) VALUES (1, [3, 4], {'a', 'c'}, {'k': 1, 'm': 2}, (1, 'x'), {f: 1, g: 'g\"', \"Q\": 5}, '2020-02-03T04:05:06.789Z', d2177dd0-eaa2-11de-a572-001b779c76e3, 0x00000007, 5, 1mo2d3ns, true, '2020-02-03', '04:05:06.789', '10.0.0.1', d2177dd0-eaa2-41de-a572-001b779c76e3, [1.5, 2])",
      'INSERT INTO KS.f (pk, mp) VALUES (2, {})',
    );
  });

  afterAll(() => {
    sides.close();
  });

  const ORDERED = [
    // functions, arithmetic, casts, literals
    'SELECT i + 1 FROM KS.t WHERE pk = 1',
    'SELECT i + b, i - d, i * e, b / 7, i % 3 FROM KS.t WHERE pk = 1',
    'SELECT i / 0 FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT (i + 1) * 2 AS x FROM KS.t WHERE pk = 1',
    'SELECT CAST(i AS text), CAST(d AS int), CAST(b AS double), cast(x as text) FROM KS.t WHERE pk = 1',
    'SELECT abs(i), exp(i), round(d), log10(d) FROM KS.t WHERE pk = 1',
    'SELECT intAsBlob(i), int_as_blob(i), textAsBlob(x), bigintasblob(b) FROM KS.t WHERE pk = 1',
    'SELECT blobAsInt(bl), blob_as_text(bl) FROM KS.f WHERE pk = 1',
    'SELECT toDate(ts), toTimestamp(tu), to_unix_timestamp(ts), min_timeuuid(ts) FROM KS.f WHERE pk = 1',
    "SELECT x, (text)'lit', (int)5 AS five FROM KS.t WHERE pk = 1 AND ck = 1",
    'SELECT null FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT (int)null FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT [i, ck] FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT (i, x) FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT (i) FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT {i, ck} FROM KS.t WHERE pk = 1 AND ck = 1',
    "SELECT (list<int>)[1, 2], (set<text>){'b', 'a'}, (map<int, text>){1: 'a'}, (tuple<int, text>)(1, 'a') FROM KS.t WHERE pk = 1 AND ck = 1",
    'SELECT (vector<float, 2>)[1.5, 2] FROM KS.t WHERE pk = 1 AND ck = 1',
    // parts
    'SELECT ud.f, ud.g, ud."Q" FROM KS.f WHERE pk = 1',
    "SELECT mp['k'], mp['zz'], st['a'], st['zz'] FROM KS.f WHERE pk = 1",
    "SELECT mp['k'..'l'], mp['l'..], mp[..'k'], st['b'..'z'], mp['x'..] FROM KS.f WHERE pk = 1",
    "SELECT mp['k'] AS v, mp['k'..'m'] AS w FROM KS.f WHERE pk = 2",
    'SELECT l[0] FROM KS.f WHERE pk = 1',
    'SELECT l[0..1] FROM KS.f WHERE pk = 1',
    'SELECT pk.f FROM KS.f WHERE pk = 1',
    'SELECT ud.nope FROM KS.f WHERE pk = 1',
    'SELECT pk[0] FROM KS.f WHERE pk = 1',
    'SELECT mp[null] FROM KS.f WHERE pk = 1',
    // refused
    'SELECT abs(nope) FROM KS.t WHERE pk = 1',
    'SELECT i + x FROM KS.t WHERE pk = 1',
    'SELECT max(sum(i)) FROM KS.t WHERE pk = 1',
    'SELECT writetime(pk) FROM KS.t WHERE pk = 1',
    'SELECT writetime(i) + 1, ttl(i), i FROM KS.t WHERE pk = 1',
    'SELECT max(writetime(i)), min(ttl(i)) FROM KS.t WHERE pk = 1',
    // aggregates
    'SELECT count(*), count(i), count(x) FROM KS.t WHERE pk = 1',
    'SELECT sum(i), avg(i), min(i), max(i) FROM KS.t WHERE pk = 1',
    'SELECT sum(b), avg(b), sum(d), avg(d), sum(e), avg(e), min(x), max(x) FROM KS.t WHERE pk = 1',
    'SELECT SUM(i) AS total, system.max(i) FROM KS.t WHERE pk = 1',
    'SELECT sum(i) + 1, CAST(avg(i) AS text), count(*) * 2 FROM KS.t WHERE pk = 1',
    'SELECT sum(i + ck), max(abs(i)) FROM KS.t WHERE pk = 1',
    'SELECT ck, i, sum(i), x FROM KS.t WHERE pk = 1',
    'SELECT s, pk, max(ck) FROM KS.t WHERE pk = 1 ORDER BY ck DESC',
    'SELECT ck, max(i) FROM KS.t WHERE pk = 1 ORDER BY ck DESC',
    'SELECT count(i), max(i), sum(i), avg(i), pk, i + 1 FROM KS.t WHERE pk = 99',
    'SELECT count(*), max(ck), s FROM KS.t WHERE pk = 9',
    'SELECT sum(i) FROM KS.t WHERE pk = 1 LIMIT 2',
    'SELECT sum(i) FROM KS.t WHERE pk = 1 PER PARTITION LIMIT 2',
    'SELECT max(ck) FROM KS.t WHERE pk IN (1, 2)',
    'SELECT sum(i) FROM KS.t WHERE pk IN (1, 2) AND ck > 2',
    'SELECT count(1), count(*) FROM KS.t WHERE pk = 1 AND i > 11 ALLOW FILTERING',
    'SELECT max(i) FROM KS.none WHERE pk = 1',
    'SELECT count(*), now() FROM KS.none WHERE pk = 1 AND v = 1 ALLOW FILTERING',
    'SELECT max(ud), min(l) FROM KS.f WHERE pk = 1',
    // groups
    'SELECT pk, count(*) FROM KS.t WHERE pk = 1 GROUP BY pk',
    'SELECT pk, max(i) FROM KS.t WHERE pk IN (3, 1) GROUP BY pk',
    'SELECT pk, ck, max(i) FROM KS.t WHERE pk IN (3, 1) GROUP BY pk, ck LIMIT 7',
    'SELECT pk, ck, i FROM KS.t WHERE pk IN (3, 1) GROUP BY pk, ck PER PARTITION LIMIT 2',
    'SELECT * FROM KS.t WHERE pk IN (3, 1, 9) GROUP BY pk',
    "SELECT c, d, sum(v) FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY c",
    "SELECT c, d, sum(v) FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY c, d",
    "SELECT c, d, sum(v) FROM KS.m WHERE a = 1 AND b = 'x' AND c = 1 GROUP BY d",
    "SELECT c, d, sum(v) FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY c, d ORDER BY c ASC, d DESC, e DESC",
    "SELECT c, d, sum(v) FROM KS.m WHERE a IN (1, 2) AND b = 'x' GROUP BY a, b, c ORDER BY c ASC",
    "SELECT c, d, e, v FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY c, d, e",
    "SELECT c, sum(v) FROM KS.m WHERE a = 1 AND b = 'x' AND v > 3 GROUP BY c ALLOW FILTERING",
    "SELECT c, d FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY d",
    "SELECT c, d FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY a",
    "SELECT c, d FROM KS.m WHERE a = 1 AND b = 'x' GROUP BY v",
    'SELECT DISTINCT pk FROM KS.t WHERE pk = 1 GROUP BY pk, ck',
    'SELECT t, max(v) FROM KS.g WHERE pk = 1 GROUP BY floor(t, 1h)',
    'SELECT floor(t, 1h), sum(v), count(*) FROM KS.g WHERE pk = 1 GROUP BY pk, floor(t, 1h)',
    'SELECT t, max(v) FROM KS.g WHERE pk = 1 GROUP BY floor(t, 1h), pk',
    'SELECT t, max(v) FROM KS.g WHERE pk = 1 GROUP BY max(t)',
    // JSON
    'SELECT JSON * FROM KS.t WHERE pk = 1',
    'SELECT JSON * FROM KS.f WHERE pk = 1',
    'SELECT JSON * FROM KS.f WHERE pk = 2',
    'SELECT JSON pk, "Case", ud AS "Upper", l AS low FROM KS.f WHERE pk = 1',
    'SELECT JSON count(*), max(i) FROM KS.t WHERE pk = 1',
    'SELECT JSON pk, ck FROM KS.t WHERE pk IN (2, 1) ORDER BY ck DESC',
    'SELECT JSON DISTINCT pk, s FROM KS.t WHERE pk = 1',
    'SELECT JSON pk FROM KS.t WHERE pk = 1 LIMIT 1',
    'SELECT toJson(ud), to_json(mp), tojson(du), toJson(st) FROM KS.f WHERE pk = 1',
    'SELECT toJson(i) AS j FROM KS.t WHERE pk = 1',
  ];

  it.each(ORDERED)('%s', async (cql) => {
    const isNow = cql.includes('now()');
    await sides.same(cql, isNow ? { ignore: [1] } : {});
    await sides.samePrepared(cql, [{}], isNow ? { ignore: [1] } : {});
  });

  it.each([
    'SELECT pk, ck, i + 1 FROM KS.t',
    'SELECT max(i), min(ck), count(*) FROM KS.t',
    'SELECT sum(v) FROM KS.m WHERE token(a, b) > -9223372036854775808',
    'SELECT pk, count(*), max(ck), s FROM KS.t GROUP BY pk',
    'SELECT a, b, c, sum(v) FROM KS.m GROUP BY a, b, c',
    'SELECT a, b, c, sum(v) FROM KS.m GROUP BY a, b, c PER PARTITION LIMIT 1',
    'SELECT a, b, sum(v) FROM KS.m WHERE v > 3 GROUP BY a, b ALLOW FILTERING',
    'SELECT a, b, sum(v) FROM KS.m GROUP BY a',
    'SELECT JSON * FROM KS.m',
    'SELECT DISTINCT JSON pk FROM KS.t',
    'SELECT DISTINCT pk, CAST(s AS text) FROM KS.t',
    'SELECT count(*), max(v) FROM KS.none',
    'SELECT pk, max(v) FROM KS.none GROUP BY pk',
    'SELECT * FROM KS.t GROUP BY pk',
  ])('%s', async (cql) => {
    await sides.same(cql, { anyOrder: true, anyText: cql.includes('DISTINCT JSON') });
  });

  it.each([
    'SELECT CAST(x AS int) FROM KS.t WHERE pk = 1',
    'SELECT abs(x) FROM KS.t WHERE pk = 1',
    'SELECT abs(i, i) FROM KS.t WHERE pk = 1',
    'SELECT mp[1] FROM KS.f WHERE pk = 1',
    "SELECT 'lit' FROM KS.t WHERE pk = 1",
    'SELECT 5 FROM KS.t WHERE pk = 1',
    'SELECT 5.5 FROM KS.t WHERE pk = 1',
    'SELECT true, 0xff FROM KS.t WHERE pk = 1',
    'SELECT [1, 2] FROM KS.t WHERE pk = 1',
    'SELECT (1, 2) FROM KS.t WHERE pk = 1',
    'SELECT (i, 2) FROM KS.t WHERE pk = 1',
    'SELECT [i, 2] FROM KS.t WHERE pk = 1',
    'SELECT {1: 2} FROM KS.t WHERE pk = 1',
    'SELECT 1 + 1 FROM KS.t WHERE pk = 1',
    'SELECT floor(i, 2) FROM KS.t WHERE pk = 1',
  ])('the same code, other words: %s', async (cql) => {
    await sides.same(cql, { anyText: true });
  });

  it('hints of user types', async () => {
    // The name of the column has the keyspace in it, which is not the same on both sides.
    const answer = await sides.proxy.query(
      sides.text('SELECT (u){f: i, g: x} FROM KS.t WHERE pk = 1', 'proxy'),
    );
    expect(answer).toMatchObject({ columns: [{ name: '(selectors_enc.u){f: i, g: x}' }] });
    await sides.same('SELECT (u){f: i, g: x} AS a, (frozen<u>){g: x} AS b FROM KS.t WHERE pk = 1');
  });

  it('tokens and times', async () => {
    await sides.same('SELECT pk, max(token(pk)), min(writetime(i)) FROM KS.t GROUP BY pk', {
      anyOrder: true,
      ignore: [1],
    });
  });

  it('bound values', async () => {
    await sides.samePrepared('SELECT i + ?, mp, (int)?, (text):n FROM KS.t WHERE pk = ?', []);
    await sides.samePrepared('SELECT i + (int)?, (int)?, (text):n FROM KS.t WHERE pk = ?', [
      { values: [int(5), int(6), text('x'), int(1)] },
      { values: [null, int(6), text('x'), int(1)] },
    ]);
    await sides.samePrepared('SELECT mp[?], mp[?..?] FROM KS.f WHERE pk = ?', [
      { values: [text('k'), text('l'), text('z'), int(1)] },
      { values: [null, text('l'), text('z'), int(1)] },
      { values: ['unset', text('l'), text('z'), int(1)] },
      { values: [text('k'), null, text('z'), int(1)] },
      { values: [text('k'), 'unset', text('k'), int(1)] },
    ]);
    await sides.samePrepared('SELECT ? FROM KS.t WHERE pk = 1', []);
    await sides.samePrepared('SELECT intAsBlob(?) FROM KS.t WHERE pk = 1 AND ck = 1', [
      { values: [int(1)] },
    ]);
  });

  it.each([
    'SELECT ck, i + 1 FROM KS.t WHERE pk = 1',
    'SELECT pk, ck, abs(i) FROM KS.t WHERE pk IN (1, 2, 3)',
    'SELECT pk, ck, max(i) FROM KS.t WHERE pk IN (1, 2, 3) GROUP BY pk, ck',
    'SELECT pk, count(*) FROM KS.t WHERE pk IN (1, 2, 3) GROUP BY pk',
    'SELECT pk, ck, max(i) FROM KS.t WHERE pk IN (1, 2, 3) GROUP BY pk, ck PER PARTITION LIMIT 3',
    'SELECT pk, ck, max(i) FROM KS.t WHERE pk IN (1, 2, 3) GROUP BY pk, ck LIMIT 11',
    'SELECT a, b, c, sum(v) FROM KS.m GROUP BY a, b, c',
    'SELECT a, b, c, sum(v) FROM KS.m GROUP BY a, b, c PER PARTITION LIMIT 1',
    'SELECT pk, count(*), s FROM KS.t GROUP BY pk',
    "SELECT c, d, sum(v) FROM KS.m WHERE a = 1 AND b = 'x' AND v > 3 GROUP BY c, d ALLOW FILTERING",
    'SELECT max(i) FROM KS.t',
    'SELECT JSON pk, ck FROM KS.t WHERE pk = 1',
  ])('pages: %s', async (cql) => {
    const isScan = !cql.includes('WHERE');
    for (const pageSize of [1, 2, 3, 5, 100]) {
      const [direct, proxy] = await Promise.all([
        pagesOf(sides, 'direct', cql, pageSize),
        pagesOf(sides, 'proxy', cql, pageSize),
      ]);
      const what = `${cql} by ${String(pageSize)}`;
      if (isScan) expect(proxy.flat().sort(), what).toEqual(direct.flat().sort());
      else
        expect(
          proxy.filter((page) => page.length > 0),
          what,
        ).toEqual(direct.filter((page) => page.length > 0));
    }
  });
}
