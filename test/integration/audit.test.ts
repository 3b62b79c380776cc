/**
 * The audit log on a real Cassandra with passwords and permissions: who used which key for which table, as files, as tables of
 * `system_encryption`, and as chains that `cqlock audit verify` computes again.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import cassandra from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../src/kms/index.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { RawClient } from '../support/raw_client.ts';
import { inParallel, REPLICATION, run, startPair } from './support/pair.ts';
import type { Pair } from './support/pair.ts';

const SUPERUSER = { username: 'cassandra', password: 'cassandra' };
const ALICE = { username: 'alice', password: 'secret' };

interface Line {
  readonly kind: string;
  readonly seq: number;
  readonly process: string;
  readonly operation: string;
  readonly key: string;
  readonly table: string | null;
  readonly principal: string;
  readonly origin: string;
  readonly result: string;
  readonly error: string | null;
  readonly context: Readonly<Record<string, string>>;
}

let pair: Pair | undefined;
let proxy: TestProxy;
let admin: RawClient;
let driver: cassandra.Client;
const open: { close(): void }[] = [];

async function connect(to: TestProxy, role: typeof ALICE): Promise<RawClient> {
  const client = await RawClient.connect({ host: to.host, port: to.port, ...role });
  open.push(client);
  return client;
}

function contactPoint(): string {
  if (pair === undefined) throw new Error('nothing is started');
  return `${pair.direct.host}:${String(pair.direct.port)}`;
}

/** All lines of the log, of every process. */
async function lines(): Promise<Line[]> {
  const directory = join(proxy.dataDir, 'state', 'audit');
  const found: Line[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const text = await readFile(join(directory, name), 'utf8');
    for (const line of text.split('\n')) if (line !== '') found.push(JSON.parse(line) as Line);
  }
  return found;
}

async function usesOf(table: string): Promise<string[]> {
  return (await lines())
    .filter((line) => line.kind === 'kms' && line.table === table)
    .map((line) =>
      [line.operation, line.origin, line.principal, line.error ?? line.result].join(' '),
    );
}

async function metric(of: TestProxy, name: string): Promise<number> {
  const text = await (await fetch(`${of.http}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

function cqlock(command: string) {
  return runCqlock(command, {
    contactPoints: [contactPoint()],
    dataDir: proxy.dataDir,
    ...SUPERUSER,
  });
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
      },
    },
    SUPERUSER,
  );
  if (pair.started === undefined) throw new Error('this test starts its own proxy');
  proxy = pair.started;
  admin = await connect(proxy, SUPERUSER);
  await run(admin, `CREATE KEYSPACE shop WITH replication = ${REPLICATION}`);
  await run(admin, 'CREATE TABLE shop.orders (pk int PRIMARY KEY, v text)');
  await run(admin, "CREATE ROLE alice WITH PASSWORD = 'secret' AND LOGIN = true");
  await run(admin, 'GRANT SELECT ON KEYSPACE shop TO alice');
  await run(admin, 'GRANT MODIFY ON KEYSPACE shop TO alice');
  driver = new cassandra.Client({
    contactPoints: [`${proxy.host}:${String(proxy.port)}`],
    localDataCenter: 'datacenter1',
    authProvider: new cassandra.auth.PlainTextAuthProvider('cassandra', 'cassandra'),
  });
  await driver.connect();
});

afterAll(async () => {
  for (const client of open) client.close();
  await driver.shutdown();
  await pair?.stop();
});

describe('uses of keys', () => {
  it('of a CREATE TABLE are those of the role that made it', async () => {
    expect(await usesOf('orders')).toEqual([
      'CreateServiceKey client cassandra ok',
      'GenerateDataKey client cassandra ok',
    ]);
    const [made, data] = (await lines()).filter((line) => line.table === 'orders');
    expect(made?.key).toMatch(/^arn:cqlock:kms:/);
    expect(data?.key).toBe(made?.key);
    expect(data?.context).toMatchObject({
      'cqlock:keyspace': 'shop',
      'cqlock:table': 'orders',
      'cqlock:purpose': 'table-key',
    });
  });

  it('of a read are those of the role that asked first', async () => {
    const alice = await connect(proxy, ALICE);
    await run(alice, "INSERT INTO shop.orders (pk, v) VALUES (1, 'x')");
    await run(alice, 'SELECT * FROM shop.orders WHERE pk = 1');
    expect((await usesOf('orders')).slice(2)).toEqual(['Decrypt client alice ok']);
  });

  it('of the start are the proxy’s own, kept until the log could begin', async () => {
    const log = await lines();
    const own = log.filter((line) => line.context?.['cqlock:purpose'] === 'catalog');
    expect(own.map((line) => line.operation)).toEqual(
      expect.arrayContaining(['CreateServiceKey', 'GenerateDataKey', 'Decrypt']),
    );
    expect(own.map((line) => line.origin)).toEqual(own.map(() => 'background'));
    const started = log.filter((line) => line.kind === 'start');
    expect(started.length).toBe(2);
  });

  it('that the KMS refuses are there too', async () => {
    await run(admin, 'CREATE TABLE shop.lost (pk int PRIMARY KEY)');
    const key = (await lines()).find((line) => line.table === 'lost')?.key ?? '';
    const store = KeyStore.open({
      path: join(proxy.dataDir, 'state', 'keystore.cqlock'),
      rootKey: loadRootKey({
        kind: 'file',
        path: join(`${proxy.dataDir}-config`, 'cqlock', 'root.key'),
      }),
    });
    await new EmbeddedKms({ store }).deleteServiceKey(key);
    const alice = await connect(proxy, ALICE);
    expect(await alice.query('SELECT * FROM shop.lost WHERE pk = 1')).toMatchObject({
      kind: 'error',
      code: 0x2100,
    });
    expect((await usesOf('lost')).slice(2)).toEqual(['Decrypt client alice KEY_NOT_FOUND']);
  });

  it('are one for each table and process, for 3,000 requests on a cold cache', async () => {
    const tables = ['a', 'b', 'c'];
    for (const name of tables) {
      await run(admin, `CREATE TABLE shop.cold_${name} (pk int PRIMARY KEY, v text)`);
    }
    const second = await startProxy({
      contactPoints: [contactPoint()],
      dataDir: proxy.dataDir,
      init: false,
      ...SUPERUSER,
    });
    try {
      for (const to of [proxy, second]) {
        const calls = 'cqlock_kms_calls_total{operation="Decrypt",result="ok"}';
        const before = await metric(to, calls);
        const audited = await metric(to, 'cqlock_audit_events_total');
        const client = await connect(to, ALICE);
        const requests = Array.from({ length: 3000 }, (_, index) => index);
        await inParallel(requests, 500, async (index) => {
          const table = `shop.cold_${tables[index % tables.length] ?? ''}`;
          await run(client, `INSERT INTO ${table} (pk, v) VALUES (${String(index)}, 'x')`);
        });
        expect(await metric(to, calls)).toBe(before + tables.length);
        expect(await metric(to, 'cqlock_audit_events_total')).toBe(audited + tables.length);
      }
    } finally {
      await second.stop();
    }
    for (const name of tables) {
      const opened = (await lines()).filter(
        (line) => line.table === `cold_${name}` && line.operation === 'Decrypt',
      );
      expect(opened.map((line) => line.principal)).toEqual(['alice', 'alice']);
      expect(new Set(opened.map((line) => line.process)).size).toBe(2);
    }
  });
});

describe('system_encryption', () => {
  it('shows the events of this proxy, newest first', async () => {
    const { rows } = await driver.execute(
      "SELECT * FROM system_encryption.audit WHERE table_name = 'orders' AND keyspace_name = 'shop'",
    );
    expect(
      rows.map((row) => [row['operation'], row['principal'], row['result']].map(String)),
    ).toEqual([
      ['Decrypt', 'alice', 'ok'],
      ['GenerateDataKey', 'cassandra', 'ok'],
      ['CreateServiceKey', 'cassandra', 'ok'],
    ]);
    expect(rows[0]?.['at']).toBeInstanceOf(Date);
    expect((rows[0]?.['context'] as Record<string, string>)['cqlock:table']).toBe('orders');
    const prepared = await driver.execute(
      'SELECT count(*) AS n FROM system_encryption.audit WHERE error = ?',
      ['KEY_NOT_FOUND'],
      { prepare: true },
    );
    expect(Number(prepared.rows[0]?.['n'])).toBe(1);
  });

  it('shows how tables are encrypted, and their keys', async () => {
    const { rows } = await driver.execute(
      "SELECT * FROM system_encryption.tables WHERE keyspace_name = 'shop' AND table_name = 'orders'",
    );
    expect(rows[0]).toMatchObject({
      state: 'ACTIVE',
      encryption_type: 'AWS_OWNED_KMS_KEY',
      provider: 'embedded',
      table_key_version: 1,
      cell_epoch: 1,
      min_epoch: 1,
    });
    const arn = rows[0]?.['key_arn'] as string;
    const keys = await driver.execute('SELECT * FROM system_encryption.keys WHERE key_arn = ?', [
      arn,
    ]);
    expect(keys.rows[0]).toMatchObject({ service_owned: true, tables: 1, state: 'usable' });
    const gone = await driver.execute(
      "SELECT state, last_error FROM system_encryption.keys WHERE last_error = 'KEY_NOT_FOUND'",
    );
    expect(gone.rows[0]).toMatchObject({ state: 'not found' });
    expect((await driver.execute('SELECT * FROM system_encryption.jobs')).rows).toEqual([]);
  });

  it('is told of where Cassandra tells of its virtual tables', async () => {
    const { rows } = await driver.execute(
      "SELECT table_name FROM system_virtual_schema.tables WHERE keyspace_name = 'system_encryption'",
    );
    expect(rows.map((row) => row['table_name'] as string)).toEqual([
      'audit',
      'jobs',
      'keys',
      'tables',
    ]);
    const columns = await driver.execute(
      "SELECT column_name, kind, type FROM system_virtual_schema.columns WHERE keyspace_name = 'system_encryption' AND table_name = 'audit'",
    );
    expect(columns.rows.find((row) => row['column_name'] === 'context')).toMatchObject({
      kind: 'regular',
      type: 'map<text, text>',
    });
  });

  it('is only for roles that may read the roles', async () => {
    const alice = await connect(proxy, ALICE);
    for (const table of ['audit', 'keys', 'tables', 'jobs']) {
      expect(await alice.query(`SELECT * FROM system_encryption.${table}`)).toMatchObject({
        kind: 'error',
        code: 0x2100,
        message: expect.stringContaining(
          `no SELECT permission on <table system_encryption.${table}>`,
        ),
      });
    }
    await run(admin, 'GRANT SELECT ON system_auth.roles TO alice');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await run(alice, 'SELECT * FROM system_encryption.audit');
    expect(await alice.query('SELECT * FROM system_encryption.nothing')).toMatchObject({
      kind: 'error',
      message: 'table nothing does not exist',
    });
    expect(
      await admin.query('CREATE TABLE system_encryption.mine (pk int PRIMARY KEY)'),
    ).toMatchObject({ kind: 'error' });
  });
});

describe('the log', () => {
  it('verifies while processes run, and shows what was asked for', async () => {
    const { code, output } = await cqlock('audit verify');
    expect(output).toMatch(/chains, \d+ lines: nothing is missing/);
    expect(code).toBe(0);
    const shown = await cqlock('audit show --table shop.orders --json');
    const events = shown.output.split('\n').filter((line) => line.startsWith('{"seq"'));
    expect(events.map((line) => (JSON.parse(line) as Line).operation)).toEqual([
      'CreateServiceKey',
      'GenerateDataKey',
      'Decrypt',
    ]);
  });

  it('does not verify when a principal was edited; file and line are named', async () => {
    const directory = join(proxy.dataDir, 'state', 'audit');
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const text = await readFile(path, 'utf8');
      const edited = text.replace('"principal":"alice"', '"principal":"mallory"');
      if (edited === text) continue;
      await writeFile(path, edited);
      const line = text.slice(0, text.indexOf('"principal":"alice"')).split('\n').length;
      const { code, output } = await cqlock('audit verify');
      expect(code).toBe(1);
      expect(output).toContain(`${name} line ${String(line)}`);
      expect(output).toContain('METADATA_AUDIT_LOG');
      await writeFile(path, text);
      return;
    }
    throw new Error('no line of alice was found');
  });

  it('does not verify when its end was cut off', async () => {
    const directory = join(proxy.dataDir, 'state', 'audit');
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const text = await readFile(path, 'utf8');
      if (!text.includes('"kind":"stop"')) continue;
      await writeFile(path, `${text.split('\n').slice(0, -2).join('\n')}\n`);
      const { code, output } = await cqlock('audit verify');
      expect(code).toBe(1);
      expect(output).toContain('the log was cut off');
      await writeFile(path, text);
      return;
    }
    throw new Error('no process has ended');
  });
});
