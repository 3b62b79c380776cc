/** Integers of a new array: enough for the batch of a single row. */
const INITIAL = 256;
/** Longest array that is kept for later, and how many are: 4 MiB in all. */
const MAX_KEPT = 32 * 1024;
const MAX_POOL = 32;

/** Arrays that are not in use. What stands in them are places and lengths, no secrets. */
const pool: Int32Array[] = [];
const NONE = new Int32Array(0);

/** A growing list of 32-bit integers: places, lengths and indexes of a batch, never secrets. */
export class Ints {
  /** The integers; those from `length` on are not in use. Another array after each growth. */
  data: Int32Array = pool.pop() ?? new Int32Array(INITIAL);
  length = 0;

  /** Makes room for `count` more at once. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.data.length) return;
    const larger = new Int32Array(Math.max(needed, this.data.length * 2, INITIAL));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** The integer at `index`, which must be below `length`. */
  at(index: number): number {
    return this.data[index] as number;
  }

  /** Empties the list and gives its array to the next one. */
  release(): void {
    if (this.data.length > 0 && this.data.length <= MAX_KEPT && pool.length < MAX_POOL) {
      pool.push(this.data);
    }
    this.data = NONE;
    this.length = 0;
  }
}
