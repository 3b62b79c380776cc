import { quoteIdentifier } from '../cql/index.ts';
import type { PartitionHandle, RowHandle, SealBatch, TableCipherKeys } from '../crypto/index.ts';
import { nonceOfHidden } from '../crypto/index.ts';
import { InternalError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import {
  canonicalValue,
  packEntries,
  serializeList,
  splitList,
  splitMap,
} from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import type { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { blindIndexes, blindingDek, checkIndexedSize, storedBlind } from './blind_columns.ts';
import type { BlindAssignment, BlindIndex } from './blind_columns.ts';
import { columnParts } from './column_parts.ts';
import type { ColumnParts } from './column_parts.ts';
import { sealedPart, sealKey, sealKeys } from './part_seal.ts';
import type { NonceSource, SealedParts } from './part_seal.ts';

/**
 * What a statement does to a column of several cells. put: an entry of a map; put_at: an element of a list by its index;
 * delete: an element of a set or an entry of a map.
 */
export type PartOperation = 'set' | 'append' | 'prepend' | 'remove' | 'put' | 'put_at' | 'delete';

/** What is written into the hidden column of an index beside an operation on its column. */
export interface BlindMirror extends BlindAssignment {
  /** `h = h + ?`; of a DELETE `h[?]`. */
  readonly text: string;
  /** Whether the key of an entry is a marker of its own, before the value. */
  readonly hasKey: boolean;
  readonly seal: (
    batch: SealBatch,
    owner: RowHandle | PartitionHandle,
    keys: TableCipherKeys,
    bound: { readonly key: BoundValue | undefined; readonly value: BoundValue },
  ) => SealedMirror;
}

/** What the markers of a mirror get. */
export interface SealedMirror {
  readonly key?: SealedParts | null | typeof UNSET | undefined;
  readonly value: SealedParts | null | typeof UNSET;
}

type Collection = ColumnParts & { readonly kind: 'list' | 'set' | 'map' };

/** A value that is looked for, or the entry of a map. */
export interface PartValue {
  readonly key?: Uint8Array | undefined;
  readonly value: Uint8Array;
}

/** Types of which equal values have equal bytes. */
const EXACT_TYPES: ReadonlySet<string> = new Set([
  'ascii',
  'bigint',
  'blob',
  'date',
  'inet',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'tinyint',
  'uuid',
]);

/**
 * The hidden columns that a statement writes beside an operation on a column of several cells: the same operation, on blind
 * values. Lists differ, as their elements have no key that both columns could share (decision 19): what an index replaces or
 * deletes in a list stays in the hidden one.
 * @param cell which of the statement's cells the operation is
 */
export function mirrorsOf(
  table: TableEntry,
  column: ColumnEntry,
  operation: PartOperation,
  cell: number,
): BlindMirror[] {
  if (table.indexes.length === 0) return [];
  const parts = columnParts(table, column);
  if (parts === undefined || parts.kind === 'fields') return [];
  if (parts.kind === 'list' && operation === 'remove' && !isExact(parts.type)) return [];
  return blindIndexes(table, column).map((index) => ({
    index,
    cell,
    text: mirrorText(operation, quoteIdentifier(index.hidden.name)),
    hasKey: operation === 'put',
    seal: (batch, owner, keys, { key, value }) => {
      if (operation === 'put')
        return sealEntry(batch, owner, table, index, parts, keys, key, value);
      if (operation === 'put_at') {
        const added = value instanceof Uint8Array ? [{ value }] : [];
        return { value: constant(serializeList(blindsOf(table, index, parts, added, keys))) };
      }
      if (!(value instanceof Uint8Array)) return { value };
      return { value: sealValue(batch, owner, table, index, parts, keys, operation, value) };
    },
  }));
}

function mirrorText(operation: PartOperation, name: string): string {
  switch (operation) {
    case 'set':
      return `${name} = ?`;
    case 'append':
    case 'put_at':
      return `${name} = ${name} + ?`;
    case 'prepend':
      return `${name} = ? + ${name}`;
    case 'remove':
      return `${name} = ${name} - ?`;
    case 'put':
      return `${name}[?] = ?`;
    case 'delete':
      return `${name}[?]`;
  }
}

function isExact(type: CqlType): boolean {
  return type.kind === 'native' && EXACT_TYPES.has(type.name);
}

function sealEntry(
  batch: SealBatch,
  owner: RowHandle | PartitionHandle,
  table: TableEntry,
  index: BlindIndex,
  parts: Collection,
  keys: TableCipherKeys,
  key: BoundValue | undefined,
  value: BoundValue,
): SealedMirror {
  if (parts.kind !== 'map') throw new InternalError('an entry of a column that is no map');
  if (!(key instanceof Uint8Array)) return { key: key ?? null, value: null };
  const sealedKey = sealedPart(sealKey(batch, owner, parts, key));
  if (!(value instanceof Uint8Array)) return { key: sealedKey, value };
  const [blind] = blindsOf(table, index, parts, [{ key, value }], keys);
  return { key: sealedKey, value: constant(blind ?? new Uint8Array()) };
}

function sealValue(
  batch: SealBatch,
  owner: RowHandle | PartitionHandle,
  table: TableEntry,
  index: BlindIndex,
  parts: Collection,
  keys: TableCipherKeys,
  operation: Exclude<PartOperation, 'put' | 'put_at'>,
  value: Uint8Array,
): SealedParts {
  if (parts.kind !== 'map') {
    if (operation === 'delete') {
      const [blind] = blindsOf(table, index, parts, [{ value }], keys);
      return constant(blind ?? new Uint8Array());
    }
    const items = splitList(value, parts.kind).map((item) => ({ value: item }));
    const blinds = blindsOf(table, index, parts, items, keys);
    if (parts.kind === 'set') blinds.sort((a, b) => Buffer.compare(a, b));
    return constant(serializeList(blinds));
  }
  if (operation === 'delete') return sealedPart(sealKey(batch, owner, parts, value));
  if (operation === 'remove') return sealKeys(batch, owner, parts, value);
  const entries = splitMap(value);
  const blinds = blindsOf(
    table,
    index,
    parts,
    entries.map(([key, item]) => ({ key, value: item })),
    keys,
  );
  const handles = entries.map(([key]) => sealKey(batch, owner, parts, key));
  return {
    count: entries.length,
    bytes: (ran) =>
      packEntries(
        handles
          .map((handle, at) => [ran.cellBytes(handle), blinds[at] as Uint8Array] as const)
          .sort(([a], [b]) => Buffer.compare(a, b)),
      ),
  };
}

/**
 * Blind values of elements or entries as the hidden column holds them.
 * @throws InvalidRequestError as Cassandra for what cannot be indexed
 */
export function blindsOf(
  table: TableEntry,
  index: BlindIndex,
  parts: ColumnParts,
  items: readonly PartValue[],
  keys: TableCipherKeys,
): Uint8Array[] {
  for (const item of items) checkIndexedSize(table, index, indexedSize(index, item));
  return partBlinds(index, parts, items, keys);
}

/** As {@link blindsOf}, for a value that is looked for; of an index on keys it is `value`. */
export function partBlinds(
  index: BlindIndex,
  parts: ColumnParts,
  items: readonly PartValue[],
  keys: TableCipherKeys,
): Uint8Array[] {
  const dek = blindingDek(index, keys);
  const { id } = index.column;
  const made = ((): Buffer[] => {
    if (parts.kind === 'fields') throw new InternalError('an index on a user type');
    if (parts.kind !== 'map') {
      return dek.blindValues(
        id,
        items.map(({ value }) => canonicalValue(parts.type, value)),
      );
    }
    const { keyType } = parts;
    const valueType = mapValueType(index.column);
    const keyOf = ({ key, value }: PartValue): Uint8Array => canonicalValue(keyType, key ?? value);
    switch (index.target) {
      case 'keys':
        return dek.blindValues(id, items.map(keyOf));
      case 'entries':
        return dek.blindEntries(
          id,
          items.map((item) => [keyOf(item), canonicalValue(valueType, item.value)]),
        );
      default:
        return dek.blindValues(
          id,
          items.map(({ value }) => canonicalValue(valueType, value)),
        );
    }
  })();
  return made.map((blind) => storedBlind(index, blind));
}

/** The nonces that decide a map's values as their blind values are decided: decision 19; `undefined` where they are random. */
export function mapNonces(
  table: TableEntry,
  column: ColumnEntry,
  keys: TableCipherKeys,
): NonceSource | undefined {
  if (table.indexes.length === 0 || column.type.kind !== 'map') return undefined;
  const index = blindIndexes(table, column).find(
    ({ target }) => target === 'values' || target === 'entries',
  );
  if (index === undefined) return undefined;
  const type = mapValueType(column);
  return (values) =>
    blindingDek(index, keys)
      .blindValues(
        column.id,
        values.map((value) => canonicalValue(type, value)),
      )
      .map(nonceOfHidden);
}

function mapValueType({ type }: ColumnEntry): CqlType {
  if (type.kind !== 'map') throw new InternalError('a value of a column that is no map');
  return type.value;
}

/** Bytes of what Cassandra's own kind of index keeps of an element. Spec: CassandraIndex.getIndexedValue */
function indexedSize({ target }: BlindIndex, { key, value }: PartValue): number {
  if (target === 'keys') return (key ?? value).length;
  return target === 'entries' ? (key?.length ?? 0) + value.length + 6 : value.length;
}

function constant(bytes: Uint8Array): SealedParts {
  return { count: 0, bytes: () => bytes };
}
