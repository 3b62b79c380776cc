import {
  bindSelect,
  limitMarkers,
  openRows,
  sealRead,
  storedRead,
  storedRow,
} from '../encryption/index.ts';
import type {
  BoundSelect,
  OpenedRows,
  Row,
  SelectPlan,
  StoredRead,
  TermContext,
} from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { compareValues } from '../values/index.ts';
import { RowsWriter } from '../wire/index.ts';
import type { ColumnSpec, ResponsePrefix } from '../wire/index.ts';
import { openStored } from './open_stored.ts';
import { openPagingState, pagingBinding, sealPagingState } from './paging_state.ts';
import type { PagingPosition } from './paging_state.ts';
import { result } from './reply.ts';
import type { Reply } from './reply.ts';
import { executeStored, readCells, storedOptions, storedRows, tableKeys } from './run_stored.ts';
import type { RequestContext, Session } from './session.ts';

/** Cassandra's own warning; the reads of single partitions do not give it. */
const AGGREGATE_WARNING = 'Aggregation query used on multiple partition keys (IN restriction)';
/** Reads of several partitions under way at once. */
const READ_AHEAD = 8;

/** Room for what stands before the rows: metadata and paging state grow it when they are longer. */
const HEADER_BYTES = 512;

/** LIMIT without effect. */
const NO_LIMIT = 0x7fffffff;

/** A SELECT ready to run. */
export interface CompiledSelect {
  readonly kind: 'select';
  readonly plan: SelectPlan;
  readonly resultColumns: readonly ColumnSpec[];
}

type Prefix = Omit<ResponsePrefix, 'body'>;

/** Rows of one read: opened, or plain ones that were not encrypted. */
interface Page {
  readonly rows: OpenedRows | Row[];
  readonly upstream: Buffer | undefined;
  readonly prefix: Prefix;
}

/** What the reads of one request share. */
interface ReadJob {
  readonly session: Session;
  readonly request: RequestContext;
  readonly compiled: CompiledSelect;
  readonly bound: BoundSelect;
}

/**
 * Runs a SELECT on an encrypted table.
 *
 * @param noMetadata the client knows the metadata from PREPARE
 * @param statementText what paging states are bound to
 */
export async function runSelect(
  session: Session,
  request: RequestContext,
  compiled: CompiledSelect,
  context: TermContext,
  noMetadata: boolean,
  statementText: string,
): Promise<Reply> {
  const { plan } = compiled;
  const bound = bindSelect(plan, context);
  const job: ReadJob = { session, request, compiled, bound };
  const { nowMs, pagingKey } = session.services;
  const binding =
    request.options.pageSize === undefined && request.options.pagingState === undefined
      ? undefined
      : (): Uint8Array[] =>
          pagingBinding(session.version, plan.table.keyspace, statementText, plan.table.tableId);
  const start =
    request.options.pagingState === undefined || binding === undefined
      ? undefined
      : openPagingState(pagingKey, binding(), request.options.pagingState, nowMs());
  const isSplit = plan.hasPartitionIn || bound.partitions?.length === 0;
  const answer = await (isSplit ? readPartitions(job, start) : readOne(job, start));
  const writer = new RowsWriter(
    {
      columns: compiled.resultColumns,
      pagingState:
        answer.next === undefined || binding === undefined
          ? undefined
          : sealPagingState(pagingKey, binding(), answer.next, nowMs()),
      noMetadata,
    },
    session.version,
    isPlain(answer.rows)
      ? 256 + answer.rows.length * compiled.resultColumns.length * 24
      : HEADER_BYTES + answer.rows.byteLength(),
  );
  if (isPlain(answer.rows))
    for (const row of answer.rows) for (const cell of row) writer.writeCell(cell);
  else answer.rows.writeTo(writer);
  return result(writer.finish(), answer.prefix);
}

interface Answer {
  readonly rows: OpenedRows | readonly Row[];
  readonly next: PagingPosition | undefined;
  readonly prefix: Prefix;
}

/** A read of one partition, or a scan: Cassandra pages it. */
async function readOne(job: ReadJob, start: PagingPosition | undefined): Promise<Answer> {
  const { bound, request } = job;
  const [read] = await seal(job, bound.partitions ?? [undefined]);
  const page = await readPage(job, read as StoredRead, {
    limit: bound.limit,
    pageSize: request.options.pageSize,
    upstream: start?.upstream,
    flags: request.flags,
  });
  const next =
    page.upstream === undefined
      ? undefined
      : { partition: 0, remaining: undefined, upstream: page.upstream };
  return { rows: page.rows, next, prefix: page.prefix };
}

/** `pk IN (…)`: one read a partition, in the order of the logical values, as Cassandra does. */
async function readPartitions(job: ReadJob, start: PagingPosition | undefined): Promise<Answer> {
  const { bound, request, compiled } = job;
  const { plan } = compiled;
  const { pageSize } = request.options;
  const paged = pageSize !== undefined && pageSize > 0;
  const ordered = plan.orderBy.length > 0;
  const isAggregate = plan.counts.length > 0;
  if (ordered && paged && bound.partitions?.length !== 0) {
    throw new InvalidRequestError(
      'Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query',
    );
  }
  // Cassandra reads an ordered or counted statement whole before it answers.
  const budget = ordered || isAggregate || !paged ? undefined : pageSize;
  const reads = await seal(job, bound.partitions ?? []);
  const rows: Row[] = [];
  const prefix: { -readonly [K in keyof Prefix]: Prefix[K] } = {};
  let remaining = start?.remaining ?? (ordered || isAggregate ? undefined : bound.limit);
  let position = start?.partition ?? 0;
  let upstream = start?.upstream;
  let next: PagingPosition | undefined;
  const ahead: Promise<Page & { readonly rows: Row[] }>[] = [];
  let issued = position;
  const issue = (): void => {
    while (ahead.length < READ_AHEAD && issued < reads.length) {
      const left =
        budget === undefined ? undefined : Math.min(budget - rows.length, remaining ?? Infinity);
      const reading = readPageRows(job, reads[issued] as StoredRead, {
        // Cassandra ignores a paging state where LIMIT is not above the page size: pages carry the limit by their size.
        limit: ordered || isAggregate ? bound.limit : left === undefined ? remaining : NO_LIMIT,
        pageSize: left,
        upstream: issued === position ? upstream : undefined,
        flags: issued === 0 ? request.flags : 0,
      });
      // A read that is given up must not become an unhandled rejection.
      reading.catch(() => undefined);
      ahead.push(reading);
      issued++;
    }
  };
  for (;;) {
    issue();
    const reading = ahead.shift();
    if (reading === undefined) break;
    const page = await reading;
    mergePrefix(prefix, page.prefix);
    const room = Math.min(
      budget === undefined ? Infinity : budget - rows.length,
      remaining ?? Infinity,
    );
    if (page.rows.length > room) {
      if (room === remaining) {
        rows.push(...page.rows.slice(0, room));
        break;
      }
      // It was read ahead for more rows than there is room for now: read it again with the room there is.
      ahead.length = 0;
      issued = position;
      continue;
    }
    rows.push(...page.rows);
    if (remaining !== undefined) {
      remaining -= page.rows.length;
      if (remaining === 0) break;
    }
    upstream = page.upstream;
    if (upstream === undefined) position++;
    else {
      // More of the same partition: what was read ahead comes after it.
      ahead.length = 0;
      issued = position;
    }
    if (budget !== undefined && rows.length >= budget) {
      if (position < reads.length) next = { partition: position, remaining, upstream };
      break;
    }
  }
  if (isAggregate) {
    prefix.warnings = [...(prefix.warnings ?? []), AGGREGATE_WARNING];
    return { rows: [aggregated(rows, plan)], next: undefined, prefix };
  }
  if (ordered) {
    sortRows(rows, plan, compiled.resultColumns);
    return {
      rows: bound.limit === undefined ? rows : rows.slice(0, bound.limit),
      next: undefined,
      prefix,
    };
  }
  return { rows, next, prefix };
}

async function seal(
  job: ReadJob,
  partitions: readonly (readonly Uint8Array[] | undefined)[],
): Promise<StoredRead[]> {
  const { bound, session } = job;
  const acquired = tableKeys(session, bound.plan.table);
  const keys = acquired instanceof Promise ? await acquired : acquired;
  const { batch, queued } = await session.services.ticks.seal((sealing) =>
    partitions.map((key) => sealRead(sealing, keys, bound, key)),
  );
  return queued.map((read) => storedRead(batch, read));
}

/** What one read asks for. */
interface PageRequest {
  readonly limit: number | undefined;
  readonly pageSize: number | undefined;
  readonly upstream: Buffer | undefined;
  readonly flags: number;
}

/** {@link readPage} for rows that are counted, cut and sorted: as views. */
async function readPageRows(
  job: ReadJob,
  read: StoredRead,
  request: PageRequest,
): Promise<Page & { readonly rows: Row[] }> {
  const page = await readPage(job, read, request);
  return { ...page, rows: isPlain(page.rows) ? page.rows : page.rows.rows() };
}

async function readPage(job: ReadJob, read: StoredRead, page: PageRequest): Promise<Page> {
  const { session, request, compiled, bound } = job;
  const { plan } = compiled;
  const envelope = await executeStored(
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
  if (plan.counts.length > 0 && cells.rowCount > 0) {
    const only = storedRow(cells, 0);
    if (isCountOfNothing(only, plan)) {
      return {
        rows: [only.slice(0, plan.columns.length)],
        upstream: rows.metadata.pagingState,
        prefix,
      };
    }
  }
  // Merging partitions by ORDER BY may need clustering columns that the client did not select.
  const visible =
    plan.hasPartitionIn && plan.orderBy.length > 0 ? plan.roles.length : plan.columns.length;
  const queued = await openStored(session, plan.table, (batch, keys) =>
    openRows(batch, keys, plan.table, plan.roles, visible, read.known, cells),
  );
  session.services.metrics.addCellsDecrypted(queued.cellCount);
  return { rows: queued, upstream: rows.metadata.pagingState, prefix };
}

function isPlain<T>(rows: OpenedRows | T): rows is T {
  return Array.isArray(rows);
}

function mergePrefix(into: { -readonly [K in keyof Prefix]: Prefix[K] }, prefix: Prefix): void {
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

/** One row of several: counts are added up, the other columns are those of the first row that was counted. */
function aggregated(rows: readonly Row[], plan: SelectPlan): Row {
  const countOf = (row: Row, index: number): bigint => {
    const cell = row[index];
    return cell?.length === 8 ? Buffer.from(cell).readBigInt64BE() : 0n;
  };
  const first = rows.find((row) => countOf(row, plan.counts[0] ?? -1) > 0n);
  const answer = plan.columns.map((_column, index) => first?.[index] ?? null);
  for (const index of plan.counts) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(rows.reduce((sum, row) => sum + countOf(row, index), 0n));
    answer[index] = bytes;
  }
  return answer;
}

/** ORDER BY over several partitions: by the decrypted clustering values, ties in the order of the partitions. */
function sortRows(rows: Row[], plan: SelectPlan, columns: readonly ColumnSpec[]): void {
  const keys = plan.orderBy.map(({ column, descending }) => ({
    index: plan.roles.findIndex(
      (role) =>
        role.kind === column.kind && 'position' in role && role.position === column.position,
    ),
    type: column.type,
    descending,
  }));
  const [first] = plan.orderBy;
  const isTableOrder =
    first === undefined || first.descending === (first.column.clusteringOrder === 'desc');
  rows.sort((a, b) => {
    for (const { index, type, descending } of keys) {
      const left = a[index] ?? null;
      const right = b[index] ?? null;
      if (left === null || right === null) {
        if (left === right) continue;
        // A row of statics only: before the others in the order of the table, after them in the reverse.
        return (left === null) === isTableOrder ? -1 : 1;
      }
      const order = compareValues(type, left, right);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  // Key columns that were read only for sorting are not part of the answer.
  for (const row of rows) row.length = columns.length;
}
