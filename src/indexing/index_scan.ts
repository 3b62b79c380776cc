import { cellBytes, PERMIT_MS, sameKey, ScanPace } from '../rotation/index.ts';
import type { IndexBuildRecord, TableEntry } from '../schema/index.ts';
import { tokenRanges } from '../upstream/index.ts';
import type { StoredCellWrite, StoredTable, TokenRange } from '../upstream/index.ts';
import { missingBlinds, storedTableOf } from './blind_rows.ts';
import { BuildLostError, mayWrite, saveBuild } from './build_jobs.ts';
import type { BuildTarget } from './build_jobs.ts';
import { builtColumns } from './built_columns.ts';
import type { BuiltColumn } from './built_columns.ts';
import type { IndexBuilderOptions, IndexBuilderPorts } from './ports.ts';

const MAX_STATEMENTS = 64;
const CONCURRENT_BATCHES = 8;
const SAVE_MS = 5_000;
const HOLD_POLL_MS = 500;
const CLAIM_MS = 60_000;

/** What a scan could not build in. */
export interface Damaged {
  cells: number;
  /** Of the error of the first. */
  readonly code: string;
}

/** One scan of a table by this process, which writes what is missing in one index. */
export class IndexScan {
  readonly #ports: IndexBuilderPorts;
  readonly #options: IndexBuilderOptions;
  readonly #table: TableEntry;
  readonly #target: BuildTarget;
  readonly #job: IndexBuildRecord;
  readonly #signal: AbortSignal;
  readonly #pace: ScanPace;
  #damaged: Damaged | undefined;
  #savedAtMs: number;
  /** Monotonic time at which a reading of the catalog began that showed no hold. */
  #permitAtMs = -Infinity;

  constructor(
    ports: IndexBuilderPorts,
    options: IndexBuilderOptions,
    table: TableEntry,
    target: BuildTarget,
    job: IndexBuildRecord,
    signal: AbortSignal,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#table = table;
    this.#target = target;
    this.#job = job;
    this.#signal = signal;
    this.#savedAtMs = ports.clock.monotonicMs();
    this.#pace = new ScanPace(ports.clock, options);
  }

  /**
   * Reads what is left of the table, range by range.
   * @returns the cells that fail authentication or are too long, if there are any
   * @throws BuildLostError; UpstreamError, KeyAccessError, KeyUnavailableError: to be tried again later
   */
  async run(): Promise<Damaged | undefined> {
    await this.#ports.rows.requireKnownTokens();
    const ranges = tokenRanges(this.#job.ranges);
    this.#report(this.#job.done);
    for (let index = this.#job.done; index < ranges.length; index++) {
      await this.#range(ranges[index] as TokenRange);
      this.#report(index + 1);
      const isDue = this.#ports.clock.monotonicMs() - this.#savedAtMs >= SAVE_MS;
      // A range with damaged cells counts as not done: they are to be found again.
      if (this.#damaged === undefined && (isDue || index === ranges.length - 1))
        await this.#save(index + 1);
    }
    return this.#damaged;
  }

  async #range(range: TokenRange): Promise<void> {
    let state: string | undefined;
    let [table, index] = this.#entry();
    for (;;) {
      const startedMs = this.#ports.clock.monotonicMs();
      await this.#permit();
      const [current, currentIndex] = this.#entry();
      if (current !== table) {
        // Altered: the paging state is of another statement.
        [table, index] = [current, currentIndex];
        state = undefined;
      }
      const stored = storedTableOf(table, index);
      const page = await this.#ports.rows.page(stored, range, this.#pace.fetchSize, state);
      const keys = await this.#ports.leases.acquire(table);
      const { writes, damaged } = missingBlinds(table, index, keys, page.rows);
      const [code] = damaged;
      if (code !== undefined) {
        this.#damaged ??= { cells: 0, code };
        this.#damaged.cells += damaged.length;
      }
      for (const each of new Set(damaged)) {
        this.#ports.logger.error(
          { code: each, column: index.column.name, after_token: String(range.after) },
          'a cell fails authentication or is too long, and is left out of what is built',
        );
      }
      if (!(await this.#write(stored, writes))) {
        // The permit ran out: what was read may not be written any more.
        this.#permitAtMs = -Infinity;
        this.#pace.halve();
        continue;
      }
      this.#pace.sized(cellBytes(page));
      await this.#pace.throttle(page.rows.length, startedMs);
      if (page.next === undefined) return;
      state = page.next;
    }
  }

  async #write(table: StoredTable, writes: readonly StoredCellWrite[]): Promise<boolean> {
    const batches = partitionBatches(writes);
    let isPermitted = true;
    await Promise.all(
      Array.from({ length: Math.min(CONCURRENT_BATCHES, batches.length) }, async () => {
        for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
          this.#signal.throwIfAborted();
          const ageMs = this.#ports.clock.monotonicMs() - this.#permitAtMs;
          if (ageMs >= PERMIT_MS) isPermitted = false;
          if (!isPermitted) return;
          await this.#ports.rows.write(table, batch);
        }
      }),
    );
    return isPermitted;
  }

  #entry(): [TableEntry, BuiltColumn] {
    const { keyspace, name, tableId } = this.#table;
    const entry = this.#ports.catalog.snapshot().table(keyspace, name);
    if (entry?.kind !== 'encrypted' || Buffer.compare(entry.tableId, tableId) !== 0) {
      throw entry?.error ?? new BuildLostError();
    }
    const index = this.#columnOf(entry);
    if (index === undefined) throw new BuildLostError();
    return [entry, index];
  }

  /** Waits until this process may read rows in order to write them. */
  async #permit(): Promise<void> {
    const { catalog, clock } = this.#ports;
    for (;;) {
      this.#signal.throwIfAborted();
      if (clock.monotonicMs() - this.#permitAtMs < PERMIT_MS / 2) return;
      const startedMs = clock.monotonicMs();
      if (catalog.ageMs() > this.#options.catalogMaxAgeMs / 2) await catalog.refresh();
      if (mayWrite(this.#ports, await catalog.readRecords(), this.#target)) {
        this.#permitAtMs = startedMs;
        return;
      }
      await catalog.sleep(HOLD_POLL_MS);
    }
  }

  async #save(done: number): Promise<void> {
    await saveBuild(this.#ports, this.#target, done, this.#options.claimMs ?? CLAIM_MS);
    this.#savedAtMs = this.#ports.clock.monotonicMs();
  }

  #report(done: number): void {
    const { keyspace, name } = this.#table;
    const index = this.#columnOf(this.#table)?.name ?? '';
    const { ranges } = this.#job;
    const progress = { keyspace, table: name, index, done, ranges, isComplete: false };
    this.#ports.onProgress?.(progress);
  }

  #columnOf(table: TableEntry): BuiltColumn | undefined {
    const { hiddenColumn } = this.#target;
    return builtColumns(table, true).find(({ hidden }) => hidden.name === hiddenColumn);
  }
}

/** Batches of writes of one partition each. */
function partitionBatches(writes: readonly StoredCellWrite[]): StoredCellWrite[][] {
  const batches: StoredCellWrite[][] = [];
  for (const write of writes) {
    const last = batches.at(-1);
    const isSame =
      last?.[0] !== undefined &&
      last.length < MAX_STATEMENTS &&
      sameKey(last[0].partition, write.partition);
    if (isSame) last.push(write);
    else batches.push([write]);
  }
  return batches;
}
