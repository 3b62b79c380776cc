import { BackupError } from '../errors/index.ts';
import type { ColumnRecord, TypeRecord } from '../schema/index.ts';

/** A static or regular column, as cells name it. */
export interface CellColumn {
  /** Index in `cellColumns` of the manifest. */
  readonly index: number;
  readonly name: string;
  readonly isStatic: boolean;
  /** `cell` for one cell; the others have one for each element or field. */
  readonly scheme: 'cell' | 'list' | 'set' | 'map' | 'fields';
  /** Fields of a user type that is not frozen, in their order; empty for other columns. */
  readonly fields: readonly string[];
}

/** What a backup knows of its table. */
export interface CellTable {
  readonly keyspace: string;
  readonly name: string;
  readonly columns: readonly ColumnRecord[];
  readonly types: readonly TypeRecord[];
  readonly cellColumns: readonly string[];
}

const SCHEMES: ReadonlySet<string> = new Set<CellColumn['scheme']>([
  'cell',
  'list',
  'set',
  'map',
  'fields',
]);

/**
 * The static and regular columns in the order by which cells name them.
 * @throws BackupError BACKUP_COLUMN for one that is stored in a way that this version does not know
 */
export function cellColumnsOf(table: CellTable): readonly CellColumn[] {
  return table.cellColumns.map((name, index) => {
    const column = table.columns.find((candidate) => candidate.name === name);
    const scheme = column?.scheme;
    if (column === undefined || !isCellScheme(scheme)) throw unknownColumn(table, name, column);
    const type = table.types.find((candidate) => isNamed(column.type, candidate.name));
    if (scheme === 'fields' && type === undefined) throw unknownColumn(table, name, column);
    return {
      index,
      name,
      isStatic: column.kind === 'static',
      scheme,
      fields: scheme === 'fields' ? (type?.fields ?? []).map((field) => field.name) : [],
    };
  });
}

/** True when a column's cells are under the cell DEK: elements of lists and sets are under the key DEK. */
export function isUnderCellDek({ scheme }: CellColumn): boolean {
  return scheme !== 'list' && scheme !== 'set';
}

/** The path of a field, or the place of a list element. */
export function indexPath(index: number): Buffer {
  const path = Buffer.alloc(4);
  path.writeUInt32BE(index);
  return path;
}

/** The index of {@link indexPath}. @throws BackupError BACKUP_FORMAT */
export function indexOfPath(path: Uint8Array): number {
  if (path.length === 4) return Buffer.from(path).readUInt32BE();
  throw new BackupError('BACKUP_FORMAT', 'a backup has an element whose place is not understood');
}

/** Whether a column's type is the user type of a name, quoted or not. */
function isNamed(columnType: string, typeName: string): boolean {
  return columnType === typeName || columnType === `"${typeName.replaceAll('"', '""')}"`;
}

function isCellScheme(scheme: string | undefined): scheme is CellColumn['scheme'] {
  return scheme !== undefined && SCHEMES.has(scheme);
}

function unknownColumn(
  { keyspace, name: table }: CellTable,
  name: string,
  column: ColumnRecord | undefined,
): BackupError {
  return new BackupError(
    'BACKUP_COLUMN',
    `table ${keyspace}.${table} has the column ${name} of type ${column?.type ?? 'unknown'}, which is stored in a way that this version of cqlock does not know; use the version that made it, or a later one`,
  );
}
