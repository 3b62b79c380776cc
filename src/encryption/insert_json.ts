import type { Expression, InsertStatement } from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import {
  decodedText,
  foldKeys,
  JsonSyntaxError,
  MarshalError,
  parseJson,
  readJson,
} from '../functions/index.ts';
import type { JsonValue } from '../functions/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { native } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { compileTerm } from './terms.ts';
import type { TermContext, TermScope, TermSource } from './terms.ts';

type JsonClause = NonNullable<InsertStatement['json']>;

/** A column that INSERT JSON writes: all of the table. */
export interface JsonColumn {
  readonly column: ColumnEntry;
  readonly source: TermSource;
}

/** Values of the columns that one JSON text names. */
type JsonRow = ReadonlyMap<string, Uint8Array | null>;

const TEXT = native('text');

/**
 * The columns of an INSERT JSON and where their values come from. The text is read once per execution.
 * @throws InvalidRequestError with Cassandra's message when a literal text does not fit the table
 */
export function compileJson(
  { value, defaultUnset }: JsonClause,
  table: TableEntry,
  columns: readonly ColumnEntry[],
  scope: TermScope,
): JsonColumn[] {
  const { keyspace, name } = table;
  const text = compileTerm(value, { keyspace, table: name, name: '[json]', type: TEXT }, scope);
  const literal = literalText(value);
  if (literal !== undefined) readRow(literal, columns);
  const rows = new WeakMap<TermContext, JsonRow>();
  const rowOf = (context: TermContext): JsonRow => {
    const known = rows.get(context);
    if (known !== undefined) return known;
    const row = readRow(textOf(text(context)), columns);
    rows.set(context, row);
    return row;
  };
  const missing = defaultUnset ? UNSET : null;
  return columns.map((column) => ({
    column,
    source: (context): BoundValue => {
      const found = rowOf(context).get(column.name);
      return found === undefined ? missing : found;
    },
  }));
}

function literalText(value: Expression): string | undefined {
  return value.kind === 'constant' ? value.text : undefined;
}

function textOf(value: BoundValue): string {
  if (!(value instanceof Uint8Array)) {
    throw new InvalidRequestError('Got null for INSERT JSON values');
  }
  return decodedText(value);
}

/** Spec: org.apache.cassandra.cql3.Json.parseJson. */
function readRow(text: string, columns: readonly ColumnEntry[]): JsonRow {
  const values = foldKeys(parseObject(text));
  const row = new Map<string, Uint8Array | null>();
  for (const column of columns) {
    const value = values.get(column.name);
    if (value === undefined) continue;
    values.delete(column.name);
    row.set(column.name, value === null ? null : readColumn(column, value));
  }
  const [unknown] = values.keys();
  if (unknown !== undefined) {
    throw new InvalidRequestError(`JSON values map contains unrecognized column: ${unknown}`);
  }
  return row;
}

function parseObject(text: string): ReadonlyMap<string, JsonValue> {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw notAMap(error.message);
    throw error;
  }
  if (value === null) throw new InvalidRequestError('Got null for INSERT JSON values');
  if (value instanceof Map) return value as ReadonlyMap<string, JsonValue>;
  throw notAMap('com.fasterxml.jackson.databind.exc.MismatchedInputException: <constant>');
}

function notAMap(exception: string): InvalidRequestError {
  return new InvalidRequestError(
    `Could not decode JSON string as a map: ${exception}. (String was: <constant>)`,
  );
}

function readColumn({ name, type }: ColumnEntry, value: JsonValue): Uint8Array {
  try {
    return readJson(type, value);
  } catch (error) {
    if (!(error instanceof MarshalError)) throw error;
    throw new InvalidRequestError(`Error decoding JSON value for ${name}: ${error.message}`);
  }
}
