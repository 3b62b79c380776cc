import { quoteIdentifier } from '../cql/index.ts';
import { CiphertextError, InternalError } from '../errors/index.ts';
import type { ColumnRecord } from '../schema/index.ts';
import type { ControlPage } from '../upstream/index.ts';
import { cellColumnsOf, indexPath } from './cell_columns.ts';
import type { CellColumn, CellTable } from './cell_columns.ts';
import { isSamePartition } from './chunk.ts';
import type { BackupCell, BackupRow } from './chunk.ts';

type Row = ControlPage['rows'][number];

const VERSION_BYTE = 0xc1;
const SUITES: ReadonlySet<number> = new Set([0x01, 0x81]);
const NO_VALUE = new Uint8Array(0);

/** Turns rows of Cassandra's answer into rows of a backup. */
export class RowReader {
  /** Reads a token range, or everything. */
  readonly query: string;
  /** Reads the row of a whole key; static cells by the partition key alone. */
  readonly rowQuery: string;
  readonly staticQuery: string;
  readonly #table: CellTable;
  readonly #partition: readonly string[];
  readonly #clustering: readonly string[];
  readonly #statics: readonly Selected[];
  readonly #regulars: readonly Selected[];
  #last: readonly Uint8Array[] | undefined;

  /** @param lastPartition of the row before: its static cells were read with it */
  constructor(
    table: CellTable & { readonly ranges: readonly string[] },
    lastPartition: readonly Uint8Array[] | undefined,
  ) {
    this.#table = table;
    this.#last = lastPartition;
    const of = (kind: ColumnRecord['kind']): ColumnRecord[] =>
      table.columns
        .filter((column) => column.kind === kind)
        .sort((a, b) => a.position - b.position);
    const partition = of('partition');
    const clustering = of('clustering');
    const cells = cellColumnsOf(table).flatMap(selectedOf);
    this.#partition = partition.map((_, i) => `p${i}`);
    this.#clustering = clustering.map((_, i) => `k${i}`);
    this.#statics = cells.filter(({ column }) => column.isStatic);
    this.#regulars = cells.filter(({ column }) => !column.isStatic);
    const selectors = [
      ...partition.map((column, i) => `${quoteIdentifier(column.name)} AS p${i}`),
      ...clustering.map((column, i) => `${quoteIdentifier(column.name)} AS k${i}`),
      ...cells.map(
        ({ selector, suffix }) =>
          `${selector} AS c${suffix}, writetime(${selector}) AS w${suffix}, ttl(${selector}) AS t${suffix}`,
      ),
    ];
    const token = `token(${partition.map((column) => quoteIdentifier(column.name)).join(', ')})`;
    const equal = (columns: readonly ColumnRecord[]): string =>
      columns.map((column) => `${quoteIdentifier(column.name)} = ?`).join(' AND ');
    const where = table.ranges.length === 0 ? '' : ` WHERE ${token} > ? AND ${token} <= ?`;
    const select = `SELECT ${selectors.join(', ')} FROM ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`;
    this.query = `${select}${where}`;
    this.rowQuery = `${select} WHERE ${equal([...partition, ...clustering])}`;
    this.staticQuery = `${select} WHERE ${equal(partition)} LIMIT 1`;
  }

  /** @param atS seconds since the epoch, before the rows were read */
  rows(
    answer: readonly Row[],
    atS: number,
  ): { readonly rows: readonly BackupRow[]; readonly bytes: number } {
    const rows: BackupRow[] = [];
    let bytes = 0;
    for (const row of answer) {
      const own = this.#partition.map((name) => this.#stored(row[name], name));
      const isNew = !isSamePartition(this.#last, own);
      const partition = isNew || this.#last === undefined ? own : this.#last;
      this.#last = partition;
      if (isNew && this.#statics.length > 0) {
        const cells = this.#cells(row, this.#statics, atS);
        if (cells.length > 0) rows.push({ partition, clustering: undefined, cells });
        bytes += sizeOf(cells);
      }
      // Without a first clustering column it is a partition of static cells only.
      if (this.#clustering.length > 0 && row[this.#clustering[0] as string] === null) continue;
      const clustering = this.#clustering.map((name) => this.#stored(row[name], name));
      const cells = this.#cells(row, this.#regulars, atS);
      rows.push({ partition, clustering, cells });
      bytes += sizeOf(cells) + 64;
      for (const part of [...partition, ...clustering]) bytes += part.length;
    }
    return { rows, bytes };
  }

  #cells(row: Row, selected: readonly Selected[], atS: number): BackupCell[] {
    const cells: BackupCell[] = [];
    for (const { column, path, suffix } of selected) {
      const stored = row[`c${suffix}`];
      if (stored === null || stored === undefined) continue;
      const writeTimes = row[`w${suffix}`];
      const ttls = row[`t${suffix}`];
      const { name } = column;
      if (column.scheme === 'cell' || column.scheme === 'fields') {
        const value = this.#stored(stored, name);
        const times = timesOf(writeTimes, ttls, atS);
        cells.push({
          column: column.index,
          ...(path === undefined ? {} : { path }),
          ...times,
          value,
        });
        continue;
      }
      const elements = this.#elements(column, stored);
      const all = listOf(writeTimes, elements.length);
      const left = listOf(ttls, elements.length);
      for (const [i, element] of elements.entries()) {
        cells.push({ column: column.index, ...element, ...timesOf(all[i], left[i], atS) });
      }
    }
    return cells;
  }

  /** The elements of a collection, in the order in which Cassandra has them and their times. */
  #elements(
    { name, scheme }: CellColumn,
    stored: unknown,
  ): { readonly path: Uint8Array; readonly value: Uint8Array }[] {
    if (scheme === 'map' && stored instanceof Map) {
      return [...(stored as ReadonlyMap<unknown, unknown>)].map(([key, value]) => ({
        path: this.#stored(key, name),
        value: this.#stored(value, name),
      }));
    }
    if (scheme === 'map' || !Array.isArray(stored)) {
      throw new InternalError(`a ${scheme} that is none`);
    }
    return (stored as unknown[]).map((item, i) => {
      const element = this.#stored(item, name);
      return scheme === 'list'
        ? { path: indexPath(i), value: element }
        : { path: element, value: NO_VALUE };
    });
  }

  /** Only what has the head of the format is taken: plain text never gets into a backup. */
  #stored(value: unknown, column: string): Uint8Array {
    if (value instanceof Uint8Array && value.length >= 4) {
      if (value[0] === VERSION_BYTE && SUITES.has(value[1] as number)) return value;
    }
    const { keyspace, name } = this.#table;
    throw new CiphertextError('CIPHERTEXT_VERSION', `${keyspace}.${name} (${column})`);
  }
}

/** What is selected together with its write times and times to live: a column, or a field of a user type. */
interface Selected {
  readonly column: CellColumn;
  /** Of a field. */
  readonly path: Uint8Array | undefined;
  readonly selector: string;
  /** Of the names in the answer. */
  readonly suffix: string;
}

function selectedOf(column: CellColumn): Selected[] {
  const name = quoteIdentifier(column.name);
  const suffix = String(column.index);
  if (column.scheme !== 'fields') return [{ column, path: undefined, selector: name, suffix }];
  return column.fields.map((field, i) => ({
    column,
    path: indexPath(i),
    selector: `${name}.${quoteIdentifier(field)}`,
    suffix: `${suffix}_${String(i)}`,
  }));
}

function timesOf(
  writeTime: unknown,
  ttl: unknown,
  atS: number,
): Pick<BackupCell, 'writeTime' | 'expiresAt'> {
  if (typeof writeTime !== 'bigint') throw new InternalError('a cell without a write time');
  return { writeTime, expiresAt: typeof ttl === 'number' ? atS + ttl : 0 };
}

/** Write times or times to live of a collection. */
function listOf(times: unknown, length: number): readonly unknown[] {
  if (Array.isArray(times) && times.length === length) return times as unknown[];
  throw new InternalError('a collection without the times of its elements');
}

function sizeOf(cells: readonly BackupCell[]): number {
  let bytes = 0;
  for (const cell of cells) bytes += 19 + cell.value.length + (cell.path?.length ?? 0);
  return bytes;
}
