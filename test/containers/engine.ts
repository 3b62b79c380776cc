/**
 * A Docker engine for tests: the one that answers, else a dockerd of our own where this is root on Linux. What is installed for
 * that comes from the system's own packages, and only where CQLOCK_TEST_INSTALL=1 allows it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run, tryRun } from './shell.ts';

/** An engine that answers. */
export interface Engine {
  readonly missing: undefined;
  /** What the docker command, compose and testcontainers need. */
  readonly env: Readonly<Record<string, string>>;
  /** It was started here: what runs in it is ours. */
  readonly isOwn: boolean;
  /** Ends an own engine and what runs in it; another one is left as it is. */
  stop(): Promise<void>;
}

/** Why there is none. */
export interface NoEngine {
  readonly missing: string;
}

const START_MS = 60_000;
const STOP_MS = 30_000;
const COMPOSE_DEB = 'pool/main/d/docker-compose/docker-compose_2.26.1-4_amd64.deb';
const COMPOSE_SHA256 = '47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea';
const COMPOSE_IN_DEB = 'usr/libexec/docker/cli-plugins/docker-compose';

/** Finds or starts an engine with Compose 2. `cache` is where an own engine keeps its images. */
export async function findEngine(
  cache: string,
  say: (line: string) => void,
): Promise<Engine | NoEngine> {
  if ((await tryRun('docker', ['version', '--format', '{{.Server.Version}}'])).code === 0) {
    const env = { TESTCONTAINERS_RYUK_DISABLED: 'true' };
    const compose = await withCompose(cache, env, say);
    if (compose.missing !== undefined) return compose;
    return { missing: undefined, env: compose.env, isOwn: false, stop: async () => undefined };
  }
  const missing = await whyNoDockerd(say);
  if (missing !== undefined) return { missing };
  return startDockerd(cache, say);
}

/** apt-get, where this is root on a Debian that may be changed; the reason why not otherwise. */
export async function install(
  packages: readonly string[],
  say: (line: string) => void,
): Promise<string | undefined> {
  const what = packages.join(', ');
  if (process.getuid?.() !== 0) return `${what} not installed, and this is not root`;
  if (process.env['CQLOCK_TEST_INSTALL'] !== '1') {
    return `${what} not installed (CQLOCK_TEST_INSTALL=1 lets this test install it)`;
  }
  say(`installing ${what}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const update = await tryRun('apt-get', ['update', '-qq'], { timeoutMs: 120_000 });
  if (update.code !== 0) return `${what} cannot be installed: apt-get update failed`;
  const { code } = await tryRun(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
    { env, timeoutMs: 240_000 },
  );
  return code === 0 ? undefined : `${what} cannot be installed: apt-get failed`;
}

async function whyNoDockerd(say: (line: string) => void): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'no Docker engine answers';
  const missing: string[] = [];
  for (const [command, name] of [
    ['dockerd', 'docker.io'],
    ['iptables', 'iptables'],
  ] as const) {
    if ((await tryRun(command, ['--version'])).code !== 0) missing.push(name);
  }
  if (missing.length > 0) {
    const reason = await install(missing, say);
    if (reason !== undefined) return `no Docker engine answers, and ${reason}`;
  }
  return process.getuid?.() === 0
    ? undefined
    : 'no Docker engine answers, and only root can start one';
}

async function startDockerd(
  cache: string,
  say: (line: string) => void,
): Promise<Engine | NoEngine> {
  const root = join(cache, 'docker');
  await mkdir(root, { recursive: true });
  if (await isInUse(join(root, 'dockerd.pid'))) {
    return { missing: `another run uses the images in ${root}` };
  }
  // The path of a socket must be short, which that of the cache need not be.
  const scratch = mkdtempSync(join(tmpdir(), 'cqlock-docker-'));
  const socket = `unix://${join(scratch, 'docker.sock')}`;
  const logFile = join(scratch, 'dockerd.log');
  mkdirSync(join(scratch, 'exec'));
  const log = openSync(logFile, 'w');
  const child = spawn(
    'dockerd',
    [
      ...['--data-root', root, '--exec-root', join(scratch, 'exec'), '-H', socket],
      ...['--pidfile', join(root, 'dockerd.pid'), '--mtu', '1400'],
    ],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  let hasEnded = false;
  void exited.then(() => (hasEnded = true));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(late);
    // A network namespace that stays mounted after dockerd.
    await tryRun('umount', ['--lazy', join(scratch, 'exec', 'netns', 'default')]);
    rmSync(scratch, { recursive: true, force: true });
  };
  const env = { DOCKER_HOST: socket, DOCKER_BUILDKIT: '0', TESTCONTAINERS_RYUK_DISABLED: 'true' };
  const deadline = Date.now() + START_MS;
  while ((await tryRun('docker', ['version'], { env })).code !== 0) {
    if (hasEnded || Date.now() > deadline) {
      const why = (await readFile(logFile, 'utf8')).trim().split('\n').at(-1) ?? '';
      await stop();
      return { missing: `dockerd does not start here: ${why}` };
    }
    await delay(200);
  }
  const stopAll = async (): Promise<void> => {
    const { code, output } = await tryRun('docker', ['ps', '--all', '--quiet'], { env });
    const ids = code === 0 ? output.split('\n').filter((id) => id !== '') : [];
    if (ids.length > 0) await tryRun('docker', ['rm', '--force', '--volumes', ...ids], { env });
    await tryRun('docker', ['network', 'prune', '--force'], { env });
    await stop();
  };
  const compose = await withCompose(cache, env, say);
  if (compose.missing !== undefined) {
    await stopAll();
    return compose;
  }
  return { missing: undefined, env: compose.env, isOwn: true, stop: stopAll };
}

async function isInUse(pidFile: string): Promise<boolean> {
  try {
    const pid = Number((await readFile(pidFile, 'utf8')).trim());
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).startsWith('dockerd\0');
  } catch {
    return false;
  }
}

/** The environment in which `docker compose` works: as it is, or with the plugin of Debian in a directory of its own. */
async function withCompose(
  cache: string,
  env: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<{ missing: undefined; env: Readonly<Record<string, string>> } | NoEngine> {
  const works = async (candidate: Readonly<Record<string, string>>): Promise<boolean> => {
    const { code, output } = await tryRun('docker', ['compose', 'version', '--short'], {
      env: candidate,
    });
    return code === 0 && /^v?[2-9]\.[0-9]/.test(output.trim());
  };
  if (await works(env)) return { missing: undefined, env };
  const config = join(cache, 'docker-config');
  const own = { ...env, DOCKER_CONFIG: config };
  if (await works(own)) return { missing: undefined, env: own };
  // Debian 12 has Compose 1 only. The package of Debian 13 is one binary that runs on both.
  const repository = await tryRun('apt-get', ['indextargets', '--format', '$(REPO_URI)']);
  const mirrors = [...new Set(repository.output.split('\n'))].filter((uri) =>
    /^https?:.*\/debian\/?$/.test(uri),
  );
  say('fetching Compose 2');
  for (const mirror of mirrors) {
    const response = await fetch(`${mirror.replace(/\/$/, '')}/${COMPOSE_DEB}`).catch(() => null);
    if (response?.ok !== true) continue;
    const deb = Buffer.from(await response.arrayBuffer());
    if (createHash('sha256').update(deb).digest('hex') !== COMPOSE_SHA256) continue;
    const plugin = join(config, 'cli-plugins', 'docker-compose');
    const scratch = mkdtempSync(join(tmpdir(), 'cqlock-compose-'));
    try {
      await writeFile(join(scratch, 'compose.deb'), deb);
      await run('dpkg-deb', ['-x', join(scratch, 'compose.deb'), scratch]);
      await mkdir(dirname(plugin), { recursive: true });
      await copyFile(join(scratch, COMPOSE_IN_DEB), plugin);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    break;
  }
  return (await works(own))
    ? { missing: undefined, env: own }
    : { missing: 'there is no Compose 2, and none can be had' };
}
