import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { Expression, Selector } from '../../cql/index.ts';
import type { ColumnSpec } from '../../wire/index.ts';
import {
  compareValues,
  constantToBytes,
  isMultiCell,
  native,
  printType,
  splitList,
  splitMap,
} from '../../values/index.ts';
import type { VirtualColumn, VirtualRow } from '../virtual_table.ts';
import type { Columns } from './columns.ts';
import { partitionToken } from './token.ts';

/** One output column. Aggregates see all rows, the others one row. */
export interface Output {
  readonly spec: ColumnSpec;
  readonly aggregate: boolean;
  /** The column a plain selector stands for. */
  readonly column: VirtualColumn | undefined;
  /** All columns it reads. */
  readonly reads: readonly VirtualColumn[];
  /** The value of a row, or of a whole group of rows for an aggregate. The group may be empty. */
  evaluate(group: readonly VirtualRow[]): Uint8Array | null;
}

/** Compiles the SELECT clause. @throws UnsupportedStatementError naming a function that is not served. */
export function compileSelectors(
  selectors: readonly Selector[] | undefined,
  columns: Columns,
): Output[] {
  if (selectors === undefined) {
    return columns.table.columns.map((column) => columnOutput(column, columns));
  }
  return selectors.map((selector) => {
    const output = compileSelector(selector.expression, columns);
    return selector.alias === undefined
      ? output
      : { ...output, spec: { ...output.spec, name: selector.alias.text } };
  });
}

function compileSelector(expression: Expression, columns: Columns): Output {
  switch (expression.kind) {
    case 'column':
      return columnOutput(columns.get(expression.name.text), columns);
    case 'count_rows':
      return {
        spec: spec(columns, 'count', native('bigint')),
        aggregate: true,
        column: undefined,
        reads: [],
        evaluate: (group) => bigint(BigInt(group.length)),
      };
    case 'metadata':
      return metadataOutput(expression, columns);
    case 'element':
      return elementOutput(expression, columns);
    case 'function':
      return functionOutput(expression, columns);
    default:
      throw unsupported(`a selector of this kind (${expression.kind})`, columns);
  }
}

function columnOutput(column: VirtualColumn, columns: Columns): Output {
  const index = columns.cellIndex(column);
  return {
    spec: spec(columns, column.name, column.type),
    aggregate: false,
    column,
    reads: [column],
    evaluate: (group) => group[0]?.[index] ?? null,
  };
}

/** The rows were not written by a client: there is no write time and no TTL to show. */
function metadataOutput(
  expression: Extract<Expression, { kind: 'metadata' }>,
  columns: Columns,
): Output {
  const name = expression.function;
  if (expression.value.kind !== 'column')
    throw unsupported(`${name} of a part of a column`, columns);
  const column = columns.get(expression.value.name.text);
  if (column.kind !== 'regular') {
    throw new InvalidRequestError(
      `Cannot use selection function ${name} on PRIMARY KEY part ${column.name}`,
    );
  }
  const type = native(name === 'ttl' ? 'int' : 'bigint');
  const listed = isMultiCell(column.type) && name !== 'maxwritetime';
  return {
    spec: spec(
      columns,
      `${name}(${column.name})`,
      listed ? { kind: 'list', element: type, frozen: true } : type,
    ),
    aggregate: false,
    column: undefined,
    reads: [column],
    evaluate: () => null,
  };
}

function elementOutput(
  expression: Extract<Expression, { kind: 'element' }>,
  columns: Columns,
): Output {
  if (expression.value.kind !== 'column' || expression.key.kind !== 'constant') {
    throw unsupported('an element selection of this form', columns);
  }
  const column = columns.get(expression.value.name.text);
  const { type, name } = column;
  if (type.kind === 'list') {
    throw new InvalidRequestError(
      `Element selection is only allowed on sets and maps, but ${name} is a list`,
    );
  }
  if (type.kind !== 'map' && type.kind !== 'set') {
    throw new InvalidRequestError(
      `Invalid element selection: ${name} is of type ${printType(type)} is not a collection`,
    );
  }
  const keyType = type.kind === 'map' ? type.key : type.element;
  const key = constantToBytes(expression.key, keyType, `key(${name})`);
  const index = columns.cellIndex(column);
  // Cassandra prints the key without doubling quotes.
  const label = expression.key.type === 'string' ? `'${expression.key.text}'` : expression.key.text;
  return {
    spec: spec(columns, `${name}[${label}]`, type.kind === 'map' ? type.value : keyType),
    aggregate: false,
    column: undefined,
    reads: [column],
    evaluate: (group) => {
      const cell = group[0]?.[index] ?? null;
      if (cell === null) return null;
      if (type.kind === 'map') {
        return splitMap(cell).find(([k]) => compareValues(keyType, k, key) === 0)?.[1] ?? null;
      }
      return splitList(cell, 'set').find((k) => compareValues(keyType, k, key) === 0) ?? null;
    },
  };
}

function functionOutput(
  expression: Extract<Expression, { kind: 'function' }>,
  columns: Columns,
): Output {
  const name = expression.name.toLowerCase();
  const native = expression.keyspace === undefined || expression.keyspace === 'system';
  const args = expression.args.map((arg) => {
    if (arg.kind !== 'column') throw unsupported(`the function ${expression.name}`, columns);
    return columns.get(arg.name.text);
  });
  if (native && name === 'token') return tokenOutput(args, columns);
  const [column] = args;
  if (!native || column === undefined || args.length !== 1) {
    throw unsupported(`the function ${expression.name}`, columns);
  }
  if (name === 'count') return countOutput(column, columns);
  if (name === 'min' || name === 'max') return extremeOutput(name, column, columns);
  throw unsupported(`the function ${expression.name}`, columns);
}

function tokenOutput(args: readonly VirtualColumn[], columns: Columns): Output {
  const keys = columns.partition;
  if (args.length !== keys.length) {
    throw new InvalidRequestError(
      `Invalid number of arguments in call to function system.token: ${String(keys.length)} required but ${String(args.length)} provided`,
    );
  }
  if (args.some((column, index) => column !== keys[index])) {
    throw new InvalidRequestError(
      'Invalid call to function token: its arguments must be the partition key in order',
    );
  }
  const indexes = keys.map((column) => columns.cellIndex(column));
  return {
    spec: spec(
      columns,
      `system.token(${keys.map((key) => key.name).join(', ')})`,
      native('bigint'),
    ),
    aggregate: false,
    column: undefined,
    reads: keys,
    evaluate: (group) => {
      const [row] = group;
      if (row === undefined) return null;
      return bigint(partitionToken(indexes.map((index) => row[index] ?? new Uint8Array(0))));
    },
  };
}

function countOutput(column: VirtualColumn, columns: Columns): Output {
  const index = columns.cellIndex(column);
  return {
    spec: spec(columns, `system.count(${column.name})`, native('bigint')),
    aggregate: true,
    column: undefined,
    reads: [column],
    evaluate: (group) =>
      bigint(BigInt(group.filter((row) => (row[index] ?? null) !== null).length)),
  };
}

function extremeOutput(name: 'min' | 'max', column: VirtualColumn, columns: Columns): Output {
  const index = columns.cellIndex(column);
  const sign = name === 'min' ? -1 : 1;
  return {
    spec: spec(columns, `system.${name}(${column.name})`, column.type),
    aggregate: true,
    column: undefined,
    reads: [column],
    evaluate: (group) => {
      let best: Uint8Array | null = null;
      for (const row of group) {
        const cell = row[index] ?? null;
        if (cell === null) continue;
        if (best === null || compareValues(column.type, cell, best) * sign > 0) best = cell;
      }
      return best;
    },
  };
}

function spec(columns: Columns, name: string, type: ColumnSpec['type']): ColumnSpec {
  return { keyspace: columns.table.keyspace, table: columns.table.name, name, type };
}

function bigint(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function unsupported(what: string, columns: Columns): UnsupportedStatementError {
  const { keyspace, name } = columns.table;
  return new UnsupportedStatementError(
    `A query on ${keyspace}.${name} with ${what} is not supported by the proxy`,
  );
}
