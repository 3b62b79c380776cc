import type {
  ClusteringHandle,
  PartitionHandle,
  SealBatch,
  TableCipherKeys,
} from '../crypto/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { compareValues, serializeList, serializeTuple, valueCodec } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { isEmptySlice } from './clustering_slices.ts';
import type { SliceSide } from './clustering_slices.ts';
import type { KeyRestriction } from './restrictions.ts';
import {
  columnContext,
  isClusteringForm,
  MAX_KEY_BYTES,
  storedName,
  tableName,
} from './table_columns.ts';
import type { TermContext } from './terms.ts';

/** A logical partition key: one value for each component. */
export type PartitionKey = readonly Uint8Array[];

/** Values of the clustering restrictions of one execution: canonical, not yet sealed. */
export type ClusteringValues = readonly (readonly (readonly Uint8Array[])[])[];

/** Clustering restrictions sealed for one partition: handle by restriction, tuple, component. */
export type SealedClustering = readonly (readonly (readonly ClusteringHandle[])[])[];

/**
 * Evaluates restrictions that name every partition key column by `=` or IN: the partitions in Cassandra's order (by
 * value, without duplicates).
 */
export function partitionKeys(
  table: TableEntry,
  restrictions: readonly KeyRestriction[],
  context: TermContext,
): PartitionKey[] {
  let keys: Uint8Array[][] = [[]];
  for (const column of table.partitionKey) {
    const restriction = restrictions.find((r) => r.columns[0] === column);
    const tuples = restriction?.values(context) ?? [];
    const isClustering = isClusteringForm(column);
    const values = tuples.map((tuple) => {
      const value = tuple[0] as Uint8Array;
      return isClustering ? valueCodec(column.type).canonical(value) : value;
    });
    if (restriction?.operator === 'IN') {
      values.sort((a, b) => compareValues(column.type, a, b));
      keys = keys.flatMap((key) => distinct(column.type, values).map((value) => [...key, value]));
    } else {
      keys = keys.map((key) => [...key, values[0] as Uint8Array]);
    }
  }
  return keys;
}

/** Of values that compare equal, as 1.0 and 1.00, Cassandra takes the first that is written, though they are two partitions. */
function distinct(type: CqlType, sorted: readonly Uint8Array[]): Uint8Array[] {
  return sorted.filter((value, index) => {
    const before = sorted[index - 1];
    return before === undefined || compareValues(type, before, value) !== 0;
  });
}

/** @throws InvalidRequestError for an empty key of one component, as Cassandra. */
export function checkPartitionKeys(keys: readonly PartitionKey[]): void {
  if (keys.some((key) => key.length === 1 && key[0]?.length === 0)) {
    throw new InvalidRequestError('Key may not be empty');
  }
}

/**
 * Whether clustering restrictions can be met by no row: an IN of nothing, or a slice that ends before it begins. Cassandra
 * answers such a read without looking at its keys.
 * @param tested restrictions that rows are tested by: for them it reads
 */
export function selectsNothing(
  restrictions: readonly KeyRestriction[],
  values: ClusteringValues,
  tested: ReadonlySet<KeyRestriction>,
): boolean {
  const isSought = (restriction: KeyRestriction): boolean => !tested.has(restriction);
  if (restrictions.some((r, index) => isSought(r) && values[index]?.length === 0)) return true;
  const side = (operators: readonly string[]): SliceSide | undefined => {
    const index = restrictions.findIndex((r) => operators.includes(r.operator) && isSought(r));
    const restriction = restrictions[index];
    if (restriction === undefined) return undefined;
    const { columns, operator } = restriction;
    return { columns, values: values[index]?.[0] ?? [], isInclusive: operator.endsWith('=') };
  };
  const lower = side(['>', '>=']);
  const upper = side(['<', '<=']);
  return lower !== undefined && upper !== undefined && isEmptySlice(lower, upper);
}

/** Queues a partition key for sealing. */
export function sealPartition(
  batch: SealBatch,
  keys: TableCipherKeys,
  table: TableEntry,
  key: PartitionKey,
): PartitionHandle {
  return batch.partition(
    keys,
    table.partitionKey.map((column, index) => ({
      context: columnContext(table, column),
      value: key[index] as Uint8Array,
    })),
  );
}

/** Queues one clustering value for sealing. */
export function sealClusteringValue(
  batch: SealBatch,
  partition: PartitionHandle,
  table: TableEntry,
  column: ColumnEntry,
  value: Uint8Array,
): ClusteringHandle {
  return batch.clustering(partition, columnContext(table, column), value);
}

/**
 * Evaluates the clustering restrictions to canonical values.
 * @param tested those that Cassandra tests row by row
 */
export function clusteringValues(
  restrictions: readonly KeyRestriction[],
  context: TermContext,
  tested: ReadonlySet<KeyRestriction> = new Set(),
): ClusteringValues {
  return restrictions.map((restriction) =>
    restriction
      .values(context, tested.has(restriction))
      .map((tuple) =>
        tuple.map((value, index) =>
          valueCodec((restriction.columns[index] as ColumnEntry).type).canonical(
            value as Uint8Array,
          ),
        ),
      ),
  );
}

/** Queues the values of the clustering restrictions for one partition. */
export function sealClustering(
  batch: SealBatch,
  partition: PartitionHandle,
  table: TableEntry,
  restrictions: readonly KeyRestriction[],
  values: ClusteringValues,
): SealedClustering {
  return restrictions.map((restriction, r) =>
    (values[r] ?? []).map((tuple) =>
      tuple.map((value, index) =>
        sealClusteringValue(
          batch,
          partition,
          table,
          restriction.columns[index] as ColumnEntry,
          value,
        ),
      ),
    ),
  );
}

/** The text of clustering restrictions on the stored table; every value is a marker. */
export function clusteringText(restrictions: readonly KeyRestriction[]): string {
  return restrictions
    .map((restriction) => {
      const names = restriction.columns.map(storedName);
      if (!restriction.multiColumn) {
        return ` AND ${names[0] ?? ''} ${restriction.operator} ?`;
      }
      if (restriction.operator === 'IN') return ` AND (${names.join(', ')}) IN ?`;
      return ` AND (${names.join(', ')}) ${restriction.operator} (${names.map(() => '?').join(', ')})`;
    })
    .join('');
}

/** The stored values for the markers of {@link clusteringText}, after the batch ran. */
export function clusteringMarkers(
  restrictions: readonly KeyRestriction[],
  stored: StoredClustering,
): Uint8Array[] {
  const values: Uint8Array[] = [];
  restrictions.forEach((restriction, r) => {
    const tuples = stored[r] ?? [];
    if (restriction.operator === 'IN') {
      values.push(
        serializeList(
          tuples.map((tuple) =>
            restriction.multiColumn ? serializeTuple(tuple) : (tuple[0] as Uint8Array),
          ),
        ),
      );
    } else {
      values.push(...(tuples[0] ?? []));
    }
  });
  return values;
}

/** Sealed clustering restrictions as bytes: by restriction, tuple, component. */
export type StoredClustering = readonly (readonly (readonly Uint8Array[])[])[];

/** Takes the bytes of sealed restrictions out of a batch that ran. */
export function storedClustering(batch: SealBatch, sealed: SealedClustering): StoredClustering {
  return sealed.map((tuples) =>
    tuples.map((tuple) => tuple.map((handle) => batch.clusteringBytes(handle))),
  );
}

/** @throws InvalidRequestError when the stored components exceed Cassandra's limit, naming both sizes. */
export function checkKeySize(
  table: TableEntry,
  what: 'partition key' | 'clustering',
  stored: readonly Uint8Array[],
  logical: readonly Uint8Array[],
): void {
  let size = 0;
  for (const part of stored) size += part.length;
  if (size <= MAX_KEY_BYTES) return;
  const plain = logical.reduce((sum, part) => sum + part.length, 0);
  throw new InvalidRequestError(
    `Key length of ${String(size)} is longer than maximum of ${String(MAX_KEY_BYTES)} (the ${what} of ${tableName(table)} has ${String(plain)} bytes, ${String(size)} once encrypted)`,
  );
}
