import { randomFillSync } from 'node:crypto';
import type { ChainKey } from './aes_key.ts';
import type { PreparedContext } from './column_context.ts';
import { chunk } from './siv_chunk.ts';
import type { Output } from './siv_chunk.ts';
import type { SivKey } from './siv_key.ts';

/** Length of a cell's nonce in bytes. */
export const NONCE_BYTES = 8;

const noncePool = new Int32Array(2048);
let nonceUsed = noncePool.length;

/** Writes a fresh nonce to words `at` and `at + 1`. */
function freshNonce(words: Int32Array, at: number): void {
  if (nonceUsed === noncePool.length) {
    randomFillSync(noncePool);
    nonceUsed = 0;
  }
  words[at] = noncePool[nonceUsed] as number;
  words[at + 1] = noncePool[nonceUsed + 1] as number;
  noncePool[nonceUsed++] = 0;
  noncePool[nonceUsed++] = 0;
}

/** Nonces of the values in the pass, each in the first two words of a block. */
export const nonceBlocks = new Int32Array(512 * 4);
const nonceBlockBytes = Buffer.from(nonceBlocks.buffer);

/** Values of one key that are sealed together. */
export class SivQueue {
  readonly key: SivKey;
  /** Whether the values are cells: their nonce lies before the tag. */
  readonly #withNonce: boolean;
  readonly prepared: PreparedContext[] = [];
  readonly #slot: number[] = [];
  readonly #source: Uint8Array[] = [];
  readonly #from: number[] = [];
  readonly #length: number[] = [];
  readonly #target: number[] = [];
  /** Nonces that are given, by place in the queue; the others are fresh. */
  readonly #nonces = new Map<number, Uint8Array>();

  constructor(key: SivKey, withNonce: boolean) {
    this.key = key;
    this.#withNonce = withNonce;
  }

  /**
   * Queues a value. `slot` is the place of the state of its row or partition, -1 for none; `from` where the plain text
   * begins, `length` how long it is; `target` the word of the output for tag and cipher text. `nonce` is for cells of
   * indexed columns.
   */
  push(
    prepared: PreparedContext,
    slot: number,
    source: Uint8Array,
    from: number,
    length: number,
    target: number,
    nonce?: Uint8Array,
  ): void {
    if (nonce !== undefined) this.#nonces.set(this.prepared.length, nonce);
    this.prepared.push(prepared);
    this.#slot.push(slot);
    this.#source.push(source);
    this.#from.push(from);
    this.#length.push(length);
    this.#target.push(target);
  }

  /** Encrypts all values, cells under fresh nonces unless one was given. */
  seal(states: Int32Array, out: Output): void {
    const n = this.prepared.length;
    for (let i = 0; i < n;) {
      const first = i;
      for (; i < n && !chunk.full; i++) this.#add(i);
      this.#addPrefixes(first, i, states);
      if (this.#withNonce) {
        for (let j = first, o = 0; j < i; j++, o += 4) {
          const at = (this.#target[j] as number) - 2;
          const given = this.#nonces.get(j);
          if (given === undefined) freshNonce(out.words, at);
          else out.bytes.set(given, at * 4);
          nonceBlocks[o] = out.words[at] as number;
          nonceBlocks[o + 1] = out.words[at + 1] as number;
        }
        addNonceMacs(this.key.mac, i - first);
      }
      chunk.seal(this.key, out);
      chunk.reset();
    }
  }

  #add(i: number): void {
    chunk.addPlain(
      this.#source[i] as Uint8Array,
      this.#from[i] as number,
      this.#length[i] as number,
      (this.prepared[i] as PreparedContext).padded,
      this.#target[i] as number,
    );
  }

  /** Sets the S2V states: the part of the column and the part of row or partition only have to be added. */
  #addPrefixes(first: number, end: number, states: Int32Array): void {
    const prefix = chunk.prefix;
    for (let i = first, o = 0; i < end; i++, o += 4) {
      const { state } = this.prepared[i] as PreparedContext;
      const slot = this.#slot[i] as number;
      if (slot < 0) {
        for (let k = 0; k < 4; k++) prefix[o + k] = state[k] as number;
      } else {
        for (let k = 0; k < 4; k++) {
          prefix[o + k] = (state[k] as number) ^ (states[slot + k] as number);
        }
      }
    }
  }
}

/** Adds the CMACs of the first `count` {@link nonceBlocks} to the prefixes: each is one padded block. */
export function addNonceMacs(key: ChainKey, count: number): void {
  const subkeys = key.subkeys;
  for (let o = 0; o < count * 4; o += 4) {
    nonceBlocks[o] = (nonceBlocks[o] as number) ^ (subkeys[4] as number);
    nonceBlocks[o + 1] = (nonceBlocks[o + 1] as number) ^ (subkeys[5] as number);
    nonceBlocks[o + 2] = 0x80 ^ (subkeys[6] as number);
    nonceBlocks[o + 3] = subkeys[7] as number;
  }
  const macs = key.encrypt(nonceBlockBytes, count);
  const prefix = chunk.prefix;
  for (let o = 0; o < count * 4; o++) prefix[o] = (prefix[o] as number) ^ (macs[o] as number);
}
