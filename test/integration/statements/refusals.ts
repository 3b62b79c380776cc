import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** What the proxy does not do yet: refused by name, nothing of it executed, the connection goes on. */
export function describeRefusals(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'refusals');
    await sides.done(
      'CREATE TABLE KS.t (pk int, ck text, v text, n int, PRIMARY KEY (pk, ck))',
      "INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 'a', 'v', 1)",
    );
  });

  afterAll(() => {
    sides.close();
  });

  /** All that a refused statement might have changed, as Cassandra has it. */
  async function stored(): Promise<unknown> {
    const keyspace = sides.text('KS', 'proxy');
    const answers = [];
    for (const cql of [
      `SELECT * FROM ${keyspace}.t`,
      `SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.columns WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.indexes WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.views WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.functions WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.types WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.triggers WHERE keyspace_name = '${keyspace}'`,
      `SELECT * FROM system_schema.keyspaces`,
    ]) {
      const answer = await sides.direct.query(cql);
      answers.push(answer.kind === 'rows' ? answer.rows : answer);
    }
    return answers;
  }

  it.each([
    ['CREATE TABLE KS.x (pk int PRIMARY KEY) WITH COMPACT STORAGE', /COMPACT STORAGE/],
    [
      'CREATE TABLE KS.x (pk int PRIMARY KEY) WITH ID = 5a1c395e-b41f-11e5-9f22-ba0be0483c18',
      /WITH ID/,
    ],
    [
      "CREATE TABLE KS.x (pk int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {'cdc_specification': {'view_type': 'NEW_IMAGE'}}",
      /cdc_specification/,
    ],
    ['CREATE TABLE KS.x (pk int PRIMARY KEY, cqlock_v text)', /reserved/],
    ['ALTER TABLE KS.t ADD cqlock_x text', /reserved/],
    ['ALTER TABLE KS.t RENAME ck TO cqlock_ck', /reserved/],
    ["CREATE CUSTOM INDEX ON KS.t (v) USING 'org.apache.cassandra.index.sasi.SASIIndex'", /SASI/i],
    [
      'CREATE MATERIALIZED VIEW KS.mv AS SELECT * FROM KS.t WHERE pk IS NOT NULL AND ck IS NOT NULL PRIMARY KEY (ck, pk)',
      /VIEW/i,
    ],
    ["CREATE TRIGGER tr ON KS.t USING 'x'", /TRIGGER/i],
    ['INSERT INTO system_traces.sessions (session_id) VALUES (now())', /system_traces/],
    ["INSERT INTO system_auth.roles (role) VALUES ('x')", /system_auth/],
    ["DELETE FROM system_schema.tables WHERE keyspace_name = 'KS'", /system_schema/],
    [
      "CREATE KEYSPACE cqlock WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      /reserved/,
    ],
    ['DROP KEYSPACE cqlock', /doesn't exist/],
    ['ALTER KEYSPACE cqlock WITH durable_writes = false', /doesn't exist/],
    ['DROP TABLE cqlock.records', /does ?n.t exist|does not exist/],
    ['SELECT * FROM cqlock.records', /does not exist/],
    ['USE cqlock', /does not exist/],
    ['DROP KEYSPACE system', /not user-modifiable|is not/],
    ['RESTORE TABLE KS.x FROM TABLE KS.t', /no complete backup/],
    ["RESTORE TABLE KS.x FROM TABLE KS.t WITH tags = {'a': 'b'}", /TAGS/],
    ["RESTORE TABLE KS.x FROM TABLE KS.t WITH comment = 'x'", /Unknown property 'comment'/],
    ["RESTORE TABLE KS.x FROM TABLE KS.t WITH restore_timestamp = 'x'", /./],
    ['RESTORE TABLE KS.x', /line 1/],
    ['RESTORE TABLE system.x FROM TABLE KS.t', /not user-modifiable/],
    ['RESTORE TABLE KS.x FROM TABLE cqlock.records', /does not exist/],
  ])('%s', async (cql, reason) => {
    const before = await stored();
    const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
    expect(answer).toMatchObject({ kind: 'error' });
    if (answer.kind !== 'error') return;
    expect([0x2000, 0x2100, 0x2200, 0x2300]).toContain(answer.code);
    expect(answer.message).toMatch(reason);
    const prepared = await sides.proxy.prepare(sides.text(cql, 'proxy'));
    if (/^(SELECT|INSERT|UPDATE|DELETE|BEGIN)/.test(cql))
      expect(prepared.kind, 'PREPARE').toBe('error');
    expect(await stored()).toEqual(before);
    expect(
      await sides.proxy.query(sides.text('SELECT v FROM KS.t WHERE pk = 1', 'proxy')),
    ).toMatchObject({ kind: 'rows' });
  });
}
