import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { int, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const ROW = 'WHERE pk = 1 AND ck = 1';
const SET = 'UPDATE KS.t SET';
const ALL = 'SELECT pk, ck, sl, sm, su, l, s, m, u, d, fm, n FROM KS.t WHERE pk = 1';

const CREATE = [
  'CREATE TYPE KS.pair (a int, b text)',
  'CREATE TYPE KS.person (name text, born date, tags frozen<list<text>>, twin frozen<pair>, pay decimal)',
  `CREATE TABLE KS.t (
    pk int, ck int,
    sl list<text> STATIC, sm map<text, int> STATIC, su person STATIC,
    l list<int>, s set<text>, m map<text, decimal>, u person,
    d set<decimal>, fm map<frozen<pair>, frozen<list<int>>>, n list<frozen<pair>>,
    v text, PRIMARY KEY (pk, ck))`,
  'CREATE TABLE KS.k (pk int PRIMARY KEY, l list<text>, s set<int>, m map<int, text>, u person)',
];

/** Bytes of a collection of parts; of a map its keys and values in turn. */
function collection(parts: readonly Buffer[], count = parts.length): Buffer {
  return Buffer.concat([int(count), ...parts.flatMap((part) => [int(part.length), part])]);
}

/** Bytes of a user type. */
function fields(parts: readonly (Buffer | null)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => (part === null ? [int(-1)] : [int(part.length), part])),
  );
}

/** Collections and user types that are not frozen. */
export function describeCollections(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'collections');
    await sides.done(...CREATE);
  });

  beforeEach(async () => {
    await sides.done(
      'TRUNCATE KS.t',
      'TRUNCATE KS.k',
      `INSERT INTO KS.t (pk, ck, sl, sm, su, l, s, m, u, d, fm, n, v) VALUES (1, 1, ['x', 'y'], {'one': 1, 'two': 2},
        {name: 'static', born: '2001-02-03'}, [3, 1, 2, 1], {'pear', 'apple', 'fig'}, {'b': 2.50, 'a': 1, 'c': -3},
        {name: 'Ann', tags: ['t2', 't1'], twin: {a: 1, b: 'q'}, pay: 12.5}, {3, 1, 2}, {{a: 2, b: 'x'}: [1, 2], {a: 1}: []},
        [{a: 1, b: 'i'}, {b: 'j'}], 'v')`,
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 2, 'nothing else')",
      "INSERT INTO KS.k (pk, l, s, m, u) VALUES (1, ['b', 'a'], {20, -1, 3}, {2: 'two', -2: 'minus'}, {name: 'k'})",
      "INSERT INTO KS.k (pk, l) VALUES (2, ['only'])",
    );
  });

  afterAll(() => {
    sides.close();
  });

  it('what was inserted is read, in the order of the values', async () => {
    for (const cql of [
      ALL,
      'SELECT * FROM KS.k WHERE pk = 1',
      'SELECT s, m FROM KS.k WHERE pk IN (2, 1)',
      'SELECT l, su FROM KS.t WHERE pk = 1 AND ck = 1',
      'SELECT sl, sm FROM KS.t WHERE pk = 1 LIMIT 1',
      'SELECT DISTINCT pk, sl, sm, su FROM KS.t WHERE pk = 1',
      'SELECT u AS other FROM KS.t WHERE pk = 1 AND ck > 0 ORDER BY ck DESC',
    ]) {
      await sides.same(cql);
    }
    await sides.same('SELECT * FROM KS.k', { anyOrder: true });
    await sides.same('SELECT * FROM KS.t', { anyOrder: true });
  });

  it.each([
    `${SET} l = [9, 8] ${ROW}`,
    `${SET} l = [] ${ROW}`,
    `${SET} l = null ${ROW}`,
    `${SET} l = l + [7, 7] ${ROW}`,
    `${SET} l += [7] ${ROW}`,
    `${SET} l = [5, 6] + l ${ROW}`,
    `${SET} l = l - [1, 9] ${ROW}`,
    `${SET} l -= [3] ${ROW}`,
    `${SET} l[0] = 30 ${ROW}`,
    `${SET} l[3] = null ${ROW}`,
    `${SET} l[4] = 1 ${ROW}`,
    `${SET} l[-1] = 1 ${ROW}`,
    `${SET} l[null] = 1 ${ROW}`,
    `${SET} l[0] = 1 WHERE pk = 1 AND ck = 2`,
    `${SET} l = l + null ${ROW}`,
    `${SET} l = l - null ${ROW}`,
    `${SET} l = l + [null] ${ROW}`,
    `${SET} l = [1, null] ${ROW}`,
    `${SET} l = {1} ${ROW}`,
    `${SET} l = l + {1} ${ROW}`,
    `${SET} l = l + 1 ${ROW}`,
    `${SET} l = l + ['x'] ${ROW}`,
    `${SET} l['x'] = 1 ${ROW}`,
    `${SET} l[0] = 'x' ${ROW}`,
    `DELETE l[0] FROM KS.t ${ROW}`,
    `DELETE l[1], l[0] FROM KS.t ${ROW}`,
    `DELETE l[9] FROM KS.t ${ROW}`,
    `DELETE l[-1] FROM KS.t ${ROW}`,
    `DELETE l FROM KS.t ${ROW}`,
    `${SET} s = {'z', 'a', 'z'} ${ROW}`,
    `${SET} s = {} ${ROW}`,
    `${SET} s = s + {'kiwi', 'apple'} ${ROW}`,
    `${SET} s += {'kiwi'} ${ROW}`,
    `${SET} s = s - {'apple', 'none'} ${ROW}`,
    `${SET} s -= {'apple', 'fig', 'pear'} ${ROW}`,
    `${SET} s = {'a'} + s ${ROW}`,
    `${SET} s['a'] = 'b' ${ROW}`,
    `${SET} s = s + {} ${ROW}`,
    `${SET} s = s + {null} ${ROW}`,
    `${SET} s = {''} ${ROW}`,
    `DELETE s['fig'] FROM KS.t ${ROW}`,
    `DELETE s['none'] FROM KS.t ${ROW}`,
    `DELETE s[null] FROM KS.t ${ROW}`,
    `${SET} m = {'z': 1, 'y': 2} ${ROW}`,
    `${SET} m = m + {'d': 4, 'a': 100} ${ROW}`,
    `${SET} m = m - {'a', 'none'} ${ROW}`,
    `${SET} m -= {'a', 'b', 'c'} ${ROW}`,
    `${SET} m['a'] = 7.70 ${ROW}`,
    `${SET} m['new'] = 7 ${ROW}`,
    `${SET} m['a'] = null ${ROW}`,
    `${SET} m['a'] = 1, m['b'] = 3, l = l + [4] ${ROW}`,
    `${SET} m = {}, m['a'] = 3 ${ROW}`,
    `${SET} m[null] = 3 ${ROW}`,
    `${SET} m = m - {'a': 1} ${ROW}`,
    `${SET} m = m - ['a'] ${ROW}`,
    `${SET} m = m + {'a'} ${ROW}`,
    `${SET} m = {'a': null} ${ROW}`,
    `${SET} m = {'a': 1} + m ${ROW}`,
    `${SET} m[1] = 1 ${ROW}`,
    `DELETE m['a'] FROM KS.t ${ROW}`,
    `DELETE m['a'], m['b'], s['pear'], u.name FROM KS.t ${ROW}`,
    `DELETE m['none'] FROM KS.t ${ROW}`,
    `DELETE m[null] FROM KS.t ${ROW}`,
    `DELETE m['a'] FROM KS.t WHERE pk = 1 AND ck IN (1, 2)`,
    `DELETE m['a'] FROM KS.t WHERE pk = 1`,
    `${SET} u = {name: 'New', pay: 1.00} ${ROW}`,
    `${SET} u = {} ${ROW}`,
    `${SET} u = null ${ROW}`,
    `${SET} u.name = 'Bob', u.pay = null ${ROW}`,
    `${SET} u.twin = {a: 7} ${ROW}`,
    `${SET} u.tags = ['n'] WHERE pk = 1 AND ck = 2`,
    `${SET} u.name = '' ${ROW}`,
    `${SET} u.nope = 'x' ${ROW}`,
    `${SET} u.name = 1 ${ROW}`,
    `${SET} u.name = 'a', u.name = 'b' ${ROW}`,
    `${SET} u = {name: 'x'}, u.born = '2020-01-01' ${ROW}`,
    `${SET} u = u + {name: 'x'} ${ROW}`,
    `${SET} u['name'] = 'x' ${ROW}`,
    `${SET} m.a = 1 ${ROW}`,
    `${SET} v = v + 'x' ${ROW}`,
    `${SET} v[0] = 'x' ${ROW}`,
    `DELETE u.name, u.pay FROM KS.t ${ROW}`,
    `DELETE u.nope FROM KS.t ${ROW}`,
    `DELETE u FROM KS.t ${ROW}`,
    `DELETE u['name'] FROM KS.t ${ROW}`,
    `DELETE v['x'] FROM KS.t ${ROW}`,
    `DELETE v.x FROM KS.t ${ROW}`,
    `${SET} d = d - {1.00} ${ROW}`,
    `DELETE d[3.0] FROM KS.t ${ROW}`,
    `${SET} fm[{a: 1}] = [5] ${ROW}`,
    `${SET} fm[{a: 2, b: 'x'}] = null ${ROW}`,
    `${SET} fm = fm - {{a: 2, b: 'x'}} ${ROW}`,
    `${SET} fm = fm + {{b: 'only'}: [0]} ${ROW}`,
    `${SET} n = n - [{a: 1, b: 'i'}] ${ROW}`,
    `${SET} n = [{a: 9}] + n ${ROW}`,
    `${SET} n[1] = {a: 5, b: 'five'} ${ROW}`,
    `${SET} sl = sl + ['z'], sm['three'] = 3 WHERE pk = 1`,
    `${SET} sl[0] = 'first', su.name = 'changed' WHERE pk = 1`,
    `DELETE sl[1], sm['one'], su.born FROM KS.t WHERE pk = 1`,
    `${SET} sm = sm - {'one', 'two'} WHERE pk = 1`,
    `${SET} l = l + [1], m['q'] = 1 WHERE pk IN (1, 3) AND ck IN (1, 2)`,
    `INSERT INTO KS.t (pk, ck, l, s) VALUES (1, 1, [1], {'q'})`,
    `INSERT INTO KS.t (pk, ck, l, s, m, u) VALUES (1, 1, null, {}, {}, null)`,
    `INSERT INTO KS.t (pk, ck, m) VALUES (1, 3, {'k': 1}) IF NOT EXISTS`,
    `INSERT INTO KS.t (pk, ck, m) VALUES (1, 1, {'k': 1}) IF NOT EXISTS`,
    `DELETE FROM KS.t ${ROW}`,
    `BEGIN BATCH ${SET} l = l + [8] ${ROW}; ${SET} s = s - {'fig'}, m['b'] = null ${ROW}; DELETE u.name FROM KS.t ${ROW}; APPLY BATCH`,
  ])('%s', async (cql) => {
    await sides.same(cql, { anyText: true });
    await sides.same(ALL);
    await sides.same('SELECT * FROM KS.t WHERE pk = 3');
  });

  it('bound values, null, empty and unset', async () => {
    const row = [int(1), int(1)];
    const decimal = Buffer.from([0, 0, 0, 1, 25]);
    await sides.samePrepared(
      'INSERT INTO KS.t (pk, ck, l, s, m, u) VALUES (?, ?, ?, ?, ?, ?)',
      [
        {
          values: [
            ...row,
            collection([int(2), int(1), int(2)]),
            collection([text('b'), text('a'), text('b')]),
            collection([text('z'), decimal, text('a'), decimal], 2),
            fields([text('bound'), null, null, fields([int(1)])]),
          ],
        },
        { values: [int(1), int(4), collection([]), collection([]), collection([], 0), fields([])] },
        { values: [int(1), int(5), null, null, null, null] },
        { values: [...row, collection([int(1)]), Buffer.from([0, 0, 0, 1]), null, null] },
        { values: [...row, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 9]), null, null, null] },
        { values: [...row, null, collection([Buffer.from([0xff])]), null, null] },
      ],
      { anyText: true },
    );
    await sides.same(ALL);
    await sides.samePrepared(`${SET} l = l + ?, s = s - ?, m = m - ? ${ROW}`, [
      {
        values: [collection([int(5)]), collection([text('a')]), collection([text('z')])],
      },
      { values: [null, null, null] },
    ]);
    await sides.same(ALL);
    await sides.samePrepared(`${SET} l = ? + l, s += ?, m += ? ${ROW}`, [
      {
        values: [
          collection([int(6), int(7)]),
          collection([text('x')]),
          collection([text('y'), decimal], 1),
        ],
      },
    ]);
    await sides.same(ALL);
    await sides.samePrepared(
      `${SET} l[?] = ?, m[?] = ?, u.name = ?, u.twin = ? ${ROW}`,
      [
        { values: [int(0), int(77), text('k'), decimal, text('n'), fields([int(5), text('w')])] },
        { values: [int(0), int(78), text('k'), null, null, null] },
        { values: [int(99), int(78), text('k'), null, null, null] },
        { values: [null, int(78), text('k'), null, null, null] },
        { values: [int(0), int(78), null, decimal, null, null] },
        { values: [int(0), Buffer.alloc(3), text('k'), decimal, null, null] },
      ],
      { anyText: true },
    );
    await sides.same(ALL);
    await sides.samePrepared(
      `DELETE l[?], s[?], m[?], u.name FROM KS.t USING TIMESTAMP ? ${ROW}`,
      [
        { values: [int(0), text('x'), text('y'), Buffer.from('0005ffffffffffff', 'hex')] },
        { values: [int(0), text('x'), null, Buffer.from('0005ffffffffffff', 'hex')] },
      ],
      { anyText: true },
    );
    await sides.same(ALL);
  });

  it.each([
    `INSERT INTO KS.t (pk, ck, n, fm) VALUES (?, ?, ?, ?)`,
    `${SET} m = m + ?, l = ? + l WHERE pk = ? AND ck = ?`,
    `INSERT INTO KS.t (pk, ck, u) VALUES (1, 1, {name: ?, tags: ?})`,
    `INSERT INTO KS.t (pk, ck, l) VALUES (1, 1, [?])`,
    `SELECT l, s, m, u, su FROM KS.t WHERE pk = ?`,
    `SELECT * FROM KS.k`,
    `${SET} v = ? ${ROW} IF l = ? AND s != ? AND m[?] > ? AND l[?] IN ? AND u.name = ? AND u = ?`,
    `${SET} v = ? ${ROW} IF u.name IN (?, ?) AND m IN ?`,
  ])('PREPARE %s', async (cql) => {
    await sides.samePrepared(cql, [], { anyText: true });
  });

  it('equal decimals are one element, whatever their scale', async () => {
    for (const cql of [`${SET} d = d + {2.000, 4} ${ROW}`, `${SET} d = d - {1.0} ${ROW}`]) {
      await sides.same(cql);
      for (const side of ['direct', 'proxy'] as const) {
        const answer = await sides[side].query(sides.text(`SELECT d FROM KS.t ${ROW}`, side));
        if (answer.kind !== 'rows') throw new Error(answer.kind);
        expect(answer.rows[0]?.[0]?.readInt32BE(0)).toBe(cql.includes('+') ? 4 : 3);
      }
    }
  });

  it('DESCRIBE shows the logical types', async () => {
    for (const what of ['TABLE KS.t', 'TYPE KS.person']) {
      const shown = [];
      for (const side of ['direct', 'proxy'] as const) {
        const answer = await sides[side].query(sides.text(`DESCRIBE ${what}`, side));
        if (answer.kind !== 'rows') throw new Error(answer.kind);
        shown.push(answer.rows[0]?.[3]?.toString().replaceAll(sides.text('KS', side), 'KS'));
      }
      expect(shown[1]).toBe(shown[0]);
      expect(shown[0]).toContain(what.startsWith('TABLE') ? 'set<decimal>' : 'frozen<pair>');
    }
  });

  it('TTL and TIMESTAMP of elements', async () => {
    await sides.done(
      `UPDATE KS.t USING TTL 5000 SET m['ttl'] = 1, s = s + {'ttl'}, l = l + [50] ${ROW}`,
      `UPDATE KS.t USING TIMESTAMP 1000 SET m['a'] = 99, m['old'] = 1, u.name = 'old' ${ROW}`,
      `UPDATE KS.t USING TIMESTAMP 1000 AND TTL 10 SET s = {'old'} WHERE pk = 1 AND ck = 7`,
    );
    await sides.same(ALL);
    await sides.done(`DELETE m['old'] FROM KS.t USING TIMESTAMP 999 ${ROW}`);
    await sides.same(ALL);
    await sides.done(`DELETE m['old'] FROM KS.t USING TIMESTAMP 1001 ${ROW}`);
    await sides.same(ALL);
  });

  it.each([
    'l = [3, 1, 2, 1]',
    'l = [3, 1]',
    'l != [3, 1]',
    'l > [3, 1]',
    'l < [3, 1]',
    'l >= [3, 1, 2, 1]',
    'l = null',
    'l != null',
    'l IN ([1], [3, 1, 2, 1])',
    'l IN ([1], null)',
    "s = {'fig', 'pear', 'apple'}",
    "s = {'fig'}",
    "s > {'fig'}",
    "s < {'fig'}",
    "m = {'a': 1, 'b': 2.5, 'c': -3}",
    "m = {'a': 1.00, 'b': 2.5, 'c': -3}",
    "m >= {'a': 0}",
    'l[0] = 3',
    'l[0] = 4',
    'l[0] != 4',
    'l[0] IN (1, 3)',
    'l[9] = null',
    'l[9] = 1',
    'l[-1] = 1',
    'l[null] = 1',
    'l[1] > 0 AND l[1] < 2',
    "m['a'] = 1.0",
    "m['a'] = 2",
    "m['none'] = null",
    "m['a'] = null",
    "m['b'] > 2 AND m['c'] <= -3",
    "m['b'] IN (1, 2.5)",
    'm[null] = 1',
    "u.name = 'Ann'",
    "u.name = 'Bob'",
    'u.born = null',
    "u.name IN ('Bob', 'Ann')",
    'u.pay > 12',
    "u.twin = {a: 1, b: 'q'}",
    "u = {name: 'Ann', tags: ['t2', 't1'], twin: {a: 1, b: 'q'}, pay: 12.5}",
    "u = {name: 'Ann'}",
    'u = null',
    'u != null',
    "u.nope = 'x'",
    "s['fig'] = 'fig'",
    "v['x'] = 'x'",
    "s CONTAINS 'fig'",
    "s CONTAINS 'none'",
    'l CONTAINS 2',
    'm CONTAINS 2.5',
    "m CONTAINS KEY 'a'",
    "m CONTAINS KEY 'none'",
    "s CONTAINS KEY 'fig'",
    'd = {1.0, 2, 3.00}',
    "sl = ['x', 'y']",
    "sm['one'] = 1 AND sl[1] = 'y'",
    "su.name = 'static'",
    'fm[{a: 1}] = []',
    'l = []',
    'l != []',
    's = {}',
    's >= {}',
    'u = {}',
    'u.pay = 12.50',
    'u.pay IN (12.500, 1)',
    "m['a'] != 1.0",
    "m['a'] >= 1.0",
    'l CONTAINS null',
    "n[0] = {a: 1, b: 'i'}",
  ])('IF %s', async (condition) => {
    const how = { anyText: true };
    await sides.same(`${SET} v = 'set' ${ROW} IF ${condition}`, how);
    await sides.same(`SELECT v FROM KS.t ${ROW}`);
    await sides.same(
      `${SET} v = 'set', l = l + [100] WHERE pk = 1 AND ck = 2 IF ${condition}`,
      how,
    );
    await sides.same(`${SET} v = 'set' WHERE pk = 1 AND ck = 99 IF ${condition}`, how);
    await sides.same(`${SET} v = 'set' WHERE pk = 99 AND ck = 99 IF ${condition}`, how);
    await sides.same(ALL);
  });

  it('IF in batches and of DELETE, and what is answered', async () => {
    for (const cql of [
      `DELETE l[0], u.name FROM KS.t ${ROW} IF l[0] = 3 AND u.name = 'Ann'`,
      `DELETE m['a'] FROM KS.t ${ROW} IF m['a'] = 5`,
      `DELETE FROM KS.t ${ROW} IF s CONTAINS 'none'`,
      `BEGIN BATCH ${SET} m['x'] = 1 ${ROW} IF m['a'] = 1; ${SET} s = s + {'in batch'} WHERE pk = 1 AND ck = 2; APPLY BATCH`,
      `BEGIN BATCH ${SET} m['x'] = 1 ${ROW} IF m['a'] = 3; ${SET} s = s + {'in batch'} WHERE pk = 1 AND ck = 2; APPLY BATCH`,
      `BEGIN BATCH ${SET} m['y'] = 1 ${ROW} IF EXISTS; ${SET} l = [1] WHERE pk = 1 AND ck = 2 IF l = null; APPLY BATCH`,
      `${SET} u.name = 'exists' ${ROW} IF EXISTS`,
      `DELETE sm['one'] FROM KS.t WHERE pk = 1 IF sm['two'] = 2`,
    ]) {
      await sides.same(cql, { anyText: true });
      await sides.same(ALL);
    }
  });

  it.each([
    'SELECT writetime(s), writetime(m), writetime(l), writetime(u) FROM KS.t WHERE pk = 8 AND ck = 1',
    'SELECT m, writetime(m) AS w, s, ttl(s) FROM KS.t WHERE pk = 8 AND ck = 1',
    'SELECT maxwritetime(s), maxwritetime(m), maxwritetime(l), maxwritetime(u), maxwritetime(v) FROM KS.t WHERE pk = 8',
    'SELECT ck, writetime(sm), writetime(sl), writetime(su) FROM KS.t WHERE pk = 8',
    'SELECT writetime(m) FROM KS.t WHERE pk = 8',
    'SELECT writetime(u), writetime(d) FROM KS.t WHERE pk = 8',
    'SELECT ttl(v), ttl(l) FROM KS.t WHERE pk = 8 AND ck = 2',
    'SELECT DISTINCT pk, writetime(sm) FROM KS.t WHERE pk = 8',
  ])('%s', async (cql) => {
    await sides.done(
      "INSERT INTO KS.t (pk, ck, sm, sl, su, l, s, m, u, d, v) VALUES (8, 1, {'z': 1, 'a': 2}, ['x'], {name: 'n', born: '2020-01-01'}, [1, 2], {'q', 'b', 'x'}, {'q': 1, 'b': 2}, {name: 'a', pay: 1}, {5, 6, 7}, 'v') USING TIMESTAMP 1000",
      "UPDATE KS.t USING TIMESTAMP 1003 SET m['c'] = 1, s = s + {'a'}, l = l + [9], u.twin = {a: 1}, sm['m'] = 1, d = d + {1}  WHERE pk = 8 AND ck = 1",
      "UPDATE KS.t USING TIMESTAMP 1002 SET m['b'] = 3, s = s + {'x', 'y'}, sm['z'] = 1 WHERE pk = 8 AND ck = 1",
      'INSERT INTO KS.t (pk, ck) VALUES (8, 2) USING TIMESTAMP 1000',
    );
    await sides.same(cql, { anyText: true });
  });
}
