import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { Expression } from '../../cql/index.ts';
import type { BoundValue, ColumnSpec } from '../../wire/index.ts';
import { UNSET } from '../../wire/index.ts';
import {
  constantToBytes,
  printType,
  serializeList,
  serializeMap,
  serializeSet,
  serializeTuple,
  serializeVector,
  validateValue,
} from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { VirtualColumn } from '../virtual_table.ts';
import type { Variables } from './variables.ts';

/** A compiled value: from the bound values of one execution to its bytes. */
export type Term = (values: readonly BoundValue[]) => BoundValue;

/**
 * Compiles a value position of a WHERE or LIMIT clause.
 * @param target the column if the value is compared with it directly (partition key indices come from it).
 * @throws InvalidRequestError if a constant does not fit the type; UnsupportedStatementError for functions and arithmetic.
 */
export function compileTerm(
  expression: Expression,
  spec: ColumnSpec,
  variables: Variables,
  target?: VirtualColumn,
): Term {
  switch (expression.kind) {
    case 'bind': {
      const { index } = expression;
      variables.add(expression, spec, target);
      return (values) => {
        const value = values[index] ?? null;
        if (value !== UNSET && value !== null) validateValue(spec.type, value);
        return value;
      };
    }
    case 'constant': {
      const bytes = constantToBytes(expression, spec.type, spec.name);
      return () => bytes;
    }
    case 'null':
      return () => null;
    case 'type_hint':
      return compileTerm(expression.value, spec, variables, target);
    case 'tuple':
    case 'list':
    case 'set':
    case 'map':
      return compileComposite(expression, spec, variables);
    case 'function':
      throw new UnsupportedStatementError(
        `The function ${expression.name} is not supported in a query on ${spec.keyspace}.${spec.table}`,
      );
    default:
      throw new UnsupportedStatementError(
        `This kind of value (${expression.kind}) is not supported in a query on ${spec.keyspace}.${spec.table}`,
      );
  }
}

type CompositeExpression = Extract<Expression, { kind: 'tuple' | 'list' | 'set' | 'map' }>;

function compileComposite(
  expression: CompositeExpression,
  spec: ColumnSpec,
  variables: Variables,
): Term {
  const { type } = spec;
  const part = (item: Expression, partType: CqlType): Term =>
    compileTerm(item, { ...spec, name: `value(${spec.name})`, type: partType }, variables);
  if (expression.kind === 'tuple') {
    if (type.kind === 'tuple') {
      if (expression.items.length > type.elements.length) throw mismatch(expression, spec);
      const items = expression.items.map((item, index) =>
        part(item, type.elements[index] as CqlType),
      );
      return (values) => serializeTuple(items.map((item) => orNull(item(values))));
    }
    const [only] = expression.items;
    if (only !== undefined && expression.items.length === 1) {
      return compileTerm(only, spec, variables);
    }
    throw mismatch(expression, spec);
  }
  if (expression.kind === 'list' && (type.kind === 'list' || type.kind === 'vector')) {
    const items = expression.items.map((item) => part(item, type.element));
    if (type.kind === 'vector') {
      if (items.length !== type.dimensions) throw mismatch(expression, spec);
      return (values) =>
        serializeVector(
          type,
          items.map((item) => notNull(item(values))),
        );
    }
    return (values) => serializeList(items.map((item) => notNull(item(values))));
  }
  if (expression.kind === 'set' && type.kind === 'set') {
    const items = expression.items.map((item) => part(item, type.element));
    return (values) =>
      serializeSet(
        type.element,
        items.map((item) => notNull(item(values))),
      );
  }
  if (type.kind === 'map') {
    const pairs =
      expression.kind === 'map' ? expression.entries : emptyMap(expression) ? [] : undefined;
    if (pairs !== undefined) {
      const entries = pairs.map(
        ([key, value]) => [part(key, type.key), part(value, type.value)] as const,
      );
      return (values) =>
        serializeMap(
          type.key,
          entries.map(([key, value]) => [notNull(key(values)), notNull(value(values))] as const),
        );
    }
  }
  throw mismatch(expression, spec);
}

/** `{}` is read as a set and stands for an empty map as well. */
function emptyMap(expression: CompositeExpression): boolean {
  return expression.kind === 'set' && expression.items.length === 0;
}

function mismatch(expression: CompositeExpression, spec: ColumnSpec): InvalidRequestError {
  const type = printType(spec.type);
  if (expression.kind === 'list') {
    return new InvalidRequestError(
      `Unexpected receiver type '${type}'; only list and vector are expected`,
    );
  }
  const literal = expression.kind === 'tuple' ? 'tuple type' : expression.kind;
  return new InvalidRequestError(`Invalid ${literal} literal for ${spec.name} of type ${type}`);
}

function orNull(value: BoundValue): Uint8Array | null {
  if (value === UNSET) throw new InvalidRequestError('Invalid unset value for tuple field');
  return value;
}

function notNull(value: BoundValue): Uint8Array {
  if (value === UNSET)
    throw new InvalidRequestError('unset value is not supported inside collections');
  if (value === null) throw new InvalidRequestError('null is not supported inside collections');
  return value;
}

/** The bytes of a value that a condition on `column` needs. @throws InvalidRequestError for null and unset, as Cassandra. */
export function conditionValue(value: BoundValue, column: string): Uint8Array {
  if (value === UNSET) throw new InvalidRequestError(`Invalid unset value for column ${column}`);
  if (value === null)
    throw new InvalidRequestError(`Invalid null value in condition for column ${column}`);
  return value;
}
