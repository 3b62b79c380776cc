import type { CryptoTicks } from '../encryption/index.ts';
import type { ConnectionLeases } from '../keys/index.ts';
import type { SivKey } from '../crypto/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import type { Catalog, SchemaChanges, TableEntry } from '../schema/index.ts';
import type { ProxyIdentity, SystemTables } from '../system/index.ts';
import type { FunctionContext } from '../values/index.ts';
import type { QueryOptions } from '../wire/index.ts';
import type { CounterMemory } from './counter_memory.ts';
import type { MaskRights } from './mask_rights.ts';
import type { NodeConnection } from './node_connection.ts';
import type { WrittenPartitions } from './partial_write.ts';
import type { OwnConnections } from './own_connection.ts';
import type { RestoreTable } from './run_restore.ts';
import type { StatementCache } from './statement_cache.ts';
import type { StoredStatements } from './stored_statements.ts';
import type { TurnQueue } from './turn_queue.ts';

/** What all connections of the process share. */
export interface SharedServices {
  readonly catalog: Catalog;
  readonly changes: SchemaChanges;
  readonly system: SystemTables;
  readonly ticks: CryptoTicks;
  readonly stored: StoredStatements;
  readonly statements: StatementCache;
  readonly functions: FunctionContext;
  /** Seals paging states; lives as long as the process. */
  readonly pagingKey: SivKey;
  readonly nowMs: () => number;
  readonly delay: (ms: number) => Promise<void>;
  /** Increments of one partition of counters take turns. */
  readonly counterTurns: TurnQueue;
  readonly counterMemory: CounterMemory;
  /** The proxy's own role, for steps that a client's request takes and its role may not. */
  readonly own: OwnConnections;
  /** A catalog older than this is read again before a statement is sent by it, milliseconds. */
  readonly catalogMaxAgeMs: number;
  /** Told how many cells of a table were encrypted. */
  readonly onCellsEncrypted: (table: TableEntry, count: number) => void;
  /** Keeps re-encryption from writing to a table that is being truncated; gives what ends that. */
  readonly holdReencryption: (table: TableEntry) => Promise<() => Promise<void>>;
  /** Whether functions written by users are called in Cassandra, with plain values. */
  readonly callsUserFunctions: boolean;
  /** Restores tables from backups. */
  readonly restoreTable: RestoreTable;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** One client connection after its handshake, as the request path sees it. */
export interface Session {
  readonly services: SharedServices;
  /** Protocol version of client and upstream connection. */
  readonly version: number;
  readonly node: NodeConnection;
  readonly leases: ConnectionLeases;
  readonly rights: MaskRights;
  readonly identity: ProxyIdentity;
  /** The keyspace of USE. */
  keyspace: string | undefined;
  /** Fingerprint of the result metadata this connection was given for a statement id, by idKey. */
  readonly knownMetadata: Map<string, string>;
}

/** The parts of a request that hold for everything it becomes. */
export interface RequestContext {
  readonly options: QueryOptions;
  /** Header flags for the first request to Cassandra: TRACING. */
  readonly flags: number;
  /** Called with the time one request to Cassandra took. */
  readonly onUpstreamMs: (ms: number) => void;
  /** What the request has written, also by a plan of before. */
  readonly written: WrittenPartitions;
}
