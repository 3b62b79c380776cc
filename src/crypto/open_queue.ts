import type { PreparedContext } from './column_context.ts';
import { Ints } from './ints.ts';
import { chunk } from './siv_chunk.ts';
import type { Output } from './siv_chunk.ts';
import type { SivKey } from './siv_key.ts';
import { NONCE_BYTES, addNonceMacs, nonceBlocks } from './siv_queue.ts';

// A record of integers for each value.
const VALUE = { handle: 0, context: 1, slot: 2, source: 3, from: 4, size: 5 } as const;

/** Places of the plain texts of a batch, by handle. */
export interface PlainPlaces {
  /** First byte in the output, word aligned. */
  readonly at: Ints;
  readonly length: Ints;
}

/** Values of one key that are opened together. */
export class OpenQueue {
  readonly #key: SivKey;
  /** Whether the values are cells: their nonce lies before the tag. */
  readonly #withNonce: boolean;
  readonly #contexts: PreparedContext[] = [];
  readonly #values = new Ints();

  constructor(key: SivKey, withNonce: boolean) {
    this.#key = key;
    this.#withNonce = withNonce;
  }

  /** Number of a context in this queue. */
  context(prepared: PreparedContext): number {
    const known = this.#contexts.indexOf(prepared);
    return known >= 0 ? known : this.#contexts.push(prepared) - 1;
  }

  /** Makes room for values at once. */
  reserve(count: number): void {
    this.#values.reserve(count * VALUE.size);
  }

  /**
   * Queues a value. `context` is a number that {@link context} gave; `slot` the place of the state of its row or partition,
   * -1 for none; `from` where its tag lies in the source of number `source`.
   */
  push(handle: number, context: number, slot: number, source: number, from: number): void {
    const values = this.#values;
    values.push(handle);
    values.push(context);
    values.push(slot);
    values.push(source);
    values.push(from);
  }

  /**
   * Decrypts all values.
   *
   * @returns the first one whose tag is wrong
   */
  open(
    sources: readonly DataView[],
    places: PlainPlaces,
    states: Int32Array,
    out: Output,
  ): { readonly handle: number; readonly name: string } | undefined {
    const { data, length } = this.#values;
    let failed = -1;
    for (let v = 0; v < length;) {
      const first = v;
      for (; v < length && !chunk.full; v += VALUE.size) this.#add(v, sources, places, states);
      if (this.#withNonce) addNonceMacs(this.#key.mac, (v - first) / VALUE.size);
      const wrong = chunk.open(this.#key, out);
      if (wrong >= 0 && failed < 0) failed = first + wrong * VALUE.size;
      chunk.reset();
    }
    if (failed < 0) return undefined;
    const { context } = this.#contexts[data[failed + VALUE.context] as number] as PreparedContext;
    return { handle: data[failed + VALUE.handle] as number, name: context.name };
  }

  /** After the run: gives back what it needed. */
  release(): void {
    this.#values.release();
  }

  /** Adds a value to the pass with its S2V state: the part of the column and that of row or partition are only added. */
  #add(v: number, sources: readonly DataView[], places: PlainPlaces, states: Int32Array): void {
    const { data } = this.#values;
    const handle = data[v + VALUE.handle] as number;
    const { state } = this.#contexts[data[v + VALUE.context] as number] as PreparedContext;
    const slot = data[v + VALUE.slot] as number;
    const source = sources[data[v + VALUE.source] as number] as DataView;
    const from = data[v + VALUE.from] as number;
    const { prefix } = chunk;
    const o = chunk.count * 4;
    for (let k = 0; k < 4; k++) {
      const owner = slot < 0 ? 0 : (states[slot + k] as number);
      prefix[o + k] = (state[k] as number) ^ owner;
    }
    if (this.#withNonce) {
      nonceBlocks[o] = source.getInt32(from - NONCE_BYTES, true);
      nonceBlocks[o + 1] = source.getInt32(from - NONCE_BYTES + 4, true);
    }
    chunk.addSealed(source, from, places.length.at(handle), places.at.at(handle) >> 2);
  }
}
