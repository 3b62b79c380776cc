import { UnsupportedStatementError } from '../errors/index.ts';
import type { CqlType } from '../values/index.ts';
import type { ArgumentType } from './arguments.ts';
import type { NativeFunction, ScalarFunction } from './function.ts';

/** A call whose function is wanted. */
export interface FunctionCall {
  /** As written: `undefined` without one. Only `system` has native functions. */
  readonly keyspace: string | undefined;
  /** Folded. */
  readonly name: string;
  readonly args: readonly ArgumentType[];
  /** Type of what takes the result, if one is known: a column that is written, not a selector. */
  readonly receiver: CqlType | undefined;
}

/**
 * Finds the native function of a call. `count(*)` and `token` are not here.
 * @returns undefined when there is no native function of the name: a user's function, or none
 * @throws InvalidRequestError with Cassandra's message when no or several signatures fit
 */
export function resolveFunction(call: FunctionCall): NativeFunction | undefined {
  throw new UnsupportedStatementError(`the function ${call.name}() is not supported by the proxy`);
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

/** @throws InvalidRequestError with Cassandra's message when the operands fit no or several operations */
export function arithmetic(
  operator: ArithmeticOperator,
  left: ArgumentType,
  right: ArgumentType,
  receiver: CqlType | undefined,
): ScalarFunction {
  void left;
  void right;
  void receiver;
  throw new UnsupportedStatementError(`arithmetic (${operator}) is not supported by the proxy`);
}

/** The function of `-value`; errors as of {@link arithmetic}. */
export function negate(value: ArgumentType, receiver: CqlType | undefined): ScalarFunction {
  void value;
  void receiver;
  throw new UnsupportedStatementError('negation is not supported by the proxy');
}

/** The function of `CAST(value AS to)`; a cast to the same type gives the value itself. */
export function cast(value: ArgumentType, to: CqlType): ScalarFunction {
  throw new UnsupportedStatementError(`CAST of ${value.text} to ${to.kind} is not supported`);
}
