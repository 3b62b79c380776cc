/**
 * CQLOCK_USER_FUNCTIONS=in_cassandra: functions written by users called in selections on encrypted tables give what they give on
 * plain tables, by the permissions of the client's role.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SideBySide } from './support/side_by_side.ts';
import { REPLICATION, startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';

const SUPERUSER = { username: 'cassandra', password: 'cassandra' };
const PLUS = `(a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a + 1;'`;

let pair: Pair;
let sides: SideBySide;

beforeAll(async () => {
  pair = await startPair(
    {
      yaml: {
        authenticator: 'PasswordAuthenticator',
        authorizer: 'CassandraAuthorizer',
        permissions_validity: '100ms',
        roles_validity: '100ms',
      },
    },
    { ...SUPERUSER, env: { CQLOCK_USER_FUNCTIONS: 'in_cassandra' } },
  );
  sides = await SideBySide.connect(pair, 'user_functions', SUPERUSER);
  await sides.done(
    `CREATE KEYSPACE KS WITH replication = ${REPLICATION}`,
    'CREATE TYPE KS.u (x int)',
    'CREATE TABLE KS.t (pk int, ck int, v int, w text, l list<int>, d decimal, o frozen<u>, PRIMARY KEY (pk, ck))',
    'CREATE MATERIALIZED VIEW KS.by_w AS SELECT * FROM KS.t WHERE w IS NOT NULL AND pk IS NOT NULL AND ck IS NOT NULL PRIMARY KEY (w, pk, ck)',
    `CREATE FUNCTION KS.f ${PLUS}`,
    `CREATE FUNCTION KS.f (a text) CALLED ON NULL INPUT RETURNS text LANGUAGE java AS $$ return a == null ? "none" : a + "!"; $$`,
    `CREATE FUNCTION KS."G" (a int, b text) CALLED ON NULL INPUT RETURNS text LANGUAGE java AS $$ return a + b; $$`,
    `CREATE FUNCTION KS.size (a list<int>) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a.size();'`,
    `CREATE FUNCTION KS.twice (a decimal) RETURNS NULL ON NULL INPUT RETURNS list<decimal> LANGUAGE java AS 'return java.util.Arrays.asList(a, a);'`,
    `CREATE FUNCTION KS.fails (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'throw new RuntimeException("no");'`,
    `CREATE FUNCTION KS.of_u (a u) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return 1;'`,
    `CREATE FUNCTION KS.state (s bigint, v int) CALLED ON NULL INPUT RETURNS bigint LANGUAGE java AS 'return s + v;'`,
    'CREATE AGGREGATE KS.total (int) SFUNC state STYPE bigint INITCOND 0',
  );
  for (let n = 0; n < 12; n++) {
    const cells = n % 4 === 3 ? '' : `, v: ${String(n)}`;
    await sides.done(
      `INSERT INTO KS.t JSON '${JSON.stringify({ pk: n % 3, ck: n, w: `w${String(n % 2)}`, l: [n, n], d: n / 4 }).replace(/}$/, cells.replace(', v', ', "v"'))}}'`,
    );
  }
}, 300_000);

afterAll(async () => {
  sides.close();
  await pair.stop();
});

describe('calls in a selection', () => {
  it.each([
    'SELECT KS.f(v) FROM KS.t WHERE pk = 1',
    'SELECT f(v), f(w) FROM KS.t WHERE pk = 0',
    'SELECT ck, KS.f(KS.f(v)) AS x, KS.f(v), v FROM KS.t WHERE pk IN (0, 1, 2) AND ck > 3',
    'SELECT KS."G"(v, w), KS.size(l), KS.twice(d) FROM KS.t WHERE pk = 2 ORDER BY ck DESC',
    'SELECT KS."G"(null, \'x\'), KS.f((text)null), KS.f(4) FROM KS.t WHERE pk = 2 LIMIT 2',
    'SELECT sum(KS.f(v)), count(KS.f(v)), max(KS.f(w)) FROM KS.t WHERE pk = 1',
    'SELECT pk, sum(KS.f(v)) FROM KS.t WHERE pk = 1 GROUP BY pk, ck',
    'SELECT abs(KS.f(v)) + 1, cast(KS.f(v) AS text) FROM KS.t WHERE pk = 1',
    'SELECT JSON KS.f(v) AS f, KS.twice(d) AS d FROM KS.t WHERE pk = 1',
    'SELECT KS.f(v) FROM KS.t WHERE pk = 1 AND v > 2 ALLOW FILTERING',
    "SELECT KS.f(v) FROM KS.by_w WHERE w = 'w1' AND pk = 1",
    'SELECT KS.f(v) FROM KS.t WHERE pk = 99',
    'SELECT KS.f(v, v) FROM KS.t WHERE pk = 1',
    'SELECT KS.f(d) FROM KS.t WHERE pk = 1',
    'SELECT KS.size(v) FROM KS.t WHERE pk = 1',
    'SELECT KS.fails(v) FROM KS.t WHERE pk = 1',
  ])('%s', async (cql) => {
    // Signatures are named in any order there.
    await sides.same(cql, { anyText: /fails|v, v|f\(d\)/.test(cql) });
  });

  it('in scans and pages', async () => {
    await sides.same('SELECT pk, ck, KS.f(v) FROM KS.t', { anyOrder: true });
    for (const pageSize of [1, 3, 4]) {
      await sides.samePrepared('SELECT KS.f(v), KS."G"(v, ?) FROM KS.t WHERE pk = ?', [
        { values: [Buffer.from('y'), Buffer.of(0, 0, 0, 1)], pageSize },
      ]);
    }
  });

  it('refuses what it cannot evaluate, by name', async () => {
    for (const cql of [
      'SELECT KS.total(v) FROM KS.t',
      'SELECT KS.of_u(o) FROM KS.t',
      'SELECT KS.f(max(v)) FROM KS.t',
      'SELECT v FROM KS.t WHERE pk = KS.f(0)',
      'INSERT INTO KS.t (pk, ck, v) VALUES (2, 2, KS.f(1))',
      'SELECT KS.nope(v) FROM KS.t',
    ]) {
      const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
      expect(answer, cql).toMatchObject({ kind: 'error', code: 0x2200 });
    }
  });

  it('of a statement that was prepared before its function got another type', async () => {
    const cql = 'SELECT KS.changing(v) AS c FROM KS.t WHERE pk = 1';
    await sides.done(`CREATE FUNCTION KS.changing ${PLUS}`);
    const prepared = await sides.proxy.prepare(sides.text(cql, 'proxy'));
    if (prepared.kind !== 'prepared') throw new Error('not prepared');
    expect(await sides.proxy.execute(prepared.id, {})).toMatchObject({ kind: 'rows' });
    await sides.done(
      'DROP FUNCTION KS.changing',
      `CREATE FUNCTION KS.changing (a int) CALLED ON NULL INPUT RETURNS text LANGUAGE java AS 'return "" + a;'`,
    );
    // Drivers prepare again by themselves.
    expect(await sides.proxy.execute(prepared.id, {})).toMatchObject({
      kind: 'error',
      code: 0x2500,
    });
    await sides.samePrepared(cql, [{}]);
  });

  it('needs EXECUTE of the client', async () => {
    await sides.direct.query("CREATE ROLE reader WITH PASSWORD = 'reader' AND LOGIN = true");
    await sides.done('GRANT SELECT ON KEYSPACE KS TO reader');
    const role = { username: 'reader', password: 'reader' };
    const reader = await SideBySide.connect(pair, 'user_functions', role);
    const cql = 'SELECT KS.f(v) FROM KS.t WHERE pk = 1';
    await expect
      .poll(async () => (await reader.direct.query(reader.text(cql, 'direct'))).kind)
      .toBe('error');
    await reader.same(cql, { anyText: true });
    await sides.done('GRANT EXECUTE ON FUNCTION KS.f(int) TO reader');
    await expect
      .poll(async () => (await reader.direct.query(reader.text(cql, 'direct'))).kind)
      .toBe('rows');
    await expect
      .poll(async () => (await reader.proxy.query(reader.text(cql, 'proxy'))).kind)
      .toBe('rows');
    await reader.same(cql);
    reader.close();
  });
});
