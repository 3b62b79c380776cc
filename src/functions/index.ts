/**
 * Cassandra's native functions, evaluated on logical CQL bytes: scalar functions, arithmetic, casts, aggregates, JSON. Pure:
 * no I/O, no clock; the time and randomness of functions are handed in.
 *
 * A caller describes its arguments ({@link argumentOf}, {@link typedArgument}), has the function chosen by their types
 * ({@link resolveFunction}, {@link arithmetic}, {@link negate}, {@link cast}) once per statement, and calls it once per row.
 * Functions that Cassandra answers for by itself (count(*), token, writetime, ttl) are not here.
 *
 * Messages are Cassandra's, but values and constants in them are replaced by `<constant>`.
 *
 * May import: values, the syntax tree of cql, errors, util.
 */
export { assignType } from './compatibility.ts';
export { argumentOf, typedArgument } from './arguments.ts';
export type { ArgumentScope, ArgumentType, Assignment, UserCall } from './arguments.ts';
export { decodedText } from './decoded_text.ts';
export { MarshalError } from './failures.ts';
export type {
  Aggregate,
  AggregateFunction,
  NativeFunction,
  ScalarFunction,
  UserFunction,
} from './function.ts';
export { foldKeys, fromJson, readJson } from './json_read.ts';
export { jsonName, toJson } from './json_write.ts';
export {
  arithmetic,
  cast,
  negate,
  resolveFunction,
  resolveUserFunction,
  unknownFunction,
} from './resolve.ts';
export type { FunctionCall } from './resolve.ts';
export type { ArithmeticOperator } from './operations.ts';
export { castText } from './value_text.ts';
export { similarityNamed } from './vectors.ts';
export type { Similarity } from './vectors.ts';
export { JsonSyntaxError, parseJson } from './json_parse.ts';
export type { JsonValue } from './json_parse.ts';
