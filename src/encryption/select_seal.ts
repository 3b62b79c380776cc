import type { PartitionHandle, SealBatch, TableCipherKeys } from '../crypto/index.ts';
import { InternalError, InvalidRequestError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { canonicalValue } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { tupleFilterRefusal } from './clustering_filters.ts';
import { bindLookup, soughtValue } from './index_lookup.ts';
import type { BoundLookup } from './index_lookup.ts';
import {
  checkKeySize,
  checkPartitionKeys,
  clusteringMarkers,
  clusteringValues,
  partitionKeys,
  sealClustering,
  selectsNothing,
  storedClustering,
} from './key_sealing.ts';
import type { ClusteringValues, PartitionKey, SealedClustering } from './key_sealing.ts';
import type { SelectPlan } from './select_plan.ts';
import type { KnownKeys } from './stored_result.ts';
import { isClusteringForm } from './table_columns.ts';
import type { TermContext } from './terms.ts';
import { sealKey, storedKey } from './view_keys.ts';
import type { SealedKey } from './view_keys.ts';

/** The values of one execution of a SELECT, before they are sealed. */
export interface BoundSelect {
  readonly plan: SelectPlan;
  /** Partitions in the order in which Cassandra returns them; `undefined` for a scan. */
  readonly partitions: readonly PartitionKey[] | undefined;
  readonly clustering: ClusteringValues;
  readonly tokens: readonly (
    | { readonly kind: 'token'; readonly value: Uint8Array }
    | { readonly kind: 'key'; readonly key: PartitionKey }
  )[];
  readonly lookup: BoundLookup | undefined;
  readonly limit: number | undefined;
  readonly perPartitionLimit: number | undefined;
}

/** Evaluates the terms of a SELECT. @throws InvalidRequestError as Cassandra for wrong values. */
export function bindSelect(plan: SelectPlan, context: TermContext): BoundSelect {
  let partitions =
    plan.mode === 'partitions'
      ? partitionKeys(plan.table, plan.restrictions.partition, context)
      : undefined;
  const { tested } = plan.restrictions;
  const clustering = clusteringValues(plan.restrictions.clustering, context, tested);
  if (partitions !== undefined) {
    if (selectsNothing(plan.restrictions.clustering, clustering, tested)) {
      // Nothing is read, but Cassandra refuses what it could not test rows by all the same.
      for (const restriction of tested) {
        const refusal = tupleFilterRefusal(restriction);
        if (refusal !== undefined) throw refusal;
      }
      partitions = [];
    } else checkPartitionKeys(partitions);
  }
  return {
    plan,
    partitions,
    clustering,
    tokens: plan.restrictions.token.map((restriction) =>
      restriction.value.kind === 'token'
        ? { kind: 'token', value: required(restriction.value.source(context)) }
        : {
            kind: 'key',
            key: restriction.value.sources.map((source, at) =>
              boundComponent(plan.table, at, required(source(context))),
            ),
          },
    ),
    lookup: bindLookup(plan.lookup, context),
    limit: plan.limit?.(context),
    perPartitionLimit: plan.perPartitionLimit?.(context),
  };
}

/** A component of a partition key: in a view it may be a clustering column of the base, which are canonical. */
function boundComponent(table: TableEntry, at: number, value: Uint8Array): Uint8Array {
  const column = table.partitionKey[at];
  if (column === undefined || !isClusteringForm(column)) return value;
  return canonicalValue(column.type, value);
}

function required(value: BoundValue): Uint8Array {
  if (value === null) throw new InvalidRequestError('Invalid null token value');
  if (value === UNSET) throw new InvalidRequestError('Invalid unset token value');
  return value;
}

/** One read whose keys are queued for sealing. */
export interface SealedRead {
  readonly bound: BoundSelect;
  readonly key: PartitionKey | undefined;
  readonly partition: SealedKey | undefined;
  readonly clustering: SealedClustering;
  readonly tokens: readonly SealedKey[];
  /** What the column of an index is compared with. */
  readonly sought: Uint8Array | PartitionHandle | undefined;
}

/** Queues the keys of one partition's read, or of a scan (`key` undefined). */
export function sealRead(
  batch: SealBatch,
  keys: TableCipherKeys,
  bound: BoundSelect,
  key: PartitionKey | undefined,
): SealedRead {
  const { table, restrictions } = bound.plan;
  const partition = key === undefined ? undefined : sealKey(batch, keys, table, key);
  return {
    bound,
    key,
    partition,
    clustering:
      partition === undefined
        ? []
        : sealClustering(
            batch,
            partition.partition,
            table,
            restrictions.clustering,
            bound.clustering,
          ),
    tokens: bound.tokens.flatMap((token) =>
      token.kind === 'key' ? [sealKey(batch, keys, table, token.key)] : [],
    ),
    sought: bound.lookup === undefined ? undefined : soughtValue(bound.lookup, table, batch, keys),
  };
}

/** A read as Cassandra gets it, and what is known of its rows. */
export interface StoredRead {
  readonly text: string;
  /** Values of the key markers; LIMIT markers follow, see {@link limitMarkers}. */
  readonly values: readonly Uint8Array[];
  readonly known: KnownKeys;
}

/** Takes a sealed read out of the batch that ran. @throws InvalidRequestError for keys that are too long. */
export function storedRead(batch: SealBatch, read: SealedRead): StoredRead {
  const { plan, tokens } = read.bound;
  const { table, restrictions } = plan;
  const stored = storedClustering(batch, read.clustering);
  const values: Uint8Array[] = [];
  let partition: KnownKeys['partition'];
  if (read.partition !== undefined && read.key !== undefined) {
    const components = storedKey(batch, read.partition);
    checkKeySize(table, 'partition key', components, read.key);
    partition = { logical: read.key, stored: components };
    values.push(...components);
  }
  values.push(...clusteringMarkers(restrictions.clustering, stored));
  let tokenIndex = 0;
  for (const token of tokens) {
    if (token.kind === 'token') values.push(token.value);
    else {
      const handle = read.tokens[tokenIndex++];
      if (handle === undefined) throw new InternalError('token without its sealed key');
      values.push(...storedKey(batch, handle));
    }
  }
  const { sought } = read;
  if (sought instanceof Uint8Array) values.push(sought);
  else if (sought !== undefined) values.push(...batch.partitionComponents(sought));
  return {
    text: plan.storedText,
    values,
    known: {
      partition,
      clustering: plan.fullClustering ? knownClustering(read, stored) : undefined,
      restrictions: restrictions.clustering,
      storedRestrictions: stored,
    },
  };
}

function knownClustering(
  read: SealedRead,
  stored: readonly (readonly (readonly Uint8Array[])[])[],
): KnownKeys['clustering'] {
  const { plan, clustering } = read.bound;
  const logical: Uint8Array[] = [];
  const storedParts: Uint8Array[] = [];
  plan.restrictions.clustering.forEach((restriction, r) => {
    restriction.columns.forEach((column, c) => {
      const value = clustering[r]?.[0]?.[c];
      const bytes = stored[r]?.[0]?.[c];
      if (restriction.operator !== '=' || value === undefined || bytes === undefined) return;
      logical[column.position] = value;
      storedParts[column.position] = bytes;
    });
  });
  return { logical, stored: storedParts };
}

/** Values of the PER PARTITION LIMIT and LIMIT markers of a read. `limit` is what is left of it. */
export function limitMarkers(bound: BoundSelect, limit: number | undefined): BoundValue[] {
  const markers: BoundValue[] = [];
  if (bound.plan.perPartitionLimit !== undefined) {
    markers.push(bound.perPartitionLimit === undefined ? UNSET : int32(bound.perPartitionLimit));
  }
  if (bound.plan.limit !== undefined) markers.push(limit === undefined ? UNSET : int32(limit));
  return markers;
}

/** A 4-byte int, big-endian. */
export function int32(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}
