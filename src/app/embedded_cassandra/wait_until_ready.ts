import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { UpstreamError } from '../../errors/index.ts';
import { answersOptions } from './native_port_probe.ts';
import type { CassandraExit } from './types.ts';

/** What is waited for, and where to look when it does not come. */
export interface ReadinessWatch {
  readonly port: number;
  readonly timeoutMs: number;
  /** Logs whose last lines go into the error, the most telling last. */
  readonly logFiles: readonly string[];
  /** Brings the logs up to date before they are read for an error. */
  readonly beforeFailure?: () => Promise<void>;
  /** How it ended, if it has. */
  readonly ended: () => CassandraExit | undefined;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

const POLL_MS = 150;
const PROGRESS_MS = 10_000;
const TAIL_LINES = 15;

/**
 * Waits until Cassandra takes clients.
 * @throws UpstreamError UPSTREAM_START when it ended, or did not come up in time; with the last lines of its log.
 */
export async function waitUntilReady(watch: ReadinessWatch): Promise<void> {
  const started = performance.now();
  let nextProgress = started + PROGRESS_MS;
  for (;;) {
    watch.signal?.throwIfAborted();
    const ended = watch.ended();
    if (ended !== undefined) {
      const how = ended.signal ?? `exit code ${String(ended.code)}`;
      throw await failure(`Cassandra ended while it started (${how})`, watch);
    }
    if (await answersOptions('127.0.0.1', watch.port, 2_000)) return;
    const now = performance.now();
    if (now - started > watch.timeoutMs) {
      const seconds = Math.round(watch.timeoutMs / 1000);
      throw await failure(`Cassandra did not answer within ${String(seconds)} s`, watch);
    }
    if (now > nextProgress) {
      watch.log(`  still starting (${String(Math.round((now - started) / 1000))} s)`);
      nextProgress += PROGRESS_MS;
    }
    await delay(POLL_MS);
  }
}

async function failure(what: string, watch: ReadinessWatch): Promise<UpstreamError> {
  await watch.beforeFailure?.();
  const tails = await Promise.all(watch.logFiles.map(tail));
  const lines = tails.flat().filter((line) => line !== '');
  const logs = watch.logFiles.join(' and ');
  const shown = lines.length === 0 ? '' : ` Its last lines:\n${lines.join('\n')}`;
  return new UpstreamError('UPSTREAM_START', `${what}. See ${logs}.${shown}`);
}

async function tail(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-TAIL_LINES);
}
