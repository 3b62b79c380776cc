import { afterAll, beforeAll, expect, it } from 'vitest';
import { int, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** PREPARE: names and types of variables and results, partition key indexes, then EXECUTE. */
export function describePrepared(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'prepared');
    await sides.done(
      'CREATE TYPE KS.pair (a int, b text)',
      'CREATE TABLE KS.t (pk int, ck text, s text STATIC, v text, n int, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.m (a int, b text, c int, d text, v frozen<map<text, frozen<list<int>>>>, t tuple<int, text>, u frozen<pair>, x vector<float, 2>, y duration, PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)',
      'CREATE TABLE KS.l (pk int PRIMARY KEY, x frozen<list<int>>, w frozen<set<text>>, m frozen<map<text, int>>, y tuple<int, text>, z vector<float, 2>, u frozen<pair>)',
      "INSERT INTO KS.t (pk, ck, s, v, n) VALUES (1, 'a', 's', 'v', 1)",
    );
  });

  afterAll(() => {
    sides.close();
  });

  it.each([
    'SELECT * FROM KS.t',
    'SELECT * FROM KS.m WHERE a = ? AND b = ?',
    'SELECT * FROM KS.m WHERE b = ? AND a = ?',
    'SELECT v AS w, t FROM KS.m WHERE a = 1 AND b = ? AND c > ? AND c <= ?',
    'SELECT u FROM KS.m WHERE a IN ? AND b IN (?, ?) AND (c, d) > (?, ?)',
    'SELECT u FROM KS.m WHERE a = ? AND b = ? AND (c, d) > ? LIMIT ?',
    'SELECT u FROM KS.m WHERE a = ? AND b = ? AND (c, d) IN ? PER PARTITION LIMIT ? LIMIT ?',
    'SELECT u FROM KS.m WHERE a = ? AND b = ? AND (c, d) IN (?, ?)',
    'SELECT u FROM KS.m WHERE a = ? AND b = ? AND (c, d) IN ((?, ?), (1, ?))',
    'SELECT v FROM KS.t WHERE pk = :key AND ck = :ck',
    'SELECT v FROM KS.t WHERE pk = :"Key" AND ck IN :many',
    'SELECT count(*), pk FROM KS.t WHERE pk = ?',
    'SELECT writetime(v), ttl(v) AS left_over, token(pk) FROM KS.t WHERE pk = ?',
    'SELECT DISTINCT pk, s FROM KS.t WHERE token(pk) > ? AND token(pk) <= token(?)',
    'SELECT DISTINCT a, b FROM KS.m WHERE token(a, b) > token(?, ?)',
    'INSERT INTO KS.t (pk, ck, s, v, n) VALUES (?, ?, ?, ?, ?) USING TTL ? AND TIMESTAMP ?',
    'INSERT INTO KS.t (pk, ck, v) VALUES (?, ?, ?) IF NOT EXISTS',
    'INSERT INTO KS.t (ck, v, pk) VALUES (:a, :b, :c)',
    'INSERT INTO KS.m (a, b, c, d, v, t, u, x, y) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    "INSERT INTO KS.m (a, b, c, d, v, t, u, x) VALUES (?, ?, ?, ?, {?: [?]}, (?, ?), {a: ?, b: 'x'}, [?, 1.5])",
    'UPDATE KS.t USING TIMESTAMP ? AND TTL ? SET v = ?, n = ? WHERE pk = ? AND ck = ?',
    'UPDATE KS.t SET v = ? WHERE pk IN ? AND ck IN ?',
    'UPDATE KS.t SET v = ? WHERE pk = ? AND ck = ? IF EXISTS',
    'UPDATE KS.m SET v = ? WHERE a = ? AND b = ? AND (c, d) = (?, ?)',
    'DELETE v FROM KS.t USING TIMESTAMP ? WHERE pk = ? AND ck = ?',
    'DELETE FROM KS.t WHERE pk = ? AND ck >= ? AND ck < ?',
    'DELETE FROM KS.t WHERE pk = ? IF EXISTS',
    'BEGIN BATCH INSERT INTO KS.t (pk, ck) VALUES (?, ?); UPDATE KS.t SET v = ? WHERE pk = ? AND ck = ?; APPLY BATCH',
    'BEGIN BATCH USING TIMESTAMP ? INSERT INTO KS.t (pk, ck) VALUES (?, ?); APPLY BATCH',
    'BEGIN BATCH INSERT INTO KS.t (pk, ck) VALUES (?, ?) IF NOT EXISTS; APPLY BATCH',
    'TRUNCATE KS.t',
    'SELECT * FROM KS.nope',
    'SELECT nope FROM KS.t',
    'INSERT INTO KS.t (pk) VALUES (?)',
    'SELECT * FROM KS.t WHERE v = ?',
    'SELECT * FROM KS.t WHERE ck = ?',
    'SELECT release_version FROM system.local WHERE key = ?',
    'SELECT intAsBlob(?) FROM system.local',
    'SELECT toUnixTimestamp(now()), uuid(), blobAsInt(intAsBlob(?)) FROM system.local',
  ])('%s', async (cql) => {
    await sides.samePrepared(cql, []);
  });

  it.each([
    ...['[?]', '[1, (int) ?]', '[]', '{?}', '(?, ?)', '?'].map(
      (value) => `x) VALUES (1, ${value})`,
    ),
    ...['{?}', "{'a', ?}", '{}', '?'].map((value) => `w) VALUES (1, ${value})`),
    ...['{?: 1}', "{'a': ?}", "{'a': 1}", '?'].map((value) => `m) VALUES (1, ${value})`),
    ...['(?, ?)', '(1, ?)', '(?)', "((int) ?, 'a')", '?'].map((value) => `y) VALUES (1, ${value})`),
    ...['[?, ?]', '[1.5, ?]', '?'].map((value) => `z) VALUES (1, ${value})`),
    ...['{a: ?, b: ?}', "{b: 'x', a: ?}", '{a: ?}', '{}', '?'].map(
      (value) => `u) VALUES (1, ${value})`,
    ),
  ])('bind markers inside literals: %s', async (cql) => {
    await sides.samePrepared(`INSERT INTO KS.l (pk, ${cql}`, [], { anyText: true });
  });

  it('values bound inside literals', async () => {
    const pair = [int(5), text('five')];
    await sides.samePrepared('INSERT INTO KS.l (pk, u, y) VALUES (1, {a: ?, b: ?}, (?, ?))', [
      { values: [...pair, ...pair] },
      { values: [null, text('x'), int(1), null] },
      { values: [null, null, null, null] },
    ]);
    await sides.same('SELECT * FROM KS.l WHERE pk = 1');
  });

  it('EXECUTE with values, names, wrong numbers of values and wrong bytes', async () => {
    const key = [int(1), text('a')];
    await sides.samePrepared('SELECT * FROM KS.t WHERE pk = ? AND ck = ?', [
      { values: key },
      { values: key, skipMetadata: true },
      { values: key, names: ['pk', 'ck'] },
      { values: [...key].reverse(), names: ['ck', 'pk'] },
      { values: [int(1)] },
      { values: [...key, int(3)] },
      {},
      { values: [Buffer.alloc(3), text('a')] },
      { values: [int(1), Buffer.from([0xff, 0xfe])] },
      { values: [int(1), null] },
    ]);
    await sides.samePrepared('INSERT INTO KS.t (pk, ck, v, n) VALUES (?, ?, ?, ?)', [
      { values: [...key, text('w'), int(2)] },
      { values: [...key, text('w'), Buffer.alloc(2)] },
      { values: [...key, Buffer.from([0xc0, 0x80]), int(2)] },
      { values: [...key, text('w')] },
    ]);
    await sides.same('SELECT * FROM KS.t WHERE pk = 1');
  });

  it('is UNPREPARED when a user type has another field, or another name of one', async () => {
    await sides.done(
      'CREATE TYPE KS.renamed (a int)',
      'CREATE TABLE KS.r (pk int PRIMARY KEY, u frozen<renamed>)',
    );
    const insert = 'INSERT INTO KS.r (pk, u) VALUES (?, ?)';
    const value = Buffer.concat([int(4), int(7)]);
    for (const change of ['RENAME a TO b', 'ADD c text']) {
      const select = `SELECT u FROM KS.r WHERE pk = 1 /* ${change} */`;
      await sides.samePrepared(insert, [{ values: [int(1), value] }]);
      const before = await Promise.all(
        (['direct', 'proxy'] as const).map(async (side) => ({
          side,
          prepared: [
            await sides[side].prepare(sides.text(insert, side)),
            await sides[side].prepare(sides.text(select, side)),
          ],
        })),
      );
      await sides.done(`ALTER TYPE KS.renamed ${change}`);
      for (const { side, prepared } of before) {
        for (const one of prepared) {
          if (one.kind !== 'prepared') throw new Error(one.kind);
          const answer = await sides[side].execute(one.id, { values: [int(1), value] });
          expect(answer, `${side} ${change}`).toMatchObject({ kind: 'error', code: 0x2500 });
        }
      }
      await sides.samePrepared(insert, [{ values: [int(1), value] }]);
      await sides.samePrepared(select, [{}]);
    }
  });

  it('an unknown id is UNPREPARED with the id', async () => {
    for (const client of [sides.direct, sides.proxy]) {
      const answer = await client.execute(Buffer.alloc(16, 9), {});
      if (answer.kind !== 'error') throw new Error(answer.kind);
      expect(answer.code).toBe(0x2500);
      expect(answer.details).toEqual(Buffer.concat([Buffer.from([0, 16]), Buffer.alloc(16, 9)]));
    }
  });

  it('the metadata of v3', async () => {
    const old = await SideBySide.open(pair(), 'prepared_v3', 3);
    try {
      await old.done('CREATE TABLE KS.t (pk int, ck text, v text, PRIMARY KEY (pk, ck))');
      await old.samePrepared('INSERT INTO KS.t (pk, ck, v) VALUES (?, ?, ?)', [
        { values: [int(1), text('a'), text('b')] },
        { values: [int(1), text('a'), null] },
      ]);
      await old.samePrepared('SELECT * FROM KS.t WHERE pk = ?', [{ values: [int(1)] }]);
    } finally {
      old.close();
    }
  });
}
