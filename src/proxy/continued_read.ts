/**
 * Where a paged read goes on. Whether Cassandra or the proxy evaluates a statement changes with the schema: an index becomes
 * complete or is dropped, a column is masked. So each takes the positions of the other, as Cassandra's own paging states outlive
 * such changes; both hold Cassandra's state of a read of the same rows in the same order.
 */
import type { SivKey } from '../crypto/index.ts';
import type { BoundEvaluation, BoundSelect } from '../encryption/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { decodePosition } from './evaluated_position.ts';
import type { EvaluatedPosition } from './evaluated_position.ts';
import { EVALUATED_FORMAT, FORMAT, openPagingState, openPosition } from './paging_state.ts';
import type { PagingPosition } from './paging_state.ts';

/** A paging state as a client sent it, and what opens it. */
export interface SentState {
  readonly key: SivKey;
  /** What a state of the statement is bound to, by its format; without one in that of the reader's own states. */
  readonly binding: (format?: number) => Uint8Array[];
  readonly state: Uint8Array;
  readonly nowMs: number;
}

/** The position of a read that Cassandra evaluates. @throws InvalidRequestError for a state that is not of this statement */
export function selectPosition(
  bound: Pick<BoundSelect, 'perPartitionLimit'>,
  { key, binding, state, nowMs }: SentState,
): PagingPosition {
  return either(
    () => openPagingState(key, binding(), state, nowMs),
    // Cassandra would not know how many rows of the partition were given.
    bound.perPartitionLimit === undefined &&
      (() => {
        const bytes = openPosition(key, binding(EVALUATED_FORMAT), state, nowMs);
        const { read, remaining, upstream } = decodePosition(bytes);
        return { partition: read, remaining, upstream, isCounted: false };
      }),
  );
}

/** The position of a read that the proxy evaluates. @throws InvalidRequestError for a state that is not of this statement */
export function evaluatedPosition(
  bound: Pick<BoundEvaluation, 'limit' | 'perPartitionLimit' | 'plan'>,
  { key, binding, state, nowMs }: SentState,
): EvaluatedPosition {
  return either(
    () => decodePosition(openPosition(key, binding(), state, nowMs)),
    isRowByRow(bound) &&
      (() => {
        const { partition, remaining, upstream, isCounted } = openPagingState(
          key,
          binding(FORMAT),
          state,
          nowMs,
        );
        // Cassandra's state ends the read after so many rows, with those that a filter leaves out.
        const isCut = isCounted && bound.plan.filters.length > 0;
        if (isCut || (bound.limit !== undefined && remaining === undefined)) return undefined;
        return { read: partition, upstream, remaining, partition: { digest: undefined, count: 0 } };
      }),
  );
}

/** Whether each row of the answer is one that was read, in its order. */
function isRowByRow({
  plan,
  perPartitionLimit,
}: Pick<BoundEvaluation, 'plan' | 'perPartitionLimit'>): boolean {
  return (
    plan.groupBy === undefined &&
    plan.nearest === undefined &&
    plan.rowOrder === undefined &&
    !plan.isTotal &&
    plan.sortBy.length === 0 &&
    perPartitionLimit === undefined
  );
}

/** The first of two ways to open a state that does. @throws the error of the first */
function either<T>(own: () => T, other: false | (() => T | undefined)): T {
  const [opened, refusal] = attempt(own);
  const taken = opened ?? (other === false ? undefined : attempt(other)[0]);
  if (taken === undefined) throw refusal;
  return taken;
}

function attempt<T>(open: () => T): [T | undefined, unknown] {
  try {
    return [open(), undefined];
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    return [undefined, error];
  }
}
