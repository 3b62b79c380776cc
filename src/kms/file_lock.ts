import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { KeyUnavailableError } from '../errors/index.ts';
import type { Clock } from '../util/index.ts';

/** Short against what a change takes, so that a process that changes again and again keeps no other one waiting. */
const RETRY_MS = 2;
const GIVE_UP_MS = 10_000;
const STALE_STEAL_MS = 5_000;
const STAY_MS = 60_000;
/** Tells this process from an earlier one with the same id. */
const PROCESS_STARTED = String(Math.round(performance.timeOrigin));

/**
 * Runs `critical` while holding the lock file `path`. The section is synchronous, so the lock is held for milliseconds;
 * a lock left behind by a dead process of this host is taken over.
 * @throws KeyUnavailableError when the lock is not free within 10 seconds.
 */
export async function withFileLock<T>(path: string, clock: Clock, critical: () => T): Promise<T> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    if (tryLock(path)) {
      try {
        return critical();
      } finally {
        unlinkSync(path);
      }
    }
    removeIfDead(path);
    if (clock.monotonicMs() - startedMs > GIVE_UP_MS) {
      throw new KeyUnavailableError(
        'KEY_STORE_LOCKED',
        `the key store is locked by another process; if none runs, remove ${path}`,
      );
    }
    await pause(clock);
  }
}

/** The clock's timers keep no process alive; a command that waits for the lock must not end there. */
async function pause(clock: Clock): Promise<void> {
  const stay = setInterval(() => undefined, STAY_MS);
  try {
    await new Promise<void>((resolve) => {
      clock.after(RETRY_MS, resolve);
    });
  } finally {
    clearInterval(stay);
  }
}

function tryLock(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw new KeyUnavailableError('KEY_STORE_LOCK', `cannot create the lock file ${path}`, {
      cause: error,
    });
  }
  try {
    writeSync(file, ownerText());
  } finally {
    closeSync(file);
  }
  return true;
}

/**
 * Removing somebody else's lock is itself a critical section: between reading the owner and unlinking, another process
 * could have taken the lock over. The second lock file orders the ones that clean up, and the owner is read again inside.
 */
function removeIfDead(path: string): void {
  if (!isDead(path)) return;
  const stealPath = `${path}.steal`;
  let steal: number;
  try {
    steal = openSync(stealPath, 'wx', 0o600);
  } catch {
    try {
      if (Date.now() - statSync(stealPath).mtimeMs > STALE_STEAL_MS) unlinkSync(stealPath);
    } catch {
      // Another process has removed it.
    }
    return;
  }
  try {
    if (isDead(path)) unlinkSync(path);
  } catch {
    // The owner is gone and so is its lock.
  } finally {
    closeSync(steal);
    unlinkSync(stealPath);
  }
}

function isDead(path: string): boolean {
  let text: string;
  let ageMs: number;
  try {
    text = readFileSync(path, 'utf8');
    ageMs = Date.now() - statSync(path).mtimeMs;
  } catch {
    return false;
  }
  // The owner may not have written its name yet; after a second it died before doing so.
  if (text === '') return ageMs > 1000;
  const [pidText, host, started] = text.split(' ');
  if (host !== hostname()) return false;
  const pid = Number(pidText);
  // In a container that is started again the dead owner had this very process id.
  if (pid === process.pid) return started !== PROCESS_STARTED;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === 'ESRCH';
  }
}

function ownerText(): string {
  return `${process.pid} ${hostname()} ${PROCESS_STARTED}`;
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
