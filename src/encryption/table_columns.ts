import type { ColumnContext } from '../crypto/index.ts';
import { quoteIdentifier } from '../cql/index.ts';
import type { Identifier } from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { valueCodec } from '../values/index.ts';

/** Prefix of the columns that the proxy adds to stored tables; clients can neither see nor name them. */
export const HIDDEN_PREFIX = 'cqlock_';

/** Column that no table has: the proxy refuses names with this prefix. */
export const PROBE_COLUMN = `${HIDDEN_PREFIX}probe`;

/** Cassandra's limit on the sum of a partition key or a clustering, in bytes. */
export const MAX_KEY_BYTES = 65_535;

/** Names a table in an error: `ks.table`. */
export function tableName(table: TableEntry): string {
  return `${table.keyspace}.${table.name}`;
}

/** Looks a column up as Cassandra does. @throws InvalidRequestError when the table has none of that name. */
export function requireColumn(table: TableEntry, name: Identifier): ColumnEntry {
  const column = table.columns.get(name.text);
  if (column === undefined) {
    throw new InvalidRequestError(
      `Undefined column name ${name.quoted ? `"${name.text}"` : name.text} in table ${tableName(table)}`,
    );
  }
  return column;
}

/** The name of a column in the stored table, as CQL text. */
export function storedName({ name, storedName: stored }: ColumnEntry): string {
  return quoteIdentifier(stored ?? name);
}

/** Whether a column is a counter. */
export function isCounter({ type }: ColumnEntry): boolean {
  return type.kind === 'native' && type.name === 'counter';
}

/** Whether a table is a counter table: all its columns outside the primary key are, or were, counters. */
export function isCounterTable(table: TableEntry): boolean {
  return table.allColumns.some(isCounter) || table.dropped.some(({ type }) => type === 'counter');
}

/** Whether a column is stored in the form of a clustering column, wherever in a key: a view may have it in its partition key. */
export function isClusteringForm({ scheme }: ColumnEntry): boolean {
  return scheme === 'ordered' || scheme === 'opaque';
}

/** Whether a column is stored in the form of a partition key, wherever in a key: a view may have it in its clustering. */
export function isPartitionForm({ scheme }: ColumnEntry): boolean {
  return scheme === 'partition';
}

function cellKind(column: ColumnEntry, kind: 'static' | 'regular'): ColumnContext['kind'] {
  if (!isCounter(column)) return kind;
  return kind === 'static' ? 'static_counter' : 'counter';
}

const contexts = new WeakMap<ColumnEntry, ColumnContext>();

/** The cryptographic identity of a column; one object for the life of the catalog entry. */
export function columnContext(table: TableEntry, column: ColumnEntry): ColumnContext {
  const known = contexts.get(column);
  if (known !== undefined) return known;
  const codec = valueCodec(column.type);
  const base = {
    columnId: column.id,
    name: `${tableName(table)}.${column.name}`,
    padded: column.padded,
  };
  const made: ColumnContext =
    isPartitionForm(column) || (column.kind === 'partition' && !isClusteringForm(column))
      ? { ...base, kind: 'partition' }
      : column.kind === 'clustering' || column.kind === 'partition'
        ? column.scheme === 'opaque'
          ? { ...base, kind: 'opaque' }
          : { ...base, kind: 'ordered', orderBits: (value) => codec.orderBits(value) }
        : { ...base, kind: cellKind(column, column.kind) };
  contexts.set(column, made);
  return made;
}
