import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../../errors/index.ts';
import { isSameProcess, processIdentity } from './process_identity.ts';

const LOCK_WAIT_MS = 25 * 60_000;
const POLL_MS = 500;

/**
 * Takes a lock among the processes of this machine; the function it gives releases it. The file names its holder, so that
 * one left by a process that died is taken over.
 * @param onWait called once when another process holds it
 * @throws ConfigError CONFIG_LOCK when it is held for 25 minutes
 */
export async function takeFileLock(file: string, onWait: () => void): Promise<() => Promise<void>> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  let told = false;
  for (;;) {
    try {
      await writeFile(file, JSON.stringify(processIdentity(process.pid)), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readFile(file, 'utf8').catch(() => '');
    if (holder !== '' && !isSameProcess(parseIdentity(holder))) {
      await rm(file, { force: true });
      continue;
    }
    if (performance.now() > deadline) {
      throw new ConfigError('CONFIG_LOCK', `another process holds ${file} for too long; remove it`);
    }
    if (!told) onWait();
    told = true;
    await delay(POLL_MS);
  }
}

function parseIdentity(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
