import { quoteIdentifier } from '../cql/index.ts';
import type { ColumnRecord } from '../schema/index.ts';
import { UNSET } from '../upstream/index.ts';
import type { ControlStatement } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';
import { isSamePartition } from './chunk.ts';
import type { RowConnection } from './context.ts';
import type { BackupCell, BackupRow } from './chunk.ts';
import { retrying } from './table_scan.ts';

/** Where rows are restored to. */
export interface SinkTable {
  readonly keyspace: string;
  readonly name: string;
  readonly columns: readonly ColumnRecord[];
  readonly cellColumns: readonly string[];
  /** Write time, in microseconds, of rows that have no cell. */
  readonly emptyRowTime: bigint;
}

const IN_FLIGHT = 96;
const BATCH_BYTES = 128 * 1024;
const BATCH_STATEMENTS = 50;

/**
 * Writes the rows of a backup with their write times and the rest of their lives. At most {@link IN_FLIGHT} requests are under
 * way, so memory is bounded. Every write may be repeated.
 */
export class RowSink {
  readonly #connection: RowConnection;
  readonly #clock: Clock;
  readonly #statements: RowStatements;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #partition: readonly Uint8Array[] | undefined;
  #batch: ControlStatement[] = [];
  #batchBytes = 0;

  constructor(connection: RowConnection, clock: Clock, table: SinkTable) {
    this.#connection = connection;
    this.#clock = clock;
    this.#statements = new RowStatements(table);
  }

  /** Writes a row some time; waits while too much is under way. */
  async add(row: BackupRow): Promise<void> {
    if (!isSamePartition(this.#partition, row.partition)) {
      await this.#send();
      this.#partition = row.partition;
    }
    const nowS = Math.floor(this.#clock.nowMs() / 1000);
    this.#batch.push(...this.#statements.of(row, nowS));
    for (const cell of row.cells) this.#batchBytes += cell.value.length;
    if (this.#batch.length >= BATCH_STATEMENTS || this.#batchBytes >= BATCH_BYTES) {
      await this.#send();
    }
  }

  /** Resolves when everything added is written. @throws what the first failed write threw */
  async flush(): Promise<void> {
    await this.#send();
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #send(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#batch.length === 0) return;
    const statements = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const write = retrying(this.#clock, () => this.#connection.writePartition(statements))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#inFlight.delete(write);
      });
    this.#inFlight.add(write);
    if (this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
  }
}

/** The statements that write a row. There are three texts in all: columns that a statement leaves out are unset. */
class RowStatements {
  readonly #table: SinkTable;
  readonly #regulars: readonly number[];
  readonly #statics: readonly number[];
  readonly #insertRow: string;
  readonly #updateRow: string;
  readonly #updateStatic: string;

  constructor(table: SinkTable) {
    this.#table = table;
    const kindOf = (name: string): string | undefined =>
      table.columns.find((column) => column.name === name)?.kind;
    const indexes = [...table.cellColumns.keys()];
    this.#statics = indexes.filter((i) => kindOf(table.cellColumns[i] as string) === 'static');
    this.#regulars = indexes.filter((i) => !this.#statics.includes(i));
    const keys = (kind: ColumnRecord['kind']): string[] =>
      table.columns
        .filter((column) => column.kind === kind)
        .sort((a, b) => a.position - b.position)
        .map((column) => quoteIdentifier(column.name));
    const target = `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`;
    const partition = keys('partition');
    const row = [...partition, ...keys('clustering')];
    const names = (of: readonly number[]): string[] =>
      of.map((i) => quoteIdentifier(table.cellColumns[i] as string));
    const all = [...row, ...names(this.#regulars)];
    const using = 'USING TIMESTAMP ? AND TTL ?';
    const equal = (of: readonly string[]): string[] => of.map((name) => `${name} = ?`);
    this.#insertRow = `INSERT INTO ${target} (${all.join(', ')}) VALUES (${all.map(() => '?').join(', ')}) ${using}`;
    this.#updateRow = `UPDATE ${target} ${using} SET ${equal(names(this.#regulars)).join(', ')} WHERE ${equal(row).join(' AND ')}`;
    this.#updateStatic = `UPDATE ${target} ${using} SET ${equal(names(this.#statics)).join(', ')} WHERE ${equal(partition).join(' AND ')}`;
  }

  /** Cells that have expired are left out; a row whose cells have all expired is not restored. */
  of(row: BackupRow, nowS: number): ControlStatement[] {
    const alive = row.cells.filter((cell) => cell.expiresAt === 0 || cell.expiresAt > nowS);
    if (row.clustering === undefined) {
      return groups(alive).map((group) => ({
        query: this.#updateStatic,
        params: [
          ...using(group, nowS),
          ...values(this.#statics, group.cells),
          ...bytes(row.partition),
        ],
      }));
    }
    if (alive.length === 0 && row.cells.length > 0) return [];
    const key = [...bytes(row.partition), ...bytes(row.clustering)];
    const marker = this.#marker(alive);
    const statements: ControlStatement[] = [];
    let cellsOfMarker: readonly BackupCell[] = [];
    for (const group of groups(alive)) {
      if (group.writeTime === marker.writeTime && group.expiresAt === marker.expiresAt) {
        cellsOfMarker = group.cells;
        continue;
      }
      statements.push({
        query: this.#updateRow,
        params: [...using(group, nowS), ...values(this.#regulars, group.cells), ...key],
      });
    }
    statements.push({
      query: this.#insertRow,
      params: [...key, ...values(this.#regulars, cellsOfMarker), ...using(marker, nowS)],
    });
    return statements;
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

interface CellGroup {
  readonly writeTime: bigint;
  readonly expiresAt: number;
  readonly cells: BackupCell[];
}

/** Cells that one statement can write. */
function groups(cells: readonly BackupCell[]): readonly CellGroup[] {
  const found: CellGroup[] = [];
  for (const cell of cells) {
    const { writeTime, expiresAt } = cell;
    const group = found.find((g) => g.writeTime === writeTime && g.expiresAt === expiresAt);
    if (group === undefined) found.push({ writeTime, expiresAt, cells: [cell] });
    else group.cells.push(cell);
  }
  return found;
}

/** A TTL of 0 keeps the table's default one away. */
function using({ writeTime, expiresAt }: Omit<CellGroup, 'cells'>, nowS: number): unknown[] {
  return [writeTime, expiresAt === 0 ? 0 : expiresAt - nowS];
}

function values(columns: readonly number[], cells: readonly BackupCell[]): unknown[] {
  return columns.map((column) => {
    const cell = cells.find((candidate) => candidate.column === column);
    return cell === undefined ? UNSET : buffer(cell.value);
  });
}

function bytes(parts: readonly Uint8Array[]): Buffer[] {
  return parts.map(buffer);
}

function buffer(part: Uint8Array): Buffer {
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}
