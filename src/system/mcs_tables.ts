import { accessState } from '../schema/index.ts';
import type { RawTable, Snapshot } from '../schema/index.ts';
import { native, writeInt64 } from '../values/index.ts';
import {
  keyspaceProperties,
  PROPERTIES_TYPE,
  propertiesValue,
  tableProperties,
} from './custom_properties.ts';
import { logicalSchemaRows } from './schema_rows.ts';
import type { VirtualColumn, VirtualRow } from './virtual_table.ts';

/** Keyspace in which Amazon Keyspaces shows the schema with custom properties. Cassandra has none of that name. */
export const MCS_KEYSPACE = 'system_schema_mcs';

/** Tables of system_schema_mcs: those of system_schema with these columns behind. */
const ADDED: Readonly<Record<string, readonly Added[]>> = {
  keyspaces: [
    added('custom_properties', PROPERTIES_TYPE, (snapshot, keyspace) => {
      const entry = snapshot.keyspace(keyspace);
      return entry === undefined || entry.isSystem
        ? null
        : propertiesValue(keyspaceProperties(entry));
    }),
  ],
  tables: [
    added('creation_time', native('timestamp'), (snapshot, keyspace, table) => {
      const createdAtMs = snapshot.table(keyspace, table)?.record?.createdAtMs;
      return createdAtMs === undefined ? null : writeInt64(BigInt(createdAtMs));
    }),
    added('custom_properties', PROPERTIES_TYPE, (snapshot, keyspace, table) => {
      const entry = snapshot.table(keyspace, table);
      const properties = entry === undefined ? undefined : tableProperties(entry);
      return properties === undefined ? null : propertiesValue(properties);
    }),
    added('status', native('text'), (snapshot, keyspace, table) => {
      const status = statusOf(snapshot, keyspace, table);
      return status === null ? null : Buffer.from(status, 'utf8');
    }),
  ],
  columns: [],
  types: [],
};

/** Names of the tables of system_schema_mcs, sorted. */
export const MCS_TABLES: readonly string[] = Object.keys(ADDED).sort();

interface Added {
  readonly column: VirtualColumn;
  readonly cell: (snapshot: Snapshot, keyspace: string, table: string) => Uint8Array | null;
}

function added(name: string, type: VirtualColumn['type'], cell: Added['cell']): Added {
  return { column: { name, type, kind: 'regular', position: 0 }, cell };
}

/** The table of system_schema that a table of system_schema_mcs is made from; `undefined` if there is no such table. */
export function mcsSource(table: string): string | undefined {
  return Object.hasOwn(ADDED, table) ? table : undefined;
}

/** Columns of a table of system_schema_mcs. */
export function mcsColumns(source: RawTable): VirtualColumn[] {
  const own = (ADDED[source.name] ?? []).map(({ column }) => column);
  return [...source.columns, ...own];
}

/** Its rows, in the order of {@link mcsColumns}. */
export function mcsRows(source: RawTable, snapshot: Snapshot): VirtualRow[] {
  const cells = ADDED[source.name] ?? [];
  const keyspaceAt = source.columns.findIndex((column) => column.name === 'keyspace_name');
  const tableAt = source.columns.findIndex((column) => column.name === 'table_name');
  return logicalSchemaRows(source, snapshot).map((row) => {
    const [keyspace, table] = [text(row, keyspaceAt), text(row, tableAt)];
    return [...row, ...cells.map(({ cell }) => cell(snapshot, keyspace, table))];
  });
}

/** Statuses of Amazon Keyspaces, and RESTORE_FAILED; none for tables that are refused. */
function statusOf(snapshot: Snapshot, keyspace: string, table: string): string | null {
  const entry = snapshot.table(keyspace, table);
  if (entry === undefined) return 'ACTIVE';
  if (entry.kind === 'plain') return 'ACTIVE';
  if (entry.error?.code === 'SCHEMA_RESTORING') return 'RESTORING';
  if (entry.error?.code === 'SCHEMA_RESTORE_FAILED') return 'RESTORE_FAILED';
  if (entry.record?.rewrite !== undefined) return 'UPDATING';
  if (entry.kind !== 'encrypted') return null;
  if (entry.record !== undefined && accessState(entry.record) !== 'ACTIVE') {
    return accessState(entry.record);
  }
  switch (entry.record?.state) {
    case 'CREATING':
      return 'CREATING';
    case 'ALTERING':
      return 'UPDATING';
    case 'DROPPING':
      return 'DELETING';
    default:
      return 'ACTIVE';
  }
}

function text(row: VirtualRow, index: number): string {
  const cell = row[index] ?? null;
  return cell === null ? '' : Buffer.from(cell).toString('utf8');
}
