import { setTimeout as delay } from 'node:timers/promises';
import { isRunning } from './process_identity.ts';

const POLL_MS = 50;

/** Asks a process to end, waits for `graceMs`, then forces it; returns when it is gone. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  send(pid, 'SIGTERM');
  if (await gone(pid, graceMs)) return;
  send(pid, 'SIGKILL');
  await gone(pid, 10_000);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function gone(pid: number, waitMs: number): Promise<boolean> {
  const deadline = performance.now() + waitMs;
  while (isRunning(pid)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}
