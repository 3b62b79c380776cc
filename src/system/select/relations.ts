import { assertNever } from '../../util/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { Expression, Relation } from '../../cql/index.ts';
import { compareValues, isMultiCell, printType, splitList, splitMap } from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { VirtualColumn } from '../virtual_table.ts';
import type { Columns } from './columns.ts';
import { boundOf, compileInValues, holds, isExpression, notEqual } from './restriction.ts';
import type { Restriction } from './restriction.ts';
import { compileTerm, conditionValue } from './terms.ts';
import { compileToken } from './token_relation.ts';
import { compileTuple, compileTupleIn } from './tuple_relations.ts';
import type { Variables } from './variables.ts';

/** Compiles one relation. @throws InvalidRequestError with Cassandra's texts. */
export function compileRelation(
  relation: Relation,
  columns: Columns,
  variables: Variables,
): Restriction {
  switch (relation.kind) {
    case 'comparison':
      return compileComparison(relation, columns, variables);
    case 'is_not_null':
      throw new InvalidRequestError(`Unsupported restriction: ${relation.column.text} IS NOT NULL`);
    case 'in':
      return compileIn(relation, columns, variables);
    case 'element':
      return compileElement(relation, columns, variables);
    case 'token':
      return compileToken(relation, columns, variables);
    case 'tuple':
      return compileTuple(relation, columns, variables);
    case 'tuple_in':
      return compileTupleIn(relation, columns, variables);
    default:
      return assertNever(relation);
  }
}

function compileComparison(
  relation: Extract<Relation, { kind: 'comparison' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  const column = columns.get(relation.column.text);
  const { operator } = relation;
  const { type, name } = column;
  if (operator === '!=') throw notEqual(`${name} != `);
  if (operator === 'LIKE') {
    throw new InvalidRequestError(
      `LIKE restriction is only supported on properly indexed columns. ${name} LIKE is not valid.`,
    );
  }
  if (operator === 'CONTAINS' || operator === 'CONTAINS KEY') {
    return compileContains(column, operator, relation.value, columns, variables);
  }
  if (isMultiCell(type)) throw multiCell(column, operator);
  if (operator !== '=') refuseDurationSlice(type);
  const term = compileTerm(relation.value, variables.spec(name, type), variables, column);
  const index = columns.cellIndex(column);
  return {
    kind: operator === '=' ? 'eq' : 'slice',
    columns: [column],
    bound: boundOf(operator),
    bind: (values) => {
      const wanted = conditionValue(term(values), name);
      return (row) => {
        const cell = row[index] ?? null;
        return cell !== null && holds(operator, compareValues(type, cell, wanted));
      };
    },
  };
}

function compileContains(
  column: VirtualColumn,
  operator: 'CONTAINS' | 'CONTAINS KEY',
  value: Expression,
  columns: Columns,
  variables: Variables,
): Restriction {
  const { type, name } = column;
  const byKey = operator === 'CONTAINS KEY';
  if (byKey && type.kind !== 'map') {
    throw new InvalidRequestError(`Cannot use CONTAINS KEY on non-map column ${name}`);
  }
  if (type.kind !== 'map' && type.kind !== 'list' && type.kind !== 'set') {
    throw new InvalidRequestError(`Cannot use CONTAINS on non-collection column ${name}`);
  }
  const partType = type.kind !== 'map' ? type.element : byKey ? type.key : type.value;
  const spec = variables.spec(`${byKey ? 'key' : 'value'}(${name})`, partType);
  const term = compileTerm(value, spec, variables);
  const index = columns.cellIndex(column);
  return {
    kind: 'contains',
    columns: [column],
    bound: undefined,
    bind: (values) => {
      const wanted = conditionValue(term(values), name);
      return (row) => {
        const cell = row[index] ?? null;
        if (cell === null) return false;
        const parts =
          type.kind === 'map' ? splitMap(cell).map(([k, v]) => (byKey ? k : v)) : splitList(cell);
        return parts.some((part) => compareValues(partType, part, wanted) === 0);
      };
    },
  };
}

function compileIn(
  relation: Extract<Relation, { kind: 'in' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  const column = columns.get(relation.column.text);
  const { type, name } = column;
  if (isMultiCell(type)) throw multiCell(column, 'IN');
  const list = compileInValues(relation.values, variables, name, type, column);
  const index = columns.cellIndex(column);
  return {
    // Cassandra reads IN with one value as an equality.
    kind: !isExpression(relation.values) && relation.values.length === 1 ? 'eq' : 'in',
    columns: [column],
    bound: undefined,
    bind: (values) => {
      const wanted = list(values);
      return (row) => {
        const cell = row[index] ?? null;
        return cell !== null && wanted.some((value) => compareValues(type, cell, value) === 0);
      };
    },
  };
}

function compileElement(
  relation: Extract<Relation, { kind: 'element' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  const column = columns.get(relation.column.text);
  const { type, name } = column;
  if (relation.operator === '!=') throw notEqual(`${name}[…] != `);
  if (type.kind === 'list') {
    throw new InvalidRequestError(
      `Indexes on list entries (${name}[index] = value) are not currently supported.`,
    );
  }
  if (type.kind !== 'map') {
    throw new InvalidRequestError(`Column ${name} cannot be used as a map`);
  }
  if (!isMultiCell(type)) {
    throw new InvalidRequestError(
      `Map-entry equality predicates on frozen map column ${name} are not supported`,
    );
  }
  if (relation.operator !== '=') {
    throw new InvalidRequestError('Only EQ relations are supported on map entries');
  }
  const key = compileTerm(relation.key, variables.spec(`key(${name})`, type.key), variables);
  const value = compileTerm(
    relation.value,
    variables.spec(`value(${name})`, type.value),
    variables,
  );
  const index = columns.cellIndex(column);
  return {
    kind: 'contains',
    columns: [column],
    bound: undefined,
    bind: (values) => {
      const wantedKey = conditionValue(key(values), name);
      const wanted = conditionValue(value(values), name);
      return (row) => {
        const cell = row[index] ?? null;
        if (cell === null) return false;
        return splitMap(cell).some(
          ([k, v]) =>
            compareValues(type.key, k, wantedKey) === 0 &&
            compareValues(type.value, v, wanted) === 0,
        );
      };
    },
  };
}

function multiCell(column: VirtualColumn, operator: string): InvalidRequestError {
  const { type, name } = column;
  return new InvalidRequestError(
    type.kind === 'udt'
      ? `Non-frozen UDT column '${name}' (${printType(type)}) cannot be restricted by any relation`
      : `Collection column '${name}' (${printType(type)}) cannot be restricted by a '${operator}' relation`,
  );
}

function refuseDurationSlice(type: CqlType): void {
  if (type.kind === 'native' && type.name === 'duration') {
    throw new InvalidRequestError('Slice restrictions are not supported on duration columns');
  }
  if (type.kind === 'custom') {
    throw new UnsupportedStatementError('Comparisons of custom types are not supported');
  }
}
