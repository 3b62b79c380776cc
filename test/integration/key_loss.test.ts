/**
 * A customer managed key is lost, on a real Cassandra and with the real proxy, whose clock is moved: who is refused when, who
 * is told, how the table comes back, and how it ends.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProxy } from '../../src/app/create_proxy.ts';
import { init } from '../../src/app/init.ts';
import type { RunningProxy } from '../../src/app/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Config } from '../../src/config/index.ts';
import { StateDirectoryTrust } from '../../src/keys/index.ts';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../src/kms/index.ts';
import type { BackupPort } from '../../src/lifecycle/index.ts';
import { createMetrics, silentLogger } from '../../src/observability/index.ts';
import type { Metrics } from '../../src/observability/index.ts';
import { Catalog } from '../../src/schema/index.ts';
import {
  CassandraRecordStore,
  CassandraSchemaSource,
  ControlConnection,
} from '../../src/upstream/index.ts';
import { systemClock } from '../../src/util/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { putUnderCustomerKey } from '../support/customer_keys.ts';
import { isSigned, startWebhook } from '../support/notice_receivers.ts';
import type { WebhookReceiver } from '../support/notice_receivers.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';
import { shiftedClock } from '../support/shifted_clock.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const ROWS = 20;
const SECRET = 'a secret of the webhook';

const clock = shiftedClock();
let cassandra: TestCassandra;
let webhook: WebhookReceiver;
let directory: string;
let config: Config;
let control: ControlConnection;
let kms: EmbeddedKms;
let metrics: Metrics;
let proxy: RunningProxy;
let keyArn: string;
let busy: ProxyClient;
let idle: ProxyClient;
const copies: { readonly table: string; readonly rows: string[] }[] = [];

/** Copies what Cassandra holds, and reads it once more to compare: ciphertext, so no key is needed. */
const backup: BackupPort = {
  backupTable: async ({ keyspace, name }) => {
    const rows = await storedRows(keyspace, name);
    const again = await storedRows(keyspace, name);
    if (JSON.stringify(rows) !== JSON.stringify(again)) throw new TypeError('the copy differs');
    copies.push({ table: name, rows });
    return { backupId: `copy-${String(copies.length)}`, verified: true };
  },
  deleteExpired: () => Promise.resolve(new Set()),
};

beforeAll(async () => {
  [cassandra, webhook] = await Promise.all([startCassandra(), startWebhook()]);
  directory = await mkdtemp(join(tmpdir(), 'cqlock-loss-'));
  config = loadConfig(
    {
      XDG_CONFIG_HOME: join(directory, 'config'),
      CQLOCK_DATA_DIR: join(directory, 'data'),
      CQLOCK_CONTACT_POINTS: `127.0.0.1:${String(cassandra.port)}`,
      CQLOCK_LISTEN: '127.0.0.1:0',
      CQLOCK_CATALOG_REFRESH: '500ms',
      CQLOCK_DRAIN_TIMEOUT: '500ms',
      CQLOCK_NOTIFY_WEBHOOK_URL: webhook.url,
      CQLOCK_NOTIFY_WEBHOOK_SECRET: SECRET,
    },
    directory,
  );
  await init({ config, logger: silentLogger, say: () => undefined });
  metrics = createMetrics();
  proxy = await createProxy({
    config,
    contactPoints: config.upstream.contactPoints,
    startedCassandra: false,
    logger: silentLogger,
    metrics,
    say: () => undefined,
    signal: new AbortController().signal,
    clock,
    backup,
  });
  control = new ControlConnection({
    contactPoints: [`127.0.0.1:${String(cassandra.port)}`],
    logger: silentLogger,
  });
  await control.connect();
  const store = KeyStore.open({
    path: join(config.stateDir, 'keystore.cqlock'),
    rootKey: loadRootKey(config.rootKey),
  });
  kms = new EmbeddedKms({ store });
  const catalog = await Catalog.open({
    store: new CassandraRecordStore(control),
    source: new CassandraSchemaSource(control, systemClock),
    trust: new StateDirectoryTrust(store, kms),
    clock: systemClock,
  });
  busy = await connectClient(proxy.address);
  await busy.rows(
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await busy.rows('CREATE TABLE ks.lost (pk int PRIMARY KEY, v text)');
  await catalog.refresh();
  keyArn = await putUnderCustomerKey(catalog, kms, 'ks', 'lost');
  // A schema change lets the proxy read the catalog: it has the new keys before the first row is written.
  await busy.rows('CREATE TABLE ks.other (pk int PRIMARY KEY, v text)');
  idle = await connectClient(proxy.address);
  for (let pk = 0; pk < ROWS; pk += 1) {
    await busy.rows(`INSERT INTO ks.lost (pk, v) VALUES (${String(pk)}, 'v${String(pk)}')`);
    await busy.rows(`INSERT INTO ks.other (pk, v) VALUES (${String(pk)}, 'v${String(pk)}')`);
  }
  expect(await count(idle, 'lost')).toBe(ROWS);
});

afterAll(async () => {
  busy.close();
  idle.close();
  await proxy.stop();
  await control.close();
  await Promise.all([cassandra.stop(), webhook.stop()]);
  await rm(directory, { recursive: true, force: true });
});

async function storedRows(keyspace: string, name: string): Promise<string[]> {
  const { rows } = await control.execute(`SELECT * FROM "${keyspace}"."${name}"`);
  return rows
    .map((row) =>
      Object.values(row)
        .map((cell) => (cell as Buffer).toString('hex'))
        .join(' '),
    )
    .sort();
}

async function count(client: ProxyClient, table: string): Promise<number> {
  return (await client.rows(`SELECT * FROM ks.${table}`)).length;
}

async function newConnection<T>(use: (client: ProxyClient) => Promise<T>): Promise<T> {
  const client = await connectClient(proxy.address);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const giveUpAt = Date.now() + 30_000;
  while (!(await isSo())) {
    if (Date.now() > giveUpAt) throw new TypeError(`in 30 s it never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Lets rounds of the monitor come until something is so. */
async function rounds(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  await until(what, async () => {
    clock.shift(2 * MINUTE);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return await isSo();
  });
}

function eventsSoFar(): string[] {
  return webhook.calls.map(({ body }) => String(body['event']));
}

const READ = 'SELECT v FROM ks.lost WHERE pk = 1';

describe('the key of a table', () => {
  it('is disabled: a new connection and one that rested fail, and the clock starts', async () => {
    await kms.setKeyEnabled(keyArn, false);
    expect(await newConnection((client) => client.refusal(READ))).toBe(
      `0x2100 the key of table ks.lost is refused: the KMS key ${keyArn} is disabled`,
    );
    await until('the owner is told', () => eventsSoFar().length > 0);
    clock.shift(6 * MINUTE);
    const refusal = await idle.refusal(READ);
    expect(refusal).toContain(`0x2100 table ks.lost is INACCESSIBLE_ENCRYPTION_CREDENTIALS`);
    expect(refusal).toContain(`${keyArn} (KEY_DISABLED) since 20`);
    expect(refusal).toContain('when the table is backed up and dropped');
  });

  it('is refused to a busy connection too, for reads, writes and changes of the table', async () => {
    await until('the busy one is refused', async () => (await busy.refusal(READ)) !== undefined);
    for (const statement of [
      "INSERT INTO ks.lost (pk, v) VALUES (1, 'x')",
      'DELETE FROM ks.lost WHERE pk = 1',
      'TRUNCATE ks.lost',
      'ALTER TABLE ks.lost ADD w int',
    ]) {
      expect(await busy.refusal(statement)).toMatch(/^0x2100 .*ks\.lost/);
    }
  });

  it('concerns no other table, and DESCRIBE works', async () => {
    for (const client of [busy, idle]) expect(await count(client, 'other')).toBe(ROWS);
    expect(await newConnection((client) => count(client, 'other'))).toBe(ROWS);
    const [row] = await busy.rows('DESCRIBE TABLE ks.lost');
    expect(Buffer.from(row?.[3] ?? '', 'hex').toString('utf8')).toContain('v text');
  });

  it('is told of by a signed webhook', () => {
    const [call] = webhook.calls;
    if (call === undefined) throw new TypeError('no call');
    expect(isSigned(call, SECRET)).toBe(true);
    expect(isSigned(call, 'another secret!!')).toBe(false);
    expect(call.body).toMatchObject({
      event: 'key_inaccessible',
      keyspace: 'ks',
      table: 'lost',
      key_arn: keyArn,
      reason: 'KEY_DISABLED',
      days_left: 7,
    });
  });

  it('shows in the metrics', async () => {
    const text = await metrics.render();
    expect(text).toContain(
      'cqlock_tables_by_access{state="INACCESSIBLE_ENCRYPTION_CREDENTIALS"} 1',
    );
    expect(text).toContain('cqlock_tables_by_access{state="ACTIVE"} 1');
    expect(text).toContain('cqlock_key_monitor_leader 1');
    const [, left] =
      /cqlock_table_seconds_until_drop\{keyspace="ks",table="lost"\} ([\d.]+)/.exec(text) ?? [];
    expect(Number(left)).toBeGreaterThan(6.9 * 86_400);
    expect(Number(left)).toBeLessThanOrEqual(7 * 86_400);
  });

  it('is enabled: the table works again, without a restart, with all its rows', async () => {
    await kms.setKeyEnabled(keyArn, true);
    clock.shift(6_000);
    for (const client of [busy, idle]) expect(await count(client, 'lost')).toBe(ROWS);
    expect(await newConnection((client) => count(client, 'lost'))).toBe(ROWS);
    await rounds('the owner is told', () => eventsSoFar().includes('key_back'));
    expect(eventsSoFar()).toEqual(['key_inaccessible', 'key_back']);
    await busy.rows("INSERT INTO ks.lost (pk, v) VALUES (99, 'after')");
  });

  it('is disabled for 7 days: the table is copied, the copy verified, and the table dropped', async () => {
    await kms.setKeyEnabled(keyArn, false);
    await rounds('it is lost again', () => eventsSoFar().length > 2);
    clock.shift(7 * DAY - 10 * MINUTE);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(copies).toEqual([]);
    const before = await storedRows('ks', 'lost');
    await rounds('it is dropped', () => eventsSoFar().includes('table_dropped'));
    expect(copies).toEqual([{ table: 'lost', rows: before }]);
    expect(before).toHaveLength(ROWS + 1);
    const { rows } = await control.execute(
      "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'",
    );
    expect(rows).toEqual([{ table_name: 'other' }]);
    const events = eventsSoFar().slice(2);
    expect(events[0]).toBe('key_inaccessible');
    expect(events.slice(-2)).toEqual(['backup_done', 'table_dropped']);
    expect(events.slice(1, -2).every((event) => event === 'days_left')).toBe(true);
  });

  it('is gone with its table: its name is free, and the others work', async () => {
    expect(await busy.refusal(READ)).toMatch(/^0x2200 /);
    expect(await count(busy, 'other')).toBe(ROWS);
    await busy.rows('CREATE TABLE ks.lost (pk int PRIMARY KEY, v text)');
    expect(await count(busy, 'lost')).toBe(0);
  });
});
