import { quoteIdentifier } from '../cql/index.ts';
import type { TableCipherKeys } from '../crypto/index.ts';
import { CiphertextError, InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { blindIndexes, blindValue, lacksIndexKeys, storedBlind } from './blind_columns.ts';
import type { BlindIndex } from './blind_columns.ts';
import type { FilterRestriction, KeyRestriction, Restrictions } from './restrictions.ts';
import { tableName } from './table_columns.ts';
import type { TermContext } from './terms.ts';

/** Longest value that Cassandra's own kind of index is asked for. */
const MAX_SOUGHT_BYTES = 0xffff;

/** A read of stored rows by the blind value of a column. */
export interface IndexLookup {
  readonly index: BlindIndex;
  readonly restriction: KeyRestriction;
}

/** The value that a read looks for, before it is blinded. */
export interface BoundLookup {
  readonly index: BlindIndex;
  readonly value: Uint8Array;
}

/** The name of a column in the statement that Cassandra judges: where it has an index, that is on the hidden column. */
export function judgedName(table: TableEntry, column: ColumnEntry): string {
  const indexes = table.indexes.length === 0 ? [] : blindIndexes(table, column);
  // Of two indexes the storage-attached one answers more.
  const index = indexes.find(({ className }) => className !== null) ?? indexes[0];
  return quoteIdentifier(index?.hidden.name ?? column.name);
}

/**
 * Whether Cassandra would refuse the restrictions only because its index on a stored key column stands for a
 * storage-attached one, which also takes slices.
 */
export function hasKeySlices(table: TableEntry, { partition, clustering }: Restrictions): boolean {
  return table.indexes.some(
    (index) =>
      index.hidden === null &&
      index.className !== null &&
      [...partition, ...clustering].some(
        ({ columns, operator }) => operator !== '=' && columns.includes(index.column),
      ),
  );
}

/** The index by which rows are found: of the first column that has one that is complete, and that is sought by equality. */
export function indexLookup(
  table: TableEntry,
  filters: readonly FilterRestriction[],
): IndexLookup | undefined {
  if (table.indexes.length === 0) return undefined;
  for (const filter of filters) {
    if (filter.kind !== 'compare' || filter.restriction.operator !== '=') continue;
    const [column, ...others] = filter.restriction.columns;
    if (column === undefined || others.length > 0) continue;
    const index = blindIndexes(table, column).find(({ isActive }) => isActive);
    if (index !== undefined) return { index, restriction: filter.restriction };
  }
  return undefined;
}

/** Evaluates what is sought. @throws InvalidRequestError as Cassandra. */
export function bindLookup(
  lookup: IndexLookup | undefined,
  context: TermContext,
): BoundLookup | undefined {
  if (lookup === undefined) return undefined;
  const { index, restriction } = lookup;
  const value = restriction.values(context, true)[0]?.[0];
  if (!(value instanceof Uint8Array)) {
    throw new InvalidRequestError(`Unsupported null value for column ${index.column.name}`);
  }
  if (index.className === null && value.length > MAX_SOUGHT_BYTES) {
    throw new InvalidRequestError('Index expression values may not be larger than 64K');
  }
  return { index, value };
}

/** What the hidden column is compared with. */
export function soughtValue({ index, value }: BoundLookup, keys: TableCipherKeys): Uint8Array {
  return storedBlind(index, blindValue(index, value, keys));
}

/** Whether keys are of another version of the table than the plan of a read. */
export function lacksLookupKey(lookup: IndexLookup | undefined, keys: TableCipherKeys): boolean {
  return lookup !== undefined && lacksIndexKeys([{ index: lookup.index, cell: 0 }], keys);
}

/** The error for a row whose blind value is not that of its cell: it was moved or altered in Cassandra. */
export function foreignHit(table: TableEntry, { index }: IndexLookup): CiphertextError {
  return new CiphertextError(
    'CIPHERTEXT_BLIND_INDEX',
    `index ${index.name} of column ${tableName(table)}.${index.column.name}`,
  );
}
