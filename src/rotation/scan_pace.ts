import type { StoredRowPage } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';

const FETCH_SIZE = 200;
/** A page with more bytes makes the next ones smaller. */
const PAGE_BYTES = 8 * 1024 * 1024;

/** How fast a scan may go, and in how large pages. */
export interface PaceOptions {
  /** Rows of a page at most; 200 if not given. */
  readonly fetchSize?: number | undefined;
  /** Rows a second at most. */
  readonly rowsPerSecond: number;
}

/** The pace of a background scan of a table: the size of its pages by the bytes that they turn out to have, and its throttle. */
export class ScanPace {
  readonly #clock: Clock;
  readonly #largest: number;
  readonly #rowsPerSecond: number;
  #fetchSize: number;

  constructor(clock: Clock, options: PaceOptions) {
    this.#clock = clock;
    this.#largest = options.fetchSize ?? FETCH_SIZE;
    this.#rowsPerSecond = options.rowsPerSecond;
    this.#fetchSize = this.#largest;
  }

  /** Rows to ask for in the next page. */
  get fetchSize(): number {
    return this.#fetchSize;
  }

  /** Told how many bytes of cells the last page had. */
  sized(bytes: number): void {
    if (bytes > PAGE_BYTES) this.halve();
    else if (bytes < PAGE_BYTES / 4) {
      this.#fetchSize = Math.min(this.#largest, Math.ceil(this.#fetchSize * 1.5));
    }
  }

  /** The last page was too long to be worked through in the time that it may be written. */
  halve(): void {
    this.#fetchSize = Math.max(1, this.#fetchSize >> 1);
  }

  /** Waits until a page of `rows`, asked for at the monotonic time `startedMs`, is not ahead of the limit. */
  async throttle(rows: number, startedMs: number): Promise<void> {
    const dueMs = (rows * 1000) / this.#rowsPerSecond;
    const leftMs = dueMs - (this.#clock.monotonicMs() - startedMs);
    if (leftMs <= 1) return;
    await new Promise<void>((resolve) => {
      this.#clock.after(leftMs, resolve);
    });
  }
}

/** Bytes of the cells, entries and elements of a page. */
export function cellBytes(page: StoredRowPage): number {
  let bytes = 0;
  for (const row of page.rows) {
    for (const cells of [row.statics, row.regulars]) {
      for (const cell of cells) bytes += cell?.value.length ?? 0;
    }
    for (const maps of [row.staticMaps, row.regularMaps]) {
      for (const [key, value] of maps?.flat() ?? []) bytes += key.length + value.length;
    }
    for (const collections of [row.staticCollections, row.regularCollections]) {
      for (const { key, value } of collections?.flat() ?? [])
        bytes += (key?.length ?? 0) + value.length;
    }
  }
  return bytes;
}
