import type { BlockKey } from './aes_key.ts';
import { finishMessage, messageBlocks, tasks } from './cmac.ts';
import { byteSwap, copyBlock, double, xorBlock } from './gf128.ts';
import { FLUSH_WORDS, messages } from './scratch.ts';
import type { SivKey } from './siv_key.ts';
import { copyBytes } from './word_copy.ts';

/** Most values in one pass. */
const MAX_JOBS = 512;
/** Counter blocks in one AES call. */
const MAX_COUNTERS = 4096;

const counters = new Int32Array(MAX_COUNTERS * 4);
const counterBytes = Buffer.from(counters.buffer);

/** Result bytes of a batch, word aligned. */
export interface Output {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

/** A zeroed output of at least `length` bytes. */
export function newOutput(length: number): Output {
  const buffer = new ArrayBuffer((length + 3) & ~3);
  return { bytes: Buffer.from(buffer), words: new Int32Array(buffer) };
}

/** Length of a plain text of `length` bytes with ISO 7816-4 padding to 16 bytes. */
export function paddedLength(length: number): number {
  return (length & ~15) + 16;
}

/**
 * One pass of AES-SIV over up to 512 values of one key. The S2V state before the plain text (`prefix`) comes from the
 * caller, who knows the associated data. Spec: rfc5297 2.4 to 2.7
 */
export class SivChunk {
  count = 0;
  /** S2V state D of value i at word 4i, set by the caller between {@link add} and {@link seal} or {@link open}. */
  readonly prefix = new Int32Array(MAX_JOBS * 4);
  readonly #prefixBytes = Buffer.from(this.prefix.buffer);
  readonly #tags = new Int32Array(MAX_JOBS * 4);
  readonly #computed = new Int32Array(MAX_JOBS * 4);
  readonly #source: (Uint8Array | undefined)[] = [];
  readonly #view: (DataView | undefined)[] = [];
  readonly #from = new Int32Array(MAX_JOBS);
  readonly #copied = new Int32Array(MAX_JOBS);
  readonly #length = new Int32Array(MAX_JOBS);
  readonly #target = new Int32Array(MAX_JOBS);
  /** Word of the message scratch where the last CMAC of S2V reads the text. */
  readonly #message = new Int32Array(MAX_JOBS);
  #words = 0;

  /** True when the values must be processed before more are added. */
  get full(): boolean {
    return this.count === MAX_JOBS || this.#words > FLUSH_WORDS;
  }

  /**
   * Adds `length` bytes of plain text in `source` at `from`. `target` is the word of the output where tag and cipher text
   * go.
   */
  addPlain(
    source: Uint8Array,
    from: number,
    length: number,
    padded: boolean,
    target: number,
  ): void {
    const i = this.count++;
    this.#source[i] = source;
    this.#from[i] = from;
    this.#copied[i] = length;
    this.#length[i] = padded ? paddedLength(length) : length;
    this.#target[i] = target;
    this.#words += (length >> 2) + 8;
  }

  /**
   * Adds the tag and `length` bytes of cipher text in `source` at `from`. `target` is the word of the output where the
   * plain text goes.
   */
  addSealed(source: DataView, from: number, length: number, target: number): void {
    const i = this.count++;
    this.#view[i] = source;
    this.#from[i] = from;
    this.#length[i] = length;
    this.#target[i] = target;
    this.#words += (length >> 2) + 8;
  }

  /** Drops all values and clears what was computed. */
  reset(): void {
    this.prefix.fill(0, 0, this.count * 4);
    this.#computed.fill(0, 0, this.count * 4);
    this.#tags.fill(0, 0, this.count * 4);
    for (let i = 0; i < this.count; i++) {
      this.#source[i] = undefined;
      this.#view[i] = undefined;
    }
    this.count = 0;
    this.#words = 0;
    tasks.reset();
    messages.clear();
  }

  /** Encrypts all values: tag and cipher text to their targets. */
  seal(key: SivKey, out: Output): void {
    const n = this.count;
    for (let i = 0; i < n; i++) {
      const copied = this.#copied[i] as number;
      const total = this.#length[i] as number;
      const to = ((this.#target[i] as number) + 4) * 4;
      copyBytes(this.#source[i] as Uint8Array, this.#from[i] as number, copied, out.bytes, to);
      if (total > copied) out.bytes[to + copied] = 0x80;
      this.#copyMessage(i, out.words, to >> 2);
      this.#queueS2v(key, i);
      this.#target[i] = to >> 2;
    }
    tasks.run(key.mac, this.#computed);
    for (let i = 0; i < n; i++) {
      copyBlock(this.#computed, i * 4, out.words, (this.#target[i] as number) - 4);
    }
    this.#applyCounters(key.ctr, this.#computed, out.words, false);
  }

  /**
   * Decrypts all values to their targets and checks every tag.
   *
   * @returns -1, or the index of the first value whose tag is wrong; then no plain text may be used
   */
  open(key: SivKey, out: Output): number {
    const n = this.count;
    const tags = this.#tags;
    for (let i = 0; i < n; i++) {
      const source = this.#view[i] as DataView;
      const from = this.#from[i] as number;
      const tag = i * 4;
      tags[tag] = source.getInt32(from, true);
      tags[tag + 1] = source.getInt32(from + 4, true);
      tags[tag + 2] = source.getInt32(from + 8, true);
      tags[tag + 3] = source.getInt32(from + 12, true);
      this.#message[i] = messages.alloc(messageBlocks(this.#length[i] as number));
    }
    this.#applyCounters(key.ctr, tags, out.words, true);
    for (let i = 0; i < n; i++) this.#queueS2v(key, i);
    tasks.run(key.mac, this.#computed);
    const computed = this.#computed;
    let failed = -1;
    for (let i = n - 1; i >= 0; i--) {
      const tag = i * 4;
      const difference =
        ((tags[tag] as number) ^ (computed[tag] as number)) |
        ((tags[tag + 1] as number) ^ (computed[tag + 1] as number)) |
        ((tags[tag + 2] as number) ^ (computed[tag + 2] as number)) |
        ((tags[tag + 3] as number) ^ (computed[tag + 3] as number));
      if (difference !== 0) failed = i;
    }
    return failed;
  }

  /** Copies the plain text at word `from` of `words`, whose slack bytes are zero, to the messages. */
  #copyMessage(i: number, words: Int32Array, from: number): void {
    const length = this.#length[i] as number;
    const at = messages.alloc(messageBlocks(length));
    const target = messages.words;
    const count = (length + 3) >> 2;
    if (count > 64) target.set(words.subarray(from, from + count), at);
    else for (let k = 0; k < count; k++) target[at + k] = words[from + k] as number;
    this.#message[i] = at;
  }

  /** Queues the last CMAC of S2V over the plain text in the messages. */
  #queueS2v(key: SivKey, i: number): void {
    const length = this.#length[i] as number;
    const at = this.#message[i] as number;
    const target = messages.words;
    if (length < 16) {
      // T = dbl(D) xor pad(Sn): one whole block.
      messages.bytes[at * 4 + length] = 0x80;
      double(this.prefix, i * 4, this.prefix, i * 4);
      xorBlock(this.prefix, i * 4, target, at);
      finishMessage(key.mac, at, 16);
      tasks.add(at, 1, i * 4);
      return;
    }
    if ((length & 3) === 0) {
      xorBlock(this.prefix, i * 4, target, at + (length >> 2) - 4);
    } else {
      const bytes = messages.bytes;
      for (let k = 0, to = at * 4 + length - 16; k < 16; k++) {
        bytes[to + k] = (bytes[to + k] as number) ^ (this.#prefixBytes[i * 16 + k] as number);
      }
    }
    finishMessage(key.mac, at, length);
    tasks.add(at, messageBlocks(length), i * 4);
  }

  /**
   * XORs the key streams that start at `tags` into the texts of the output; with `fromSource` the texts are those of the
   * sources, and go to the messages too. Spec: rfc5297 2.5
   */
  #applyCounters(key: BlockKey, tags: Int32Array, words: Int32Array, fromSource: boolean): void {
    const n = this.count;
    let job = 0;
    let block = 0;
    while (job < n) {
      const firstJob = job;
      const firstBlock = block;
      let used = 0;
      while (job < n && used < MAX_COUNTERS) {
        const blocks = ((this.#length[job] as number) + 15) >> 4;
        const take = Math.min(blocks - block, MAX_COUNTERS - used);
        const tag = job * 4;
        // Bits 31 and 63 are cleared, so the low word never overflows while a value has fewer than 2^31 blocks.
        const low = byteSwap(tags[tag + 3] as number) & 0x7fffffff;
        for (let k = 0, o = used * 4; k < take; k++, o += 4) {
          counters[o] = tags[tag] as number;
          counters[o + 1] = tags[tag + 1] as number;
          counters[o + 2] = (tags[tag + 2] as number) & ~0x80;
          counters[o + 3] = byteSwap(low + block + k);
        }
        used += take;
        block += take;
        if (block === blocks) {
          job++;
          block = 0;
        }
      }
      if (used === 0) break;
      const stream = key.encrypt(counterBytes, used);
      if (fromSource) this.#openStream(firstJob, firstBlock, used, stream, words);
      else this.#applyStream(firstJob, firstBlock, used, stream, words);
      stream.fill(0, 0, used * 4);
      counters.fill(0, 0, used * 4);
    }
  }

  #applyStream(
    firstJob: number,
    firstBlock: number,
    blocks: number,
    stream: Int32Array,
    words: Int32Array,
  ): void {
    let done = 0;
    for (let job = firstJob, block = firstBlock; done < blocks; job++, block = 0) {
      const length = this.#length[job] as number;
      const take = Math.min(((length + 15) >> 4) - block, blocks - done);
      const from = (this.#target[job] as number) + block * 4;
      const count = Math.min(take * 4, ((length + 3) >> 2) - block * 4);
      for (let k = 0, o = done * 4; k < count; k++, o++) {
        words[from + k] = (words[from + k] as number) ^ (stream[o] as number);
      }
      // Key stream beyond the end of the text is removed again.
      if ((length & 3) !== 0 && block * 4 + count === (length + 3) >> 2) {
        words[from + count - 1] =
          (words[from + count - 1] as number) & ((1 << ((length & 3) * 8)) - 1);
      }
      done += take;
    }
  }

  #openStream(
    firstJob: number,
    firstBlock: number,
    blocks: number,
    stream: Int32Array,
    words: Int32Array,
  ): void {
    const texts = messages.words;
    let done = 0;
    for (let job = firstJob, block = firstBlock; done < blocks; job++, block = 0) {
      const source = this.#view[job] as DataView;
      const length = this.#length[job] as number;
      const take = Math.min(((length + 15) >> 4) - block, blocks - done);
      const skipped = block * 4;
      const count = Math.min(take * 4, (length >> 2) - skipped);
      const to = (this.#target[job] as number) + skipped;
      const message = (this.#message[job] as number) + skipped;
      let from = (this.#from[job] as number) + 16 + skipped * 4;
      let o = done * 4;
      for (let k = 0; k < count; k++, o++, from += 4) {
        const word = source.getInt32(from, true) ^ (stream[o] as number);
        words[to + k] = word;
        texts[message + k] = word;
      }
      // The bytes after the last whole word; key stream beyond the end of the text is left out.
      const rest = length & 3;
      if (rest !== 0 && count < take * 4) {
        let word = 0;
        for (let k = 0; k < rest; k++) word |= source.getUint8(from + k) << (k * 8);
        word ^= (stream[o] as number) & ((1 << (rest * 8)) - 1);
        words[to + count] = word;
        texts[message + count] = word;
      }
      done += take;
    }
  }
}

/** The pass used by everything in this folder: each use fills, runs and resets it without giving up control. */
export const chunk = new SivChunk();
