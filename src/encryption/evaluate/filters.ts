import { InvalidRequestError } from '../../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../../schema/index.ts';
import { compareValues, native, splitList, splitMap } from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import { UNSET } from '../../wire/index.ts';
import { tupleFilterRefusal } from '../clustering_filters.ts';
import { servesSlices } from '../index_lookup.ts';
import type { FilterRestriction, KeyRestriction, TokenRestriction } from '../restrictions.ts';
import type { Row } from '../stored_result.ts';
import { isClusteringForm, storedName } from '../table_columns.ts';
import type { TermContext, TermSource } from '../terms.ts';
import type { Inputs } from './inputs.ts';

/** Whether a row meets a restriction. */
export type RowTest = (row: Row) => boolean;

/** Binds a restriction to the values of one execution. @throws InvalidRequestError as Cassandra for wrong values. */
export type RowFilter = (context: TermContext) => RowTest;

/** Whether a logical value meets a restriction. */
type ValueTest = (value: Uint8Array) => boolean;

/** Compiles a restriction on a column outside the primary key, or on a part of a column. Spec: RowFilter of Cassandra 5.0. */
export function columnFilter(filter: FilterRestriction, inputs: Inputs): RowFilter {
  if (filter.kind === 'compare') return keyFilter(filter.restriction, inputs, true);
  const { column } = filter;
  const slot = inputs.column(column);
  return (context) => valueFilter(slot, partTest(filter, context));
}

/**
 * What a storage-attached index adds to a restriction: its own column has no empty values, and Internet addresses, also of
 * columns without an index, are compared by its order as well.
 * Spec: IndexTermType.skipsEmptyValue and comparePostFilter of Cassandra 5.0.6
 * @param isAttached Cassandra would answer by a storage-attached index, of this or another column
 */
export function attachedFilters(
  table: TableEntry,
  filter: FilterRestriction,
  inputs: Inputs,
  isAttached: boolean,
): RowFilter[] {
  if (filter.kind !== 'compare') return [];
  const { restriction } = filter;
  const [column] = restriction.columns;
  if (column === undefined) return [];
  const slot = inputs.column(column);
  const added: RowFilter[] = [];
  if (servesSlices(table, column)) added.push(() => (row) => row[slot]?.length !== 0);
  const isAddress = column.type.kind === 'native' && column.type.name === 'inet';
  if (isAttached && isAddress && restriction.operator !== 'IN')
    added.push(keyFilter(restriction, inputs, true, compareAddresses));
  return added;
}

/**
 * Compiles a restriction on key columns that cannot be left to Cassandra.
 * @param isFilter Cassandra would test row by row, too: with its errors for what it cannot test so
 */
export function keyFilter(
  restriction: KeyRestriction,
  inputs: Inputs,
  isFilter: boolean,
  compare: typeof compareValues = compareValues,
): RowFilter {
  const { columns, operator } = restriction;
  const slots = columns.map((column) => inputs.column(column));
  const types = columns.map(({ type }) => type);
  return (context) => {
    const refusal = isFilter ? tupleFilterRefusal(restriction) : undefined;
    if (refusal !== undefined) throw refusal;
    const tuples = restriction.values(context, isFilter);
    const accepts = comparison(operator);
    const [slot] = slots;
    const [type] = types;
    if (slot !== undefined && type !== undefined && slots.length === 1) {
      const wanted = tuples.flatMap(([value]) => (value instanceof Uint8Array ? [value] : []));
      return valueFilter(slot, (value) =>
        wanted.some((other) => accepts(compare(type, value, other))),
      );
    }
    return (row) => {
      const values = slots.map((at) => row[at] ?? null);
      if (values.includes(null)) return false;
      return tuples.some((tuple) => accepts(compareTuples(types, values, tuple)));
    };
  };
}

/**
 * Compiles a token beside the partition key that it is the token of: that of the stored key, which Cassandra calculates for
 * each row. `undefined` where it is compared with the token of another key.
 */
export function tokenFilter(
  table: TableEntry,
  { operator, value }: TokenRestriction,
  inputs: Inputs,
): RowFilter | undefined {
  if (value.kind !== 'token') return undefined;
  const type = native('bigint');
  const text = `token(${table.partitionKey.map(storedName).join(', ')})`;
  const { keyspace, name } = table;
  const slot = inputs.add({
    text,
    spec: { keyspace, table: name, name: text, type },
    role: { kind: 'plain', width: 8 },
    nameFromCassandra: false,
  });
  const accepts = comparison(operator);
  return (context) => {
    const wanted = value.source(context);
    if (!(wanted instanceof Uint8Array)) throw new InvalidRequestError('Invalid null token value');
    return valueFilter(slot, (token) => accepts(compareValues(type, token, wanted)));
  };
}

/** Compares IPv4 addresses as the IPv6 addresses that they are mapped to. */
function compareAddresses(_type: CqlType, a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(mappedAddress(a), mappedAddress(b));
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

function mappedAddress(address: Uint8Array): Uint8Array {
  return address.length === 4 ? Buffer.concat([MAPPED, address]) : address;
}

/** Null meets no restriction. */
function valueFilter(slot: number, test: ValueTest): RowTest {
  return (row) => {
    const value = row[slot];
    return value !== null && value !== undefined && test(value);
  };
}

function comparison(operator: KeyRestriction['operator']): (order: number) => boolean {
  switch (operator) {
    case '=':
    case 'IN':
      return (order) => order === 0;
    case '<':
      return (order) => order < 0;
    case '<=':
      return (order) => order <= 0;
    case '>':
      return (order) => order > 0;
    case '>=':
      return (order) => order >= 0;
  }
}

/** Compares as far as the shorter tuple goes: a slice may name the first columns only. */
function compareTuples(types: readonly CqlType[], values: Row, tuple: Row): number {
  for (const [index, type] of types.entries()) {
    const value = values[index] ?? null;
    const other = tuple[index] ?? null;
    if (value === null || other === null) break;
    const order = compareValues(type, value, other);
    if (order !== 0) return order;
  }
  return 0;
}

function partTest(
  filter: Exclude<FilterRestriction, { kind: 'compare' }>,
  context: TermContext,
): ValueTest {
  const { column } = filter;
  const { type } = column;
  switch (filter.kind) {
    case 'contains': {
      const wanted = operand(filter.value, context, 'value', column);
      if (type.kind === 'map') {
        const equals = equality(type.value, !type.frozen || isCanonical(column), wanted);
        return (bytes) => splitMap(bytes).some(([, value]) => equals(value));
      }
      if (type.kind !== 'list' && type.kind !== 'set') return () => false;
      const equals = equality(type.element, !type.frozen || isCanonical(column), wanted);
      return (bytes) => splitList(bytes).some(equals);
    }
    case 'contains_key': {
      const wanted = operand(filter.value, context, 'value', column);
      if (type.kind !== 'map') return () => false;
      return (bytes) => splitMap(bytes).some(([key]) => compareValues(type.key, key, wanted) === 0);
    }
    case 'entry': {
      const wantedKey = operand(filter.key, context, 'map key', column);
      const wanted = operand(filter.value, context, 'map value', column);
      if (type.kind !== 'map') return () => false;
      return (bytes) =>
        splitMap(bytes).some(
          ([key, value]) =>
            compareValues(type.key, key, wantedKey) === 0 &&
            compareValues(type.value, value, wanted) === 0,
        );
    }
  }
}

/** Whether the values of a column are read back in canonical form: bytes say nothing of what was written. */
function isCanonical(column: ColumnEntry): boolean {
  return column.kind === 'clustering' || isClusteringForm(column);
}

function operand(
  source: TermSource,
  context: TermContext,
  what: 'value' | 'map key' | 'map value',
  column: ColumnEntry,
): Uint8Array {
  const value = source(context);
  if (value instanceof Uint8Array) return value;
  throw new InvalidRequestError(
    `Unsupported ${value === UNSET ? 'unset' : 'null'} ${what} for column ${column.name}`,
  );
}

/**
 * Equality of elements. In a frozen collection Cassandra compares Java objects, for which decimals of different scale are
 * different values; in one with a cell an element it asks the type.
 */
function equality(type: CqlType, byType: boolean, wanted: Uint8Array): ValueTest {
  if (!byType && type.kind === 'native' && type.name === 'decimal') {
    return (value) => Buffer.compare(value, wanted) === 0;
  }
  return (value) => compareValues(type, value, wanted) === 0;
}
