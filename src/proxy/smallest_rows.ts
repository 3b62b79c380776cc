import type { Row } from '../encryption/index.ts';

/** How many rows are kept, and how many bytes of them; one row is kept whatever its size. */
export interface KeptRows {
  readonly rows: number;
  readonly bytes: number;
}

interface Kept {
  readonly row: Row;
  readonly bytes: number;
}

/** The first rows of many by an order, in bounded memory: all before the first one that was left out. */
export class SmallestRows {
  readonly #compare: (a: Row, b: Row) => number;
  readonly #limit: KeptRows;
  #rows: Kept[] = [];
  #bytes = 0;
  /** The first row that was left out: neither it nor one behind it is taken any more. */
  #bound: Row | undefined;

  constructor(compare: (a: Row, b: Row) => number, limit: KeptRows) {
    this.#compare = compare;
    this.#limit = limit;
  }

  /** Whether there were more rows than are kept. */
  get isCut(): boolean {
    return this.#bound !== undefined;
  }

  /** Takes a row; its bytes may be views of a page: they are copied, so that the page need not be kept. */
  add(row: Row): void {
    if (this.#bound !== undefined && this.#compare(row, this.#bound) >= 0) return;
    const own = row.map((value) => (value === null ? null : new Uint8Array(value)));
    const bytes = own.reduce((sum, value) => sum + (value?.length ?? 0), 0);
    this.#rows.push({ row: own, bytes });
    this.#bytes += bytes;
    const { rows, bytes: most } = this.#limit;
    if (this.#rows.length >= 2 * rows || this.#bytes >= 2 * most) this.#cut();
  }

  /** The rows, in their order. */
  take(): Row[] {
    this.#cut();
    return this.#rows.map(({ row }) => row);
  }

  #cut(): void {
    this.#rows.sort((a, b) => this.#compare(a.row, b.row));
    let bytes = 0;
    let kept = 0;
    for (const one of this.#rows) {
      if (kept > 0 && (kept === this.#limit.rows || bytes + one.bytes > this.#limit.bytes)) break;
      bytes += one.bytes;
      kept++;
    }
    this.#bound = this.#rows[kept]?.row ?? this.#bound;
    this.#rows.length = kept;
    this.#bytes = bytes;
  }
}
