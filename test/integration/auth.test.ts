/**
 * Authentication and permissions are Cassandra's own: the same roles and statements beside each other, on a Cassandra with
 * passwords and permissions.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame, RawClient } from '../support/raw_client.ts';
import type { RawResult } from '../support/raw_codec.ts';
import { OP, RawWriter } from '../support/raw_codec.ts';
import { run, startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';
import { RawSocket, resultOf } from './support/raw_socket.ts';
import { SideBySide } from './support/side_by_side.ts';

const UNAUTHORIZED = '2100';

let pair: Pair | undefined;
let admin: SideBySide;
const opened: SideBySide[] = [];

function both(): Pair {
  if (pair === undefined) throw new Error('nothing is started');
  return pair;
}

beforeAll(async () => {
  const superuser = { username: 'cassandra', password: 'cassandra' };
  pair = await startPair(
    {
      yaml: {
        authenticator: 'PasswordAuthenticator',
        authorizer: 'CassandraAuthorizer',
        role_manager: 'CassandraRoleManager',
        roles_validity: '100ms',
        permissions_validity: '100ms',
        credentials_validity: '100ms',
      },
    },
    superuser,
  );
  admin = await SideBySide.open(pair, 'auth');
  opened.push(admin);
  await admin.done(
    'CREATE TYPE KS.pair (a int)',
    'CREATE TABLE KS.t (pk int, ck int, v text, PRIMARY KEY (pk, ck))',
    "INSERT INTO KS.t (pk, ck, v) VALUES (1, 1, 'one')",
  );
  for (const [role, permissions] of Object.entries(ROLES)) {
    await run(admin.direct, `CREATE ROLE ${role} WITH PASSWORD = 'secret' AND LOGIN = true`);
    for (const permission of permissions) {
      for (const side of ['direct', 'proxy'] as const) {
        await run(admin.direct, admin.text(`GRANT ${permission} TO ${role}`, side));
      }
    }
  }
});

afterAll(async () => {
  for (const sides of opened) sides.close();
  await pair?.stop();
});

const ROLES: Readonly<Record<string, readonly string[]>> = {
  nothing: [],
  reader: ['SELECT ON KEYSPACE KS'],
  writer: ['MODIFY ON TABLE KS.t'],
  both_of_table: ['SELECT ON TABLE KS.t', 'MODIFY ON TABLE KS.t'],
  maker: ['CREATE ON KEYSPACE KS'],
  changer: ['ALTER ON KEYSPACE KS'],
  dropper: ['DROP ON KEYSPACE KS'],
};

const DATA = [
  'SELECT * FROM KS.t WHERE pk = 1',
  'SELECT v FROM KS.t WHERE pk IN (1, 2)',
  'SELECT count(*) FROM KS.t WHERE pk = 1',
  "INSERT INTO KS.t (pk, ck, v) VALUES (1, 2, 'two')",
  "INSERT INTO KS.t (pk, ck, v) VALUES (1, 3, 'three') IF NOT EXISTS",
  "UPDATE KS.t SET v = 'x' WHERE pk IN (1, 2) AND ck IN (1, 2)",
  "UPDATE KS.t SET v = 'x' WHERE pk = 1 AND ck = 1 IF EXISTS",
  'DELETE FROM KS.t WHERE pk = 1 AND ck = 9',
  "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 2, 'two'); DELETE FROM KS.t WHERE pk = 1 AND ck = 8; APPLY BATCH",
  "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 3, 'x') IF NOT EXISTS; APPLY BATCH",
  'TRUNCATE KS.t',
];

const SCHEMA = [
  'CREATE TABLE KS.t (pk int PRIMARY KEY)',
  'CREATE TABLE KS.made (pk int PRIMARY KEY)',
  'CREATE TABLE IF NOT EXISTS KS.made (pk int PRIMARY KEY)',
  'CREATE TYPE KS.made_type (a int)',
  'ALTER TABLE KS.t ADD w text',
  'ALTER TABLE KS.t RENAME ck TO c',
  'ALTER TABLE KS.t RENAME c TO ck',
  'ALTER TABLE KS.t DROP w',
  "ALTER TABLE KS.t WITH comment = 'x'",
  'ALTER TYPE KS.pair ADD b int',
  'ALTER KEYSPACE KS WITH durable_writes = true',
  'DROP TABLE KS.made',
  'DROP TABLE KS.nothing',
  'DROP TYPE KS.made_type',
  'DROP KEYSPACE KS_other',
  "CREATE KEYSPACE KS_new WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  'CREATE TABLE nowhere.t (pk int PRIMARY KEY)',
  'SELECT * FROM KS.unknown',
  'USE KS',
];

const OTHERS = [
  'LIST ROLES',
  "CREATE ROLE other WITH PASSWORD = 'x' AND LOGIN = true",
  'GRANT SELECT ON KS.t TO nothing',
  'REVOKE SELECT ON KS.t FROM nothing',
  'LIST ALL PERMISSIONS OF nothing',
  'LIST ALL PERMISSIONS OF reader',
  'DROP ROLE other',
];

describe.each(Object.keys(ROLES))('role %s', (role) => {
  it('may do through the proxy what it may do directly', async () => {
    const sides = await SideBySide.connect(both(), 'auth', { username: role, password: 'secret' });
    opened.push(sides);
    let refused = 0;
    for (const cql of [...DATA, ...SCHEMA, ...OTHERS]) {
      const seen = await sides.same(cql);
      if (seen['code'] === UNAUTHORIZED) refused++;
    }
    for (const cql of [
      'SELECT v FROM KS.t WHERE pk = 1',
      'INSERT INTO KS.t (pk, ck) VALUES (1, 5)',
    ]) {
      await sides.samePrepared(cql, [{}]);
    }
    expect(refused).toBeGreaterThan(10);
    await admin.done("INSERT INTO KS.t (pk, ck, v) VALUES (1, 1, 'one')");
  });
});

describe('masks while masking is off, as it is by default', () => {
  it('have no effect, but for the permission to ask for the column', async () => {
    await admin.same('CREATE TABLE KS.masked (pk int PRIMARY KEY, v text MASKED WITH DEFAULT)');
    await admin.done(
      'CREATE TABLE KS.masked (pk int PRIMARY KEY, w int)',
      // Cassandra takes this one.
      'ALTER TABLE KS.masked ADD v text MASKED WITH DEFAULT',
      "INSERT INTO KS.masked (pk, w, v) VALUES (1, 2, 'clear')",
    );
    await admin.same('ALTER TABLE KS.masked ALTER w MASKED WITH DEFAULT');
    const sides = await SideBySide.connect(both(), 'auth', {
      username: 'reader',
      password: 'secret',
    });
    opened.push(sides);
    expect(JSON.stringify(await sides.same('SELECT v, w FROM KS.masked WHERE pk = 1'))).toContain(
      Buffer.from('clear').toString('hex'),
    );
    await sides.same("SELECT v FROM KS.masked WHERE v = 'clear' ALLOW FILTERING");
    await admin.done('ALTER TABLE KS.masked ALTER v DROP MASKED');
    await sides.same("SELECT v FROM KS.masked WHERE v = 'clear' ALLOW FILTERING");
  });
});

describe('what a refused statement leaves behind', () => {
  it('no table, no record and no key', async () => {
    const sides = await SideBySide.connect(both(), 'auth', {
      username: 'nothing',
      password: 'secret',
    });
    opened.push(sides);
    const kmsCalls = async (): Promise<string[]> => {
      const text = await (await fetch(`${both().started?.http ?? ''}/metrics`)).text();
      return text.split('\n').filter((line) => /^cqlock_kms\w*(count|total)/.test(line));
    };
    const tables = rows(
      await admin.direct.query(
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'cqlock' AND table_name = 'records'",
      ),
    );
    const records = async (): Promise<unknown> =>
      Promise.all(
        tables.map(async ([name]) =>
          rows(await admin.direct.query(`SELECT * FROM cqlock.${String(name)}`)).map((row) =>
            row.map((cell) => cell?.toString('latin1') ?? null),
          ),
        ),
      );
    const before = [await records(), await kmsCalls()];
    expect(JSON.stringify(before[0])).toContain('auth_enc');
    expect(before[1]).not.toEqual([]);
    const answer = await sides.proxy.query(
      sides.text('CREATE TABLE KS.refused (pk int PRIMARY KEY)', 'proxy'),
    );
    expect(answer).toMatchObject({ kind: 'error', code: 0x2100 });
    expect([await records(), await kmsCalls()]).toEqual(before);
    // Nothing of the name is left: whoever may can make it.
    await admin.done('CREATE TABLE KS.refused (pk int PRIMARY KEY)', 'DROP TABLE KS.refused');
  });

  it('permissions that are taken away are gone at the proxy too', async () => {
    const sides = await SideBySide.connect(both(), 'auth', {
      username: 'nothing',
      password: 'secret',
    });
    opened.push(sides);
    const cql = 'SELECT v FROM KS.t WHERE pk = 1 AND ck = 1';
    for (const allowed of [false, true, false]) {
      for (const side of ['direct', 'proxy'] as const) {
        await run(
          admin.direct,
          admin.text(
            allowed ? 'GRANT SELECT ON KS.t TO nothing' : 'REVOKE SELECT ON KS.t FROM nothing',
            side,
          ),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect((await sides.same(cql))['kind']).toBe(allowed ? 'rows' : 'error');
      expect((await sides.samePrepared(cql, [{}])).at(-1)?.['kind']).toBe(
        allowed ? 'rows' : 'error',
      );
    }
  });
});

describe('the proxy’s own keyspace', () => {
  it('is not there for clients, also not for superusers', async () => {
    const { proxy } = admin;
    for (const cql of [
      'GRANT SELECT ON KEYSPACE cqlock TO nothing',
      'GRANT SELECT ON cqlock.records TO nothing',
      'REVOKE SELECT ON KEYSPACE cqlock FROM nothing',
      'LIST ALL PERMISSIONS ON KEYSPACE cqlock OF nothing',
      'GRANT EXECUTE ON ALL FUNCTIONS IN KEYSPACE cqlock TO nothing',
      'GRANT EXECUTE ON FUNCTION cqlock.f(int) TO nothing',
    ]) {
      expect(await proxy.query(cql), cql).toMatchObject({ kind: 'error' });
    }
    await run(admin.direct, 'GRANT SELECT ON KEYSPACE cqlock TO nothing');
    await run(admin.direct, 'GRANT EXECUTE ON ALL FUNCTIONS IN KEYSPACE cqlock TO nothing');
    const listed = rows(await proxy.query('LIST ALL PERMISSIONS OF nothing'));
    expect(JSON.stringify(listed.map((row) => row.map(String)))).not.toContain('cqlock');
    expect(await proxy.query('SELECT keyspace_name FROM system_schema.keyspaces')).toMatchObject({
      kind: 'rows',
    });
    for (const cql of [
      'SELECT * FROM system_schema.keyspaces',
      'SELECT * FROM system_schema.tables',
      'SELECT * FROM system_auth.role_permissions',
      'DESCRIBE KEYSPACES',
      'DESCRIBE SCHEMA',
    ]) {
      const answer = await proxy.query(cql);
      const text =
        answer.kind === 'rows'
          ? answer.rows.map((row) => row.map(String).join(' ')).join('\n')
          : '';
      expect(text, cql).not.toMatch(/\bcqlock\b/);
    }
    await run(admin.direct, 'REVOKE SELECT ON KEYSPACE cqlock FROM nothing');
    await run(admin.direct, 'REVOKE EXECUTE ON ALL FUNCTIONS IN KEYSPACE cqlock FROM nothing');
  });
});

describe('SASL', () => {
  const startup = encodeFrame(
    4,
    0,
    1,
    OP.startup,
    new RawWriter().stringMap({ CQL_VERSION: '3.0.0' }).done(),
  );
  const login = (token: string): Buffer =>
    encodeFrame(4, 0, 2, OP.authResponse, new RawWriter().value(Buffer.from(token)).done());

  /** What both sides answer to the same bytes. */
  async function answers(messages: readonly Buffer[]): Promise<unknown[]> {
    const results = [];
    for (const endpoint of [both().direct, both().proxy]) {
      const socket = await RawSocket.open(endpoint);
      const seen: unknown[] = [];
      for (const [index, message] of messages.entries()) {
        socket.send(message);
        const frame = (await socket.seen(index + 1))[index];
        if (frame === undefined) throw new Error('no answer');
        const answer = resultOf(frame);
        seen.push([
          frame.opcode,
          frame.stream,
          answer.kind === 'error' ? [answer.code, answer.message] : frame.body.toString('latin1'),
        ]);
      }
      socket.end();
      results.push(seen);
    }
    return results;
  }

  it.each([
    ['a good password', [startup, login('\0cassandra\0cassandra')]],
    ['a bad password', [startup, login('\0cassandra\0wrong')]],
    ['a role that is not there', [startup, login('\0nobody\0x')]],
    ['a token without a password', [startup, login('\0cassandra')]],
    ['an empty token', [startup, login('')]],
    ['a second attempt', [startup, login('\0cassandra\0wrong'), login('\0cassandra\0cassandra')]],
  ] as const)('%s', async (_name, messages) => {
    const [direct, proxy] = await answers(messages);
    expect(proxy).toEqual(direct);
  });

  it('a request before the password is refused and nothing of it is run', async () => {
    const cql = admin.text("INSERT INTO KS.t (pk, ck, v) VALUES (66, 6, 'x')", 'proxy');
    const body = new RawWriter().longString(cql).short(1).byte(0).done();
    const socket = await RawSocket.open(both().proxy);
    socket.send(startup);
    await socket.seen(1);
    socket.send(encodeFrame(4, 0, 3, OP.query, body));
    const frame = (await socket.seen(2))[1];
    expect(frame && resultOf(frame)).toMatchObject({ kind: 'error', code: 0x0a });
    socket.end();
    expect(
      rows(await admin.proxy.query(admin.text('SELECT * FROM KS.t WHERE pk = 66', 'proxy'))),
    ).toEqual([]);
  });

  it('a connection with a bad password is no use', async () => {
    await expect(
      RawClient.connect({ ...both().proxy, username: 'cassandra', password: 'x' }),
    ).rejects.toThrow(/username|password/i);
  });
});

function rows(answer: RawResult): readonly (readonly (Buffer | null)[])[] {
  if (answer.kind !== 'rows') throw new Error(JSON.stringify(answer));
  return answer.rows;
}
