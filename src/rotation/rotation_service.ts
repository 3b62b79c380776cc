import { OverloadError, toProxyError } from '../errors/index.ts';
import { cellDekIn, cellDeks, dekCreatedAtMs } from '../schema/index.ts';
import type { ReencryptionRecord, TableRecord, VerifiedRecords } from '../schema/index.ts';
import { activateEpoch, beginEpoch, epochsBelow, keysOf, retireEpochs } from './epochs.ts';
import { claimJob, isBlocked, JobLostError, releaseJob, requestReencryption } from './jobs.ts';
import type { RotationOptions, RotationPorts } from './ports.ts';
import { isFree, liveTables, rotationOf, tableNamed } from './records.ts';
import { TableScan } from './reencrypt_table.ts';

const DEFAULT_RANGES = 256;
const DEFAULT_CLAIM_MS = 60_000;
const DEFAULT_IN_FLIGHT_MS = 15_000;
/** Counts are made durable this often: a crash forgets no more. */
const USAGE_MS = 600_000;
/** Past this a cell DEK must not be used: AES-SIV's bound is the birthday of 128 bits. */
const CELL_LIMIT = 2 ** 47;
/** After a failure the same table is left alone for a while. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** What the clocks of two proxies may differ by: a time that lies further back than this is believed. */
const CLOCK_TRUST_MS = 600_000;

/** What this process remembers of a table between rounds. */
interface TableState {
  readonly where: { readonly keyspace: string; readonly table: string };
  /** Monotonic time at which a DEK (its id) was first seen only to decrypt. */
  readonly seen: Map<string, number>;
  failures: number;
  retryAtMs: number;
}

/**
 * Rotates cell DEKs and works on re-encryptions. {@link round} does whatever is due now, and is to be called again and again;
 * re-encryption runs beside it, one table at a time. Everything may be done by several processes at once.
 */
export class RotationService {
  readonly #ports: RotationPorts;
  readonly #options: RotationOptions;
  readonly #tables = new Map<string, TableState>();
  readonly #stop = new AbortController();
  #usageAtMs: number;
  #work: Promise<void> | undefined;

  constructor(ports: RotationPorts, options: RotationOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#usageAtMs = ports.clock.monotonicMs();
  }

  /**
   * Begins a new cell DEK for a table.
   * @param reencrypt whether all cells are then re-encrypted under it and the old epochs retired
   * @returns the new epoch; that of a rotation under way where there is one
   * @throws SchemaError when there is no such table; KeyAccessError, KeyUnavailableError; OverloadError
   */
  async rotate(keyspace: string, name: string, reencrypt: boolean): Promise<{ epoch: number }> {
    const { catalog, logger } = this.#ports;
    const { tableId } = tableNamed(await catalog.readRecords(), keyspace, name);
    const { epoch, begun } = await beginEpoch(this.#ports, tableId);
    if (begun) logger.info({ keyspace, table: name, epoch }, 'a new cell key was made');
    if (reencrypt) await requestReencryption(this.#ports, tableId, this.#ranges());
    return { epoch };
  }

  /**
   * One round over all tables: begins what is due by age or count, activates, picks up re-encryptions, tells metrics. What fails
   * for one table does not keep the others waiting.
   * @throws UpstreamError, MetadataIntegrityError when the catalog cannot be read
   */
  async round(): Promise<void> {
    const { catalog, clock } = this.#ports;
    const view = await catalog.readRecords();
    const tables = liveTables(view);
    for (const record of tables) {
      if (this.#stop.signal.aborted) return;
      const state = this.#stateOf(record);
      this.#see(record, state);
      this.#tell(view, record);
      if (clock.monotonicMs() < state.retryAtMs) continue;
      try {
        await this.#advance(view, record, state);
      } catch (error) {
        this.#failed(record, state, error);
      }
    }
    await this.#forgetDropped(view, tables);
    if (clock.monotonicMs() - this.#usageAtMs >= USAGE_MS) await this.saveUsage();
  }

  /** Resolves when no re-encryption runs in this process. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Makes the counts of this process durable. */
  async saveUsage(): Promise<void> {
    const { catalog, clock, counter } = this.#ports;
    this.#usageAtMs = clock.monotonicMs();
    const taken = counter.take();
    if (taken.length === 0) return;
    try {
      await catalog.change((view) => {
        const put = liveTables(view).flatMap((record) => {
          // Counts of epochs that only decrypt by now no longer matter.
          const epoch = cellDekIn(keysOf(record), 'active')?.epoch ?? 0;
          const counted = taken.find(
            (one) => one.tableId === record.tableId && one.epoch === epoch,
          );
          if (counted === undefined) return [];
          const rotation = rotationOf(view, record.tableId);
          const before = rotation.usage?.epoch === epoch ? rotation.usage.cells : 0;
          return [{ ...rotation, usage: { epoch, cells: before + counted.cells } }];
        });
        return put.length === 0 ? undefined : { put };
      });
    } catch (error) {
      counter.giveBack(taken);
      throw error;
    }
  }

  /** Stops: the re-encryption that runs gives its job back, counts are made durable. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    this.#ports.leases.release();
    await this.saveUsage();
  }

  async #advance(view: VerifiedRecords, record: TableRecord, state: TableState): Promise<void> {
    const { keyspace, name, tableId } = record;
    const { logger, clock } = this.#ports;
    if (isFree(record)) {
      const reason = this.#dueBecause(view, record);
      if (reason !== undefined) {
        const { epoch, begun } = await beginEpoch(this.#ports, tableId);
        if (begun) logger.info({ keyspace, table: name, epoch, reason }, 'a new cell key was made');
        if (this.#options.reencryptsAlways)
          await requestReencryption(this.#ports, tableId, this.#ranges());
        return;
      }
      if (await activateEpoch(this.#ports, record, this.#options.catalogMaxAgeMs)) {
        logger.info({ keyspace, table: name }, 'the new cell key came into use');
        return;
      }
    }
    const job = view.rotations.get(tableId)?.job ?? null;
    if (job === null || this.#work !== undefined || isBlocked(job)) return;
    const held = job.claim;
    if (held !== null && held.owner !== this.#ports.owner && held.deadlineMs > clock.nowMs()) {
      this.#ports.onLost?.(state.where);
      return;
    }
    if (job.scanStartedAtMs === null && !this.#mayScan(record, job, state)) return;
    const claimed = await claimJob(this.#ports, record, this.#options.claimMs ?? DEFAULT_CLAIM_MS);
    if (claimed === undefined) return;
    this.#work = this.#reencrypt(record, claimed, state).finally(() => {
      this.#work = undefined;
    });
  }

  /** Never rejects. */
  async #reencrypt(record: TableRecord, job: ReencryptionRecord, state: TableState): Promise<void> {
    const { keyspace, name } = record;
    const { catalog, clock, logger, metrics } = this.#ports;
    const where = { keyspace, table: name, epoch: job.targetEpoch };
    try {
      if (job.scanEndedAtMs === null) {
        logger.info({ ...where, done: job.done, ranges: job.ranges }, 're-encryption runs');
        await new TableScan(this.#ports, this.#options, record, job, this.#stop.signal).run();
      }
      const { rotations } = await catalog.readRecords();
      if ((rotations.get(record.tableId)?.job?.damaged ?? 0) > 0) {
        logger.error(where, 're-encryption met damaged cells: old epochs stay until they are gone');
        await releaseJob(this.#ports, record);
        return;
      }
      // Pages that were read with cells of the old epochs are decrypted by then.
      await this.#sleep(this.#options.inFlightMs ?? DEFAULT_IN_FLIGHT_MS);
      this.#stop.signal.throwIfAborted();
      if (await retireEpochs(this.#ports, record, job.targetEpoch)) {
        logger.info(where, 're-encryption is done: older epochs are retired');
        metrics.reencryption(keyspace, name, undefined);
      } else await releaseJob(this.#ports, record);
      state.failures = 0;
    } catch (error) {
      if (error instanceof JobLostError) this.#ports.onLost?.(state.where);
      else if (!this.#stop.signal.aborted) this.#failed(record, state, error);
      await releaseJob(this.#ports, record).catch(() => undefined);
    } finally {
      state.retryAtMs = Math.max(state.retryAtMs, clock.monotonicMs());
    }
  }

  /** Why a new cell DEK is due; `undefined` when it is not, or one is pending. */
  #dueBecause(view: VerifiedRecords, record: TableRecord): 'age' | 'count' | undefined {
    const keys = keysOf(record);
    const active = cellDekIn(keys, 'active');
    if (active === undefined || cellDekIn(keys, 'pending') !== undefined) return undefined;
    const ageMs = this.#ports.clock.nowMs() - dekCreatedAtMs(record, active);
    if (ageMs >= this.#options.maxAgeMs) return 'age';
    return this.#cellsOf(view, record) >= this.#options.maxCells ? 'count' : undefined;
  }

  #cellsOf(view: VerifiedRecords, record: TableRecord): number {
    const epoch = cellDekIn(keysOf(record), 'active')?.epoch ?? 0;
    const usage = view.rotations.get(record.tableId)?.usage ?? null;
    const durable = usage?.epoch === epoch ? usage.cells : 0;
    return durable + this.#ports.counter.pending(record.tableId, epoch);
  }

  /**
   * Whether no proxy writes with the old epochs any more: each encrypts by a catalog of a bounded age only. This process has
   * measured that time itself, or it lies so far back that clocks do not matter.
   */
  #mayScan(record: TableRecord, job: ReencryptionRecord, state: TableState): boolean {
    const { clock } = this.#ports;
    const waitMs =
      this.#options.catalogMaxAgeMs + (this.#options.inFlightMs ?? DEFAULT_IN_FLIGHT_MS);
    const below = new Set(epochsBelow(record, job.targetEpoch));
    return cellDeks(keysOf(record))
      .filter((dek) => below.has(dek.epoch))
      .every((dek) => {
        if (dek.state !== 'decrypt_only') return false;
        const seenMs = state.seen.get(dek.dekId) ?? Infinity;
        const isLongAgo =
          dek.inactiveSinceMs !== undefined &&
          clock.nowMs() - dek.inactiveSinceMs >= waitMs + CLOCK_TRUST_MS;
        return clock.monotonicMs() - seenMs >= waitMs || isLongAgo;
      });
  }

  #see(record: TableRecord, state: TableState): void {
    for (const dek of cellDeks(keysOf(record))) {
      if (dek.state !== 'decrypt_only' || state.seen.has(dek.dekId)) continue;
      state.seen.set(dek.dekId, this.#ports.clock.monotonicMs());
    }
  }

  #tell(view: VerifiedRecords, record: TableRecord): void {
    const { clock, logger, metrics } = this.#ports;
    const { keyspace, name } = record;
    const active = cellDekIn(keysOf(record), 'active');
    if (active === undefined) return;
    const cells = this.#cellsOf(view, record);
    metrics.cellKey(keyspace, name, cells, clock.nowMs() - dekCreatedAtMs(record, active));
    const job = view.rotations.get(record.tableId)?.job ?? null;
    metrics.reencryption(keyspace, name, job === null ? undefined : job.done / job.ranges);
    if (job === null) this.#ports.onLost?.({ keyspace, table: name });
    if (cells >= CELL_LIMIT) {
      logger.error(
        { keyspace, table: name, cells },
        'the cell key of a table has encrypted more values than is safe: rotate it now',
      );
    }
  }

  async #forgetDropped(view: VerifiedRecords, tables: readonly TableRecord[]): Promise<void> {
    const live = new Set(tables.map((record) => record.tableId));
    for (const [id, { where }] of [...this.#tables]) {
      if (live.has(id)) continue;
      this.#tables.delete(id);
      this.#ports.onLost?.(where);
      const isNameTaken = tables.some(
        ({ keyspace, name }) => keyspace === where.keyspace && name === where.table,
      );
      if (!isNameTaken) this.#ports.metrics.tableGone(where.keyspace, where.table);
    }
    const isOrphan = (now: VerifiedRecords, tableId: string): boolean => {
      const record = now.records.get(tableId)?.record;
      return record === undefined || record.state === 'DROPPED' || record.state === 'ABANDONED';
    };
    // A damaged record is not read at all: its table is not gone.
    if (view.damaged.length > 0) return;
    const orphans = [...view.rotations.keys()].filter((id) => isOrphan(view, id));
    if (orphans.length === 0) return;
    await this.#ports.catalog.change((now) => {
      const remove = orphans
        .filter((id) => isOrphan(now, id))
        .flatMap((id) => now.rotations.get(id)?.rotationId ?? []);
      return remove.length === 0 || now.damaged.length > 0 ? undefined : { remove };
    });
  }

  #failed(record: TableRecord, state: TableState, error: unknown): void {
    const { clock, logger, metrics } = this.#ports;
    state.failures += 1;
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(state.failures - 1, 10));
    state.retryAtMs = clock.monotonicMs() + delayMs;
    metrics.rotationFailed();
    const known = toProxyError(error);
    logger.warn(
      { err: known, keyspace: record.keyspace, table: record.name, retry_in_ms: delayMs },
      known instanceof OverloadError
        ? 'rotation waits'
        : 'rotation or re-encryption failed; it is tried again',
    );
  }

  async #sleep(ms: number): Promise<void> {
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#ports.clock.after(ms, resolve);
      this.#stop.signal.addEventListener(
        'abort',
        () => {
          timer.cancel();
          resolve();
        },
        { once: true },
      );
    });
  }

  #stateOf(record: TableRecord): TableState {
    const known = this.#tables.get(record.tableId);
    if (known !== undefined) return known;
    const { keyspace, name: table } = record;
    const where = { keyspace, table };
    const made: TableState = { where, seen: new Map(), failures: 0, retryAtMs: -Infinity };
    this.#tables.set(record.tableId, made);
    return made;
  }

  #ranges(): number {
    return this.#options.ranges ?? DEFAULT_RANGES;
  }
}
