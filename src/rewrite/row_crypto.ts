import { cellColumnsOf, indexOfPath, isSamePartition } from '../backup/index.ts';
import type { BackupCell, BackupRow, CellColumn, CellTable } from '../backup/index.ts';
import { OpenBatch, SealBatch } from '../crypto/index.ts';
import type {
  CellHandle,
  ClusteringHandle,
  ColumnContext,
  OpenHandle,
  PartitionHandle,
  RowHandle,
  TableCipherKeys,
} from '../crypto/index.ts';
import { columnContext, columnParts } from '../encryption/index.ts';
import type { ColumnParts } from '../encryption/index.ts';
import { CiphertextError, InternalError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';

/** A column of a table by the index that cells name it with. */
interface Column {
  readonly entry: ColumnEntry;
  readonly parts: ColumnParts | undefined;
}

/** A row that was looked at: its plain text, or why it does not open. */
export type Opened =
  | { readonly stored: BackupRow; readonly plain: BackupRow }
  | { readonly stored: BackupRow; readonly column: string; readonly code: string };

/**
 * Opens and seals whole rows: keys, elements and cells. A plain row has the form of a stored one, with plain bytes in the places
 * of stored ones. Keys are used in this turn only.
 */
export class RowCrypto {
  readonly #table: TableEntry;
  readonly #columns: readonly Column[];

  constructor(table: TableEntry, cells: CellTable) {
    this.#table = table;
    this.#columns = cellColumnsOf(cells).map(({ name }: CellColumn): Column => {
      const entry = table.columns.get(name);
      if (entry === undefined) throw new InternalError('a column that its table does not have');
      return { entry, parts: columnParts(table, entry) };
    });
  }

  /** Opens rows together; where one of them is not genuine, one by one, so that the others are known. */
  open(keys: TableCipherKeys, rows: readonly BackupRow[]): Opened[] {
    try {
      return this.#openTogether(keys, rows);
    } catch (error) {
      if (!(error instanceof CiphertextError)) throw error;
    }
    return rows.flatMap((stored): Opened[] => {
      try {
        return this.#openTogether(keys, [stored]);
      } catch (error) {
        if (!(error instanceof CiphertextError)) throw error;
        return [{ stored, column: error.message, code: error.code }];
      }
    });
  }

  /** Whether the key of a partition opens. */
  opensPartition(keys: TableCipherKeys, partition: readonly Uint8Array[]): boolean {
    try {
      this.#openTogether(keys, [{ partition, clustering: undefined, cells: [] }]);
      return true;
    } catch (error) {
      if (!(error instanceof CiphertextError)) throw error;
      return false;
    }
  }

  /** Seals plain rows, in their order. */
  seal(keys: TableCipherKeys, rows: readonly BackupRow[]): BackupRow[] {
    const batch = new SealBatch();
    let last:
      { readonly plain: readonly Uint8Array[]; readonly handle: PartitionHandle } | undefined;
    const queued = rows.map((plain) => {
      if (last === undefined || !isSamePartition(last.plain, plain.partition)) {
        const components = plain.partition.map((value, index) => ({
          context: this.#context(this.#table.partitionKey, index),
          value,
        }));
        last = { plain: plain.partition, handle: batch.partition(keys, components) };
      }
      const partition = last.handle;
      const clustering = plain.clustering?.map((value, index) =>
        batch.clustering(partition, this.#context(this.#table.clustering, index), value),
      );
      const owner = clustering === undefined ? partition : batch.row(partition, clustering);
      const cells = plain.cells.map((cell) => this.#sealCell(batch, owner, cell));
      return { plain, partition, clustering, cells };
    });
    batch.run();
    return queued.map(({ plain, partition, clustering, cells }) => ({
      partition: batch.partitionComponents(partition).map(copy),
      clustering: clustering?.map((handle: ClusteringHandle) =>
        copy(batch.clusteringBytes(handle)),
      ),
      cells: cells.map(({ path, value }, index): BackupCell => {
        const { column, writeTime, expiresAt, path: place } = plain.cells[index] as BackupCell;
        const bytes = (handle: CellHandle): Uint8Array => copy(batch.cellBytes(handle));
        return {
          column,
          writeTime,
          expiresAt,
          value: value === undefined ? new Uint8Array(0) : bytes(value),
          ...(path === undefined
            ? place === undefined
              ? {}
              : { path: place }
            : { path: bytes(path) }),
        };
      }),
    }));
  }

  #openTogether(keys: TableCipherKeys, rows: readonly BackupRow[]): Opened[] {
    const batch = new OpenBatch();
    let last:
      { readonly stored: readonly Uint8Array[]; readonly handle: PartitionHandle } | undefined;
    const queued = rows.map((stored) => {
      if (last === undefined || !isSamePartition(last.stored, stored.partition)) {
        last = { stored: stored.partition, handle: batch.partition(keys, stored.partition) };
      }
      const partition = last.handle;
      const owner =
        stored.clustering === undefined ? partition : batch.row(partition, stored.clustering);
      return {
        stored,
        partition: stored.partition.map((_, index) =>
          batch.openPartition(partition, index, this.#context(this.#table.partitionKey, index)),
        ),
        clustering: stored.clustering?.map((value, index) =>
          batch.openClustering(partition, this.#context(this.#table.clustering, index), value),
        ),
        cells: stored.cells.map((cell) => this.#openCell(batch, owner, cell)),
      };
    });
    batch.run();
    const bytes = (handle: OpenHandle): Uint8Array => batch.bytes(handle);
    return queued.map(({ stored, partition, clustering, cells }) => ({
      stored,
      plain: {
        partition: partition.map(bytes),
        clustering: clustering?.map(bytes),
        cells: cells.map(({ path, value }, index): BackupCell => {
          const cell = stored.cells[index] as BackupCell;
          return {
            ...cell,
            value: value === undefined ? cell.value : bytes(value),
            ...(path === undefined ? {} : { path: bytes(path) }),
          };
        }),
      },
    }));
  }

  #openCell(
    batch: OpenBatch,
    owner: RowHandle | PartitionHandle,
    { column, path, value }: BackupCell,
  ): { readonly path?: OpenHandle; readonly value?: OpenHandle } {
    const { entry, parts } = this.#column(column);
    if (parts === undefined) {
      return { value: batch.openCell(owner, columnContext(this.#table, entry), value) };
    }
    if (path === undefined) throw noPlace();
    switch (parts.kind) {
      case 'list':
        return { value: batch.openElement(owner, parts.element, value) };
      case 'set':
        return { path: batch.openElement(owner, parts.element, path) };
      case 'map':
        return {
          path: batch.openElement(owner, parts.key, path),
          value: batch.openMapValue(owner, parts.value, path, value),
        };
      case 'fields':
        return { value: batch.openCell(owner, field(parts, path), value) };
    }
  }

  /** Elements, keys and clustering values come out of their ciphertext canonical, so they go back as they are. */
  #sealCell(
    batch: SealBatch,
    owner: RowHandle | PartitionHandle,
    { column, path, value }: BackupCell,
  ): { readonly path?: CellHandle; readonly value?: CellHandle } {
    const { entry, parts } = this.#column(column);
    if (parts === undefined) {
      return { value: batch.cell(owner, columnContext(this.#table, entry), value) };
    }
    if (path === undefined) throw noPlace();
    switch (parts.kind) {
      case 'list':
        return { value: batch.element(owner, parts.element, value) };
      case 'set':
        return { path: batch.element(owner, parts.element, path) };
      case 'map': {
        const key = batch.element(owner, parts.key, path);
        return { path: key, value: batch.mapValue(owner, parts.value, key, value) };
      }
      case 'fields':
        return { value: batch.cell(owner, field(parts, path), value) };
    }
  }

  #column(index: number): Column {
    const column = this.#columns[index];
    if (column === undefined) throw new InternalError('a cell of no column');
    return column;
  }

  #context(columns: readonly ColumnEntry[], index: number): ColumnContext {
    const column = columns[index];
    if (column === undefined) throw new InternalError('a key with too many columns');
    return columnContext(this.#table, column);
  }
}

function field(parts: ColumnParts & { readonly kind: 'fields' }, path: Uint8Array): ColumnContext {
  const context = parts.fields[indexOfPath(path)];
  if (context === undefined) throw new InternalError('a field that its type does not have');
  return context;
}

function noPlace(): InternalError {
  return new InternalError('an element without its place');
}

/** What a batch gives is a part of one large buffer. */
function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}
