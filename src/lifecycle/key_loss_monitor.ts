import { ProxyError } from '../errors/index.ts';
import { accessState, isClosed, isGone } from '../schema/index.ts';
import type { ClusterLease, TableEntry, TableRecord } from '../schema/index.ts';
import { SingleFlight } from '../util/index.ts';
import type { TimerHandle } from '../util/index.ts';
import { afterBackupFailed, afterProbe } from './access_transitions.ts';
import { endLostTable } from './end_lost_table.ts';
import type { EndContext } from './end_lost_table.ts';
import { settleGoneTables } from './gone_tables.ts';
import type { GoneContext } from './gone_tables.ts';
import { hasCustomerKey } from './key_probe.ts';
import type { Verdict } from './key_probe.ts';
import { editRecords, stepContext } from './loss_context.ts';
import type { RecordEdit } from './loss_context.ts';
import type { Courier } from './notifications/courier.ts';
import type { KeyLossMetrics } from './ports.ts';

const PROBES_AT_ONCE = 8;
/** A table that just asked to be looked at is not looked at again before. */
const LOOK_AGAIN_MS = 1_000;
const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 3_600_000;
const CONFIRM_MS = 5_000;

/** What a monitor works with. */
export interface KeyLossMonitorOptions extends EndContext, GoneContext {
  readonly backup: EndContext['backup'];
  readonly lease: Pick<ClusterLease, 'acquire' | 'release'>;
  readonly courier: Pick<Courier, 'deliver' | 'stop'>;
  readonly metrics: KeyLossMetrics;
  /** Mean time between two rounds, milliseconds. */
  readonly periodMs: number;
  /** How long after a first refusal the KMS is asked once more, before a clock starts. Default 5 seconds. */
  readonly confirmMs?: number;
  /** A number from 0 (inclusive) to 1: spreads the rounds of several proxies. */
  readonly random: () => number;
}

interface Retry {
  readonly count: number;
  readonly notBeforeMs: number;
}

/**
 * Watches the customer managed keys of all tables. One proxy of the cluster at a time makes the rounds; any proxy looks at
 * once at a table whose key refused one of its clients. All that it knows is in authenticated records, changed by compare
 * and set, so it may be killed at any moment and two at once do no harm.
 */
export class KeyLossMonitor {
  readonly #options: Omit<KeyLossMonitorOptions, 'isStopped'>;
  readonly #context: EndContext & GoneContext;
  readonly #looks = new SingleFlight<string, void>();
  readonly #lookedAtMs = new Map<string, number>();
  readonly #jobs = new Map<string, Promise<void>>();
  readonly #retries = new Map<string, Retry>();
  #isLeader = false;
  #isStopped = false;
  #timer: TimerHandle | undefined;

  constructor(options: Omit<KeyLossMonitorOptions, 'isStopped'>) {
    this.#options = options;
    this.#context = { ...options, isStopped: () => this.#isStopped };
  }

  /** Whether this process makes the rounds, as far as it knows. */
  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Makes rounds for ever, the first one soon. Rounds never overlap. */
  start(): void {
    this.#next(0.1);
  }

  /** Begins nothing more and gives the lease back. A backup that runs is left to its own end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#options.courier.stop();
    if (!this.#isLeader) return;
    this.#lead(false);
    try {
      await this.#options.lease.release();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the lease of the key monitor was not given back');
    }
  }

  /**
   * One round: takes the lease, probes every key, moves every clock, delivers notices. Backups and drops begin here and
   * go on behind it; {@link settled} waits for them.
   */
  async round(): Promise<void> {
    this.#lead(await this.#options.lease.acquire());
    if (!this.#isLeader) return;
    const { records } = await this.#context.catalog.readRecords();
    const tables = [...records.values()].flatMap(({ record }) =>
      record.kind === 'table' ? [record] : [],
    );
    await this.#probeAll(tables.filter(isWatched));
    await settleGoneTables(this.#context, tables);
    await this.#endTables();
    await this.#options.courier.deliver();
  }

  /** Resolves when no backup and no drop of this process is under way. */
  async settled(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs.values());
  }

  /**
   * A client's request met a refusal of the table's key, or was granted one that counts as lost: looks at the table now,
   * whoever has the lease. Never rejects; a failure is left to the next round.
   */
  async look(table: TableEntry): Promise<void> {
    const { record } = table;
    if (record === undefined || !isWatched(record) || this.#isStopped) return;
    const { clock, logger } = this.#options;
    const id = record.tableId;
    const lookedAtMs = this.#lookedAtMs.get(id);
    if (lookedAtMs !== undefined && clock.monotonicMs() - lookedAtMs < LOOK_AGAIN_MS) return;
    this.#lookedAtMs.set(id, clock.monotonicMs());
    try {
      await this.#looks.run(id, async () => {
        const { records } = await this.#context.catalog.readRecords();
        const current = records.get(id)?.record;
        if (current?.kind !== 'table' || !isWatched(current)) return;
        await this.#probeAll([current]);
        if (this.#isLeader) await this.#options.courier.deliver();
      });
    } catch (error) {
      logger.warn({ err: error }, 'a refused key could not be looked at; the next round does');
    }
  }

  async #probeAll(records: readonly TableRecord[]): Promise<void> {
    await this.#context.step('loss.probe');
    const verdicts = await this.#verdicts(records);
    const doubtful = records.filter(
      (record) =>
        accessState(record) === 'ACTIVE' && verdicts.get(record.tableId)?.kind === 'refused',
    );
    if (doubtful.length > 0) {
      // A KMS may refuse for a moment what was changed just now: a clock starts only when it says so twice.
      await this.#sleep(this.#options.confirmMs ?? CONFIRM_MS);
      if (this.#isStopped) return;
      for (const [id, verdict] of await this.#verdicts(doubtful)) verdicts.set(id, verdict);
    }
    const edits = new Map<string, RecordEdit>();
    for (const record of records) {
      const verdict = verdicts.get(record.tableId);
      if (verdict === undefined) continue;
      if (afterProbe(record, verdict, stepContext(this.#context)) === undefined) continue;
      edits.set(record.tableId, (current, step) => afterProbe(current, verdict, step));
    }
    if (edits.size === 0) return;
    await this.#context.step('loss.states');
    await editRecords(this.#context, edits);
  }

  async #verdicts(records: readonly TableRecord[]): Promise<Map<string, Verdict>> {
    const verdicts = new Map<string, Verdict>();
    const queue = [...records];
    const probeNext = async (): Promise<void> => {
      for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
        verdicts.set(record.tableId, await this.#probe(record));
      }
    };
    await Promise.all(Array.from({ length: PROBES_AT_ONCE }, probeNext));
    return verdicts;
  }

  async #probe(record: TableRecord): Promise<Verdict> {
    const { probe, metrics, logger } = this.#options;
    const verdict = await probe.probe(record);
    metrics.countKeyProbe(verdict.kind);
    if (verdict.kind !== 'usable' && verdict.kind !== 'refused') {
      logger.warn(
        { table: `${record.keyspace}.${record.name}`, result: verdict.kind, err: verdict.error },
        'the KMS says nothing about the key of a table; no clock starts by that',
      );
    }
    return verdict;
  }

  /** Begins what tables whose time has run out need next, one job for each. */
  async #endTables(): Promise<void> {
    const { clock, logger } = this.#options;
    const { records } = await this.#context.catalog.readRecords();
    for (const { record } of records.values()) {
      if (record.kind !== 'table' || isGone(record) || !isClosed(record)) continue;
      const id = record.tableId;
      const retry = this.#retries.get(id);
      if (this.#jobs.has(id) || (retry?.notBeforeMs ?? 0) > clock.nowMs()) continue;
      const job = endLostTable(this.#context, record)
        .then(() => {
          this.#retries.delete(id);
        })
        .catch((error: unknown) => {
          const count = (retry?.count ?? 0) + 1;
          const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(count - 1, 10));
          this.#retries.set(id, { count, notBeforeMs: clock.nowMs() + delayMs });
          if (this.#isStopped) return;
          logger.error(
            {
              table: `${record.keyspace}.${record.name}`,
              state: accessState(record),
              retryInMs: delayMs,
              err: error,
            },
            'a table whose key is lost could not be backed up and dropped; it stays',
          );
          return this.#tellFailure(id, error);
        })
        .finally(() => {
          this.#jobs.delete(id);
        });
      this.#jobs.set(id, job);
    }
  }

  /** Tells the owner of a backup that failed; never rejects. Another process that is at work on it is no failure. */
  async #tellFailure(id: string, error: unknown): Promise<void> {
    const code = error instanceof ProxyError ? error.code : 'INTERNAL';
    if (code === 'BACKUP_STATE') return;
    try {
      await this.#context.step('loss.backup_failed');
      await editRecords(
        this.#context,
        new Map([[id, (record, step) => afterBackupFailed(record, code, step)]]),
      );
    } catch (failure) {
      this.#options.logger.warn({ err: failure }, 'the notice of a failed backup was not kept');
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(ms, resolve);
    });
  }

  #lead(isLeader: boolean): void {
    const { logger, metrics } = this.#options;
    if (isLeader !== this.#isLeader) {
      logger.info({ isLeader }, 'this proxy watches the keys of the cluster, or no longer does');
    }
    this.#isLeader = isLeader;
    metrics.setKeyMonitorLeader(isLeader);
  }

  #next(part = 1): void {
    if (this.#isStopped) return;
    const { clock, periodMs, random, logger } = this.#options;
    this.#timer = clock.after(part * periodMs * (0.8 + 0.4 * random()), () => {
      this.round()
        .catch((error: unknown) => {
          if (!this.#isStopped) logger.warn({ err: error }, 'a round of the key monitor failed');
        })
        .finally(() => {
          this.#next();
        });
    });
  }
}

/** Tables whose keys a customer can take away, as long as they are there. */
function isWatched(record: TableRecord): boolean {
  if (isGone(record) || record.state === 'CREATING') return false;
  // A table that left its customer managed key just when that came back still has to be told so.
  return hasCustomerKey(record) || accessState(record) !== 'ACTIVE';
}
