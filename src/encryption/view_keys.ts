import type {
  ClusteringHandle,
  OpenPage,
  PartitionHandle,
  SealBatch,
  TableCipherKeys,
} from '../crypto/index.ts';
import { CiphertextError, InternalError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { canonicalValue } from '../values/index.ts';
import type { PartitionKey } from './key_sealing.ts';
import type { StoredRole } from './stored_result.ts';
import { columnContext, isPartitionForm, tableName } from './table_columns.ts';

/** The columns that values of a row are bound to, in the order they are bound: for a view the key of its base. */
export interface BindingKey {
  readonly partition: readonly ColumnEntry[];
  readonly clustering: readonly ColumnEntry[];
}

const bindings = new WeakMap<TableEntry, BindingKey>();

/** The key of a table, or that of the base of a view, as the view's columns. */
export function bindingKey(table: TableEntry): BindingKey {
  if (table.view === undefined)
    return { partition: table.partitionKey, clustering: table.clustering };
  const known = bindings.get(table);
  if (known !== undefined) return known;
  const { base } = table.view;
  const own = ({ name }: ColumnEntry): ColumnEntry => {
    const column = table.columns.get(name);
    if (column === undefined) throw new InternalError('a view without a key column of its base');
    return column;
  };
  const made = { partition: base.partitionKey.map(own), clustering: base.clustering.map(own) };
  bindings.set(table, made);
  return made;
}

/** The key column of a view that is no key column of its base. */
export function furtherColumn(table: TableEntry): ColumnEntry | undefined {
  return table.view?.cell === undefined ? undefined : table.columns.get(table.view.cell.name);
}

/** The column of a stored result that holds a key column; -1 when it was not read. */
export function columnAt(roles: readonly StoredRole[], { kind, position }: ColumnEntry): number {
  return roles.findIndex(
    (role) => role.kind === kind && 'position' in role && role.position === position,
  );
}

/**
 * A partition key queued for sealing. The partition key of a view may have more columns than that of its base: they are
 * sealed as the base's clustering columns are.
 */
export interface SealedKey {
  /** The partition that values are bound to. */
  readonly partition: PartitionHandle;
  /** Of a view: each column of its partition key, as the place in the base's or as a value of its own. */
  readonly columns: readonly (number | ClusteringHandle)[] | undefined;
}

/** Whether partitions of a view hold rows of several partitions of its base. */
export function spansBase({ view }: TableEntry): boolean {
  return view?.spansPartitions === true;
}

/** Queues the partition key of a table or view. */
export function sealKey(
  batch: SealBatch,
  keys: TableCipherKeys,
  table: TableEntry,
  key: PartitionKey,
): SealedKey {
  const isSpanning = spansBase(table);
  const bound = isSpanning ? table.partitionKey : bindingKey(table).partition;
  const partition = batch.partition(
    keys,
    bound.map((column) => ({
      context: columnContext(table, column),
      value: key[column.position] as Uint8Array,
    })),
  );
  if (table.view === undefined || isSpanning) return { partition, columns: undefined };
  return {
    partition,
    columns: table.partitionKey.map((column, at) => {
      const place = bound.indexOf(column);
      if (place >= 0) return place;
      return batch.clustering(partition, columnContext(table, column), key[at] as Uint8Array);
    }),
  };
}

/** The stored components of a sealed partition key, in the order of the table or view. */
export function storedKey(
  batch: SealBatch,
  { partition, columns }: SealedKey,
): readonly Uint8Array[] {
  const bound = batch.partitionComponents(partition);
  if (columns === undefined) return bound;
  return columns.map((column) =>
    typeof column === 'number' ? (bound[column] as Uint8Array) : batch.clusteringBytes(column),
  );
}

/**
 * Every row of a view with a further key column must have there the value of its own cell: the key alone is bound to its
 * partition, the cell to its row.
 */
export class FurtherCheck {
  readonly #page: OpenPage;
  readonly #table: TableEntry;
  readonly #column: ColumnEntry;
  readonly #keys: Int32Array;
  readonly #cells: Int32Array;

  /** @param keys, cells handles by row: of the key column and of the cell */
  constructor(
    page: OpenPage,
    table: TableEntry,
    column: ColumnEntry,
    keys: Int32Array,
    cells: Int32Array,
  ) {
    this.#page = page;
    this.#table = table;
    this.#column = column;
    this.#keys = keys;
    this.#cells = cells;
  }

  /** @throws CiphertextError; InternalError when the batch did not run */
  run(): void {
    const { output } = this.#page;
    const value = (handle: number): Uint8Array | undefined => {
      if (handle < 0) return undefined;
      const start = this.#page.startOf(handle);
      return output.subarray(start, start + this.#page.lengthOf(handle));
    };
    for (let row = 0; row < this.#keys.length; row++) {
      const key = value(this.#keys[row] as number);
      const cell = value(this.#cells[row] as number);
      const isSame =
        key !== undefined && cell !== undefined && Buffer.compare(key, this.#keyValue(cell)) === 0;
      if (isSame) continue;
      throw new CiphertextError(
        'CIPHERTEXT_VIEW_KEY',
        `key column ${this.#column.name} of view ${tableName(this.#table)}`,
      );
    }
  }

  #keyValue(cell: Uint8Array): Uint8Array {
    return isPartitionForm(this.#column) ? cell : canonicalValue(this.#column.type, cell);
  }
}

/** Where the cell of the further key column stands in a stored result; -1 when it was not read. */
export function furtherCellAt(table: TableEntry, roles: readonly StoredRole[]): number {
  const cell = table.view?.cell;
  if (table.view === undefined || cell === undefined) return -1;
  const context = columnContext(table.view.base, cell);
  return roles.findIndex((role) => 'context' in role && role.context === context);
}
