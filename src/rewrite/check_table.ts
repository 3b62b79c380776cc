import { retrying, RowReader } from '../backup/index.ts';
import type { BackupRow } from '../backup/index.ts';
import { CiphertextError, SchemaError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { tokenRanges } from '../upstream/index.ts';
import { rangesOf } from './ports.ts';
import type { RewriteOptions, RewritePorts } from './ports.ts';
import { boundsOf, readRows } from './read_rows.ts';
import { RowCrypto } from './row_crypto.ts';
import { cellTable, typesOf } from './tables.ts';

const FETCH_SIZE = 500;

/** What a table holds. */
export interface TableCheck {
  readonly rows: number;
  /** Rows that do not open. */
  readonly damaged: number;
}

/**
 * Reads a whole table at ALL and opens everything, while clients use it: what does not open would block a rewrite, when nobody can
 * use the table. Nothing is written.
 * @throws SchemaError when there is no such table; UpstreamError when not all replicas are there; KeyAccessError, KeyUnavailableError
 */
export async function checkTable(
  ports: Pick<RewritePorts, 'catalog' | 'clock' | 'connection' | 'leases' | 'logger'>,
  options: RewriteOptions,
  table: { readonly keyspace: string; readonly name: string },
  signal: AbortSignal,
  onProgress: (done: number, total: number, rows: number) => void,
): Promise<TableCheck> {
  const { catalog, clock, connection, logger } = ports;
  const current = (): TableEntry => {
    const entry = catalog.snapshot().table(table.keyspace, table.name);
    if (entry?.kind === 'encrypted') return entry;
    throw (
      entry?.error ??
      new SchemaError(
        'SCHEMA_ROTATION_TABLE',
        `there is no encrypted table ${table.keyspace}.${table.name}; names are case-sensitive here`,
      )
    );
  };
  await catalog.refresh();
  const leases = ports.leases();
  const ranges = tokenRanges(rangesOf(options));
  let rows = 0;
  let damaged = 0;
  const note = (column: string, code: string, range: readonly string[]): void => {
    damaged += 1;
    const where = { keyspace: table.keyspace, table: table.name, column, code };
    logger.error(
      { ...where, after_token: range[0], up_to_token: range[1] },
      'a row does not open: the table cannot be rewritten',
    );
  };
  try {
    for (const [index, range] of ranges.entries()) {
      let state: string | undefined;
      if (catalog.ageMs() > options.catalogMaxAgeMs / 2) await catalog.refresh();
      const entry = current();
      const { record } = entry;
      if (record === undefined) break;
      const cells = cellTable(record, typesOf(await catalog.readRecords(), table.keyspace));
      const crypto = new RowCrypto(entry, cells);
      const bounds = boundsOf(range);
      const reader = new RowReader({ ...cells, ranges: bounds }, undefined);
      do {
        signal.throwIfAborted();
        const startedMs = clock.monotonicMs();
        const page = await retrying(clock, () =>
          connection.page(reader.query, [range.after, range.upTo], {
            consistency: 'all',
            fetchSize: FETCH_SIZE,
            state,
          }),
        );
        const read = readRows(reader, page.rows, Math.floor(clock.nowMs() / 1000));
        const genuine: BackupRow[] = [];
        for (const row of read.rows) {
          if (row instanceof CiphertextError) note(row.message, row.code, bounds);
          else genuine.push(row);
        }
        for (const one of crypto.open(await leases.acquire(current()), genuine)) {
          if (!('plain' in one)) note(one.column, one.code, bounds);
        }
        rows += page.rows.length;
        const dueMs = (page.rows.length * 1000) / options.rowsPerSecond;
        const leftMs = dueMs - (clock.monotonicMs() - startedMs);
        if (leftMs > 1) await catalog.sleep(leftMs);
        state = page.next;
      } while (state !== undefined);
      onProgress(index + 1, ranges.length, rows);
    }
  } finally {
    leases.release();
  }
  return { rows, damaged };
}
