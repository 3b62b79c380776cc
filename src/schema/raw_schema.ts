import type { CqlType } from '../values/index.ts';

/** A column of a system table. */
export interface RawColumn {
  readonly name: string;
  readonly type: CqlType;
  readonly kind: 'partition' | 'clustering' | 'regular';
  /** Position inside its kind; 0 for regular columns. */
  readonly position: number;
  readonly order: 'asc' | 'desc' | undefined;
}

/** A system table as Cassandra holds it: the bytes of every cell, in the order of `columns`. */
export interface RawTable {
  readonly keyspace: string;
  readonly name: string;
  readonly columns: readonly RawColumn[];
  readonly rows: readonly (readonly (Uint8Array | null)[])[];
}

/** A row of system_schema in JavaScript values, as far as the catalog reads them. */
export interface StoredTableRow {
  readonly keyspace: string;
  readonly name: string;
  /** UUID text, lower case. */
  readonly id: string;
  readonly defaultTtl: number;
}

/** A row of system_schema.columns. */
export interface StoredColumnRow {
  readonly keyspace: string;
  readonly table: string;
  readonly name: string;
  readonly kind: 'partition' | 'clustering' | 'static' | 'regular';
  readonly position: number;
  readonly order: 'asc' | 'desc' | undefined;
  readonly type: string;
}

/** A row of system_schema.types. */
export interface StoredTypeRow {
  readonly keyspace: string;
  readonly name: string;
  readonly fieldNames: readonly string[];
  readonly fieldTypes: readonly string[];
}

/** A row of system_schema.keyspaces. */
export interface StoredKeyspaceRow {
  readonly name: string;
  readonly durableWrites: boolean;
  readonly replication: Readonly<Record<string, string>>;
}

/** One reading of Cassandra's schema. */
export interface RawSchema {
  /** Schema version of the node that was read, UUID text. */
  readonly schemaVersion: string;
  readonly keyspaces: readonly StoredKeyspaceRow[];
  readonly tables: readonly StoredTableRow[];
  readonly columns: readonly StoredColumnRow[];
  readonly types: readonly StoredTypeRow[];
  /** Raw cells by `keyspace.table`: system.local, system.peers, system.peers_v2, system_schema.*, system_virtual_schema.*. */
  readonly raw: ReadonlyMap<string, RawTable>;
}
