/** A growing list of 32-bit integers: places, lengths and indexes of a batch, never secrets. */
export class Ints {
  /** The integers; those from `length` on are not in use. Another array after each growth. */
  data: Int32Array;
  length = 0;

  constructor(capacity = 16) {
    this.data = new Int32Array(capacity);
  }

  /** Makes room for `count` more at once. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.data.length) return;
    const larger = new Int32Array(Math.max(needed, this.data.length * 2));
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
}
