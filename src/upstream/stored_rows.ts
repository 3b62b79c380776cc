import cassandra from 'cassandra-driver';
import { UpstreamError } from '../errors/index.ts';
import type { ControlConnection, ControlResult, ControlStatement } from './control_connection.ts';
import type { TokenRange } from './token_ranges.ts';

/** A column of one cell by its name, or a field of a column of a user type that is not frozen. */
export type StoredColumn = string | { readonly column: string; readonly field: string };

/** A stored table: names of its columns, keys in the order of the table. */
export interface StoredTable {
  readonly keyspace: string;
  readonly name: string;
  readonly partition: readonly string[];
  readonly clustering: readonly string[];
  /** What is read and written as one cell each. */
  readonly statics: readonly StoredColumn[];
  readonly regulars: readonly StoredColumn[];
  /** Maps that are not frozen: read and written by entry. */
  readonly staticMaps?: readonly string[];
  readonly regularMaps?: readonly string[];
  /** Collections that are not frozen: read with the write time of every element. */
  readonly staticCollections?: readonly string[];
  readonly regularCollections?: readonly string[];
}

/** An element of a collection, as Cassandra holds it; of a map with its key. Of a set the value is the element. */
export interface StoredElement extends StoredCell {
  readonly key?: Buffer;
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
  /** Keys and values of the maps, in the order of {@link StoredTable}. Write times come with {@link StoredRows.entries}. */
  readonly staticMaps?: readonly (readonly (readonly [Buffer, Buffer])[])[];
  readonly regularMaps?: readonly (readonly (readonly [Buffer, Buffer])[])[];
  /** The elements of collections, in the order of {@link StoredTable}. */
  readonly staticCollections?: readonly (readonly StoredElement[])[];
  readonly regularCollections?: readonly (readonly StoredElement[])[];
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
  /** New bytes of one entry of a map instead of cells. */
  readonly entry?: { readonly map: string; readonly key: Buffer; readonly value: Buffer | string };
  /** An element that is added to a list or set, or an element or entry that is deleted, instead of cells. */
  readonly element?: {
    readonly collection: string;
    readonly change: 'add' | 'delete';
    readonly value: Buffer | string;
  };
}

/** Entries of a map that one statement asks for. */
const ENTRIES = 32;

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

  /**
   * Entries of a map as they are now, with write times and times to live; `null` for one that is gone.
   * @param clustering `null` for a static map
   */
  async entries(
    table: StoredTable,
    partition: readonly Buffer[],
    clustering: readonly Buffer[] | null,
    map: string,
    keys: readonly Buffer[],
  ): Promise<(StoredCell | null)[]> {
    const names = clustering === null ? table.partition : [...table.partition, ...table.clustering];
    const found: (StoredCell | null)[] = [];
    for (let from = 0; from < keys.length; from += ENTRIES) {
      const some = keys.slice(from, from + ENTRIES);
      const element = `${quoted(map)}[?]`;
      const selectors = some.flatMap((_, i) => [
        `${element} AS v${String(i)}`,
        `writetime(${element}) AS w${String(i)}`,
        `ttl(${element}) AS t${String(i)}`,
      ]);
      const { rows } = await this.#connection.page(
        `SELECT ${selectors.join(', ')} FROM ${tableName(table)} WHERE ${conditions(names)} LIMIT 1`,
        [...some.flatMap((key) => [key, key, key]), ...partition, ...(clustering ?? [])],
        { consistency: 'all', fetchSize: 1, state: undefined },
      );
      const [row] = rows;
      for (const i of some.keys()) {
        const value = (row?.[`v${String(i)}`] ?? null) as Buffer | null;
        found.push(
          value === null
            ? null
            : {
                value,
                timestamp: row?.[`w${String(i)}`] as bigint,
                ttl: (row?.[`t${String(i)}`] ?? null) as number | null,
              },
        );
      }
    }
    return found;
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
  const { entry, element } = write;
  const names = isStatic ? table.partition : [...table.partition, ...table.clustering];
  const keyValues = [...write.partition, ...(write.clustering ?? [])];
  if (element !== undefined) {
    const name = quoted(element.collection);
    if (element.change === 'delete') {
      return {
        query: `DELETE ${name}[?] FROM ${tableName(table)} USING TIMESTAMP ? WHERE ${conditions(names)}`,
        params: [element.value, write.timestamp, ...keyValues],
      };
    }
    return {
      query: `UPDATE ${tableName(table)} USING TIMESTAMP ? AND TTL ? SET ${name} = ${name} + ? WHERE ${conditions(names)}`,
      params: [write.timestamp, write.ttl, [element.value], ...keyValues],
    };
  }
  if (entry !== undefined) {
    return {
      query: `UPDATE ${tableName(table)} USING TIMESTAMP ? AND TTL ? SET ${quoted(entry.map)}[?] = ? WHERE ${conditions(names)}`,
      params: [write.timestamp, write.ttl, entry.key, entry.value, ...keyValues],
    };
  }
  const columns = isStatic ? table.statics : table.regulars;
  const assignments = columns.map((column) => `${expression(column)} = ?`).join(', ');
  return {
    query: `UPDATE ${tableName(table)} USING TIMESTAMP ? AND TTL ? SET ${assignments} WHERE ${conditions(names)}`,
    params: [
      write.timestamp,
      write.ttl,
      ...write.cells.map((cell) => (cell === undefined ? cassandra.types.unset : cell)),
      ...keyValues,
    ],
  };
}

function selection(table: StoredTable): string {
  const cells = [...table.statics, ...table.regulars].map(expression);
  const maps = [...(table.staticMaps ?? []), ...(table.regularMaps ?? [])].map(quoted);
  const columns = [
    ...table.partition.map(quoted),
    ...table.clustering.map(quoted),
    ...cells,
    ...cells.map((name) => `writetime(${name})`),
    ...cells.map((name) => `ttl(${name})`),
    ...maps,
    ...collectionsOf(table)
      .map(quoted)
      .flatMap((name) => [name, `writetime(${name})`, `ttl(${name})`]),
  ];
  const aliased = columns.map((column, index) => `${column} AS c${String(index)}`);
  return `SELECT ${aliased.join(', ')} FROM ${tableName(table)}`;
}

function collectionsOf({ staticCollections = [], regularCollections = [] }: StoredTable): string[] {
  return [...staticCollections, ...regularCollections];
}

function rowsOf(table: StoredTable, result: ControlResult): StoredTableRow[] {
  const { partition, clustering, statics, regulars, staticMaps = [], regularMaps = [] } = table;
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
    const mapsAt = keyCount + 3 * cellCount;
    const maps = Array.from({ length: staticMaps.length + regularMaps.length }, (_, index) => {
      const map = at(mapsAt + index) as ReadonlyMap<Buffer, Buffer> | null;
      return map === null ? [] : [...map];
    });
    const collectionsAt = mapsAt + maps.length;
    const staticCount = table.staticCollections?.length ?? 0;
    const collections = collectionsOf(table).map((_, index) => {
      const from = collectionsAt + 3 * index;
      return elementsOf(at(from), at(from + 1), at(from + 2));
    });
    return {
      partition: key.slice(0, partition.length) as Buffer[],
      clustering: stored.includes(null) ? null : (stored as Buffer[]),
      statics: cells.slice(0, statics.length),
      regulars: cells.slice(statics.length),
      ...(maps.length === 0
        ? {}
        : {
            staticMaps: maps.slice(0, staticMaps.length),
            regularMaps: maps.slice(staticMaps.length),
          }),
      ...(collections.length === 0
        ? {}
        : {
            staticCollections: collections.slice(0, staticCount),
            regularCollections: collections.slice(staticCount),
          }),
    };
  });
}

/** The elements of a collection as the driver gives it, with its write times and times to live. */
function elementsOf(collection: unknown, times: unknown, ttls: unknown): StoredElement[] {
  if (collection === null) return [];
  const entries =
    collection instanceof Map
      ? [...(collection as ReadonlyMap<Buffer, Buffer | string>)]
      : (collection as readonly (Buffer | string)[]).map((value) => [undefined, value] as const);
  return entries.map(([key, value], index) => {
    const timestamp = (times as readonly (bigint | null)[] | null)?.[index];
    if (timestamp === null || timestamp === undefined) {
      throw new UpstreamError('UPSTREAM_RESPONSE', 'a collection came without its write times');
    }
    return {
      ...(key === undefined ? {} : { key }),
      value: typeof value === 'string' ? Buffer.from(value, 'latin1') : value,
      timestamp,
      ttl: (ttls as readonly (number | null)[] | null)?.[index] ?? null,
    };
  });
}

function expression(column: StoredColumn): string {
  if (typeof column === 'string') return quoted(column);
  return `${quoted(column.column)}.${quoted(column.field)}`;
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
