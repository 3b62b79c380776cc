import type { ProxyError } from '../errors/index.ts';
import type { CqlType, UdtType } from '../values/index.ts';
import type { HiddenColumnRecord, IndexTarget } from './indexes.ts';
import type { RawTable, StoredKeyspaceRow } from './raw_schema.ts';
import type { MaskArgumentRecord, TableRecord } from './record.ts';
import type { ViewRecord } from './views.ts';

/** Part of a table a column belongs to. */
export type ColumnKind = 'partition' | 'clustering' | 'static' | 'regular';

/**
 * How a column's values are stored. list, set, map and fields are columns of several cells: one in Cassandra for each element
 * of a collection, or field of a user type, that is not frozen.
 */
export type ColumnScheme =
  'partition' | 'ordered' | 'opaque' | 'cell' | 'list' | 'set' | 'map' | 'fields';

/** An argument of a mask; see {@link MaskArgumentRecord}. */
export interface MaskArgument {
  readonly type: CqlType;
  readonly value: Uint8Array | null;
  readonly record: MaskArgumentRecord;
}

/** What roles without UNMASK see instead of the values of a column. */
export interface ColumnMask {
  /** A masking function of Cassandra's own, without keyspace. */
  readonly function: string;
  /** All but the first, which is the value. */
  readonly args: readonly MaskArgument[];
}

/** A column of a table, logical and stored. */
export interface ColumnEntry {
  readonly name: string;
  /** 16 random bytes; survives renames and re-adding. Empty in tables that are not encrypted. */
  readonly id: Uint8Array;
  readonly kind: ColumnKind;
  /** Position inside the partition key or the clustering; 0 for static and regular columns. */
  readonly position: number;
  /** Logical type. */
  readonly type: CqlType;
  readonly clusteringOrder: 'asc' | 'desc' | undefined;
  readonly scheme: ColumnScheme;
  /** True when cells, or values of a map, are padded before encryption. */
  readonly padded: boolean;
  /** Type of the column in Cassandra. */
  readonly storedType: string;
  /** Name in Cassandra where that is another one: the key column of a view that is no key column of its base. */
  readonly storedName?: string;
  /** Absent where every role that may read the column sees its values. */
  readonly mask?: ColumnMask;
}

/** A column that was dropped; its id and type rule what may be added again under the name. */
export interface DroppedColumnEntry {
  readonly name: string;
  readonly id: Uint8Array;
  readonly kind: ColumnKind;
  /** Logical type as text. */
  readonly type: string;
}

/** An index of a table. */
export interface IndexEntry {
  readonly name: string;
  readonly column: ColumnEntry;
  readonly target: IndexTarget;
  /** Class as USING names it; `null` for Cassandra's own kind. */
  readonly className: string | null;
  readonly options: Readonly<Record<string, string>>;
  /** False while rows may be missing in it: it is written, never read. */
  readonly isActive: boolean;
  /** Where its blind values are; `null` for indexes on key columns. */
  readonly hidden: HiddenColumnRecord | null;
}

/**
 * encrypted: has a verified record that agrees with the stored schema. plain: listed in the root as there before the
 * proxy. unknown: neither. broken: its record or stored schema does not verify.
 */
export type TableStatus = 'encrypted' | 'plain' | 'unknown' | 'broken';

/** What an entry is a materialized view of. */
export interface ViewOf {
  readonly base: TableEntry;
  /** The base's cells that the view's further key column stands for; `undefined` where all key columns are the base's. */
  readonly cell: ColumnEntry | undefined;
  /**
   * Its partitions hold rows of several partitions of the base: key columns of the base's partition key, and the further one, are
   * stored in the form of partition keys, which has no order.
   */
  readonly spansPartitions: boolean;
  readonly record: ViewRecord;
}

/** A user table, or a materialized view: then ids, keys and record are those of its base. */
export interface TableEntry {
  readonly keyspace: string;
  readonly name: string;
  /** Cassandra's table id, UUID text. */
  readonly id: string;
  /** 16 random bytes, the table's id in key derivation. Empty unless encrypted. */
  readonly tableId: Uint8Array;
  /** Version of the record; 0 unless encrypted. */
  readonly recordVersion: bigint;
  readonly kind: TableStatus;
  /** For unknown and broken tables: what every read and write of them is answered with. */
  readonly error: ProxyError | undefined;
  readonly partitionKey: readonly ColumnEntry[];
  readonly clustering: readonly ColumnEntry[];
  /** By name, as Cassandra orders them. */
  readonly statics: readonly ColumnEntry[];
  /** By name, as Cassandra orders them. */
  readonly regulars: readonly ColumnEntry[];
  readonly columns: ReadonlyMap<string, ColumnEntry>;
  /** In the order of SELECT *. */
  readonly allColumns: readonly ColumnEntry[];
  readonly dropped: readonly DroppedColumnEntry[];
  /** As clients know them; empty unless encrypted. */
  readonly indexes: readonly IndexEntry[];
  /** Records of its materialized views; empty unless encrypted. */
  readonly views: readonly ViewRecord[];
  /** Names of the stored columns that clients do not know. */
  readonly hiddenColumns: ReadonlySet<string>;
  /** Seconds; 0 for none. */
  readonly defaultTtl: number;
  /** Present exactly for materialized views of encrypted tables. */
  readonly view?: ViewOf;
  /** The verified record; present exactly for encrypted tables, and for broken ones that are being rewritten. */
  readonly record: TableRecord | undefined;
  /** Changes whenever anything of the table changes; two entries with one token are the same object. */
  readonly version: string;
}

/** A keyspace a client can see. */
export interface KeyspaceEntry {
  readonly name: string;
  readonly stored: StoredKeyspaceRow;
  readonly isSystem: boolean;
  readonly tables: ReadonlyMap<string, TableEntry>;
  /** Materialized views, by name; no table has the name of one. */
  readonly views: ReadonlyMap<string, TableEntry>;
  readonly types: ReadonlyMap<string, UdtType>;
  /** ARN of the customer managed key of new tables that name none. */
  readonly defaultKeyArn?: string | undefined;
}

/** The schema at one moment. Immutable. The keyspace `cqlock` is not in it, nor are the tables of system keyspaces. */
export interface Snapshot {
  /** Grows with every snapshot of this process. */
  readonly version: number;
  /** Root version the snapshot was made from. */
  readonly rootVersion: bigint;
  /** Cassandra's schema version, UUID text. */
  readonly schemaVersion: string;
  /** Why every user table is refused; `undefined` when root and records verify. */
  readonly failure: ProxyError | undefined;
  keyspace(name: string): KeyspaceEntry | undefined;
  keyspaces(): Iterable<KeyspaceEntry>;
  /** A table or a materialized view. */
  table(keyspace: string, name: string): TableEntry | undefined;
  /** The logical type, not frozen. */
  udt(keyspace: string, name: string): UdtType | undefined;
  /** A system table's contents; with the rows of `cqlock` and hidden columns still in it. */
  raw(keyspace: string, table: string): RawTable | undefined;
}
