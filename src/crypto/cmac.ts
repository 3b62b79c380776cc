import { ChainKey } from './aes_key.ts';
import { copyBlock, xorBlock } from './gf128.ts';
import { FLUSH_WORDS, messages } from './scratch.ts';
import { requireLength } from './check.ts';
import { copyBytes } from './word_copy.ts';

export { ChainKey };

/** Blocks of all chains in progress, one after the other. */
const lanes = new Int32Array(4096 * 4);
const laneBytes = Buffer.from(lanes.buffer);
/** Most chains that one {@link MacTasks} takes before it must run. */
export const MAX_TASKS = 4096;

/**
 * Pads the `length` bytes at word `at` of the message scratch and adds the subkey, so that a plain chain over them
 * gives the CMAC. Spec: sp800-38b 6.2
 */
export function finishMessage(key: ChainKey, at: number, length: number): void {
  const whole = length > 0 && (length & 15) === 0;
  if (!whole) messages.bytes[at * 4 + length] = 0x80;
  const lastBlock = at + (whole ? length / 4 - 4 : (length >> 4) * 4);
  xorBlock(key.subkeys, whole ? 0 : 4, messages.words, lastBlock);
}

/** Number of blocks of a CMAC message of `length` bytes. */
export function messageBlocks(length: number): number {
  return length === 0 ? 1 : (length + 15) >> 4;
}

/**
 * Chains of one key, run side by side: call k of AES takes block k of every chain still active. Chains much longer
 * than the others run through CBC instead, one call each; the split is the one with the fewest calls.
 */
export class MacTasks {
  count = 0;
  readonly #at = new Int32Array(MAX_TASKS);
  readonly #blocks = new Int32Array(MAX_TASKS);
  readonly #slot = new Int32Array(MAX_TASKS);
  readonly #order = new Int32Array(MAX_TASKS);
  readonly #sortKeys = new Float64Array(MAX_TASKS);
  #uniform = true;

  /** Queues the chain over `blocks` (at least 1) blocks at word `at` of the message scratch; its state is at `slot`. */
  add(at: number, blocks: number, slot: number): void {
    const i = this.count++;
    this.#at[i] = at;
    this.#blocks[i] = blocks;
    this.#slot[i] = slot;
    if (i > 0 && blocks !== this.#blocks[0]) this.#uniform = false;
  }

  /** True when no further chain can be queued before {@link run}. */
  get full(): boolean {
    return this.count === MAX_TASKS;
  }

  /** Forgets what is queued. */
  reset(): void {
    this.count = 0;
    this.#uniform = true;
  }

  /** Runs all chains: the block at each slot of `states` is the start and becomes the result. Empties the queue. */
  run(key: ChainKey, states: Int32Array): void {
    const n = this.count;
    if (n === 0) return;
    this.#sortByLength(n);
    const blocks = this.#blocks;
    const order = this.#order;
    let single = 0;
    let calls = blocks[order[0] as number] as number;
    for (let t = 1; t <= n; t++) {
      const cost = t + (t === n ? 0 : (blocks[order[t] as number] as number));
      if (cost < calls) {
        calls = cost;
        single = t;
      }
    }
    for (let t = 0; t < single; t++) {
      const i = order[t] as number;
      key.chain(
        messages.words,
        messages.bytes,
        this.#at[i] as number,
        blocks[i] as number,
        states,
        this.#slot[i] as number,
      );
    }
    if (single < n) this.#lockStep(key, states, single, n);
    this.reset();
  }

  /** Fills the order of the chains, longest first. */
  #sortByLength(n: number): void {
    const order = this.#order;
    if (this.#uniform) {
      for (let i = 0; i < n; i++) order[i] = i;
      return;
    }
    const keys = this.#sortKeys;
    for (let i = 0; i < n; i++) keys[i] = (this.#blocks[i] as number) * MAX_TASKS + i;
    keys.subarray(0, n).sort();
    for (let i = 0; i < n; i++) order[n - 1 - i] = (keys[i] as number) % MAX_TASKS;
  }

  #lockStep(key: ChainKey, states: Int32Array, first: number, n: number): void {
    const order = this.#order;
    const ats = this.#at;
    const words = messages.words;
    let active = n - first;
    for (let j = 0; j < active; j++) {
      copyBlock(states, this.#slot[order[first + j] as number] as number, lanes, j * 4);
    }
    for (let round = 0; active > 0; round++) {
      const shift = round * 4;
      for (let j = 0, o = 0; j < active; j++, o += 4) {
        const w = (ats[order[first + j] as number] as number) + shift;
        lanes[o] = (lanes[o] as number) ^ (words[w] as number);
        lanes[o + 1] = (lanes[o + 1] as number) ^ (words[w + 1] as number);
        lanes[o + 2] = (lanes[o + 2] as number) ^ (words[w + 2] as number);
        lanes[o + 3] = (lanes[o + 3] as number) ^ (words[w + 3] as number);
      }
      key.encryptInPlace(laneBytes, active);
      while (active > 0) {
        const i = order[first + active - 1] as number;
        if (this.#blocks[i] !== round + 1) break;
        active--;
        copyBlock(lanes, active * 4, states, this.#slot[i] as number);
      }
    }
  }
}

/** The queue used by everything in this folder: each use fills and runs it without giving up control. */
export const tasks = new MacTasks();

/** AES-256-CMAC under one key. Spec: sp800-38b, rfc4493 */
export class CmacKey {
  readonly #key: ChainKey;

  private constructor(key: ChainKey) {
    this.#key = key;
  }

  /** @param key32 32 bytes; not kept, the caller zeroes it */
  static fromBytes(key32: Uint8Array): CmacKey {
    requireLength(key32, 32, 'CMAC key');
    return new CmacKey(new ChainKey(key32));
  }

  /** The tags (16 bytes each) of many messages. */
  macMany(inputs: readonly Uint8Array[]): Buffer[] {
    const states = new Int32Array(inputs.length * 4);
    cmacMany(this.#key, inputs, states);
    return inputs.map((_, i) => Buffer.from(states.buffer, i * 16, 16));
  }

  /** Ends the cipher objects of the key. */
  dispose(): void {
    this.#key.dispose();
  }
}

/** Writes the CMAC of input i to words 4i..4i+3 of `states`. */
export function cmacMany(key: ChainKey, inputs: readonly Uint8Array[], states: Int32Array): void {
  try {
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i] as Uint8Array;
      const blocks = messageBlocks(input.length);
      const at = messages.alloc(blocks);
      copyBytes(input, 0, input.length, messages.bytes, at * 4);
      finishMessage(key, at, input.length);
      states.fill(0, i * 4, i * 4 + 4);
      tasks.add(at, blocks, i * 4);
      if (tasks.full || messages.used > FLUSH_WORDS) {
        tasks.run(key, states);
        messages.clear();
      }
    }
    tasks.run(key, states);
  } finally {
    tasks.reset();
    messages.clear();
  }
}
