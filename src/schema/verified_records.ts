import { createHash } from 'node:crypto';
import { constantTimeEqual, deriveCatalogKeys, recordMac, rootMac } from '../crypto/index.ts';
import { ConfigError, MetadataIntegrityError } from '../errors/index.ts';
import type {
  CatalogTrust,
  ClusterTrust,
  RecordPartition,
  RecordStore,
  StoredRecord,
} from './ports.ts';
import { decodeRoot } from './root.ts';
import type { Root } from './root.ts';
import { parseRecord, recordId } from './record.ts';
import type { CatalogRecord } from './record.ts';
import type { RotationRecord } from './rotation_record.ts';

/** Keys derived from the catalog key. */
export type CatalogKeys = ReturnType<typeof deriveCatalogKeys>;

/** A record that agrees with MAC and root. */
export interface VerifiedRecord {
  readonly version: bigint;
  readonly record: CatalogRecord;
  /** The bytes that were verified, and the hash by which the root named them: the same ones need no second verification. */
  readonly row: StoredRecord;
  readonly hash: string;
}

/** What an earlier reading by this process verified. */
export interface KnownRecords {
  readonly keys: CatalogKeys;
  readonly rootVersion: bigint;
  /** By record id, hex. */
  readonly records: ReadonlyMap<string, VerifiedRecord>;
}

/** Root and records after verification. */
export interface VerifiedRecords {
  readonly clusterId: Uint8Array;
  readonly keys: CatalogKeys;
  readonly root: Root;
  /** By record id, hex. */
  readonly records: ReadonlyMap<string, VerifiedRecord>;
  /** Rotation records by the id of their table, hex. */
  readonly rotations: ReadonlyMap<string, RotationRecord>;
  /** Ids of records that are missing, altered, aged or not in the root. Their tables cannot even be named. */
  readonly damaged: readonly string[];
}

/** SHA-256 of a record's body, hex. */
export function bodyHash(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

/**
 * Reads and verifies root and records against the trusted side.
 * @param known an earlier reading by this process
 * @throws ConfigError before `init`; MetadataIntegrityError when keyspace or root are missing, altered or rolled back.
 */
export async function readVerifiedRecords(
  store: RecordStore,
  trust: CatalogTrust,
  known: KnownRecords | undefined,
): Promise<VerifiedRecords> {
  const cluster = await trust.cluster();
  if (cluster === undefined) throw notInitialised();
  let verified = await readOnce(store, trust, cluster, known);
  // A partition of several pages is not read atomically: only damage that is still there after a second reading counts.
  if (verified.damaged.length > 0) verified = await readOnce(store, trust, cluster, known);
  await trust.advanceAnchor(verified.root.version);
  return verified;
}

/**
 * Reads the root that is there, whatever version was seen before, and verifies it under the catalog key; the anchor stays.
 * @returns its version, the anchor, and how many records do not verify
 * @throws as {@link readVerifiedRecords}, but not for a rollback.
 */
export async function readRolledBack(
  store: RecordStore,
  trust: CatalogTrust,
): Promise<{ readonly version: bigint; readonly seen: bigint; readonly damaged: number }> {
  const cluster = await trust.cluster();
  if (cluster === undefined) throw notInitialised();
  const { root, damaged } = await readOnce(
    store,
    trust,
    { ...cluster, rootVersion: 0n },
    undefined,
  );
  return { version: root.version, seen: cluster.rootVersion, damaged: damaged.length };
}

function notInitialised(): ConfigError {
  return new ConfigError(
    'CONFIG_NOT_INITIALISED',
    'this key store knows no cluster; run `cqlock init` once for a new cluster, or use the key store the cluster was initialised with',
  );
}

async function readOnce(
  store: RecordStore,
  trust: CatalogTrust,
  cluster: ClusterTrust,
  known: KnownRecords | undefined,
): Promise<VerifiedRecords> {
  if (!(await store.exists())) {
    throw new MetadataIntegrityError(
      'METADATA_KEYSPACE_MISSING',
      `the keyspace cqlock is missing although the key store knows cluster ${hexOf(cluster.clusterId)}; restore it, nothing is made anew`,
    );
  }
  const partition = await store.readAll(cluster.clusterId);
  const root = await openRoot(store, cluster, partition, known?.rootVersion ?? 0n);
  const keys = known?.keys ?? (await openCatalogKey(trust, cluster, root));
  const stored = partition.root;
  if (
    stored === undefined ||
    !constantTimeEqual(rootMac(keys.root, cluster.clusterId, stored.bytes), stored.mac)
  ) {
    throw new MetadataIntegrityError(
      'METADATA_ROOT_MAC',
      'the root of the catalog fails authentication',
    );
  }
  return {
    clusterId: cluster.clusterId,
    keys,
    root,
    ...verifyRecords(partition, root, { keys, known: known?.records }, cluster),
  };
}

async function openRoot(
  store: RecordStore,
  cluster: ClusterTrust,
  partition: RecordPartition,
  knownVersion: bigint,
): Promise<Root> {
  if (partition.root === undefined) {
    const others = (await store.clusterIds()).map(hexOf);
    throw new MetadataIntegrityError(
      'METADATA_ROOT_MISSING',
      `there is no root of cluster ${hexOf(cluster.clusterId)} in the keyspace cqlock` +
        (others.length > 0 ? `; it belongs to ${others.join(', ')}: another key store` : ''),
    );
  }
  const root = decodeRoot(partition.root.bytes);
  if (root.version !== partition.root.version) {
    throw new MetadataIntegrityError('METADATA_ROOT', 'the version of the root was altered');
  }
  const anchor = cluster.rootVersion > knownVersion ? cluster.rootVersion : knownVersion;
  if (root.version < anchor) {
    throw new MetadataIntegrityError(
      'METADATA_ROLLED_BACK',
      `the catalog was rolled back: its root has version ${root.version}, version ${anchor} was seen before; after a wanted restore: cqlock catalog accept`,
    );
  }
  return root;
}

async function openCatalogKey(
  trust: CatalogTrust,
  cluster: ClusterTrust,
  root: Root,
): Promise<CatalogKeys> {
  const wrap = root.wraps.find(
    (candidate) =>
      candidate.provider === trust.providerName && candidate.keyArn === cluster.catalogKeyArn,
  );
  if (wrap === undefined) {
    throw new MetadataIntegrityError(
      'METADATA_CATALOG_KEY',
      `the catalog key is not wrapped under ${cluster.catalogKeyArn}, the service-owned key of this key store, but under ${root.wraps.map((other) => other.keyArn).join(', ')}`,
    );
  }
  const catalogKey = await trust.unwrapCatalogKey(cluster, wrap.blob);
  try {
    return deriveCatalogKeys(catalogKey, cluster.clusterId);
  } finally {
    catalogKey.fill(0);
  }
}

function verifyRecords(
  partition: RecordPartition,
  root: Root,
  by: { readonly keys: CatalogKeys; readonly known: KnownRecords['records'] | undefined },
  cluster: ClusterTrust,
): Pick<VerifiedRecords, 'records' | 'rotations' | 'damaged'> {
  const rows = new Map(partition.records.map((row) => [hexOf(row.recordId), row]));
  const records = new Map<string, VerifiedRecord>();
  const rotations = new Map<string, RotationRecord>();
  const damaged: string[] = [];
  for (const entry of root.entries) {
    const row = rows.get(entry.recordId);
    rows.delete(entry.recordId);
    if (row?.version !== entry.version) {
      damaged.push(entry.recordId);
      continue;
    }
    const known = by.known?.get(entry.recordId);
    if (known?.hash === entry.hash && isSameRow(known.row, row)) {
      records.set(entry.recordId, known);
      continue;
    }
    const mac = recordMac(by.keys.record, {
      clusterId: cluster.clusterId,
      tableId: row.recordId,
      version: row.version,
      body: row.body,
    });
    if (!constantTimeEqual(mac, row.mac) || bodyHash(row.body) !== entry.hash) {
      damaged.push(entry.recordId);
      continue;
    }
    const record = parseRecord(row.body);
    if (recordId(record) !== entry.recordId) damaged.push(entry.recordId);
    else if (record.kind === 'rotation') rotations.set(record.tableId, record);
    else {
      records.set(entry.recordId, { version: row.version, record, row, hash: entry.hash });
    }
  }
  damaged.push(...rows.keys());
  return { records, rotations, damaged };
}

function isSameRow(known: StoredRecord, row: StoredRecord): boolean {
  return (
    known.version === row.version &&
    Buffer.compare(known.body, row.body) === 0 &&
    Buffer.compare(known.mac, row.mac) === 0
  );
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
