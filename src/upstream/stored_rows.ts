import cassandra from 'cassandra-driver';
import { UpstreamError } from '../errors/index.ts';
import type { ControlConnection, ControlResult, ControlStatement } from './control_connection.ts';
import type { TokenRange } from './token_ranges.ts';

/** A stored table: names of its columns, keys in the order of the table. */
export interface StoredTable {
  readonly keyspace: string;
  readonly name: string;
  readonly partition: readonly string[];
  readonly clustering: readonly string[];
  /** Columns of one cell each that are read and written. */
  readonly statics: readonly string[];
  readonly regulars: readonly string[];
}

/** A cell as Cassandra holds it. */
export interface StoredCell {
  readonly value: Buffer;
  /** Write time, microseconds. */
  readonly timestamp: bigint;
  /** Seconds that are left; `null` for a cell that does not expire. */
  readonly ttl: number | null;
}

/** A row as Cassandra holds it. */
export interface StoredTableRow {
  readonly partition: readonly Buffer[];
  /** `null` for a partition that has static cells only. */
  readonly clustering: readonly Buffer[] | null;
  /** In the order of {@link StoredTable}; every row of a partition has them. */
  readonly statics: readonly (StoredCell | null)[];
  readonly regulars: readonly (StoredCell | null)[];
}

/** A page of rows. */
export interface StoredRowPage {
  readonly rows: readonly StoredTableRow[];
  /** `undefined` after the last page. */
  readonly next: string | undefined;
}

/** New bytes of cells of one row, all static or all regular, that get one write time and time to live. */
export interface StoredCellWrite {
  readonly partition: readonly Buffer[];
  /** `null` to write static cells. */
  readonly clustering: readonly Buffer[] | null;
  readonly timestamp: bigint;
  /** Seconds; 0 for cells that do not expire, whatever the table's default is. */
  readonly ttl: number;
  /** In the order of {@link StoredTable}; `undefined` leaves a cell alone, null deletes it. Columns of text take text. */
  readonly cells: readonly (Buffer | string | null | undefined)[];
}

/**
 * Stored rows of user tables, read and written as they are: bytes, write times, times to live. Reads and writes are at ALL,
 * so that no replica keeps what the others no longer have.
 */
export class StoredRows {
  readonly #connection: Pick<ControlConnection, 'execute' | 'page' | 'executeUnlogged'>;

  constructor(connection: Pick<ControlConnection, 'execute' | 'page' | 'executeUnlogged'>) {
    this.#connection = connection;
  }

  /** @throws UpstreamError unless tokens are those of Murmur3Partitioner, which token ranges are made for. */
  async requireKnownTokens(): Promise<void> {
    const result = await this.#connection.execute('SELECT partitioner FROM system.local');
    const partitioner = String(result.rows[0]?.['partitioner']);
    if (partitioner.endsWith('.Murmur3Partitioner')) return;
    throw new UpstreamError(
      'UPSTREAM_PARTITIONER',
      `the cluster has the partitioner ${partitioner}; tables are read by token ranges of Murmur3Partitioner only`,
    );
  }

  /** One page of the rows of a token range, in the order of tokens. */
  async page(
    table: StoredTable,
    range: TokenRange,
    fetchSize: number,
    state: string | undefined,
  ): Promise<StoredRowPage> {
    const token = `token(${table.partition.map(quoted).join(', ')})`;
    const result = await this.#connection.page(
      `${selection(table)} WHERE ${token} > ? AND ${token} <= ?`,
      [range.after, range.upTo],
      { consistency: 'all', fetchSize, state },
    );
    return { rows: rowsOf(table, result), next: result.next };
  }

  /** One row as it is now; without `clustering` any row of the partition, for its static cells. */
  async row(
    table: StoredTable,
    partition: readonly Buffer[],
    clustering: readonly Buffer[] | null,
  ): Promise<StoredTableRow | undefined> {
    const keys = clustering === null ? table.partition : [...table.partition, ...table.clustering];
    const result = await this.#connection.page(
      `${selection(table)} WHERE ${conditions(keys)} LIMIT 1`,
      [...partition, ...(clustering ?? [])],
      { consistency: 'all', fetchSize: 1, state: undefined },
    );
    return rowsOf(table, result)[0];
  }

  /** Writes cells of one partition together. Never makes a row: cells of rows that are gone stay gone with them. */
  async write(table: StoredTable, writes: readonly StoredCellWrite[]): Promise<void> {
    await this.#connection.executeUnlogged(
      writes.map((write) => updateStatement(table, write)),
      'all',
    );
  }
}

/** One text for all writes of a table, so that Cassandra prepares few. */
function updateStatement(table: StoredTable, write: StoredCellWrite): ControlStatement {
  const isStatic = write.clustering === null;
  const columns = isStatic ? table.statics : table.regulars;
  const keys = isStatic ? table.partition : [...table.partition, ...table.clustering];
  const assignments = columns.map((name) => `${quoted(name)} = ?`).join(', ');
  return {
    query: `UPDATE ${tableName(table)} USING TIMESTAMP ? AND TTL ? SET ${assignments} WHERE ${conditions(keys)}`,
    params: [
      write.timestamp,
      write.ttl,
      ...write.cells.map((cell) => (cell === undefined ? cassandra.types.unset : cell)),
      ...write.partition,
      ...(write.clustering ?? []),
    ],
  };
}

function selection(table: StoredTable): string {
  const cells = [...table.statics, ...table.regulars].map(quoted);
  const columns = [
    ...table.partition.map(quoted),
    ...table.clustering.map(quoted),
    ...cells,
    ...cells.map((name) => `writetime(${name})`),
    ...cells.map((name) => `ttl(${name})`),
  ];
  const aliased = columns.map((column, index) => `${column} AS c${String(index)}`);
  return `SELECT ${aliased.join(', ')} FROM ${tableName(table)}`;
}

function rowsOf(table: StoredTable, result: ControlResult): StoredTableRow[] {
  const { partition, clustering, statics, regulars } = table;
  const keyCount = partition.length + clustering.length;
  const cellCount = statics.length + regulars.length;
  return result.rows.map((row) => {
    const at = (index: number): unknown => row[`c${String(index)}`] ?? null;
    const key = Array.from({ length: keyCount }, (_, index) => at(index) as Buffer | null);
    const cells = Array.from({ length: cellCount }, (_, index): StoredCell | null => {
      const value = at(keyCount + index) as Buffer | null;
      if (value === null) return null;
      return {
        value,
        timestamp: at(keyCount + cellCount + index) as bigint,
        ttl: at(keyCount + 2 * cellCount + index) as number | null,
      };
    });
    const stored = key.slice(partition.length);
    return {
      partition: key.slice(0, partition.length) as Buffer[],
      clustering: stored.includes(null) ? null : (stored as Buffer[]),
      statics: cells.slice(0, statics.length),
      regulars: cells.slice(statics.length),
    };
  });
}

function conditions(names: readonly string[]): string {
  return names.map((name) => `${quoted(name)} = ?`).join(' AND ');
}

function tableName(table: StoredTable): string {
  return `${quoted(table.keyspace)}.${quoted(table.name)}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
