import type { Expression } from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import {
  constantToBytes,
  native,
  printType,
  serializeList,
  serializeMap,
  serializeSet,
  serializeTuple,
  serializeVector,
  valueCodec,
} from '../values/index.ts';
import type { CqlType, FunctionContext } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { checkHint, compileCall } from './function_terms.ts';
import type { MarkerRegistry, Receiver } from './markers.ts';
import type { MaskSight } from './mask_sight.ts';
import type { TypeResolver } from './type_resolver.ts';

/** What a term is evaluated with: the values of one execution. */
export interface TermContext {
  /** One value for each bind marker, in order of the text. */
  readonly binds: readonly BoundValue[];
  /** Text of each constant, in order of the text: a plan serves all statements of one shape. */
  readonly constants: readonly { readonly text: string }[];
  /** Clock and randomness for now(), uuid() and the like. */
  readonly functions: FunctionContext;
  /** Absent: masked columns are masked. */
  readonly sight?: MaskSight | undefined;
}

/** Gives the CQL bytes of a term: validated against its type, not yet canonical, not yet encrypted. */
export type TermSource = (context: TermContext) => BoundValue;

/** What the compilation of terms needs of the statement. */
export interface TermScope {
  readonly markers: MarkerRegistry;
  readonly types: TypeResolver;
}

/**
 * Compiles a term for its receiver. Type errors that Cassandra finds while it prepares are thrown here; errors of one
 * execution's values come from the source.
 *
 * @throws InvalidRequestError for a term that does not fit; UnsupportedStatementError for what the proxy cannot evaluate.
 */
export function compileTerm(
  expression: Expression,
  receiver: Receiver,
  scope: TermScope,
): TermSource {
  const { type } = receiver;
  switch (expression.kind) {
    case 'bind': {
      scope.markers.declare(expression, receiver);
      const { index } = expression;
      const codec = valueCodec(type);
      return (context) => {
        const value = context.binds[index];
        if (value === undefined) return UNSET;
        if (value === null || value === UNSET) return value;
        codec.validate(value);
        return codec.stored(value);
      };
    }
    case 'constant': {
      const { index, type: constantType } = expression;
      const { name } = receiver;
      constantToBytes(expression, type, name);
      return (context) =>
        constantToBytes(
          { type: constantType, text: context.constants[index]?.text ?? '' },
          type,
          name,
        );
    }
    case 'null':
      return () => null;
    case 'type_hint':
      checkHint(expression, receiver, scope);
      return compileTerm(expression.value, receiver, scope);
    case 'list':
      return compileSequence(expression.items, receiver, scope);
    case 'set':
      return compileSet(expression.items, receiver, scope);
    case 'map':
      return compileMap(expression.entries, receiver, scope);
    case 'tuple':
      return compileTuple(expression.items, receiver, scope);
    case 'udt':
      return compileUdt(expression.fields, receiver, scope);
    case 'function':
    case 'arithmetic':
    case 'negate':
    case 'cast':
      return compileCall(expression, receiver, scope, compileTerm);
    case 'column':
    case 'field':
    case 'element':
    case 'slice':
    case 'count_rows':
    case 'metadata':
      throw new InvalidRequestError(`Invalid term for ${receiver.name}: a value is expected`);
  }
}

function mismatch(what: string, receiver: Receiver): InvalidRequestError {
  return new InvalidRequestError(
    `Invalid ${what} literal for ${receiver.name} of type ${printType(receiver.type)}`,
  );
}

function inner(receiver: Receiver, name: string, type: CqlType): Receiver {
  return { keyspace: receiver.keyspace, table: receiver.table, name, type };
}

/** @throws InvalidRequestError for a bind marker at any depth of a list, set or map: Cassandra takes whole ones only. */
function refuseBinds(what: string, items: readonly Expression[], receiver: Receiver): void {
  if (!items.some(containsBind)) return;
  throw new InvalidRequestError(
    `Invalid ${what} literal for ${receiver.name}: bind variables are not supported inside collection literals`,
  );
}

function containsBind(expression: Expression): boolean {
  switch (expression.kind) {
    case 'bind':
      return true;
    case 'list':
    case 'set':
    case 'tuple':
      return expression.items.some(containsBind);
    case 'map':
      return expression.entries.flat().some(containsBind);
    case 'udt':
      return expression.fields.some((field) => containsBind(field.value));
    case 'function':
      return expression.args.some(containsBind);
    case 'type_hint':
    case 'negate':
    case 'cast':
      return containsBind(expression.value);
    case 'arithmetic':
      return containsBind(expression.left) || containsBind(expression.right);
    default:
      return false;
  }
}

/** Value of a term inside a collection: neither null nor unset, as in Cassandra. */
function element(source: TermSource, context: TermContext): Uint8Array {
  const value = source(context);
  if (value === null) throw new InvalidRequestError('null is not supported inside collections');
  if (value === UNSET) {
    throw new InvalidRequestError('unset value is not supported inside collections');
  }
  return value;
}

function compileSequence(
  items: readonly Expression[],
  receiver: Receiver,
  scope: TermScope,
): TermSource {
  const { type } = receiver;
  if (type.kind === 'vector') {
    if (items.length !== type.dimensions) {
      throw new InvalidRequestError(
        `Invalid vector literal for ${receiver.name} of type ${printType(type)}; expected ${String(type.dimensions)} elements, but given ${String(items.length)}`,
      );
    }
    const sources = items.map((item) =>
      compileTerm(item, inner(receiver, `value(${receiver.name})`, type.element), scope),
    );
    return (context) =>
      serializeVector(
        type,
        sources.map((source) => element(source, context)),
      );
  }
  if (type.kind !== 'list') throw mismatch('list', receiver);
  const sources = items.map((item) =>
    compileTerm(item, inner(receiver, `value(${receiver.name})`, type.element), scope),
  );
  refuseBinds('list', items, receiver);
  return (context) => serializeList(sources.map((source) => element(source, context)));
}

function compileSet(
  items: readonly Expression[],
  receiver: Receiver,
  scope: TermScope,
): TermSource {
  const { type } = receiver;
  // `{}` is the empty literal of sets and maps alike.
  if (items.length === 0 && type.kind === 'map') return () => serializeMap(type.key, []);
  if (type.kind !== 'set') throw mismatch('set', receiver);
  const sources = items.map((item) =>
    compileTerm(item, inner(receiver, `value(${receiver.name})`, type.element), scope),
  );
  refuseBinds('set', items, receiver);
  return (context) =>
    serializeSet(
      type.element,
      sources.map((source) => element(source, context)),
    );
}

function compileMap(
  entries: readonly (readonly [Expression, Expression])[],
  receiver: Receiver,
  scope: TermScope,
): TermSource {
  const { type } = receiver;
  if (type.kind !== 'map') throw mismatch('map', receiver);
  const sources = entries.map(
    ([key, value]) =>
      [
        compileTerm(key, inner(receiver, `key(${receiver.name})`, type.key), scope),
        compileTerm(value, inner(receiver, `value(${receiver.name})`, type.value), scope),
      ] as const,
  );
  refuseBinds('map', entries.flat(), receiver);
  return (context) =>
    serializeMap(
      type.key,
      sources.map(([key, value]) => [element(key, context), element(value, context)] as const),
    );
}

function compileTuple(
  items: readonly Expression[],
  receiver: Receiver,
  scope: TermScope,
): TermSource {
  const { type } = receiver;
  if (type.kind !== 'tuple') {
    const [only] = items;
    // `(1)` is 1 in parentheses where no tuple is wanted.
    if (only !== undefined && items.length === 1) return compileTerm(only, receiver, scope);
    throw mismatch('tuple', receiver);
  }
  if (items.length > type.elements.length) {
    throw new InvalidRequestError(
      `Invalid tuple literal for ${receiver.name}: too many elements. Type ${printType(type)} expects ${String(type.elements.length)} but got ${String(items.length)}`,
    );
  }
  const sources = items.map((item, index) =>
    compileTerm(
      item,
      inner(receiver, `${receiver.name}[${String(index)}]`, type.elements[index] ?? native('blob')),
      scope,
    ),
  );
  return (context) => serializeTuple(sources.map((source) => component(source, context)));
}

/** Value of a term inside a tuple or UDT: null stays null, unset is refused. */
function component(source: TermSource, context: TermContext): Uint8Array | null {
  const value = source(context);
  if (value === UNSET) throw new InvalidRequestError('Invalid unset value for tuple field');
  return value;
}

function compileUdt(
  fields: readonly { readonly name: { readonly text: string }; readonly value: Expression }[],
  receiver: Receiver,
  scope: TermScope,
): TermSource {
  const { type } = receiver;
  if (type.kind !== 'udt') throw mismatch('user type', receiver);
  const given = new Map(fields.map((field) => [field.name.text, field.value]));
  for (const name of given.keys()) {
    if (!type.fields.some((field) => field.name === name)) {
      throw new InvalidRequestError(
        `Unknown field '${name}' in value of user defined type ${type.name}`,
      );
    }
  }
  const sources = type.fields.map((field) => {
    const value = given.get(field.name);
    return value === undefined
      ? undefined
      : compileTerm(value, inner(receiver, `${receiver.name}.${field.name}`, field.type), scope);
  });
  return (context) =>
    serializeTuple(
      sources.map((source) => (source === undefined ? null : component(source, context))),
    );
}
