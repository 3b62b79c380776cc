/**
 * What happens to a SELECT on a table of a system keyspace.
 *
 * - `local`: the row of system.local, with the address the client reached and the proxy's identity.
 * - `empty`: Cassandra's columns, no rows.
 * - `schema`: rows of system_schema with the logical types, without hidden names.
 * - `filtered`: Cassandra's rows without those that are hidden; read for each execution where they are not held in memory.
 * - `passthrough`: Cassandra answers.
 * - `refused`: an error that says why.
 * - `unknown`: there is no such table.
 */
export type SystemTableRule =
  | { readonly kind: 'local' | 'empty' | 'schema' | 'filtered' | 'passthrough' | 'unknown' }
  | { readonly kind: 'refused'; readonly reason: string };

const HOLDS_STATEMENTS = 'it holds the text of statements as Cassandra stores them';
const HOLDS_MUTATIONS = 'it holds stored rows of other tables';

/** Tables of `system` that Cassandra does not answer itself. Whatever is not listed names neither tables nor nodes. */
const SYSTEM_RULES: Readonly<Record<string, SystemTableRule>> = {
  local: { kind: 'local' },
  // One proxy stands for the cluster: the other nodes are not to be reached by clients.
  peers: { kind: 'empty' },
  peers_v2: { kind: 'empty' },
  peer_events: { kind: 'empty' },
  peer_events_v2: { kind: 'empty' },
  prepared_statements: { kind: 'refused', reason: HOLDS_STATEMENTS },
  paxos: { kind: 'refused', reason: HOLDS_MUTATIONS },
  paxos_repair_history: { kind: 'filtered' },
  batches: { kind: 'refused', reason: HOLDS_MUTATIONS },
  // These have a row for every table, also for those that clients do not know.
  size_estimates: { kind: 'filtered' },
  table_estimates: { kind: 'filtered' },
  built_views: { kind: 'filtered' },
  view_builds_in_progress: { kind: 'filtered' },
  IndexInfo: { kind: 'filtered' },
  compaction_history: { kind: 'filtered' },
  sstable_activity: { kind: 'filtered' },
  sstable_activity_v2: { kind: 'filtered' },
  available_ranges: { kind: 'filtered' },
  available_ranges_v2: { kind: 'filtered' },
  transferred_ranges: { kind: 'filtered' },
  transferred_ranges_v2: { kind: 'filtered' },
  top_partitions: { kind: 'refused', reason: 'it holds stored partition keys' },
  repairs: { kind: 'passthrough' },
};

/** Tables of `system_views` whose rows name keyspaces, tables, or statements. */
const VIEWS_RULES: Readonly<Record<string, SystemTableRule>> = {
  queries: { kind: 'refused', reason: HOLDS_STATEMENTS },
  cql_metrics: { kind: 'passthrough' },
  cidr_filtering_metrics_counts: { kind: 'passthrough' },
  cidr_filtering_metrics_latencies: { kind: 'passthrough' },
  batch_metrics: { kind: 'passthrough' },
  caches: { kind: 'passthrough' },
  clients: { kind: 'passthrough' },
  credentials_cache_keys: { kind: 'passthrough' },
  gossip_info: { kind: 'passthrough' },
  internode_inbound: { kind: 'passthrough' },
  internode_outbound: { kind: 'passthrough' },
  jmx_permissions_cache_keys: { kind: 'passthrough' },
  network_permissions_cache_keys: { kind: 'passthrough' },
  pending_hints: { kind: 'passthrough' },
  rack: { kind: 'passthrough' },
  roles_cache_keys: { kind: 'passthrough' },
  sai_sstable_index_segments: { kind: 'refused', reason: 'it holds stored values' },
  settings: { kind: 'passthrough' },
  slow_queries: { kind: 'refused', reason: HOLDS_STATEMENTS },
  snapshots: { kind: 'filtered' },
  streaming: { kind: 'passthrough' },
  system_logs: { kind: 'refused', reason: HOLDS_STATEMENTS },
  system_properties: { kind: 'passthrough' },
  thread_pools: { kind: 'passthrough' },
};

/** Tables of `system_auth` with resources in them can name the hidden keyspace; the rest are roles. */
const AUTH_RULES: Readonly<Record<string, SystemTableRule>> = {
  role_permissions: { kind: 'filtered' },
  resource_role_permissons_index: { kind: 'filtered' },
};

const DISTRIBUTED_RULES: Readonly<Record<string, SystemTableRule>> = {
  repair_history: { kind: 'filtered' },
  parent_repair_history: { kind: 'filtered' },
  view_build_status: { kind: 'filtered' },
  partition_denylist: { kind: 'refused', reason: 'it holds stored partition keys' },
};

/** The keyspaces that Cassandra makes itself. */
export const SYSTEM_KEYSPACES: ReadonlySet<string> = new Set([
  'system',
  'system_auth',
  'system_distributed',
  'system_encryption',
  'system_schema',
  'system_traces',
  'system_views',
  'system_virtual_schema',
]);

/** The rule for a table of a system keyspace; a keyspace that is none gives `unknown`. */
export function systemTableRule(keyspace: string, table: string): SystemTableRule {
  switch (keyspace) {
    case 'system_schema':
      return { kind: 'schema' };
    case 'system_virtual_schema':
      return { kind: 'filtered' };
    case 'system':
      return own(SYSTEM_RULES, table) ?? { kind: 'passthrough' };
    // New virtual tables mostly have a row for each table: filtered unless known not to.
    case 'system_views':
      return own(VIEWS_RULES, table) ?? { kind: 'filtered' };
    case 'system_auth':
      return own(AUTH_RULES, table) ?? { kind: 'passthrough' };
    case 'system_distributed':
      return own(DISTRIBUTED_RULES, table) ?? { kind: 'passthrough' };
    case 'system_traces':
      return { kind: 'passthrough' };
    default:
      return { kind: 'unknown' };
  }
}

function own(
  rules: Readonly<Record<string, SystemTableRule>>,
  table: string,
): SystemTableRule | undefined {
  return Object.hasOwn(rules, table) ? rules[table] : undefined;
}
