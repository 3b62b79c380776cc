import type { Expression, TypeName } from '../cql/ast.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { freezeType, printType } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { assignType, commonType, isValueCompatible } from './compatibility.ts';
import { constantArgument } from './constant_argument.ts';
import type { NativeFunction, UserFunction } from './function.ts';
import {
  arithmetic,
  cast,
  hasFactory,
  negate,
  resolveFunction,
  unknownFunction,
} from './resolve.ts';

/** How an argument fits a parameter: exactly, by a conversion that Cassandra makes on its own, or not. */
export type Assignment = 'exact' | 'weak' | 'none';

/** What the resolution of overloads knows of an argument, whose type may not be fixed yet. Spec: AssignmentTestable. */
export interface ArgumentType {
  /** For messages: a column's name, `?`, `<constant>`. */
  readonly text: string;
  /** The type that the argument has by itself; `undefined` for what takes any, such as a bind marker. */
  readonly known: CqlType | undefined;
  readonly isMarker: boolean;
  /** Number of items of an array literal `[…]`, which may be a list or a vector. */
  readonly arrayLength: number | undefined;
  /** Whether a parameter of the type takes it. */
  assign(type: CqlType): Assignment;
}

/** A call of a function that is none of Cassandra's own. */
export interface UserCall {
  readonly keyspace: string | undefined;
  /** Folded. */
  readonly name: string;
  readonly args: readonly ArgumentType[];
}

/** What arguments that are expressions need of the statement. */
export interface ArgumentScope {
  /** Resolves the type of a hint or cast. */
  type(name: TypeName): CqlType;
  /** The type of what only selectors have: columns, fields, elements, slices, writetime and the like. */
  selector(expression: Expression): ArgumentType;
  /** A function written by a user; undefined where none is called, or there is none of the name. */
  userFunction?(call: UserCall): UserFunction | undefined;
  /** True in values that are written or compared; there, literals of collections have no type by themselves. */
  readonly isTerm?: boolean;
}

/** An argument of a fixed type: a column or the result of a function. */
export function typedArgument(type: CqlType, text: string): ArgumentType {
  return {
    text,
    known: type,
    isMarker: false,
    arrayLength: undefined,
    assign: (receiver) => assignType(type, receiver),
  };
}

/** What takes any type: `?` and null. */
function openArgument(text: string, isMarker: boolean): ArgumentType {
  return { text, known: undefined, isMarker, arrayLength: undefined, assign: () => 'weak' };
}

/** An argument as it is written; calls of functions, arithmetic and casts included. */
export function argumentOf(expression: Expression, scope: ArgumentScope): ArgumentType {
  switch (expression.kind) {
    case 'bind':
      return openArgument(expression.name === undefined ? '?' : `:${expression.name}`, true);
    case 'null':
      return openArgument('NULL', false);
    case 'constant':
      return constantArgument(expression);
    case 'type_hint': {
      const hinted = scope.type(expression.type);
      return {
        ...typedArgument(
          hinted,
          `(${printType(hinted)})${argumentOf(expression.value, scope).text}`,
        ),
        assign: (type) => {
          if (assignType(hinted, type) === 'exact') return 'exact';
          return isValueCompatible(type, hinted) ? 'weak' : 'none';
        },
      };
    }
    case 'list':
      return arrayLiteral(argumentsOf(expression.items, scope), scope);
    case 'set':
      return setLiteral(argumentsOf(expression.items, scope));
    case 'map': {
      const entries = expression.entries.map(
        ([key, value]) => [argumentOf(key, scope), argumentOf(value, scope)] as const,
      );
      return mapLiteral(entries);
    }
    case 'tuple':
      return tupleLiteral(argumentsOf(expression.items, scope));
    case 'udt':
      return udtLiteral(
        expression.fields.map(({ name, value }) => [name.text, argumentOf(value, scope)] as const),
      );
    case 'function': {
      const args = argumentsOf(expression.args, scope);
      const { keyspace, name } = expression;
      return callArgument(
        name,
        scope,
        (receiver) =>
          resolveFunction({ keyspace, name, args, receiver }) ??
          scope.userFunction?.({ keyspace, name, args }),
      );
    }
    case 'arithmetic': {
      const left = argumentOf(expression.left, scope);
      const right = argumentOf(expression.right, scope);
      return callArgument(`${left.text} ${expression.operator} ${right.text}`, scope, (receiver) =>
        arithmetic(expression.operator, left, right, receiver),
      );
    }
    case 'negate': {
      const value = argumentOf(expression.value, scope);
      return callArgument(`-${value.text}`, scope, (receiver) => negate(value, receiver));
    }
    case 'cast': {
      const value = argumentOf(expression.value, scope);
      return typedArgument(cast(value, scope.type(expression.type)).result, `cast(${value.text})`);
    }
    default:
      return scope.selector(expression);
  }
}

function argumentsOf(expressions: readonly Expression[], scope: ArgumentScope): ArgumentType[] {
  return expressions.map((expression) => argumentOf(expression, scope));
}

/**
 * A call inside another one. In a selection its type is fixed; in a value it may depend on the parameter that takes it.
 * @throws InvalidRequestError in a selection when the call itself fits no function
 */
function callArgument(
  text: string,
  scope: ArgumentScope,
  resolve: (receiver: CqlType | undefined) => Pick<NativeFunction, 'name' | 'result'> | undefined,
): ArgumentType {
  if (scope.isTerm !== true) {
    const type = resolve(undefined)?.result;
    if (type === undefined) throw unknownFunction(text);
    return typedArgument(type, text);
  }
  const quietly: typeof resolve = (receiver) => {
    try {
      return resolve(receiver);
    } catch (error) {
      if (error instanceof InvalidRequestError) return undefined;
      throw error;
    }
  };
  return {
    text,
    known: quietly(undefined)?.result,
    isMarker: false,
    arrayLength: undefined,
    assign(receiver) {
      const found = quietly(receiver);
      if (found === undefined || hasFactory(found.name)) return 'weak';
      const fit = assignType(found.result, receiver);
      if (fit !== 'none') return fit;
      return isValueCompatible(receiver, found.result) ? 'weak' : 'none';
    },
  };
}

/** Exact when all are, none when one is. */
function assignAll(pairs: readonly (readonly [ArgumentType, CqlType])[]): Assignment {
  let result: Assignment = 'exact';
  for (const [argument, type] of pairs) {
    const fit = argument.assign(type);
    if (fit === 'none') return 'none';
    if (fit === 'weak') result = 'weak';
  }
  return result;
}

function literal(
  known: CqlType | undefined,
  arrayLength: number | undefined,
  assign: (type: CqlType) => Assignment,
): ArgumentType {
  return { text: '<literal>', known, isMarker: false, arrayLength, assign };
}

function arrayLiteral(items: readonly ArgumentType[], scope: ArgumentScope): ArgumentType {
  const element = scope.isTerm === true ? undefined : commonType(items.map((item) => item.known));
  const known: CqlType | undefined =
    element === undefined
      ? undefined
      : { kind: 'list', element: freezeType(element), frozen: true };
  // In values an array literal has no type of its own, also where a vector is wanted.
  return literal(known, scope.isTerm === true ? undefined : items.length, (type) => {
    if (type.kind !== 'list' && type.kind !== 'vector') return 'none';
    if (type.kind === 'vector' && scope.isTerm === true && items.length !== type.dimensions) {
      return 'none';
    }
    if (items.length === 0) return 'weak';
    return assignAll(items.map((item) => [item, type.element]));
  });
}

function setLiteral(items: readonly ArgumentType[]): ArgumentType {
  const element = commonType(items.map((item) => item.known));
  const known: CqlType | undefined =
    element === undefined ? undefined : { kind: 'set', element: freezeType(element), frozen: true };
  return literal(known, undefined, (type) => {
    if (items.length === 0) return type.kind === 'set' || type.kind === 'map' ? 'weak' : 'none';
    return type.kind === 'set' ? assignAll(items.map((item) => [item, type.element])) : 'none';
  });
}

function mapLiteral(entries: readonly (readonly [ArgumentType, ArgumentType])[]): ArgumentType {
  const key = commonType(entries.map(([argument]) => argument.known));
  const value = commonType(entries.map(([, argument]) => argument.known));
  const known: CqlType | undefined =
    key === undefined || value === undefined
      ? undefined
      : { kind: 'map', key: freezeType(key), value: freezeType(value), frozen: true };
  return literal(known, undefined, (type) => {
    if (type.kind !== 'map') return 'none';
    if (entries.length === 0) return 'weak';
    return assignAll(
      entries.flatMap(([first, second]) => [
        [first, type.key] as const,
        [second, type.value] as const,
      ]),
    );
  });
}

function tupleLiteral(items: readonly ArgumentType[]): ArgumentType {
  const types = items.map((item) => item.known);
  const isKnown = types.every((type) => type !== undefined);
  const [only] = items;
  if (items.length === 1 && only !== undefined) {
    return literal(only.known, undefined, (type) =>
      type.kind === 'tuple' ? fitTuple(items, type.elements) : only.assign(type),
    );
  }
  const known: CqlType | undefined = isKnown
    ? { kind: 'tuple', elements: types.map(freezeType) }
    : undefined;
  return literal(known, undefined, (type) =>
    type.kind === 'tuple' ? fitTuple(items, type.elements) : 'none',
  );
}

function fitTuple(items: readonly ArgumentType[], types: readonly CqlType[]): Assignment {
  const fits = items.every((item, i) => {
    const type = types[i];
    return type !== undefined && item.assign(type) !== 'none';
  });
  return fits ? 'weak' : 'none';
}

function udtLiteral(fields: readonly (readonly [string, ArgumentType])[]): ArgumentType {
  return literal(undefined, undefined, (type) => {
    if (type.kind !== 'udt') return 'none';
    const fits = fields.every(([name, value]) => {
      const field = type.fields.find((candidate) => candidate.name === name);
      return field !== undefined && value.assign(field.type) !== 'none';
    });
    return fits ? 'weak' : 'none';
  });
}
