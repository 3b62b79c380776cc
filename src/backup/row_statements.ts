import { quoteIdentifier } from '../cql/index.ts';
import type { ColumnRecord } from '../schema/index.ts';
import { UNSET } from '../upstream/index.ts';
import type { ControlStatement } from '../upstream/index.ts';
import { cellColumnsOf, indexOfPath } from './cell_columns.ts';
import type { CellColumn, CellTable } from './cell_columns.ts';
import type { BackupCell, BackupRow } from './chunk.ts';

/** Where rows are restored to. */
export interface SinkTable extends CellTable {
  /** Write time, in microseconds, of rows that have no cell. */
  readonly emptyRowTime: bigint;
}

/** A list of a row. Appending is not idempotent: what is to be written again is first deleted. */
export interface ListWrite {
  /**
   * The statements, in the order of the elements.
   * @param shift 0 to write every element with its own write time; else the whole list is deleted and gets one write time,
   *   so many microseconds after its newest element. Of two writes of a list that are not 0, the higher one prevails whole.
   */
  readonly statements: (shift: bigint) => readonly ControlStatement[];
}

/** Bytes of elements that one statement adds. */
const STATEMENT_BYTES = 128 * 1024;

/**
 * The statements that write a row. Their texts are few: columns that a statement leaves out are unset, but Cassandra takes no
 * unset collection, so each of these has one of its own.
 */
export class RowStatements {
  readonly #table: SinkTable;
  readonly #regulars: readonly Assigned[];
  readonly #statics: readonly Assigned[];
  readonly #collections: readonly Collection[];
  readonly #insertRow: string;
  readonly #updateRow: string;
  readonly #updateStatic: string;

  constructor(table: SinkTable) {
    this.#table = table;
    const columns = cellColumnsOf(table);
    const assigned = (isStatic: boolean): Assigned[] =>
      columns.filter((column) => column.isStatic === isStatic).flatMap(assignedOf);
    this.#statics = assigned(true);
    this.#regulars = assigned(false);
    const keys = (kind: ColumnRecord['kind']): string[] =>
      table.columns
        .filter((column) => column.kind === kind)
        .sort((a, b) => a.position - b.position)
        .map((column) => quoteIdentifier(column.name));
    const target = `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`;
    const partition = keys('partition');
    const row = [...partition, ...keys('clustering')];
    const all = [...row, ...whole(this.#regulars).map(({ name }) => name)];
    const using = 'USING TIMESTAMP ? AND TTL ?';
    const equal = (of: readonly string[], by: string): string =>
      of.map((name) => `${name} = ?`).join(by);
    const update = (set: string, of: readonly string[]): string =>
      `UPDATE ${target} ${using} SET ${set} WHERE ${equal(of, ' AND ')}`;
    const names = (of: readonly Assigned[]): string[] => of.map(({ name }) => name);
    this.#insertRow = `INSERT INTO ${target} (${all.join(', ')}) VALUES (${all.map(() => '?').join(', ')}) ${using}`;
    this.#updateRow = update(equal(names(this.#regulars), ', '), row);
    this.#updateStatic = update(equal(names(this.#statics), ', '), partition);
    this.#collections = columns
      .filter(({ scheme }) => scheme === 'list' || scheme === 'set' || scheme === 'map')
      .map((column) => {
        const name = quoteIdentifier(column.name);
        const of = column.isStatic ? partition : row;
        return {
          column,
          add: update(`${name} = ${name} + ?`, of),
          delete: `DELETE ${name} FROM ${target} USING TIMESTAMP ? WHERE ${equal(of, ' AND ')}`,
        };
      });
  }

  /** Whether the table has lists, whose writes are not idempotent. */
  get hasLists(): boolean {
    return this.#collections.some(({ column }) => column.scheme === 'list');
  }

  /**
   * Everything but lists. Cells that have expired are left out; a row whose cells have all expired is not restored.
   * @param nowS seconds since the epoch
   */
  of(row: BackupRow, nowS: number): ControlStatement[] {
    const cells = alive(row, nowS);
    const key = keyOf(row);
    if (row.clustering === undefined) {
      return [
        ...groups(cells).flatMap((group) => {
          if (!hasSome(this.#statics, group.cells)) return [];
          const values = valuesOf(this.#statics, group.cells);
          return [
            { query: this.#updateStatic, params: [...using(group, nowS), ...values, ...key] },
          ];
        }),
        ...this.#added(cells, key, nowS),
      ];
    }
    if (cells.length === 0 && row.cells.length > 0) return [];
    const marker = this.#marker(cells);
    const statements = this.#added(cells, key, nowS);
    let cellsOfMarker: readonly BackupCell[] = [];
    for (const group of groups(cells)) {
      let left = this.#regulars;
      if (group.writeTime === marker.writeTime && group.expiresAt === marker.expiresAt) {
        cellsOfMarker = group.cells;
        left = left.filter(({ field }) => field !== undefined);
      }
      if (!hasSome(left, group.cells)) continue;
      const values = this.#regulars.map((to) =>
        left.includes(to) ? valueOf(to, group.cells) : UNSET,
      );
      statements.push({
        query: this.#updateRow,
        params: [...using(group, nowS), ...values, ...key],
      });
    }
    const values = valuesOf(whole(this.#regulars), cellsOfMarker);
    statements.push({
      query: this.#insertRow,
      params: [...key, ...values, ...using(marker, nowS)],
    });
    return statements;
  }

  /** The lists of a row. */
  lists(row: BackupRow, nowS: number): ListWrite[] {
    const cells = alive(row, nowS);
    const key = keyOf(row);
    return this.#collections.flatMap((collection) => {
      if (collection.column.scheme !== 'list') return [];
      const elements = cells.filter(({ column }) => column === collection.column.index);
      const [first] = elements;
      if (first === undefined) return [];
      const newest = elements.reduce(
        (time, cell) => (cell.writeTime > time ? cell.writeTime : time),
        first.writeTime,
      );
      const append = (shift: bigint): ControlStatement[] =>
        runs(elements).map((run) => {
          const writeTime = shift === 0n ? run.writeTime : newest + shift;
          const added = run.cells.map(({ value }) => buffer(value));
          const { expiresAt } = run;
          const params = [...using({ writeTime, expiresAt }, nowS), added, ...key];
          return { query: collection.add, params };
        });
      const remove = (shift: bigint): ControlStatement => ({
        query: collection.delete,
        params: [newest + shift - 1n, ...key],
      });
      return [
        { statements: (shift) => [...(shift === 0n ? [] : [remove(shift)]), ...append(shift)] },
      ];
    });
  }

  /** Sets and maps get their elements; nothing of them is deleted. */
  #added(cells: readonly BackupCell[], key: readonly Buffer[], nowS: number): ControlStatement[] {
    return this.#collections.flatMap(({ column, add }) => {
      if (column.scheme === 'list') return [];
      const elements = cells.filter((cell) => cell.column === column.index);
      return groups(elements)
        .flatMap(pieces)
        .map((group) => {
          const entries = group.cells.map(({ path, value }): [Buffer, Buffer] => [
            buffer(path ?? new Uint8Array(0)),
            buffer(value),
          ]);
          const added = column.scheme === 'map' ? new Map(entries) : entries.map(([path]) => path);
          return { query: add, params: [...using(group, nowS), added, ...key] };
        });
    });
  }

  /** CQL does not show row markers: the lowest write time, and an expiry only when every cell has one. */
  #marker(cells: readonly BackupCell[]): Omit<CellGroup, 'cells'> {
    if (cells.length === 0) return { writeTime: this.#table.emptyRowTime, expiresAt: 0 };
    let writeTime = (cells[0] as BackupCell).writeTime;
    let expiresAt = 0;
    for (const cell of cells) {
      if (cell.writeTime < writeTime) writeTime = cell.writeTime;
      if (cell.expiresAt > expiresAt) expiresAt = cell.expiresAt;
    }
    const isForEver = cells.some((cell) => cell.expiresAt === 0);
    return { writeTime, expiresAt: isForEver ? 0 : expiresAt };
  }
}

/** What `=` writes: a column of one cell, or a field. */
interface Assigned {
  readonly column: number;
  readonly field: number | undefined;
  readonly name: string;
}

/** A list, set or map that is not frozen, and the texts that add to it and delete it. */
interface Collection {
  readonly column: CellColumn;
  readonly add: string;
  readonly delete: string;
}

interface CellGroup {
  readonly writeTime: bigint;
  readonly expiresAt: number;
  readonly cells: BackupCell[];
}

function assignedOf({ index, name, scheme, fields }: CellColumn): Assigned[] {
  const quoted = quoteIdentifier(name);
  if (scheme === 'cell') return [{ column: index, field: undefined, name: quoted }];
  return fields.map((field, i) => ({
    column: index,
    field: i,
    name: `${quoted}.${quoteIdentifier(field)}`,
  }));
}

function whole(of: readonly Assigned[]): readonly Assigned[] {
  return of.filter(({ field }) => field === undefined);
}

/** Cells that one statement can write. */
function groups(cells: readonly BackupCell[]): readonly CellGroup[] {
  const found = new Map<string, CellGroup>();
  for (const cell of cells) {
    const { writeTime, expiresAt } = cell;
    const name = `${String(writeTime)} ${String(expiresAt)}`;
    const group = found.get(name);
    if (group === undefined) found.set(name, { writeTime, expiresAt, cells: [cell] });
    else group.cells.push(cell);
  }
  return [...found.values()];
}

/** Elements in their order: those that follow each other with the same times are one. */
function runs(cells: readonly BackupCell[]): readonly CellGroup[] {
  const found: CellGroup[] = [];
  for (const cell of cells) {
    const { writeTime, expiresAt } = cell;
    const last = found.at(-1);
    if (last?.writeTime === writeTime && last.expiresAt === expiresAt) last.cells.push(cell);
    else found.push({ writeTime, expiresAt, cells: [cell] });
  }
  return found.flatMap(pieces);
}

/** A group as several of a size that a statement takes. */
function pieces(group: CellGroup): CellGroup[] {
  const found: CellGroup[] = [];
  let bytes = STATEMENT_BYTES;
  for (const cell of group.cells) {
    if (bytes >= STATEMENT_BYTES) {
      found.push({ ...group, cells: [] });
      bytes = 0;
    }
    found.at(-1)?.cells.push(cell);
    bytes += cell.value.length + (cell.path?.length ?? 0);
  }
  return found;
}

function alive(row: BackupRow, nowS: number): BackupCell[] {
  return row.cells.filter((cell) => cell.expiresAt === 0 || cell.expiresAt > nowS);
}

/** A TTL of 0 keeps the table's default one away. */
function using({ writeTime, expiresAt }: Omit<CellGroup, 'cells'>, nowS: number): unknown[] {
  return [writeTime, expiresAt === 0 ? 0 : expiresAt - nowS];
}

function hasSome(to: readonly Assigned[], cells: readonly BackupCell[]): boolean {
  return to.some((one) => cellOf(one, cells) !== undefined);
}

function valuesOf(to: readonly Assigned[], cells: readonly BackupCell[]): unknown[] {
  return to.map((one) => valueOf(one, cells));
}

function valueOf(to: Assigned, cells: readonly BackupCell[]): unknown {
  const cell = cellOf(to, cells);
  return cell === undefined ? UNSET : buffer(cell.value);
}

function cellOf({ column, field }: Assigned, cells: readonly BackupCell[]): BackupCell | undefined {
  return cells.find(
    (cell) =>
      cell.column === column &&
      (field === undefined || (cell.path !== undefined && indexOfPath(cell.path) === field)),
  );
}

function keyOf({ partition, clustering }: BackupRow): Buffer[] {
  return [...partition, ...(clustering ?? [])].map(buffer);
}

function buffer(part: Uint8Array): Buffer {
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}
