/**
 * A real Prometheus and promtool: those of CQLOCK_TEST_PROMETHEUS and CQLOCK_TEST_PROMTOOL, of this machine, or of Debian's package,
 * which is unpacked into the cache of the project.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDirectory, findFreePort } from '../../src/app/embedded_cassandra/index.ts';

const run = promisify(execFile);
const INSTALL_MS = 120_000;

/** Paths of the programs, or why there are none. */
export type PrometheusPrograms =
  { readonly prometheus: string; readonly promtool: string } | { readonly missing: string };

let found: Promise<PrometheusPrograms> | undefined;

/** Finds or installs them, once. */
export function findPrometheus(): Promise<PrometheusPrograms> {
  found ??= find();
  return found;
}

async function find(): Promise<PrometheusPrograms> {
  const own = {
    prometheus: process.env['CQLOCK_TEST_PROMETHEUS'] ?? 'prometheus',
    promtool: process.env['CQLOCK_TEST_PROMTOOL'] ?? 'promtool',
  };
  if (isThere(own.prometheus) && isThere(own.promtool)) return own;
  const folder = resolve(defaultCacheDirectory(process.env), 'prometheus');
  const installed = {
    prometheus: join(folder, 'usr', 'bin', 'prometheus'),
    promtool: join(folder, 'usr', 'bin', 'promtool'),
  };
  try {
    if (!existsSync(folder)) await install(folder);
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { missing: `no Prometheus on this machine, and Debian's cannot be had (${why})` };
  }
  if (isThere(installed.prometheus) && isThere(installed.promtool)) return installed;
  return { missing: `the Prometheus in ${folder} does not run on this machine` };
}

function isThere(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Debian's package without its dependencies: the programs need none. */
async function install(folder: string): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}.`);
  try {
    const download = (): Promise<unknown> =>
      run('apt-get', ['download', '-qq', 'prometheus'], { cwd: work, timeout: INSTALL_MS });
    try {
      await download();
    } catch {
      await run('apt-get', ['update', '-qq'], { timeout: INSTALL_MS });
      await download();
    }
    const [name = ''] = (await readdir(work)).filter((entry) => entry.endsWith('.deb'));
    await run('dpkg-deb', ['-x', join(work, name), join(work, 'unpacked')]);
    await rename(join(work, 'unpacked'), folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A value of a series at one time. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** A running Prometheus. */
export interface TestPrometheus {
  /** Answers a query; throws Prometheus' words when it is wrong. */
  ask(query: string): Promise<readonly Sample[]>;
  stop(): void;
}

/** Starts one with a configuration file, on a free port. */
export async function startPrometheus(
  program: string,
  configFile: string,
  dataDir: string,
): Promise<TestPrometheus> {
  const port = await findFreePort();
  const child = spawn(
    program,
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${dataDir}`,
      `--web.listen-address=127.0.0.1:${String(port)}`,
    ],
    { stdio: 'ignore' },
  );
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  return {
    ask: async (query) => {
      const answer = await fetch(
        `http://127.0.0.1:${String(port)}/api/v1/query?query=${encodeURIComponent(query)}`,
      );
      const body = (await answer.json()) as {
        status: string;
        error?: string;
        data?: { result: Sample[] };
      };
      if (body.status !== 'success') throw new Error(`${query}: ${body.error ?? ''}`);
      return body.data?.result ?? [];
    },
    stop: () => {
      process.removeListener('exit', killChild);
      child.kill();
    },
  };
}
