import { printTypeName } from '../cql/index.ts';
import type { Expression } from '../cql/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import { argumentOf, arithmetic, assignType, negate, resolveFunction } from '../functions/index.ts';
import type { ArgumentType, NativeFunction, ScalarFunction } from '../functions/index.ts';
import { printType } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { Receiver } from './markers.ts';
import type { TermScope, TermSource } from './terms.ts';

/** A term whose value a function gives. */
type Call = Extract<Expression, { kind: 'function' | 'arithmetic' | 'negate' | 'cast' }>;
type CompileTerm = (expression: Expression, receiver: Receiver, scope: TermScope) => TermSource;

function argument(expression: Expression, scope: TermScope): ArgumentType {
  return argumentOf(expression, {
    type: scope.types,
    selector: () => {
      throw new InvalidRequestError('Invalid term: a value is expected');
    },
    isTerm: true,
  });
}

function operands(call: Call): readonly Expression[] {
  switch (call.kind) {
    case 'function':
      return call.args;
    case 'arithmetic':
      return [call.left, call.right];
    default:
      return [call.value];
  }
}

function resolve(call: Call, receiver: CqlType, scope: TermScope): NativeFunction | undefined {
  const args = operands(call).map((operand) => argument(operand, scope));
  switch (call.kind) {
    case 'function':
      return resolveFunction({ keyspace: call.keyspace, name: call.name, args, receiver });
    case 'cast': {
      const name = `cast_as_${printType(scope.types(call.type))}`;
      const found = resolveFunction({ keyspace: 'system', name, args, receiver });
      if (found !== undefined) return found;
      throw new InvalidRequestError(`Unknown function system.${name} called`);
    }
    case 'arithmetic':
      return arithmetic(
        call.operator,
        argument(call.left, scope),
        argument(call.right, scope),
        receiver,
      );
    case 'negate':
      return negate(argument(call.value, scope), receiver);
  }
}

/** @throws InvalidRequestError when the result is no value for the receiver */
function checkResult(call: Call, found: ScalarFunction, { name, type }: Receiver): void {
  if (assignType(found.result, type) !== 'none') return;
  const what = call.kind === 'arithmetic' ? `operation ${call.operator}` : `function ${found.name}`;
  throw new InvalidRequestError(
    `Type error: cannot assign result of ${what} (type ${printType(found.result)}) to ${name} (type ${printType(type)})`,
  );
}

/** A function that is none of Cassandra's own, or token(), which is one of stored keys. */
function unknownFunction(call: Call, { name: place }: Receiver): UnsupportedStatementError {
  const name = call.kind === 'function' ? call.name : call.kind;
  const why =
    name === 'token'
      ? 'tokens are those of encrypted keys'
      : 'functions written by users are not evaluated on values that are encrypted';
  return new UnsupportedStatementError(
    `the function ${name}() in a value (for ${place}) is not supported by the proxy: ${why} (see docs/compatibility.md)`,
  );
}

/**
 * Compiles a call of a function, arithmetic or a cast for its receiver; the types of the arguments and of the receiver choose
 * the function.
 * @throws InvalidRequestError for what Cassandra refuses; UnsupportedStatementError for functions that are not Cassandra's own
 */
export function compileCall(
  call: Call,
  receiver: Receiver,
  scope: TermScope,
  compileTerm: CompileTerm,
): TermSource {
  const found = resolve(call, receiver.type, scope);
  if (found === undefined) {
    throw unknownFunction(call, receiver);
  }
  if (found.kind === 'aggregate') {
    throw new InvalidRequestError('Aggregation function are not supported in the where clause');
  }
  checkResult(call, found, receiver);
  const { keyspace, table } = receiver;
  const sources = found.args.map((type, index) => {
    const operand = operands(call)[index];
    if (operand === undefined) throw new InvalidRequestError('Invalid number of arguments');
    const name = `arg${String(index)}(${found.name.toLowerCase()})`;
    return compileTerm(operand, { keyspace, table, name, type }, scope);
  });
  return (context) => {
    const values = sources.map((source) => {
      const value = source(context);
      if (value !== UNSET) return value;
      throw new InvalidRequestError(
        `Invalid unset value for argument in call to function ${found.name.replace('system.', '')}`,
      );
    });
    return found.call(values, context.functions);
  };
}

/** Checks `(type) term`. @throws InvalidRequestError when the term is not of the type, or the type not the receiver's */
export function checkHint(
  hint: Extract<Expression, { kind: 'type_hint' }>,
  receiver: Receiver,
  scope: TermScope,
): void {
  const hinted = scope.types(hint.type);
  if (argument(hint.value, scope).assign(hinted) === 'none') {
    const inner = hint.value.kind === 'type_hint' ? `(${printTypeName(hint.value.type)})` : '';
    throw new InvalidRequestError(`Cannot cast value ${inner}<term> to type ${printType(hinted)}`);
  }
  if (argument(hint, scope).assign(receiver.type) === 'none') {
    throw new InvalidRequestError(
      `Cannot assign value (${printType(hinted)})<term> to ${receiver.name} of type ${printType(receiver.type)}`,
    );
  }
}
