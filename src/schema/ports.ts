import type { RawSchema } from './raw_schema.ts';
import type { TableKeys } from './record.ts';

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

/** Makes the keys of new tables. */
export interface TableKeyFactory {
  /** Makes a service-owned KMS key, a table key under it, and a wrapped key DEK and cell DEK. */
  newTableKeys(table: {
    readonly clusterId: Uint8Array;
    readonly tableId: Uint8Array;
    readonly keyspace: string;
    readonly name: string;
  }): Promise<TableKeys>;
  /**
   * Destroys every service-owned key that was made for a table id, known to a record or not. Does nothing when there is
   * none, so it can be repeated.
   */
  discardTableKeys(tableId: Uint8Array): Promise<void>;
}
