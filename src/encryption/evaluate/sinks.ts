import type { Aggregate } from '../../functions/index.ts';
import { compareValues, writeInt64 } from '../../values/index.ts';
import { bindSelect } from '../select_seal.ts';
import type { BoundSelect } from '../select_seal.ts';
import type { Row } from '../stored_result.ts';
import type { TermContext } from '../terms.ts';
import type { EvaluatedPlan } from './evaluated_plan.ts';
import type { Evaluate } from './expression.ts';
import type { RowTest } from './filters.ts';
import { nearestLimit } from './nearest.ts';
import type { NearestPlan } from './nearest.ts';
import { jsonRow } from './json_row.ts';
import { PartitionTracker, sameBytes } from './partition_tracker.ts';
import type { PartitionMark } from './partition_tracker.ts';
import type { BoundUserCall } from './user_functions.ts';

/** What becomes of a page after a row: `before` says that the row belongs to the next page. */
export type Taken = 'more' | 'full' | 'before' | 'done';

/** Takes the rows of the inner reads, in their order, and makes the rows of the answer. */
export interface Sink {
  /** The answer so far. */
  readonly rows: Row[];
  /** Results that LIMIT still allows. */
  readonly remaining: number | undefined;
  /** @param read index of the read that the row came from: each is of partitions of its own */
  add(row: Row, read: number): Taken;
  /** There are no more rows. */
  end(): void;
  /** Where the partition of the next row stands. */
  mark(): PartitionMark;
  /** {@link mark} as it was before the first row of the group that is not complete; another object for each group. */
  readonly groupStart: PartitionMark | undefined;
}

/** How much of an answer is wanted, and where it goes on. */
export interface SinkLimits {
  /** Rows of the page; undefined for all. */
  readonly page: number | undefined;
  readonly limit: number | undefined;
  readonly partition: PartitionMark | undefined;
}

/** An evaluated SELECT with the values of one execution. */
export interface BoundEvaluation {
  readonly plan: EvaluatedPlan;
  readonly select: BoundSelect;
  readonly limit: number | undefined;
  readonly perPartitionLimit: number | undefined;
  readonly accepts: RowTest;
  /** See {@link EvaluatedPlan.calls}. */
  readonly calls: readonly BoundUserCall[];
  sink(limits: SinkLimits): Sink;
}

/** Evaluates the terms of a SELECT. @throws InvalidRequestError as Cassandra for wrong values. */
export function bindEvaluated(plan: EvaluatedPlan, context: TermContext): BoundEvaluation {
  const limit = plan.limit?.(context);
  const perPartitionLimit = plan.perPartitionLimit?.(context);
  const tests = plan.filters.map((filter) => filter(context));
  const select = bindSelect(plan.read, context);
  const evaluated = bindColumns(plan, context);
  const accepts: RowTest = (row) => tests.every((test) => test(row));
  const isCopied =
    tests.length > 0 || plan.groupBy !== undefined || plan.nearest !== undefined || plan.isTotal;
  return {
    plan,
    select,
    limit,
    perPartitionLimit,
    accepts,
    calls: plan.calls.map(({ function: called, args }) => ({
      function: called,
      args: args.map((argument) => argument.bind(context)),
    })),
    sink: (limits) => {
      const tracker = new PartitionTracker(plan.partitionSlots, limits.partition);
      const job: SinkJob = { plan, limits, perPartitionLimit, tracker, evaluated, isCopied };
      if (plan.isTotal) return new TotalSink(job, context);
      if (plan.groupBy !== undefined) return new GroupSink(job, context);
      if (plan.nearest !== undefined) return new NearestSink(job, plan.nearest, context);
      return new RowSink(job);
    },
  };
}

/** What the sinks of one execution share. */
interface SinkJob {
  readonly plan: EvaluatedPlan;
  readonly limits: SinkLimits;
  readonly perPartitionLimit: number | undefined;
  readonly tracker: PartitionTracker;
  readonly evaluated: readonly Evaluate[];
  /** Whether the answer must not keep the page alive that a row came from. */
  readonly isCopied: boolean;
}

/** The columns of the answer, with those that it is sorted by behind them. */
function bindColumns(plan: EvaluatedPlan, context: TermContext): Evaluate[] {
  const columns = plan.columns.map(({ expression }) => expression.bind(context));
  const sorted = plan.sortBy.map(
    ({ slot }): Evaluate =>
      (row) =>
        row?.[slot] ?? null,
  );
  if (!plan.json) return [...columns, ...sorted];
  return [jsonRow(plan, columns, context.constants), ...sorted];
}

function project(
  job: SinkJob,
  row: Row | undefined,
  aggregates: readonly (Uint8Array | null)[],
): Row {
  return job.evaluated.map((evaluate) => {
    const value = evaluate(row, aggregates);
    return value === null || !job.isCopied ? value : new Uint8Array(value);
  });
}

/** ORDER BY … ANN OF: the rows that are nearest so far; of equally near ones those that came first. */
class NearestSink implements Sink {
  readonly groupStart = undefined;
  readonly remaining = undefined;
  readonly rows: Row[] = [];
  readonly #job: SinkJob;
  readonly #plan: NearestPlan;
  readonly #sought: Uint8Array;
  readonly #limit: number;
  /** How near each of the rows is, falling. */
  readonly #scores: number[] = [];

  constructor(job: SinkJob, plan: NearestPlan, context: TermContext) {
    this.#job = job;
    this.#plan = plan;
    this.#sought = plan.sought(context);
    this.#limit = nearestLimit(job.limits.limit, job.perPartitionLimit);
  }

  add(row: Row): Taken {
    const vector = row[this.#plan.slot] ?? null;
    const score = vector && this.#plan.similarity(vector, this.#sought);
    if (score === null || score === undefined) return 'more';
    const scores = this.#scores;
    if (scores.length === this.#limit && score <= (scores.at(-1) ?? 0)) return 'more';
    let [low, high] = [0, scores.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((scores[middle] ?? 0) >= score) low = middle + 1;
      else high = middle;
    }
    scores.splice(low, 0, score);
    this.rows.splice(low, 0, project(this.#job, row, NO_AGGREGATES));
    if (scores.length > this.#limit) {
      scores.pop();
      this.rows.pop();
    }
    return 'more';
  }

  end(): void {
    // The rows are in order.
  }

  mark(): PartitionMark {
    return this.#job.tracker.mark();
  }
}

/** Without aggregates: a row of the answer for each row. */
class RowSink implements Sink {
  readonly rows: Row[] = [];
  readonly groupStart = undefined;
  remaining: number | undefined;
  readonly #job: SinkJob;

  constructor(job: SinkJob) {
    this.#job = job;
    this.remaining = job.limits.limit;
  }

  add(row: Row, read: number): Taken {
    const { tracker, perPartitionLimit, limits } = this.#job;
    if (perPartitionLimit !== undefined) {
      if (tracker.isNew(row, read)) tracker.enter(row, read);
      else tracker.stay(row, read);
      if (tracker.count >= perPartitionLimit) return 'more';
      tracker.count++;
    }
    this.rows.push(project(this.#job, row, NO_AGGREGATES));
    if (this.remaining !== undefined && --this.remaining === 0) return 'done';
    return this.rows.length === limits.page ? 'full' : 'more';
  }

  end(): void {
    // Each row was an answer by itself.
  }

  mark(): PartitionMark {
    return this.#job.tracker.mark();
  }
}

const NO_AGGREGATES: readonly (Uint8Array | null)[] = [];

/** The aggregates of one group, and its first row. */
class Group {
  readonly #job: SinkJob;
  readonly #first: Row | undefined;
  readonly #states: readonly State[];

  constructor(job: SinkJob, context: TermContext, first: Row | undefined) {
    this.#job = job;
    // The page that the row came from must not live as long as its group.
    this.#first = first?.map((value) => (value === null ? null : new Uint8Array(value)));
    this.#states = job.plan.aggregates.map((slot) => {
      if (slot.kind === 'rows') return { kind: 'rows', count: 0n };
      const args = slot.args.map((argument) => argument.bind(context));
      return { kind: 'function', args, state: slot.function.start() };
    });
  }

  add(row: Row): void {
    for (const state of this.#states) {
      if (state.kind === 'rows') state.count++;
      else state.state.add(state.args.map((evaluate) => evaluate(row, NO_AGGREGATES)));
    }
  }

  result(): Row {
    const values = this.#states.map((state) =>
      state.kind === 'rows' ? writeInt64(state.count) : state.state.result(),
    );
    return project(this.#job, this.#first, values);
  }
}

type State =
  | { readonly kind: 'rows'; count: bigint }
  | {
      readonly kind: 'function';
      readonly args: readonly Evaluate[];
      readonly state: Aggregate;
    };

/** Aggregates without GROUP BY: one row, also of no rows. */
class TotalSink implements Sink {
  readonly rows: Row[] = [];
  readonly groupStart = undefined;
  readonly remaining = undefined;
  readonly #job: SinkJob;
  readonly #context: TermContext;
  #group: Group | undefined;

  constructor(job: SinkJob, context: TermContext) {
    this.#job = job;
    this.#context = context;
  }

  add(row: Row): Taken {
    this.#group ??= new Group(this.#job, this.#context, row);
    this.#group.add(row);
    return 'more';
  }

  end(): void {
    this.rows.push((this.#group ?? new Group(this.#job, this.#context, undefined)).result());
  }

  mark(): PartitionMark {
    return this.#job.tracker.mark();
  }
}

/** GROUP BY: a group is complete when the next one begins. */
class GroupSink implements Sink {
  readonly rows: Row[] = [];
  groupStart: PartitionMark | undefined;
  remaining: number | undefined;
  readonly #job: SinkJob;
  readonly #context: TermContext;
  readonly #key: (row: Row) => (Uint8Array | null)[];
  #group: Group | undefined;
  #groupKey: (Uint8Array | null)[] | undefined;

  constructor(job: SinkJob, context: TermContext) {
    this.#job = job;
    this.#context = context;
    this.remaining = job.limits.limit;
    const slots = job.plan.groupBy?.clustering ?? [];
    // Cassandra groups by the masked value for every role (GroupMaker of 5.0).
    const sight = context.sight === 'clear' ? undefined : context.sight;
    const last = job.plan.groupBy?.last?.bind({ ...context, sight });
    this.#key = (row) => [
      ...slots.map((slot) => row[slot] ?? null),
      ...(last === undefined ? [] : [last(row, NO_AGGREGATES)]),
    ];
  }

  add(row: Row, read: number): Taken {
    const { tracker, perPartitionLimit, limits } = this.#job;
    const isNewPartition = tracker.isNew(row, read);
    const key = this.#key(row);
    if (isNewPartition || this.#groupKey === undefined || !sameKey(key, this.#groupKey)) {
      this.#finish();
      if (this.remaining === 0) return 'done';
      if (this.rows.length === limits.page) return 'before';
      this.groupStart = tracker.mark();
      if (isNewPartition) tracker.enter(row, read);
      else tracker.stay(row, read);
      this.#groupKey = key.map((value) => (value === null ? null : new Uint8Array(value)));
      if (perPartitionLimit === undefined || tracker.count < perPartitionLimit) {
        tracker.count++;
        this.#group = new Group(this.#job, this.#context, row);
      }
    }
    this.#group?.add(row);
    return 'more';
  }

  end(): void {
    this.#finish();
  }

  mark(): PartitionMark {
    return this.#job.tracker.mark();
  }

  #finish(): void {
    if (this.#group === undefined) return;
    this.rows.push(this.#group.result());
    if (this.remaining !== undefined) this.remaining--;
    this.#group = undefined;
    this.#groupKey = undefined;
  }
}

function sameKey(a: readonly (Uint8Array | null)[], b: readonly (Uint8Array | null)[]): boolean {
  return a.every((value, at) => sameBytes(value, b[at] ?? null));
}

/**
 * Sorts an answer over several partitions by its ORDER BY columns, which stand behind the columns of the answer and are cut
 * off; ties stay in the order of the partitions.
 */
export function sortAnswer(plan: EvaluatedPlan, rows: Row[]): void {
  const { sortBy } = plan;
  const [first] = sortBy;
  if (first === undefined) return;
  const width = plan.json ? 1 : plan.columns.length;
  const isTableOrder = first.descending === (first.column.clusteringOrder === 'desc');
  rows.sort((a, b) => {
    for (const [at, { column, descending }] of sortBy.entries()) {
      const left = a[width + at] ?? null;
      const right = b[width + at] ?? null;
      if (left === null || right === null) {
        if (left === right) continue;
        // A row of statics only: before the others in the order of the table, after them in the reverse.
        return (left === null) === isTableOrder ? -1 : 1;
      }
      const order = compareValues(column.type, left, right);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  for (const row of rows) row.length = width;
}
