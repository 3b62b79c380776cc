import { createHash } from 'node:crypto';
import type { Row } from '../stored_result.ts';

/** Where a reader is in a partition, so that another page can go on there. */
export interface PartitionMark {
  /** 16 bytes that stand for the partition; undefined before the first row. */
  readonly digest: Uint8Array | undefined;
  /** Results that the partition gave so far. */
  readonly count: number;
}

/** Counts results by partition: rows of one partition follow each other. */
export class PartitionTracker {
  readonly #slots: readonly number[];
  #key: Row | undefined;
  #read = -1;
  #resumed: PartitionMark | undefined;
  /** Results of the current partition. */
  count = 0;

  /** @param slots of the partition key; without any, each read is of a partition of its own */
  constructor(slots: readonly number[], resumed: PartitionMark | undefined) {
    this.#slots = slots;
    if (resumed?.digest !== undefined) {
      this.#resumed = resumed;
      this.count = resumed.count;
    }
  }

  /** Whether a row begins another partition than the row before. @param read index of the read that it came from */
  isNew(row: Row, read: number): boolean {
    if (this.#resumed !== undefined) {
      return (
        Buffer.compare(digestOf(this.#keyOf(row), read), this.#resumed.digest ?? NOTHING) !== 0
      );
    }
    if (this.#key === undefined) return true;
    if (read !== this.#read) return true;
    const key = this.#key;
    return this.#slots.some((slot, at) => !sameBytes(row[slot] ?? null, key[at] ?? null));
  }

  /** Makes the partition of a row the current one. */
  enter(row: Row, read: number): void {
    this.#resumed = undefined;
    this.#read = read;
    this.#key = this.#keyOf(row).map((value) => (value === null ? null : new Uint8Array(value)));
    this.count = 0;
  }

  /** Goes on with the partition of a row. */
  stay(row: Row, read: number): void {
    if (this.#resumed === undefined) return;
    const { count } = this;
    this.enter(row, read);
    this.count = count;
  }

  /** The place now; its digest is made when it is wanted. */
  mark(): PartitionMark {
    if (this.#resumed !== undefined) return this.#resumed;
    const [key, read, count] = [this.#key, this.#read, this.count];
    return {
      get digest() {
        return key === undefined ? undefined : digestOf(key, read);
      },
      count,
    };
  }

  #keyOf(row: Row): Row {
    return this.#slots.map((slot) => row[slot] ?? null);
  }
}

const NOTHING = new Uint8Array(0);

function digestOf(key: Row, read: number): Uint8Array {
  const hash = createHash('sha256').update(String(read));
  for (const value of key) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value?.length ?? -1);
    hash.update(length);
    if (value !== null) hash.update(value);
  }
  return hash.digest().subarray(0, 16);
}

/** Whether two values have the same bytes; null is only null. */
export function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
