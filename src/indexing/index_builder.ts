import { toProxyError } from '../errors/index.ts';
import { activateIndex } from '../schema/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { BuildLostError, claimBuild, endBuild } from './build_jobs.ts';
import type { BuildTarget } from './build_jobs.ts';
import { builtColumns } from './built_columns.ts';
import type { BuiltColumn } from './built_columns.ts';
import { IndexScan } from './index_scan.ts';
import type { BuiltName, IndexBuilderOptions, IndexBuilderPorts } from './ports.ts';

const DEFAULT_IN_FLIGHT_MS = 15_000;
const DEFAULT_CLAIM_MS = 60_000;
const DEFAULT_RANGES = 64;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** A table with damaged cells is looked at again so much later. */
const DAMAGED_RETRY_MS = 600_000;

/** What this process remembers of an index that is to be built. */
interface Waiting {
  readonly where: BuiltName;
  /** Monotonic time from which on it may be built here. */
  dueMs: number;
  failures: number;
  /**
   * Of a view, which is read while it is built: the first pass comes at once, the one that counts at this monotonic time, when no
   * proxy plans by a catalog of before. `undefined` for the pass that counts.
   */
  lastPassMs: number | undefined;
}

/**
 * Builds write-only indexes. {@link round} does what is due and is to be called again and again; without a write-only index it
 * only looks at the snapshot. Several processes may do the same at once: a claim spares them double work.
 */
export class IndexBuilder {
  readonly #ports: IndexBuilderPorts;
  readonly #options: IndexBuilderOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #stop = new AbortController();
  #work: Promise<void> | undefined;
  /** The hidden column that {@link #work} is about. */
  #building: string | undefined;

  constructor(ports: IndexBuilderPorts, options: IndexBuilderOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Begins a build that is due, if none runs here. Never rejects. */
  round(): void {
    const { clock } = this.#ports;
    const unbuilt = this.#unbuilt();
    const names = new Set(unbuilt.map(({ target }) => target.hiddenColumn));
    for (const [name, { where }] of [...this.#waiting]) {
      // What is being built says itself how it ended.
      if (names.has(name) || name === this.#building) continue;
      this.#waiting.delete(name);
      this.#ports.onLost?.(where);
    }
    for (const { table, index, target } of unbuilt) {
      const { record } = table;
      // Statements of before may be under way until a while after the change is complete.
      if (record?.state !== 'ACTIVE' || record.claim !== null) continue;
      let waiting = this.#waiting.get(target.hiddenColumn);
      if (waiting === undefined) {
        const inFlightMs = this.#options.inFlightMs ?? DEFAULT_IN_FLIGHT_MS;
        const nowMs = clock.monotonicMs();
        const where = { keyspace: table.keyspace, table: table.name, index: index.name };
        waiting =
          index.kind === 'index'
            ? { where, dueMs: nowMs + inFlightMs, failures: 0, lastPassMs: undefined }
            : {
                where,
                dueMs: nowMs,
                failures: 0,
                lastPassMs: nowMs + inFlightMs + this.#options.catalogMaxAgeMs,
              };
        this.#waiting.set(target.hiddenColumn, waiting);
      }
      if (this.#work !== undefined || clock.monotonicMs() < waiting.dueMs) continue;
      this.#building = target.hiddenColumn;
      this.#work = this.#build(table, index, target, waiting).finally(() => {
        this.#work = undefined;
        this.#building = undefined;
      });
    }
  }

  /** Resolves when no build runs in this process. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Stops; a build that runs gives its job back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    this.#ports.leases.release();
  }

  #unbuilt(): { table: TableEntry; index: BuiltColumn; target: BuildTarget }[] {
    const found: { table: TableEntry; index: BuiltColumn; target: BuildTarget }[] = [];
    for (const keyspace of this.#ports.catalog.snapshot().keyspaces()) {
      for (const table of keyspace.tables.values()) {
        for (const index of builtColumns(table)) {
          const tableId = Buffer.from(table.tableId).toString('hex');
          found.push({ table, index, target: { tableId, hiddenColumn: index.hidden.name } });
        }
      }
    }
    return found;
  }

  async #build(
    table: TableEntry,
    index: BuiltColumn,
    target: BuildTarget,
    waiting: Waiting,
  ): Promise<void> {
    const { catalog, clock, logger } = this.#ports;
    const { where } = waiting;
    const claimMs = this.#options.claimMs ?? DEFAULT_CLAIM_MS;
    try {
      const ranges = this.#options.ranges ?? DEFAULT_RANGES;
      const job = await claimBuild(this.#ports, target, ranges, claimMs);
      if (job === undefined) {
        this.#ports.onLost?.(where);
        await catalog.refresh();
        waiting.dueMs = clock.monotonicMs() + FIRST_RETRY_MS * 5;
        return;
      }
      logger.info(
        { ...where, done: job.done, ranges: job.ranges },
        `the ${index.kind} is being built`,
      );
      const scan = new IndexScan(this.#ports, this.#options, table, target, job, this.#stop.signal);
      const damaged = await scan.run();
      const end = async (): Promise<void> => {
        await endBuild(this.#ports, target, true);
        const { ranges: all } = job;
        this.#ports.onProgress?.({ ...where, done: all, ranges: all, isComplete: true });
      };
      if (damaged !== undefined) {
        logger.error(
          { ...where, damaged: damaged.cells },
          `cells fail authentication or are too long: the ${index.kind} is not built`,
        );
        await endBuild(this.#ports, target, true);
        this.#ports.onDamaged?.(where, damaged.code);
        waiting.dueMs = clock.monotonicMs() + DAMAGED_RETRY_MS;
        return;
      }
      const { lastPassMs } = waiting;
      if (lastPassMs !== undefined) {
        await end();
        waiting.dueMs = lastPassMs;
        waiting.lastPassMs = undefined;
        return;
      }
      await this.#ports.step?.('index_build.active');
      if (!(await activateIndex(catalog, target.tableId, target.hiddenColumn))) {
        // The table is being changed: the scan need not be repeated.
        await endBuild(this.#ports, target, false);
        waiting.dueMs = clock.monotonicMs() + FIRST_RETRY_MS;
        return;
      }
      logger.info(where, `the ${index.kind} is built`);
      await end();
    } catch (error) {
      waiting.failures += 1;
      const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(waiting.failures, 10));
      waiting.dueMs = clock.monotonicMs() + delayMs;
      if (error instanceof BuildLostError) this.#ports.onLost?.(where);
      if (this.#stop.signal.aborted || error instanceof BuildLostError) {
        await endBuild(this.#ports, target, false).catch(() => undefined);
        return;
      }
      logger.warn(
        { err: toProxyError(error), ...where, retry_in_ms: delayMs },
        `the building of the ${index.kind} failed; it is tried again`,
      );
      await endBuild(this.#ports, target, false).catch(() => undefined);
    }
  }
}
