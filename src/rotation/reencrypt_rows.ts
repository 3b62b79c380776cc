import { OpenBatch, SealBatch } from '../crypto/index.ts';
import type {
  CellHandle,
  ColumnContext,
  OpenHandle,
  PartitionHandle,
  RowHandle,
  TableCipherKeys,
} from '../crypto/index.ts';
import { columnContext, columnParts } from '../encryption/index.ts';
import { CiphertextError, SchemaError } from '../errors/index.ts';
import type { ColumnEntry, ColumnScheme, TableEntry } from '../schema/index.ts';
import type { StoredCell, StoredColumn, StoredTable, StoredTableRow } from '../upstream/index.ts';

/** A cell of an old epoch. */
interface OldCell {
  readonly partition: readonly Buffer[];
  /** `null` for a static cell. */
  readonly clustering: readonly Buffer[] | null;
  /** Place among the static or the regular columns of {@link StoredTable}; of an entry among its maps. */
  readonly index: number;
  readonly context: ColumnContext;
  readonly cell: StoredCell;
  /** Of an entry of a map. */
  readonly entry?: { readonly map: string; readonly key: Buffer };
}

/** A row with what is to be looked at of its maps. */
export interface RowWithEntries extends StoredTableRow {
  readonly entries?: readonly MapEntry[];
}

/** An entry of a map with its write time. */
export interface MapEntry {
  readonly isStatic: boolean;
  readonly map: string;
  readonly key: Buffer;
  readonly cell: StoredCell;
}

/** A cell under the active epoch: what it was, and its new bytes. */
export interface RewrittenCell extends OldCell {
  readonly bytes: Buffer;
}

/** What became of rows that were looked at. */
export interface ReencryptedRows {
  readonly cells: readonly RewrittenCell[];
  /** Cells that fail authentication: column and code of each. They are left as they are. */
  readonly damaged: readonly { readonly column: string; readonly code: string }[];
}

/**
 * The stored form of a table, for reading and writing it as it is.
 * @throws SchemaError when a column is stored in a way that re-encryption does not know
 */
export function storedTable(table: TableEntry): StoredTable {
  const cells = [...table.statics, ...table.regulars];
  const strange = cells.find((column) => !KNOWN_SCHEMES.has(column.scheme));
  if (strange !== undefined) {
    throw new SchemaError(
      'SCHEMA_REENCRYPTION_COLUMN',
      `column ${strange.name} of ${table.keyspace}.${table.name} is stored as ${strange.storedType}; the table cannot be re-encrypted, its old epochs stay readable`,
    );
  }
  const names = (columns: readonly ColumnEntry[]): string[] => columns.map(({ name }) => name);
  const maps = (columns: readonly ColumnEntry[]): string[] =>
    names(columns.filter(({ scheme }) => scheme === 'map'));
  return {
    keyspace: table.keyspace,
    name: table.name,
    partition: names(table.partitionKey),
    clustering: names(table.clustering),
    statics: cellsOf(table, table.statics).map(({ column }) => column),
    regulars: cellsOf(table, table.regulars).map(({ column }) => column),
    staticMaps: maps(table.statics),
    regularMaps: maps(table.regulars),
  };
}

/** Lists and sets have elements only, which are under the key DEK: a rotation does not touch them. */
const KNOWN_SCHEMES: ReadonlySet<string> = new Set<ColumnScheme>([
  'cell',
  'list',
  'set',
  'map',
  'fields',
]);

/** What is stored under the cell DEK as one cell: whole columns, and fields of user types that are not frozen. */
function cellsOf(
  table: TableEntry,
  columns: readonly ColumnEntry[],
): { readonly column: StoredColumn; readonly context: ColumnContext }[] {
  return columns.flatMap((column): ReturnType<typeof cellsOf> => {
    const parts = columnParts(table, column);
    if (parts === undefined) {
      return [{ column: column.name, context: columnContext(table, column) }];
    }
    if (parts.kind !== 'fields') return [];
    return parts.fields.map((context, index) => ({
      column: { column: column.name, field: parts.type.fields[index]?.name ?? '' },
      context,
    }));
  });
}

/** The entries of maps in a row that are older than an epoch. Their write times are not known yet. */
export function oldEntries(
  table: StoredTable,
  row: StoredTableRow,
  epoch: number,
  withStatics: boolean,
): { readonly isStatic: boolean; readonly map: string; readonly keys: readonly Buffer[] }[] {
  const found = (
    names: readonly string[] = [],
    maps: StoredTableRow['staticMaps'] = [],
    isStatic: boolean,
  ): ReturnType<typeof oldEntries> =>
    names.flatMap((map, index) => {
      const keys = (maps[index] ?? [])
        .filter(([, value]) => isBefore(value, epoch))
        .map(([key]) => key);
      return keys.length === 0 ? [] : [{ isStatic, map, keys }];
    });
  return [
    ...(withStatics ? found(table.staticMaps, row.staticMaps, true) : []),
    ...(row.clustering === null ? [] : found(table.regularMaps, row.regularMaps, false)),
  ];
}

/**
 * Decrypts the cells of rows that are older than the active epoch and encrypts them under it. Every cell is authenticated in its
 * place, by the stored keys of its row; nothing is taken on trust. Keys are used in this turn only.
 */
export function reencryptRows(
  table: TableEntry,
  keys: TableCipherKeys,
  rows: readonly RowWithEntries[],
): ReencryptedRows {
  const old = oldCells(table, keys.cellDek.epoch, rows);
  const damaged: { column: string; code: string }[] = [];
  const opened = openAll(keys, old, damaged);
  const batch = new SealBatch();
  const places = new Places(
    (stored) => batch.storedPartition(keys, stored),
    (partition, clustering) => batch.row(partition, clustering),
  );
  const queued: { old: OldCell; handle: CellHandle }[] = opened.map(({ cell, plain }) => {
    const { context, entry } = cell;
    const place = places.of(cell);
    const handle =
      entry === undefined
        ? batch.cell(place, context, plain)
        : batch.mapValue(place, context, entry.key, plain);
    return { old: cell, handle };
  });
  batch.run();
  for (const { plain } of opened) plain.fill(0);
  return {
    damaged,
    cells: queued.map(({ old: cell, handle }) => ({
      ...cell,
      bytes: Buffer.from(batch.cellBytes(handle)),
    })),
  };
}

function oldCells(table: TableEntry, epoch: number, rows: readonly RowWithEntries[]): OldCell[] {
  const old: OldCell[] = [];
  const statics = cellsOf(table, table.statics);
  const regulars = cellsOf(table, table.regulars);
  let last: StoredTableRow | undefined;
  for (const row of rows) {
    const isSame = last !== undefined && sameKey(last.partition, row.partition);
    last = row;
    const add = (
      columns: ReturnType<typeof cellsOf>,
      cells: readonly (StoredCell | null)[],
      clustering: readonly Buffer[] | null,
    ): void => {
      for (const [index, cell] of cells.entries()) {
        const column = columns[index];
        if (cell === null || column === undefined || !isBefore(cell.value, epoch)) continue;
        old.push({ partition: row.partition, clustering, index, context: column.context, cell });
      }
    };
    // Every row of a partition carries its static cells.
    if (!isSame) add(statics, row.statics, null);
    if (row.clustering !== null) add(regulars, row.regulars, row.clustering);
    for (const { isStatic, map, key, cell } of row.entries ?? []) {
      const column = table.columns.get(map);
      const parts = column && columnParts(table, column);
      if (parts?.kind !== 'map' || !isBefore(cell.value, epoch)) continue;
      const clustering = isStatic ? null : row.clustering;
      const entry = { map, key };
      old.push({
        partition: row.partition,
        clustering,
        index: 0,
        context: parts.value,
        cell,
        entry,
      });
    }
  }
  return old;
}

/** True for values of lower epochs, and for what is no value at all: that turns out when it is opened. */
function isBefore(value: Buffer, epoch: number): boolean {
  return value.length < 4 || value[0] !== 0xc1 || value.readUInt16BE(2) < epoch;
}

interface Opened {
  readonly cell: OldCell;
  readonly plain: Uint8Array;
}

/** Opens all cells at once; where one of them is not genuine, one by one, so that the others are known. */
function openAll(
  keys: TableCipherKeys,
  old: readonly OldCell[],
  damaged: { column: string; code: string }[],
): Opened[] {
  try {
    return openTogether(keys, old);
  } catch (error) {
    if (!(error instanceof CiphertextError)) throw error;
  }
  const opened: Opened[] = [];
  for (const cell of old) {
    try {
      opened.push(...openTogether(keys, [cell]));
    } catch (error) {
      if (!(error instanceof CiphertextError)) throw error;
      damaged.push({ column: cell.context.name, code: error.code });
    }
  }
  return opened;
}

function openTogether(keys: TableCipherKeys, old: readonly OldCell[]): Opened[] {
  const batch = new OpenBatch();
  const places = new Places(
    (stored) => batch.partition(keys, stored),
    (partition, clustering) => batch.row(partition, clustering),
  );
  const queued: { cell: OldCell; handle: OpenHandle }[] = old.map((cell) => ({
    cell,
    handle:
      cell.entry === undefined
        ? batch.openCell(places.of(cell), cell.context, cell.cell.value)
        : batch.openMapValue(places.of(cell), cell.context, cell.entry.key, cell.cell.value),
  }));
  batch.run();
  return queued.map(({ cell, handle }) => ({ cell, plain: batch.bytes(handle) }));
}

/** The partition or row of each cell, one handle for cells that follow each other in one. */
class Places {
  readonly #partition: (stored: readonly Buffer[]) => PartitionHandle;
  readonly #row: (partition: PartitionHandle, clustering: readonly Buffer[]) => RowHandle;
  #last: { readonly key: readonly Buffer[]; readonly handle: PartitionHandle } | undefined;
  #lastRow: { readonly key: readonly Buffer[]; readonly handle: RowHandle } | undefined;

  constructor(
    partition: (stored: readonly Buffer[]) => PartitionHandle,
    row: (partition: PartitionHandle, clustering: readonly Buffer[]) => RowHandle,
  ) {
    this.#partition = partition;
    this.#row = row;
  }

  of(cell: OldCell): PartitionHandle | RowHandle {
    if (this.#last === undefined || !sameKey(this.#last.key, cell.partition)) {
      this.#last = { key: cell.partition, handle: this.#partition(cell.partition) };
      this.#lastRow = undefined;
    }
    if (cell.clustering === null) return this.#last.handle;
    if (this.#lastRow === undefined || !sameKey(this.#lastRow.key, cell.clustering)) {
      const handle = this.#row(this.#last.handle, cell.clustering);
      this.#lastRow = { key: cell.clustering, handle };
    }
    return this.#lastRow.handle;
  }
}

/** True for two keys of the same stored bytes. */
export function sameKey(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((part, index) => part.equals(b[index] as Buffer));
}
