import type { TableCipherKeys } from '../crypto/index.ts';
import { SchemaError, UpstreamError } from '../errors/index.ts';
import type { ReencryptionRecord, TableEntry, TableRecord } from '../schema/index.ts';
import { tokenRanges } from '../upstream/index.ts';
import type { StoredRowPage, StoredTable, StoredTableRow, TokenRange } from '../upstream/index.ts';
import { JobLostError, saveScan } from './jobs.ts';
import type { ScanState } from './jobs.ts';
import type { RotationOptions, RotationPorts } from './ports.ts';
import { oldEntries, reencryptRows, sameKey, storedTable } from './reencrypt_rows.ts';
import type { MapEntry, RewrittenCell, RowWithEntries } from './reencrypt_rows.ts';
import { cellBytes, ScanPace } from './scan_pace.ts';
import { liveHolds, PERMIT_MS } from './truncation.ts';
import { writeBatches } from './write_back.ts';

const CONCURRENT_BATCHES = 8;
const SAVE_MS = 5_000;
const HOLD_POLL_MS = 500;
/** How often a cell with a time to live is written with a second more before the range is given up for now. */
const TTL_ATTEMPTS = 8;
const CLAIM_MS = 60_000;

/** The page must be read again: the permit to write it ran out, or the table was altered. */
class PageStale extends Error {}

/** One scan of a table by this process: reads token ranges, re-encrypts old cells in place, keeps write times and TTLs. */
export class TableScan {
  readonly #ports: RotationPorts;
  readonly #options: RotationOptions;
  readonly #record: TableRecord;
  readonly #job: ReencryptionRecord;
  readonly #signal: AbortSignal;
  readonly #pace: ScanPace;
  #state: ScanState;
  #savedAtMs: number;
  /** Monotonic time at which a reading of the catalog began that showed no hold. */
  #permitAtMs = -Infinity;

  constructor(
    ports: RotationPorts,
    options: RotationOptions,
    record: TableRecord,
    job: ReencryptionRecord,
    signal: AbortSignal,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#record = record;
    this.#job = job;
    this.#signal = signal;
    this.#state = { ...job, scanStartedAtMs: job.scanStartedAtMs ?? ports.clock.nowMs() };
    this.#savedAtMs = ports.clock.monotonicMs();
    this.#pace = new ScanPace(ports.clock, options);
  }

  /**
   * Reads what is left of the table, range by range; each range that is done is durable a few seconds later at most. Resolves
   * when the end is durable.
   * @throws JobLostError when another proxy has the job; AbortError; UpstreamError, KeyAccessError, KeyUnavailableError: to be
   * tried again later, from the last durable range
   */
  async run(): Promise<void> {
    await this.#ports.rows.requireKnownTokens();
    const ranges = tokenRanges(this.#job.ranges);
    await this.#save();
    for (let index = this.#state.done; index < ranges.length; index++) {
      await this.#range(ranges[index] as TokenRange);
      this.#state = { ...this.#state, done: index + 1 };
      this.#report();
      if (index === ranges.length - 1) break;
      await this.#saveIfDue();
    }
    const { clock } = this.#ports;
    if (this.#state.damaged === 0) this.#state = { ...this.#state, scanEndedAtMs: clock.nowMs() };
    await this.#save();
  }

  async #range(range: TokenRange): Promise<void> {
    let state: string | undefined;
    let entry = this.#entry();
    for (;;) {
      const startedMs = this.#ports.clock.monotonicMs();
      await this.#permit();
      const current = this.#entry();
      if (current !== entry) {
        // Altered: the paging state is of another statement.
        entry = current;
        state = undefined;
      }
      const table = storedTable(entry);
      if (isWithoutCells(table)) return;
      const page = await this.#ports.rows.page(table, range, this.#pace.fetchSize, state);
      let cells: number;
      try {
        cells = await this.#rewrite(entry, table, page, range);
      } catch (error) {
        if (!(error instanceof PageStale)) throw error;
        this.#permitAtMs = -Infinity;
        this.#pace.halve();
        continue;
      }
      this.#pace.sized(cellBytes(page));
      const rows = page.rows.length;
      this.#state = {
        ...this.#state,
        rows: this.#state.rows + rows,
        cells: this.#state.cells + cells,
      };
      this.#ports.metrics.reencrypted(rows, cells);
      await this.#pace.throttle(rows, startedMs);
      await this.#saveIfDue();
      if (page.next === undefined) return;
      state = page.next;
    }
  }

  /** @returns how many cells were written */
  async #rewrite(
    entry: TableEntry,
    table: StoredTable,
    page: StoredRowPage,
    range: TokenRange,
  ): Promise<number> {
    const rows = await this.#withEntries(table, page.rows, (await this.#keys(entry)).cellDek.epoch);
    const { cells, damaged } = reencryptRows(entry, await this.#keys(entry), rows);
    this.#ports.counter.add(entry, cells.length);
    for (const { column, code } of damaged) {
      this.#ports.logger.error(
        { column, code, after_token: String(range.after), up_to_token: String(range.upTo) },
        'a cell fails authentication and is not re-encrypted; its epoch will not retire',
      );
    }
    this.#state = { ...this.#state, damaged: this.#state.damaged + damaged.length };
    const lasting = cells.filter(({ cell }) => cell.ttl === null);
    const batches = writeBatches(lasting, widthOf(table), 0);
    await Promise.all(
      Array.from({ length: Math.min(CONCURRENT_BATCHES, batches.length) }, async () => {
        for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
          this.#requirePermit();
          await this.#ports.rows.write(table, batch);
        }
      }),
    );
    let written = lasting.length;
    let last: RewrittenCell | undefined;
    for (const cell of cells) {
      if (cell.cell.ttl === null) continue;
      if (last !== undefined && isSameRow(last, cell)) continue;
      last = cell;
      written += await this.#rewriteExpiring(entry, table, cell);
    }
    return written;
  }

  /**
   * Cells with a time to live. Of two cells with one write time Cassandra keeps the one that expires later, so the new one gets
   * what is left, read a moment before; where it lost against the old one, by the second in which it was written or by
   * another node's clock, it is written with a second more. So it never ends earlier, and about a second later at most.
   */
  async #rewriteExpiring(
    entry: TableEntry,
    table: StoredTable,
    { partition, clustering }: RewrittenCell,
  ): Promise<number> {
    let written = 0;
    for (let attempt = 0; ; attempt++) {
      await this.#permit();
      const row = await this.#ports.rows.row(table, partition, clustering);
      const own = row === undefined ? [] : [only(row, clustering)];
      const { epoch } = (await this.#keys(entry)).cellDek;
      const expiring = (await this.#withEntries(table, own, epoch)).map(withTtl);
      const { cells } = reencryptRows(entry, await this.#keys(entry), expiring);
      this.#ports.counter.add(entry, cells.length);
      if (cells.length === 0) return written;
      if (attempt === TTL_ATTEMPTS) {
        throw new UpstreamError(
          'UPSTREAM_REENCRYPTION_TTL',
          `cells of ${table.keyspace}.${table.name} with a time to live keep their old bytes: the clocks of the nodes differ by seconds`,
        );
      }
      for (const batch of writeBatches(cells, widthOf(table), attempt)) {
        this.#requirePermit();
        await this.#ports.rows.write(table, batch);
      }
      if (attempt === 0) written = cells.length;
    }
  }

  /** Reads the write times of old entries of maps, which do not come with the page. */
  async #withEntries(
    table: StoredTable,
    rows: readonly StoredTableRow[],
    epoch: number,
  ): Promise<RowWithEntries[]> {
    const complete: RowWithEntries[] = [];
    let last: StoredTableRow | undefined;
    for (const row of rows) {
      // Every row of a partition carries its static maps.
      const isNew = last === undefined || !sameKey(last.partition, row.partition);
      last = row;
      const entries: MapEntry[] = [];
      for (const { isStatic, map, keys } of oldEntries(table, row, epoch, isNew)) {
        const clustering = isStatic ? null : row.clustering;
        const cells = await this.#ports.rows.entries(table, row.partition, clustering, map, keys);
        for (const [index, key] of keys.entries()) {
          const cell = cells[index];
          if (cell !== undefined && cell !== null) entries.push({ isStatic, map, key, cell });
        }
      }
      complete.push({ ...row, entries });
    }
    return complete;
  }

  #entry(): TableEntry {
    const { keyspace, name, tableId } = this.#record;
    const entry = this.#ports.catalog.snapshot().table(keyspace, name);
    if (entry?.kind === 'encrypted' && entry.record?.tableId === tableId) return entry;
    throw (
      entry?.error ??
      new SchemaError(
        'SCHEMA_ROTATION_TABLE',
        `table ${keyspace}.${name} was dropped meanwhile; its keys are not rotated any more`,
      )
    );
  }

  async #keys(entry: TableEntry): Promise<TableCipherKeys> {
    return await this.#ports.leases.acquire(entry);
  }

  /** Waits until this process may read rows in order to write them: it has the job, and nobody truncates the table. */
  async #permit(): Promise<void> {
    const { catalog, clock, owner } = this.#ports;
    for (;;) {
      this.#signal.throwIfAborted();
      if (clock.monotonicMs() - this.#permitAtMs < PERMIT_MS / 2) return;
      const startedMs = clock.monotonicMs();
      // Nothing is encrypted by a catalog that is too old.
      if (catalog.ageMs() > this.#options.catalogMaxAgeMs / 2) await catalog.refresh();
      const view = await catalog.readRecords();
      const rotation = view.rotations.get(this.#record.tableId);
      if (rotation?.job?.claim?.owner !== owner) throw new JobLostError(this.#record);
      if (rotation.job.targetEpoch !== this.#job.targetEpoch) throw new JobLostError(this.#record);
      if (liveHolds(rotation, clock).length === 0) {
        this.#permitAtMs = startedMs;
        return;
      }
      await this.#saveIfDue();
      await catalog.sleep(HOLD_POLL_MS);
    }
  }

  #requirePermit(): void {
    this.#signal.throwIfAborted();
    if (this.#ports.clock.monotonicMs() - this.#permitAtMs >= PERMIT_MS) throw new PageStale();
  }

  async #saveIfDue(): Promise<void> {
    if (this.#ports.clock.monotonicMs() - this.#savedAtMs >= SAVE_MS) await this.#save();
  }

  async #save(): Promise<void> {
    await saveScan(
      this.#ports,
      this.#record,
      this.#job,
      this.#state,
      this.#options.claimMs ?? CLAIM_MS,
    );
    this.#savedAtMs = this.#ports.clock.monotonicMs();
    this.#report();
  }

  #report(): void {
    const { keyspace, name } = this.#record;
    const { done, rows, cells } = this.#state;
    const { ranges } = this.#job;
    this.#ports.metrics.reencryption(keyspace, name, done / ranges);
    this.#ports.onProgress?.({ keyspace, table: name, done, ranges, rows, cells });
  }
}

function widthOf(table: StoredTable): { statics: number; regulars: number } {
  return { statics: table.statics.length, regulars: table.regulars.length };
}

function isWithoutCells({
  statics,
  regulars,
  staticMaps = [],
  regularMaps = [],
}: StoredTable): boolean {
  return statics.length + regulars.length + staticMaps.length + regularMaps.length === 0;
}

function isSameRow(a: RewrittenCell, b: RewrittenCell): boolean {
  if (!sameKey(a.partition, b.partition)) return false;
  if (a.clustering === null || b.clustering === null) return a.clustering === b.clustering;
  return sameKey(a.clustering, b.clustering);
}

/** The static or the regular cells of a row: reading one by its whole key gives both. */
function only(row: StoredTableRow, clustering: readonly Buffer[] | null): StoredTableRow {
  if (clustering !== null) {
    return { ...row, statics: row.statics.map(() => null), staticMaps: [] };
  }
  return { ...row, clustering: null, regulars: row.regulars.map(() => null) };
}

function withTtl(row: RowWithEntries): RowWithEntries {
  const expiring = (cells: StoredTableRow['regulars']): StoredTableRow['regulars'] =>
    cells.map((cell) => (cell?.ttl === null ? null : cell));
  return {
    ...row,
    statics: expiring(row.statics),
    regulars: expiring(row.regulars),
    entries: row.entries?.filter(({ cell }) => cell.ttl !== null) ?? [],
  };
}
