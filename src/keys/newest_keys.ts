import type { TableEntry } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';

const REREAD_MS = 1000;

/** The catalog, as far as it tells whether the keys of a table were changed. */
export interface NewestTables {
  /** The table of this name in the newest snapshot. */
  table(keyspace: string, name: string): TableEntry | undefined;
  /** Reads the catalog again. */
  refresh(): Promise<unknown>;
}

/** Looks newer entries of tables up, with at most one reading of the catalog a second and table where nothing was refused. */
export class NewestKeys {
  readonly #catalog: NewestTables | undefined;
  readonly #clock: Clock;
  /** The last reading by `keyspace.table`. */
  readonly #readings = new Map<
    string,
    { readonly atMs: number; readonly done: Promise<unknown> }
  >();

  constructor(catalog: NewestTables | undefined, clock: Clock) {
    this.#catalog = catalog;
    this.#clock = clock;
  }

  /**
   * The newest entry of the same table if it is newer than `table`; the catalog is read for it unless it has one already.
   * A reading that fails counts as one without news.
   * @param isRefused the KMS has just refused the keys of `table`: a reading from before that says nothing
   */
  async entry(table: TableEntry, isRefused = false): Promise<TableEntry | undefined> {
    const catalog = this.#catalog;
    if (catalog === undefined) return undefined;
    const known = this.#newer(catalog, table);
    if (known !== undefined) return known;
    const name = `${table.keyspace}.${table.name}`;
    const now = this.#clock.monotonicMs();
    let reading = this.#readings.get(name);
    if (isRefused || reading === undefined || now - reading.atMs >= REREAD_MS) {
      for (const [other, { atMs }] of this.#readings) {
        if (now - atMs >= REREAD_MS) this.#readings.delete(other);
      }
      reading = { atMs: now, done: catalog.refresh().catch(() => undefined) };
      this.#readings.set(name, reading);
    }
    await reading.done;
    return this.#newer(catalog, table);
  }

  #newer(catalog: NewestTables, table: TableEntry): TableEntry | undefined {
    const newest = catalog.table(table.keyspace, table.name);
    return newest?.kind === 'encrypted' &&
      Buffer.compare(newest.tableId, table.tableId) === 0 &&
      newest.recordVersion > table.recordVersion
      ? newest
      : undefined;
  }
}
