import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../errors/index.ts';
import { isRunning, isSameProcess, processIdentity } from './process_identity.ts';
import type { ProcessIdentity } from './process_identity.ts';
import { endProcess } from './end_process.ts';

/** What one start leaves for the next: the ports, and who runs. */
export interface RunFile {
  readonly storagePort: number;
  readonly jmxPort: number;
  /** The JVM. */
  readonly daemon: ProcessIdentity | undefined;
  /** The process that started it and is to stop it. */
  readonly owner: ProcessIdentity | undefined;
}

const NAME = 'run.json';

/** Reads the run file of `dataDir`; undefined if there is none or it is torn. */
export async function readRunFile(dataDir: string): Promise<Partial<RunFile> | undefined> {
  try {
    const content: unknown = JSON.parse(await readFile(join(dataDir, NAME), 'utf8'));
    return typeof content === 'object' && content !== null ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the run file of `dataDir`, whole or not at all. */
export async function writeRunFile(dataDir: string, run: RunFile): Promise<void> {
  const file = join(dataDir, NAME);
  const temporary = `${file}.${String(process.pid)}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(run, undefined, 2)}\n`);
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Ends a Cassandra that was left on this data directory by a process that was killed.
 * @throws ConfigError CONFIG_DATA_DIR when the process that started it is still there, so it is in use.
 */
export async function endLeftOver(
  dataDir: string,
  run: Partial<RunFile> | undefined,
  log: (line: string) => void,
): Promise<void> {
  const daemon: unknown = run?.daemon;
  if (!isSameProcess(daemon)) return;
  if (isSameProcess(run?.owner)) {
    throw new ConfigError(
      'CONFIG_DATA_DIR',
      `${dataDir} is in use by another cqlock (process ${String(run.owner.pid)}). Stop it, or set CQLOCK_DATA_DIR and the ports to others.`,
    );
  }
  log(`stopping a Cassandra left over from an earlier run (process ${String(daemon.pid)})`);
  await endProcess(daemon.pid, 30_000);
}

/** The run file of a daemon just started by this process. */
export function runFileOf(daemonPid: number, storagePort: number, jmxPort: number): RunFile {
  return {
    storagePort,
    jmxPort,
    daemon: isRunning(daemonPid) ? processIdentity(daemonPid) : undefined,
    owner: processIdentity(process.pid),
  };
}
