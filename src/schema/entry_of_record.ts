import { InternalError } from '../errors/index.ts';
import { buildTable } from './build_table.ts';
import type { TableEntry } from './entries.ts';
import type { TableRecord, TypeRecord } from './record.ts';
import { resolveTypes } from './type_resolution.ts';

/**
 * The entry of a table that need not be in the catalog, e.g. of one that a backup holds.
 * @param record an authenticated record with keys
 * @param types records of the user-defined types of its keyspace that its columns name
 * @throws the error of the entry when its columns cannot be understood
 */
export function entryOfRecord(record: TableRecord, types: readonly TypeRecord[]): TableEntry {
  const { keyspace, name } = record;
  const entry = buildTable({
    row: { keyspace, name, id: record.cassandraId, defaultTtl: 0 },
    columns: record.columns.map((column) => ({
      keyspace,
      table: name,
      name: column.name,
      kind: column.kind,
      position: column.position,
      order: column.order ?? undefined,
      type: column.storedType,
    })),
    types: resolveTypes(
      keyspace,
      types.map((type) => ({
        keyspace,
        name: type.name,
        fieldNames: type.fields.map((field) => field.name),
        fieldTypes: type.fields.map(() => 'blob'),
      })),
      types.map((type) => ({ version: 0n, record: type })),
    ),
    // Indexes and views are of the table that was there; their hidden columns are not among these.
    verified: {
      version: 0n,
      record: { ...record, indexes: undefined, views: undefined, next: null },
    },
    isPlain: false,
    damage: undefined,
  });
  if (entry.kind !== 'encrypted') {
    throw entry.error ?? new InternalError('a table record gives no encrypted table');
  }
  return entry;
}
