import { OpenBatch, SealBatch } from '../crypto/index.ts';
import type {
  CellHandle,
  ColumnContext,
  OpenHandle,
  PartitionHandle,
  RowHandle,
  TableCipherKeys,
} from '../crypto/index.ts';
import { columnContext } from '../encryption/index.ts';
import { CiphertextError, SchemaError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import type { StoredCell, StoredTable, StoredTableRow } from '../upstream/index.ts';

/** A cell of an old epoch. */
interface OldCell {
  readonly partition: readonly Buffer[];
  /** `null` for a static cell. */
  readonly clustering: readonly Buffer[] | null;
  /** Place among the static or the regular columns. */
  readonly index: number;
  readonly context: ColumnContext;
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
  const strange = cells.find((column) => column.scheme !== 'cell' || column.storedType !== 'blob');
  if (strange !== undefined) {
    throw new SchemaError(
      'SCHEMA_REENCRYPTION_COLUMN',
      `column ${strange.name} of ${table.keyspace}.${table.name} is stored as ${strange.storedType}; the table cannot be re-encrypted, its old epochs stay readable`,
    );
  }
  const names = (columns: readonly ColumnEntry[]): string[] => columns.map(({ name }) => name);
  return {
    keyspace: table.keyspace,
    name: table.name,
    partition: names(table.partitionKey),
    clustering: names(table.clustering),
    statics: names(table.statics),
    regulars: names(table.regulars),
  };
}

/**
 * Decrypts the cells of rows that are older than the active epoch and encrypts them under it. Every cell is authenticated in its
 * place, by the stored keys of its row; nothing is taken on trust. Keys are used in this turn only.
 */
export function reencryptRows(
  table: TableEntry,
  keys: TableCipherKeys,
  rows: readonly StoredTableRow[],
): ReencryptedRows {
  const old = oldCells(table, keys.cellDek.epoch, rows);
  const damaged: { column: string; code: string }[] = [];
  const opened = openAll(keys, old, damaged);
  const batch = new SealBatch();
  const places = new Places(
    (stored) => batch.storedPartition(keys, stored),
    (partition, clustering) => batch.row(partition, clustering),
  );
  const queued: { old: OldCell; handle: CellHandle }[] = opened.map(({ cell, plain }) => ({
    old: cell,
    handle: batch.cell(places.of(cell), cell.context, plain),
  }));
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

function oldCells(table: TableEntry, epoch: number, rows: readonly StoredTableRow[]): OldCell[] {
  const old: OldCell[] = [];
  let last: StoredTableRow | undefined;
  for (const row of rows) {
    const isSame = last !== undefined && sameKey(last.partition, row.partition);
    last = row;
    const add = (
      columns: readonly ColumnEntry[],
      cells: readonly (StoredCell | null)[],
      clustering: readonly Buffer[] | null,
    ): void => {
      for (const [index, cell] of cells.entries()) {
        const column = columns[index];
        if (cell === null || column === undefined || !isBefore(cell.value, epoch)) continue;
        const context = columnContext(table, column);
        old.push({ partition: row.partition, clustering, index, context, cell });
      }
    };
    // Every row of a partition carries its static cells.
    if (!isSame) add(table.statics, row.statics, null);
    if (row.clustering !== null) add(table.regulars, row.regulars, row.clustering);
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
    handle: batch.openCell(places.of(cell), cell.context, cell.cell.value),
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
