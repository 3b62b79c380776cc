import { copyBytes } from './word_copy.ts';

/**
 * Growing buffer of 16-byte blocks, seen as words and as bytes. What {@link alloc} hands out is zero. Shared by all
 * batches of the process: every use runs to its end synchronously and clears what it used.
 */
export class Scratch {
  words: Int32Array;
  bytes: Buffer;
  /** Words in use. */
  used = 0;
  readonly #initialBytes: number;

  constructor(initialBytes: number) {
    this.#initialBytes = initialBytes;
    this.bytes = Buffer.from(new ArrayBuffer(initialBytes));
    this.words = new Int32Array(this.bytes.buffer);
  }

  /** Reserves `blocks` zeroed blocks; returns the index of the first word. */
  alloc(blocks: number): number {
    const at = this.used;
    const end = at + blocks * 4;
    if (end > this.words.length) this.#grow(end);
    this.used = end;
    return at;
  }

  /** Zeroes what was used and makes it free; a buffer grown for one large value is given back. */
  clear(): void {
    if (this.bytes.length > this.#initialBytes) {
      this.bytes.fill(0);
      this.bytes = Buffer.from(new ArrayBuffer(this.#initialBytes));
      this.words = new Int32Array(this.bytes.buffer);
    } else {
      this.words.fill(0, 0, this.used);
    }
    this.used = 0;
  }

  #grow(minWords: number): void {
    const size = Math.max(minWords * 4, this.bytes.length * 2);
    const bytes = Buffer.from(new ArrayBuffer(size));
    copyBytes(this.bytes, 0, this.used * 4, bytes, 0);
    this.bytes.fill(0);
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer);
  }
}

/** Words after which queued chains should run: keeps the working set inside the cache. */
export const FLUSH_WORDS = 32 * 1024;

/** Messages of CMAC computations in progress. */
export const messages = new Scratch(512 * 1024);
