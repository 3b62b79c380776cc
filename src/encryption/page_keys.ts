import type { OpenPage, StoredCells } from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import type { KeyRestriction } from './restrictions.ts';
import type { KnownKeys, StoredRole } from './stored_result.ts';
import { isPartitionForm, tableName } from './table_columns.ts';
import { bindingKey, columnAt } from './view_keys.ts';

/** The error for an answer that cannot be one to the statement. */
export function foreignResult(table: TableEntry, what: string): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_FOREIGN_RESULT',
    `Cassandra answered ${what} to a read of ${tableName(table)}; nothing of it is returned`,
  );
}

/**
 * The keys of a page's rows: checked against those of the statement, and named in the open batch. All of it works on
 * stored bytes.
 */
export class PageKeys {
  /** Partition of each row in the batch; -1 when no column needs one. */
  readonly partitions: Int32Array;
  /** Row of each row in the batch; -1 for a row of statics only, or when no column needs one. */
  readonly rows: Int32Array;
  /** Where WHERE does not give the key: which of `firstRows` has the partition of each row. */
  readonly groups: Int32Array;
  /** The first row of each run of rows of one partition; of a view that spans partitions, of one of its base. */
  readonly firstRows: number[] = [];
  /** Column of each component of the partition key, -1 where it was not read. */
  readonly partitionAt: readonly number[];
  /** Columns in which rows of one run agree: all that are in the form of a partition key, also in the clustering of a view. */
  readonly #sameAt: readonly number[];
  readonly #page: OpenPage;
  readonly #table: TableEntry;
  readonly #known: KnownKeys;
  readonly #cells: StoredCells;
  readonly #clusteringAt: readonly number[];
  readonly #hasClustering: boolean;
  /** Of a view: the columns with the key of its base, which are always read. */
  readonly #base:
    { readonly partition: readonly number[]; readonly clustering: readonly number[] } | undefined;

  /** @throws MetadataIntegrityError when a row cannot be the answer to the statement. */
  constructor(
    page: OpenPage,
    table: TableEntry,
    roles: readonly StoredRole[],
    known: KnownKeys,
    cells: StoredCells,
  ) {
    this.#page = page;
    this.#table = table;
    this.#known = known;
    this.#cells = cells;
    this.partitionAt = table.partitionKey.map((column) => columnAt(roles, column));
    this.#clusteringAt = table.clustering.map((column) => columnAt(roles, column));
    const bound = table.view === undefined ? undefined : bindingKey(table);
    this.#base = bound && {
      partition: bound.partition.map((column) => columnAt(roles, column)),
      clustering: bound.clustering.map((column) => columnAt(roles, column)),
    };
    const inForm = this.#clusteringAt.filter((_at, index) =>
      isPartitionForm(table.clustering[index] as ColumnEntry),
    );
    this.#sameAt = [...this.partitionAt, ...inForm];
    this.#hasClustering = known.clustering === undefined && !this.#clusteringAt.includes(-1);
    const { rowCount } = cells;
    this.partitions = new Int32Array(rowCount).fill(-1);
    this.groups = new Int32Array(rowCount);
    this.rows = new Int32Array(rowCount).fill(-1);
    const needsPartition = roles.some((role) => role.kind !== 'plain');
    const needsRow = roles.some((role) => role.kind === 'regular');
    let partition = -1;
    for (let row = 0; row < rowCount; row++) {
      if (needsPartition) {
        if (partition < 0 || !this.#isSamePartition(row)) partition = this.#partition(row);
        this.partitions[row] = partition;
        this.groups[row] = this.firstRows.length - 1;
      }
      if (this.#isRow(row) && needsRow) this.rows[row] = this.#row(partition, row);
    }
  }

  #partition(row: number): number {
    const known = this.#known.partition;
    const at = this.partitionAt;
    for (let position = 0; position < at.length; position++) {
      const column = at[position] as number;
      if (column < 0 ? known === undefined : this.#isNull(row, column)) {
        throw foreignResult(this.#table, 'a row without its partition key');
      }
      if (column >= 0 && known !== undefined && !this.#is(row, column, known.stored[position])) {
        throw foreignResult(this.#table, 'a row of another partition');
      }
    }
    this.firstRows.push(row);
    if (this.#base !== undefined) {
      return this.#page.partitionAt(row, this.#required(this.#base.partition));
    }
    return known === undefined
      ? this.#page.partitionAt(row, at)
      : this.#page.partition(known.stored);
  }

  /** Whether a row has the stored key of the row before; a key from WHERE was compared with that one. */
  #isSamePartition(row: number): boolean {
    for (const column of this.#sameAt) {
      if (column >= 0 && !this.#isAsBefore(row, column)) return false;
    }
    return true;
  }

  /** Checks the clustering of a row; false for a row of statics only. */
  #isRow(row: number): boolean {
    const known = this.#known.clustering;
    const at = this.#clusteringAt;
    if (known !== undefined) {
      for (let position = 0; position < at.length; position++) {
        const column = at[position] as number;
        if (column < 0 || this.#isNull(row, column)) continue;
        if (!this.#is(row, column, known.stored[position])) {
          throw foreignResult(this.#table, 'another row');
        }
      }
      return true;
    }
    if (!this.#hasClustering) return false;
    for (const column of at) if (this.#isNull(row, column)) return false;
    const { restrictions, storedRestrictions } = this.#known;
    for (let r = 0; r < restrictions.length; r++) {
      if (!this.#meets(row, restrictions[r] as KeyRestriction, storedRestrictions[r] ?? [])) {
        throw foreignResult(this.#table, 'a row outside the restrictions');
      }
    }
    return true;
  }

  #row(partition: number, row: number): number {
    if (this.#base !== undefined) {
      return this.#page.rowAt(partition, row, this.#required(this.#base.clustering));
    }
    const known = this.#known.clustering;
    return known === undefined
      ? this.#page.rowAt(partition, row, this.#clusteringAt)
      : this.#page.row(partition, known.stored);
  }

  #required(columns: readonly number[]): readonly number[] {
    if (columns.includes(-1)) throw foreignResult(this.#table, 'a row without the key of its base');
    return columns;
  }

  #isNull(row: number, column: number): boolean {
    const { lengths, columnCount } = this.#cells;
    return (lengths[row * columnCount + column] as number) < 0;
  }

  /** Whether a cell has these bytes. */
  #is(row: number, column: number, bytes: Uint8Array | undefined): boolean {
    return (
      bytes !== undefined && !this.#isNull(row, column) && this.#order(row, column, bytes) === 0
    );
  }

  /** Whether a cell has the bytes of the cell above it; neither is null then. */
  #isAsBefore(row: number, column: number): boolean {
    const { bytes, starts, lengths, columnCount } = this.#cells;
    const cell = row * columnCount + column;
    const length = lengths[cell] as number;
    if (length < 0 || length !== lengths[cell - columnCount]) return false;
    const a = starts[cell] as number;
    const b = starts[cell - columnCount] as number;
    for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  }

  /** Compares the bytes of a cell that is not null; negative when they come first. */
  #order(row: number, column: number, other: Uint8Array): number {
    const { bytes, starts, lengths, columnCount } = this.#cells;
    const cell = row * columnCount + column;
    const start = starts[cell] as number;
    const length = lengths[cell] as number;
    const shared = Math.min(length, other.length);
    for (let i = 0; i < shared; i++) {
      const difference = (bytes[start + i] as number) - (other[i] as number);
      if (difference !== 0) return difference;
    }
    return length - other.length;
  }

  /** Whether a stored clustering meets a restriction; stored bytes order as the values do. */
  #meets(
    row: number,
    restriction: KeyRestriction,
    tuples: readonly (readonly Uint8Array[])[],
  ): boolean {
    return tuples.some((tuple) => {
      const order = this.#compareTuple(row, restriction, tuple);
      switch (restriction.operator) {
        case '=':
        case 'IN':
          return order === 0;
        case '<':
          return order < 0;
        case '<=':
          return order <= 0;
        case '>':
          return order > 0;
        case '>=':
          return order >= 0;
      }
    });
  }

  #compareTuple(row: number, restriction: KeyRestriction, tuple: readonly Uint8Array[]): number {
    for (const [index, column] of restriction.columns.entries()) {
      const bound = tuple[index];
      if (bound === undefined) return 0;
      const order = this.#order(row, this.#clusteringAt[column.position] as number, bound);
      if (order !== 0) return order;
    }
    return 0;
  }
}
