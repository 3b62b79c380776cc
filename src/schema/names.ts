/** Keyspace of records and root. It does not exist for clients. */
export const RECORD_KEYSPACE = 'cqlock';

/** Columns with this prefix are hidden: clients can neither see nor name them. */
export const RESERVED_COLUMN_PREFIX = 'cqlock_';

const SYSTEM_KEYSPACES: ReadonlySet<string> = new Set([
  'system',
  'system_auth',
  'system_distributed',
  'system_encryption',
  'system_metrics',
  'system_schema',
  // Made by the proxy; Cassandra has none of that name.
  'system_schema_mcs',
  'system_traces',
  'system_views',
  'system_virtual_schema',
]);

/** True for Cassandra's own keyspaces, whose tables are never encrypted. */
export function isSystemKeyspace(name: string): boolean {
  return SYSTEM_KEYSPACES.has(name);
}
