import type { RowConnection } from '../backup/index.ts';
import { SchemaError, UpstreamError } from '../errors/index.ts';
import { liveHolds } from '../rotation/index.ts';
import { accessState } from '../schema/index.ts';
import type { Snapshot, TableRecord, VerifiedRecords } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';

/** The live, encrypted table of a name. @throws SchemaError when there is none */
export function tableNamed(view: VerifiedRecords, keyspace: string, name: string): TableRecord {
  for (const { record } of view.records.values()) {
    if (record.kind !== 'table' || record.keyspace !== keyspace || record.name !== name) continue;
    if (!['CREATING', 'DROPPED', 'ABANDONED'].includes(record.state)) return record;
  }
  throw new SchemaError(
    'SCHEMA_ROTATION_TABLE',
    `there is no encrypted table ${keyspace}.${name}; names are case-sensitive here`,
  );
}

/**
 * Refuses tables that cannot be rewritten, and moments in which something else is at work on them. The record must be of `view`.
 * @throws SchemaError SCHEMA_KEY_REWRITE
 */
export function requireRewritable(
  view: VerifiedRecords,
  snapshot: Snapshot,
  record: TableRecord,
  clock: Clock,
): void {
  const reason = obstacle(view, record, clock) ?? viewObstacle(snapshot, record);
  if (reason === undefined) return;
  throw new SchemaError(
    'SCHEMA_KEY_REWRITE',
    `table ${record.keyspace}.${record.name} is not rewritten under a new key: ${reason}`,
  );
}

function obstacle(view: VerifiedRecords, record: TableRecord, clock: Clock): string | undefined {
  const types = [...record.columns, ...record.dropped].map(({ type }) => type);
  if (types.includes('counter')) {
    return 'it has counters, whose writes cannot be repeated; copy it into a new table with a client';
  }
  const index = (record.indexes ?? []).find((one) => {
    const column = record.columns.find(({ id }) => id === one.columnId);
    const isOnKey = column?.kind === 'partition' || column?.kind === 'clustering';
    return one.state !== 'abandoned' && (one.hidden !== null || !isOnKey);
  });
  if (index !== undefined) {
    return `it has the index ${index.name}; drop it, and create it again afterwards`;
  }
  if (accessState(record) !== 'ACTIVE') return 'its KMS key is refused';
  if (record.state !== 'ACTIVE' || record.claim !== null || record.next !== null) {
    return 'another change of it is under way; try again when that is done';
  }
  const rotation = view.rotations.get(record.tableId);
  if ((rotation?.job ?? null) !== null) {
    return 'its cells are being re-encrypted; try again when that is done (cqlock rotate status)';
  }
  if (rotation !== undefined && liveHolds(rotation, clock).length > 0) {
    return 'it is being truncated; try again when that is done';
  }
  for (const { record: other } of view.records.values()) {
    if (other.kind !== 'backup' || other.tableId !== record.tableId) continue;
    if (other.state === 'CREATING') {
      return `its backup ${other.backupId} is not complete; complete or delete it`;
    }
  }
  return undefined;
}

/** @throws UpstreamError unless tokens are those of Murmur3Partitioner, which token ranges are made for. */
export async function requireKnownTokens(connection: RowConnection): Promise<void> {
  const result = await connection.execute('SELECT partitioner FROM system.local');
  const partitioner = String(result.rows[0]?.['partitioner']);
  if (partitioner.endsWith('.Murmur3Partitioner')) return;
  throw new UpstreamError(
    'UPSTREAM_PARTITIONER',
    `the cluster has the partitioner ${partitioner}; tables are read by token ranges of Murmur3Partitioner only`,
  );
}

/** A view is made of its table's rows by Cassandra: it would be read while its base is half moved. */
function viewObstacle(snapshot: Snapshot, record: TableRecord): string | undefined {
  const views = snapshot.raw('system_schema', 'views');
  if (views === undefined) return 'Cassandra does not tell whether it has materialized views';
  const at = (name: string): number => views.columns.findIndex((column) => column.name === name);
  const [keyspaceAt, baseAt, nameAt] = [
    at('keyspace_name'),
    at('base_table_name'),
    at('view_name'),
  ];
  const text = (cell: Uint8Array | null | undefined): string =>
    cell === null || cell === undefined ? '' : Buffer.from(cell).toString('utf8');
  const found = views.rows.find(
    (row) => text(row[keyspaceAt]) === record.keyspace && text(row[baseAt]) === record.name,
  );
  if (found === undefined) return undefined;
  return `it has the materialized view ${text(found[nameAt])}; drop it, and create it again afterwards`;
}
