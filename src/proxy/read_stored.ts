import {
  isMerged,
  lacksLookupKey,
  limitMarkers,
  openRows,
  sealRead,
  storedRead,
  storedRow,
} from '../encryption/index.ts';
import type { BoundSelect, OpenedRows, Row, SelectPlan, StoredRead } from '../encryption/index.ts';
import type { StoredCells } from '../crypto/index.ts';
import type { ResponsePrefix } from '../wire/index.ts';
import { openStored } from './open_stored.ts';
import {
  executeRead,
  onlyRows,
  readCells,
  storedOptions,
  storedRows,
  tableKeys,
} from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';
import { StalePlanError } from './stale_plan.ts';

/** What stands before an answer. */
export type Prefix = Omit<ResponsePrefix, 'body'>;

/** Rows of one read: opened, or plain ones that were not encrypted. */
export interface Page {
  readonly rows: OpenedRows | Row[];
  readonly upstream: Buffer | undefined;
  readonly prefix: Prefix;
  /** The rows as Cassandra sent them. */
  readonly cells: StoredCells;
}

/** What the reads of one request share. */
export interface ReadJob {
  readonly session: Session;
  readonly request: RequestContext;
  readonly bound: BoundSelect;
}

/** Seals the keys of reads: one a partition, or a scan (`undefined`). */
export async function seal(
  job: ReadJob,
  partitions: readonly (readonly Uint8Array[] | undefined)[],
): Promise<StoredRead[]> {
  const { bound, session } = job;
  const acquired = tableKeys(session, bound.plan.table);
  const keys = acquired instanceof Promise ? await acquired : acquired;
  if (lacksLookupKey(bound.plan.lookup, keys)) {
    await session.services.catalog.refresh();
    throw new StalePlanError();
  }
  const { batch, queued } = await session.services.ticks.seal((sealing) =>
    partitions.map((key) => sealRead(sealing, keys, bound, key)),
  );
  return queued.map((read) => storedRead(batch, read));
}

/** What one read asks for. */
export interface PageRequest {
  readonly limit: number | undefined;
  readonly pageSize: number | undefined;
  readonly upstream: Buffer | undefined;
  readonly flags: number;
}

/** {@link readPage} for rows that are counted, cut and sorted: as views. */
export async function readPageRows(
  job: ReadJob,
  read: StoredRead,
  request: PageRequest,
): Promise<Page & { readonly rows: Row[] }> {
  const page = await readPage(job, read, request);
  return { ...page, rows: isPlain(page.rows) ? page.rows : page.rows.rows() };
}

/** Which rows of a page are wanted. */
export interface PageFilter {
  /** Slots that {@link accepts} looks at. */
  readonly slots: ReadonlySet<number>;
  readonly accepts: (row: Row) => boolean;
}

/**
 * {@link readPageRows}, with undefined in the place of rows that a filter refuses: of those only what it looks at is
 * decrypted and authenticated. Rows that it accepts are opened whole.
 */
export async function readFilteredRows(
  job: ReadJob,
  read: StoredRead,
  request: PageRequest,
  filter: PageFilter,
): Promise<Omit<Page, 'rows'> & { readonly rows: (Row | undefined)[] }> {
  const page = await readCellsOf(job, read, request);
  const tested = await openCells(job, read, page.cells, filter.slots);
  const accepted = tested.rows().flatMap((row, at) => (filter.accepts(row) ? [at] : []));
  const rows = new Array<Row | undefined>(page.cells.rowCount).fill(undefined);
  if (accepted.length > 0) {
    const opened = await openCells(job, read, onlyRows(page.cells, accepted));
    opened.rows().forEach((row, index) => (rows[accepted[index] as number] = row));
  }
  return { ...page, rows };
}

/** Reads one page of stored rows and opens it. @throws CassandraError, and the errors of {@link openRows}. */
export async function readPage(
  job: ReadJob,
  read: StoredRead,
  request: PageRequest,
): Promise<Page> {
  const { plan } = job.bound;
  const page = await readCellsOf(job, read, request);
  if (plan.counts.length > 0 && page.cells.rowCount > 0) {
    const only = storedRow(page.cells, 0);
    if (isCountOfNothing(only, plan))
      return { ...page, rows: [only.slice(0, plan.columns.length)] };
  }
  return { ...page, rows: await openCells(job, read, page.cells) };
}

/** Reads one page of stored rows. */
async function readCellsOf(
  { session, request, bound }: ReadJob,
  read: StoredRead,
  page: PageRequest,
): Promise<Omit<Page, 'rows'>> {
  const { plan } = bound;
  const envelope = await executeRead(
    session,
    request,
    plan.table,
    read.text,
    storedOptions(request.options, [...read.values, ...limitMarkers(bound, page.limit)], {
      pageSize: page.pageSize,
      pagingState: page.upstream,
      skipMetadata: true,
    }),
    page.flags,
  );
  const { result: rows, prefix } = storedRows(envelope, session.version);
  const cells = readCells(rows, plan.roles.length, plan.table);
  return { upstream: rows.metadata.pagingState, prefix, cells };
}

/** Opens stored rows: all that the client sees of them, or only some columns. */
async function openCells(
  { session, bound: { plan } }: ReadJob,
  read: StoredRead,
  cells: StoredCells,
  only?: ReadonlySet<number>,
): Promise<OpenedRows> {
  // Merging partitions by ORDER BY may need clustering columns that the client did not select.
  const visible = isMerged(plan) ? plan.roles.length : plan.columns.length;
  const queued = await openStored(session, plan.table, (batch, keys) =>
    openRows(batch, keys, plan.table, plan.roles, visible, read.known, cells, only),
  );
  session.services.metrics.addCellsDecrypted(queued.cellCount);
  return queued;
}

/** Whether rows are views already. */
export function isPlain<T>(rows: OpenedRows | T): rows is T {
  return Array.isArray(rows);
}

/** Adds what stands before one answer to what stands before all. */
export function mergePrefix(
  into: { -readonly [K in keyof Prefix]: Prefix[K] },
  prefix: Prefix,
): void {
  if (prefix.tracingId !== undefined && into.tracingId === undefined) {
    into.tracingId = prefix.tracingId;
  }
  if (prefix.customPayload !== undefined) into.customPayload = prefix.customPayload;
  if (prefix.warnings !== undefined) {
    into.warnings = [...new Set([...(into.warnings ?? []), ...prefix.warnings])];
  }
}

/** Where there are no rows to count, Cassandra answers one of nulls: it has no key and is no row of the table. */
function isCountOfNothing(cells: Row, plan: SelectPlan): boolean {
  return cells.every((cell, index) =>
    plan.counts.includes(index)
      ? cell?.length === 8 && cell.every((byte) => byte === 0)
      : cell === null,
  );
}
