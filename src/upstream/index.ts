/**
 * The proxy's own conversation with Cassandra, under the proxy's own role: reading the schema, waiting for agreement, and
 * the store of records and root. It shares nothing with client connections, so it never waits behind a paused client.
 *
 * May import: audit and schema (ports), values, errors, util, observability. Start reading at control_connection.ts.
 */
export { CassandraAuditHeads } from './cassandra_audit_heads.ts';
export { CassandraLeaseStore } from './cassandra_lease_store.ts';
export { CassandraRecordStore } from './cassandra_record_store.ts';
export { CassandraSchemaSource } from './cassandra_schema_source.ts';
export { ControlConnection, UNSET } from './control_connection.ts';
export { StoredRows } from './stored_rows.ts';
export { tokenRanges } from './token_ranges.ts';
export type { TokenRange } from './token_ranges.ts';
export type {
  StoredCell,
  StoredCellWrite,
  StoredColumn,
  StoredElement,
  StoredRowPage,
  StoredTable,
  StoredTableRow,
} from './stored_rows.ts';
export type {
  ControlConnectionLogger,
  ControlConnectionOptions,
  ControlPage,
  ControlResult,
  ControlStatement,
} from './control_connection.ts';
