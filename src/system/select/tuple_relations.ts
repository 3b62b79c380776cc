import { InvalidRequestError } from '../../errors/index.ts';
import type { Expression, Identifier, Relation } from '../../cql/index.ts';
import type { BoundValue } from '../../wire/index.ts';
import { compareValues, splitTuple } from '../../values/index.ts';
import type { TupleType } from '../../values/index.ts';
import type { VirtualColumn, VirtualRow } from '../virtual_table.ts';
import type { Columns } from './columns.ts';
import { boundOf, compileInValues, holds, isExpression, notEqual } from './restriction.ts';
import type { Restriction } from './restriction.ts';
import { compileTerm, conditionValue } from './terms.ts';
import type { Term } from './terms.ts';
import type { Variables } from './variables.ts';

/** Compiles `(a, b) > (1, 2)`. @throws InvalidRequestError with Cassandra's texts. */
export function compileTuple(
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

/** Compiles `(a, b) IN ((1, 2), …)`. @throws InvalidRequestError with Cassandra's texts. */
export function compileTupleIn(
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
    if (value.items.length !== used.length) {
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
