/**
 * TLS on both sides and the proxy's own judgement of clients, with a real Cassandra, driver and certificates: who gets in, who
 * does not, and certificates that are replaced under load.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import cassandra from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCa } from '../support/certificates.ts';
import type { Issued, TestCa } from '../support/certificates.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import {
  DRIVER_PROGRAMS,
  identityOf,
  refusalsOf,
  runDriverProgram,
  skipWithout,
} from '../support/driver_programs.ts';
import type { ProgramResult } from '../support/driver_programs.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../support/proxy.ts';
import { tlsCassandraSettings } from './support/tls_cassandra.ts';

const CONNECTIONS = 50;
const LOAD_MS = 4_000;
/** The first run of a program installs its driver. */
const PROGRAM_MS = 600_000;
const DRIVER_NAMES = DRIVER_PROGRAMS.map(({ name }) => name);

let directory: string;
let ca: TestCa;
let foreignCa: TestCa;
let node: TestCassandra;
const clients: cassandra.Client[] = [];
const proxies: TestProxy[] = [];
const file = (name: string): string => join(directory, name);
const put = (name: string, text: string): Promise<void> =>
  writeFile(file(name), text, { mode: 0o600 });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cqlock-tls-'));
  [ca, foreignCa] = await Promise.all([makeCa('cqlock test'), makeCa('foreign')]);
  const nodeCertificate = await ca.issue({ commonName: 'node' });
  await put('ca.pem', ca.cert);
  await put('foreign.pem', foreignCa.cert);
  await put('node.pem', `${nodeCertificate.key}${nodeCertificate.cert}`);
  for (const [name, { cert, key }] of [
    ['listener', await ca.issue({ commonName: 'first' })],
    ['own', await ca.issue({ commonName: 'proxy' })],
    ['driver', await ca.issue({ commonName: 'driver' })],
    ['foreign', await foreignCa.issue({ commonName: 'driver' })],
  ] as const) {
    await put(`${name}.crt`, cert);
    await put(`${name}.key`, key);
  }
  await put('cassandra.password', 'own password\n');
  await put('superuser.password', 'cassandra\n');
  await put('driver.password', 'known to drivers alone\n');
  node = await startCassandra({
    yaml: tlsCassandraSettings({ keyAndCertificate: file('node.pem'), ca: file('ca.pem') }),
  });
  await put(
    'cqlock.yaml',
    `
tls:
  mode: required
  certificate_file: listener.crt
  key_file: listener.key
  reload_period: 200ms
cassandra:
  username: cqlock
  password_file: cassandra.password
  tls:
    mode: required
    ca_file: ca.pem
    certificate_file: own.crt
    key_file: own.key
`,
  );
}, 300_000);

afterAll(async () => {
  for (const client of clients) await client.shutdown().catch(() => undefined);
  for (const proxy of proxies) await proxy.stop();
  await node?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
}, 120_000);

function settings(env: Record<string, string> = {}): TestProxyOptions & { dataDir: string } {
  return {
    contactPoints: [`${node.host}:${String(node.port)}`],
    dataDir: file('data'),
    env: { CQLOCK_CONFIG: file('cqlock.yaml'), ...env },
  };
}

async function start(env: Record<string, string> = {}): Promise<TestProxy> {
  const proxy = await startProxy(settings(env));
  proxies.push(proxy);
  return proxy;
}

interface Login {
  readonly user?: string;
  readonly password?: string;
  readonly certificate?: Issued | undefined;
  readonly ca?: string;
}

function clientOf(proxy: TestProxy, login: Login = {}): cassandra.Client {
  const client = new cassandra.Client({
    contactPoints: [`${proxy.host}:${String(proxy.port)}`],
    localDataCenter: 'datacenter1',
    ...(login.user === undefined
      ? {}
      : {
          authProvider: new cassandra.auth.PlainTextAuthProvider(login.user, login.password ?? ''),
        }),
    sslOptions: { ca: login.ca ?? ca.cert, rejectUnauthorized: true, ...login.certificate },
    pooling: { coreConnectionsPerHost: { '0': 1 } },
  });
  clients.push(client);
  return client;
}

/** Runs some scenarios of a program of test/conformance; a certificate is the name of its files. */
function program(
  name: string,
  proxy: TestProxy,
  { certificate, ...login }: { certificate?: string; user?: string; password?: string },
  scenarios: 'short' | 'connect',
): Promise<ProgramResult> {
  const [cert, key] = ['crt', 'key'].map((end) => file(`${certificate ?? ''}.${end}`));
  const identity = { ca: file('ca.pem'), ...login, ...(certificate && { cert, key }) };
  const env = { CQLOCK_TEST_SCENARIOS: scenarios, ...identityOf(identity) };
  return runDriverProgram(name, [`${proxy.host}:${String(proxy.port)}`], { env });
}

/** Connects and reads the row that is there, or rejects. */
async function comesIn(proxy: TestProxy, login: Login): Promise<string> {
  const client = clientOf(proxy, login);
  try {
    await client.connect();
    const { rows } = await client.execute('SELECT v FROM tls.t WHERE k = 1');
    return String(rows[0]?.['v']);
  } finally {
    await client.shutdown();
  }
}

const SUPERUSER = { user: 'cassandra', password: 'cassandra' };

async function direct(cql: string): Promise<cassandra.types.ResultSet> {
  const client = new cassandra.Client({
    contactPoints: [`${node.host}:${String(node.port)}`],
    localDataCenter: 'datacenter1',
    authProvider: new cassandra.auth.PlainTextAuthProvider('cassandra', 'cassandra'),
  });
  try {
    return await client.execute(cql);
  } finally {
    await client.shutdown();
  }
}

describe('the role of the proxy', () => {
  it('is made with least rights, and is enough to prepare the cluster', async () => {
    const made = await runCqlock(
      `role create --admin-user cassandra --admin-password-file ${file('superuser.password')}`,
      settings(),
    );
    expect(made.output).toContain('GRANT MODIFY ON KEYSPACE cqlock');
    expect(made).toMatchObject({ code: 0 });
    const { rows } = await direct(
      "SELECT is_superuser, can_login FROM system_auth.roles WHERE role = 'cqlock'",
    );
    expect(rows[0]).toMatchObject({ is_superuser: false, can_login: true });
    expect(made.output).not.toContain('own password');
    const init = await runCqlock('init', settings());
    expect(init.output).toContain('is prepared');
    const check = await runCqlock('check', settings());
    expect(check.output).toMatch(/reached by TLS/);
    expect(check.output).toMatch(/Cassandra 5\.0/);
    // Each threshold is read from this Cassandra, so its name is one that Cassandra has.
    expect(check.output).toMatch(/batch_size_fail_threshold is 400KiB/);
    for (const name of [
      'batch_size_warn_threshold',
      'native_transport_max_frame_size',
      'commitlog_segment_size',
    ]) {
      expect(check.output).toMatch(new RegExp(`thresholds: .*${name} is \\d+[KM]iB`));
    }
    expect(check.output).toMatch(/0 errors/);
    expect(check.code).toBe(0);
  });

  it('is refused by check where the CA is another one, with what to look at', async () => {
    const { code, output } = await runCqlock(
      'check',
      settings({ CQLOCK_CASSANDRA_TLS_CA_FILE: file('foreign.pem') }),
    );
    expect(code).toBe(2);
    expect(output).toMatch(
      /connection: CQLOCK_CASSANDRA_TLS_CA_FILE: cannot connect to Cassandra: .*(certificate|issuer)/,
    );
  });
});

describe('delegated authentication by TLS', () => {
  let proxy: TestProxy;
  beforeAll(async () => {
    proxy = await start();
    const client = clientOf(proxy, SUPERUSER);
    await client.execute(
      "CREATE KEYSPACE tls WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await client.execute('CREATE TABLE tls.t (k int PRIMARY KEY, v text)');
    await client.execute("INSERT INTO tls.t (k, v) VALUES (1, 'one')");
  });

  it('serves a driver, and nobody in plain text', async () => {
    expect(await comesIn(proxy, SUPERUSER)).toBe('one');
    await expect(comesIn(proxy, { ...SUPERUSER, ca: foreignCa.cert })).rejects.toThrow();
    const plain = new cassandra.Client({
      contactPoints: [`${proxy.host}:${String(proxy.port)}`],
      localDataCenter: 'datacenter1',
    });
    await expect(plain.connect()).rejects.toThrow();
    await plain.shutdown();
  });

  it('reaches Cassandra by TLS alone, also for clients', async () => {
    await comesIn(proxy, SUPERUSER);
    const { rows } = await direct('SELECT username, ssl_enabled FROM system_views.clients');
    const own = rows.filter((row) => row['username'] === 'cqlock');
    expect(own.length).toBeGreaterThan(0);
    expect(own.every((row) => row['ssl_enabled'] === true)).toBe(true);
    // Every connection in plain text is one of `direct` itself.
    expect(rows.some((row) => row['username'] === 'cassandra' && row['ssl_enabled'] === true)).toBe(
      true,
    );
  });

  it('says that Cassandra alone authenticates, at start, in readyz and in status', async () => {
    expect(proxy.output()).toMatch(/client_authentication.*delegated/);
    const ready = (await (await fetch(`${proxy.http}/readyz`)).json()) as Record<string, unknown>;
    expect(ready).toMatchObject({ status: 'ready', client_authentication: 'delegated' });
    const status = await runCqlock(
      'status',
      settings({ CQLOCK_HTTP_LISTEN: proxy.http.replace('http://', '') }),
    );
    expect(status.output).toMatch(/ready at .*\n.*authentication delegated/);
    expect(status.output).toMatch(
      /certificates +client 29 days, cassandra 29 days|certificates +cassandra 29 days, client 29 days/,
    );
    expect(status.code).toBe(0);
  });

  it('serves cqlsh by TLS', { timeout: PROGRAM_MS }, async (context) => {
    skipWithout(context, 'cqlsh');
    const { output, code } = await program('cqlsh', proxy, SUPERUSER, 'short');
    expect(output).toMatch(/scenario ok select/);
    expect(code).toBe(0);
  });

  it(`replaces certificates while ${String(CONNECTIONS)} connections work: no request fails, new ones see the new one`, async () => {
    const working = Array.from({ length: CONNECTIONS }, () => clientOf(proxy, SUPERUSER));
    for (const client of working) await client.connect();
    const subject = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: proxy.host, port: proxy.port, ca: ca.cert }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.once('error', reject);
      });
    expect(await subject()).toBe('first');
    let done = 0;
    const failures: unknown[] = [];
    const endAt = Date.now() + LOAD_MS;
    const load = Promise.all(
      working.map(async (client) => {
        while (Date.now() < endAt) {
          await client.execute('SELECT v FROM tls.t WHERE k = 1', [], { prepare: true }).then(
            () => done++,
            (error: unknown) => failures.push(error),
          );
        }
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, LOAD_MS / 4));
    const before = done;
    const next = await ca.issue({ commonName: 'second', days: 90 });
    await put('listener.crt', next.cert);
    await put('listener.key', next.key);
    let seen = '';
    while (seen !== 'second' && Date.now() < endAt) {
      seen = await subject();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await load;
    expect(seen).toBe('second');
    expect(failures).toEqual([]);
    expect(before).toBeGreaterThan(CONNECTIONS);
    expect(done).toBeGreaterThan(before);
    expect(await comesIn(proxy, SUPERUSER)).toBe('one');
    const metrics = await (await fetch(`${proxy.http}/metrics`)).text();
    const [, expiry] =
      /cqlock_certificate_expiry_timestamp_seconds\{use="client"\} (\d+)/.exec(metrics) ?? [];
    expect((Number(expiry) * 1_000 - Date.now()) / 86_400_000).toBeGreaterThan(80);
    for (const client of working) await client.shutdown();
  });
});

describe("the proxy's own list of roles", () => {
  let proxy: TestProxy;
  const env = () => ({
    CQLOCK_AUTHENTICATION: 'password',
    CQLOCK_ROLES_FILE: file('roles.yaml'),
    CQLOCK_MAX_LOGIN_FAILURES: '3',
    CQLOCK_LOGIN_FAILURE_PERIOD: '3s',
  });
  beforeAll(async () => {
    await put('app.password', 'known to app alone');
    await direct("CREATE ROLE app WITH PASSWORD = 'known to app alone' AND LOGIN = true");
    await direct('GRANT SELECT ON KEYSPACE tls TO app');
    await direct("CREATE ROLE driver WITH PASSWORD = 'known to drivers alone' AND LOGIN = true");
    await direct('GRANT ALL PERMISSIONS ON ALL KEYSPACES TO driver');
    const added = await runCqlock(
      `role add app --password-file ${file('app.password')}`,
      settings(env()),
    );
    expect(added).toMatchObject({ code: 0 });
    proxy = await start(env());
  });
  const app = { user: 'app', password: 'known to app alone' };

  it('lets in who is in it with the right password, and says so', async () => {
    expect(await comesIn(proxy, app)).toBe('one');
    const ready = (await (await fetch(`${proxy.http}/readyz`)).json()) as Record<string, unknown>;
    expect(ready['client_authentication']).toBe('password');
  });

  it('refuses the superuser of Cassandra, who is not in it', async () => {
    await expect(comesIn(proxy, SUPERUSER)).rejects.toThrow();
  });

  it("refuses a password that an administrator has set in Cassandra, and then Cassandra refuses the role's own", async () => {
    await direct("ALTER ROLE app WITH PASSWORD = 'set by somebody else'");
    await expect(
      comesIn(proxy, { user: 'app', password: 'set by somebody else' }),
    ).rejects.toThrow();
    await expect(comesIn(proxy, app)).rejects.toThrow();
    await expect.poll(() => proxy.output(), { timeout: 30_000 }).toContain('LOGIN_CASSANDRA');
    await direct("ALTER ROLE app WITH PASSWORD = 'known to app alone'");
    expect(await comesIn(proxy, app)).toBe('one');
  });

  it('makes who fails too often wait, others not', async () => {
    for (let i = 0; i < 3; i++) {
      await expect(comesIn(proxy, { user: 'guess', password: String(i) })).rejects.toThrow();
    }
    await expect(comesIn(proxy, { user: 'guess', password: 'x' })).rejects.toThrow();
    await expect.poll(() => proxy.output(), { timeout: 30_000 }).toContain('LOGIN_LIMITED');
    expect(await comesIn(proxy, app)).toBe('one');
    const metrics = await (await fetch(`${proxy.http}/metrics`)).text();
    expect(metrics).toMatch(/cqlock_logins_total\{result="limited"\} [1-9]/);
    expect(metrics).toMatch(/cqlock_logins_total\{result="failed"\} [3-9]/);
  });

  it('cuts the connections of a role that is removed', async () => {
    const client = clientOf(proxy, app);
    await client.connect();
    const removed = await runCqlock('role remove app --yes', settings(env()));
    expect(removed).toMatchObject({ code: 0 });
    await expect(
      (async () => {
        for (;;) {
          await client.execute('SELECT v FROM tls.t WHERE k = 1');
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })(),
    ).rejects.toThrow();
    await expect(comesIn(proxy, app)).rejects.toThrow();
  });
});

describe('certificates of clients', () => {
  let proxy: TestProxy;
  let right: Issued;
  let unknown: Issued;
  let foreign: Issued;
  beforeAll(async () => {
    const altNames = [{ type: 'url', value: 'spiffe://example.org/app' }] as const;
    right = await ca.issue({ commonName: 'app', altNames });
    unknown = await ca.issue({ commonName: 'other' });
    foreign = await foreignCa.issue({ commonName: 'app', altNames });
    await rm(file('roles.yaml'), { force: true });
    const env = {
      CQLOCK_AUTHENTICATION: 'certificate',
      CQLOCK_ROLES_FILE: file('roles.yaml'),
      CQLOCK_TLS_CLIENT_CERTIFICATES: 'required',
      CQLOCK_TLS_CLIENT_CA_FILE: file('ca.pem'),
    };
    for (const command of [
      `role add app --certificate URI:spiffe://example.org/app --cassandra-password-file ${file('app.password')}`,
      `role add driver --certificate CN=driver --cassandra-password-file ${file('driver.password')}`,
    ]) {
      expect(await runCqlock(command, settings(env))).toMatchObject({ code: 0 });
    }
    proxy = await start(env);
  });

  it('let in without a password who has the right one, as its role in Cassandra', async () => {
    expect(await comesIn(proxy, { certificate: right })).toBe('one');
    const client = clientOf(proxy, { certificate: right });
    await expect(client.execute("INSERT INTO tls.t (k, v) VALUES (2, 'two')")).rejects.toThrow(
      /app has no MODIFY permission/,
    );
  });

  it('keep out who has none, one of another CA, or one of no role, whatever password is given', async () => {
    for (const certificate of [undefined, foreign, unknown]) {
      await expect(comesIn(proxy, { ...SUPERUSER, certificate })).rejects.toThrow();
    }
    await expect.poll(() => proxy.output(), { timeout: 30_000 }).toContain('LOGIN_CERTIFICATE');
  });

  it.for(DRIVER_NAMES)(
    'let in %s without a password, as the role of the certificate',
    { timeout: PROGRAM_MS },
    async (name, context) => {
      skipWithout(context, name);
      const { output, ...outcome } = await program(name, proxy, { certificate: 'driver' }, 'short');
      expect(outcome, output).toMatchObject({ code: 0, failed: 0 });
    },
  );

  it('name the role in the audit log', async () => {
    await comesIn(proxy, { certificate: right });
    const shown = await runCqlock('audit show --json', settings());
    expect(shown.output).toMatch(/"principal": ?"app"/);
  });
});

describe('mutual TLS with passwords', () => {
  let proxy: TestProxy;
  beforeAll(async () => {
    const env = {
      CQLOCK_AUTHENTICATION: 'password',
      CQLOCK_ROLES_FILE: file('roles_by_password.yaml'),
      CQLOCK_TLS_CLIENT_CERTIFICATES: 'required',
      CQLOCK_TLS_CLIENT_CA_FILE: file('ca.pem'),
      CQLOCK_MAX_LOGIN_FAILURES: '1000',
    };
    for (const role of ['driver', 'reset']) {
      const added = await runCqlock(
        `role add ${role} --password-file ${file('driver.password')}`,
        settings(env),
      );
      expect(added).toMatchObject({ code: 0 });
    }
    await direct("CREATE ROLE reset WITH PASSWORD = 'known to drivers alone' AND LOGIN = true");
    await direct("ALTER ROLE reset WITH PASSWORD = 'set by somebody else'");
    proxy = await start(env);
  });
  const right = { certificate: 'driver', user: 'driver', password: 'known to drivers alone' };

  it.for(DRIVER_NAMES)(
    '%s: no certificate, a wrong one and a password that was reset in Cassandra are refused, the right ones work',
    { timeout: PROGRAM_MS },
    async (name, context) => {
      skipWithout(context, name);
      // Whether it comes in: what it does then is the same as with a certificate alone.
      const comes = (login: Parameters<typeof program>[2]): Promise<ProgramResult> =>
        program(name, proxy, login, 'connect');
      const welcome = await comes(right);
      expect(welcome, welcome.output).toMatchObject({ code: 0, passed: 1, failed: 0 });
      const { certificate: _, ...withoutCertificate } = right;
      const before = await refusalsOf(proxy);
      const refused = await Promise.all([
        comes(withoutCertificate),
        comes({ ...right, certificate: 'foreign' }),
        comes({ ...right, user: 'reset', password: 'set by somebody else' }),
      ]);
      for (const { code, passed, output } of refused) {
        expect(code, output).not.toBe(0);
        expect(passed, output).toBe(0);
      }
      // It was the proxy that refused: two by TLS at least, one by the password.
      const after = await refusalsOf(proxy);
      expect(after.tls - before.tls).toBeGreaterThanOrEqual(2);
      expect(after.logins - before.logins).toBeGreaterThanOrEqual(1);
    },
  );
});
