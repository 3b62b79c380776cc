import type { BindMarker, Expression, Relation } from '../cql/index.ts';
import {
  InvalidRequestError,
  UnsupportedStatementError,
  type ProxyError,
} from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { native, splitList, splitTuple } from '../values/index.ts';
import type { CqlType, TupleType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { isSlice, notOfSlice } from './clustering_filters.ts';
import { compileInList } from './in_list.ts';
import type { Receiver } from './markers.ts';
import { requireColumn, storedName, tableName } from './table_columns.ts';
import { containsReceiver, elementReceivers, refuseRelation } from './collection_relations.ts';
import { judgedName, judgedParts, servesSlices } from './index_lookup.ts';
import type { PartRestriction } from './index_lookup.ts';
import { compileTerm } from './terms.ts';
import type { TermContext, TermScope, TermSource } from './terms.ts';

/**
 * Gives the logical values of one relation: one row of components for each value of an IN.
 * @param isFilter rows are tested one by one: null and unset are other errors then, as in Cassandra
 */
export type TupleSource = (context: TermContext, isFilter?: boolean) => (Uint8Array | null)[][];

/** What a WHERE clause says of one or several key columns. */
export interface KeyRestriction {
  /** Key columns in the order the relation names them. */
  readonly columns: readonly ColumnEntry[];
  readonly operator: '=' | '<' | '<=' | '>' | '>=' | 'IN';
  /** One tuple, or one for each element of IN; a single column gives tuples of one. */
  readonly values: TupleSource;
  /** Whether the relation was written with parentheses: `(a, b) > (1, 2)`. */
  readonly multiColumn: boolean;
}

/** A restriction on token(partition key). */
export interface TokenRestriction {
  readonly operator: '=' | '<' | '<=' | '>' | '>=';
  /** A token as bigint bytes, or the logical partition key whose token is meant. */
  readonly value:
    | { readonly kind: 'token'; readonly source: TermSource }
    | { readonly kind: 'key'; readonly sources: readonly TermSource[] };
}

/** A restriction on a column outside the primary key, or on a part of a column: Cassandra cannot evaluate it on ciphertext. */
export type FilterRestriction =
  | { readonly kind: 'compare'; readonly restriction: KeyRestriction }
  | {
      readonly kind: 'contains' | 'contains_key';
      readonly column: ColumnEntry;
      readonly value: TermSource;
    }
  | {
      readonly kind: 'entry';
      readonly column: ColumnEntry;
      readonly key: TermSource;
      readonly value: TermSource;
    };

/** A WHERE clause, taken apart. */
export interface Restrictions {
  readonly partition: readonly KeyRestriction[];
  readonly clustering: readonly KeyRestriction[];
  /** Those of them that are no part of the slice that is read: rows are tested by them. */
  readonly tested: ReadonlySet<KeyRestriction>;
  readonly token: readonly TokenRestriction[];
  /** What only the proxy can evaluate, row by row. */
  readonly filters: readonly FilterRestriction[];
  /** The clause as Cassandra would see it on the stored table, for its own validation; empty without WHERE. */
  readonly validationText: string;
  /** Why Cassandra cannot run the clause on ciphertext although it parses; raised after it had its say. */
  readonly refusal: ProxyError | undefined;
  /** The refusal of what the proxy cannot evaluate either. */
  readonly unsupported: ProxyError | undefined;
}

const INT = native('int');
const BIGINT = native('bigint');

/** Takes a WHERE clause apart and compiles its values. @throws InvalidRequestError as Cassandra would. */
export function analyseWhere(
  relations: readonly Relation[],
  table: TableEntry,
  scope: TermScope,
): Restrictions {
  const partition: KeyRestriction[] = [];
  const clustering: KeyRestriction[] = [];
  const token: TokenRestriction[] = [];
  const filters: FilterRestriction[] = [];
  const texts: string[] = [];
  /** Columns that were restricted by CONTAINS, CONTAINS KEY or an element, and how. */
  const byElement = new Map<ColumnEntry, PartRestriction['kind'][]>();
  /** Columns whose slices a storage-attached index serves. */
  const sliced = new Set<ColumnEntry>();
  let unsupported: ProxyError | undefined;
  const place = (restriction: KeyRestriction): void => {
    const kinds = new Set(restriction.columns.map((column) => column.kind));
    if (kinds.size === 1 && kinds.has('clustering')) clustering.push(restriction);
    else if (kinds.size === 1 && kinds.has('partition') && !restriction.multiColumn) {
      partition.push(restriction);
    } else if (!restriction.multiColumn) filters.push({ kind: 'compare', restriction });
    else unsupported ??= filteringRefusal(table);
  };
  // For Cassandra's eyes the restriction of an element is one of the whole column: only the proxy knows the type.
  const partRestriction = (restriction: PartRestriction): void => {
    filters.push(restriction);
    const { column, kind } = restriction;
    byElement.set(column, [...(byElement.get(column) ?? []), kind]);
  };
  const valueText = (column: ColumnEntry, text: string): void => {
    if (byElement.has(column)) {
      throw new InvalidRequestError(
        `Collection column ${column.name} can only be restricted by CONTAINS, CONTAINS KEY, or map-entry equality`,
      );
    }
    texts.push(text);
  };
  for (const relation of relations) {
    switch (relation.kind) {
      case 'comparison': {
        const column = requireColumn(table, relation.column);
        const { operator } = relation;
        refuseRelation(column, operator);
        if (operator === 'CONTAINS' || operator === 'CONTAINS KEY') {
          const isKey = operator === 'CONTAINS KEY';
          partRestriction({
            kind: isKey ? 'contains_key' : 'contains',
            column,
            value: compileTerm(relation.value, containsReceiver(table, column, isKey), scope),
          });
          break;
        }
        // Cassandra's index is on a hidden column that it takes no slices of: it judges an equality instead, once.
        const isServed = isSlice(operator) && servesSlices(table, column);
        if (!isServed || !sliced.has(column)) {
          valueText(column, `${judgedName(table, column)} ${isServed ? '=' : operator} ?`);
        }
        if (isServed) sliced.add(column);
        const source = compileTerm(relation.value, receiverOf(table, column, true), scope);
        if (operator === '!=' || operator === 'LIKE') {
          unsupported ??= filteringRefusal(table);
          break;
        }
        place({
          columns: [column],
          operator,
          values: (context, isFilter) => [[keyValue(source, context, column, isFilter)]],
          multiColumn: false,
        });
        break;
      }
      case 'in': {
        const column = requireColumn(table, relation.column);
        refuseRelation(column, 'IN');
        // IN of one value is `=`, in Cassandra too.
        const isEquality = !isMarker(relation.values) && relation.values.length === 1;
        valueText(column, `${judgedName(table, column)} ${isEquality ? '=' : 'IN'} ?`);
        place({
          columns: [column],
          operator: isEquality ? '=' : 'IN',
          values: inValues(relation.values, table, column, scope),
          multiColumn: false,
        });
        break;
      }
      case 'tuple': {
        const columns = relation.columns.map((name) => requireColumn(table, name));
        texts.push(`(${names(columns)}) ${relation.operator} (${marks(columns.length)})`);
        const source = tupleValue(relation.value, table, columns, scope);
        if (relation.operator === '!=') {
          unsupported ??= filteringRefusal(table);
          break;
        }
        place({
          columns,
          operator: relation.operator,
          values: (context, isFilter) => [source(context, isFilter)],
          multiColumn: true,
        });
        break;
      }
      case 'tuple_in': {
        const columns = relation.columns.map((name) => requireColumn(table, name));
        // As above: an index may serve it then.
        const isEquality = !isMarker(relation.values) && relation.values.length === 1;
        texts.push(`(${names(columns)}) ${isEquality ? `= (${marks(columns.length)})` : 'IN ?'}`);
        place({
          columns,
          operator: isEquality ? '=' : 'IN',
          values: tupleInValues(relation.values, table, columns, scope),
          multiColumn: true,
        });
        break;
      }
      case 'token': {
        const columns = relation.columns.map((name) => requireColumn(table, name));
        texts.push(`token(${names(columns)}) ${relation.operator} ?`);
        const value = tokenValue(relation.value, table, scope);
        if (relation.operator === '!=') {
          unsupported ??= filteringRefusal(table);
          break;
        }
        token.push({ operator: relation.operator, value });
        break;
      }
      case 'is_not_null':
        texts.push(`${storedName(requireColumn(table, relation.column))} IS NOT NULL`);
        unsupported ??= filteringRefusal(table);
        break;
      case 'element': {
        const column = requireColumn(table, relation.column);
        const receivers = elementReceivers(table, column, relation.operator);
        partRestriction({
          kind: 'entry',
          column,
          key: compileTerm(relation.key, receivers.key, scope),
          value: compileTerm(relation.value, receivers.value, scope),
        });
        break;
      }
    }
  }
  for (const [column, kinds] of byElement) {
    const isAlone = filters.every(
      (filter) => filter.kind !== 'compare' && filter.column === column,
    );
    texts.push(...judgedParts(table, column, kinds, isAlone));
  }
  return {
    partition,
    clustering,
    tested: notOfSlice(clustering),
    token,
    filters,
    validationText: texts.length === 0 ? '' : ` WHERE ${texts.join(' AND ')}`,
    refusal: unsupported ?? (filters.length > 0 ? filteringRefusal(table) : undefined),
    unsupported,
  };
}

function filteringRefusal(table: TableEntry): ProxyError {
  return new UnsupportedStatementError(
    `ALLOW FILTERING and restrictions on columns outside the primary key are not supported by the proxy on the encrypted table ${tableName(table)} (see docs/compatibility.md)`,
  );
}

function names(columns: readonly ColumnEntry[]): string {
  return columns.map(storedName).join(', ');
}

function marks(count: number): string {
  return new Array<string>(count).fill('?').join(', ');
}

function receiverOf(
  table: TableEntry,
  column: ColumnEntry,
  whole: boolean,
  name?: string,
): Receiver {
  const base = {
    keyspace: table.keyspace,
    table: table.name,
    name: name ?? column.name,
    type: column.type,
  };
  return whole && column.kind === 'partition'
    ? { ...base, partitionKeyPosition: column.position }
    : base;
}

/** Value of one restricted column; null and unset are Cassandra's errors. */
function keyValue(
  source: TermSource,
  context: TermContext,
  column: ColumnEntry,
  isFilter = false,
): Uint8Array {
  return valid(source(context), column, isFilter);
}

function valid(value: BoundValue, column: ColumnEntry, isFilter: boolean): Uint8Array {
  if (value === null) {
    throw new InvalidRequestError(
      isFilter
        ? `Unsupported null value for column ${column.name}`
        : `Invalid null value in condition for column ${column.name}`,
    );
  }
  if (value === UNSET) {
    throw new InvalidRequestError(
      `${isFilter ? 'Unsupported' : 'Invalid'} unset value for column ${column.name}`,
    );
  }
  return value;
}

function inValues(
  values: readonly Expression[] | BindMarker,
  table: TableEntry,
  column: ColumnEntry,
  scope: TermScope,
): TupleSource {
  const name = `in(${column.name})`;
  if (isMarker(values)) {
    const source = compileInList(values, receiverOf(table, column, false), name, scope);
    return (context, isFilter = false) => {
      const list = source(context);
      if (list === null) {
        throw new InvalidRequestError(`Invalid null value for column ${column.name}`);
      }
      if (list === UNSET) {
        throw new InvalidRequestError(`Invalid unset value for column ${column.name}`);
      }
      return listed(list, column, isFilter);
    };
  }
  const sources = values.map((value) => compileTerm(value, receiverOf(table, column, true), scope));
  return (context, isFilter = false) =>
    listed(
      sources.map((source) => source(context)),
      column,
      isFilter,
    );
}

/**
 * The values of IN. In a filter Cassandra compares a row with one after the other, without an error, and ends at null: those
 * behind it are never found. Spec: Cassandra 5.0, Operator.IN
 */
function listed(
  values: readonly BoundValue[],
  column: ColumnEntry,
  isFilter: boolean,
): Uint8Array[][] {
  const end = isFilter ? values.indexOf(null) : -1;
  return (end < 0 ? values : values.slice(0, end)).map((value) => [valid(value, column, isFilter)]);
}

function isMarker(values: readonly Expression[] | BindMarker): values is BindMarker {
  return 'kind' in values;
}

function tupleType(columns: readonly ColumnEntry[]): TupleType {
  return { kind: 'tuple', elements: columns.map((column) => column.type) };
}

/** The components of `(a, b) = …`: a tuple literal, or a bound tuple. */
function tupleValue(
  value: Expression,
  table: TableEntry,
  columns: readonly ColumnEntry[],
  scope: TermScope,
  name = `(${columns.map((column) => column.name).join(',')})`,
): (context: TermContext, isFilter?: boolean) => (Uint8Array | null)[] {
  if (value.kind === 'tuple') {
    if (value.items.length !== columns.length) {
      throw new InvalidRequestError(
        `Expected ${String(columns.length)} elements in value tuple, but got ${String(value.items.length)}`,
      );
    }
    const sources = value.items.map((item, index) => {
      const column = columns[index] as ColumnEntry;
      return compileTerm(item, receiverOf(table, column, false), scope);
    });
    return (context, isFilter) =>
      sources.map((source, index) =>
        keyValue(source, context, columns[index] as ColumnEntry, isFilter),
      );
  }
  const type = tupleType(columns);
  const source = compileTerm(
    value,
    { keyspace: table.keyspace, table: table.name, name, type },
    scope,
  );
  return (context) => {
    const bytes = source(context);
    if (bytes === null || bytes === UNSET) {
      throw new InvalidRequestError(
        `Invalid ${bytes === null ? 'null' : 'unset'} value for (${columns.map((column) => column.name).join(', ')})`,
      );
    }
    return tupleComponents(bytes, columns);
  };
}

function tupleComponents(bytes: Uint8Array, columns: readonly ColumnEntry[]): Uint8Array[] {
  const parts = splitTuple(tupleType(columns), bytes);
  return columns.map((column, index) => {
    const part = parts[index];
    if (part === null || part === undefined) {
      throw new InvalidRequestError(`Invalid null value in condition for column ${column.name}`);
    }
    return part;
  });
}

function tupleInValues(
  values: readonly Expression[] | BindMarker,
  table: TableEntry,
  columns: readonly ColumnEntry[],
  scope: TermScope,
): TupleSource {
  const name = `in(${columns.map((column) => column.name).join(',')})`;
  if (isMarker(values)) {
    const type: CqlType = { kind: 'list', element: tupleType(columns), frozen: false };
    const source = compileTerm(
      values,
      { keyspace: table.keyspace, table: table.name, name, type },
      scope,
    );
    return (context) => {
      const list = source(context);
      if (list === null || list === UNSET) {
        throw new InvalidRequestError(
          `Invalid ${list === null ? 'null' : 'unset'} value for in(${columns.map((column) => column.name).join(',')})`,
        );
      }
      return splitList(list).map((item) => tupleComponents(item, columns));
    };
  }
  const sources = values.map((value) => tupleValue(value, table, columns, scope));
  return (context) => sources.map((source) => source(context));
}

function tokenValue(
  value: Expression,
  table: TableEntry,
  scope: TermScope,
): TokenRestriction['value'] {
  if (value.kind === 'function' && value.name.toLowerCase() === 'token') {
    if (value.args.length !== table.partitionKey.length) {
      throw new InvalidRequestError(
        `Invalid number of arguments in call to function system.token: ${String(table.partitionKey.length)} required but ${String(value.args.length)} provided`,
      );
    }
    return {
      kind: 'key',
      sources: value.args.map((argument, index) =>
        compileTerm(
          argument,
          receiverOf(
            table,
            table.partitionKey[index] as ColumnEntry,
            false,
            `arg${String(index)}(system.token)`,
          ),
          scope,
        ),
      ),
    };
  }
  return {
    kind: 'token',
    source: compileTerm(
      value,
      { keyspace: table.keyspace, table: table.name, name: 'partition key token', type: BIGINT },
      scope,
    ),
  };
}

/** Compiles LIMIT or PER PARTITION LIMIT; the source gives `undefined` when it is unset. */
export function compileLimit(
  expression: Expression | undefined,
  name: '[limit]' | '[per_partition_limit]',
  table: TableEntry,
  scope: TermScope,
): ((context: TermContext) => number | undefined) | undefined {
  if (expression === undefined) return undefined;
  const label = name === '[limit]' ? 'LIMIT' : 'PER PARTITION LIMIT';
  const source = compileTerm(
    expression,
    { keyspace: table.keyspace, table: table.name, name, type: INT },
    scope,
  );
  return (context) => {
    const bytes = source(context);
    if (bytes === UNSET) return undefined;
    if (bytes?.length !== 4) {
      throw new InvalidRequestError(`Invalid null value of ${label.toLowerCase()}`);
    }
    const limit = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0);
    if (limit <= 0) throw new InvalidRequestError('LIMIT must be strictly positive');
    return limit;
  };
}
