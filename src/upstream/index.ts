/**
 * The proxy's own conversation with Cassandra, under the proxy's own role: reading the schema, waiting for agreement, and
 * the store of records and root. It shares nothing with client connections, so it never waits behind a paused client.
 *
 * May import: schema (ports), values, errors, util, observability. Start reading at control_connection.ts.
 */
export { CassandraLeaseStore } from './cassandra_lease_store.ts';
export { CassandraRecordStore } from './cassandra_record_store.ts';
export { CassandraSchemaSource } from './cassandra_schema_source.ts';
export { ControlConnection } from './control_connection.ts';
export type {
  ControlConnectionLogger,
  ControlConnectionOptions,
  ControlResult,
} from './control_connection.ts';
