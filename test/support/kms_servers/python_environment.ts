/** Python packages at exact versions in an environment of their own, kept in the cache. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheDirectory, takeFileLock } from '../../../src/app/embedded_cassandra/index.ts';
import type { MissingServer } from './test_server.ts';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 600_000;
/** The oldest version unless a server needs a later one. */
const OLDEST_MINOR = 10;
const NAMES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

/**
 * Directory `bin` of an environment with the packages. It is made once; a half-made one is never used.
 * @param oldestMinor version 3.x of Python that the packages need at least
 */
export async function pythonEnvironment(
  name: string,
  packages: readonly string[],
  oldestMinor = OLDEST_MINOR,
): Promise<{ readonly missing: undefined; readonly bin: string } | MissingServer> {
  const python = await findPython(oldestMinor);
  if (python === undefined) return { missing: `there is no Python 3.${oldestMinor} or later` };
  const hash = createHash('sha256')
    .update([python.version, ...packages].join('\n'))
    .digest('hex');
  const directory = join(
    defaultCacheDirectory(process.env),
    'python',
    `${name}-${hash.slice(0, 12)}`,
  );
  const bin = join(directory, 'bin');
  const marker = join(directory, 'complete');
  if (existsSync(marker)) return { missing: undefined, bin };
  await mkdir(join(directory, '..'), { recursive: true });
  // Several test files may need it at once.
  const release = await takeFileLock(`${directory}.lock`, () => undefined);
  try {
    if (existsSync(marker)) return { missing: undefined, bin };
    return await makeEnvironment(name, python.command, directory, packages);
  } finally {
    await release();
  }
}

async function makeEnvironment(
  name: string,
  python: string,
  directory: string,
  packages: readonly string[],
): Promise<{ readonly missing: undefined; readonly bin: string } | MissingServer> {
  const bin = join(directory, 'bin');
  const marker = join(directory, 'complete');
  // An environment cannot be moved, so it is made in place; the marker comes last.
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  try {
    await run(python, ['-m', 'venv', directory], { timeout: INSTALL_TIMEOUT_MS });
    await run(
      join(bin, 'python'),
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages],
      { timeout: INSTALL_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 },
    );
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    const [line = ''] = (error instanceof Error ? error.message : '').split('\n');
    return { missing: `the Python packages of ${name} cannot be installed (${line})` };
  }
  await writeFile(`${marker}.new`, '');
  await rename(`${marker}.new`, marker);
  return { missing: undefined, bin };
}

async function findPython(
  oldestMinor: number,
): Promise<{ readonly command: string; readonly version: string } | undefined> {
  const pyenv = join(homedir(), '.pyenv', 'versions');
  const others = existsSync(pyenv)
    ? readdirSync(pyenv).map((version) => join(pyenv, version, 'bin', 'python3'))
    : [];
  for (const command of [...NAMES, ...others]) {
    try {
      const { stdout } = await run(command, [
        '-c',
        'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])',
      ]);
      const version = stdout.trim();
      const [major = 0, minor = 0] = version.split('.').map(Number);
      if (major === 3 && minor >= oldestMinor) return { command, version };
    } catch {
      // Not there, or not whole.
    }
  }
  return undefined;
}
