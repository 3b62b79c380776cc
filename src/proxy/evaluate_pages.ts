import type {
  BoundEvaluation,
  EvaluatedPlan,
  PartitionMark,
  Row,
  Sink,
} from '../encryption/index.ts';
import type { EvaluatedPosition, RowPosition } from './evaluated_position.ts';
import type { RowPage, RowReader } from './evaluated_reader.ts';
import { mergePrefix } from './read_stored.ts';
import type { Prefix } from './read_stored.ts';
import type { KeptRows } from './smallest_rows.ts';

/** Rows of an inner page where many rows may be read for one of the answer. */
const INNER_ROWS = 1_000;
/** A page of an answer is sent with what it has after this time, milliseconds; the client asks for the rest. */
const PAGE_BUDGET_MS = 2_000;

/** Rows of a large partition that are sorted at a time for an answer that is not paged, and bytes of them at most. */
const MOST_KEPT = 10_000;
const KEPT_BYTES = 16 * 1024 * 1024;

/** An answer, or a page of it. */
export interface Answer {
  readonly rows: Row[];
  readonly next: EvaluatedPosition | undefined;
  readonly prefix: Prefix;
}

/**
 * Reads rows until the answer, or a page of it, is complete.
 * @param size rows of the page; undefined for the whole answer
 */
export async function evaluatePages<P extends RowPage>(
  bound: BoundEvaluation,
  reader: RowReader<P>,
  size: number | undefined,
  start: EvaluatedPosition | undefined,
  nowMs: () => number,
): Promise<Answer> {
  const { plan } = bound;
  const sink = bound.sink({
    page: size,
    limit: start === undefined ? limitOf(bound) : start.remaining,
    partition: start?.partition,
  });
  const prefix: { -readonly [K in keyof Prefix]: Prefix[K] } = {};
  if (plan.warning !== undefined) prefix.warnings = [plan.warning];
  const deadline = size === undefined ? Infinity : nowMs() + PAGE_BUDGET_MS;
  let position: RowPosition = start ?? { read: 0, upstream: undefined };
  let group: Place<P> | undefined;
  let ahead: Promise<P> | undefined;
  for (let count = 0; !reader.isEnd(position); count++) {
    const inner = await (ahead ?? reader.page(position));
    // Cassandra reads the next page while this one is evaluated, unless it may not be wanted.
    const isWanted = isWhole(plan) || (count > 0 && !isOneToOne(plan));
    ahead = isWanted && !reader.isEnd(inner.next) ? reader.page(inner.next) : undefined;
    ahead?.catch(() => undefined);
    mergePrefix(prefix, inner.prefix);
    const taken = take(sink, bound, inner);
    if (taken.kind === 'done') return { rows: sink.rows, next: undefined, prefix };
    if (taken.kind === 'full') {
      if (isLastPage(bound, sink, reader, inner, taken.count)) {
        return { rows: sink.rows, next: undefined, prefix };
      }
      const place = await reader.after(inner, taken.count);
      return { rows: sink.rows, next: following(sink, place), prefix };
    }
    group = taken.group ?? group;
    position = inner.next;
    if (nowMs() < deadline || reader.isEnd(position)) continue;
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
  // As Cassandra: whether a group follows the last one of a full page is told by the next page.
  const isFull = plan.groupBy !== undefined && sink.rows.length === size && sink.remaining !== 0;
  return { rows: sink.rows, next: isFull ? following(sink, position) : undefined, prefix };
}

/** Whether a full page is the last one. Where that is not known there may be an empty page after it, as in Cassandra. */
function isLastPage(
  bound: BoundEvaluation,
  sink: Sink,
  reader: Pick<RowReader<RowPage>, 'isEnd'>,
  inner: RowPage,
  count: number,
): boolean {
  const { plan, perPartitionLimit } = bound;
  if (plan.groupBy !== undefined) return false;
  // The read was for as many rows as the page has: Cassandra knows whether there are more.
  if (isOneToOne(plan)) return count === inner.rows.length && reader.isEnd(inner.next);
  const isLastRead = reader.isEnd({ read: inner.start.read + 1, upstream: undefined });
  const isWholePartition =
    plan.partitionSlots.length === 0 && sink.mark().count === perPartitionLimit;
  return isLastRead && isWholePartition;
}

/** The first row of the group that is not complete. */
interface Place<P> {
  readonly page: P;
  /** Rows of the page before it. */
  readonly before: number;
  readonly partition: PartitionMark;
}

type Progress<P> =
  | { readonly kind: 'more'; readonly group: Place<P> | undefined }
  | { readonly kind: 'full'; readonly count: number }
  | { readonly kind: 'done' };

/** Gives the rows of a page to the sink until the answer is full. */
function take<P extends RowPage>(sink: Sink, bound: BoundEvaluation, page: P): Progress<P> {
  let group: Place<P> | undefined;
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

function following(sink: Sink, position: RowPosition, partition = sink.mark()): EvaluatedPosition {
  return { ...position, remaining: sink.remaining, partition };
}

/** Rows of a page of the answer: all where Cassandra does not page either. */
export function answerSize(bound: BoundEvaluation, page: number | undefined): number | undefined {
  const limit = limitOf(bound);
  if (isWhole(bound.plan) || page === undefined) return undefined;
  return limit !== undefined && limit <= page ? undefined : page;
}

/** An answer that is sorted must be whole before it is cut. */
function limitOf(bound: BoundEvaluation): number | undefined {
  return bound.plan.sortBy.length > 0 ? undefined : bound.limit;
}

/** Rows of an inner page. Without a filter or groups it is one of the answer. */
export function innerPageSize(bound: BoundEvaluation, size: number | undefined): number {
  if (!isOneToOne(bound.plan)) return INNER_ROWS;
  return Math.min(size ?? INNER_ROWS, limitOf(bound) ?? INNER_ROWS);
}

/** What is kept of a partition that is sorted: enough for a page of the answer. */
export function keptRows(bound: BoundEvaluation, size: number | undefined): KeptRows {
  const isUnpaged = size === undefined && limitOf(bound) === undefined;
  return { rows: isUnpaged ? MOST_KEPT : innerPageSize(bound, size), bytes: KEPT_BYTES };
}

/** Whether every row must be read before there is an answer: it is never paged. */
function isWhole(plan: EvaluatedPlan): boolean {
  return plan.isTotal || plan.nearest !== undefined;
}

function isOneToOne(plan: EvaluatedPlan): boolean {
  return (
    plan.filters.length === 0 &&
    plan.groupBy === undefined &&
    !isWhole(plan) &&
    plan.perPartitionLimit === undefined
  );
}
