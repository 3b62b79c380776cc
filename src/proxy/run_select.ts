import { bindSelect, isMerged } from '../encryption/index.ts';
import type { OpenedRows, Row, SelectPlan, StoredRead, TermContext } from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { compareValues } from '../values/index.ts';
import { RowsWriter } from '../wire/index.ts';
import type { ColumnSpec } from '../wire/index.ts';
import { selectPosition } from './continued_read.ts';
import { isPageSize, pagingBinding, sealPagingState } from './paging_state.ts';
import type { PagingPosition } from './paging_state.ts';
import { isPlain, mergePrefix, readPage, readPageRows, seal } from './read_stored.ts';
import type { Page, Prefix, ReadJob } from './read_stored.ts';
import { result } from './reply.ts';
import type { Reply } from './reply.ts';
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
  const job: ReadJob = { session, request, bound };
  const { nowMs, pagingKey } = session.services;
  const { pageSize, pagingState } = request.options;
  const binding =
    pageSize === undefined && pagingState === undefined
      ? undefined
      : (format?: number): Uint8Array[] =>
          pagingBinding(session.version, plan.table, statementText, format);
  const start =
    pagingState === undefined || binding === undefined
      ? undefined
      : selectPosition(bound, { key: pagingKey, binding, state: pagingState, nowMs: nowMs() });
  // A LIMIT of which the proxy has counted the first rows is counted by the proxy to its end.
  const isCounting = start?.remaining !== undefined && !start.isCounted;
  const isSplit = plan.hasPartitionIn || bound.partitions?.length === 0 || isCounting;
  const answer = await (isSplit
    ? readPartitions(job, compiled.resultColumns, start)
    : readOne(job, start));
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
  const left = start === undefined ? bound.limit : start.remaining;
  const remaining = left === undefined ? undefined : Math.max(0, left - page.cells.rowCount);
  const next =
    page.upstream === undefined
      ? undefined
      : { partition: 0, remaining, upstream: page.upstream, isCounted: remaining !== undefined };
  return { rows: page.rows, next, prefix: page.prefix };
}

/**
 * `pk IN (…)`: one read a partition, in the order of the logical values, as Cassandra does. Or the rest of one read, of which the
 * proxy has counted the first rows.
 */
async function readPartitions(
  job: ReadJob,
  resultColumns: readonly ColumnSpec[],
  start: PagingPosition | undefined,
): Promise<Answer> {
  const { bound, request } = job;
  const { plan } = bound;
  const { pageSize } = request.options;
  const paged = isPageSize(pageSize);
  const ordered = isMerged(plan);
  const isAggregate = plan.counts.length > 0;
  const isRefused = isAggregate || bound.partitions?.length !== 0;
  if (ordered && paged && isRefused) {
    throw new InvalidRequestError(
      'Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query',
    );
  }
  // Cassandra reads an ordered or counted statement whole before it answers.
  const budget = ordered || isAggregate || !paged ? undefined : pageSize;
  const reads = await seal(job, bound.partitions ?? [undefined]);
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
      if (position < reads.length) {
        next = { partition: position, remaining, upstream, isCounted: false };
      }
      break;
    }
  }
  if (isAggregate) {
    prefix.warnings = [...(prefix.warnings ?? []), AGGREGATE_WARNING];
    return { rows: [aggregated(rows, plan)], next: undefined, prefix };
  }
  if (ordered) {
    sortRows(rows, plan, resultColumns);
    return {
      rows: bound.limit === undefined ? rows : rows.slice(0, bound.limit),
      next: undefined,
      prefix,
    };
  }
  return { rows, next, prefix };
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
