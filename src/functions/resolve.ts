import { InvalidRequestError } from '../errors/index.ts';
import { printType, sameType } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import type { ArgumentType, Assignment } from './arguments.ts';
import { factoryNamed, functionsNamed } from './catalogue.ts';
import { assignType } from './compatibility.ts';
import { makeFunction } from './factory.ts';
import type { NativeFunction, ScalarFunction, UserFunction } from './function.ts';
import { OPERATION_NAMES } from './operations.ts';
import type { ArithmeticOperator } from './operations.ts';
import { argumentTypeText } from './type_text.ts';

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

/** What the choice of a function looks at. */
type Signature = Pick<UserFunction, 'name' | 'args' | 'result'>;

/** What an operation or negation is called in messages. */
interface Described {
  readonly name: string;
  /** Set for operations between two values. */
  readonly operator?: ArithmeticOperator;
}

/** Whether a function was made by a factory. @param name with keyspace */
export function hasFactory(name: string): boolean {
  return factoryNamed(name.replace(/^system\./, '')) !== undefined;
}

/**
 * Finds the native function of a call. `count(*)` and `token` are not here.
 * @returns undefined when there is no native function of the name: a user's function, or none
 * @throws InvalidRequestError with Cassandra's message when no or several signatures fit
 */
export function resolveFunction(call: FunctionCall): NativeFunction | undefined {
  const { keyspace, name, args, receiver } = call;
  if (keyspace !== undefined && keyspace !== 'system') return undefined;
  const factory = factoryNamed(name);
  if (factory !== undefined) {
    const made = makeFunction(factory, args, receiver);
    validateTypes(made, args);
    return made;
  }
  return choose(
    functionsNamed(name),
    args,
    receiver,
    keyspace === undefined ? name : `${keyspace}.${name}`,
  );
}

/**
 * Finds the function written by a user among those of one name.
 * @returns undefined when there is none
 * @throws InvalidRequestError with Cassandra's message when no or several signatures fit
 */
export function resolveUserFunction(
  candidates: readonly UserFunction[],
  args: readonly ArgumentType[],
): UserFunction | undefined {
  return choose(candidates, args, undefined, candidates[0]?.name ?? '');
}

function choose<T extends Signature>(
  candidates: readonly T[],
  args: readonly ArgumentType[],
  receiver: CqlType | undefined,
  name: string,
): T | undefined {
  const [only] = candidates;
  if (only === undefined) return undefined;
  if (candidates.length > 1) return pickBest(candidates, args, receiver, { name });
  validateTypes(only, args);
  return only;
}

/** A call of a function that is none of Cassandra's own, where a selection of an encrypted table has it. */
export function unknownFunction(name: string): InvalidRequestError {
  return new InvalidRequestError(
    `Unknown function '${name}' (functions written by users are not evaluated on encrypted tables, see docs/compatibility.md)`,
  );
}

/** @throws InvalidRequestError with Cassandra's message when the operands fit no or several operations */
export function arithmetic(
  operator: ArithmeticOperator,
  left: ArgumentType,
  right: ArgumentType,
  receiver: CqlType | undefined,
): ScalarFunction {
  const name = OPERATION_NAMES[operator];
  const candidates = functionsNamed(name).filter(isScalar);
  return pickBest(candidates, [left, right], receiver, { name, operator });
}

/** The function of `-value`; errors as of {@link arithmetic}. */
export function negate(value: ArgumentType, receiver: CqlType | undefined): ScalarFunction {
  const name = '_negate';
  return pickBest(functionsNamed(name).filter(isScalar), [value], receiver, { name });
}

/**
 * The function of `CAST(value AS to)`; a cast to the same type gives the value itself.
 * @throws InvalidRequestError with Cassandra's message when there is none
 */
export function cast(value: ArgumentType, to: CqlType): ScalarFunction {
  if (value.known !== undefined && sameType(value.known, to)) return identity(to);
  const name = `cast_as_${printType(to)}`;
  const candidates = functionsNamed(name).filter(isScalar);
  const [only] = candidates;
  if (only === undefined) {
    throw new InvalidRequestError(`${value.text} cannot be cast to ${printType(to)}`);
  }
  if (candidates.length > 1)
    return pickBest(candidates, [value], undefined, { name: `system.${name}` });
  validateTypes(only, [value]);
  return only;
}

function isScalar(candidate: NativeFunction): candidate is ScalarFunction {
  return candidate.kind === 'scalar';
}

function identity(type: CqlType): ScalarFunction {
  return {
    kind: 'scalar',
    name: `system.cast_as_${printType(type)}`,
    args: [type],
    result: type,
    columnName: ([only = '']) => only,
    call: ([bytes]) => bytes ?? null,
  };
}

function validateTypes(found: Signature, args: readonly ArgumentType[]): void {
  if (found.args.length !== args.length) {
    throw new InvalidRequestError(
      `Invalid number of arguments in call to function ${found.name}: ${found.args.length} required but ${args.length} provided`,
    );
  }
  found.args.forEach((type, i) => {
    const argument = args[i];
    if (argument?.assign(type) !== 'none') return;
    throw new InvalidRequestError(
      `Type error: ${argument.text} cannot be passed as argument ${i} of function ${found.name} of type ${printType(type)}`,
    );
  });
}

function matchArguments(candidate: Signature, args: readonly ArgumentType[]): Assignment {
  if (candidate.args.length !== args.length) return 'none';
  let result: Assignment = 'exact';
  for (const [i, argument] of args.entries()) {
    const type = candidate.args[i];
    const fit = type === undefined ? 'none' : argument.assign(type);
    if (fit === 'none') return 'none';
    if (fit === 'weak') result = 'weak';
  }
  return result;
}

function pickBest<T extends Signature>(
  candidates: readonly T[],
  args: readonly ArgumentType[],
  receiver: CqlType | undefined,
  described: Described,
): T {
  const compatible: T[] = [];
  for (const candidate of candidates) {
    const isReturned = receiver === undefined || assignType(candidate.result, receiver) !== 'none';
    const fit = isReturned ? matchArguments(candidate, args) : 'none';
    if (fit === 'exact') return candidate;
    if (fit === 'weak') compatible.push(candidate);
  }
  const [only] = compatible;
  if (only === undefined) throw noMatch(candidates, args, described);
  if (compatible.length === 1) return only;
  const preferred = preferredOperation(compatible, args, receiver, described);
  if (preferred !== undefined) return preferred;
  throw ambiguous(compatible, args, described);
}

/** An operation between two values of the receiver's own type wins where nothing is bound. */
function preferredOperation<T extends Signature>(
  compatible: readonly T[],
  args: readonly ArgumentType[],
  receiver: CqlType | undefined,
  { operator }: Described,
): T | undefined {
  if (operator === undefined || receiver === undefined) return undefined;
  if (args.some(({ isMarker }) => isMarker)) return undefined;
  return compatible.find((candidate) => candidate.args.every((type) => sameType(type, receiver)));
}

function noMatch(
  candidates: readonly Signature[],
  args: readonly ArgumentType[],
  { name, operator }: Described,
): InvalidRequestError {
  if (operator !== undefined) {
    const [left, right] = args;
    return new InvalidRequestError(
      `the '${operator}' operation is not supported between ${left?.text ?? ''} and ${right?.text ?? ''}`,
    );
  }
  const shown = name === '_negate' ? 'system._negate' : name;
  return new InvalidRequestError(
    `Invalid call to function ${shown}, none of its type signatures match (known type signatures: ${signatures(candidates)})`,
  );
}

function ambiguous(
  compatible: readonly Signature[],
  args: readonly ArgumentType[],
  { name, operator }: Described,
): InvalidRequestError {
  if (operator !== undefined) {
    const [left, right] = args;
    return new InvalidRequestError(
      `Ambiguous '${operator}' operation with args ${left?.text ?? ''} and ${right?.text ?? ''}: use type hint to disambiguate, example '(int) ?'`,
    );
  }
  if (name === '_negate') {
    return new InvalidRequestError('Ambiguous negation: use type casts to disambiguate');
  }
  return new InvalidRequestError(
    `Ambiguous call to function ${name} (can be matched by following signatures: ${signatures(compatible)}): use type casts to disambiguate`,
  );
}

function signatures(candidates: readonly Signature[]): string {
  return candidates
    .map(
      ({ name, args, result }) =>
        `${name} : (${args.map(argumentTypeText).join(', ')}) -> ${printType(result)}`,
    )
    .join(', ');
}
