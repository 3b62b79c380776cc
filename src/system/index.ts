/**
 * What a client sees of Cassandra's own keyspaces and of DESCRIBE.
 *
 * Cassandra's system tables hold the stored schema, the nodes behind the proxy and the proxy's own keyspace. Clients see the
 * logical schema, one proxy as the whole cluster, and nothing that is hidden. The rows are held in memory, so every SELECT on
 * them, literal or prepared, runs here: {@link SystemTables} makes the tables, {@link planVirtualSelect} plans and runs
 * statements on any table in memory with Cassandra's rules and error texts. DESCRIBE is answered by Cassandra and
 * rewritten row by row.
 *
 * No I/O. May import: schema (types only), cql, values, wire, errors, util. Start reading at system_tables.ts and
 * select/plan.ts; policy.ts is the table of what happens to each system table.
 */
export {
  describeAllowed,
  logicalText,
  transformDescribeRow,
  unquotedName,
} from './describe/describe.ts';
export type {
  AuditRow,
  EncryptionStatus,
  JobRow,
  KeyUseRow,
} from './encryption/encryption_status.ts';
export type { ProxyIdentity } from './identity.ts';
export { MCS_KEYSPACE } from './mcs_tables.ts';
export { SYSTEM_KEYSPACES } from './policy.ts';
export { schemaVersionOf } from './schema_version.ts';
export { planVirtualSelect } from './select/plan.ts';
export type { PlannedSelect, VirtualPage, VirtualPaging } from './select/plan.ts';
export { SystemTables } from './system_tables.ts';
export type { SystemTablesSource } from './system_tables.ts';
export type { VirtualColumn, VirtualRow, VirtualTable } from './virtual_table.ts';
