/**
 * Counters where more than one party touches them: two proxies, a role that may not read, re-encryption, backup and restore.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../support/proxy.ts';
import { RawClient } from '../support/raw_client.ts';
import { REPLICATION, rowsOf, run } from './support/pair.ts';

const SUPERUSER = { username: 'cassandra', password: 'cassandra' };
const COUNTER_USER = { username: 'counting', password: 'secret' };
const INCREMENTS = 40;
const BATCHES = 10;

let directory: string;
let cassandra: TestCassandra;
let options: TestProxyOptions & { readonly dataDir: string };
let proxies: TestProxy[] = [];
let admin: RawClient;

const connected: RawClient[] = [];

async function connect(
  proxy: number,
  login: { readonly username: string; readonly password: string } = SUPERUSER,
): Promise<RawClient> {
  const { host, port } = proxies[proxy] as TestProxy;
  const client = await RawClient.connect({ host, port, ...login });
  connected.push(client);
  return client;
}

async function numbers(client: RawClient, cql: string): Promise<(bigint | undefined)[]> {
  return rowsOf(await client.query(cql), cql).map((row) => row[0]?.readBigInt64BE(0));
}

async function cqlock(command: string): Promise<string> {
  const { code, output } = await runCqlock(command, {
    ...options,
    env: { ...options.env, CQLOCK_LOG_LEVEL: 'silent' },
  });
  if (code !== 0) throw new Error(`cqlock ${command}: ${output}`);
  return output;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cqlock-counters-'));
  cassandra = await startCassandra({
    yaml: {
      authenticator: 'PasswordAuthenticator',
      authorizer: 'CassandraAuthorizer',
      role_manager: 'CassandraRoleManager',
      roles_validity: '100ms',
      permissions_validity: '100ms',
      credentials_validity: '100ms',
    },
  });
  options = {
    contactPoints: [`${cassandra.host}:${String(cassandra.port)}`],
    dataDir: join(directory, 'data'),
    env: {
      CQLOCK_BACKUP_TARGET: join(directory, 'backups'),
      CQLOCK_CATALOG_REFRESH: '500ms',
      CQLOCK_CATALOG_MAX_AGE: '2s',
    },
    ...SUPERUSER,
  };
  proxies = [await startProxy(options), await startProxy({ ...options, init: false })];
  admin = await connect(0);
  await run(admin, `CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
  await run(
    admin,
    'CREATE TABLE ks.c (pk int, ck int, s counter STATIC, c counter, PRIMARY KEY (pk, ck))',
  );
  await run(admin, "CREATE ROLE counting WITH LOGIN = true AND PASSWORD = 'secret'");
});

afterAll(async () => {
  for (const client of connected) client.close();
  for (const proxy of proxies) await proxy.stop();
  await cassandra?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('counters', () => {
  it('of clients of two proxies lose no increment', async () => {
    const clients = await Promise.all([0, 1, 0, 1].map((proxy) => connect(proxy)));
    await Promise.all(
      clients.map(async (client) => {
        for (let done = 0; done < INCREMENTS; done++) {
          await run(client, 'UPDATE ks.c SET c = c + 1, s = s + 2 WHERE pk = 1 AND ck = 1');
        }
      }),
    );
    const all = BigInt(clients.length * INCREMENTS);
    expect(await numbers(admin, 'SELECT c FROM ks.c WHERE pk = 1')).toEqual([all]);
    expect(await numbers(admin, 'SELECT s FROM ks.c WHERE pk = 1')).toEqual([2n * all]);
  });

  it('of several partitions in a batch are counted once while their table changes', async () => {
    const columns = Array.from({ length: 6 }, (_, n) => `c${String(n)}`);
    const declared = columns.map((column) => `${column} counter`).join(', ');
    await run(admin, `CREATE TABLE ks.batched (pk int PRIMARY KEY, ${declared})`);
    // Each partition has a stored statement of its own, so that their plans get old one by one.
    const partitions = Array.from({ length: 30 }, (_, pk) => pk);
    const updates = partitions.map((pk) => {
      const set = columns.filter((_, n) => (((pk + 1) >> n) & 1) === 1);
      return `UPDATE ks.batched SET ${set.map((c) => `${c} = ${c} + 1`).join(', ')} WHERE pk = ${String(pk)}`;
    });
    const batch = `BEGIN COUNTER BATCH ${updates.join('; ')}; APPLY BATCH`;
    const client = await connect(0);
    const changed = async (done: number): Promise<void> => {
      for (const column of [`a${String(done)}`, `b${String(done)}`]) {
        await run(admin, `ALTER TABLE ks.batched ADD ${column} counter`);
      }
    };
    for (let done = 0; done < BATCHES; done++) {
      await Promise.all([run(client, batch), changed(done)]);
    }
    const counted = await client.query(`SELECT ${columns.join(', ')} FROM ks.batched`);
    const amounts = new Set(
      rowsOf(counted, 'counters').flatMap((row) => row.map((cell) => cell?.readBigInt64BE(0))),
    );
    amounts.delete(undefined);
    expect([...amounts]).toEqual([BigInt(BATCHES)]);
  });

  it('are incremented by a role that may modify and not select', async () => {
    const client = await connect(0, COUNTER_USER);
    const increment = 'UPDATE ks.c SET c = c + 1 WHERE pk = 5 AND ck = 5';
    const batch = `BEGIN COUNTER BATCH ${increment}; UPDATE ks.c SET s = s + 1 WHERE pk = 5; APPLY BATCH`;
    const refused = { kind: 'error', code: 0x2100 };
    for (const cql of [increment, batch, 'DELETE FROM ks.c WHERE pk = 5 AND ck = 5']) {
      const answer = await client.query(cql);
      expect(answer).toMatchObject(refused);
      expect(answer.kind === 'error' && answer.message).toContain('no MODIFY permission');
    }
    await run(admin, 'GRANT MODIFY ON ks.c TO counting');
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (const cql of [increment, increment, batch]) await run(client, cql);
    expect(await client.query('SELECT c FROM ks.c WHERE pk = 5')).toMatchObject(refused);
    expect(await numbers(admin, 'SELECT c FROM ks.c WHERE pk = 5')).toEqual([3n]);
    await run(client, 'DELETE FROM ks.c WHERE pk = 5 AND ck = 5');
    await run(admin, 'REVOKE MODIFY ON ks.c FROM counting');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await client.query(increment)).toMatchObject(refused);
    expect(await numbers(admin, 'SELECT s FROM ks.c WHERE pk = 5')).toEqual([1n]);
  });

  it('are re-encrypted, backed up and restored', async () => {
    await run(admin, 'UPDATE ks.c SET c = c + 11, s = s + 12 WHERE pk = 7 AND ck = 7');
    await cqlock('rotate cells ks.c --reencrypt');
    expect(await numbers(admin, 'SELECT c FROM ks.c WHERE pk = 7')).toEqual([11n]);
    await run(admin, 'UPDATE ks.c SET c = c + 1 WHERE pk = 7 AND ck = 7');
    await cqlock('backup create ks.c');
    await cqlock('restore --from ks.c --to ks.again');
    const client = await connect(1);
    await run(client, 'UPDATE ks.again SET c = c + 100, s = s - 1 WHERE pk = 7 AND ck = 7');
    expect(await numbers(client, 'SELECT c FROM ks.again WHERE pk = 7')).toEqual([112n]);
    expect(await numbers(client, 'SELECT s FROM ks.again WHERE pk = 7')).toEqual([11n]);
    expect(await numbers(admin, 'SELECT c FROM ks.c WHERE pk = 7')).toEqual([12n]);
  });
});
