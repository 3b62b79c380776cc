import { afterAll, beforeAll, expect, it } from 'vitest';
import { rowsOf } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const FUNCTION = `(a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a + 1;'`;
const TWO = `(a int, b text) CALLED ON NULL INPUT RETURNS text LANGUAGE java AS $$ return b; $$`;
const STATE = `(s bigint, v int) CALLED ON NULL INPUT RETURNS bigint LANGUAGE java AS 'return s + v;'`;

/** Functions and aggregates written by users: made, described and dropped as on Cassandra, and not called on encrypted tables. */
export function describeUserFunctions(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'functions');
    await sides.done(
      'CREATE TABLE KS.t (pk int PRIMARY KEY, v int)',
      'INSERT INTO KS.t (pk, v) VALUES (1, 2)',
    );
  });

  afterAll(() => {
    sides.close();
  });

  it('makes, shows and drops them', async () => {
    for (const cql of [
      `CREATE FUNCTION KS.f ${FUNCTION}`,
      `CREATE FUNCTION KS.f ${FUNCTION}`,
      `CREATE FUNCTION IF NOT EXISTS KS.f ${FUNCTION}`,
      `CREATE OR REPLACE FUNCTION KS.f ${FUNCTION}`,
      `CREATE FUNCTION KS.f ${TWO}`,
      `CREATE FUNCTION KS.state ${STATE}`,
      'CREATE AGGREGATE KS.total (int) SFUNC state STYPE bigint INITCOND 0',
      'CREATE AGGREGATE IF NOT EXISTS KS.total (int) SFUNC state STYPE bigint INITCOND 0',
      'CREATE OR REPLACE AGGREGATE KS.total (int) SFUNC state STYPE bigint FINALFUNC nope INITCOND 0',
      'DESCRIBE FUNCTIONS',
      "SELECT function_name, argument_types, return_type, body FROM system_schema.functions WHERE keyspace_name = 'KS'",
      "SELECT aggregate_name, argument_types, state_type, initcond FROM system_schema.aggregates WHERE keyspace_name = 'KS'",
      'DROP FUNCTION KS.f',
      'DROP FUNCTION KS.state',
      'DROP FUNCTION KS.f (int, text)',
      'DROP FUNCTION IF EXISTS KS.f (int, text)',
      'DROP AGGREGATE KS.total',
      'DROP AGGREGATE KS.total (int)',
      'DROP FUNCTION KS.state',
      'DROP FUNCTION KS.f',
    ]) {
      await sides.same(cql, { anyText: true });
    }
  });

  it('describes them', async () => {
    await sides.done(`CREATE FUNCTION KS.state ${STATE}`);
    await sides.done('CREATE AGGREGATE KS.total (int) SFUNC state STYPE bigint INITCOND 0');
    for (const cql of ['DESCRIBE FUNCTION KS.state', 'DESCRIBE AGGREGATE KS.total']) {
      const [expected, actual] = [
        await sides.direct.query(sides.text(cql, 'direct')),
        await sides.proxy.query(sides.text(cql, 'proxy')),
      ].map((answer) =>
        Buffer.concat(
          rowsOf(answer, cql)
            .flat()
            .map((cell) => cell ?? Buffer.of()),
        ).toString(),
      );
      expect(actual).toBe(
        expected?.replaceAll(sides.text('KS', 'direct'), sides.text('KS', 'proxy')),
      );
    }
    await sides.done('DROP AGGREGATE KS.total', 'DROP FUNCTION KS.state');
  });

  it('are refused by Cassandra in its own words', async () => {
    for (const cql of [
      `CREATE FUNCTION nowhere.f ${FUNCTION}`,
      `CREATE FUNCTION f ${FUNCTION}`,
      `CREATE FUNCTION system.f ${FUNCTION}`,
      `CREATE FUNCTION KS.g (v KS.nope) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return 1;'`,
      'CREATE AGGREGATE KS.a (int) SFUNC nope STYPE int',
      'DROP FUNCTION KS.nope',
    ]) {
      await sides.same(cql);
    }
    await sides.same('CREATE FUNCTION KS.f (a int) RETURNS int', { anyText: true });
  });

  it('are not called on encrypted tables', async () => {
    await sides.done(`CREATE FUNCTION KS.f ${FUNCTION}`);
    for (const cql of [
      'SELECT KS.f(v) FROM KS.t',
      'SELECT sum(KS.f(v)) FROM KS.t',
      'INSERT INTO KS.t (pk, v) VALUES (2, KS.f(1))',
      'UPDATE KS.t SET v = KS.f(1) WHERE pk = 1',
      'SELECT v FROM KS.t WHERE pk = KS.f(0)',
    ]) {
      const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
      expect(answer, cql).toMatchObject({
        kind: 'error',
        code: 0x2200,
        message: expect.stringMatching(/[Ff]unctions? written by users/),
      });
    }
    await sides.same('SELECT * FROM KS.t');
    // No column of a row is in it.
    await sides.same('SELECT KS.f(4) AS f, intAsBlob(4), (int) 5 FROM system.local');
    await sides.done('DROP FUNCTION KS.f');
  });

  it('that are not there are unknown as in Cassandra, with a hint after its words', async () => {
    const cql = 'SELECT nope(v) FROM KS.t';
    const direct = await sides.direct.query(sides.text(cql, 'direct'));
    const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
    expect(direct).toMatchObject({ kind: 'error', code: 0x2200 });
    const message = direct.kind === 'error' ? direct.message : '';
    expect(message).toMatch(/^Unknown function/);
    expect(answer).toMatchObject({ kind: 'error', code: 0x2200 });
    expect(answer.kind === 'error' && answer.message.startsWith(message)).toBe(true);
  });

  it('is not made in the keyspace of the proxy', async () => {
    const answer = await sides.proxy.query(`CREATE FUNCTION cqlock.f ${FUNCTION}`);
    expect(answer).toMatchObject({ kind: 'error', message: "Keyspace 'cqlock' doesn't exist" });
  });
}
