/** What the tests of containers share: names of images, the docker command, directories that containers of others own. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auth, Client } from 'cassandra-driver';
import { defaultCacheDirectory } from '../../src/app/embedded_cassandra/index.ts';
import type { TestImages } from './images.ts';
import { run } from './shell.ts';

/** The user of the product's image. */
export const PROXY_USER = 1000;

/** The images that test/containers/run.ts has prepared. */
export function testImages(): TestImages {
  const text = process.env['CQLOCK_TEST_IMAGES'];
  if (text === undefined) throw new Error('start these tests by test/containers/run.ts');
  return JSON.parse(text) as TestImages;
}

/** The docker command, against the engine of the tests. */
export function docker(...args: string[]): Promise<string> {
  return run('docker', args);
}

/** A directory on this machine that containers write to. */
export interface HostDirectory {
  readonly path: string;
  /** Makes a directory in it that belongs to a user of a container. */
  directory(name: string, user: number): Promise<string>;
  /** Writes a file that only a user of a container reads. */
  secret(name: string, text: string, user: number): Promise<string>;
  /** Removes it with all that containers have left there. */
  remove(): Promise<void>;
}

/** Makes one; `shellImage` is any image with a shell, to remove what is not ours. */
export async function hostDirectory(shellImage: string): Promise<HostDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'cqlock-containers-'));
  await chmod(path, 0o755);
  const give = async (target: string, user: number, mode: number): Promise<void> => {
    // Without root files can be given to nobody: then everybody on this machine may use them, for the time of the test.
    if (process.getuid?.() === 0) await chown(target, user, user);
    await chmod(target, process.getuid?.() === 0 ? mode : mode | 0o777);
  };
  return {
    path,
    directory: async (name, user) => {
      await mkdir(join(path, name), { recursive: true });
      await give(join(path, name), user, 0o700);
      return join(path, name);
    },
    secret: async (name, text, user) => {
      await writeFile(join(path, name), text);
      await give(join(path, name), user, 0o400);
      return join(path, name);
    },
    remove: async () => {
      if (process.getuid?.() !== 0) {
        const args = ['--rm', '--user=0', '--entrypoint=/bin/sh', `--volume=${path}:/there`];
        await docker('run', ...args, shellImage, '-c', 'rm -rf /there/*');
      }
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** A driver of an application, at a port of this machine: by TLS through the proxy, or without `ca` in plain. */
export async function connect(
  port: number,
  login: readonly [string, string],
  ca?: string,
): Promise<Client> {
  const client = new Client({
    contactPoints: [`127.0.0.1:${port}`],
    localDataCenter: 'datacenter1',
    authProvider: new auth.PlainTextAuthProvider(...login),
    // A schema change of a Cassandra that has just started, on a small machine.
    socketOptions: { readTimeout: 60_000 },
    ...(ca === undefined ? {} : { sslOptions: { ca: [ca], rejectUnauthorized: true } }),
  });
  try {
    await client.connect();
  } catch (error) {
    await client.shutdown();
    throw error;
  }
  return client;
}

/** The path of cqlsh, installed from its package into the cache the first time (as test/conformance/cqlsh does). */
export async function ensureCqlsh(): Promise<string> {
  const venv = join(defaultCacheDirectory(process.env), 'conformance-cqlsh');
  const cqlsh = join(venv, 'bin', 'cqlsh');
  if (existsSync(cqlsh)) return cqlsh;
  await run('python3', ['-m', 'venv', venv]);
  const packages = ['cqlsh==6.2.2', 'cassandra-driver==3.30.1'];
  const pip = ['install', '--quiet', '--disable-pip-version-check', ...packages];
  await run(join(venv, 'bin', 'pip'), pip, { timeoutMs: 240_000 });
  return cqlsh;
}
