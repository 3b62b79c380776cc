/**
 * Every query of the dashboards on a real Prometheus that has scraped the product's own metrics, and the alert rules by
 * promtool. The numbers are made up here; that the proxy counts is shown elsewhere.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../grafana/src/dashboards.ts';
import { findFreePort } from '../../src/app/embedded_cassandra/index.ts';
import { startHttpServer } from '../../src/net/index.ts';
import type { HttpServer } from '../../src/net/index.ts';
import { createMetrics } from '../../src/observability/index.ts';
import type { Metrics } from '../../src/observability/index.ts';

const RULES = fileURLToPath(new URL('../../grafana/prometheus/', import.meta.url));
const PROMETHEUS = process.env['CQLOCK_TEST_PROMETHEUS'] ?? 'prometheus';
const PROMTOOL = process.env['CQLOCK_TEST_PROMTOOL'] ?? 'promtool';
const isThere = (command: string): boolean => spawnSync(command, ['--version']).status === 0;

describe.skipIf(!isThere(PROMTOOL))('alert rules, by promtool', () => {
  it('fire when they should, and not without cause', async () => {
    const output = await new Promise<string>((resolve, reject) => {
      execFile(
        PROMTOOL,
        ['test', 'rules', join(RULES, 'cqlock.rules.test.yaml')],
        (error, out, err) => {
          if (error === null) resolve(out);
          else reject(new Error(`${out}${err}`));
        },
      );
    });
    expect(output).toContain('SUCCESS');
  });
});

describe.skipIf(!isThere(PROMETHEUS))('dashboards, on a real Prometheus', () => {
  let directory: string;
  let server: HttpServer;
  let prometheus: ChildProcess;
  let url: string;
  let stop: () => void;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cqlock-prometheus-'));
    const metrics = createMetrics();
    const timer = setInterval(() => {
      work(metrics);
    }, 100);
    stop = () => {
      clearInterval(timer);
    };
    server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      metrics,
      ready: () => ({ ok: true, reasons: [] }),
    });
    const port = await findFreePort();
    url = `http://127.0.0.1:${String(port)}`;
    const config = (await readFile(join(RULES, 'prometheus.yaml'), 'utf8'))
      .replace('scrape_interval: 15s', 'scrape_interval: 1s\n  evaluation_interval: 1s')
      .replace('cqlock:9180', `127.0.0.1:${String(server.port)}`)
      .replace('cqlock.rules.yaml', join(RULES, 'cqlock.rules.yaml'));
    await writeFile(join(directory, 'prometheus.yaml'), config);
    prometheus = spawn(
      PROMETHEUS,
      [
        `--config.file=${join(directory, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${String(port)}`,
      ],
      { stdio: 'ignore' },
    );
    // Two scrapes and some, so that rates can be had.
    await until(async () => (await ask('count_over_time(up{job="cqlock"}[1m]) > 5')).length > 0);
  }, 120_000);

  afterAll(async () => {
    stop?.();
    prometheus?.kill();
    await server?.close();
    if (directory !== undefined)
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });

  async function ask(query: string): Promise<readonly { readonly value: [number, string] }[]> {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const body = (await answer.json()) as {
      status: string;
      error?: string;
      data?: { result: { value: [number, string] }[] };
    };
    if (body.status !== 'success') throw new Error(`${query}: ${body.error ?? ''}`);
    return body.data?.result ?? [];
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
    const query = expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '10s');
    const series = await ask(query);
    expect(series.length).toBeGreaterThan(0);
    for (const { value } of series) expect(Number(value[1])).not.toBeNaN();
  });

  it('the alert of a lost key fires', async () => {
    await until(
      async () =>
        (await ask('ALERTS{alertname="CqlockKeyInaccessible", alertstate="firing"}')).length > 0,
    );
    expect(
      await ask('ALERTS{alertname="CqlockCertificateExpires", alertstate="firing"}'),
    ).toHaveLength(1);
    expect(await ask('ALERTS{alertname="CqlockCellsNotAuthentic"}')).toHaveLength(0);
  });
});

/** A little of everything that is counted. */
function work(metrics: Metrics): void {
  metrics.recordRequest('execute_select', 'ok', 0.4, 1.2);
  metrics.recordRequest('execute_write', 'OVERLOAD_REQUESTS', 0.2, 0);
  metrics.addCellsEncrypted(4);
  metrics.addCellsDecrypted(8);
  metrics.addLeases(1);
  metrics.recordKmsCall('decrypt', 'ok', 12);
  metrics.addAuditEvent();
  metrics.addAuditFailure();
  metrics.addClientConnections(1);
  for (const side of ['client', 'upstream'] as const) {
    metrics.addBytes(side, 'in', 100);
    metrics.addBytes(side, 'out', 100);
  }
  metrics.setCellKey('shop', 'users', 1_000, 86_400_000);
  metrics.addReencrypted(10, 40);
  metrics.setReencryption('shop', 'users', 0.5);
  metrics.addRotationFailure();
  metrics.setTableAccess(() => [
    {
      keyspace: 'shop',
      table: 'orders',
      state: 'ACTIVE',
      inaccessibleSeconds: undefined,
      secondsUntilDrop: undefined,
    },
    {
      keyspace: 'shop',
      table: 'users',
      state: 'INACCESSIBLE_ENCRYPTION_CREDENTIALS',
      inaccessibleSeconds: 60,
      secondsUntilDrop: 600_000,
    },
  ]);
  metrics.countNotice('key_lost', 'webhook', 'delivered');
  metrics.setKeyMonitorLeader(true);
  metrics.countKeyProbe('usable');
  metrics.setCertificateExpiry('client', Date.now() + 86_400_000);
  metrics.countCertificateFailure('client');
  metrics.countTlsFailure('ERR_SSL_NO_SHARED_CIPHER');
  metrics.countLogin('ok');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    if (await condition().catch(() => false)) return;
    if (Date.now() > giveUpAt) throw new Error('Prometheus did not come that far');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
