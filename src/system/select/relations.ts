import { assertNever } from '../../util/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { Expression, Identifier, Relation } from '../../cql/index.ts';
import type { BoundValue } from '../../wire/index.ts';
import { UNSET } from '../../wire/index.ts';
import {
  compareValues,
  isMultiCell,
  printType,
  splitList,
  splitMap,
  splitTuple,
} from '../../values/index.ts';
import type { CqlType, TupleType } from '../../values/index.ts';
import type { VirtualColumn, VirtualRow } from '../virtual_table.ts';
import type { Columns } from './columns.ts';
import { compileTerm, conditionValue } from './terms.ts';
import type { Term } from './terms.ts';
import { TOKEN_TYPE } from './variables.ts';
import type { Variables } from './variables.ts';
import { partitionToken } from './token.ts';

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

type Operator = '=' | '<' | '<=' | '>' | '>=';

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
      throw new InvalidRequestError(
        `restriction '${relation.column.text} IS NOT NULL' is only supported in materialized view creation`,
      );
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
    kind: 'in',
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

/** The values of IN: single terms, or one marker that carries the whole list. */
function compileInValues(
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

function isExpression(
  source: readonly Expression[] | Expression,
): source is Extract<Expression, { kind: 'bind' }> {
  return !Array.isArray(source);
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

function compileToken(
  relation: Extract<Relation, { kind: 'token' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  if (relation.operator === '!=') throw notEqual('token(…) != ');
  const { operator } = relation;
  const used = relation.columns.map((name) => columns.get(name.text));
  const keys = columns.partition;
  if (new Set(used).size !== used.length) {
    throw new InvalidRequestError(
      'The token() function contains duplicate partition key components',
    );
  }
  if (used.some((column) => column.kind !== 'partition')) {
    throw new InvalidRequestError(
      'The token() function must contains only partition key components',
    );
  }
  if (used.length !== keys.length) {
    throw new InvalidRequestError(
      'The token() function must be applied to all partition key components or none of them',
    );
  }
  if (used.some((column, position) => column !== keys[position])) {
    throw new InvalidRequestError(
      `The token function arguments must be in the partition key order: ${keys.map((k) => k.name).join(', ')}`,
    );
  }
  const spec = variables.spec('partition key token', TOKEN_TYPE);
  const term = compileTerm(relation.value, spec, variables);
  const indexes = keys.map((column) => columns.cellIndex(column));
  return {
    kind: 'token',
    columns: keys,
    bound: boundOf(operator),
    bind: (values) => {
      const value = term(values);
      if (value === null || value === UNSET) {
        throw new InvalidRequestError('Invalid null token value');
      }
      const wanted = Buffer.from(value).readBigInt64BE(0);
      return (row) => {
        const token = partitionToken(indexes.map((index) => row[index] ?? new Uint8Array(0)));
        return holds(operator, token < wanted ? -1 : token > wanted ? 1 : 0);
      };
    },
  };
}

function compileTuple(
  relation: Extract<Relation, { kind: 'tuple' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  if (relation.operator === '!=') throw notEqual('(…) != ');
  const { operator } = relation;
  const used = tupleColumns(relation.columns, columns);
  const read = compileTupleValue(relation.value, used, variables);
  return {
    kind: operator === '=' ? 'eq' : 'slice',
    columns: used,
    bound: boundOf(operator),
    bind: (values) => {
      const wanted = read(values);
      return (row) => {
        const order = compareCells(row, used, wanted, columns);
        return order !== undefined && holds(operator, order);
      };
    },
  };
}

function compileTupleIn(
  relation: Extract<Relation, { kind: 'tuple_in' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  const used = tupleColumns(relation.columns, columns);
  let read: (values: readonly BoundValue[]) => Uint8Array[][];
  if (isExpression(relation.values)) {
    const type = tupleType(used);
    const list = compileInValues(relation.values, variables, tupleName(used), type);
    read = (values) => list(values).map((tuple) => tupleParts(tuple, type, used));
  } else {
    const items = relation.values.map((item) => compileTupleValue(item, used, variables));
    read = (values) => items.map((item) => item(values));
  }
  return {
    kind: 'in',
    columns: used,
    bound: undefined,
    bind: (values) => {
      const wanted = read(values);
      return (row) => wanted.some((tuple) => compareCells(row, used, tuple, columns) === 0);
    },
  };
}

function compileTupleValue(
  value: Expression,
  used: readonly VirtualColumn[],
  variables: Variables,
): (values: readonly BoundValue[]) => Uint8Array[] {
  if (value.kind === 'tuple') {
    if (value.items.length > used.length) {
      throw new InvalidRequestError(
        `Expected ${String(used.length)} elements in value tuple, but got ${String(value.items.length)}`,
      );
    }
    const terms: Term[] = value.items.map((item, position) => {
      const column = used[position] as VirtualColumn;
      return compileTerm(item, variables.spec(column.name, column.type), variables, column);
    });
    return (values) =>
      terms.map((term, position) =>
        conditionValue(term(values), (used[position] as VirtualColumn).name),
      );
  }
  const type = tupleType(used);
  const name = tupleName(used);
  const term = compileTerm(value, variables.spec(name, type), variables);
  return (values) => tupleParts(conditionValue(term(values), name), type, used);
}

function tupleParts(
  tuple: Uint8Array,
  type: TupleType,
  used: readonly VirtualColumn[],
): Uint8Array[] {
  return splitTuple(type, tuple).map((part, position) =>
    conditionValue(part, used[position]?.name ?? type.kind),
  );
}

function tupleType(used: readonly VirtualColumn[]): TupleType {
  return { kind: 'tuple', elements: used.map((column) => column.type) };
}

function tupleName(used: readonly VirtualColumn[]): string {
  return `(${used.map((column) => column.name).join(',')})`;
}

function tupleColumns(names: readonly Identifier[], columns: Columns): VirtualColumn[] {
  const used: VirtualColumn[] = [];
  for (const name of names) {
    const column = columns.get(name.text);
    const text = `(${names.map((n) => n.text).join(', ')})`;
    if (column.kind !== 'clustering') {
      throw new InvalidRequestError(
        `Multi-column relations can only be applied to clustering columns but was applied to: ${column.name}`,
      );
    }
    if (used.includes(column)) {
      throw new InvalidRequestError(
        `Column "${column.name}" appeared twice in a relation: ${text}`,
      );
    }
    const previous = used.at(-1);
    if (previous !== undefined && column.position !== previous.position + 1) {
      throw new InvalidRequestError(
        `Clustering columns must appear in the PRIMARY KEY order in multi-column relations: ${text}`,
      );
    }
    used.push(column);
  }
  return used;
}

/** Compares the row's cells with a (perhaps shorter) tuple; `undefined` when a cell is null. */
function compareCells(
  row: VirtualRow,
  used: readonly VirtualColumn[],
  wanted: readonly Uint8Array[],
  columns: Columns,
): number | undefined {
  for (let position = 0; position < wanted.length; position += 1) {
    const column = used[position] as VirtualColumn;
    const cell = row[columns.cellIndex(column)] ?? null;
    if (cell === null) return undefined;
    const order = compareValues(column.type, cell, wanted[position] as Uint8Array);
    if (order !== 0) return order;
  }
  return 0;
}

function holds(operator: Operator, order: number): boolean {
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

function boundOf(operator: Operator): 'start' | 'end' | undefined {
  if (operator === '=') return undefined;
  return operator === '>' || operator === '>=' ? 'start' : 'end';
}

function notEqual(text: string): InvalidRequestError {
  return new InvalidRequestError(`Unsupported "!=" relation: ${text}<value>`);
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
