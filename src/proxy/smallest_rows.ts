import type { Row } from '../encryption/index.ts';

/** How many rows are kept, and how many bytes of them; one row is kept whatever its size. */
export interface KeptRows {
  readonly rows: number;
  readonly bytes: number;
}

/** The first rows of many by an order, in bounded memory. */
export class SmallestRows {
  readonly #compare: (a: Row, b: Row) => number;
  readonly #limit: KeptRows;
  #rows: { readonly row: Row; readonly bytes: number; readonly isOwn: boolean }[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(compare: (a: Row, b: Row) => number, limit: KeptRows) {
    this.#compare = compare;
    this.#limit = limit;
  }

  /** Whether there were more rows than are kept. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Takes a row; its bytes may be views of a page, which is not kept. */
  add(row: Row): void {
    let bytes = 0;
    for (const value of row) bytes += value?.length ?? 0;
    this.#rows.push({ row, bytes, isOwn: false });
    this.#bytes += bytes;
    const { rows, bytes: most } = this.#limit;
    if (this.#rows.length < 2 * rows && this.#bytes < 2 * most) return;
    this.#cut();
    this.#rows = this.#rows.map((one) =>
      one.isOwn ? one : { ...one, row: owned(one.row), isOwn: true },
    );
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
    if (kept < this.#rows.length) this.#isCut = true;
    this.#rows.length = kept;
    this.#bytes = bytes;
  }
}

function owned(row: Row): Row {
  return row.map((value) => (value === null ? null : new Uint8Array(value)));
}
