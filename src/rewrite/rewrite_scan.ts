import { isSamePartition, isSameRow, retrying, RowReader, RowSink } from '../backup/index.ts';
import type { BackupRow, CellTable } from '../backup/index.ts';
import { quoteIdentifier } from '../cql/index.ts';
import { CiphertextError, UpstreamError } from '../errors/index.ts';
import { ScanPace } from '../rotation/index.ts';
import { keyEpoch } from '../schema/index.ts';
import type { TableEntry, TableRecord } from '../schema/index.ts';
import { tokenRanges } from '../upstream/index.ts';
import type { TokenRange } from '../upstream/index.ts';
import { claimMsOf } from './ports.ts';
import type { RewriteOptions, RewritePorts } from './ports.ts';
import { requireOwn, saveRewrite } from './rewrite_jobs.ts';
import type { RewriteState, Rewriting } from './rewrite_jobs.ts';
import { RowCrypto } from './row_crypto.ts';
import { boundsOf, readRows } from './read_rows.ts';
import { cellTable, entryUnder } from './tables.ts';

const CONCURRENT_READS = 16;
const SAVE_MS = 5_000;
/** Rows are written only so long after this process was seen to have the job. */
const PERMIT_MS = 2_000;
/** A row whose copy differs is written again so often. */
const ATTEMPTS = 5;
/** Times of expiry are counted in whole seconds from two clocks. */
const EXPIRY_TOLERANCE_S = 2;
/** Tombstones of old partitions are so much newer than all cells: what a client's clock may be ahead. Microseconds. */
const AHEAD_US = 86_400_000_000n;
const LAST_TIME = 2n ** 63n - 1n;

/** A row under the old key and its plain text. */
interface OldRow {
  readonly stored: BackupRow;
  readonly plain: BackupRow;
}

/** The partition that the scan is in. */
interface OldPartition {
  readonly key: readonly Uint8Array[];
  /** Highest write time that was seen. */
  newest: bigint;
  /** Whether one of its rows does not open: then the partition stays. */
  isDamaged: boolean;
}

/**
 * One process' work on a rewrite. Each row under the old key is read at ALL, sealed anew, written with its write times and times
 * to live, read back at ALL and compared; when all rows of a partition have been, it is deleted under the old key. Everything may
 * be done again: what is under the new key is skipped.
 */
export class RewriteScan {
  readonly #ports: RewritePorts;
  readonly #options: RewriteOptions;
  readonly #record: TableRecord;
  readonly #signal: AbortSignal;
  readonly #pace: ScanPace;
  readonly #ranges: readonly TokenRange[];
  readonly #table: CellTable;
  readonly #old: TableEntry;
  readonly #new: TableEntry;
  readonly #oldEpoch: number;
  readonly #newEpoch: number;
  readonly #crypto: { readonly old: RowCrypto; readonly new: RowCrypto };
  readonly #leases: { readonly old: Leases; readonly new: Leases };
  readonly #lists: ReadonlySet<number>;
  #state: RewriteState;
  #savedAtMs: number;
  #permitAtMs = -Infinity;
  #partition: OldPartition | undefined;
  /** Whether a row was met that is no ciphertext, perhaps of the partition that begins next. */
  #isSuspect = false;

  constructor(
    ports: RewritePorts,
    options: RewriteOptions,
    { record, job }: Rewriting,
    types: Parameters<typeof cellTable>[1],
    signal: AbortSignal,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#record = record;
    this.#signal = signal;
    this.#ranges = tokenRanges(job.ranges);
    this.#table = cellTable(record, types);
    this.#newEpoch = job.epoch;
    this.#old = entryUnder(record, types, 'old');
    this.#new = entryUnder(record, types, 'new');
    this.#oldEpoch = keyEpoch(this.#old.record);
    this.#crypto = {
      old: new RowCrypto(this.#old, this.#table),
      new: new RowCrypto(this.#new, this.#table),
    };
    this.#leases = { old: ports.leases(), new: ports.leases() };
    this.#lists = listsOf(this.#table);
    this.#state = { ...job, scanStartedAtMs: job.scanStartedAtMs ?? ports.clock.nowMs() };
    this.#savedAtMs = ports.clock.monotonicMs();
    this.#pace = new ScanPace(ports.clock, options);
  }

  /**
   * Works through passes until one finds no row under the old key.
   * @returns false when rows open under no key: then nothing ends
   * @throws RewriteLostError when another proxy has the job; AbortError; UpstreamError, KeyAccessError, KeyUnavailableError: to be
   *   tried again later, from the last durable range
   */
  async run(): Promise<boolean> {
    try {
      for (;;) {
        await this.#save();
        while (this.#state.done < this.#ranges.length) {
          await this.#range(this.#ranges[this.#state.done] as TokenRange);
        }
        await this.#save();
        if (this.#state.damaged > 0) return false;
        if (this.#state.moved === 0) return true;
        this.#state = { ...this.#state, pass: this.#state.pass + 1, done: 0, moved: 0 };
      }
    } finally {
      this.#leases.old.release();
      this.#leases.new.release();
    }
  }

  async #range(range: TokenRange): Promise<void> {
    const reader = new RowReader({ ...this.#table, ranges: boundsOf(range) }, undefined);
    // What an earlier process may have written; lists are not written twice.
    const mayBeThere = this.#state.begun || this.#state.pass > 1;
    this.#partition = undefined;
    this.#isSuspect = false;
    let state: string | undefined;
    do {
      const startedMs = this.#ports.clock.monotonicMs();
      await this.#permit();
      await this.#ports.step?.('rewrite.page');
      const atS = Math.floor(this.#ports.clock.nowMs() / 1000);
      const page = await retrying(this.#ports.clock, () =>
        this.#ports.connection.page(reader.query, [range.after, range.upTo], {
          consistency: 'all',
          fetchSize: this.#pace.fetchSize,
          state,
        }),
      );
      const read = readRows(reader, page.rows, atS);
      await this.#rows(read.rows, mayBeThere, range);
      this.#pace.sized(read.bytes);
      await this.#pace.throttle(page.rows.length, startedMs);
      await this.#saveIfDue();
      state = page.next;
    } while (state !== undefined);
    await this.#endPartition();
    this.#state = { ...this.#state, done: this.#state.done + 1, begun: false };
    // From now on it counts whether the next range was begun.
    if (this.#lists.size > 0) await this.#save();
    else await this.#saveIfDue();
    this.#report();
  }

  /** Moves the rows of a page that are under the old key. */
  async #rows(
    rows: readonly (BackupRow | CiphertextError)[],
    mayBeThere: boolean,
    range: TokenRange,
  ): Promise<void> {
    let run: BackupRow[] = [];
    const flush = async (): Promise<void> => {
      if (run.length > 0) await this.#move(run, mayBeThere, range);
      run = [];
    };
    for (const row of rows) {
      if (row instanceof CiphertextError) {
        await flush();
        this.#damaged(row.message, row.code, range);
        // It may be of this partition or begin the next one: neither is deleted.
        if (this.#partition !== undefined) this.#partition.isDamaged = true;
        this.#isSuspect = true;
        continue;
      }
      if (!isSamePartition(this.#partition?.key, row.partition)) {
        await flush();
        await this.#endPartition();
        this.#partition = await this.#beginPartition(row.partition, range);
      }
      if (this.#partition !== undefined) run.push(row);
    }
    await flush();
  }

  /** The partition of a key under the old DEK; `undefined` for one that is under the new one or under none. */
  async #beginPartition(
    key: readonly Uint8Array[],
    range: TokenRange,
  ): Promise<OldPartition | undefined> {
    const epoch = epochOf(key);
    const isDamaged = this.#isSuspect;
    this.#isSuspect = false;
    if (epoch === this.#oldEpoch) return { key, newest: 0n, isDamaged };
    const keys = await this.#leases.new.acquire(this.#new);
    const isNew = epoch === this.#newEpoch && this.#crypto.new.opensPartition(keys, key);
    if (!isNew) this.#damaged('partition key', 'CIPHERTEXT_EPOCH', range);
    return undefined;
  }

  async #move(rows: readonly BackupRow[], mayBeThere: boolean, range: TokenRange): Promise<void> {
    const opened = this.#crypto.old.open(await this.#leases.old.acquire(this.#old), rows);
    const old: OldRow[] = [];
    for (const one of opened) {
      if ('plain' in one) old.push(one);
      else {
        this.#damaged(one.column, one.code, range);
        if (this.#partition !== undefined) this.#partition.isDamaged = true;
      }
    }
    if (old.length === 0) return;
    if (this.#lists.size > 0 && !this.#state.begun) {
      this.#state = { ...this.#state, begun: true };
      await this.#save();
    }
    await this.#copy(old, mayBeThere);
    let cells = 0;
    for (const { plain } of old) {
      cells += plain.cells.length;
      for (const { writeTime } of plain.cells) {
        if (this.#partition !== undefined && writeTime > this.#partition.newest) {
          this.#partition.newest = writeTime;
        }
      }
    }
    const moved = old.filter(({ plain }) => plain.clustering !== undefined).length;
    this.#state = {
      ...this.#state,
      rows: this.#state.rows + moved,
      cells: this.#state.cells + cells,
    };
  }

  /** Writes rows under the new key until each is there as it was. Returns when all have been read back. */
  async #copy(old: readonly OldRow[], mayBeThere: boolean): Promise<void> {
    const plain = old.map((row) => row.plain);
    let left = this.#crypto.new
      .seal(await this.#leases.new.acquire(this.#new), plain)
      .map((sealed, index) => ({ plain: plain[index] as BackupRow, sealed }));
    let isAgain = mayBeThere;
    for (let attempt = 1; left.length > 0; attempt++) {
      if (attempt > ATTEMPTS) throw this.#differs();
      const there = isAgain && this.#lists.size > 0 ? await this.#read(left) : undefined;
      const sink = this.#sink();
      for (const [index, { plain: row, sealed }] of left.entries()) {
        await this.#permit();
        await this.#ports.step?.('rewrite.row');
        // Lists that are complete already are left alone: their write times stay.
        const found = there?.[index];
        const hasLists = found !== undefined && this.#hasLists(row, found);
        await sink.add(sealed, isAgain, !hasLists);
      }
      await sink.flush();
      await this.#ports.step?.('rewrite.written');
      const now = await this.#read(left);
      const shifted = isAgain || attempt > 1;
      left = left.filter((_, index) => {
        const found = now[index];
        const row = left[index]?.plain as BackupRow;
        if (found === undefined) return !hasExpired(row, this.#nowS());
        return !this.#isSame(row, found, shifted);
      });
      isAgain = true;
    }
  }

  /** The rows under the new key as they are, decrypted; `undefined` for one that is not there. */
  async #read(rows: readonly { readonly sealed: BackupRow }[]): Promise<(BackupRow | undefined)[]> {
    const stored: (BackupRow | undefined)[] = rows.map(() => undefined);
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let at = next++; at < rows.length; at = next++) {
        stored[at] = await this.#readOne((rows[at] as { sealed: BackupRow }).sealed);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT_READS }, worker));
    const found = stored.filter((row) => row !== undefined);
    const opened = this.#crypto.new.open(await this.#leases.new.acquire(this.#new), found);
    const plain = opened.map((one) => {
      if ('plain' in one) return one.plain;
      throw this.#differs();
    });
    return stored.map((row) => (row === undefined ? undefined : plain.shift()));
  }

  async #readOne({ partition, clustering }: BackupRow): Promise<BackupRow | undefined> {
    const isStatic = clustering === undefined;
    // The static cells of its partition are left out of what is read of a row.
    const reader = new RowReader({ ...this.#table, ranges: [] }, isStatic ? undefined : partition);
    const atS = this.#nowS();
    const { rows } = await retrying(this.#ports.clock, () =>
      this.#ports.connection.page(
        isStatic ? reader.staticQuery : reader.rowQuery,
        [...partition, ...(clustering ?? [])].map((part) => Buffer.from(part)),
        { consistency: 'all', fetchSize: 1, state: undefined },
      ),
    );
    const read = reader.rows(rows.slice(0, 1), atS).rows;
    return read.find((row) => (row.clustering === undefined) === isStatic);
  }

  /** @param isShifted whether lists may have other write times: then only their elements are compared */
  #isSame(expected: BackupRow, actual: BackupRow, isShifted: boolean): boolean {
    const timeless = (row: BackupRow): BackupRow => ({
      ...row,
      cells: row.cells.map((cell) =>
        this.#lists.has(cell.column) ? { ...cell, writeTime: 0n } : cell,
      ),
    });
    const nowS = this.#nowS() + EXPIRY_TOLERANCE_S;
    return isShifted
      ? isSameRow(timeless(expected), timeless(actual), nowS, this.#lists)
      : isSameRow(expected, actual, nowS, this.#lists);
  }

  /** Whether a row has the lists of another one, each with all of its elements. */
  #hasLists(expected: BackupRow, actual: BackupRow): boolean {
    const lists = (row: BackupRow): BackupRow => ({
      ...row,
      cells: row.cells.filter(({ column }) => this.#lists.has(column)),
    });
    return this.#isSame(lists(expected), lists(actual), true);
  }

  /** Deletes the partition that ended, when all of its rows are under the new key. */
  async #endPartition(): Promise<void> {
    const partition = this.#partition;
    this.#partition = undefined;
    if (partition === undefined) return;
    this.#state = { ...this.#state, moved: this.#state.moved + 1 };
    if (partition.isDamaged) return;
    await this.#permit();
    await this.#ports.step?.('rewrite.delete');
    const { keyspace, name } = this.#table;
    const columns = this.#old.partitionKey.map((column) => `${quoteIdentifier(column.name)} = ?`);
    await retrying(this.#ports.clock, () =>
      this.#ports.connection.executeUnlogged(
        [
          {
            query: `DELETE FROM ${quoteIdentifier(keyspace)}.${quoteIdentifier(name)} USING TIMESTAMP ? WHERE ${columns.join(' AND ')}`,
            params: [
              this.#tombstoneTime(partition),
              ...partition.key.map((part) => Buffer.from(part)),
            ],
          },
        ],
        'all',
      ),
    );
    await this.#ports.step?.('rewrite.deleted');
  }

  /**
   * Nothing is ever written under an old stored key again, so the tombstone may be newer than everything. What is still there
   * in a second pass has a row marker that is newer yet.
   */
  #tombstoneTime({ newest }: OldPartition): bigint {
    if (this.#state.pass > 1) return LAST_TIME;
    const now = BigInt(this.#ports.clock.nowMs()) * 1000n;
    const time = (newest > now ? newest : now) + AHEAD_US;
    return time < LAST_TIME ? time : LAST_TIME;
  }

  #sink(): RowSink {
    return new RowSink(this.#ports.connection, this.#ports.clock, {
      ...this.#table,
      emptyRowTime: BigInt(this.#record.rewrite?.beganAtMs ?? 0) * 1000n,
    });
  }

  #damaged(column: string, code: string, range: TokenRange): void {
    this.#ports.logger.error(
      {
        keyspace: this.#table.keyspace,
        table: this.#table.name,
        column,
        code,
        after_token: String(range.after),
        up_to_token: String(range.upTo),
      },
      'a row does not open and is not rewritten; the rewrite will not end',
    );
    this.#state = { ...this.#state, damaged: this.#state.damaged + 1 };
  }

  #differs(): UpstreamError {
    return new UpstreamError(
      'UPSTREAM_REWRITE',
      `a row of ${this.#table.keyspace}.${this.#table.name} was written under its new key and reads otherwise; nothing of it is deleted`,
    );
  }

  /** Waits until this process may write: it has the job. @throws RewriteLostError, AbortError */
  async #permit(): Promise<void> {
    const { catalog, clock, owner } = this.#ports;
    this.#signal.throwIfAborted();
    if (clock.monotonicMs() - this.#permitAtMs < PERMIT_MS / 2) return;
    const startedMs = clock.monotonicMs();
    requireOwn(await catalog.readRecords(), this.#record, owner);
    this.#permitAtMs = startedMs;
    await this.#saveIfDue();
  }

  async #saveIfDue(): Promise<void> {
    if (this.#ports.clock.monotonicMs() - this.#savedAtMs >= SAVE_MS) await this.#save();
  }

  async #save(): Promise<void> {
    this.#savedAtMs = this.#ports.clock.monotonicMs();
    await saveRewrite(this.#ports, this.#record, this.#state, claimMsOf(this.#options));
    this.#report();
  }

  #report(): void {
    const { keyspace, name } = this.#record;
    const { rows, cells } = this.#state;
    const progress = progressOf({ ...this.#state, ranges: this.#ranges.length });
    this.#ports.onFraction?.(keyspace, name, progress.done / progress.total);
    this.#ports.onProgress?.({ keyspace, table: name, ...progress, rows, cells });
  }

  #nowS(): number {
    return Math.floor(this.#ports.clock.nowMs() / 1000);
  }
}

type Leases = ReturnType<RewritePorts['leases']>;

/** How far a job is, counted over two passes. */
function progressOf(job: {
  readonly pass: number;
  readonly ranges: number;
  readonly done: number;
}): { readonly done: number; readonly total: number } {
  return { done: (job.pass > 1 ? job.ranges : 0) + job.done, total: 2 * job.ranges };
}

/** Epoch of a partition key by its head. */
function epochOf([first]: readonly Uint8Array[]): number {
  return first === undefined || first.length < 4 ? 0 : Buffer.from(first).readUInt16BE(2);
}

function listsOf(table: CellTable): ReadonlySet<number> {
  const lists = new Set<number>();
  for (const [index, name] of table.cellColumns.entries()) {
    if (table.columns.find((column) => column.name === name)?.scheme === 'list') lists.add(index);
  }
  return lists;
}

function hasExpired({ cells }: BackupRow, nowS: number): boolean {
  return (
    cells.length > 0 &&
    cells.every(({ expiresAt }) => expiresAt !== 0 && expiresAt <= nowS + EXPIRY_TOLERANCE_S)
  );
}
