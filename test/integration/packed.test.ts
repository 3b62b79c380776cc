/**
 * What `npm pack` makes, installed in an empty folder: `npx cqlock start` starts a Cassandra and the proxy, and serves a driver.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import cassandra from 'cassandra-driver';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defaultCacheDirectory, findFreePort } from '../../src/app/embedded_cassandra/index.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
let child: ChildProcess | undefined;

function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`));
    });
  });
}

beforeAll(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'cqlock-packed-'));
  folder = join(parent, 'app');
  await run('mkdir', [folder], parent);
  await run('npm', ['pack', '--pack-destination', parent], ROOT);
  const [name = ''] = (await readdir(parent)).filter((entry) => entry.endsWith('.tgz'));
  // Nothing is compiled: the optional package of PKCS#11 is as if there were no compiler.
  const options = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, join(parent, name)], folder);
});

afterAll(async () => {
  // npx passes no signal on when it is killed; what it started ends by the group.
  const hasEnded = child?.exitCode !== null || child.signalCode !== null;
  if (!hasEnded && child?.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  if (folder !== undefined) {
    await rm(join(folder, '..'), { recursive: true, force: true, maxRetries: 5 });
  }
});

it('has commands, and nothing of the tests and sources', async () => {
  expect(await run('npx', ['cqlock', '--help'], folder)).toMatch(/^ {2}start /m);
  const installed = join(folder, 'node_modules', 'cqlock');
  expect(await readdir(installed)).toEqual(
    expect.arrayContaining(['cqlock.example.yaml', 'dist', 'docs', 'package.json']),
  );
  for (const name of ['src', 'test', 'tools', '.cache']) {
    expect(existsSync(join(installed, name)), name).toBe(false);
  }
});

it('starts by npx in an empty folder and serves a driver, and stops when it is asked to', async () => {
  const [port, cassandraPort] = [await findFreePort(), await findFreePort()];
  child = spawn('npx', ['cqlock', 'start'], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      XDG_CONFIG_HOME: join(folder, '..', 'config'),
      // The jars that other tests have too.
      CQLOCK_CACHE_DIR: defaultCacheDirectory(process.env),
      CQLOCK_EMBEDDED_CASSANDRA: 'jars',
      CQLOCK_EMBEDDED_CASSANDRA_PORT: String(cassandraPort),
      CQLOCK_EMBEDDED_CASSANDRA_HEAP_MB: '512',
      CQLOCK_LISTEN: `127.0.0.1:${String(port)}`,
      CQLOCK_HTTP_LISTEN: '127.0.0.1:0',
    },
  });
  let output = '';
  const take = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const exited = new Promise<number | null>((resolve) => child?.once('exit', resolve));
  await Promise.race([
    expect.poll(() => output, { timeout: 280_000 }).toMatch(/cqlock is ready on/),
    exited.then((code) => {
      throw new Error(`it ended with ${String(code)}:\n${output}`);
    }),
  ]);
  const client = new cassandra.Client({
    contactPoints: [`127.0.0.1:${String(port)}`],
    localDataCenter: 'datacenter1',
  });
  try {
    await client.execute(
      "CREATE KEYSPACE packed WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await client.execute('CREATE TABLE packed.t (k int PRIMARY KEY, v text)');
    await client.execute("INSERT INTO packed.t (k, v) VALUES (1, 'one')");
    const { rows } = await client.execute('SELECT v FROM packed.t WHERE k = 1');
    expect(rows[0]?.['v']).toBe('one');
  } finally {
    await client.shutdown();
  }
  // As Ctrl-C in a terminal: to the whole group.
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await exited;
  await expect.poll(() => output, { timeout: 60_000 }).toContain('stopping Cassandra');
}, 300_000);
