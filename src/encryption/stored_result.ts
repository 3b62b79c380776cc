import type {
  ColumnContext,
  OpenBatch,
  OpenPage,
  StoredCells,
  TableCipherKeys,
} from '../crypto/index.ts';
import { InternalError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { hasFields, padNestedFields } from '../values/index.ts';
import type { RowsWriter } from '../wire/index.ts';
import type { KeyRestriction } from './restrictions.ts';
import type { StoredClustering } from './key_sealing.ts';
import { columnParts } from './column_parts.ts';
import type { ColumnParts } from './column_parts.ts';
import { PageKeys, foreignResult } from './page_keys.ts';
import { OpenedParts, PaddedKeys, PartTimes } from './part_open.ts';
import { columnContext, isClusteringForm, isPartitionForm } from './table_columns.ts';
import { columnAt, FurtherCheck, furtherCellAt, furtherColumn } from './view_keys.ts';

/** What a column of a stored result is, and so how it is read. */
export type StoredRole =
  | { readonly kind: 'partition'; readonly position: number }
  | { readonly kind: 'clustering'; readonly position: number }
  | {
      readonly kind: 'static' | 'regular';
      readonly context: ColumnContext;
      /** Of a column of several cells. */
      readonly parts?: ColumnParts | undefined;
    }
  /** Not encrypted: writetime, ttl, count, token, [applied]. `width` is its size in bytes, null apart. */
  | { readonly kind: 'plain'; readonly width: number }
  /**
   * Write times or times to live of the cells of a column: a list of numbers of `width` bytes, or null. Those of a set or map
   * come in the order of its stored elements, and `of` is the column.
   */
  | { readonly kind: 'times'; readonly width: number; readonly of: ColumnEntry | undefined };

/** The role of a table's column in a stored result. */
export function roleOf(table: TableEntry, column: ColumnEntry): StoredRole {
  if (column.kind === 'partition' || column.kind === 'clustering') {
    return { kind: column.kind, position: column.position };
  }
  const parts = columnParts(table, column);
  return { kind: column.kind, context: columnContext(table, column), parts };
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

/** The cells of one row. */
export type Row = (Uint8Array | null)[];

/** The cells of one row as Cassandra sent them, as views. */
export function storedRow(cells: StoredCells, row: number): Row {
  const { bytes, starts, lengths, columnCount } = cells;
  const views: Row = [];
  for (let cell = row * columnCount; cell < (row + 1) * columnCount; cell++) {
    const start = starts[cell] as number;
    const length = lengths[cell] as number;
    views.push(length < 0 ? null : bytes.subarray(start, start + length));
  }
  return views;
}

/**
 * A column of the answer: handles into the batch, or else bytes that all rows share, or else the cells as they were sent.
 * Without handles the answer is null where the stored cell of `column` is; -1 stands for a column that was not read.
 */
interface AnswerColumn {
  readonly handles: Int32Array | undefined;
  readonly constant: Uint8Array | undefined;
  readonly column: number;
  /** A column of several cells: then nothing else counts. */
  readonly parts?: { value(row: number): Uint8Array | null; readonly overhead: number };
}

/** The rows of an answer, queued for decryption: to be taken when the batch ran. */
export class OpenedRows {
  readonly rowCount: number;
  /** How many ciphertexts were queued. */
  readonly cellCount: number;
  readonly #page: OpenPage;
  readonly #cells: StoredCells;
  readonly #columns: readonly (AnswerColumn | undefined)[];
  readonly #check: FurtherCheck | undefined;

  constructor(
    page: OpenPage,
    cells: StoredCells,
    columns: readonly (AnswerColumn | undefined)[],
    cellCount: number,
    check?: FurtherCheck,
  ) {
    this.#page = page;
    this.#check = check;
    this.#cells = cells;
    this.#columns = columns;
    this.rowCount = cells.rowCount;
    this.cellCount = cellCount;
  }

  /** Most bytes that {@link writeTo} writes, if no cell that is sent as it was is longer than 8. */
  byteLength(): number {
    const shared = this.#columns.reduce((sum, column) => sum + (column?.constant?.length ?? 8), 0);
    const parts = this.#columns.reduce((sum, column) => sum + (column?.parts?.overhead ?? 0), 0);
    return (shared + this.#columns.length * 4) * this.rowCount + this.#page.output.length + parts;
  }

  /**
   * Writes the logical cells, row by row.
   * @throws InternalError when the batch did not run; CiphertextError for a view's row that is not where its cells say
   */
  writeTo(writer: RowsWriter): void {
    this.#check?.run();
    const page = this.#page;
    const { output } = page;
    const { bytes, starts, lengths, columnCount } = this.#cells;
    for (let row = 0; row < this.rowCount; row++) {
      for (const answer of this.#columns) {
        if (answer === undefined) throw new InternalError('a column that was not opened');
        const { handles, constant, column, parts } = answer;
        if (parts !== undefined) {
          writer.writeCell(parts.value(row));
          continue;
        }
        if (handles !== undefined) {
          const handle = handles[row] as number;
          if (handle < 0) writer.writeCell(null);
          else {
            const start = page.startOf(handle);
            writer.writeCellFrom(output, start, start + page.lengthOf(handle));
          }
          continue;
        }
        const cell = row * columnCount + column;
        const length = column < 0 ? 0 : (lengths[cell] as number);
        if (length < 0) writer.writeCell(null);
        else if (constant !== undefined) writer.writeCell(constant);
        else {
          const start = starts[cell] as number;
          writer.writeCellFrom(bytes, start, start + length);
        }
      }
    }
  }

  /** The logical cells as views; null for columns that were not opened. @throws as {@link writeTo} */
  rows(): Row[] {
    this.#check?.run();
    const page = this.#page;
    const { output } = page;
    const { bytes, starts, lengths, columnCount } = this.#cells;
    return Array.from({ length: this.rowCount }, (_, row) =>
      this.#columns.map((answer) => {
        if (answer === undefined) return null;
        const { handles, constant, column, parts } = answer;
        if (parts !== undefined) return parts.value(row);
        if (handles !== undefined) {
          const handle = handles[row] as number;
          if (handle < 0) return null;
          const start = page.startOf(handle);
          return output.subarray(start, start + page.lengthOf(handle));
        }
        const cell = row * columnCount + column;
        const length = column < 0 ? 0 : (lengths[cell] as number);
        if (length < 0) return null;
        if (constant !== undefined) return constant;
        const start = starts[cell] as number;
        return bytes.subarray(start, start + length);
      }),
    );
  }
}

/**
 * Queues the rows of a result for decryption and checks them against the keys of the statement.
 *
 * @param visible how many columns of the stored selection the client asked for; the rest are hidden selectors.
 * @param only which of them are opened; all if not given. The others may not be written.
 * @throws MetadataIntegrityError when a row cannot be the answer to the statement: Cassandra answered another row.
 */
export function openRows(
  batch: OpenBatch,
  keys: TableCipherKeys,
  table: TableEntry,
  roles: readonly StoredRole[],
  visible: number,
  known: KnownKeys,
  cells: StoredCells,
  only?: ReadonlySet<number>,
): OpenedRows {
  const page = batch.page(keys, cells);
  const opener = new ColumnOpener(
    page,
    table,
    roles,
    known,
    cells,
    new PageKeys(page, table, roles, known, cells),
    only === undefined || roles.some(({ kind }, at) => kind === 'partition' && only.has(at)),
  );
  const check = opener.openFurther();
  const columns = roles
    .slice(0, visible)
    .map((role, column) => (only?.has(column) === false ? undefined : opener.open(role, column)));
  return new OpenedRows(page, cells, columns, opener.cellCount, check);
}

/** Queues the columns of a page. */
class ColumnOpener {
  readonly #page: OpenPage;
  readonly #table: TableEntry;
  readonly #known: KnownKeys;
  readonly #cells: StoredCells;
  readonly #keys: PageKeys;
  /** Handles of the components of the partition key, one for each row. */
  readonly #partitions: readonly Int32Array[];
  readonly #roles: readonly StoredRole[];
  readonly #opened = new Map<number, OpenedParts>();
  /** Of a view: its key column that is shown as the cell beside it. */
  #further:
    { readonly at: number; readonly cells: Int32Array; readonly cellAt: number } | undefined;
  cellCount = 0;

  constructor(
    page: OpenPage,
    table: TableEntry,
    roles: readonly StoredRole[],
    known: KnownKeys,
    cells: StoredCells,
    keys: PageKeys,
    withPartitions: boolean,
  ) {
    this.#roles = roles;
    this.#page = page;
    this.#table = table;
    this.#known = known;
    this.#cells = cells;
    this.#keys = keys;
    const isUnknown = known.partition === undefined;
    this.#partitions = isUnknown && withPartitions ? this.#openPartitions() : [];
  }

  /** Opens the key column of a view that is no key of its base, and the cell that it must agree with. */
  openFurther(): FurtherCheck | undefined {
    const table = this.#table;
    const column = furtherColumn(table);
    const cell = table.view?.cell;
    if (column === undefined || cell === undefined || table.view === undefined) return undefined;
    const at = columnAt(this.#roles, column);
    const cellAt = furtherCellAt(table, this.#roles);
    if (cellAt < 0 || at < 0) {
      const hasRows = this.#roles.some(({ kind }) => kind === 'regular' || kind === 'clustering');
      if (!hasRows && at < 0) return undefined;
      throw foreignResult(table, 'rows of a view without the cells of their key');
    }
    this.#count(at);
    this.#count(cellAt);
    const context = columnContext(table, column);
    const keys = isPartitionForm(column)
      ? this.#openPartitionForm(column, at)
      : this.#page.openClusterings(context, at, this.#keys.partitions);
    this.#requireRows(cellAt, this.#keys.rows);
    const cellContext = columnContext(table.view.base, cell);
    const cells = this.#page.openCells(cellContext, cellAt, this.#keys.rows);
    this.#further = { at, cells, cellAt };
    return new FurtherCheck(this.#page, table, column, keys, cells);
  }

  open(role: StoredRole, column: number): AnswerColumn {
    if (column === this.#further?.at) {
      return { handles: this.#further.cells, constant: undefined, column: this.#further.cellAt };
    }
    switch (role.kind) {
      case 'plain':
        this.#requireWidth(column, role.width);
        return { handles: undefined, constant: undefined, column };
      case 'times':
        return this.#openTimes(role, column);
      case 'partition': {
        const constant = this.#known.partition?.logical[role.position];
        const handles = this.#partitions[role.position];
        if (handles === undefined && constant === undefined && this.#cells.rowCount > 0) {
          throw foreignResult(this.#table, 'a row without its partition key');
        }
        const entry = this.#table.partitionKey[role.position] as ColumnEntry;
        return isClusteringForm(entry)
          ? this.#shown(entry, { handles, constant, column: -1 })
          : { handles, constant, column: -1 };
      }
      case 'clustering': {
        const logical = this.#known.clustering?.logical[role.position];
        const entry = this.#table.clustering[role.position] as ColumnEntry;
        if (logical !== undefined) {
          return this.#shown(entry, { handles: undefined, constant: logical, column });
        }
        const context = columnContext(this.#table, entry);
        if (isPartitionForm(entry)) {
          const opened = this.#openPartitionForm(entry, column);
          return { handles: opened, constant: undefined, column };
        }
        this.#count(column);
        const handles = this.#page.openClusterings(context, column, this.#keys.partitions);
        return this.#shown(entry, { handles, constant: undefined, column });
      }
      case 'static':
      case 'regular': {
        const isRegular = role.kind === 'regular';
        const owners = isRegular ? this.#keys.rows : this.#keys.partitions;
        if (role.parts !== undefined) {
          const parts = this.#openParts(role.kind, role.parts, column);
          return { handles: undefined, constant: undefined, column, parts };
        }
        if (isRegular) this.#requireRows(column, owners);
        this.#count(column);
        const handles = this.#page.openCells(role.context, column, owners);
        return { handles, constant: undefined, column };
      }
    }
  }

  /** A key column in canonical form as a client sees it: with all fields of tuples and user types. */
  #shown({ type }: ColumnEntry, answer: AnswerColumn): AnswerColumn {
    if (!hasFields(type)) return answer;
    const { handles, constant } = answer;
    if (handles !== undefined) {
      return { ...answer, parts: new PaddedKeys(this.#page, type, handles) };
    }
    if (constant === undefined) return answer;
    return { ...answer, constant: padNestedFields(type, constant) };
  }

  #openParts(kind: 'static' | 'regular', shape: ColumnParts, column: number): OpenedParts {
    const known = this.#opened.get(column);
    if (known !== undefined) return known;
    const owners = kind === 'regular' ? this.#keys.rows : this.#keys.partitions;
    const parts = new OpenedParts(this.#page, this.#table, shape, this.#cells, column, owners);
    this.cellCount += parts.count;
    this.#opened.set(column, parts);
    return parts;
  }

  #openTimes({ width, of }: StoredRole & { readonly kind: 'times' }, column: number): AnswerColumn {
    const at = this.#roles.findIndex(
      (role) =>
        'context' in role && of !== undefined && role.context === columnContext(this.#table, of),
    );
    const role = this.#roles[at];
    const parts =
      role !== undefined && 'parts' in role && role.parts !== undefined
        ? this.#openParts(role.kind, role.parts, at)
        : undefined;
    if (of !== undefined && parts === undefined) {
      throw foreignResult(this.#table, 'write times without their column');
    }
    const times = new PartTimes(this.#table, this.#cells, column, width, parts);
    return { handles: undefined, constant: undefined, column, parts: times };
  }

  /** Without a key from WHERE the row says which partition it is of: each component must prove itself. */
  #openPartitions(): Int32Array[] {
    const { firstRows, partitionAt } = this.#keys;
    if (firstRows.length === 0) return [];
    return this.#table.partitionKey.map((column, position) => {
      const context = columnContext(this.#table, column);
      const at = partitionAt[position] as number;
      if (isClusteringForm(column)) {
        this.#count(at);
        return this.#page.openClusterings(context, at, this.#keys.partitions);
      }
      return this.#openPartitionForm(column, at);
    });
  }

  /** Opens a key column in the form of a partition key, once for each run of rows that agree in it. */
  #openPartitionForm(entry: ColumnEntry, column: number): Int32Array {
    const { firstRows, groups } = this.#keys;
    const { lengths, columnCount } = this.#cells;
    if (firstRows.some((row) => (lengths[row * columnCount + column] as number) < 0)) {
      throw foreignResult(this.#table, 'a row without a column of its key');
    }
    const opened = this.#page.openPartitions(columnContext(this.#table, entry), column, firstRows);
    this.cellCount += opened.length;
    return groups.map((group) => opened[group] as number);
  }

  #count(column: number): void {
    const { lengths, rowCount, columnCount } = this.#cells;
    for (let row = 0; row < rowCount; row++) {
      if ((lengths[row * columnCount + column] as number) >= 0) this.cellCount++;
    }
  }

  #requireWidth(column: number, width: number): void {
    const { lengths, rowCount, columnCount } = this.#cells;
    for (let row = 0; row < rowCount; row++) {
      const length = lengths[row * columnCount + column] as number;
      if (length >= 0 && length !== width) {
        throw foreignResult(this.#table, 'a column of another type');
      }
    }
  }

  #requireRows(column: number, rows: Int32Array): void {
    const { lengths, columnCount } = this.#cells;
    for (let row = 0; row < rows.length; row++) {
      const isCell = (lengths[row * columnCount + column] as number) >= 0;
      if (isCell && (rows[row] as number) < 0) {
        throw foreignResult(this.#table, 'a cell without its row');
      }
    }
  }
}
