/** The product's own image beside Cassandra, by testcontainers: as little rights as it is meant to have, and all that it does. */
import { writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Client } from 'cassandra-driver';
import { GenericContainer, Network, Wait } from 'testcontainers';
import type { StartedNetwork, StartedTestContainer } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MarkerMaker } from '../at_rest/markers.ts';
import { searchMarkers } from '../at_rest/search.ts';
import { LOCALHOST, makeCa } from '../support/certificates.ts';
import { connect, docker, hostDirectory, PROXY_USER, testImages } from './support.ts';
import type { HostDirectory } from './support.ts';

const images = testImages();
const PASSWORD = 'cassandra';
const LOGIN = ['cassandra', PASSWORD] as const;
/** More than the product's own layers have; the base is not ours. */
const MAX_OWN_MIB = 120;

/** The product's image as it is to be run: nothing is written but to its volumes. */
class HardenedContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig = { ...this.hostConfig, ReadonlyRootfs: true };
    this.withDroppedCapabilities('ALL').withSecurityOpt('no-new-privileges:true');
    this.withTmpFs({ '/tmp': 'rw,noexec,nosuid' });
  }
}

let host: HostDirectory;
let network: StartedNetwork;
let cassandra: StartedTestContainer;
let proxy: StartedTestContainer;
let client: Client;
let ca: string;
let dataDir: string;
let mounts: { source: string; target: string; mode: 'rw' | 'ro' }[];
const markers = new MarkerMaker();
const text = markers.make('insert, text', 'text', true);
const blob = markers.make('insert, blob', 'blob', true);
const key = markers.make('insert, partition key', 'bigint', true);

function proxyContainer(): HardenedContainer {
  const container = new HardenedContainer(images.cqlock);
  container.withNetwork(network).withBindMounts(mounts).withEnvironment({
    CQLOCK_CONTACT_POINTS: 'cassandra:9042',
    CQLOCK_USERNAME: 'cassandra',
    CQLOCK_PASSWORD_FILE: '/run/secrets/cassandra.password',
    CQLOCK_LISTEN: '0.0.0.0:9142',
    CQLOCK_TLS: 'required',
    CQLOCK_TLS_CERT_FILE: '/run/secrets/tls.crt',
    CQLOCK_TLS_KEY_FILE: '/run/secrets/tls.key',
    CQLOCK_LOG_LEVEL: 'trace',
  });
  return container;
}

function startProxyContainer(): Promise<StartedTestContainer> {
  return proxyContainer()
    .withExposedPorts(9142, 9180)
    .withWaitStrategy(Wait.forHealthCheck())
    .withStartupTimeout(120_000)
    .start();
}

function connectToProxy(): Promise<Client> {
  return connect(proxy.getMappedPort(9142), LOGIN, ca);
}

beforeAll(async () => {
  host = await hostDirectory(images.openssl);
  const authority = await makeCa('container test');
  const issued = await authority.issue({ commonName: 'proxy', altNames: LOCALHOST });
  ca = authority.cert;
  const secrets = await host.directory('secrets', PROXY_USER);
  await host.secret('secrets/tls.crt', issued.cert, PROXY_USER);
  await host.secret('secrets/tls.key', issued.key, PROXY_USER);
  await host.secret('secrets/cassandra.password', `${PASSWORD}\n`, PROXY_USER);
  dataDir = await host.directory('cassandra', 999);
  mounts = [
    { source: secrets, target: '/run/secrets', mode: 'ro' },
    { source: await host.directory('state', PROXY_USER), target: '/var/lib/cqlock', mode: 'rw' },
    {
      source: await host.directory('keys', PROXY_USER),
      target: '/var/lib/cqlock-keys',
      mode: 'rw',
    },
  ];
  network = await new Network().start();
  cassandra = await new GenericContainer(images.cassandra)
    .withNetwork(network)
    .withNetworkAliases('cassandra')
    .withBindMounts([{ source: dataDir, target: '/var/lib/cassandra', mode: 'rw' }])
    .withEnvironment({
      MAX_HEAP_SIZE: '640M',
      HEAP_NEWSIZE: '128M',
      JVM_EXTRA_OPTS:
        '-Dcassandra.config.allow_system_properties=true -Dcassandra.settings.authenticator=PasswordAuthenticator',
    })
    .withExposedPorts(9042)
    .withWaitStrategy(Wait.forLogMessage(/Created default superuser role 'cassandra'/))
    .withStartupTimeout(240_000)
    .start();
  const init = await proxyContainer()
    .withCommand(['init'])
    .withWaitStrategy(Wait.forOneShotStartup())
    .withStartupTimeout(120_000)
    .start();
  await init.stop();
  proxy = await startProxyContainer();
  client = await connectToProxy();
});

afterAll(async () => {
  await client?.shutdown();
  await proxy?.stop();
  await cassandra?.stop();
  await network?.stop();
  await host?.remove();
});

describe('the image of the proxy', () => {
  it('runs without rights: not root, no writing beside its volumes, no package manager', async () => {
    const who = await proxy.exec(['id', '-u']);
    expect(who.output.trim()).toBe(String(PROXY_USER));
    const write = await proxy.exec(['sh', '-c', 'touch /app/x || touch /home/node/x || touch /x']);
    expect(write.exitCode).not.toBe(0);
    expect(write.output).toMatch(/Read-only file system|Permission denied/);
    const status = await proxy.exec(['cat', '/proc/1/status']);
    expect(status.output).toMatch(/^CapEff:\s+0+$/m);
    expect(status.output).toMatch(/^NoNewPrivs:\s+1$/m);
    expect((await proxy.exec(['sh', '-c', 'command -v npm npx yarn'])).exitCode).not.toBe(0);
  });

  it('is small beside its base, and has no source, no tests and no development packages', async () => {
    const sizeOf = async (image: string): Promise<number> =>
      Number(await docker('image', 'inspect', '--format', '{{.Size}}', image));
    const own = ((await sizeOf(images.cqlock)) - (await sizeOf(images.node))) / 2 ** 20;
    process.stdout.write(`layers of the product: ${own.toFixed(1)} MiB\n`);
    expect(own).toBeLessThan(MAX_OWN_MIB);
    const there = await proxy.exec(['ls', '/app', '/app/node_modules']);
    expect(there.output).toMatch(/^dist$/m);
    expect(there.output).not.toMatch(/^(src|test|typescript|vitest|testcontainers|@grafana)$/m);
  });

  it('has a health check that tells a proxy that is not ready', async () => {
    const inspect = async (): Promise<string> =>
      docker('inspect', '--format', '{{.State.Health.Status}}', proxy.getId());
    expect(await inspect()).toBe('healthy');
    const ready = await fetch(`http://127.0.0.1:${proxy.getMappedPort(9180)}/readyz`);
    expect(ready.status).toBe(200);
    // The command of the check itself, on a port where nobody listens.
    const [command] = JSON.parse(
      await docker(
        'image',
        'inspect',
        '--format',
        '[{{json .Config.Healthcheck.Test}}]',
        images.cqlock,
      ),
    ) as string[][];
    const [kind, ...words] = command ?? [];
    expect(kind).toBe('CMD');
    const broken = words.map((word) => word.replace(':9180/', ':9181/'));
    expect(broken).not.toEqual(words);
    expect((await proxy.exec(broken)).exitCode).toBe(1);
    expect((await proxy.exec(words)).exitCode).toBe(0);
  });
});

describe('the main scenario with a driver', () => {
  it('creates, writes and reads', async () => {
    await client.execute(
      "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await client.execute('CREATE TABLE shop.notes (id bigint PRIMARY KEY, note text, raw blob)');
    await client.execute(
      `INSERT INTO shop.notes (id, note, raw) VALUES (${key.literal}, ${text.literal}, ${blob.literal})`,
    );
    const { rows } = await client.execute(`SELECT * FROM shop.notes WHERE id = ${key.literal}`);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.['note']).toBe(text.bytes.toString());
    expect(rows[0]?.['raw']).toEqual(blob.bytes);
  });

  it('ends the connection of a client without TLS', async () => {
    // OPTIONS of protocol version 4, which a proxy that takes plain text answers by SUPPORTED (0x84 0x00 0x00 0x00 0x06).
    const options = Buffer.from('040000000500000000', 'hex');
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const chunks: Buffer[] = [];
      const socket = createConnection(proxy.getMappedPort(9142), '127.0.0.1');
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('error', reject);
      socket.once('close', () => resolve(Buffer.concat(chunks)));
      socket.write(options);
    });
    expect(answer[0]).not.toBe(0x84);
  });

  it('leaves nothing readable in the data and the commit log of Cassandra, nor in logs', async () => {
    const stored = await client.execute(`SELECT note FROM shop.notes WHERE id = ${key.literal}`);
    expect(stored.rows).toHaveLength(1);
    // The same around the proxy, so that it is known what the search would find.
    const control = new MarkerMaker().make('around the proxy', 'text', true);
    const direct = await connect(cassandra.getMappedPort(9042), LOGIN);
    try {
      await direct.execute(
        "CREATE KEYSPACE around WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      );
      await direct.execute('CREATE TABLE around.notes (id int PRIMARY KEY, note text)');
      await direct.execute(`INSERT INTO around.notes (id, note) VALUES (1, ${control.literal})`);
    } finally {
      await direct.shutdown();
    }
    await cassandra.exec(['nodetool', 'flush']);
    await writeFile(join(host.path, 'proxy.log'), await docker('logs', proxy.getId()));
    const files = (await searchMarkers([dataDir], [control])).hits.map(({ file }) => file);
    expect(files.some((file) => file.includes('/commitlog/'))).toBe(true);
    expect(files.some((file) => file.endsWith('-Data.db'))).toBe(true);
    expect((await searchMarkers([host.path], [text, blob, key])).hits).toEqual([]);
  });
});

describe('stopping', () => {
  it('ends by SIGTERM with 0 when requests in flight are answered, and another container has the keys', async () => {
    await client.execute('CREATE TABLE shop.numbers (id int PRIMARY KEY, v text)');
    const insert = 'INSERT INTO shop.numbers (id, v) VALUES (?, ?)';
    const stored: number[] = [];
    let isStopping = false;
    let next = 0;
    const write = async (): Promise<void> => {
      while (!isStopping) {
        const id = next++;
        await client.execute(insert, [id, `value ${id}`], { prepare: true }).then(
          () => stored.push(id),
          () => (isStopping = true),
        );
      }
    };
    const writers = Array.from({ length: 16 }, () => write());
    while (stored.length < 100 && !isStopping)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isStopping).toBe(false);
    const started = Date.now();
    await docker('stop', '--time', '25', proxy.getId());
    const seconds = (Date.now() - started) / 1000;
    isStopping = true;
    await Promise.all(writers);
    const state = await docker('inspect', '--format', '{{.State.ExitCode}}', proxy.getId());
    expect(state).toBe('0');
    // A SIGKILL would come after 25 s.
    expect(seconds).toBeLessThan(24);
    await client.shutdown();
    await proxy.stop();

    proxy = await startProxyContainer();
    client = await connectToProxy();
    const { rows } = await client.execute('SELECT id, v FROM shop.numbers');
    const values = new Map(rows.map((row) => [row['id'] as number, row['v'] as string]));
    expect(stored.filter((id) => values.get(id) !== `value ${id}`)).toEqual([]);
    const old = await client.execute(`SELECT note FROM shop.notes WHERE id = ${key.literal}`);
    expect(old.rows[0]?.['note']).toBe(text.bytes.toString());
  });

  it('keeps its keys through a SIGKILL', async () => {
    await client.shutdown();
    await docker('kill', proxy.getId());
    await docker('start', proxy.getId());
    const port = await docker('port', proxy.getId(), '9142/tcp');
    await expect
      .poll(() => docker('inspect', '--format', '{{.State.Health.Status}}', proxy.getId()), {
        timeout: 60_000,
        interval: 500,
      })
      .toBe('healthy');
    client = await connect(Number(/:(\d+)/.exec(port)?.[1]), LOGIN, ca);
    const { rows } = await client.execute(`SELECT note FROM shop.notes WHERE id = ${key.literal}`);
    expect(rows[0]?.['note']).toBe(text.bytes.toString());
  });

  it('does not start without its key, and says why', async () => {
    const { path } = host;
    const lost = mounts.map((mount) =>
      mount.target === '/var/lib/cqlock-keys' ? { ...mount, source: join(path, 'empty') } : mount,
    );
    await host.directory('empty', PROXY_USER);
    const args = lost.flatMap((m) => ['--volume', `${m.source}:${m.target}:${m.mode}`]);
    const failed = docker(
      ...['run', '--rm', '--read-only', '--network', network.getName(), ...args],
      ...['--env', 'CQLOCK_CONTACT_POINTS=cassandra:9042', '--env', 'CQLOCK_USERNAME=cassandra'],
      ...['--env', 'CQLOCK_PASSWORD_FILE=/run/secrets/cassandra.password', images.cqlock, 'start'],
    );
    await expect(failed).rejects.toThrow(/root key/i);
  });
});
