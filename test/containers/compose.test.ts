/** docker-compose.yml as it is, from build to stop. Images that cannot be pulled are replaced by a second file. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MarkerMaker } from '../at_rest/markers.ts';
import { searchMarkers } from '../at_rest/search.ts';
import { connect, ensureCqlsh, testImages } from './support.ts';
import { run, tryRun } from './shell.ts';
import type { Ended } from './shell.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROJECT = `cqlock-test-${process.pid}`;
const images = testImages();
const SERVICES = ['cqlock', 'prometheus', ...(images.grafana === undefined ? [] : ['grafana'])];

let scratch: string;
let cqlsh: string;
let port: number;
const markers = new MarkerMaker();
const note = markers.make('cqlsh', 'text', true);

function compose(...args: string[]): Promise<string> {
  const files = ['--file', join(ROOT, 'docker-compose.yml'), '--file', join(scratch, 'images.yml')];
  return run('docker', ['compose', '--project-name', PROJECT, ...files, ...args], {
    env: { CQL_PORT: '0', PROMETHEUS_PORT: '0', GRAFANA_PORT: '0' },
    timeoutMs: 580_000,
  });
}

async function portOf(service: string, inside: number): Promise<number> {
  return Number((await compose('port', service, String(inside))).split(':').at(-1));
}

function cql(statement: string, password = 'app-password'): Promise<Ended> {
  const login = ['--ssl', '-u', 'app', '-p', password, '--no-color', '--request-timeout=60'];
  return tryRun(cqlsh, [...login, '-e', statement, '127.0.0.1', String(port)], {
    cwd: scratch,
    env: { SSL_CERTFILE: join(scratch, 'ca.pem') },
  });
}

/** Figures of a query; none while there are none. */
async function query(expression: string): Promise<readonly number[]> {
  const address = `http://127.0.0.1:${await portOf('prometheus', 9090)}/api/v1/query`;
  const response = await fetch(`${address}?query=${encodeURIComponent(expression)}`);
  const { data } = (await response.json()) as {
    data: { result: readonly { value: readonly [number, string] }[] };
  };
  return data.result.map(({ value }) => Number(value[1]));
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'cqlock-compose-'));
  cqlsh = await ensureCqlsh();
  const args = { BUILD_IMAGE: images.build, NODE_IMAGE: images.node };
  const own = { image: `${PROJECT}:test`, build: { context: ROOT, args, network: 'host' } };
  const override = {
    services: {
      cassandra: { image: images.cassandra },
      certificates: { image: images.openssl },
      init: own,
      cqlock: own,
      prometheus: { image: images.prometheus },
      ...(images.grafana === undefined ? { grafana: { profiles: ['none'] } } : {}),
    },
  };
  // YAML holds JSON.
  await writeFile(join(scratch, 'images.yml'), JSON.stringify(override));
  if (images.grafana === undefined) process.stdout.write('Grafana cannot be had: left out\n');
  await compose('build', 'cqlock');
  await compose('up', '--detach', '--wait', ...SERVICES);
  port = await portOf('cqlock', 9142);
});

afterAll(async () => {
  await compose('down', '--volumes', '--timeout', '5', '--remove-orphans');
  await tryRun('docker', ['image', 'rm', `${PROJECT}:test`]);
  await rm(scratch, { recursive: true, force: true });
});

describe('docker compose up', () => {
  it('lets cqlsh in by TLS, with the certificate that it has made and the role of the application', async () => {
    await compose('cp', 'cqlock:/etc/cqlock/tls/ca.pem', join(scratch, 'ca.pem'));
    const written = await cql(
      `CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
       CREATE TABLE shop.notes (id int PRIMARY KEY, note text);
       INSERT INTO shop.notes (id, note) VALUES (1, ${note.literal});`,
    );
    expect(written.code, written.output).toBe(0);
    const read = await cql('SELECT note FROM shop.notes WHERE id = 1');
    expect(read.output).toContain(note.bytes.toString());
    const wrong = await cql('SELECT note FROM shop.notes WHERE id = 1', 'another');
    expect(wrong.code).not.toBe(0);
    expect(wrong.output).toMatch(/AuthenticationFailed|BadCredentials|Failed to authenticate/i);
    expect(wrong.output).not.toContain(note.bytes.toString());
  });

  it('lets a driver in', async () => {
    const ca = await readFile(join(scratch, 'ca.pem'), 'utf8');
    const client = await connect(port, ['app', 'app-password'], ca);
    try {
      const { rows } = await client.execute('SELECT note FROM shop.notes WHERE id = 1');
      expect(rows[0]?.['note']).toBe(note.bytes.toString());
    } finally {
      await client.shutdown();
    }
  });

  it('has nothing readable on the disk of Cassandra', async () => {
    const plain = new MarkerMaker().make('table name', 'text', true);
    const table = `t${plain.bytes.toString()}`;
    expect((await cql(`CREATE TABLE shop.${table} (id int PRIMARY KEY)`)).code).toBe(0);
    await compose('exec', '-T', 'cassandra', 'nodetool', 'flush');
    await compose('cp', 'cassandra:/var/lib/cassandra', join(scratch, 'disk'));
    // Names of tables are readable: they show that the search looks where it should.
    const found = (await searchMarkers([join(scratch, 'disk')], [plain])).hits;
    expect(found.some(({ file }) => file.includes('/commitlog/'))).toBe(true);
    expect(found.some(({ file }) => file.endsWith('-Data.db'))).toBe(true);
    expect((await searchMarkers([join(scratch, 'disk')], [note])).hits).toEqual([]);
  });

  it('has the metrics and the alert rules in Prometheus', async () => {
    await expect
      .poll(() => query('sum(cqlock_requests_total)'), { timeout: 60_000, interval: 1000 })
      .toEqual([expect.any(Number)]);
    await expect
      .poll(async () => (await query('sum(cqlock_requests_total)'))[0] ?? 0, {
        timeout: 60_000,
        interval: 1000,
      })
      .toBeGreaterThan(3);
    expect(await query('up{job="cqlock"}')).toEqual([1]);
    const rules = await fetch(
      `http://127.0.0.1:${await portOf('prometheus', 9090)}/api/v1/rules?type=alert`,
    );
    expect(await rules.text()).toContain('CqlockSlow');
  });

  it('keeps Cassandra, its own port and the metrics from the outside', async () => {
    const published = await compose('ps', '--format', '{{.Service}} {{.Ports}}');
    expect(published).not.toMatch(/->9042/);
    expect(published).not.toMatch(/->9180/);
    expect(published).not.toMatch(/0\.0\.0\.0:|\[::\]:/);
  });

  it('stops clean and comes back with its data', async () => {
    await compose('stop', 'cqlock');
    const id = await compose('ps', '--all', '--quiet', 'cqlock');
    expect(await run('docker', ['inspect', '--format', '{{.State.ExitCode}}', id])).toBe('0');
    await compose('up', '--detach', '--wait', ...SERVICES);
    port = await portOf('cqlock', 9142);
    expect((await cql('SELECT note FROM shop.notes WHERE id = 1')).output).toContain(
      note.bytes.toString(),
    );
  });
});
