/**
 * Masked columns: the same statements, by roles with and without UNMASK and SELECT_MASKED, on a Cassandra with dynamic data masking and
 * through the proxy.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawQueryOptions } from '../support/raw_client.ts';
import { run, startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';
import { SideBySide } from './support/side_by_side.ts';

const SECRETS = /open sesame|74657820|6f70656e/;

let pair: Pair | undefined;
let admin: SideBySide;
const sidesOf = new Map<string, SideBySide>();

const ROLES: Readonly<Record<string, readonly string[]>> = {
  reader: ['SELECT ON KEYSPACE KS', 'MODIFY ON KEYSPACE KS'],
  asker: ['SELECT ON KEYSPACE KS', 'SELECT_MASKED ON KEYSPACE KS'],
  of_table: ['SELECT ON KEYSPACE KS', 'UNMASK ON TABLE KS.t'],
  of_keyspace: ['SELECT ON KEYSPACE KS', 'MODIFY ON KEYSPACE KS', 'UNMASK ON KEYSPACE KS'],
  nobody: ['MODIFY ON TABLE KS.t'],
  changer: ['SELECT ON KEYSPACE KS', 'ALTER ON KEYSPACE KS', 'CREATE ON KEYSPACE KS'],
  heir: [],
  chief: [],
  deputy: [],
};

const TABLE = `CREATE TABLE KS.t (k int, c int, s text STATIC MASKED WITH mask_outer(1, null), v text MASKED WITH mask_inner(1, 1, '#'),
  w int MASKED WITH mask_replace(7), n int, d text MASKED WITH DEFAULT, h blob MASKED WITH mask_hash('SHA-512'), l list<int> MASKED WITH mask_null(),
  m map<text, int> MASKED WITH system.mask_default(), f vector<float, 2> MASKED WITH DEFAULT, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)`;

const ROWS = [
  "INSERT INTO KS.t (k, c, s, v, w, n, d, h, l, m, f) VALUES (1, 1, 'static', 'open sesame', 3, 10, 'text of d', 0x0102, [1, 2], {'a': 1}, [1, 2])",
  "INSERT INTO KS.t (k, c, v, w, n) VALUES (1, 2, 'other', 4, 20)",
  'INSERT INTO KS.t (k, c) VALUES (1, 3)',
  "INSERT INTO KS.t (k, s) VALUES (2, 'only static')",
  "INSERT INTO KS.keyed (a, b, v) VALUES ('part', 'clus', 'value')",
  "INSERT INTO KS.keyed (a, b, v) VALUES ('part', 'other', 'value')",
];

const READS = [
  'SELECT * FROM KS.t WHERE k = 1',
  'SELECT v, w FROM KS.t WHERE k = 1 ORDER BY c ASC',
  'SELECT n FROM KS.t WHERE k = 1',
  'SELECT v AS other FROM KS.t WHERE k IN (1, 2)',
  'SELECT JSON * FROM KS.t WHERE k = 1',
  'SELECT DISTINCT k, s FROM KS.t WHERE k = 2',
  'SELECT count(*) FROM KS.t WHERE k = 1',
  'SELECT count(v), count(l), min(v), max(w), sum(w), avg(w) FROM KS.t WHERE k = 1',
  'SELECT k, max(w), v FROM KS.t WHERE k = 1 GROUP BY k',
  'SELECT c, max(w) FROM KS.t WHERE k = 1 GROUP BY k, c',
  'SELECT CAST(w AS text), w + 1, toJson(v), mask_inner(d, 1, 1), -w FROM KS.t WHERE k = 1',
  "SELECT m['a'], m['a'..'b'], map_values(m), l FROM KS.t WHERE k = 1 AND c = 1",
  'SELECT similarity_euclidean(f, [1, 2]) FROM KS.t WHERE k = 1 AND c = 1',
  'SELECT v FROM KS.t WHERE k = 1 LIMIT 1',
  'SELECT v FROM KS.t WHERE k = 1 PER PARTITION LIMIT 1',
  'SELECT n FROM KS.t WHERE n = 20 ALLOW FILTERING',
  "SELECT c, v FROM KS.t WHERE v = 'other' ALLOW FILTERING",
  "SELECT c FROM KS.t WHERE w = 3 AND d = 'text of d' AND k = 1 ALLOW FILTERING",
  'SELECT c, w FROM KS.t WHERE k = 1 AND w > 3 ALLOW FILTERING',
  "SELECT c FROM KS.t WHERE m['a'] = 1 ALLOW FILTERING",
  'SELECT c FROM KS.t WHERE l CONTAINS 1 ALLOW FILTERING',
  "SELECT * FROM KS.keyed WHERE a = 'part'",
  "SELECT * FROM KS.keyed WHERE a = 'part' AND b > 'a'",
  "SELECT v FROM KS.keyed WHERE a IN ('part') AND (b) = ('clus')",
  'SELECT * FROM KS.keyed',
  'SELECT a, b FROM KS.keyed WHERE token(a) > -9223372036854775808',
  'SELECT v FROM KS.indexed WHERE i = 5',
  'SELECT * FROM KS.by_n WHERE n = 20',
  "SELECT * FROM KS.by_v WHERE v = 'other'",
  "SELECT * FROM KS.unmasked WHERE v = 'x' ALLOW FILTERING",
  'SELECT nope FROM KS.t',
];

function role(name: string): SideBySide {
  const sides = sidesOf.get(name);
  if (sides === undefined) throw new Error(`role ${name} is not connected`);
  return sides;
}

async function connect(name: string): Promise<SideBySide> {
  if (pair === undefined) throw new Error('nothing is started');
  const sides = await SideBySide.connect(pair, 'mask', { username: name, password: 'secret' });
  sidesOf.set(`${name} ${String(sidesOf.size)}`, sides);
  return sides;
}

beforeAll(async () => {
  pair = await startPair(
    {
      yaml: {
        authenticator: 'PasswordAuthenticator',
        authorizer: 'CassandraAuthorizer',
        role_manager: 'CassandraRoleManager',
        roles_validity: '100ms',
        permissions_validity: '100ms',
        credentials_validity: '100ms',
        dynamic_data_masking_enabled: true,
        materialized_views_enabled: true,
        user_defined_functions_enabled: true,
      },
    },
    { username: 'cassandra', password: 'cassandra' },
  );
  admin = await SideBySide.open(pair, 'mask');
  sidesOf.set('admin', admin);
  await admin.done(
    TABLE,
    "CREATE TABLE KS.keyed (a text MASKED WITH DEFAULT, b text MASKED WITH mask_replace('bb'), v text, PRIMARY KEY (a, b))",
    'CREATE TABLE KS.simple (k int MASKED WITH DEFAULT PRIMARY KEY, v int)',
    'CREATE TABLE KS.indexed (k int PRIMARY KEY, i int MASKED WITH DEFAULT, v text)',
    'CREATE TABLE KS.unmasked (k int PRIMARY KEY, v text)',
    'CREATE MATERIALIZED VIEW KS.by_n AS SELECT k, c, n, v, w FROM KS.t WHERE k IS NOT NULL AND c IS NOT NULL AND n IS NOT NULL PRIMARY KEY ((n, k), c)',
    'CREATE MATERIALIZED VIEW KS.by_v AS SELECT k, c, v, w FROM KS.t WHERE k IS NOT NULL AND c IS NOT NULL AND v IS NOT NULL PRIMARY KEY (v, k, c)',
    'CREATE INDEX ON KS.indexed (i)',
    ...ROWS,
    "INSERT INTO KS.indexed (k, i, v) VALUES (1, 5, 'five')",
  );
  for (const [name, permissions] of Object.entries(ROLES)) {
    await run(admin.direct, `CREATE ROLE ${name} WITH PASSWORD = 'secret' AND LOGIN = true`);
    for (const permission of permissions) {
      // Through the proxy for its keyspace: permissions are Cassandra's.
      await run(admin.direct, admin.text(`GRANT ${permission} TO ${name}`, 'direct'));
      await run(admin.proxy, admin.text(`GRANT ${permission} TO ${name}`, 'proxy'));
    }
  }
  await run(admin.direct, 'GRANT of_keyspace TO heir');
  await run(admin.direct, 'ALTER ROLE chief WITH SUPERUSER = true');
  await run(admin.direct, 'GRANT chief TO deputy');
  for (const name of Object.keys(ROLES)) {
    sidesOf.set(
      name,
      await SideBySide.connect(pair, 'mask', { username: name, password: 'secret' }),
    );
  }
});

afterAll(async () => {
  for (const sides of sidesOf.values()) sides.close();
  await pair?.stop();
});

describe.each(Object.keys(ROLES))('role %s', (name) => {
  it('sees through the proxy what it sees directly', async () => {
    const sides = role(name);
    for (const cql of READS) {
      const shown = await sides.same(cql, { anyOrder: true, anyWarning: true });
      if (name === 'reader') expect(JSON.stringify(shown), cql).not.toMatch(SECRETS);
    }
  });

  it('sees the same by prepared statements and page by page', async () => {
    const sides = role(name);
    const one = Buffer.from([0, 0, 0, 1]);
    const values: RawQueryOptions = { values: [one] };
    await sides.samePrepared('SELECT * FROM KS.t WHERE k = ?', [values, values]);
    await sides.samePrepared('SELECT v FROM KS.t WHERE k = 1 AND w = ? ALLOW FILTERING', [values]);
    for (const pageSize of [1, 2]) {
      const pages = await Promise.all(
        (['direct', 'proxy'] as const).map((side) => paged(sides, side, pageSize)),
      );
      expect(pages[1]).toEqual(pages[0]);
    }
  });
});

async function paged(
  sides: SideBySide,
  side: 'direct' | 'proxy',
  pageSize: number,
): Promise<unknown[]> {
  const rows: unknown[] = [];
  let pagingState: Buffer | undefined;
  do {
    const options = pagingState === undefined ? { pageSize } : { pageSize, pagingState };
    const answer = await sides[side].query(
      sides.text('SELECT c, v, w FROM KS.t WHERE k = 1', side),
      options,
    );
    if (answer.kind === 'error') return [answer.code];
    if (answer.kind !== 'rows') return [answer.kind];
    rows.push(...answer.rows.map((row) => row.map((cell) => cell?.toString('hex'))));
    pagingState = answer.pagingState ?? undefined;
  } while (pagingState !== undefined);
  return rows;
}

describe('conditional writes', () => {
  it('show masks to roles without UNMASK, where Cassandra shows values, and are judged on the values', async () => {
    const { proxy } = role('reader');
    const text = (cql: string): string => admin.text(cql, 'proxy');
    const refused = await proxy.query(
      text("INSERT INTO KS.t (k, c, v) VALUES (1, 1, 'new') IF NOT EXISTS"),
    );
    const shown = (answer: typeof refused): unknown =>
      answer.kind === 'rows'
        ? answer.rows.map((row) =>
            Object.fromEntries(
              row.map((cell, at) => [answer.columns?.[at]?.name ?? '', cell?.toString('latin1')]),
            ),
          )
        : answer;
    expect(shown(refused)).toMatchObject([
      { v: 'o#########e', d: '****', w: '\0\0\0\u0007', n: '\0\0\0\n', l: undefined },
    ]);
    const condition = text("UPDATE KS.t SET n = 10 WHERE k = 1 AND c = 1 IF v = 'wrong' AND w = 3");
    expect(shown(await proxy.query(condition))).toEqual([
      { '[applied]': '\0', v: 'o#########e', w: '\0\0\0\u0007' },
    ]);
    const batch = text(
      "BEGIN BATCH INSERT INTO KS.keyed (a, b, v) VALUES ('part', 'clus', 'x') IF NOT EXISTS; APPLY BATCH",
    );
    expect(shown(await proxy.query(batch))).toMatchObject([{ a: '****', b: 'bb', v: 'value' }]);
    await role('reader').same("UPDATE KS.t SET n = 10 WHERE k = 1 AND c = 1 IF v = 'open sesame'");
    for (const name of ['of_keyspace', 'chief']) {
      await role(name).same("INSERT INTO KS.t (k, c, v) VALUES (1, 1, 'new') IF NOT EXISTS");
      await role(name).same("UPDATE KS.t SET n = 10 WHERE k = 1 AND c = 1 IF v = 'wrong'");
    }
    // Writes name masked columns freely.
    await role('reader').same("UPDATE KS.keyed SET v = 'value' WHERE a = 'part' AND b = 'clus'");
    await role('reader').same("DELETE FROM KS.keyed WHERE a = 'nobody' AND b = 'x'");
  });
});

describe('changes of masks', () => {
  it('answer as Cassandra, and are seen', async () => {
    const show = async (): Promise<void> => {
      for (const cql of [
        "SELECT * FROM system_schema.column_masks WHERE keyspace_name = 'KS'",
        "SELECT column_name, function_name FROM system_schema.column_masks WHERE keyspace_name = 'KS' AND table_name = 'by_v'",
      ]) {
        const [direct, proxy] = [
          await admin.direct.query(admin.text(cql, 'direct')),
          await admin.proxy.query(admin.text(cql, 'proxy')),
        ];
        const rows = (answer: typeof direct, keyspace: string): unknown =>
          answer.kind === 'rows'
            ? answer.rows.map((row) => row.map((c) => c?.toString('latin1').replace(keyspace, '')))
            : answer;
        expect.soft(rows(proxy, 'mask_enc'), cql).toEqual(rows(direct, 'mask_plain'));
      }
      for (const table of ['t', 'keyed', 'simple']) {
        const [direct, proxy] = await Promise.all(
          (['direct', 'proxy'] as const).map(async (side) => {
            const answer = await admin[side].query(admin.text(`DESCRIBE TABLE KS.${table}`, side));
            const text = answer.kind === 'rows' ? answer.rows[0]?.[3]?.toString('utf8') : answer;
            return typeof text === 'string'
              ? text
                  .split(' WITH CLUSTERING')[0]
                  ?.split(') WITH ')[0]
                  ?.replaceAll(/mask_(enc|plain)/g, 'KS')
              : text;
          }),
        );
        expect.soft(proxy, table).toEqual(direct);
      }
    };
    await show();
    for (const cql of [
      'ALTER TABLE KS.t ALTER v MASKED WITH mask_outer(1, 1)',
      'ALTER TABLE KS.t ALTER v MASKED WITH mask_outer(1, 1)',
      'ALTER TABLE KS.t ALTER n MASKED WITH DEFAULT',
      'ALTER TABLE KS.t ALTER d DROP MASKED',
      'ALTER TABLE KS.t ALTER d DROP MASKED',
      'ALTER TABLE KS.t ALTER k MASKED WITH DEFAULT',
      'ALTER TABLE KS.t ALTER c MASKED WITH mask_replace(-1)',
      'ALTER TABLE KS.t ADD added text MASKED WITH mask_inner(null, 2)',
      "ALTER TABLE KS.t ADD (x timestamp MASKED WITH mask_replace('2020-01-01'), y uuid MASKED WITH mask_null(), z text)",
      'ALTER TABLE KS.t ALTER IF EXISTS nope MASKED WITH DEFAULT',
      'ALTER TABLE KS.t ALTER nope MASKED WITH DEFAULT',
      'ALTER TABLE KS.t ALTER nope DROP MASKED',
      'ALTER TABLE KS.nope ALTER v MASKED WITH DEFAULT',
      'ALTER TABLE IF EXISTS KS.nope ALTER v MASKED WITH DEFAULT',
      'ALTER TABLE KS.t ALTER v MASKED WITH count()',
      'ALTER TABLE KS.t ALTER n MASKED WITH mask_hash()',
      'ALTER TABLE KS.t ALTER n MASKED WITH mask_default(1)',
      'ALTER TABLE KS.by_n ALTER v MASKED WITH DEFAULT',
      'CREATE TABLE IF NOT EXISTS KS.t (k int MASKED WITH DEFAULT PRIMARY KEY)',
    ]) {
      await admin.same(cql);
    }
    for (const cql of [
      'ALTER TABLE KS.t ALTER n MASKED WITH mask_inner(1, 1)',
      "ALTER TABLE KS.t ALTER v MASKED WITH mask_inner('a', 1)",
      'ALTER TABLE KS.t ALTER v MASKED WITH nope()',
      'ALTER TABLE KS.t ALTER v MASKED WITH to_date()',
      "CREATE TABLE KS.bad (k int PRIMARY KEY, v int MASKED WITH mask_replace('a'))",
    ]) {
      const seen = await admin.same(cql, { anyText: true, anyWarning: true }).catch(() => ({}));
      expect(seen, cql).toMatchObject({ kind: 'error' });
    }
    expect(
      await admin.proxy.query(
        admin.text('ALTER TABLE KS.t ALTER v MASKED WITH mask_replace(?)', 'proxy'),
      ),
    ).toMatchObject({ kind: 'error', code: 0x2200 });
    await show();
    await admin.done("INSERT INTO KS.t (k, c, added, x) VALUES (1, 1, 'added text', 1)");
    for (const name of ['reader', 'of_keyspace']) {
      for (const cql of READS.slice(0, 12)) {
        await role(name).same(cql, { anyOrder: true, anyWarning: true });
      }
    }
    await admin.done(
      'ALTER TABLE KS.t RENAME k TO kk',
      'ALTER TABLE KS.simple ALTER v MASKED WITH DEFAULT',
      'ALTER TABLE KS.simple DROP v',
      'ALTER TABLE KS.simple ADD v int',
      'INSERT INTO KS.simple (k, v) VALUES (1, 1)',
    );
    await role('of_keyspace').same('SELECT * FROM KS.t', { anyOrder: true });
    await role('reader').same('SELECT * FROM KS.simple');
    await role('reader').same('SELECT * FROM KS.t', { anyOrder: true });
    await admin.done(
      'ALTER TABLE KS.t RENAME kk TO k',
      'ALTER TABLE KS.t ALTER k DROP MASKED',
      'ALTER TABLE KS.t ALTER c DROP MASKED',
    );
  });

  it('need ALTER', async () => {
    await role('reader').same('ALTER TABLE KS.unmasked ALTER v MASKED WITH DEFAULT');
    await role('reader').same('ALTER TABLE KS.keyed ALTER b DROP MASKED');
    await role('changer').same('ALTER TABLE KS.unmasked ALTER v MASKED WITH DEFAULT');
    await admin.done("INSERT INTO KS.unmasked (k, v) VALUES (1, 'x')");
    await role('reader').same('SELECT * FROM KS.unmasked');
    await role('changer').same('ALTER TABLE KS.unmasked ALTER v DROP MASKED');
    await role('reader').same('SELECT * FROM KS.unmasked');
  });

  it('hold for statements that were prepared before', async () => {
    const { proxy } = role('reader');
    const prepared = await proxy.prepare(
      admin.text('SELECT v FROM KS.unmasked WHERE k = 1', 'proxy'),
    );
    if (prepared.kind !== 'prepared') throw new Error('not prepared');
    const value = async (): Promise<unknown> => {
      const answer = await proxy.execute(prepared.id, {});
      return answer.kind === 'rows' ? answer.rows[0]?.[0]?.toString() : answer;
    };
    expect(await value()).toBe('x');
    await admin.done('ALTER TABLE KS.unmasked ALTER v MASKED WITH DEFAULT');
    expect(await value()).toBe('****');
    await admin.done('ALTER TABLE KS.unmasked ALTER v DROP MASKED');
    expect(await value()).toBe('x');
  });

  it('are the proxy’s: Cassandra’s own masks on stored columns show no value to anybody', async () => {
    const text = admin.text('ALTER TABLE KS.keyed ALTER v MASKED WITH DEFAULT', 'proxy');
    await run(admin.direct, text);
    const read = admin.text("SELECT v FROM KS.keyed WHERE a = 'part'", 'proxy');
    expect(await role('asker').proxy.query(read)).toMatchObject({ kind: 'error' });
    await run(admin.direct, text.replace('MASKED WITH DEFAULT', 'DROP MASKED'));
  });
});

describe('permissions', () => {
  it('that are given or taken count for new connections at once', async () => {
    const cql = 'SELECT v FROM KS.t WHERE k = 1 AND c = 2';
    for (const verb of ['GRANT', 'REVOKE'] as const) {
      const end = verb === 'GRANT' ? 'TO' : 'FROM';
      await admin.done(`${verb} UNMASK ON KS.t ${end} reader`);
      const sides = await connect('reader');
      await expect
        .poll(async () => JSON.stringify(await seenBy(sides, 'direct', cql)), { timeout: 30_000 })
        .toMatch(verb === 'GRANT' ? /other/ : /\*/);
      const fresh = await connect('reader');
      await fresh.same(cql);
    }
    for (const list of ['UNMASK ON KS.t OF of_table', 'SELECT_MASKED OF asker']) {
      const shown = JSON.stringify(await seenBy(admin, 'proxy', `LIST ${list}`));
      expect(shown).toMatch(/mask_enc/);
    }
  });
});

async function seenBy(sides: SideBySide, side: 'direct' | 'proxy', cql: string): Promise<unknown> {
  const answer = await sides[side].query(sides.text(cql, side));
  return answer.kind === 'rows' ? answer.rows.map((row) => row.map(String)) : answer;
}
