import type { RawTable } from '../../schema/index.ts';
import { printType } from '../../values/index.ts';
import type { VirtualColumn, VirtualRow } from '../virtual_table.ts';
import type { Cell } from './cells.ts';
import { intCell, textCell } from './cells.ts';
import { ENCRYPTION_KEYSPACE, ENCRYPTION_TABLES } from './encryption_tables.ts';

/** A virtual table of the proxy's own. */
export interface OwnTable {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly VirtualColumn[];
}

/** The rows of a table of system_virtual_schema that tell of `system_encryption`; none in tables that are not known here. */
export function encryptionSchemaRows(raw: RawTable): VirtualRow[] {
  return virtualSchemaRows(raw, ENCRYPTION_KEYSPACE, ENCRYPTION_TABLES);
}

/** The rows of a table of system_virtual_schema that tell of virtual tables of the proxy's own. */
export function virtualSchemaRows(
  raw: RawTable,
  keyspace: string,
  tables: readonly OwnTable[],
): VirtualRow[] {
  switch (raw.name) {
    case 'keyspaces':
      return [inOrder(raw, { keyspace_name: textCell(keyspace) })];
    case 'tables':
      return tables.map(({ name, comment }) =>
        inOrder(raw, {
          keyspace_name: textCell(keyspace),
          table_name: textCell(name),
          comment: textCell(comment),
        }),
      );
    case 'columns':
      return tables.flatMap(({ name, columns }) =>
        [...columns]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((column) => inOrder(raw, columnCells(keyspace, name, column))),
      );
    default:
      return [];
  }
}

const KINDS = { partition: 'partition_key', clustering: 'clustering', regular: 'regular' } as const;

function columnCells(
  keyspace: string,
  table: string,
  column: VirtualColumn,
): Readonly<Record<string, Cell>> {
  const isClustering = column.kind === 'clustering';
  return {
    keyspace_name: textCell(keyspace),
    table_name: textCell(table),
    column_name: textCell(column.name),
    clustering_order: textCell(isClustering ? (column.order ?? 'asc') : 'none'),
    column_name_bytes: textCell(column.name),
    kind: textCell(KINDS[column.kind]),
    position: intCell(column.kind === 'regular' ? -1 : column.position),
    type: textCell(printType(column.type)),
  };
}

function inOrder(raw: RawTable, cells: Readonly<Record<string, Cell>>): VirtualRow {
  return raw.columns.map((column) => cells[column.name] ?? null);
}
