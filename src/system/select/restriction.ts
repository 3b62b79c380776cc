import { assertNever } from '../../util/index.ts';
import { InvalidRequestError } from '../../errors/index.ts';
import type { Expression, Relation } from '../../cql/index.ts';
import type { BoundValue } from '../../wire/index.ts';
import { splitList } from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { VirtualColumn, VirtualRow } from '../virtual_table.ts';
import { compileTerm, conditionValue } from './terms.ts';
import type { Variables } from './variables.ts';

/** Whether a row passes. */
export type Predicate = (row: VirtualRow) => boolean;

/** What a relation does to its columns, as far as Cassandra's rules ask. */
export type RestrictionKind = 'eq' | 'in' | 'slice' | 'contains' | 'token';

/** One compiled relation. */
export interface Restriction {
  readonly kind: RestrictionKind;
  readonly columns: readonly VirtualColumn[];
  /** Slices only. */
  readonly bound: 'start' | 'end' | undefined;
  /** Binds the values of one execution. @throws InvalidRequestError for null and unset. */
  bind(values: readonly BoundValue[]): Predicate;
}

/** Operators that order values. */
export type Operator = '=' | '<' | '<=' | '>' | '>=';

/** The values of IN: single terms, or one marker that carries the whole list. */
export function compileInValues(
  source: Extract<Relation, { kind: 'in' | 'tuple_in' }>['values'],
  variables: Variables,
  name: string,
  type: CqlType,
  column?: VirtualColumn,
): (values: readonly BoundValue[]) => Uint8Array[] {
  if (!isExpression(source)) {
    const terms = source.map((item) =>
      compileTerm(item, variables.spec(name, type), variables, column),
    );
    return (values) => terms.map((term) => conditionValue(term(values), name));
  }
  const label = name.startsWith('(') ? `in${name}` : `in(${name})`;
  const spec = variables.spec(label, { kind: 'list', element: type, frozen: true });
  const term = compileTerm(source, spec, variables);
  return (values) => {
    const value = term(values);
    if (value === null) throw new InvalidRequestError(`Invalid null value for ${label}`);
    return splitList(conditionValue(value, name)).map((item) => conditionValue(item, name));
  };
}

/** Whether IN takes its whole list from one marker. */
export function isExpression(
  source: readonly Expression[] | Expression,
): source is Extract<Expression, { kind: 'bind' }> {
  return !Array.isArray(source);
}

/** Whether `operator` holds for a comparison with that sign. */
export function holds(operator: Operator, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return assertNever(operator);
  }
}

/** Which end a slice restricts. */
export function boundOf(operator: Operator): 'start' | 'end' | undefined {
  if (operator === '=') return undefined;
  return operator === '>' || operator === '>=' ? 'start' : 'end';
}

/** The refusal of `!=`; the value is not repeated. */
export function notEqual(text: string): InvalidRequestError {
  return new InvalidRequestError(`Unsupported "!=" relation: ${text}<value>`);
}
