import type { RawTable, Snapshot, TableEntry } from '../schema/index.ts';
import { native, printType, serializeList, serializeSet, splitList } from '../values/index.ts';
import { HIDDEN_KEYSPACE, isHiddenName, showsLogicalTypes } from './hidden.ts';
import { indexKind, indexOptions } from './index_rows.ts';
import { shownColumn, viewWhere } from './view_rows.ts';
import type { VirtualRow } from './virtual_table.ts';

/** What has rows with named columns. */
export interface NamedRows {
  readonly name: string;
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly VirtualRow[];
}

/** Reads and replaces named cells of a raw table's rows. */
export class Cells {
  readonly #index = new Map<string, number>();

  constructor(table: NamedRows) {
    table.columns.forEach((column, index) => this.#index.set(column.name, index));
  }

  text(row: VirtualRow, name: string): string | undefined {
    const cell = this.bytes(row, name);
    return cell === null ? undefined : utf8(cell);
  }

  bytes(row: VirtualRow, name: string): Uint8Array | null {
    const index = this.#index.get(name);
    return index === undefined ? null : (row[index] ?? null);
  }

  int(row: VirtualRow, name: string): number {
    const cell = this.bytes(row, name);
    return cell === null ? 0 : Buffer.from(cell).readInt32BE(0);
  }

  with(row: VirtualRow, name: string, value: Uint8Array | null): VirtualRow {
    const index = this.#index.get(name);
    return index === undefined ? row : row.with(index, value);
  }
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** Columns that name something which may be hidden, by name of the table in system_schema. */
const NAME_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  tables: ['table_name'],
  columns: ['table_name', 'column_name'],
  dropped_columns: ['table_name', 'column_name'],
  column_masks: ['table_name', 'column_name'],
  types: ['type_name'],
  indexes: ['table_name', 'index_name'],
  views: ['view_name', 'base_table_name'],
  triggers: ['table_name', 'trigger_name'],
};

/** Who makes a keyspace is granted what is in it, and its functions. */
const HIDDEN_RESOURCE = new RegExp(`^(data|functions)/${HIDDEN_KEYSPACE}(/|$)`);

/** Rows of a table without those of the hidden keyspace, tables and indexes, wherever the name of the keyspace stands. */
export function withoutHiddenKeyspace(table: NamedRows): VirtualRow[] {
  const cells = new Cells(table);
  return table.rows.filter((row) => {
    const keyspace =
      cells.text(row, 'keyspace_name') ??
      (table.name === 'IndexInfo' ? cells.text(row, 'table_name') : undefined);
    const resource = cells.text(row, 'resource');
    return (
      keyspace !== HIDDEN_KEYSPACE &&
      !HIDDEN_RESOURCE.test(resource ?? '') &&
      !isHiddenName(cells.text(row, 'table_name') ?? '') &&
      !isHiddenName(cells.text(row, 'index_name') ?? '')
    );
  });
}

/** Rows of a table of system_schema as clients see them. */
export function logicalSchemaRows(table: RawTable, snapshot: Snapshot): VirtualRow[] {
  const cells = new Cells(table);
  const names = Object.hasOwn(NAME_COLUMNS, table.name) ? (NAME_COLUMNS[table.name] ?? []) : [];
  const rows = withoutHiddenKeyspace(table);
  if (table.name === 'columns') {
    return inNameOrder(
      rows.flatMap((row) => shownColumns(row, cells, names, snapshot)),
      cells,
    );
  }
  const visible = rows.filter(
    (row) => !names.some((name) => isHiddenName(cells.text(row, name) ?? '')),
  );
  switch (table.name) {
    case 'column_masks':
      return logicalMasks(table, visible, cells, snapshot);
    case 'dropped_columns':
      return visible.map((row) => logicalDroppedColumn(row, cells, snapshot));
    case 'types':
      return visible.map((row) => logicalType(row, cells, snapshot));
    case 'tables':
      return visible.map((row) => logicalTable(row, cells, snapshot));
    case 'indexes':
      return visible.flatMap((row) => logicalIndex(row, cells, snapshot));
    case 'views':
      return visible.map((row) => logicalView(row, cells, snapshot));
    default:
      return visible;
  }
}

/** Rows of one table by the names of its columns, which are Cassandra's order but for columns that have another name there. */
function inNameOrder(rows: VirtualRow[], cells: Cells): VirtualRow[] {
  const tableOf = (row: VirtualRow): string =>
    `${cells.text(row, 'keyspace_name') ?? ''}.${cells.text(row, 'table_name') ?? ''}`;
  const nameOf = (row: VirtualRow): Buffer => Buffer.from(cells.text(row, 'column_name') ?? '');
  const sorted: VirtualRow[] = [];
  for (let start = 0, end = 0; start < rows.length; start = end) {
    const table = tableOf(rows[start] as VirtualRow);
    while (end < rows.length && tableOf(rows[end] as VirtualRow) === table) end++;
    const ofTable = rows.slice(start, end);
    sorted.push(...ofTable.sort((a, b) => Buffer.compare(nameOf(a), nameOf(b))));
  }
  return sorted;
}

/** A column of a table or view; those of a view may have another name in Cassandra. */
function shownColumns(
  row: VirtualRow,
  cells: Cells,
  names: readonly string[],
  snapshot: Snapshot,
): VirtualRow[] {
  const entry = encryptedEntry(row, cells, snapshot);
  if (entry?.view === undefined) {
    const isHidden = names.some((name) => isHiddenName(cells.text(row, name) ?? ''));
    return isHidden ? [] : [logicalColumn(row, cells, snapshot)];
  }
  const column = shownColumn(entry, cells.text(row, 'column_name') ?? '');
  if (column === undefined) return [];
  const named = cells.with(row, 'column_name', Buffer.from(column.name, 'utf8'));
  return [cells.with(named, 'type', Buffer.from(printType(column.type), 'utf8'))];
}

/** Masks of encrypted tables are the proxy's; Cassandra has none on what it stores. */
function logicalMasks(
  table: RawTable,
  rows: readonly VirtualRow[],
  cells: Cells,
  snapshot: Snapshot,
): VirtualRow[] {
  // A plain table may have masks of Cassandra's own.
  const others = rows.filter((row) => encryptedEntry(row, cells, snapshot) === undefined);
  const empty: VirtualRow = table.columns.map(() => null);
  const raw = snapshot.raw('system_schema', 'keyspaces');
  const keyspaces = raw === undefined ? undefined : new Cells(raw);
  return (raw?.rows ?? []).flatMap((row) => {
    const name = keyspaces?.text(row, 'keyspace_name') ?? '';
    const entry = snapshot.keyspace(name);
    const tables = [...(entry?.tables.values() ?? []), ...(entry?.views.values() ?? [])];
    const own = tables.filter(showsLogicalTypes).flatMap((of) => maskRows(of, empty, cells));
    return [...others.filter((other) => cells.text(other, 'keyspace_name') === name), ...own].sort(
      (a, b) => Buffer.compare(maskKey(a, cells), maskKey(b, cells)),
    );
  });
}

/** Names have no zero byte. */
function maskKey(row: VirtualRow, cells: Cells): Buffer {
  return Buffer.from(
    `${cells.text(row, 'table_name') ?? ''}\0${cells.text(row, 'column_name') ?? ''}`,
  );
}

/** Spec: SchemaKeyspace.addColumnToSchemaMutation of Cassandra 5.0. */
function maskRows(table: TableEntry, empty: VirtualRow, cells: Cells): VirtualRow[] {
  const texts = (values: readonly string[]): Uint8Array =>
    serializeList(values.map((value) => Buffer.from(value, 'utf8')));
  return table.allColumns.flatMap(({ name, mask }) => {
    if (mask === undefined) return [];
    const args = mask.args.map(({ record }) => record);
    const values: Readonly<Record<string, Uint8Array>> = {
      keyspace_name: Buffer.from(table.keyspace, 'utf8'),
      table_name: Buffer.from(table.name, 'utf8'),
      column_name: Buffer.from(name, 'utf8'),
      function_keyspace: Buffer.from('system', 'utf8'),
      function_name: Buffer.from(mask.function, 'utf8'),
      function_argument_types: texts(args.map(({ type }) => type)),
      function_argument_values: texts(args.map(({ text }) => text)),
      function_argument_nulls: serializeList(
        args.map(({ value }) => Uint8Array.of(value === null ? 1 : 0)),
      ),
    };
    return [Object.entries(values).reduce((row, [of, value]) => cells.with(row, of, value), empty)];
  });
}

function logicalView(row: VirtualRow, cells: Cells, snapshot: Snapshot): VirtualRow {
  const keyspace = cells.text(row, 'keyspace_name') ?? '';
  const entry = snapshot.table(keyspace, cells.text(row, 'view_name') ?? '');
  if (entry?.view === undefined) return row;
  return cells.with(row, 'where_clause', Buffer.from(viewWhere(entry), 'utf8'));
}

/** The table's entry if its types are to be replaced: tables whose record does not verify keep what Cassandra shows. */
function encryptedEntry(row: VirtualRow, cells: Cells, snapshot: Snapshot): TableEntry | undefined {
  const keyspace = cells.text(row, 'keyspace_name') ?? '';
  const entry = snapshot.table(keyspace, cells.text(row, 'table_name') ?? '');
  return entry !== undefined && showsLogicalTypes(entry) ? entry : undefined;
}

function logicalColumn(row: VirtualRow, cells: Cells, snapshot: Snapshot): VirtualRow {
  const entry = encryptedEntry(row, cells, snapshot);
  const column = entry?.columns.get(cells.text(row, 'column_name') ?? '');
  if (column === undefined) return row;
  return cells.with(row, 'type', Buffer.from(printType(column.type), 'utf8'));
}

function logicalDroppedColumn(row: VirtualRow, cells: Cells, snapshot: Snapshot): VirtualRow {
  const entry = encryptedEntry(row, cells, snapshot);
  const name = cells.text(row, 'column_name') ?? '';
  const column = entry?.dropped.find((dropped) => dropped.name === name);
  if (column === undefined) return row;
  return cells.with(row, 'type', Buffer.from(column.type, 'utf8'));
}

/** An index that the record of its table does not have is being made or dropped. */
function logicalIndex(row: VirtualRow, cells: Cells, snapshot: Snapshot): VirtualRow[] {
  const entry = encryptedEntry(row, cells, snapshot);
  if (entry === undefined) return [row];
  const name = cells.text(row, 'index_name');
  const index = entry.indexes.find((candidate) => candidate.name === name);
  if (index === undefined) return [];
  const kind = Buffer.from(indexKind(index), 'utf8');
  return [cells.with(cells.with(row, 'kind', kind), 'options', indexOptions(index))];
}

function logicalType(row: VirtualRow, cells: Cells, snapshot: Snapshot): VirtualRow {
  const keyspace = cells.text(row, 'keyspace_name') ?? '';
  const udt = snapshot.udt(keyspace, cells.text(row, 'type_name') ?? '');
  if (udt === undefined) return row;
  const names = serializeList(udt.fields.map((field) => Buffer.from(field.name, 'utf8')));
  const types = serializeList(
    udt.fields.map((field) => Buffer.from(printType(field.type), 'utf8')),
  );
  return cells.with(cells.with(row, 'field_names', names), 'field_types', types);
}

/** Encrypted counters are regular cells in Cassandra; the flag tells drivers what the table is to them. */
function logicalTable(row: VirtualRow, cells: Cells, snapshot: Snapshot): VirtualRow {
  const entry = encryptedEntry(row, cells, snapshot);
  const flags = cells.bytes(row, 'flags');
  const counter =
    entry?.allColumns.some((c) => c.type.kind === 'native' && c.type.name === 'counter') === true;
  if (!counter || flags === null) return row;
  const present = splitList(flags);
  if (present.some((flag) => utf8(flag) === 'counter')) return row;
  return cells.with(
    row,
    'flags',
    serializeSet(native('text'), [...present, Buffer.from('counter', 'utf8')]),
  );
}
