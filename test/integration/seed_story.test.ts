/**
 * The life and death of a table under a customer managed key, as its owner lives it: one story on a real Cassandra, with the real
 * proxy in this process (so that its clock can be moved), a real mail server and a real webhook.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProxy } from '../../src/app/create_proxy.ts';
import type { RunningProxy } from '../../src/app/index.ts';
import { init } from '../../src/app/init.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Config } from '../../src/config/index.ts';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../src/kms/index.ts';
import { createMetrics, silentLogger } from '../../src/observability/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { isSigned, startMailServer, startWebhook } from '../support/notice_receivers.ts';
import type { MailReceiver, WebhookReceiver } from '../support/notice_receivers.ts';
import { runCqlock } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';
import { shiftedClock } from '../support/shifted_clock.ts';
import { customer, OWNED } from './support/key_cluster.ts';
import { REPLICATION } from './support/pair.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
const ROWS = 24;
/** Longer than the story. */
const TTL_S = 100 * 86_400;
const SECRET = 'a secret of the webhook';
const READ = 'SELECT v FROM ks.lost WHERE pk = 1 AND ck = 1';
const ALL = 'SELECT pk, ck, s, writetime(s), v, writetime(v), w FROM';

const clock = shiftedClock();
let cassandra: TestCassandra;
let webhook: WebhookReceiver;
let mail: MailReceiver;
let home: string;
let config: Config;
let kms: EmbeddedKms;
let proxy: RunningProxy;
let keyArn: string;
let busy: ProxyClient;
let idle: ProxyClient;
/** What the table held when its key was lost for good. */
let rowsBefore: string[];
let ttlsBefore: ReadonlyMap<string, number>;
let droppedAtMs: number;

beforeAll(async () => {
  [cassandra, webhook, mail] = await Promise.all([
    startCassandra(),
    startWebhook(),
    startMailServer({ tls: 'none' }),
  ]);
  home = await mkdtemp(join(tmpdir(), 'cqlock-story-'));
  config = loadConfig(
    {
      XDG_CONFIG_HOME: join(home, 'data-config'),
      CQLOCK_DATA_DIR: join(home, 'data'),
      CQLOCK_CONTACT_POINTS: `127.0.0.1:${String(cassandra.port)}`,
      CQLOCK_LISTEN: '127.0.0.1:0',
      CQLOCK_CATALOG_REFRESH: '500ms',
      CQLOCK_DRAIN_TIMEOUT: '500ms',
      CQLOCK_NOTIFY_WEBHOOK_URL: webhook.url,
      CQLOCK_NOTIFY_WEBHOOK_SECRET: SECRET,
      CQLOCK_NOTIFY_SMTP_URL: `smtp://127.0.0.1:${String(mail.port)}?tls=none`,
      CQLOCK_NOTIFY_EMAIL_FROM: 'cqlock@example.org',
      CQLOCK_NOTIFY_EMAIL_TO: 'owner@example.org',
    },
    home,
  );
  await init({ config, logger: silentLogger, say: () => undefined });
  proxy = await createProxy({
    config,
    contactPoints: config.upstream.contactPoints,
    startedCassandra: false,
    logger: silentLogger,
    metrics: createMetrics(),
    say: () => undefined,
    signal: new AbortController().signal,
    clock,
  });
  kms = new EmbeddedKms({
    store: KeyStore.open({
      path: join(config.stateDir, 'keystore.cqlock'),
      rootKey: loadRootKey(config.rootKey),
    }),
  });
  keyArn = await kms.createCustomerKey('the key of the story');
  busy = await connectClient(proxy.address);
  idle = await connectClient(proxy.address);
});

afterAll(async () => {
  busy?.close();
  idle?.close();
  await proxy?.stop();
  await cassandra?.stop();
  await Promise.all([webhook?.stop(), mail?.stop()]);
  await rm(home, { recursive: true, force: true });
});

async function contents(table: string): Promise<string[]> {
  return (await busy.rows(`${ALL} ${table}`)).map((row) => JSON.stringify(row)).sort();
}

/** Seconds that are left to `v`, by key; without those that live for ever. */
async function ttls(table: string): Promise<ReadonlyMap<string, number>> {
  const rows = await busy.rows(`SELECT pk, ck, ttl(v) FROM ${table}`);
  return new Map(
    rows.flatMap(([pk, ck, ttl]) =>
      ttl === null || ttl === undefined ? [] : [[`${pk} ${ck}`, Number.parseInt(ttl, 16)]],
    ),
  );
}

async function newConnection<T>(use: (client: ProxyClient) => Promise<T>): Promise<T> {
  const client = await connectClient(proxy.address);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Looks again and again; moves the clock by `stepMs` before each look. */
async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  stepMs = 0,
  pauseMs = 100,
): Promise<void> {
  const giveUpAt = Date.now() + 100_000;
  for (;;) {
    if (await isSo()) return;
    if (Date.now() > giveUpAt) throw new TypeError(`it never came to this: ${what}`);
    if (stepMs > 0) clock.shift(stepMs);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function events(): string[] {
  return webhook.calls.map(({ body }) => String(body['event']));
}

/** Both channels got it. */
function isTold(event: string, times = 1): boolean {
  const mails = mail.mails.filter(({ text }) => text.includes(`Notice: ${event} `));
  return mails.length >= times && events().filter((e) => e === event).length >= times;
}

async function tables(): Promise<string[]> {
  const rows = await busy.rows(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'",
  );
  return rows.map(([name]) => Buffer.from(name ?? '', 'hex').toString('utf8')).sort();
}

async function isActive(table: string): Promise<boolean> {
  const [row] = await busy.rows(
    `SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = '${table}'`,
  );
  return Buffer.from(row?.[0] ?? '', 'hex').toString('utf8') === 'ACTIVE';
}

/** Ids of the backups that the directory holds. */
async function backups(): Promise<string[]> {
  const { target } = config.backup;
  if (target.kind !== 'directory') throw new TypeError('no directory');
  const found: string[] = [];
  for (const id of await readdir(target.path)) {
    if ((await readdir(join(target.path, id))).length > 0) found.push(id);
  }
  return found;
}

/** Names of the grants on the key of the story. */
async function grants(): Promise<string[]> {
  const { output } = await runCqlock(`keys grants list ${keyArn} --json`, {
    contactPoints: [`127.0.0.1:${String(cassandra.port)}`],
    dataDir: join(home, 'data'),
  });
  return [...output.matchAll(/"cqlock-([0-9a-f]{32}-(?:working|backup))"/g)].map(
    ([, name = '']) => name,
  );
}

describe('a table under a customer managed key', () => {
  it('is created, with two grants on its key', async () => {
    await busy.rows(`CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
    await busy.rows(
      `CREATE TABLE ks.lost (pk int, ck int, s text STATIC, v text, w int, PRIMARY KEY (pk, ck)) WITH ${customer(keyArn)}`,
    );
    await busy.rows('CREATE TABLE ks.other (pk int PRIMARY KEY, v text)');
    for (let i = 0; i < ROWS; i += 1) {
      await busy.rows(
        `INSERT INTO ks.lost (pk, ck, s, v, w) VALUES (${String(i % 4)}, ${String(i)}, 's', 'value ${String(i)}', ${String(i)}) USING TIMESTAMP ${String(1_000_000 + i)} AND TTL ${String(i % 3 === 0 ? TTL_S : 0)}`,
      );
    }
    await busy.rows("INSERT INTO ks.other (pk, v) VALUES (1, 'other')");
    expect(await idle.rows(READ)).toHaveLength(1);
    expect(await grants()).toHaveLength(2);
  });

  it('is refused when the key is disabled: to a busy connection at its next background call', async () => {
    await kms.setKeyEnabled(keyArn, false);
    // The lease holds; nobody has asked the KMS yet.
    expect(await busy.rows(READ)).toHaveLength(1);
    let minutes = 0;
    await until(
      'the busy connection is refused',
      async () => {
        minutes += 0.5;
        return (await busy.refusal(READ)) !== undefined;
      },
      MINUTE / 2,
    );
    // It never rested for 5 minutes.
    expect(minutes).toBeLessThan(8);
  });

  it('is refused at once to a new connection and to one that rested, and other tables go on', async () => {
    clock.shift(6 * MINUTE);
    for (const refusal of [
      await newConnection((client) => client.refusal(READ)),
      await idle.refusal(READ),
      await busy.refusal("INSERT INTO ks.lost (pk, ck, v) VALUES (1, 1, 'x')"),
    ]) {
      expect(refusal).toMatch(/^0x2100 .*ks\.lost/);
      expect(refusal).toContain(keyArn);
    }
    for (const client of [busy, idle]) {
      expect(await client.rows('SELECT v FROM ks.other WHERE pk = 1')).toHaveLength(1);
      await client.rows("INSERT INTO ks.other (pk, v) VALUES (2, 'goes on')");
    }
  });

  it('has an owner who is told by mail and by webhook', async () => {
    await until('both came', () => isTold('key_inaccessible'), 2 * MINUTE, 300);
    const [call] = webhook.calls;
    expect(call && isSigned(call, SECRET)).toBe(true);
    expect(call?.body).toMatchObject({
      event: 'key_inaccessible',
      table: 'lost',
      key_arn: keyArn,
      days_left: 7,
    });
    const [letter] = mail.mails;
    expect(letter?.recipients).toEqual(['owner@example.org']);
    expect(letter?.text).toContain('ks.lost is inaccessible');
  });

  it('works again when the key is enabled, without a restart', async () => {
    await kms.setKeyEnabled(keyArn, true);
    clock.shift(6_000);
    for (const client of [busy, idle]) expect(await client.rows(READ)).toHaveLength(1);
    expect(await newConnection((client) => client.rows(READ))).toHaveLength(1);
    await busy.rows("INSERT INTO ks.lost (pk, ck, v) VALUES (99, 99, 'after') USING TIMESTAMP 77");
    await until('the owner is told', () => isTold('key_back'), 2 * MINUTE, 300);
    rowsBefore = await contents('ks.lost');
    ttlsBefore = await ttls('ks.lost');
    expect(rowsBefore).toHaveLength(ROWS + 1);
    expect(ttlsBefore.size).toBe(ROWS / 3);
  });

  it('is backed up, verified and dropped when the key is disabled for 7 days', async () => {
    await kms.setKeyEnabled(keyArn, false);
    await until('it is lost', () => isTold('key_inaccessible', 2), 2 * MINUTE, 300);
    clock.shift(7 * DAY - 10 * MINUTE);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await tables()).toEqual(['lost', 'other']);
    // Steps with a pause that a backup fits into: it runs in Cassandra's time.
    await until('it is dropped', () => isTold('table_dropped'), 2 * MINUTE, 3_000);
    droppedAtMs = clock.nowMs();
    expect(await tables()).toEqual(['other']);
    expect(isTold('backup_done')).toBe(true);
    expect(await backups()).toHaveLength(1);
    await until(
      'the working grant is released',
      async () => (await grants()).length === 1,
      5_000,
      500,
    );
    expect(await grants()).toEqual([expect.stringMatching(/-backup$/)]);
    expect(await busy.refusal(READ)).toMatch(/^0x2200 /);
  });

  it('is not restored while the key is disabled', async () => {
    const refusal = await busy.refusal('RESTORE TABLE ks.back FROM TABLE ks.lost');
    expect(refusal).toBe(`0x2100 the KMS key ${keyArn} is disabled`);
    expect(await tables()).toEqual(['other']);
  });

  it('is restored within 35 days when the key is enabled: every row, write time and time of expiry', async () => {
    clock.shift(20 * DAY);
    await kms.setKeyEnabled(keyArn, true);
    const startedMs = clock.nowMs();
    await busy.rows('RESTORE TABLE ks.back FROM TABLE ks.lost');
    await until('it is there', () => isActive('back'));
    expect(await contents('ks.back')).toEqual(rowsBefore);
    const left = await ttls('ks.back');
    expect([...left.keys()].sort()).toEqual([...ttlsBefore.keys()].sort());
    // Cassandra's clock was not moved: the time between backup and restore counts, that before does not.
    const goneS = (startedMs - droppedAtMs) / 1000;
    for (const [key, ttl] of ttlsBefore) {
      expect(Math.abs(ttl - goneS - (left.get(key) ?? 0)), key).toBeLessThan(20 * 60);
    }
    await busy.rows("INSERT INTO ks.back (pk, ck, v) VALUES (1, 1000, 'new')");
    expect(await contents('ks.back')).toHaveLength(ROWS + 2);
    // Two of its own, and the one for the backup.
    expect(await grants()).toHaveLength(3);
  });

  it('can be restored no more after 35 days: the backup is gone', async () => {
    await busy.rows(`ALTER TABLE ks.back WITH ${OWNED}`);
    await until('the owner is reminded', () => isTold('backup_expiring'), DAY, 1_000);
    expect(clock.nowMs()).toBeLessThan(droppedAtMs + 35 * DAY);
    expect(await backups()).toHaveLength(1);
    clock.shift(droppedAtMs + 35 * DAY - clock.nowMs());
    await until('it is gone', () => isTold('backup_expired'), 2 * MINUTE, 300);
    expect(await backups()).toEqual([]);
    expect(await busy.refusal('RESTORE TABLE ks.again FROM TABLE ks.lost')).toMatch(
      /^0x2200 there is no complete backup of ks\.lost/,
    );
    // The restored table is one of its own.
    expect(await contents('ks.back')).toHaveLength(ROWS + 2);
  });

  it('leaves nothing on the key after 42 days', async () => {
    await until('it has left the key', async () => (await grants()).length === 1, HOUR);
    clock.shift(droppedAtMs + 42 * DAY - HOUR - clock.nowMs());
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await grants()).toHaveLength(1);
    clock.shift(2 * HOUR);
    await until('the grant is released', () => isTold('grant_released'), 2 * MINUTE, 500);
    expect(await grants()).toEqual([]);
  });
});
