import { OverloadError, toProxyError } from '../errors/index.ts';
import type { TableRecord, VerifiedRecords } from '../schema/index.ts';
import { rangesOf, claimMsOf } from './ports.ts';
import type { RewriteOptions, RewritePorts } from './ports.ts';
import {
  beginRewrite,
  claimRewrite,
  endRewrite,
  isBlocked,
  isClaimable,
  releaseRewrite,
  RewriteLostError,
  rewritesIn,
} from './rewrite_jobs.ts';
import type { Rewriting } from './rewrite_jobs.ts';
import { RewriteScan } from './rewrite_scan.ts';
import { typesOf } from './tables.ts';

const DEFAULT_IN_FLIGHT_MS = 15_000;
/** Longer than Cassandra lets a TRUNCATE take. */
const DEFAULT_TRUNCATE_MS = 120_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** What the clocks of two proxies may differ by: a time that lies further back than this is believed. */
const CLOCK_TRUST_MS = 600_000;

/** What this process remembers of a rewrite between rounds. */
interface JobState {
  readonly where: { readonly keyspace: string; readonly table: string };
  /** Monotonic time at which the rewrite was first seen. */
  readonly seenMs: number;
  failures: number;
  retryAtMs: number;
}

/**
 * Rewrites tables under new key DEKs. {@link round} does what is due now, and is to be called again and again; the work itself
 * runs beside it, one table at a time. Everything may be done by several processes at once.
 */
export class RewriteService {
  readonly #ports: RewritePorts;
  readonly #options: RewriteOptions;
  /** By table id and epoch. */
  readonly #jobs = new Map<string, JobState>();
  readonly #stop = new AbortController();
  #work: Promise<void> | undefined;

  constructor(ports: RewritePorts, options: RewriteOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /**
   * Begins the rewrite of a table: from now on nobody may read or write it until it has ended.
   * @throws SchemaError SCHEMA_KEY_REWRITE where it cannot be; KeyAccessError, KeyUnavailableError; OverloadError
   */
  async begin(keyspace: string, name: string): Promise<'begun' | 'under_way' | 'again'> {
    const outcome = await beginRewrite(this.#ports, keyspace, name, rangesOf(this.#options));
    if (outcome !== 'under_way') {
      this.#ports.logger.info({ keyspace, table: name }, 'the rewrite of a table begins');
    }
    return outcome;
  }

  /** One round over all tables. @throws UpstreamError, MetadataIntegrityError when the catalog cannot be read */
  async round(): Promise<void> {
    const { catalog, clock, owner } = this.#ports;
    const view = await catalog.readRecords();
    const open = rewritesIn(view);
    this.#forget(open);
    for (const rewriting of open) {
      if (this.#stop.signal.aborted) return;
      const { record, job } = rewriting;
      const state = this.#stateOf(rewriting);
      if (this.#work !== undefined || isBlocked(job)) continue;
      if (clock.monotonicMs() < state.retryAtMs) continue;
      if (!isClaimable(job, owner, clock.nowMs()) || !this.#mayScan(rewriting, state)) continue;
      const claimed = await claimRewrite(this.#ports, record.tableId, claimMsOf(this.#options));
      if (claimed === undefined) continue;
      this.#work = this.#rewrite(claimed, view, state).finally(() => {
        this.#work = undefined;
      });
    }
  }

  /** Resolves when no rewrite runs in this process. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Stops: a rewrite that runs gives its job back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  /** Never rejects. */
  async #rewrite(rewriting: Rewriting, view: VerifiedRecords, state: JobState): Promise<void> {
    const { record, job } = rewriting;
    const { keyspace, name } = record;
    const { catalog, clock, logger, onFraction } = this.#ports;
    const where = { keyspace, table: name, epoch: job.epoch };
    try {
      logger.info({ ...where, pass: job.pass, done: job.done, ranges: job.ranges }, 'rewrite runs');
      const types = typesOf(view, keyspace);
      const scan = new RewriteScan(this.#ports, this.#options, rewriting, types, this.#stop.signal);
      if (await scan.run()) {
        await endRewrite(this.#ports, record);
        logger.info(where, 'the rewrite of a table is done: its rows are under the new key');
        onFraction?.(keyspace, name, undefined);
      } else {
        logger.error(where, 'rows open under no key: the table stays closed until they are gone');
        await releaseRewrite(this.#ports, record);
      }
      state.failures = 0;
    } catch (error) {
      if (error instanceof RewriteLostError) this.#ports.onLost?.(state.where);
      else if (!this.#stop.signal.aborted) this.#failed(record, state, error);
      await releaseRewrite(this.#ports, record).catch(() => undefined);
      await catalog.refresh().catch(() => undefined);
    } finally {
      state.retryAtMs = Math.max(state.retryAtMs, clock.monotonicMs());
    }
  }

  /**
   * Whether no proxy reads or writes the table any more: each uses a catalog of a bounded age only. This process has measured
   * that time itself, or it lies so far back that clocks do not matter.
   */
  #mayScan({ record, job }: Rewriting, state: JobState): boolean {
    if (job.scanStartedAtMs !== null) return true;
    const { clock } = this.#ports;
    const { catalogMaxAgeMs, inFlightMs, truncateMs } = this.#options;
    const waitMs = Math.max(
      catalogMaxAgeMs + (inFlightMs ?? DEFAULT_IN_FLIGHT_MS),
      truncateMs ?? DEFAULT_TRUNCATE_MS,
    );
    const beganAtMs = record.rewrite?.beganAtMs ?? Infinity;
    return (
      clock.monotonicMs() - state.seenMs >= waitMs ||
      clock.nowMs() - beganAtMs >= waitMs + CLOCK_TRUST_MS
    );
  }

  #failed(record: TableRecord, state: JobState, error: unknown): void {
    const { clock, logger } = this.#ports;
    state.failures += 1;
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(state.failures - 1, 10));
    state.retryAtMs = clock.monotonicMs() + delayMs;
    const known = toProxyError(error);
    logger.warn(
      { err: known, keyspace: record.keyspace, table: record.name, retry_in_ms: delayMs },
      known instanceof OverloadError
        ? 'the rewrite of a table waits'
        : 'the rewrite of a table failed; it is tried again',
    );
  }

  #stateOf(rewriting: Rewriting): JobState {
    const key = keyOf(rewriting);
    const known = this.#jobs.get(key);
    if (known !== undefined) return known;
    const seenMs = this.#ports.clock.monotonicMs();
    const where = { keyspace: rewriting.record.keyspace, table: rewriting.record.name };
    const made: JobState = { where, seenMs, failures: 0, retryAtMs: -Infinity };
    this.#jobs.set(key, made);
    return made;
  }

  #forget(open: readonly Rewriting[]): void {
    const live = new Set(open.map(keyOf));
    for (const [key, { where }] of [...this.#jobs]) {
      if (live.has(key)) continue;
      this.#jobs.delete(key);
      this.#ports.onLost?.(where);
      this.#ports.onFraction?.(where.keyspace, where.table, undefined);
    }
  }
}

function keyOf({ record, job }: Rewriting): string {
  return `${record.tableId}.${String(job.epoch)}`;
}
