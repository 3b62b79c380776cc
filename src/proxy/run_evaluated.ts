import { bindEvaluated, isMasked, sortAnswer } from '../encryption/index.ts';
import type { EvaluatedPlan, TermContext } from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { RowsWriter } from '../wire/index.ts';
import type { ColumnSpec } from '../wire/index.ts';
import { answerSize, evaluatePages, innerPageSize, keptRows } from './evaluate_pages.ts';
import type { Answer } from './evaluate_pages.ts';
import { evaluatedPosition } from './continued_read.ts';
import { encodePosition } from './evaluated_position.ts';
import { EvaluatedReader } from './evaluated_reader.ts';
import type { RowPage, RowReader } from './evaluated_reader.ts';
import { maskSight, requireQueryMasked } from './mask_rights.ts';
import { OrderedReader } from './ordered_reader.ts';
import {
  EVALUATED_FORMAT,
  isPageSize,
  ORDERED_FORMAT,
  pagingBinding,
  sealPosition,
} from './paging_state.ts';
import { result } from './reply.ts';
import type { Reply } from './reply.ts';
import type { RequestContext, Session } from './session.ts';
import { CallingReader } from './user_calls.ts';

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
  await requireQueryMasked(session, request, plan.table, plan.maskedRestrictions);
  const sight = isMasked(plan.table) ? await maskSight(session, request, plan.table) : undefined;
  const bound = bindEvaluated(plan, { ...context, sight });
  const { nowMs, pagingKey } = session.services;
  const { pageSize, pagingState } = request.options;
  const page = isPageSize(pageSize) ? pageSize : undefined;
  // A read of nothing is not paged, unless it is aggregated.
  const isPaged =
    bound.select.partitions?.length !== 0 || plan.isTotal || plan.groupBy !== undefined;
  if (page !== undefined && isPaged && plan.sortBy.length > 0) {
    throw new InvalidRequestError(
      'Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query',
    );
  }
  const ownFormat = plan.rowOrder === undefined ? EVALUATED_FORMAT : ORDERED_FORMAT;
  const binding = (format = ownFormat): Uint8Array[] =>
    pagingBinding(session.version, plan.table, statementText, format);
  const start =
    pagingState === undefined
      ? undefined
      : evaluatedPosition(bound, { key: pagingKey, binding, state: pagingState, nowMs: nowMs() });
  const size = answerSize(bound, page);
  const reader = await EvaluatedReader.open(
    { session, request, bound: bound.select },
    innerPageSize(bound, size),
    plan.filterSlots && { slots: plan.filterSlots, accepts: bound.accepts },
  );
  const { rowOrder, partitionSlots } = plan;
  const evaluate = <P extends RowPage>(rows: RowReader<P>): Promise<Answer> => {
    const isCalling = plan.calls.length > 0;
    const called = isCalling ? new CallingReader(rows, session, request, bound) : rows;
    return evaluatePages(bound, called, size, start, nowMs);
  };
  const answer = await (rowOrder === undefined
    ? evaluate(reader)
    : evaluate(
        new OrderedReader(reader, rowOrder, partitionSlots, keptRows(bound, size), bound.accepts),
      ));
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
