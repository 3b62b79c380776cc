/**
 * Every query of the dashboards on a real Prometheus that scrapes the real proxy in front of a real Cassandra, while clients work, a key
 * is lost and cells are re-encrypted; and the alert rules by promtool.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import cassandraDriver from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../grafana/src/dashboards.ts';
import { METRIC_NAMES } from '../../src/observability/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { makeCa } from '../support/certificates.ts';
import { startWebhook } from '../support/notice_receivers.ts';
import type { WebhookReceiver } from '../support/notice_receivers.ts';
import { findPrometheus, startPrometheus } from '../support/prometheus.ts';
import type { Sample, TestPrometheus } from '../support/prometheus.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../support/proxy.ts';

const RULES = fileURLToPath(new URL('../../grafana/prometheus/', import.meta.url));
const PROGRAMS = await findPrometheus();
const WORKERS = 4;
const ROWS = 3_000;
const LIVE_MS = 100_000;
/** What stays at nothing while all goes well; its queries must answer, with a number. */
const MAY_BE_ZERO = [
  METRIC_NAMES.auditFailures.name,
  METRIC_NAMES.rotationFailures.name,
  // A notice that was counted before the first scrape is none of the increase.
  METRIC_NAMES.notices.name,
];

/** Only while a table is closed and its rows are moved, which nothing here does. */
const NOT_UNDER_WAY = METRIC_NAMES.rewriteProgress.name;

it.runIf('missing' in PROGRAMS)('Prometheus is not to be had', (context) => {
  context.skip('missing' in PROGRAMS ? PROGRAMS.missing : '');
});

describe.skipIf('missing' in PROGRAMS)('alert rules, by promtool', () => {
  it('fire when they should, and not without cause', async () => {
    const output = await new Promise<string>((resolve, reject) => {
      execFile(
        'promtool' in PROGRAMS ? PROGRAMS.promtool : '',
        ['test', 'rules', join(RULES, 'cqlock.rules.test.yaml')],
        (error, out, err) => {
          if (error === null) resolve(out);
          else reject(new Error(`${out}${err}`));
        },
      );
    });
    expect(output).toContain('SUCCESS');
  }, 300_000);
});

describe.skipIf('missing' in PROGRAMS)('dashboards, on a real Prometheus', () => {
  let directory: string;
  let cassandra: TestCassandra;
  let webhook: WebhookReceiver;
  let settings: TestProxyOptions & { readonly dataDir: string };
  let proxy: TestProxy;
  let prometheus: TestPrometheus;
  let ca: string;
  let load: Promise<unknown>;
  let isOver = false;
  const file = (name: string): string => join(directory, name);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cqlock-prometheus-'));
    [cassandra, webhook] = await Promise.all([
      startCassandra({ yaml: { authenticator: 'PasswordAuthenticator' } }),
      startWebhook(),
    ]);
    const authority = await makeCa('cqlock test');
    const { cert, key } = await authority.issue({ commonName: 'proxy', days: 10 });
    ca = authority.cert;
    await writeFile(file('tls.crt'), cert);
    await writeFile(file('tls.key'), key);
    settings = {
      contactPoints: [`${cassandra.host}:${String(cassandra.port)}`],
      dataDir: file('data'),
      username: 'cassandra',
      password: 'cassandra',
      env: {
        CQLOCK_TLS: 'required',
        CQLOCK_TLS_CERT_FILE: file('tls.crt'),
        CQLOCK_TLS_KEY_FILE: file('tls.key'),
        CQLOCK_TLS_RELOAD_PERIOD: '100ms',
        CQLOCK_CATALOG_REFRESH: '500ms',
        CQLOCK_CATALOG_MAX_AGE: '2s',
        CQLOCK_KEY_CHECK_PERIOD: '1s',
        CQLOCK_LEASE_IDLE: '1s',
        // So slow that it is under way until the end.
        CQLOCK_REENCRYPT_ROWS_PER_SECOND: '20',
        CQLOCK_NOTIFY_WEBHOOK_URL: webhook.url,
        CQLOCK_NOTIFY_WEBHOOK_SECRET: 'a secret of the webhook',
      },
    };
    proxy = await startProxy(settings);
    const config = (await readFile(join(RULES, 'prometheus.yaml'), 'utf8'))
      .replace('scrape_interval: 15s', 'scrape_interval: 1s\n  evaluation_interval: 1s')
      .replace('cqlock:9180', proxy.http.replace('http://', ''))
      .replace('cqlock.rules.yaml', join(RULES, 'cqlock.rules.yaml'));
    await writeFile(file('prometheus.yaml'), config);
    prometheus = await startPrometheus(
      'prometheus' in PROGRAMS ? PROGRAMS.prometheus : '',
      file('prometheus.yaml'),
      file('series'),
    );
    await prepareTables();
    load = Promise.all([...Array.from({ length: WORKERS }, (_, i) => work(i)), comeAndGo()]);
    await makeTrouble();
  });

  afterAll(async () => {
    isOver = true;
    await load;
    prometheus?.stop();
    await proxy?.stop();
    await Promise.all([cassandra?.stop(), webhook?.stop()]);
    if (directory !== undefined)
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }, 120_000);

  function clientOf(): cassandraDriver.Client {
    return new cassandraDriver.Client({
      contactPoints: [`${proxy.host}:${String(proxy.port)}`],
      localDataCenter: 'datacenter1',
      authProvider: new cassandraDriver.auth.PlainTextAuthProvider('cassandra', 'cassandra'),
      sslOptions: { ca, rejectUnauthorized: true },
      socketOptions: { connectTimeout: 60_000, readTimeout: 60_000 },
    });
  }

  async function command(words: string): Promise<string> {
    const env = { ...settings.env, CQLOCK_LOG_LEVEL: 'silent' };
    const { code, output } = await runCqlock(words, { ...settings, env });
    if (code !== 0) throw new Error(`cqlock ${words}: ${output}`);
    return output;
  }

  /** shop.users has rows to be re-encrypted; shop.orders a key that is lost later. */
  async function prepareTables(): Promise<void> {
    const { Arn: arn } = JSON.parse(await command('keys create --alias orders --json')) as {
      Arn: string;
    };
    const client = clientOf();
    await client.execute(
      "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await client.execute('CREATE TABLE shop.users (k int PRIMARY KEY, v text, n bigint)');
    await client.execute(
      `CREATE TABLE shop.orders (k int PRIMARY KEY, v text) WITH CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '${arn}'}}`,
    );
    const insert = 'INSERT INTO shop.users (k, v, n) VALUES (?, ?, ?)';
    const keys = Array.from({ length: ROWS }, (_, k) => k);
    await cassandraDriver.concurrent.executeConcurrent(
      client,
      insert,
      keys.map((k) => [k, `value ${String(k)}`, k]),
      { concurrencyLevel: 64 },
    );
    await client.execute("INSERT INTO shop.orders (k, v) VALUES (1, 'one')");
    await client.shutdown();
  }

  /** Writes, reads and makes mistakes, as clients do. */
  async function work(worker: number): Promise<void> {
    const client = clientOf();
    const options = { prepare: true };
    for (let i = 0; !isOver; i++) {
      const k = (i * WORKERS + worker) % ROWS;
      await client.execute(
        'UPDATE shop.users SET v = ? WHERE k = ?',
        [`v${String(i)}`, k],
        options,
      );
      await client.execute('SELECT v, n FROM shop.users WHERE k = ?', [k], options);
      await client.execute('SELECT nothing FROM shop.users').catch(() => undefined);
      await client.execute('SELECT v FROM shop.orders WHERE k = 1').catch(() => undefined);
      await pause(20);
    }
    await client.shutdown();
  }

  /** Connections that come and go, and some that speak no TLS. */
  async function comeAndGo(): Promise<void> {
    while (!isOver) {
      const client = clientOf();
      await client.connect();
      await client.shutdown();
      const plain = connect({ host: proxy.host, port: proxy.port }, () => {
        plain.end('GET / HTTP/1.1\r\n\r\n');
      });
      plain.on('error', () => undefined);
      await pause(500);
    }
  }

  /** A certificate that cannot be used, a rotation, and a key that is refused. */
  async function makeTrouble(): Promise<void> {
    const certificate = await readFile(file('tls.crt'));
    await writeFile(file('tls.crt'), 'nonsense\n');
    await until(async () =>
      (await (await fetch(`${proxy.http}/metrics`)).text()).includes(
        'cqlock_certificate_reload_failures_total{use="client"}',
      ),
    );
    await writeFile(file('tls.crt'), certificate);
    await command('rotate cells shop.users --reencrypt --no-wait');
    await command('keys disable alias/orders');
  }

  const panels = Object.values(DASHBOARDS).flatMap(({ title, panels: all }) =>
    (all ?? []).flatMap((panel) =>
      ('targets' in panel ? (panel.targets ?? []) : []).map(
        (target) =>
          [
            `${title ?? ''}: ${panel.title ?? ''}`,
            (target as { expr?: string }).expr ?? '',
          ] as const,
      ),
    ),
  );

  it.each(panels)('%s: %s', async (_panel, expr) => {
    const query = expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '15s');
    if (expr.includes(NOT_UNDER_WAY)) {
      expect(await prometheus.ask(query)).toEqual([]);
      return;
    }
    const mayBeZero = MAY_BE_ZERO.some((name) => expr.includes(name));
    const isLive = ({ value }: Sample): boolean => {
      const number = Number(value[1]);
      return Number.isFinite(number) && (mayBeZero || number > 0);
    };
    await until(async () => (await prometheus.ask(query)).some(isLive));
  });

  it('the alert of a lost key fires, and ends when the key is back', async () => {
    const firing = 'ALERTS{alertname="CqlockKeyInaccessible", alertstate="firing"}';
    await until(async () => (await prometheus.ask(firing)).length > 0);
    const [alert] = await prometheus.ask(firing);
    expect(alert?.metric).toMatchObject({ keyspace: 'shop', table: 'orders' });
    expect(webhook.calls.length).toBeGreaterThan(0);
    expect(
      await prometheus.ask('ALERTS{alertname="CqlockCertificateExpires", alertstate="firing"}'),
    ).toHaveLength(1);
    expect(await prometheus.ask('ALERTS{alertname="CqlockCellsNotAuthentic"}')).toHaveLength(0);
    await command('keys enable alias/orders');
    await until(async () => (await prometheus.ask(firing)).length === 0);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + LIVE_MS;
  for (;;) {
    if (await condition().catch(() => false)) return;
    if (Date.now() > giveUpAt) throw new Error('it did not come to that');
    await pause(250);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
