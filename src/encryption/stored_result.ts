import type {
  ColumnContext,
  OpenBatch,
  OpenHandle,
  PartitionHandle,
  RowHandle,
  TableCipherKeys,
} from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import type { KeyRestriction } from './restrictions.ts';
import type { StoredClustering } from './key_sealing.ts';
import { columnContext, tableName } from './table_columns.ts';

/** What a column of a stored result is, and so how it is read. */
export type StoredRole =
  | { readonly kind: 'partition'; readonly position: number }
  | { readonly kind: 'clustering'; readonly position: number }
  | { readonly kind: 'static' | 'regular'; readonly context: ColumnContext }
  /** Not encrypted: writetime, ttl, count, token, [applied]. `width` is its size in bytes, null apart. */
  | { readonly kind: 'plain'; readonly width: number };

/** The role of a table's column in a stored result. */
export function roleOf(table: TableEntry, column: ColumnEntry): StoredRole {
  if (column.kind === 'partition' || column.kind === 'clustering') {
    return { kind: column.kind, position: column.position };
  }
  return { kind: column.kind, context: columnContext(table, column) };
}

/** What is known of the rows of a result before they are read: the statement's own keys. */
export interface KnownKeys {
  /** The partition key of all rows, logical and stored, where WHERE gives it. */
  readonly partition:
    { readonly logical: readonly Uint8Array[]; readonly stored: readonly Uint8Array[] } | undefined;
  /** The whole clustering of the one row, canonical and stored, where WHERE gives it. */
  readonly clustering:
    { readonly logical: readonly Uint8Array[]; readonly stored: readonly Uint8Array[] } | undefined;
  /** Clustering restrictions every row must meet, on stored bytes. */
  readonly restrictions: readonly KeyRestriction[];
  readonly storedRestrictions: StoredClustering;
}

/** One row of a result: the cells as Cassandra sent them, in the order of the stored selection. */
export type StoredRow = readonly (Uint8Array | null)[];

/** A cell of the answer: bytes that are known already, or a handle into the batch. */
type OpenedCell = Uint8Array | null | OpenHandle;

/** Rows queued for decryption; {@link OpenedRows.rows} gives them after the batch ran. */
export interface OpenedRows {
  /** The logical cells of the first `visible` columns. @throws when the batch did not run. */
  rows(): (Uint8Array | null)[][];
  /** How many ciphertexts were queued. */
  readonly cellCount: number;
}

/**
 * Queues the rows of a result for decryption and checks them against the keys of the statement.
 *
 * @param visible how many columns of the stored selection the client asked for; the rest are hidden selectors.
 * @throws MetadataIntegrityError when a row cannot be the answer to the statement: Cassandra answered another row.
 */
export function openRows(
  batch: OpenBatch,
  keys: TableCipherKeys,
  table: TableEntry,
  roles: readonly StoredRole[],
  visible: number,
  known: KnownKeys,
  rows: readonly StoredRow[],
): OpenedRows {
  const reader = new RowOpener(batch, keys, table, roles, visible, known);
  const opened = rows.map((row) => reader.open(row));
  return {
    cellCount: reader.cellCount,
    // Handles give way to bytes in place: a page has tens of thousands of cells.
    rows: () => {
      for (const cells of opened) {
        for (let index = 0; index < cells.length; index++) {
          const cell = cells[index];
          if (typeof cell === 'number') cells[index] = batch.bytes(cell);
        }
      }
      return opened as (Uint8Array | null)[][];
    },
  };
}

class RowOpener {
  readonly #batch: OpenBatch;
  readonly #keys: TableCipherKeys;
  readonly #table: TableEntry;
  readonly #roles: readonly StoredRole[];
  readonly #visible: number;
  readonly #known: KnownKeys;
  readonly #partitionAt: number[];
  readonly #clusteringAt: number[];
  readonly #needsClustering: boolean;
  readonly #needsPartition: boolean;
  #lastPartition: readonly Uint8Array[] | undefined;
  #lastHandle: PartitionHandle | undefined;
  #lastOpened: OpenHandle[] = [];
  cellCount = 0;

  constructor(
    batch: OpenBatch,
    keys: TableCipherKeys,
    table: TableEntry,
    roles: readonly StoredRole[],
    visible: number,
    known: KnownKeys,
  ) {
    this.#batch = batch;
    this.#keys = keys;
    this.#table = table;
    this.#roles = roles;
    this.#visible = visible;
    this.#known = known;
    this.#partitionAt = table.partitionKey.map((_, position) =>
      roles.findIndex((role) => role.kind === 'partition' && role.position === position),
    );
    this.#clusteringAt = table.clustering.map((_, position) =>
      roles.findIndex((role) => role.kind === 'clustering' && role.position === position),
    );
    this.#needsClustering = roles.some((role) => role.kind === 'regular');
    this.#needsPartition = roles.some((role) => role.kind !== 'plain');
  }

  open(row: StoredRow): OpenedCell[] {
    const partition = this.#needsPartition ? this.#partition(row) : undefined;
    const clustering = this.#clustering(row);
    const rowHandle =
      partition !== undefined && clustering !== undefined && this.#needsClustering
        ? this.#batch.row(partition, clustering)
        : undefined;
    const cells: OpenedCell[] = [];
    for (let index = 0; index < this.#visible; index++) {
      const role = this.#roles[index] as StoredRole;
      const stored = row[index] ?? null;
      switch (role.kind) {
        case 'plain':
          if (stored !== null && stored.length !== role.width)
            throw this.#foreign('a column of another type');
          cells.push(stored);
          break;
        case 'partition': {
          const logical = this.#known.partition?.logical[role.position];
          cells.push(logical ?? this.#openedPartition(role.position));
          break;
        }
        case 'clustering': {
          if (stored === null) {
            cells.push(null);
            break;
          }
          const logical = this.#known.clustering?.logical[role.position];
          if (logical !== undefined) {
            cells.push(logical);
            break;
          }
          this.cellCount++;
          cells.push(
            this.#batch.openClustering(
              partition as PartitionHandle,
              columnContext(this.#table, this.#table.clustering[role.position] as ColumnEntry),
              stored,
            ),
          );
          break;
        }
        case 'static':
          this.#pushCell(cells, partition as PartitionHandle, role.context, stored);
          break;
        case 'regular':
          if (stored !== null && rowHandle === undefined)
            throw this.#foreign('a cell without its row');
          this.#pushCell(cells, rowHandle as RowHandle, role.context, stored);
          break;
      }
    }
    return cells;
  }

  #pushCell(
    cells: OpenedCell[],
    binding: RowHandle | PartitionHandle,
    context: ColumnContext,
    stored: Uint8Array | null,
  ): void {
    if (stored === null) {
      cells.push(null);
      return;
    }
    this.cellCount++;
    cells.push(this.#batch.openCell(binding, context, stored));
  }

  #partition(row: StoredRow): PartitionHandle {
    const known = this.#known.partition;
    if (this.#lastHandle !== undefined && this.#isSamePartition(row)) return this.#lastHandle;
    const stored: Uint8Array[] = [];
    for (const [position, at] of this.#partitionAt.entries()) {
      const cell = at < 0 ? known?.stored[position] : row[at];
      if (cell === undefined || cell === null)
        throw this.#foreign('a row without its partition key');
      if (known !== undefined && at >= 0 && !sameBytes(cell, known.stored[position])) {
        throw this.#foreign('a row of another partition');
      }
      stored.push(cell);
    }
    const handle = this.#batch.partition(this.#keys, stored);
    this.#lastPartition = stored;
    this.#lastHandle = handle;
    this.#lastOpened = [];
    // Without a key from WHERE the row says which partition it is of: each component must prove itself.
    if (known === undefined) {
      this.#lastOpened = this.#table.partitionKey.map((column, position) => {
        this.cellCount++;
        return this.#batch.openPartition(handle, position, columnContext(this.#table, column));
      });
    }
    return handle;
  }

  /** Whether a row has the stored key of the row before; a key from WHERE was compared with that one. */
  #isSamePartition(row: StoredRow): boolean {
    const last = this.#lastPartition;
    if (last === undefined) return false;
    for (let position = 0; position < last.length; position++) {
      const at = this.#partitionAt[position] as number;
      if (at >= 0 && !sameBytes(row[at], last[position])) return false;
    }
    return true;
  }

  #openedPartition(position: number): OpenHandle {
    const handle = this.#lastOpened[position];
    if (handle === undefined) throw this.#foreign('a row without its partition key');
    return handle;
  }

  /** The stored clustering of a row, checked against the restrictions; `undefined` for a row of statics only. */
  #clustering(row: StoredRow): readonly Uint8Array[] | undefined {
    const known = this.#known.clustering;
    if (known !== undefined) {
      for (const [position, at] of this.#clusteringAt.entries()) {
        if (at >= 0 && row[at] !== null && !sameBytes(row[at], known.stored[position])) {
          throw this.#foreign('another row');
        }
      }
      return known.stored;
    }
    const stored: Uint8Array[] = [];
    for (const at of this.#clusteringAt) {
      const cell = at < 0 ? undefined : row[at];
      if (cell === undefined || cell === null) return undefined;
      stored.push(cell);
    }
    this.#known.restrictions.forEach((restriction, index) => {
      if (!meets(restriction, this.#known.storedRestrictions[index] ?? [], stored)) {
        throw this.#foreign('a row outside the restrictions');
      }
    });
    return stored;
  }

  #foreign(what: string): MetadataIntegrityError {
    return new MetadataIntegrityError(
      'METADATA_FOREIGN_RESULT',
      `Cassandra answered ${what} to a read of ${tableName(this.#table)}; nothing of it is returned`,
    );
  }
}

function sameBytes(a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean {
  return (
    a !== null && a !== undefined && b !== null && b !== undefined && Buffer.compare(a, b) === 0
  );
}

/** Whether a stored clustering meets a restriction; stored bytes order as the values do. */
function meets(
  restriction: KeyRestriction,
  tuples: readonly (readonly Uint8Array[])[],
  stored: readonly Uint8Array[],
): boolean {
  const actual = restriction.columns.map((column) => stored[column.position] as Uint8Array);
  return tuples.some((tuple) => {
    const order = compareTuples(actual, tuple);
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

function compareTuples(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 0;
    const order = Buffer.compare(left, right);
    if (order !== 0) return order;
  }
  return 0;
}
