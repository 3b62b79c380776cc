import { quoteIdentifier } from '../cql/index.ts';
import type { PartitionHandle, SealBatch, TableCipherKeys } from '../crypto/index.ts';
import { CiphertextError, InternalError, InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, IndexEntry, IndexTarget, TableEntry } from '../schema/index.ts';
import { isMultiCell } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import { blindIndexes, blindValue, lacksIndexKeys, storedBlind } from './blind_columns.ts';
import type { BlindIndex } from './blind_columns.ts';
import { partBlinds } from './blind_parts.ts';
import type { PartValue } from './blind_parts.ts';
import { columnParts } from './column_parts.ts';
import type { FilterRestriction, KeyRestriction, Restrictions } from './restrictions.ts';
import { columnContext, storedName, tableName } from './table_columns.ts';
import type { TermContext, TermSource } from './terms.ts';

/** Longest value that Cassandra's own kind of index is asked for. */
const MAX_SOUGHT_BYTES = 0xffff;

/** A read of stored rows by the blind value of a column, or by a component of the partition key as it is stored. */
export interface IndexLookup {
  readonly index: IndexEntry;
  /** `undefined` for a component of the partition key: equal ones are stored as equal bytes. */
  readonly blind: BlindIndex | undefined;
  /** What stands in the stored statement. */
  readonly column: string;
  /** `CONTAINS` where that is a hidden column of several cells. */
  readonly operator: '=' | 'CONTAINS';
  readonly restriction: KeyRestriction | PartRestriction;
}

/** A restriction of an element, key or entry of a collection. */
export type PartRestriction = Exclude<FilterRestriction, { readonly kind: 'compare' }>;

/** The value that a read looks for, before it is blinded. */
export interface BoundLookup extends PartValue {
  readonly lookup: IndexLookup;
}

/** The name of a column in the statement that Cassandra judges: where it has an index, that is on the hidden column. */
export function judgedName(table: TableEntry, column: ColumnEntry): string {
  const isIndexed = table.indexes.length > 0 && !isMultiCell(column.type);
  const indexes = isIndexed ? blindIndexes(table, column) : [];
  // Of two indexes the storage-attached one answers more.
  const index = indexes.find(({ className }) => className !== null) ?? indexes[0];
  return index === undefined ? storedName(column) : quoteIdentifier(index.hidden.name);
}

/** Which part of a collection an index must be on to serve a restriction. */
function targetOf(kind: PartRestriction['kind']): IndexTarget {
  switch (kind) {
    case 'contains':
      return 'values';
    case 'contains_key':
      return 'keys';
    case 'entry':
      return 'entries';
  }
}

/**
 * The restrictions of parts of one column, in the statement that Cassandra judges. Cassandra merges them into one, which an
 * index serves that serves any of them; several are served by a storage-attached one only.
 * Spec: ContainsRestriction.needsFiltering of Cassandra 5.0.6
 * @param isAlone nothing else is restricted but keys
 */
export function judgedParts(
  table: TableEntry,
  column: ColumnEntry,
  kinds: readonly PartRestriction['kind'][],
  isAlone: boolean,
): string[] {
  const own = quoteIdentifier(column.name);
  if (!isMultiCell(column.type)) {
    // An index on a whole key column does not serve them, and would an equality.
    const isIndexed = table.indexes.some(
      (index) => index.column === column && index.hidden === null,
    );
    return [`${own} ${isIndexed ? '>' : '='} ?`];
  }
  const targets = kinds.map(targetOf);
  const indexes = blindIndexes(table, column).filter(({ target }) => targets.includes(target));
  const index = indexes.find(({ className }) => className !== null) ?? indexes[0];
  if (index === undefined) return [`${own} CONTAINS ?`];
  const isMultiple = kinds.length > 1;
  // An index of Cassandra's own kind serves one restriction; in its place there may be one that serves several.
  const standsIn = index.className === null && index.hidden.type.includes('ascii');
  if (standsIn && (isMultiple || !isAlone)) return [`${own} CONTAINS ?`];
  const text = `${quoteIdentifier(index.hidden.name)} CONTAINS ?`;
  return isMultiple ? [text, text] : [text];
}

/** Types of which a storage-attached index takes no slices. Spec: IndexTermType.EQ_ONLY_TYPES of Cassandra 5.0.6. */
const EQUALITY_TYPES: ReadonlySet<string> = new Set(['ascii', 'text', 'boolean', 'uuid']);

/** Whether Cassandra would answer slices of a column by its storage-attached index, which leaves empty values out. */
export function servesSlices(table: TableEntry, column: ColumnEntry): boolean {
  return takesSlices(column.type) && hasAttachedIndex(table, column);
}

function hasAttachedIndex(table: TableEntry, column: ColumnEntry): boolean {
  return table.indexes.some(
    (index) => index.column === column && index.className !== null && index.hidden !== null,
  );
}

/** Whether Cassandra would answer by a storage-attached index: it then tests rows by what such indexes compare. */
export function usesAttachedIndex(table: TableEntry, { filters }: Restrictions): boolean {
  return filters.some((filter) => {
    if (filter.kind !== 'compare') {
      return blindIndexes(table, filter.column).some(
        ({ className, target }) => className !== null && target === targetOf(filter.kind),
      );
    }
    const { columns, operator } = filter.restriction;
    if (operator === '=') return columns.some((column) => hasAttachedIndex(table, column));
    return operator !== 'IN' && columns.some((column) => servesSlices(table, column));
  });
}

function takesSlices(type: CqlType): boolean {
  return type.kind === 'native' && !EQUALITY_TYPES.has(type.name);
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
 * Whether Cassandra would answer slices of clustering columns by a storage-attached index, in whose place it has one here that
 * takes none.
 */
export function servesClusteringSlices(
  table: TableEntry,
  clustering: readonly KeyRestriction[],
): boolean {
  return table.indexes.some(
    ({ column, className }) =>
      className !== null &&
      takesSlices(column.type) &&
      clustering.some(
        ({ columns, operator }) =>
          operator !== '=' && operator !== 'IN' && columns.includes(column),
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
  const compared = filters.flatMap((filter) =>
    filter.kind === 'compare' ? [filter.restriction] : [],
  );
  for (const filter of filters) {
    const lookup = filter.kind === 'compare' ? undefined : partLookup(table, filter);
    if (lookup !== undefined) return lookup;
  }
  for (const restriction of isScan ? [...compared, ...partition] : compared) {
    const [column, ...others] = restriction.columns;
    if (column === undefined || others.length > 0 || restriction.operator !== '=') continue;
    const index = table.indexes.find((one) => one.column === column && one.isActive);
    if (index === undefined || column.kind === 'clustering') continue;
    const blind = blindIndexes(table, column).find((one) => one === index);
    const stored = blind?.hidden.name ?? column.name;
    return { index, blind, column: stored, operator: '=', restriction };
  }
  return undefined;
}

function partLookup(table: TableEntry, restriction: PartRestriction): IndexLookup | undefined {
  const { column, kind } = restriction;
  if (!isMultiCell(column.type)) return undefined;
  const blind = blindIndexes(table, column).find(
    ({ target, isActive }) => isActive && target === targetOf(kind),
  );
  if (blind === undefined) return undefined;
  const stored = blind.hidden.name;
  return { index: blind, blind, column: stored, operator: 'CONTAINS', restriction };
}

/** Evaluates what is sought. @throws InvalidRequestError as Cassandra. */
export function bindLookup(
  lookup: IndexLookup | undefined,
  context: TermContext,
): BoundLookup | undefined {
  if (lookup === undefined) return undefined;
  const { index, restriction } = lookup;
  if ('kind' in restriction) return { lookup, ...partValue(restriction, context) };
  const value = restriction.values(context, true)[0]?.[0];
  if (!(value instanceof Uint8Array)) {
    throw new InvalidRequestError(`Unsupported null value for column ${index.column.name}`);
  }
  if (index.className === null && value.length > MAX_SOUGHT_BYTES) {
    throw new InvalidRequestError('Index expression values may not be larger than 64K');
  }
  return { lookup, value };
}

function partValue(restriction: PartRestriction, context: TermContext): PartValue {
  const { column } = restriction;
  const required = (source: TermSource, what: string): Uint8Array => {
    const value = source(context);
    if (value instanceof Uint8Array) return value;
    throw new InvalidRequestError(
      `Unsupported ${value === UNSET ? 'unset' : 'null'} ${what} for column ${column.name}`,
    );
  };
  if (restriction.kind !== 'entry') return { value: required(restriction.value, 'value') };
  return {
    key: required(restriction.key, 'map key'),
    value: required(restriction.value, 'map value'),
  };
}

/** What the stored column is compared with: bytes, or a component of a partition key that is encrypted when the batch runs. */
export function soughtValue(
  { lookup, key, value }: BoundLookup,
  table: TableEntry,
  batch: SealBatch,
  keys: TableCipherKeys,
): Uint8Array | PartitionHandle {
  const { blind, index } = lookup;
  const parts = columnParts(table, index.column);
  if (blind !== undefined && parts !== undefined) {
    const [sought] = partBlinds(blind, parts, [{ key, value }], keys);
    if (sought === undefined) throw new InternalError('no blind value was made');
    return sought;
  }
  if (blind !== undefined) return storedBlind(blind, blindValue(blind, value, keys));
  return batch.partition(keys, [{ context: columnContext(table, index.column), value }]);
}

/** Whether keys are of another version of the table than the plan of a read. */
export function lacksLookupKey(lookup: IndexLookup | undefined, keys: TableCipherKeys): boolean {
  const blind = lookup?.blind;
  return blind !== undefined && lacksIndexKeys([{ index: blind, cell: 0 }], keys);
}

/**
 * Whether a hit without the value that was sought is to be passed over: what was replaced or deleted in a list by its index
 * stays in the hidden list (decision 19).
 */
export function mayBeStale({ index, operator }: IndexLookup): boolean {
  return operator === 'CONTAINS' && index.column.type.kind === 'list';
}

/** The error for a row whose blind value is not that of its cell: it was moved or altered in Cassandra. */
export function foreignHit(table: TableEntry, { index }: IndexLookup): CiphertextError {
  return new CiphertextError(
    'CIPHERTEXT_BLIND_INDEX',
    `index ${index.name} of column ${tableName(table)}.${index.column.name}`,
  );
}
