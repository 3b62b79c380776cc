import { quoteIdentifier } from '../cql/index.ts';
import type { PartitionHandle, SealBatch, TableCipherKeys } from '../crypto/index.ts';
import { CiphertextError, InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, IndexEntry, TableEntry } from '../schema/index.ts';
import { blindIndexes, blindValue, lacksIndexKeys, storedBlind } from './blind_columns.ts';
import type { BlindIndex } from './blind_columns.ts';
import type { FilterRestriction, KeyRestriction, Restrictions } from './restrictions.ts';
import { columnContext, storedName, tableName } from './table_columns.ts';
import type { TermContext } from './terms.ts';

/** Longest value that Cassandra's own kind of index is asked for. */
const MAX_SOUGHT_BYTES = 0xffff;

/** A read of stored rows by the blind value of a column, or by a component of the partition key as it is stored. */
export interface IndexLookup {
  readonly index: IndexEntry;
  /** `undefined` for a component of the partition key: equal ones are stored as equal bytes. */
  readonly blind: BlindIndex | undefined;
  /** What stands in the stored statement. */
  readonly column: string;
  readonly restriction: KeyRestriction;
}

/** The value that a read looks for, before it is blinded. */
export interface BoundLookup {
  readonly lookup: IndexLookup;
  readonly value: Uint8Array;
}

/** The name of a column in the statement that Cassandra judges: where it has an index, that is on the hidden column. */
export function judgedName(table: TableEntry, column: ColumnEntry): string {
  const indexes = table.indexes.length === 0 ? [] : blindIndexes(table, column);
  // Of two indexes the storage-attached one answers more.
  const index = indexes.find(({ className }) => className !== null) ?? indexes[0];
  return index === undefined ? storedName(column) : quoteIdentifier(index.hidden.name);
}

/** Types of which a storage-attached index takes no slices. Spec: IndexTermType.isLiteral of Cassandra 5.0.6. */
const LITERAL_TYPES: ReadonlySet<string> = new Set(['ascii', 'text', 'boolean']);

/** Whether Cassandra would answer slices of a column by its storage-attached index. */
export function servesSlices(table: TableEntry, column: ColumnEntry): boolean {
  const { type } = column;
  return (
    type.kind === 'native' &&
    !LITERAL_TYPES.has(type.name) &&
    table.indexes.some(
      (index) => index.column === column && index.className !== null && index.hidden !== null,
    )
  );
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

/**
 * The index by which rows are found: of the first column that has one that is complete, and that is sought by equality.
 * @param isScan WHERE does not give the partition
 */
export function indexLookup(
  table: TableEntry,
  { filters, partition }: Restrictions,
  isScan: boolean,
): IndexLookup | undefined {
  if (table.indexes.length === 0) return undefined;
  const compared = filters.flatMap((filter: FilterRestriction) =>
    filter.kind === 'compare' ? [filter.restriction] : [],
  );
  for (const restriction of isScan ? [...compared, ...partition] : compared) {
    const [column, ...others] = restriction.columns;
    if (column === undefined || others.length > 0 || restriction.operator !== '=') continue;
    const index = table.indexes.find((one) => one.column === column && one.isActive);
    if (index === undefined || column.kind === 'clustering') continue;
    const blind = blindIndexes(table, column).find((one) => one === index);
    return { index, blind, column: blind?.hidden.name ?? column.name, restriction };
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
  return { lookup, value };
}

/** What the stored column is compared with: bytes, or a component of a partition key that is encrypted when the batch runs. */
export function soughtValue(
  { lookup, value }: BoundLookup,
  table: TableEntry,
  batch: SealBatch,
  keys: TableCipherKeys,
): Uint8Array | PartitionHandle {
  const { blind, index } = lookup;
  if (blind !== undefined) return storedBlind(blind, blindValue(blind, value, keys));
  return batch.partition(keys, [{ context: columnContext(table, index.column), value }]);
}

/** Whether keys are of another version of the table than the plan of a read. */
export function lacksLookupKey(lookup: IndexLookup | undefined, keys: TableCipherKeys): boolean {
  const blind = lookup?.blind;
  return blind !== undefined && lacksIndexKeys([{ index: blind, cell: 0 }], keys);
}

/** The error for a row whose blind value is not that of its cell: it was moved or altered in Cassandra. */
export function foreignHit(table: TableEntry, { index }: IndexLookup): CiphertextError {
  return new CiphertextError(
    'CIPHERTEXT_BLIND_INDEX',
    `index ${index.name} of column ${tableName(table)}.${index.column.name}`,
  );
}
