import { afterAll, beforeAll, beforeEach, it } from 'vitest';
import { RawWriter } from '../../support/raw_codec.ts';
import { int, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const ALL = 'SELECT pk, ck, s, v, n FROM KS.t WHERE pk = 1';

/** INSERT, UPDATE, DELETE and BATCH in all their forms. */
export function describeWrites(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'writes');
    await sides.done(
      'CREATE TABLE KS.t (pk int, ck text, s text STATIC, v text, n int, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.m (a int, b text, c int, d text, e int, v text, PRIMARY KEY ((a, b), c, d, e)) WITH CLUSTERING ORDER BY (c DESC, d ASC, e DESC)',
      'CREATE TABLE KS.k (pk int PRIMARY KEY, v text)',
    );
  });

  beforeEach(async () => {
    await sides.done('TRUNCATE KS.t', 'TRUNCATE KS.m', 'TRUNCATE KS.k');
    for (const ck of ['a', 'b', 'c', 'd']) {
      await sides.done(
        `INSERT INTO KS.t (pk, ck, v, n) VALUES (1, '${ck}', 'v${ck}', 7)`,
        `INSERT INTO KS.t (pk, ck, v, n) VALUES (2, '${ck}', 'w${ck}', 8)`,
      );
    }
  });

  afterAll(() => {
    sides.close();
  });

  /** Runs the statements one after another and compares each answer, and the rows afterwards. */
  async function script(...statements: readonly string[]): Promise<void> {
    for (const cql of statements) {
      await sides.same(cql);
      await sides.same(ALL);
    }
    await sides.same('SELECT pk, ck, s, v, n FROM KS.t', { anyOrder: true });
  }

  it('INSERT', async () => {
    await script(
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y')",
      "INSERT INTO KS.t (pk, ck, s, v, n) VALUES (1, 'x', 'static', 'z', 9)",
      "INSERT INTO KS.t (ck, n, pk, v) VALUES ('', -1, 1, '')",
      "INSERT INTO KS.t (pk, s) VALUES (1, 'only static')",
      "INSERT INTO KS.t (pk, s) VALUES (3, 'alone')",
      "INSERT INTO KS.t (pk, ck) VALUES (1, 'marker only')",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'a', null)",
      "INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 'b', NULL, null)",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'it''s', $$dollar 'quoted'$$)",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'old', 'x') USING TIMESTAMP 5",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'old', 'y') USING TIMESTAMP 4",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'ttl', 'y') USING TTL 1000 AND TIMESTAMP 4",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'ttl0', 'y') USING TTL 0",
      `INSERT INTO "KS".t ("pk", "ck", v) VALUES (1, 'quoted', 'q')`,
    );
  });

  it('UPDATE', async () => {
    await script(
      "UPDATE KS.t SET v = 'new' WHERE pk = 1 AND ck = 'a'",
      "UPDATE KS.t SET v = 'created' WHERE pk = 1 AND ck = 'zz'",
      "UPDATE KS.t SET v = null WHERE pk = 1 AND ck = 'zz'",
      "UPDATE KS.t SET v = null, n = null WHERE pk = 1 AND ck = 'b'",
      "UPDATE KS.t SET s = 'st' WHERE pk = 1",
      "UPDATE KS.t SET s = 'st2', v = 'both' WHERE pk = 1 AND ck = 'c'",
      "UPDATE KS.t SET n = 3, v = 'in' WHERE pk = 1 AND ck IN ('a', 'c', 'new', 'a')",
      "UPDATE KS.t SET v = 'multi' WHERE pk IN (1, 2, 5, 1) AND ck = 'a'",
      "UPDATE KS.t SET v = 'multi' WHERE pk IN (1, 2) AND ck IN ('a', 'q')",
      "UPDATE KS.t SET s = 'all' WHERE pk IN (1, 2, 9)",
      "UPDATE KS.t SET v = 'x' WHERE pk IN () AND ck = 'a'",
      "UPDATE KS.t SET v = 'x' WHERE pk = 1 AND ck IN ()",
      "UPDATE KS.t USING TTL 1000 SET v = 'ttl' WHERE pk = 1 AND ck = 'd'",
      "UPDATE KS.t USING TIMESTAMP 1 SET v = 'too old' WHERE pk = 1 AND ck = 'd'",
      "UPDATE KS.t USING TIMESTAMP 1 AND TTL 100 SET n = 1 WHERE pk = 7 AND ck = 'd'",
      "UPDATE KS.t SET v = 'tuple' WHERE pk = 1 AND (ck) = ('a')",
    );
    await sides.done("INSERT INTO KS.m (a, b, c, d, e, v) VALUES (1, 'x', 1, 'd', 1, 'v')");
    await sides.same("UPDATE KS.m SET v = 'w' WHERE a = 1 AND b = 'x' AND (c, d, e) = (1, 'd', 1)");
    await sides.same(
      "UPDATE KS.m SET v = 'w' WHERE a = 1 AND b IN ('x', 'y') AND c IN (1, 2) AND d = 'd' AND e IN (1, 0)",
    );
    await sides.same(
      "UPDATE KS.m SET v = 'z' WHERE a = 1 AND b = 'x' AND (c, d, e) IN ((1, 'd', 1), (5, 'f', 2))",
    );
    await sides.same("SELECT * FROM KS.m WHERE a = 1 AND b = 'x'");
    await sides.same("SELECT * FROM KS.m WHERE a = 1 AND b = 'y'");
  });

  it('DELETE', async () => {
    await script(
      "DELETE v FROM KS.t WHERE pk = 1 AND ck = 'a'",
      "DELETE v, n FROM KS.t WHERE pk = 1 AND ck = 'a'",
      "DELETE FROM KS.t WHERE pk = 1 AND ck = 'a'",
      "DELETE FROM KS.t USING TIMESTAMP 1 WHERE pk = 1 AND ck = 'b'",
      "DELETE FROM KS.t WHERE pk = 1 AND ck IN ('b', 'nothing')",
      "INSERT INTO KS.t (pk, s) VALUES (1, 'static')",
      'DELETE s FROM KS.t WHERE pk = 1',
      "DELETE FROM KS.t WHERE pk = 1 AND ck > 'c'",
      "DELETE FROM KS.t WHERE pk IN (1, 2) AND ck = 'c'",
      "DELETE FROM KS.t WHERE pk = 2 AND ck >= 'a' AND ck < 'b'",
      'DELETE FROM KS.t WHERE pk = 2',
      'DELETE FROM KS.t WHERE pk IN (1, 2, 3)',
    );
    for (const [c, d, e] of [
      [1, 'a', 1],
      [1, 'a', 2],
      [1, 'b', 1],
      [2, 'a', 1],
      [3, 'c', 3],
    ] as const) {
      await sides.done(
        `INSERT INTO KS.m (a, b, c, d, e, v) VALUES (1, 'x', ${c}, '${d}', ${e}, 'v')`,
      );
    }
    for (const where of [
      "c = 1 AND d = 'a' AND e = 1",
      "(c, d) > (2, 'z')",
      "c = 1 AND (d, e) >= ('b', 0)",
      'c IN (2, 9)',
      "(c, d, e) IN ((1, 'a', 2), (8, 'x', 8))",
    ]) {
      await sides.same(`DELETE FROM KS.m WHERE a = 1 AND b = 'x' AND ${where}`);
      await sides.same("SELECT * FROM KS.m WHERE a = 1 AND b = 'x'");
    }
  });

  it('IF EXISTS and IF NOT EXISTS', async () => {
    await script(
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'a', 'other') IF NOT EXISTS",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'new', 'fresh') IF NOT EXISTS",
      "INSERT INTO KS.t (pk, ck, s, v) VALUES (1, 'new', 's', 'again') IF NOT EXISTS",
      "INSERT INTO KS.t (pk, s) VALUES (1, 'static') IF NOT EXISTS",
      "INSERT INTO KS.t (pk, s) VALUES (1, 'static again') IF NOT EXISTS",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'b', 'x') IF NOT EXISTS USING TTL 100",
      "UPDATE KS.t SET v = 'there' WHERE pk = 1 AND ck = 'a' IF EXISTS",
      "UPDATE KS.t SET v = 'there' WHERE pk = 1 AND ck = 'nowhere' IF EXISTS",
      "UPDATE KS.t SET v = 'there' WHERE pk = 99 AND ck = 'nowhere' IF EXISTS",
      "UPDATE KS.t SET s = 'st' WHERE pk = 1 IF EXISTS",
      "UPDATE KS.t SET s = 'st' WHERE pk = 99 IF EXISTS",
      "DELETE v FROM KS.t WHERE pk = 1 AND ck = 'a' IF EXISTS",
      "DELETE FROM KS.t WHERE pk = 1 AND ck = 'a' IF EXISTS",
      "DELETE FROM KS.t WHERE pk = 1 AND ck = 'a' IF EXISTS",
      "DELETE FROM KS.t WHERE pk = 99 AND ck = 'a' IF EXISTS",
      "UPDATE KS.t SET v = 'x' WHERE pk IN (1, 2) AND ck = 'a' IF EXISTS",
      "UPDATE KS.t SET v = 'x' WHERE pk = 1 AND ck IN ('a', 'b') IF EXISTS",
      'DELETE FROM KS.t WHERE pk = 1 IF EXISTS',
      "DELETE FROM KS.t WHERE pk = 1 AND ck > 'a' IF EXISTS",
      "INSERT INTO KS.t (pk, ck, v) VALUES (1, 'b', 'x') IF NOT EXISTS USING TIMESTAMP 5",
      "UPDATE KS.t USING TIMESTAMP 5 SET v = 'x' WHERE pk = 1 AND ck = 'b' IF EXISTS",
    );
    await sides.same("INSERT INTO KS.k (pk, v) VALUES (1, 'x') IF NOT EXISTS");
    await sides.same("INSERT INTO KS.k (pk, v) VALUES (1, 'y') IF NOT EXISTS");
    await sides.same("INSERT INTO KS.k (pk, v) VALUES (1, 'y') IF NOT EXISTS", {
      serialConsistency: 9,
    });
    await sides.same('DELETE FROM KS.k WHERE pk = 1 IF EXISTS');
    await sides.same('SELECT * FROM KS.k WHERE pk = 1', { consistency: 8 });
  });

  it('BATCH as text', async () => {
    await script(
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y'); UPDATE KS.t SET n = 1 WHERE pk = 1 AND ck = 'x'; DELETE FROM KS.t WHERE pk = 1 AND ck = 'a'; APPLY BATCH",
      "BEGIN UNLOGGED BATCH USING TIMESTAMP 3 INSERT INTO KS.t (pk, ck, v) VALUES (3, 'x', 'y') UPDATE KS.t SET s = 'q' WHERE pk = 4; APPLY BATCH;",
      "BEGIN BATCH UPDATE KS.t SET v = 'in' WHERE pk IN (1, 2) AND ck IN ('b', 'c'); DELETE n FROM KS.t WHERE pk = 1 AND ck = 'b' APPLY BATCH",
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'ts', 'y') USING TIMESTAMP 9; INSERT INTO KS.t (pk, ck, v) VALUES (1, 'ttl', 'y') USING TTL 99; APPLY BATCH",
      'BEGIN BATCH APPLY BATCH',
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'c1', 'y') IF NOT EXISTS; UPDATE KS.t SET v = 'z' WHERE pk = 1 AND ck = 'b'; APPLY BATCH",
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'c1', 'y') IF NOT EXISTS; INSERT INTO KS.t (pk, ck, v) VALUES (1, 'c2', 'y') IF NOT EXISTS; APPLY BATCH",
      "BEGIN BATCH UPDATE KS.t SET v = 'e' WHERE pk = 1 AND ck = 'c1' IF EXISTS; UPDATE KS.t SET v = 'e' WHERE pk = 1 AND ck = 'none' IF EXISTS; APPLY BATCH",
      "BEGIN BATCH USING TIMESTAMP 4 INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y') USING TIMESTAMP 5; APPLY BATCH",
      "BEGIN BATCH USING TIMESTAMP 4 INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y') IF NOT EXISTS; APPLY BATCH",
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y') IF NOT EXISTS; INSERT INTO KS.t (pk, ck, v) VALUES (2, 'x', 'y') IF NOT EXISTS; APPLY BATCH",
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y') IF NOT EXISTS; INSERT INTO KS.k (pk, v) VALUES (2, 'x'); APPLY BATCH",
      "BEGIN UNLOGGED BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 'x', 'y') IF NOT EXISTS; APPLY BATCH",
    );
    await sides.same(
      "BEGIN BATCH INSERT INTO KS.t (pk, ck) VALUES (5, 'k'); INSERT INTO KS.k (pk, v) VALUES (5, 'k'); APPLY BATCH",
    );
    await sides.same('SELECT * FROM KS.k', { anyOrder: true });
  });

  it('BATCH as a message', async () => {
    const insert = 'INSERT INTO KS.t (pk, ck, v) VALUES (?, ?, ?)';
    const children = async (side: 'direct' | 'proxy', values: readonly (readonly Buffer[])[]) => {
      const answer = await sides[side].prepare(sides.text(insert, side));
      if (answer.kind !== 'prepared') throw new Error('not prepared');
      return [
        ...values.map((bound) => ({ statement: answer.id, values: bound })),
        { statement: sides.text("DELETE FROM KS.t WHERE pk = 1 AND ck = 'd'", side), values: [] },
        {
          statement: sides.text('UPDATE KS.t SET n = ? WHERE pk = 2 AND ck = ?', side),
          values: [int(5), text('b')],
        },
      ];
    };
    const values = [1, 2, 3].map((n) => [int(n), text('batched'), text(`b${String(n)}`)]);
    for (const kind of [0, 1]) {
      for (const options of [{}, { timestamp: 77n }, { consistency: 4 }]) {
        const [direct, proxy] = await Promise.all([
          sides.direct.batch(kind, await children('direct', values), options),
          sides.proxy.batch(kind, await children('proxy', values), options),
        ]);
        sides.compare(`BATCH ${String(kind)}`, {}, direct, proxy);
        await sides.same('SELECT pk, ck, s, v, n FROM KS.t', { anyOrder: true });
      }
    }
    for (const bad of [
      [{ statement: 'SELECT * FROM KS.t', values: [] }],
      [{ statement: 'INSERT INTO KS.t (pk, ck) VALUES (?, ?)', values: [int(1)] }],
      [{ statement: Buffer.alloc(16, 7), values: [] }],
      [{ statement: 'CREATE TABLE KS.nope (a int PRIMARY KEY)', values: [] }],
      [{ statement: 'INSERT INTO KS.nope (pk, ck) VALUES (1, 2)', values: [] }],
    ]) {
      const sent = (side: 'direct' | 'proxy') =>
        bad.map(({ statement, values: bound }) => ({
          statement: typeof statement === 'string' ? sides.text(statement, side) : statement,
          values: bound,
        }));
      const [direct, proxy] = await Promise.all([
        sides.direct.batch(0, sent('direct')),
        sides.proxy.batch(0, sent('proxy')),
      ]);
      sides.compare(`BATCH of ${String(bad[0]?.statement)}`, {}, direct, proxy);
    }
    sides.compare(
      'an empty BATCH',
      {},
      await sides.direct.batch(0, []),
      await sides.proxy.batch(0, []),
    );
  });

  it('null, unset and empty values', async () => {
    const insert = 'INSERT INTO KS.t (pk, ck, s, v, n) VALUES (?, ?, ?, ?, ?)';
    const key = [int(1), text('a')];
    const empty = Buffer.alloc(0);
    for (const values of [
      [...key, 'unset', 'unset', 'unset'],
      [...key, text('s'), null, 'unset'],
      [...key, empty, empty, empty],
      [...key, null, null, null],
      [null, text('a'), null, null, null],
      ['unset', text('a'), null, null, null],
      [int(1), null, null, null, null],
      [int(1), 'unset', null, null, null],
      [empty, text('a'), null, null, null],
      [int(1), empty, text('q'), text('r'), int(1)],
    ] as const) {
      const [direct, proxy] = await Promise.all(
        (['direct', 'proxy'] as const).map((side) =>
          sides[side].query(sides.text(insert, side), { values }),
        ),
      );
      if (direct === undefined || proxy === undefined) throw new Error('no answers');
      sides.compare(JSON.stringify(values), {}, direct, proxy);
      await sides.same(ALL);
    }
    for (const [cql, values] of [
      ["UPDATE KS.t SET v = ? WHERE pk = 1 AND ck = 'b'", ['unset']],
      ["UPDATE KS.t SET v = ?, n = ? WHERE pk = 1 AND ck = 'b'", ['unset', null]],
      ["UPDATE KS.t SET v = 'x' WHERE pk = ? AND ck = 'b'", [null]],
      ["UPDATE KS.t SET v = 'x' WHERE pk = ? AND ck = 'b'", ['unset']],
      ["UPDATE KS.t SET v = 'x' WHERE pk = 1 AND ck = ?", [null]],
      ["UPDATE KS.t SET v = 'x' WHERE pk = 1 AND ck = ?", ['unset']],
      ["UPDATE KS.t USING TTL ? SET v = 'x' WHERE pk = 1 AND ck = 'b'", [null]],
      ["UPDATE KS.t USING TTL ? SET v = 'x' WHERE pk = 1 AND ck = 'b'", ['unset']],
      ["UPDATE KS.t USING TTL ? SET v = 'x' WHERE pk = 1 AND ck = 'b'", [int(-1)]],
      ["UPDATE KS.t USING TTL ? SET v = 'x' WHERE pk = 1 AND ck = 'b'", [int(630720001)]],
      ["UPDATE KS.t USING TIMESTAMP ? SET v = 'x' WHERE pk = 1 AND ck = 'b'", [null]],
      ["UPDATE KS.t USING TIMESTAMP ? SET v = 'x' WHERE pk = 1 AND ck = 'b'", ['unset']],
      ['DELETE FROM KS.t WHERE pk = 1 AND ck = ?', [null]],
      ['DELETE FROM KS.t WHERE pk = 1 AND ck = ?', ['unset']],
      ['DELETE FROM KS.t WHERE pk = 1 AND ck > ?', ['unset']],
      ["DELETE FROM KS.t WHERE pk = ? AND ck = 'a'", ['unset']],
      ["DELETE FROM KS.t WHERE pk IN ? AND ck = 'a'", ['unset']],
      ["DELETE FROM KS.t WHERE pk IN ? AND ck = 'a'", [null]],
    ] as const) {
      await sides.same(cql, { values });
      await sides.same(ALL);
    }
  });

  it('types given by their classes', async () => {
    await sides.done(
      "CREATE TABLE KS.classes (pk int PRIMARY KEY, v 'org.apache.cassandra.db.marshal.Int32Type', w 'UTF8Type')",
    );
    await sides.same("INSERT INTO KS.classes (pk, v, w) VALUES (1, 2, 'x')");
    await sides.same('SELECT * FROM KS.classes');
    await sides.same(
      "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = 'KS' AND table_name = 'classes'",
    );
  });

  it('a list of nulls in IN', async () => {
    const list = new RawWriter().int(2).value(int(1)).value(null).done();
    await sides.same("UPDATE KS.t SET v = 'x' WHERE pk IN ? AND ck = 'a'", {
      values: [list],
      anyText: true,
    });
    await sides.same(ALL);
  });
}
