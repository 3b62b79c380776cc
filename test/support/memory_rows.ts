/** Stored rows in memory, with Cassandra's rules of which of two cells stays. */
import type { StoredRows } from '../../src/upstream/index.ts';
import type {
  StoredCell,
  StoredCellWrite,
  StoredTable,
  StoredTableRow,
  TokenRange,
} from '../../src/upstream/index.ts';
import type { Clock } from '../../src/util/index.ts';

/** A cell; `expiresAt` in seconds. */
interface MemoryCell {
  readonly value: Buffer;
  readonly timestamp: bigint;
  readonly ttl: number;
  readonly expiresAt: number | null;
}

interface MemoryRow {
  readonly partition: readonly Buffer[];
  readonly clustering: readonly Buffer[];
  readonly cells: (MemoryCell | null)[];
  readonly token: bigint;
}

type Rows = Pick<StoredRows, 'requireKnownTokens' | 'page' | 'row' | 'entries' | 'write'>;

/** One table whose columns are all regular. */
export class MemoryRows implements Rows {
  readonly #clock: Clock;
  readonly #rows = new Map<string, MemoryRow>();
  /** Called before each write of a batch is applied. */
  beforeWrite: () => void | Promise<void> = () => undefined;
  /** Called after a page was read and before it is given out. */
  afterPage: () => void | Promise<void> = () => undefined;
  pages = 0;
  writes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Seconds, as Cassandra counts them. */
  nowSeconds(): number {
    return Math.floor(this.#clock.nowMs() / 1000);
  }

  /** Writes one cell, as a client does. */
  put(
    partition: readonly Buffer[],
    clustering: readonly Buffer[],
    index: number,
    cell: { readonly value: Buffer; readonly timestamp: bigint; readonly ttl?: number },
  ): void {
    const ttl = cell.ttl ?? 0;
    const expiresAt = ttl === 0 ? null : this.nowSeconds() + ttl;
    const key = keyOf(partition, clustering);
    const row = this.#rows.get(key) ?? {
      partition,
      clustering,
      cells: [],
      token: BigInt.asIntN(64, BigInt(`0x${hash(partition)}`)),
    };
    this.#rows.set(key, row);
    const old = row.cells[index] ?? null;
    const next: MemoryCell = { value: cell.value, timestamp: cell.timestamp, ttl, expiresAt };
    row.cells[index] = old === null ? next : newer(old, next);
  }

  truncate(): void {
    this.#rows.clear();
  }

  /** Live cells of all rows. */
  cells(): { partition: readonly Buffer[]; index: number; cell: StoredCell }[] {
    return [...this.#rows.values()].flatMap((row) =>
      this.#live(row).flatMap((cell, index) =>
        cell === null ? [] : [{ partition: row.partition, index, cell }],
      ),
    );
  }

  requireKnownTokens(): Promise<void> {
    return Promise.resolve();
  }

  async page(table: StoredTable, range: TokenRange, fetchSize: number, state: string | undefined) {
    this.pages++;
    const rows = [...this.#rows.values()]
      .filter(({ token }) => token > range.after && token <= range.upTo)
      .sort((a, b) => (a.token < b.token ? -1 : 1));
    const from = Number(state ?? 0);
    const found = rows.slice(from, from + fetchSize).map((row) => this.#row(table, row));
    await this.afterPage();
    const next = from + fetchSize < rows.length ? String(from + fetchSize) : undefined;
    return { rows: found, next };
  }

  row(
    table: StoredTable,
    partition: readonly Buffer[],
    clustering: readonly Buffer[] | null,
  ): Promise<StoredTableRow | undefined> {
    const row = this.#rows.get(keyOf(partition, clustering ?? []));
    return Promise.resolve(row === undefined ? undefined : this.#row(table, row));
  }

  /** No table here has maps. */
  entries(...[, , , , keys]: Parameters<StoredRows['entries']>): Promise<(StoredCell | null)[]> {
    return Promise.resolve(keys.map(() => null));
  }

  async write(_table: StoredTable, writes: readonly StoredCellWrite[]): Promise<void> {
    await this.beforeWrite();
    for (const { partition, clustering, timestamp, ttl, cells } of writes) {
      for (const [index, value] of cells.entries()) {
        if (value === undefined) continue;
        this.writes++;
        if (value === null) {
          this.#delete(partition, clustering ?? [], index, timestamp);
          continue;
        }
        const bytes = Buffer.from(value as Buffer);
        this.put(partition, clustering ?? [], index, { value: bytes, timestamp, ttl });
      }
    }
  }

  /** A tombstone is not kept: it only ends a cell that is not newer. */
  #delete(
    partition: readonly Buffer[],
    clustering: readonly Buffer[],
    index: number,
    timestamp: bigint,
  ): void {
    const row = this.#rows.get(keyOf(partition, clustering));
    const old = row?.cells[index] ?? null;
    if (row !== undefined && old !== null && old.timestamp <= timestamp) row.cells[index] = null;
  }

  #row(table: StoredTable, row: MemoryRow): StoredTableRow {
    const live = this.#live(row);
    return {
      partition: row.partition,
      clustering: row.clustering,
      statics: [],
      regulars: table.regulars.map((_, index) => live[index] ?? null),
    };
  }

  #live(row: MemoryRow): (StoredCell | null)[] {
    return Array.from(row.cells, (cell) => {
      if (cell === null || cell === undefined) return null;
      const left = cell.expiresAt === null ? null : cell.expiresAt - this.nowSeconds();
      if (left !== null && left <= 0) return null;
      return { value: cell.value, timestamp: cell.timestamp, ttl: left };
    });
  }
}

/** Cells.reconcile of Cassandra: time, then expiring over lasting, then later expiry, then shorter TTL, then bytes. */
function newer(a: MemoryCell, b: MemoryCell): MemoryCell {
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp ? a : b;
  if ((a.expiresAt === null) !== (b.expiresAt === null)) return a.expiresAt === null ? b : a;
  if (a.expiresAt !== null && b.expiresAt !== null && a.expiresAt !== b.expiresAt) {
    return a.expiresAt > b.expiresAt ? a : b;
  }
  if (a.ttl !== b.ttl) return a.ttl < b.ttl ? a : b;
  return Buffer.compare(a.value, b.value) >= 0 ? a : b;
}

function keyOf(partition: readonly Buffer[], clustering: readonly Buffer[]): string {
  return JSON.stringify([...partition, ...clustering].map((part) => part.toString('hex')));
}

function hash(partition: readonly Buffer[]): string {
  return Buffer.concat([...partition])
    .toString('hex')
    .slice(-16)
    .padStart(16, '0');
}
