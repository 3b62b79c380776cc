import { afterAll, beforeAll, expect, it } from 'vitest';
import { int, prepared, rowsOf, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const TABLE =
  'CREATE TABLE KS.t (pk int, ck frozen<map<int, int>>, s set<int>, l list<int>, m map<text, int>, u u, fm frozen<map<text, int>>, fu frozen<u>, fs frozen<set<int>>, v int, st map<text, int> STATIC, mm map<int, frozen<map<int, int>>>, tu tuple<int, int>, PRIMARY KEY (pk, ck))';

const READS: readonly string[] = [
  'SELECT writetime(s), writetime(l), writetime(m), writetime(u), writetime(fm), writetime(fu), writetime(fs), writetime(st) FROM KS.t',
  'SELECT maxwritetime(s), maxwritetime(l), maxwritetime(m), maxwritetime(u), maxwritetime(fm), maxwritetime(fu), maxwritetime(st) FROM KS.t',
  "SELECT writetime(s[1]), writetime(s[7]), writetime(s[8]), writetime(m['a']), writetime(m['bb']), writetime(m['nope']) FROM KS.t",
  "SELECT ttl(v), maxwritetime(s[7]), maxwritetime(m['bb']), maxwritetime(s[1..8]), maxwritetime(m['a'..]), maxwritetime(u.b) FROM KS.t",
  'SELECT writetime(u.a), writetime(u.b), writetime(u.c), writetime(u.c[1]), writetime(u.c[9]), writetime(u.c[0..5]) FROM KS.t',
  "SELECT writetime(fm['a']), writetime(fm['z']), writetime(fm['a'..'b']), writetime(fm['x'..'y']), writetime(fu.a), writetime(fu.b), writetime(fs[1]), writetime(fs[9]), writetime(fs[1..]) FROM KS.t",
  'SELECT writetime(ck) FROM KS.t',
  'SELECT writetime(ck[1]) FROM KS.t',
  'SELECT ttl(pk) FROM KS.t',
  'SELECT writetime(l[1]) FROM KS.t',
  'SELECT writetime(l[1..2]) FROM KS.t',
  'SELECT writetime(v[1]) FROM KS.t',
  'SELECT writetime(v.x) FROM KS.t',
  'SELECT writetime(u.nope) FROM KS.t',
  "SELECT writetime(u['a']) FROM KS.t",
  "SELECT writetime(nope['a']) FROM KS.t",
  'SELECT writetime(tu), maxwritetime(tu) FROM KS.t',
  "SELECT writetime(m['a']) AS x, m['a'], s[1..20] FROM KS.t",
  "SELECT max(maxwritetime(m['a'..])) FROM KS.t",
  "SELECT collection_count(writetime(m['a'..'c'])) FROM KS.t",
  "SELECT JSON writetime(m['a']), writetime(u.b) FROM KS.t",
  "SELECT pk, maxwritetime(m['a']) FROM KS.t WHERE pk = 1 GROUP BY pk",
  "SELECT DISTINCT pk, writetime(st), writetime(st['k']), ttl(st['k']) FROM KS.t",
  'SELECT ttl(m), ttl(l) FROM KS.t WHERE pk = 2',
  "SELECT ttl(m['a']), ttl(u.b), ttl(u), ttl(fm['a']) FROM KS.t",
  "SELECT writetime(m['a']) FROM KS.t WHERE pk = 1 AND ck = {1:1}",
  'SELECT writetime(m) FROM KS.t WHERE v = 5 ALLOW FILTERING',
  "SELECT writetime(s[1..20]), writetime(s[..7]), writetime(s[400..]), writetime(m['a'..'bb']), writetime(m['b'..]), writetime(m[..'b']) FROM KS.t",
];

/** writetime(), ttl() and maxwritetime() of columns, elements, slices and fields. */
export function describeElementTimes(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'element_times');
    await sides.done(
      'CREATE TYPE KS.u (a int, b text, c frozen<map<int, int>>)',
      TABLE,
      "INSERT INTO KS.t (pk, ck, s, l, m, u, fm, fu, fs, v, mm, tu) VALUES (1, {1: 1}, {1, 20, 300}, [1, 2], {'a': 1, 'bb': 2, 'c': 3}, {a: 1, b: 'x', c: {1: 2}}, {'a': 1}, {a: 1}, {1, 2}, 5, {1: {1: 1}, 2: {}}, (1, 2)) USING TIMESTAMP 1000",
      "UPDATE KS.t USING TIMESTAMP 2000 SET s = s + {7}, m['bb'] = 9, u.b = 'y', l = l + [3], st['k'] = 1 WHERE pk = 1 AND ck = {1: 1}",
      "UPDATE KS.t USING TIMESTAMP 3000 SET s = s + {-5}, m['z'] = 9, l = l + [3], u.a = null, mm[3] = {5: 5} WHERE pk = 1 AND ck = {1: 1}",
      'INSERT INTO KS.t (pk, ck, v) VALUES (2, {1: 1}, 3) USING TIMESTAMP 1000',
    );
  });

  afterAll(() => {
    sides.close();
  });

  it.each(READS)('%s', async (cql) => {
    await sides.same(cql, { anyOrder: true });
  });

  it('takes markers for keys, where Cassandra fails', async () => {
    const cql = (key: string, from: string): string =>
      `SELECT writetime(m[${key}]), writetime(s[${from} .. 20]) FROM KS.t WHERE pk = 1`;
    const id = await prepared(sides.proxy, sides.text(cql('?', '?'), 'proxy'));
    const shown = rowsOf(await sides.proxy.execute(id, { values: [text('bb'), int(1)] }));
    const expected = rowsOf(await sides.direct.query(sides.text(cql("'bb'", '1'), 'direct')));
    expect(shown).toEqual(expected);
  });

  it('gives what is left of the time to live of each part', async () => {
    await sides.done(
      "UPDATE KS.t USING TTL 100000 SET s = s + {8}, m['t'] = 1, u.b = 'ttl' WHERE pk = 1 AND ck = {1: 1}",
    );
    // Seconds pass between the two sides.
    await sides.same("SELECT ttl(m['t']), ttl(m['a']), ttl(u.b), ttl(u.a) FROM KS.t WHERE pk = 1", {
      ignore: [0, 2],
    });
  });
}
