import type { RawSchema } from './raw_schema.ts';
import type { ProxyError } from '../errors/index.ts';
import type { DekRecord, KmsKeyUse, TableKeys } from './record.ts';

/** A record's row. */
export interface StoredRecord {
  /** 16 bytes. */
  readonly recordId: Uint8Array;
  readonly version: bigint;
  readonly body: Uint8Array;
  /** 32 bytes. */
  readonly mac: Uint8Array;
}

/** The root's static columns. */
export interface StoredRoot {
  readonly version: bigint;
  readonly bytes: Uint8Array;
  /** 32 bytes. */
  readonly mac: Uint8Array;
}

/** All rows of a cluster, read at SERIAL. Not yet verified. */
export interface RecordPartition {
  readonly root: StoredRoot | undefined;
  readonly records: readonly StoredRecord[];
}

/** A change of the root: from an expected version (`undefined`: there is none) to a new one. */
export interface RootChange {
  readonly expectedVersion: bigint | undefined;
  readonly next: StoredRoot;
}

/** A change of one record; `next` undefined deletes it, `expectedVersion` undefined inserts it. */
export interface RecordChange {
  readonly recordId: Uint8Array;
  readonly expectedVersion: bigint | undefined;
  readonly next:
    { readonly version: bigint; readonly body: Uint8Array; readonly mac: Uint8Array } | undefined;
}

/** Where records and root are kept. */
export interface RecordStore {
  /** True when keyspace and table of the records exist. */
  exists(): Promise<boolean>;
  /** Makes keyspace and table; does nothing when they are there. */
  create(): Promise<void>;
  /** Cluster ids that have rows; only for messages and the rules of the first start. */
  clusterIds(): Promise<readonly Uint8Array[]>;
  /** Reads everything of a cluster at SERIAL, so an interrupted change is finished or lost before. */
  readAll(clusterId: Uint8Array): Promise<RecordPartition>;
  /**
   * Applies root and records as one conditional batch. After an unknown outcome it reads again at SERIAL; what it answers
   * is never assumed.
   * @throws UpstreamError when even that does not tell.
   */
  change(
    clusterId: Uint8Array,
    root: RootChange,
    records: readonly RecordChange[],
  ): Promise<'applied' | 'conflict'>;
}

/** Where leases of proxies are kept; what is in them is opaque here. */
export interface LeaseStore {
  /** The row of a name, read at SERIAL; `undefined` when there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Replaces exactly the bytes `expected` (`undefined`: no row); false when the row is another one. */
  replace(name: string, expected: Uint8Array | undefined, next: Uint8Array): Promise<boolean>;
}

/** Cassandra's own schema. */
export interface SchemaSource {
  /** Reads system_schema and the system tables that clients see. */
  readSchema(): Promise<RawSchema>;
  /** Resolves when all live nodes have one schema version; false after the time-out. */
  waitForAgreement(): Promise<boolean>;
}

/** What the trusted side knows of the cluster. */
export interface ClusterTrust {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly catalogKeyArn: string;
  /** The anchor: highest root version ever seen. */
  readonly rootVersion: bigint;
}

/** The trusted side: key store and KMS. Nothing of it comes from Cassandra. */
export interface CatalogTrust {
  readonly providerName: string;
  /** `undefined` before `init`. */
  cluster(): Promise<ClusterTrust | undefined>;
  /**
   * Makes a catalog key of 32 bytes, wrapped under a service-owned key: `keyArn`, or a new one.
   */
  createCatalogKey(
    clusterId: Uint8Array,
    keyArn: string | undefined,
  ): Promise<{
    readonly keyArn: string;
    readonly catalogKey: Uint8Array;
    readonly blob: Uint8Array;
  }>;
  /** Destroys a catalog key's KMS key that never came into use. */
  discardCatalogKey(keyArn: string): Promise<void>;
  /**
   * Remembers the cluster, and destroys catalog keys that an interrupted `init` left; fails when another one is known.
   * @throws MetadataIntegrityError when the key store belongs to another cluster.
   */
  registerCluster(trust: ClusterTrust): Promise<void>;
  /** Opens the catalog key with the pinned service-owned key; the caller overwrites the bytes after use. */
  unwrapCatalogKey(trust: ClusterTrust, blob: Uint8Array): Promise<Uint8Array>;
  /** Raises the anchor; never lowers it. */
  advanceAnchor(rootVersion: bigint): Promise<void>;
}

/** A table, as far as its keys are bound to it. */
export interface KeyedTable {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  /** 16 bytes. */
  readonly tableId: Uint8Array;
  readonly keyspace: string;
  readonly name: string;
}

/** The KMS key that a table is to be under. */
export type KeyTarget = 'service-owned' | { readonly provider: string; readonly keyArn: string };

/** Makes, changes and gives back the keys of tables. */
export interface TableKeyFactory {
  /** The same factory for keys that a client's role asks for; absent where nobody notes who asks. */
  onBehalfOf?(principal: string): TableKeyFactory;
  /**
   * The customer managed key that a user's identifier names: an ARN, or an alias, which is resolved here once.
   * @throws KeyAccessError, KeyUnavailableError when there is no such key, or it is no customer managed key.
   */
  resolveKey(identifier: string): Promise<Exclude<KeyTarget, 'service-owned'>>;
  /**
   * Makes sure that data keys can be made under a customer managed key; for a default that no table has yet.
   * @throws KeyAccessError, KeyUnavailableError
   */
  tryKey(target: Exclude<KeyTarget, 'service-owned'>): Promise<void>;
  /**
   * Makes a table key under the target (for a service-owned one the KMS key too), the grants, and a wrapped key DEK and
   * cell DEK.
   * @throws KeyAccessError with no grant left behind; KeyUnavailableError when that is not known.
   */
  newTableKeys(table: KeyedTable, target?: KeyTarget): Promise<TableKeys>;
  /**
   * The keys of a table under another KMS key: a new table key, all DEKs wrapped under it alone, and a new cell DEK.
   * @param asking told each KMS key before it is used, so that a failure can name it
   * @throws KeyAccessError of the old or the new key with no grant left behind; KeyUnavailableError when that is not known.
   */
  changedTableKeys(
    table: KeyedTable,
    keys: TableKeys,
    target: KeyTarget,
    asking: (keyArn: string) => void,
  ): Promise<TableKeys>;
  /**
   * Makes the DEK of an index, wrapped under the table's newest table key.
   * @throws KeyAccessError, KeyUnavailableError
   */
  newIndexDek(table: KeyedTable, keys: TableKeys): Promise<DekRecord>;
  /**
   * Gives back a KMS key that a table leaves: retires its grants, destroys it if it is service-owned. Can be repeated.
   * @param kept ARNs of the table's KMS keys that stay
   * @throws KeyAccessError, KeyUnavailableError when that is not possible now.
   */
  releaseKey(tableId: Uint8Array, use: KmsKeyUse, kept: readonly string[]): Promise<void>;
  /**
   * Destroys every service-owned key that was made for a table id, known to a record or not. Does nothing when there is
   * none, so it can be repeated.
   */
  discardTableKeys(tableId: Uint8Array): Promise<void>;
}

/** Backups, as far as the KMS keys of tables concern them. */
export interface BackupKeys {
  /**
   * Moves what backups of the table have wrapped under a KMS key that it left to its present one, and tells whether any
   * backup needs the old key still; then the old key stays, and this is asked again later. Can be repeated.
   */
  stillNeed(
    table: { readonly tableId: string; readonly keyspace: string; readonly name: string },
    left: KmsKeyUse,
    present: TableKeys | null,
  ): Promise<boolean>;
}

/** A KMS key that could not be used where a user named it. */
export interface KeyRefusal {
  readonly keyspace: string;
  /** `undefined` for the default of a keyspace. */
  readonly table: string | undefined;
  /** The ARN; what the user wrote when that could not be resolved. */
  readonly keyArn: string;
  readonly error: ProxyError;
}

/** Tells the owners of keys. Must not throw. */
export interface KeyNotices {
  keyRefused(refusal: KeyRefusal): void;
}
