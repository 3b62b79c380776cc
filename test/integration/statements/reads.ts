import { afterAll, beforeAll, it } from 'vitest';
import { RawWriter } from '../../support/raw_codec.ts';
import type { RawValue } from '../../support/raw_codec.ts';
import { int, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

function list(...items: readonly RawValue[]): Buffer {
  const writer = new RawWriter().int(items.length);
  for (const item of items) writer.value(item);
  return writer.done();
}

/** SELECT in all its forms. */
export function describeReads(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'reads');
    await sides.done(
      'CREATE TABLE KS.t (pk int, ck int, s text STATIC, v text, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.m (a int, b text, c int, d text, e int, v text, PRIMARY KEY ((a, b), c, d, e)) WITH CLUSTERING ORDER BY (c DESC, d ASC, e DESC)',
      'CREATE TABLE KS.none (pk int, ck int, s text STATIC, v text, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.k (pk text PRIMARY KEY, v text, "Quoted Name" int)',
    );
    for (let pk = -2; pk <= 2; pk++) {
      for (let ck = 0; ck < 6; ck++) {
        await sides.done(
          `INSERT INTO KS.t (pk, ck, v) VALUES (${String(pk)}, ${String(ck)}, 'v${String(pk)}.${String(ck)}') USING TIMESTAMP ${String(1000 + ck)}${ck === 3 ? ' AND TTL 100000' : ''}`,
        );
      }
      if (pk !== 0)
        await sides.done(`UPDATE KS.t SET s = 's${String(pk)}' WHERE pk = ${String(pk)}`);
      await sides.done(
        `INSERT INTO KS.k (pk, v, "Quoted Name") VALUES ('k${String(pk)}', 'v', ${String(pk)})`,
      );
    }
    await sides.done("INSERT INTO KS.t (pk, s) VALUES (7, 'static only')");
    for (const a of [1, 2])
      for (const b of ['x', 'y'])
        for (const c of [1, 2, 3])
          for (const d of ['p', 'q'])
            for (const e of [-1, 4]) {
              await sides.done(
                `INSERT INTO KS.m (a, b, c, d, e, v) VALUES (${String(a)}, '${b}', ${String(c)}, '${d}', ${String(e)}, '${b}${d}')`,
              );
            }
  });

  afterAll(() => {
    sides.close();
  });

  it.each([
    'SELECT * FROM KS.t WHERE pk = 1',
    'SELECT v, ck FROM KS.t WHERE pk = 1',
    'SELECT v FROM KS.t WHERE pk = 1 AND ck = 2',
    'SELECT v AS w, ck AS "K" FROM KS.t WHERE pk = 1 AND ck = 2',
    'SELECT s FROM KS.t WHERE pk = 1',
    'SELECT s FROM KS.t WHERE pk = 7',
    'SELECT * FROM KS.t WHERE pk = 7',
    'SELECT ck FROM KS.t WHERE pk = 7',
    'SELECT v, v, pk, pk FROM KS.t WHERE pk = 1 AND ck = 2',
    'SELECT * FROM KS.t WHERE pk = 99',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck = 99',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck > 2',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck >= 2 AND ck < 4',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck > 4 AND ck < 2',
    'SELECT v FROM KS.t WHERE pk = 1 AND ck > 2 AND ck <= 2',
    'SELECT s FROM KS.t WHERE pk = 1 AND ck > 2',
    'SELECT s FROM KS.t WHERE pk = 1 AND ck > 99',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck IN (4, 2, 2, 99)',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck IN ()',
    'SELECT * FROM KS.t WHERE pk IN ()',
    'SELECT * FROM KS.t WHERE pk IN (1)',
    'SELECT * FROM KS.t WHERE pk IN (2, -1, 1, 2, 7, 99)',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) AND ck IN (1, 3)',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) AND ck > 3 LIMIT 3',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) LIMIT 8',
    'SELECT v FROM KS.t WHERE pk IN (2, -1, 0) PER PARTITION LIMIT 2',
    'SELECT v FROM KS.t WHERE pk IN (2, -1, 0) PER PARTITION LIMIT 2 LIMIT 5',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) ORDER BY ck',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) ORDER BY ck DESC',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) ORDER BY ck DESC LIMIT 5',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) ORDER BY ck DESC PER PARTITION LIMIT 2',
    'SELECT v FROM KS.t WHERE pk IN (2, -1) AND ck > 1 ORDER BY ck ASC PER PARTITION LIMIT 2 LIMIT 3',
    'SELECT ck FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT pk FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck',
    'SELECT pk, s FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT s FROM KS.t WHERE pk IN (2, -1, 0, 7) ORDER BY ck LIMIT 5',
    'SELECT pk, s FROM KS.t WHERE pk IN (2, -1) AND ck > 1 ORDER BY ck DESC LIMIT 3',
    'SELECT pk FROM KS.t WHERE pk IN (2, -1) AND ck = 1 ORDER BY ck DESC',
    'SELECT ttl(s), pk FROM KS.t WHERE pk IN (0, 7) ORDER BY ck DESC',
    'SELECT DISTINCT pk, s FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT JSON pk FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT pk, (int) 5 FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT count(*), pk FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT pk, count(s) FROM KS.t WHERE pk IN (2, -1, 7) ORDER BY ck DESC',
    'SELECT * FROM KS.t WHERE pk = 1 ORDER BY ck',
    'SELECT * FROM KS.t WHERE pk = 1 ORDER BY ck DESC',
    'SELECT * FROM KS.t WHERE pk = 1 ORDER BY ck DESC LIMIT 2',
    'SELECT * FROM KS.t WHERE pk = 1 LIMIT 2',
    'SELECT * FROM KS.t WHERE pk = 1 PER PARTITION LIMIT 3',
    'SELECT * FROM KS.t WHERE pk = 1 AND ck <= 4 ORDER BY ck DESC PER PARTITION LIMIT 3 LIMIT 2',
    'SELECT count(*) FROM KS.t WHERE pk = 1',
    'SELECT count(*) FROM KS.t WHERE pk = 99',
    'SELECT COUNT(1) FROM KS.t WHERE pk = 1',
    'SELECT count(*) AS number FROM KS.t WHERE pk IN (1, 2, 7, 99)',
    'SELECT count(*) FROM KS.t WHERE pk = 1 AND ck > 2',
    'SELECT count(*) FROM KS.t WHERE pk IN (1, 2) LIMIT 1',
    'SELECT count(*) FROM KS.t',
    'SELECT count(*) FROM KS.t WHERE pk IN (1)',
    'SELECT count(*) FROM KS.t WHERE pk IN ()',
    'SELECT pk, count(*) FROM KS.t WHERE pk IN ()',
    'SELECT count(*), pk FROM KS.t WHERE pk IN (2, 1)',
    'SELECT count(*), pk, v, s, count(*) AS again FROM KS.t WHERE pk IN (2, 99, 1, 7)',
    'SELECT v, count(*) FROM KS.t WHERE pk IN (99, 98)',
    'SELECT v, count(*), s FROM KS.t WHERE pk IN (7, 2) AND ck > 3',
    'SELECT ck, count(*) FROM KS.t WHERE pk IN (1, 2) ORDER BY ck DESC',
    'SELECT pk, ck, v, s, count(*), writetime(v) FROM KS.t WHERE pk = 1',
    'SELECT v, count(*) FROM KS.t WHERE pk = 1 ORDER BY ck DESC',
    'SELECT pk, ck, v, s, count(*) FROM KS.t WHERE pk = 99',
    'SELECT v, count(*) FROM KS.t WHERE pk = 99 AND ck = 1',
    'SELECT v, count(*) FROM KS.t WHERE pk = 1 AND ck = 99',
    'SELECT v, count(*) FROM KS.none',
    'SELECT pk, ck, v, s, count(*) FROM KS.none',
    'SELECT token(pk), count(*) FROM KS.none',
    'SELECT count(*) FROM KS.none',
    'SELECT * FROM KS.none',
    'SELECT writetime(v), ttl(v) FROM KS.t WHERE pk = 1 AND ck = 1',
    'SELECT v, writetime(v) AS at, WRITETIME(v) FROM KS.t WHERE pk = 1',
    'SELECT maxwritetime(v) FROM KS.t WHERE pk = 1 AND ck < 3',
    'SELECT writetime(v) FROM KS.t WHERE pk IN (1, 2) AND ck = 4',
    'SELECT DISTINCT pk FROM KS.t WHERE pk = 1',
    'SELECT DISTINCT pk, s FROM KS.t WHERE pk IN (2, 1, 0, 7)',
    'SELECT DISTINCT pk, s FROM KS.t WHERE pk IN (2, 1, 0, 7) LIMIT 2',
    'SELECT DISTINCT s FROM KS.t WHERE pk = 1',
    "SELECT * FROM KS.k WHERE pk = 'k1'",
    "SELECT \"Quoted Name\" FROM KS.k WHERE pk IN ('k1', 'k0', 'k-1', 'nothing')",
    'SELECT pk FROM KS.t WHERE pk = 1 AND ck = 1 ALLOW FILTERING',
    'SELECT v FROM KS.t WHERE pk = 1 AND (ck) IN ((1), (2))',
    'SELECT v FROM KS.t WHERE pk = 1 AND (ck) > (2)',
    'SELECT v FROM KS.t WHERE ck = 1 AND pk = 1',
    'SELECT v FROM KS.t WHERE pk = (int) 1 AND ck = 2',
    'SELECT ck FROM KS.t WHERE pk = 1 AND token(pk) > -9223372036854775808',
    'SELECT ck FROM KS.t WHERE pk = 1 AND ck > 2 AND token(pk) <= 9223372036854775807 LIMIT 2',
    'SELECT ck FROM KS.t WHERE pk IN (2, 1) AND token(pk) > 9223372036854775807',
  ])('%s', async (cql) => {
    await sides.same(cql);
  });

  it.each([
    'SELECT * FROM KS.t',
    'SELECT * FROM KS.k',
    'SELECT v FROM KS.t',
    'SELECT s FROM KS.t',
    'SELECT DISTINCT pk FROM KS.t',
    'SELECT DISTINCT s, pk FROM KS.t',
    'SELECT DISTINCT a, b FROM KS.m',
    'SELECT pk, ck FROM KS.t PER PARTITION LIMIT 1',
    'SELECT * FROM KS.t WHERE token(pk) > -9223372036854775808',
    'SELECT * FROM KS.t WHERE token(pk) > -9223372036854775808 AND token(pk) <= 9223372036854775807',
    'SELECT v FROM KS.t WHERE token(pk) = token(1)',
    'SELECT * FROM KS.t ALLOW FILTERING',
  ])('as a set: %s', async (cql) => {
    await sides.same(cql, { anyOrder: true });
  });

  it('token ranges of both sides of a key have all partitions once', async () => {
    await sides.same('SELECT token(pk) FROM KS.t WHERE pk = 1 LIMIT 1', { ignore: [0] });
    await sides.same("SELECT token(a, b), a FROM KS.m WHERE a = 1 AND b = 'x' LIMIT 1", {
      ignore: [0],
    });
    for (const pk of [-2, 0, 7]) {
      const rows: (string | undefined)[] = [];
      for (const operator of ['<=', '>']) {
        const answer = await sides.proxy.query(
          sides.text(`SELECT DISTINCT pk FROM KS.t WHERE token(pk) ${operator} token(?)`, 'proxy'),
          { values: [int(pk)] },
        );
        if (answer.kind !== 'rows') throw new Error(JSON.stringify(answer));
        rows.push(...answer.rows.map(([key]) => key?.toString('hex')));
      }
      const expected = [-2, -1, 0, 1, 2, 7].map((key) => int(key).toString('hex')).sort();
      if (JSON.stringify(rows.sort()) !== JSON.stringify(expected)) throw new Error(rows.join());
    }
  });

  it.each([
    'c >= 2 AND e < 2',
    'e < 2 AND c > 1',
    "c > 2 AND d < 'q' AND e > 0",
    "c < 3 AND d > 'p'",
    "c > 1 AND d >= 'p' AND d < 'q'",
    "(c) >= (2) AND d < 'q'",
    'c > 1 AND e > 1 AND c < 3 AND e < 9',
    'c > 2 AND e < 9 AND c < 2',
    "c = 2 AND d > 'o' AND e < 2",
  ])('slices of several columns %s', async (where) => {
    for (const order of ['', ' ORDER BY c DESC', ' ORDER BY c ASC', ' LIMIT 3']) {
      await sides.same(
        `SELECT c, d, e FROM KS.m WHERE a = 1 AND b = 'x' AND ${where}${order} ALLOW FILTERING`,
      );
    }
  });

  it.each([
    "(c, d) > (2, 'p')",
    "(c, d) < (2, 'p')",
    "(c, d) >= (2, 'p') AND (c, d) < (3, 'q')",
    "(c, d, e) > (2, 'p', 0)",
    "(c, d, e) <= (2, 'p', 4)",
    '(c) > (1)',
    "c = 2 AND (d, e) > ('p', -1)",
    "c = 2 AND d = 'p' AND e > -1",
    "c = 2 AND d > 'p'",
    "c = 2 AND d IN ('q', 'p') AND e = 4",
    "c IN (3, 1) AND d = 'p'",
    "c IN (3, 1) AND d IN ('p') AND e IN (4, -1)",
    "(c, d) IN ((3, 'p'), (1, 'q'))",
    "(c, d, e) IN ((3, 'p', 4), (1, 'q', -1), (3, 'p', 4))",
    "c IN (3, 1) AND (d, e) >= ('p', 0)",
    "(c, d) = (2, 'q')",
    "(c, d, e) = (2, 'q', 4)",
    'c > 1 AND c < 3',
    "c >= 2 AND (c, d) < (3, 'q')",
  ])('multi-column restriction %s', async (where) => {
    for (const order of ['', ' ORDER BY c DESC', ' ORDER BY c ASC, d DESC, e ASC', ' LIMIT 3']) {
      await sides.same(`SELECT c, d, e, v FROM KS.m WHERE a = 1 AND b = 'x' AND ${where}${order}`);
    }
    await sides.same(
      `SELECT a, b, c, d, e FROM KS.m WHERE a IN (2, 1) AND b IN ('y', 'x') AND ${where}`,
    );
  });

  it('bound values in every place', async () => {
    await sides.same('SELECT v FROM KS.t WHERE pk = ? AND ck > ? LIMIT ?', {
      values: [int(1), int(1), int(2)],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk IN ? AND ck IN ?', {
      values: [list(int(2), int(1)), list(int(3), int(0))],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk IN (?, ?, 0) AND ck = 1', {
      values: [int(2), int(1)],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk IN ? PER PARTITION LIMIT ? LIMIT ?', {
      values: [list(int(2), int(1)), int(2), int(3)],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk IN ? LIMIT ?', {
      values: [list(int(2), int(1)), 'unset'],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk IN ?', { values: [list()] });
    await sides.same('SELECT c FROM KS.m WHERE a = 1 AND b = ? AND (c, d) > (?, ?)', {
      values: [text('x'), int(1), text('p')],
    });
    const tuple = new RawWriter().value(int(2)).value(text('p')).done();
    await sides.same("SELECT c, d FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) > ?", {
      values: [tuple],
    });
    await sides.same("SELECT c, d FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) IN ?", {
      values: [list(tuple)],
    });
    await sides.same("SELECT c, d FROM KS.m WHERE a = 1 AND b = 'x' AND (c, d) IN (?, (1, ?))", {
      anyText: true,
      values: [tuple, text('q')],
    });
    for (const names of [
      ['low', 'key'],
      ['key', 'low'],
    ]) {
      const values = names.map((name) => int(name === 'low' ? 2 : 1));
      await sides.same('SELECT v FROM KS.t WHERE pk = :key AND ck >= :low', { values, names });
    }
    await sides.same('SELECT v FROM KS.t WHERE pk = :x AND ck = :x', {
      values: [int(1)],
      names: ['x'],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk = :x AND ck = :x', { values: [int(1), int(2)] });
    await sides.same('SELECT v FROM KS.t WHERE pk = ? AND ck = ?', {
      values: [int(1), int(2)],
      names: ['pk', 'ck'],
    });
    await sides.same('SELECT v FROM KS.t WHERE pk = :pk', {
      values: [int(1)],
      names: ['other'],
      anyText: true,
    });
    await sides.same('SELECT v FROM KS.t WHERE pk = :pk', {
      values: [int(1), int(1)],
      names: ['pk', 'other'],
      anyText: true,
    });
  });

  it('USE and names without a keyspace', async () => {
    const own = await SideBySide.open(pair(), 'used');
    try {
      await own.same('SELECT * FROM t', { anyText: false });
      await own.same('USE KS');
      await own.done('CREATE TABLE t (pk int PRIMARY KEY, v text)', 'CREATE TYPE pair (a int)');
      await own.same("INSERT INTO t (pk, v) VALUES (1, 'x')");
      await own.same('SELECT * FROM t WHERE pk = 1');
      await own.same('SELECT * FROM KS.t WHERE pk = 1');
      await own.samePrepared('SELECT * FROM t WHERE pk = ?', [{ values: [int(1)] }], {
        anyWarning: true,
      });
      await own.same('ALTER TABLE t ADD w frozen<pair>');
      await own.same('TRUNCATE t');
      await own.same('USE nothing_here');
      await own.same('SELECT * FROM t WHERE pk = 1');
      await own.same('DROP TABLE t');
      await own.same('SELECT * FROM t WHERE pk = 1');
    } finally {
      own.close();
    }
  });
}
