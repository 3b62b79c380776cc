import type { CqlType, FunctionContext } from '../values/index.ts';

/** A native scalar function with its types fixed. */
export interface ScalarFunction {
  readonly kind: 'scalar';
  /** With keyspace, as in messages: `system.abs`. */
  readonly name: string;
  readonly args: readonly CqlType[];
  readonly result: CqlType;
  /** Name of the column in result metadata; `parts` are those of the arguments. */
  columnName(parts: readonly string[]): string;
  /**
   * Evaluates the function on logical CQL bytes; `null` is CQL's null.
   * @throws InvalidRequestError with Cassandra's code and message, values in it replaced by `<constant>`
   */
  call(args: readonly (Uint8Array | null)[], context: FunctionContext): Uint8Array | null;
}

/** State of one group; bounded memory. */
export interface Aggregate {
  /** Takes one row's arguments. */
  add(args: readonly (Uint8Array | null)[]): void;
  /** The value over the rows so far; also of none. */
  result(): Uint8Array | null;
}

/** A native aggregate function with its types fixed. */
export interface AggregateFunction {
  readonly kind: 'aggregate';
  /** With keyspace, as in messages: `system.sum`. */
  readonly name: string;
  readonly args: readonly CqlType[];
  readonly result: CqlType;
  /** Whether the result is the same, to the byte, in whatever order the values come. */
  readonly isOrderFree: boolean;
  /** Name of the column in result metadata; `parts` are those of the arguments. */
  columnName(parts: readonly string[]): string;
  /** A new state for one group. */
  start(): Aggregate;
}

/** A scalar function written by a user, which Cassandra evaluates. */
export interface UserFunction {
  readonly kind: 'user';
  /** With keyspace, as in messages and in the names of result columns. */
  readonly name: string;
  readonly keyspace: string;
  /** Without keyspace, as it was made. */
  readonly ownName: string;
  readonly args: readonly CqlType[];
  readonly result: CqlType;
}

/** Any function of this folder. */
export type NativeFunction = ScalarFunction | AggregateFunction;
