import type { CqlType } from '../values/index.ts';

/** A column of a {@link VirtualTable}. System tables have no static columns. */
export interface VirtualColumn {
  readonly name: string;
  readonly type: CqlType;
  readonly kind: 'partition' | 'clustering' | 'regular';
  /** Place inside the partition key or the clustering; of no meaning for regular columns. */
  readonly position: number;
  /** Clustering order; ascending when absent. */
  readonly order?: 'asc' | 'desc' | undefined;
}

/** One row: the cells by column index, in CQL bytes; `null` where there is no value. The bytes are read only. */
export type VirtualRow = readonly (Uint8Array | null)[];

/** A table that is served from memory. */
export interface VirtualTable {
  readonly keyspace: string;
  readonly name: string;
  /** In the order of `SELECT *`. */
  readonly columns: readonly VirtualColumn[];
  /**
   * Rows grouped by partition, inside a partition in clustering order. Called once for every execution.
   * @param read what Cassandra answered to `readBy` just now
   */
  rows(read?: readonly VirtualRow[]): Iterable<VirtualRow>;
  /** The statement by which an execution gets Cassandra's rows first, with the client's role; absent where none is needed. */
  readonly readBy?: string;
  /** Whether Cassandra filters this table without ALLOW FILTERING, as it does with its own virtual tables. */
  readonly filtersFreely?: boolean;
  /** Whether only roles that may read `system_auth.roles` may read this table. */
  readonly isRestricted?: boolean;
}
