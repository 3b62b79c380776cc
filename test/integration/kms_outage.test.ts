/**
 * A KMS that is away, seen through the whole proxy: AWS KMS (moto) behind a network that fails in every way. What runs goes on until
 * the maximum age of its keys, then fails as unavailable; no clock starts, however long it lasts; and when the KMS is back, so is the
 * table, without a restart.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProxy } from '../../src/app/create_proxy.ts';
import type { RunningProxy } from '../../src/app/index.ts';
import { init } from '../../src/app/init.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createMetrics, silentLogger } from '../../src/observability/index.ts';
import type { Metrics } from '../../src/observability/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { httpAnswer, startFaultProxy } from '../support/fault_proxy.ts';
import type { Fault, FaultProxy } from '../support/fault_proxy.ts';
import { awsAdministrator, startMoto, TEST_REGION } from '../support/kms_servers/aws_servers.ts';
import { startWebhook } from '../support/notice_receivers.ts';
import type { WebhookReceiver } from '../support/notice_receivers.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';
import { shiftedClock } from '../support/shifted_clock.ts';
import { customer } from './support/key_cluster.ts';
import { REPLICATION } from './support/pair.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'test';
process.env['AWS_SECRET_ACCESS_KEY'] = 'test';

const MINUTE = 60_000;
const DAY = 86_400_000;
const MAX_AGE = 60 * MINUTE;
/** Less than the 5 minutes after which a connection counts as resting. */
const STEP = 4 * MINUTE;
const AWS_JSON = 'application/x-amz-json-1.1';
const READ = 'SELECT v FROM ks.t WHERE pk = 1';
/** Overloaded: drivers try again, here or on another node. */
const UNAVAILABLE = /^0x1001 /;

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['nothing listens', 'refuse'],
  ['it says nothing', 'hang'],
  ['it resets connections', 'reset'],
  ['it talks garbage', 'garbage'],
  ['its answers end early', 'truncate'],
  ['500', httpAnswer('500 Internal Server Error', AWS_JSON, '{"__type":"KMSInternalException"}')],
  ['503 in words', httpAnswer('503 Service Unavailable', 'text/html', '<h1>down</h1>')],
  ['throttling', httpAnswer('400 Bad Request', AWS_JSON, '{"__type":"ThrottlingException"}')],
];

const moto = await startMoto();

describe.skipIf(moto.missing !== undefined)(`a KMS that is away ${moto.missing ?? ''}`, () => {
  const clock = shiftedClock();
  let cassandra: TestCassandra;
  let webhook: WebhookReceiver;
  let faults: FaultProxy;
  let home: string;
  let metrics: Metrics;
  let proxy: RunningProxy;
  let busy: ProxyClient;

  beforeAll(async () => {
    if (moto.missing !== undefined) return;
    [cassandra, webhook, faults] = await Promise.all([
      startCassandra(),
      startWebhook(),
      startFaultProxy(moto.port),
    ]);
    home = await mkdtemp(join(tmpdir(), 'cqlock-outage-'));
    const config = loadConfig(
      {
        XDG_CONFIG_HOME: join(home, 'config'),
        CQLOCK_DATA_DIR: join(home, 'data'),
        CQLOCK_CONTACT_POINTS: `127.0.0.1:${String(cassandra.port)}`,
        CQLOCK_LISTEN: '127.0.0.1:0',
        CQLOCK_CATALOG_REFRESH: '500ms',
        CQLOCK_DRAIN_TIMEOUT: '500ms',
        CQLOCK_NOTIFY_WEBHOOK_URL: webhook.url,
        CQLOCK_NOTIFY_WEBHOOK_SECRET: 'a secret of the webhook',
        CQLOCK_KMS_PROVIDERS: 'aws',
        CQLOCK_KMS_AWS_REGION: TEST_REGION,
        CQLOCK_KMS_AWS_ENDPOINT: `http://127.0.0.1:${String(faults.port)}`,
        CQLOCK_KMS_TIMEOUT: '2s',
      },
      home,
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
    });
    const { KeyMetadata: key } = await awsAdministrator(moto.port).send(
      new CreateKeyCommand({ KeyUsage: 'ENCRYPT_DECRYPT', KeySpec: 'SYMMETRIC_DEFAULT' }),
    );
    busy = await connectClient(proxy.address);
    await busy.rows(`CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
    await busy.rows(
      `CREATE TABLE ks.t (pk int PRIMARY KEY, v text) WITH ${customer(key?.Arn ?? '')}`,
    );
    await busy.rows('CREATE TABLE ks.other (pk int PRIMARY KEY, v text)');
    await write(1);
  });

  afterAll(async () => {
    busy?.close();
    await proxy?.stop();
    await cassandra?.stop();
    await Promise.all([webhook?.stop(), faults?.stop()]);
    if (moto.missing === undefined) await moto.stop();
    if (home !== undefined) await rm(home, { recursive: true, force: true });
  });

  function write(pk: number): Promise<unknown> {
    return busy.rows(`INSERT INTO ks.t (pk, v) VALUES (${String(pk)}, 'v')`);
  }

  async function newConnection<T>(use: (client: ProxyClient) => Promise<T>): Promise<T> {
    const client = await connectClient(proxy.address);
    try {
      return await use(client);
    } finally {
      client.close();
    }
  }

  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const giveUpAt = Date.now() + 20_000;
    while (!(await isSo())) {
      if (Date.now() > giveUpAt) throw new TypeError(`in 20 s it never came to this: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async function expectNoClock(): Promise<void> {
    const [row] = await busy.rows(
      "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 't'",
    );
    expect(Buffer.from(row?.[0] ?? '', 'hex').toString('utf8')).toBe('ACTIVE');
    expect(await metrics.render()).toContain('cqlock_tables_by_access{state="ACTIVE"} 2');
    expect(webhook.calls).toEqual([]);
  }

  it.each(FAULTS)('%s', async (_, fault) => {
    // A call of this moment: from here on the maximum age counts.
    await newConnection((client) => client.rows(READ));
    await busy.rows(READ);
    await faults.set(fault);
    let age = 0;
    for (; age + STEP < MAX_AGE - MINUTE; age += STEP) {
      clock.shift(STEP);
      expect(await busy.rows(READ), `after ${String(age / MINUTE)} minutes`).toHaveLength(1);
      await write(1 + (age / STEP) * 2);
    }
    // Who has no keys yet gets none.
    expect(await newConnection((client) => client.refusal(READ))).toMatch(UNAVAILABLE);
    await expectNoClock();
    clock.shift(MAX_AGE - age + 1_000);
    for (const statement of [READ, "INSERT INTO ks.t (pk, v) VALUES (1, 'x')"]) {
      expect(await busy.refusal(statement)).toMatch(UNAVAILABLE);
    }
    expect(await busy.rows('SELECT v FROM ks.other')).toEqual([]);
    // However long it lasts: 9 days, and rounds of the monitor on each.
    for (let days = 0; days < 9; days += 1) {
      clock.shift(DAY);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await busy.refusal(READ)).toMatch(UNAVAILABLE);
    await expectNoClock();
    await faults.set('none');
    await until('it works again', async () => (await busy.refusal(READ)) === undefined);
    await write(2);
    await newConnection((client) => client.rows(READ));
    await expectNoClock();
  });
});
