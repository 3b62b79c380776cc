import { bindEvaluated, sortAnswer } from '../encryption/index.ts';
import type {
  BoundEvaluation,
  EvaluatedPlan,
  PartitionMark,
  Row,
  Sink,
  TermContext,
} from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { RowsWriter } from '../wire/index.ts';
import type { ColumnSpec } from '../wire/index.ts';
import { decodePosition, encodePosition } from './evaluated_position.ts';
import type { EvaluatedPosition, RowPosition } from './evaluated_position.ts';
import { EvaluatedReader } from './evaluated_reader.ts';
import type { InnerPage } from './evaluated_reader.ts';
import { EVALUATED_FORMAT, openPosition, pagingBinding, sealPosition } from './paging_state.ts';
import { mergePrefix } from './read_stored.ts';
import type { Prefix } from './read_stored.ts';
import { result } from './reply.ts';
import type { Reply } from './reply.ts';
import type { RequestContext, Session } from './session.ts';

/** Rows of an inner page where many rows may be read for one of the answer. */
const INNER_ROWS = 1_000;
/** A page of an answer is sent with what it has after this time, milliseconds; the client asks for the rest. */
const PAGE_BUDGET_MS = 2_000;

/** A SELECT for the proxy to evaluate, ready to run. */
export interface CompiledEvaluation {
  readonly kind: 'evaluated';
  readonly plan: EvaluatedPlan;
  readonly resultColumns: readonly ColumnSpec[];
}

/**
 * Runs a SELECT that Cassandra cannot evaluate on ciphertext: reads stored rows page by page, and filters, groups and
 * projects them. At most one page of stored rows, the answer and the state of one group are in memory. It ends when the
 * client's connection does: its node connection is closed with it.
 *
 * @param noMetadata the client knows the metadata from PREPARE
 * @param statementText what paging states are bound to
 */
export async function runEvaluated(
  session: Session,
  request: RequestContext,
  compiled: CompiledEvaluation,
  context: TermContext,
  noMetadata: boolean,
  statementText: string,
): Promise<Reply> {
  const { plan } = compiled;
  const bound = bindEvaluated(plan, context);
  const { nowMs, pagingKey } = session.services;
  const { pageSize, pagingState } = request.options;
  const page = pageSize !== undefined && pageSize > 0 ? pageSize : undefined;
  if (page !== undefined && plan.sortBy.length > 0) {
    throw new InvalidRequestError(
      'Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query',
    );
  }
  const binding = (): Uint8Array[] =>
    pagingBinding(
      session.version,
      plan.table.keyspace,
      statementText,
      plan.table.tableId,
      EVALUATED_FORMAT,
    );
  const start =
    pagingState === undefined
      ? undefined
      : decodePosition(openPosition(pagingKey, binding(), pagingState, nowMs()));
  const answer = await evaluate(session, request, bound, page, start);
  if (plan.sortBy.length > 0) {
    sortAnswer(plan, answer.rows);
    if (bound.limit !== undefined) answer.rows.length = Math.min(answer.rows.length, bound.limit);
  }
  const columns = compiled.resultColumns;
  const writer = new RowsWriter(
    {
      columns,
      pagingState:
        answer.next === undefined
          ? undefined
          : sealPosition(pagingKey, binding(), encodePosition(answer.next), nowMs()),
      noMetadata,
    },
    session.version,
    256 + answer.rows.length * columns.length * 24,
  );
  for (const row of answer.rows) for (const cell of row) writer.writeCell(cell);
  return result(writer.finish(), answer.prefix);
}

interface Answer {
  readonly rows: Row[];
  readonly next: EvaluatedPosition | undefined;
  readonly prefix: Prefix;
}

async function evaluate(
  session: Session,
  request: RequestContext,
  bound: BoundEvaluation,
  page: number | undefined,
  start: EvaluatedPosition | undefined,
): Promise<Answer> {
  const { plan } = bound;
  const isSorted = plan.sortBy.length > 0;
  const limit = isSorted ? undefined : bound.limit;
  // Cassandra does not page where LIMIT is not above the page size.
  const size = limit !== undefined && page !== undefined && limit <= page ? undefined : page;
  const sink = bound.sink({
    page: plan.isTotal ? undefined : size,
    limit: start === undefined ? limit : start.remaining,
    partition: start?.partition,
  });
  const reader = await EvaluatedReader.open(
    { session, request, bound: bound.select },
    innerPageSize(plan, size, limit),
  );
  const prefix: { -readonly [K in keyof Prefix]: Prefix[K] } = {};
  if (plan.warning !== undefined) prefix.warnings = [plan.warning];
  const deadline = size === undefined ? Infinity : session.services.nowMs() + PAGE_BUDGET_MS;
  let position: RowPosition = start ?? { read: 0, upstream: undefined };
  let group: Place | undefined;
  while (!reader.isEnd(position)) {
    const inner = await reader.page(position);
    mergePrefix(prefix, inner.prefix);
    const taken = take(sink, bound, inner);
    if (taken.kind === 'done') return { rows: sink.rows, next: undefined, prefix };
    if (taken.kind === 'full') {
      // The read was for as many rows as the page has: Cassandra knows whether there are more.
      const isLast = isOneToOne(plan) && taken.count === inner.rows.length && reader.isEnd(inner.next);
      if (isLast) return { rows: sink.rows, next: undefined, prefix };
      const place = await reader.after(inner, taken.count);
      return { rows: sink.rows, next: following(sink, place), prefix };
    }
    group = taken.group ?? group;
    position = inner.next;
    if (session.services.nowMs() < deadline || reader.isEnd(position)) continue;
    if (plan.groupBy === undefined && !plan.isTotal) {
      return { rows: sink.rows, next: following(sink, position), prefix };
    }
    // A group that is not complete is read again by the next page, from its first row.
    if (sink.rows.length > 0 && group !== undefined && !plan.isTotal) {
      const place = await reader.after(group.page, group.before);
      return { rows: sink.rows, next: following(sink, place, group.partition), prefix };
    }
  }
  sink.end();
  return { rows: sink.rows, next: undefined, prefix };
}

/** The first row of the group that is not complete. */
interface Place {
  readonly page: InnerPage;
  /** Rows of the page before it. */
  readonly before: number;
  readonly partition: PartitionMark;
}

type Progress =
  | { readonly kind: 'more'; readonly group: Place | undefined }
  | { readonly kind: 'full'; readonly count: number }
  | { readonly kind: 'done' };

/** Gives the rows of a page to the sink until the answer is full. */
function take(sink: Sink, bound: BoundEvaluation, page: InnerPage): Progress {
  let group: Place | undefined;
  for (const [at, row] of page.rows.entries()) {
    if (!bound.accepts(row)) continue;
    const before = sink.groupStart;
    const taken = sink.add(row, page.start.read);
    if (taken === 'done') return { kind: 'done' };
    if (taken === 'full') return { kind: 'full', count: at + 1 };
    if (taken === 'before') return { kind: 'full', count: at };
    if (sink.groupStart !== undefined && sink.groupStart !== before) {
      group = { page, before: at, partition: sink.groupStart };
    }
  }
  return { kind: 'more', group };
}

function following(
  sink: Sink,
  position: RowPosition,
  partition = sink.mark(),
): EvaluatedPosition {
  return { ...position, remaining: sink.remaining, partition };
}

/** Without a filter or groups an inner page is one of the answer. */
function innerPageSize(
  plan: EvaluatedPlan,
  page: number | undefined,
  limit: number | undefined,
): number {
  if (!isOneToOne(plan)) return INNER_ROWS;
  return Math.min(page ?? INNER_ROWS, limit ?? INNER_ROWS);
}

function isOneToOne(plan: EvaluatedPlan): boolean {
  return (
    plan.filters.length === 0 &&
    plan.groupBy === undefined &&
    !plan.isTotal &&
    plan.perPartitionLimit === undefined
  );
}
