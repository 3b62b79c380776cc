import { isLastingRestoreFailure } from '../backup/index.ts';
import type { BackupService } from '../backup/index.ts';
import { ProxyError, toProxyError } from '../errors/index.ts';
import type { JobRegistry, Logger } from '../observability/index.ts';
import type { RestoreTable } from '../proxy/index.ts';
import type { Catalog, TableRecord } from '../schema/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';

const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 3_600_000;

/** What restores work with. */
export interface TableRestoresOptions {
  readonly backups: Pick<BackupService, 'beginRestore' | 'continueRestore'>;
  readonly catalog: Pick<Catalog, 'readRecords'>;
  readonly jobs: JobRegistry;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Time between two looks at tables that nobody restores any more, milliseconds. */
  readonly periodMs: number;
}

interface Waiting {
  readonly failures: number;
  readonly notBeforeMs: number;
}

/**
 * Restores that statements asked for: the statement makes the table, the rows come behind it as a job of this process. A table whose
 * process died, or whose restore failed, is gone on with by any proxy; claims in the records see to it that only one is at it. Until
 * its rows are complete the table refuses everything but DROP TABLE.
 */
export class TableRestores {
  readonly #options: TableRestoresOptions;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting>();
  #timer: TimerHandle | undefined;

  constructor(options: TableRestoresOptions) {
    this.#options = options;
  }

  /** Makes the new table and begins to write its rows. @throws what a restore is refused with; then there is no table */
  readonly restore: RestoreTable = async (restore) => {
    const { from, to, customProperties, principal, runStored, requireUnmask, encryption } = restore;
    const { dependents } = await this.#options.backups.beginRestore({
      from,
      to,
      customProperties,
      principal,
      runStored,
      requireUnmask,
      encryption:
        encryption === undefined
          ? { kind: 'inherit' }
          : encryption === 'service-owned'
            ? { kind: 'service_owned' }
            : { kind: 'customer', keyIdentifier: encryption.identifier },
    });
    this.#begin(to);
    return dependents;
  };

  /** Looks after abandoned restores for ever, the first time soon. */
  start(): void {
    this.#next(0.1);
  }

  /** Ends the work after the chunks that are under way; it is gone on with later. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    await Promise.all(this.#running.values());
  }

  /** Goes on with tables at which nobody has been at work since the last round: the command line may be about to be. */
  async round(): Promise<void> {
    const { catalog, clock, periodMs } = this.#options;
    const { records } = await catalog.readRecords();
    const restoring = new Set<string>();
    for (const { record } of records.values()) {
      if (record.kind !== 'table' || !isRestoring(record)) continue;
      const { keyspace, name, tableId, claim } = record;
      restoring.add(tableId);
      if (claim !== null && claim.deadlineMs > clock.nowMs()) continue;
      const now = clock.monotonicMs();
      const waiting = this.#waiting.get(tableId);
      if (waiting === undefined) {
        this.#waiting.set(tableId, { failures: 0, notBeforeMs: now + periodMs / 2 });
      } else if (waiting.notBeforeMs <= now) this.#begin({ keyspace, name }, tableId);
    }
    for (const tableId of this.#waiting.keys()) {
      if (!restoring.has(tableId)) this.#waiting.delete(tableId);
    }
  }

  #begin(to: { readonly keyspace: string; readonly name: string }, tableId?: string): void {
    const key = JSON.stringify([to.keyspace, to.name]);
    if (this.#running.has(key) || this.#stop.signal.aborted) return;
    const work = this.#write(to, tableId).finally(() => {
      this.#running.delete(key);
    });
    this.#running.set(key, work);
  }

  /** Never rejects: what fails is tried again. */
  async #write(
    to: { readonly keyspace: string; readonly name: string },
    tableId: string | undefined,
  ): Promise<void> {
    const { backups, jobs, logger } = this.#options;
    const job = jobs.start('restore', to);
    const table = `${to.keyspace}.${to.name}`;
    try {
      const restored = await backups.continueRestore(to, {
        signal: this.#stop.signal,
        onProgress: ({ rows, fraction }) => {
          job.progress(rows, fraction === 0 ? undefined : Math.round(rows / fraction));
        },
      });
      job.done();
      if (restored === undefined) return;
      logger.info(
        { table, backup: restored.backupId, rows: restored.rows },
        'a table is restored from a backup',
      );
    } catch (error) {
      const code = error instanceof ProxyError ? error.code : 'INTERNAL';
      job.failed(code);
      if (this.#stop.signal.aborted) return;
      const retryInMs = this.#failed(tableId);
      const what = isLastingRestoreFailure(toProxyError(error))
        ? 'a restore failed, as its backup is damaged or gone; drop the table, or put the backup right: it is tried again'
        : 'a restore did not come to its end; it is gone on with later, and the table refuses reads and writes until then';
      logger.error({ table, retryInMs, err: toProxyError(error) }, what);
    }
  }

  /** @returns how long it waits; what was begun by a statement is found by the next rounds. */
  #failed(tableId: string | undefined): number {
    if (tableId === undefined) return this.#options.periodMs;
    const now = this.#options.clock.monotonicMs();
    const failures = (this.#waiting.get(tableId)?.failures ?? 0) + 1;
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
    this.#waiting.set(tableId, { failures, notBeforeMs: now + delayMs });
    return delayMs;
  }

  #next(part = 1): void {
    if (this.#stop.signal.aborted) return;
    const { clock, periodMs, logger } = this.#options;
    this.#timer = clock.after(part * periodMs, () => {
      this.round()
        .catch((error: unknown) => {
          if (this.#stop.signal.aborted) return;
          logger.warn({ err: error }, 'restores that nobody is at could not be looked for');
        })
        .finally(() => {
          this.#next();
        });
    });
  }
}

function isRestoring(record: TableRecord): boolean {
  return record.state === 'RESTORING' && record.restore !== undefined;
}
