import { quoteIdentifier } from '../cql/index.ts';
import { CiphertextError, InternalError, UpstreamError } from '../errors/index.ts';
import type { ColumnRecord } from '../schema/index.ts';
import type { ControlPage } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';
import { isSamePartition } from './chunk.ts';
import type { RowConnection } from './context.ts';
import type { BackupCell, BackupRow, ScanPosition } from './chunk.ts';

/** What a scan reads. */
export interface ScannedTable {
  readonly keyspace: string;
  readonly name: string;
  readonly columns: readonly ColumnRecord[];
  /** Static and regular columns in the order by which cells name them. */
  readonly cellColumns: readonly string[];
  /** Bounds of the token ranges; empty for one scan of everything. */
  readonly ranges: readonly string[];
}

/** Rows of one page of Cassandra's, and where the scan goes on. */
export interface ScannedPage {
  readonly rows: readonly BackupRow[];
  /** About how much it is. */
  readonly bytes: number;
  readonly next: ScanPosition;
}

type Row = ControlPage['rows'][number];

const RANGES = 16;
const FIRST_FETCH = 100;
const MAX_FETCH = 5000;
const PAGE_BYTES = 1 << 20;
const ATTEMPTS = 4;
const RETRY_MS = 500;
const VERSION_BYTE = 0xc1;
const SUITES: ReadonlySet<number> = new Set([0x01, 0x81]);
const MURMUR3 = 'org.apache.cassandra.dht.Murmur3Partitioner';

/** Bounds of token ranges of equal width; empty where the partitioner's tokens are not 64-bit integers. */
export async function tokenRanges(connection: RowConnection): Promise<readonly string[]> {
  const { rows } = await connection.execute('SELECT partitioner FROM system.local');
  if (rows[0]?.['partitioner'] !== MURMUR3) return [];
  const width = 2n ** 64n / BigInt(RANGES);
  const bounds = Array.from({ length: RANGES }, (_, i) => -(2n ** 63n) + width * BigInt(i));
  return [...bounds, 2n ** 63n - 1n].map(String);
}

/** Number of ranges that a scan goes through. */
export function rangeCount(table: ScannedTable): number {
  return Math.max(1, table.ranges.length - 1);
}

/**
 * Reads the stored bytes of all rows with write times and times of expiry, from `from` on; the next page is on its way while one
 * is used. Pages are about 1 MiB, whatever the size of rows.
 * @param lastPartition of the row before `from`: its static cells were read with it
 * @throws CiphertextError when a stored value is no ciphertext of the format
 */
export async function* scanTable(
  connection: RowConnection,
  clock: Clock,
  table: ScannedTable,
  from: ScanPosition,
  lastPartition: readonly Uint8Array[] | undefined,
): AsyncGenerator<ScannedPage, void, undefined> {
  const reader = new RowReader(table, lastPartition);
  let fetchSize = FIRST_FETCH;
  const read = async (at: ScanPosition): Promise<{ page: ControlPage; atS: number }> => {
    const params = table.ranges.slice(at.range, at.range + 2).map(BigInt);
    // Before the read: a cell never seems to expire later than it does.
    const atS = Math.floor(clock.nowMs() / 1000);
    const page = await retrying(clock, () =>
      connection.page(reader.query, params, {
        consistency: 'quorum',
        fetchSize,
        state: at.pagingState === '' ? undefined : at.pagingState,
      }),
    );
    return { page, atS };
  };
  let position = from;
  let pending = position.range < rangeCount(table) ? read(position) : undefined;
  while (pending !== undefined) {
    const { page, atS } = await pending;
    const next: ScanPosition =
      page.next === undefined
        ? { range: position.range + 1, pagingState: '' }
        : { range: position.range, pagingState: page.next };
    pending = next.range < rangeCount(table) ? read(next) : undefined;
    // Awaited in the next round; a failure before that must not count as unhandled.
    pending?.catch(() => undefined);
    position = next;
    const { rows, bytes } = reader.rows(page.rows, atS);
    if (page.rows.length > 0) {
      const fitting = Math.floor((PAGE_BYTES * page.rows.length) / Math.max(1, bytes));
      fetchSize = Math.max(1, Math.min(MAX_FETCH, fitting, fetchSize * 4));
    }
    yield { rows, bytes, next };
  }
}

/** Turns rows of Cassandra's answer into rows of a backup. */
class RowReader {
  readonly query: string;
  readonly #table: ScannedTable;
  readonly #partition: readonly string[];
  readonly #clustering: readonly string[];
  readonly #statics: readonly CellNames[];
  readonly #regulars: readonly CellNames[];
  #last: readonly Uint8Array[] | undefined;

  constructor(table: ScannedTable, lastPartition: readonly Uint8Array[] | undefined) {
    this.#table = table;
    this.#last = lastPartition;
    const of = (kind: ColumnRecord['kind']): ColumnRecord[] =>
      table.columns
        .filter((column) => column.kind === kind)
        .sort((a, b) => a.position - b.position);
    const partition = of('partition');
    const clustering = of('clustering');
    const cells = table.cellColumns.map((name, column) => ({
      column,
      name,
      isStatic: table.columns.find((c) => c.name === name)?.kind === 'static',
      value: `c${column}`,
      writeTime: `w${column}`,
      ttl: `t${column}`,
    }));
    this.#partition = partition.map((_, i) => `p${i}`);
    this.#clustering = clustering.map((_, i) => `k${i}`);
    this.#statics = cells.filter((cell) => cell.isStatic);
    this.#regulars = cells.filter((cell) => !cell.isStatic);
    const selectors = [
      ...partition.map((column, i) => `${quoteIdentifier(column.name)} AS p${i}`),
      ...clustering.map((column, i) => `${quoteIdentifier(column.name)} AS k${i}`),
      ...cells.map(({ name, value, writeTime, ttl }) => {
        const quoted = quoteIdentifier(name);
        return `${quoted} AS ${value}, writetime(${quoted}) AS ${writeTime}, ttl(${quoted}) AS ${ttl}`;
      }),
    ];
    const token = `token(${partition.map((column) => quoteIdentifier(column.name)).join(', ')})`;
    const where = table.ranges.length === 0 ? '' : ` WHERE ${token} > ? AND ${token} <= ?`;
    this.query = `SELECT ${selectors.join(', ')} FROM ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}${where}`;
  }

  rows(
    answer: readonly Row[],
    atS: number,
  ): { readonly rows: readonly BackupRow[]; readonly bytes: number } {
    const rows: BackupRow[] = [];
    let bytes = 0;
    for (const row of answer) {
      const own = this.#partition.map((name) => this.#stored(row[name], name));
      const isNew = !isSamePartition(this.#last, own);
      const partition = isNew || this.#last === undefined ? own : this.#last;
      this.#last = partition;
      if (isNew && this.#statics.length > 0) {
        const cells = this.#cells(row, this.#statics, atS);
        if (cells.length > 0) rows.push({ partition, clustering: undefined, cells });
        bytes += sizeOf(cells);
      }
      // Without a first clustering column it is a partition of static cells only.
      if (this.#clustering.length > 0 && row[this.#clustering[0] as string] === null) continue;
      const clustering = this.#clustering.map((name) => this.#stored(row[name], name));
      const cells = this.#cells(row, this.#regulars, atS);
      rows.push({ partition, clustering, cells });
      bytes += sizeOf(cells) + 64;
      for (const part of [...partition, ...clustering]) bytes += part.length;
    }
    return { rows, bytes };
  }

  #cells(row: Row, names: readonly CellNames[], atS: number): BackupCell[] {
    const cells: BackupCell[] = [];
    for (const { column, name, value, writeTime, ttl } of names) {
      const stored = row[value];
      if (stored === null || stored === undefined) continue;
      const time = row[writeTime];
      if (typeof time !== 'bigint') throw new InternalError('a cell without a write time');
      const left = row[ttl];
      cells.push({
        column,
        writeTime: time,
        expiresAt: typeof left === 'number' ? atS + left : 0,
        value: this.#stored(stored, name),
      });
    }
    return cells;
  }

  /** Only what has the head of the format is taken: plain text never gets into a backup. */
  #stored(value: unknown, column: string): Uint8Array {
    if (value instanceof Uint8Array && value.length >= 4) {
      if (value[0] === VERSION_BYTE && SUITES.has(value[1] as number)) return value;
    }
    const { keyspace, name } = this.#table;
    throw new CiphertextError('CIPHERTEXT_VERSION', `${keyspace}.${name} (${column})`);
  }
}

interface CellNames {
  readonly column: number;
  readonly name: string;
  readonly value: string;
  readonly writeTime: string;
  readonly ttl: string;
}

function sizeOf(cells: readonly BackupCell[]): number {
  let bytes = 0;
  for (const cell of cells) bytes += 19 + cell.value.length;
  return bytes;
}

/** Repeats what may be repeated while Cassandra does not answer. */
export async function retrying<T>(clock: Clock, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof UpstreamError) || attempt === ATTEMPTS) throw error;
    }
    await pause(clock, RETRY_MS * attempt);
  }
}

/** Waits on the clock. */
export async function pause(clock: Clock, delayMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    clock.after(delayMs, resolve);
  });
}
