import { UpstreamError } from '../errors/index.ts';
import type { ControlPage } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';
import type { CellTable } from './cell_columns.ts';
import type { BackupRow, ScanPosition } from './chunk.ts';
import type { RowConnection } from './context.ts';
import { RowReader } from './row_reader.ts';

/** What a scan reads. */
export interface ScannedTable extends CellTable {
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

const RANGES = 16;
const FIRST_FETCH = 100;
const MAX_FETCH = 5000;
const PAGE_BYTES = 1 << 20;
const ATTEMPTS = 4;
const RETRY_MS = 500;
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
