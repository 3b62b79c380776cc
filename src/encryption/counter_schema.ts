import type { Property } from '../cql/index.ts';
import { CqlErrorCode, InvalidRequestError } from '../errors/index.ts';
import type { NewColumn, TableEntry } from '../schema/index.ts';
import { referencesCounter } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { isCounterTable } from './table_columns.ts';

/** Cassandra's rules for a new table with counters; stored, they are blobs to it. @throws InvalidRequestError */
export function checkNewCounters(
  columns: readonly NewColumn[],
  properties: readonly Property[],
): void {
  const others = columns.filter(({ kind }) => kind === 'static' || kind === 'regular');
  if (!others.some(({ type }) => type === 'counter')) return;
  if (others.some(({ type }) => type !== 'counter')) {
    throw new InvalidRequestError('Cannot mix counter and non counter columns in the same table');
  }
  refuseDefaultTtl(properties);
}

/** Cassandra's rule for the table property of a counter table. @throws InvalidRequestError */
export function refuseDefaultTtl(properties: readonly Property[]): void {
  const isSet = properties.some(
    ({ name, value }) =>
      name.text.toLowerCase() === 'default_time_to_live' &&
      value.kind === 'constant' &&
      Number(value.constant.text) > 0,
  );
  if (!isSet) return;
  throw new InvalidRequestError('Cannot set default_time_to_live on a table with counters');
}

/** Cassandra's rules for a column that a table gets. @throws InvalidRequestError */
export function checkAddedCounter(name: string, type: CqlType, table: TableEntry): void {
  const isCounter = referencesCounter(type);
  if (isCounter === isCounterTable(table)) return;
  // Cassandra looks at columns of that name first: one that is there, or was dropped and has rules of its own.
  if (table.columns.has(name) || table.dropped.some((column) => column.name === name)) return;
  // A table of a primary key alone is no counter table for Cassandra either.
  throw new InvalidRequestError(
    `${table.keyspace}.${table.name}: ${
      isCounter
        ? `Cannot have a counter column ("${name}") in a non counter table`
        : `Cannot have a non counter column ("${name}") in a counter table`
    }`,
    CqlErrorCode.CONFIG_ERROR,
  );
}
