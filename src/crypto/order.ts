import type { BlockKey, ChainKey } from './aes_key.ts';
import { InternalError } from '../errors/index.ts';
import { copyBlock } from './gf128.ts';
import type { OrderBits } from './column_context.ts';
import { Ints } from './ints.ts';
import type { OrderKeys } from './table_keys.ts';
import { copyBytes, loadWord } from './word_copy.ts';

/** Prefix bits in one AES block; the 16th byte is their number, FF for a whole chunk. Spec: format 5 */
const CHUNK_BITS = 120;
const CHUNK_BYTES = CHUNK_BITS / 8;
const MAX_BLOCKS = 4096;

const blocks = new Int32Array(MAX_BLOCKS * 4);
const blockBytes = Buffer.from(blocks.buffer);

/** Word with the first `r` bits (of 32, in the order of the bytes in memory) set, at index r. */
const FIRST_BITS = Int32Array.from({ length: 32 }, (_, r) => {
  const mask = r === 0 ? 0 : -1 << (32 - r);
  return Buffer.from(Int32Array.of(mask).buffer).swap32().readInt32LE();
});

const JOB = { start: 0, bitsAt: 1, bitLength: 2, at: 3, shared: 4, chunk: 5, size: 6 } as const;
/** Bytes after the last bits, so that a chunk can be read whole. */
const SLACK = 16;

/**
 * Order parts to compute: bits of one value after the other, and for each value where its start T0 and its result lie.
 * The bits are secret: {@link clear} zeroes them.
 */
export class OrderJobs {
  readonly records = new Ints();
  bits = new Uint8Array(128);
  #used = 0;

  get count(): number {
    return this.records.length / JOB.size;
  }

  /**
   * Adds a value.
   *
   * @param start word of the states where T0 lies: the CMAC of column and partition key under Kbind
   * @param at where O goes in the target: bitLength + 1 bytes
   * @param shared how many first bits are said to be those of the value before, which has the same T0: noise that depends
   *   on these alone is not computed again
   * @returns false when these bits differ; then nothing may be computed
   */
  add(start: number, bits: OrderBits, at: number, shared = 0): boolean {
    const length = bits.bytes.length;
    if (this.#used + length + SLACK > this.bits.length) this.#grow(length);
    copyBytes(bits.bytes, 0, length, this.bits, this.#used);
    const { records } = this;
    records.push(start);
    records.push(this.#used);
    records.push(bits.bitLength);
    records.push(at);
    records.push(shared);
    records.push(0);
    const from = this.#used;
    this.#used += length;
    return shared === 0 || this.#hasSameBits(from, shared);
  }

  /** Zeroes the bits and forgets all values. */
  clear(): void {
    this.bits.fill(0, 0, this.#used);
    this.#used = 0;
    this.records.length = 0;
  }

  /** {@link clear}, for the last time. */
  release(): void {
    this.clear();
    this.records.release();
  }

  /** Whether the last value and the one before begin with the same `count` bits. */
  #hasSameBits(from: number, count: number): boolean {
    const { bits, records } = this;
    const before = records.at(records.length - 2 * JOB.size + JOB.bitsAt);
    const whole = count >> 3;
    let difference = 0;
    for (let i = 0; i < whole; i++) {
      difference |= (bits[before + i] as number) ^ (bits[from + i] as number);
    }
    const last = (bits[before + whole] as number) ^ (bits[from + whole] as number);
    return (difference | (last & (0xff00 >> (count & 7)) & 0xff)) === 0;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(this.bits.length * 2, this.#used + length + SLACK));
    larger.set(this.bits.subarray(0, this.#used));
    this.bits.fill(0);
    this.bits = larger;
  }
}

/** Length of the order part in bytes. */
export function orderLength(bits: OrderBits): number {
  return bits.bitLength + 1;
}

/** Refuses bits that are not there or not used: a defect of the encoder would silently break the order. */
export function checkOrderBits(bits: OrderBits): void {
  if (bits.bitLength < 1 || bits.bytes.length !== (bits.bitLength + 7) >> 3) {
    throw new InternalError('order encoding with a wrong number of bits');
  }
}

/** Computes the order parts of all jobs into `target`. Spec: format 5 */
export function orderMany(
  keys: OrderKeys,
  jobs: OrderJobs,
  states: Int32Array,
  target: Uint8Array,
): void {
  const records = jobs.records.data;
  const end = jobs.records.length;
  let chunks = 0;
  for (let j = 0; j < end; j += JOB.size) {
    records[j + JOB.chunk] = chunks;
    chunks += chunkCount(records[j + JOB.bitLength] as number);
  }
  const prefixes = new Int32Array(chunks * 4);
  for (let j = 0; j < end; j += JOB.size) {
    const first = (records[j + JOB.chunk] as number) * 4;
    copyBlock(states, records[j + JOB.start] as number, prefixes, first);
  }
  if (chunks > jobs.count) chainPrefixes(keys.chain, jobs, prefixes);
  noise(keys.final, jobs, prefixes, target);
  prefixes.fill(0);
  for (let j = 0; j < end; j += JOB.size) {
    addDigits(
      target,
      records[j + JOB.at] as number,
      jobs.bits,
      records[j + JOB.bitsAt] as number,
      records[j + JOB.bitLength] as number,
    );
  }
}

function chunkCount(bitLength: number): number {
  return Math.ceil(bitLength / CHUNK_BITS);
}

/** Writes the 15 bytes of the chunk at `from` and FF as one block. */
function wholeChunk(bits: Uint8Array, from: number, target: Buffer, at: number): void {
  for (let k = 0; k < CHUNK_BYTES; k++) target[at + k] = bits[from + k] as number;
  target[at + CHUNK_BYTES] = 0xff;
}

/** T(c+1) = AES(Kchain, T(c) ^ (chunk c ‖ FF)): by rounds over all jobs, or by one CBC call a job, whichever is fewer calls. */
function chainPrefixes(key: ChainKey, jobs: OrderJobs, prefixes: Int32Array): void {
  const { data, length } = jobs.records;
  let rounds = 0;
  let longer = 0;
  for (let j = 0; j < length; j += JOB.size) {
    const links = chunkCount(data[j + JOB.bitLength] as number) - 1;
    if (links > 0) longer++;
    rounds = Math.max(rounds, links);
  }
  if (longer < rounds) chainByValue(key, jobs, prefixes);
  else chainByRound(key, jobs, prefixes, rounds);
}

function chainByValue(key: ChainKey, jobs: OrderJobs, prefixes: Int32Array): void {
  const { data, length } = jobs.records;
  const state = new Int32Array(4);
  for (let j = 0; j < length; j += JOB.size) {
    const links = chunkCount(data[j + JOB.bitLength] as number) - 1;
    if (links === 0) continue;
    const words = new Int32Array(links * 4);
    const bytes = Buffer.from(words.buffer);
    const from = data[j + JOB.bitsAt] as number;
    for (let c = 0; c < links; c++) wholeChunk(jobs.bits, from + c * CHUNK_BYTES, bytes, c * 16);
    const first = (data[j + JOB.chunk] as number) * 4;
    copyBlock(prefixes, first, state, 0);
    const outputs = prefixes.subarray(first + 4, first + 4 + links * 4);
    key.chain(words, bytes, 0, links, state, 0, outputs);
    words.fill(0);
  }
  state.fill(0);
}

function chainByRound(key: ChainKey, jobs: OrderJobs, prefixes: Int32Array, rounds: number): void {
  const { data, length } = jobs.records;
  for (let c = 0; c < rounds; c++) {
    for (let j = 0; j < length;) {
      const first = j;
      let used = 0;
      for (; j < length && used < MAX_BLOCKS; j += JOB.size) {
        if (chunkCount(data[j + JOB.bitLength] as number) - 1 <= c) continue;
        const from = (data[j + JOB.bitsAt] as number) + c * CHUNK_BYTES;
        wholeChunk(jobs.bits, from, blockBytes, used * 16);
        const prefix = ((data[j + JOB.chunk] as number) + c) * 4;
        for (let k = 0; k < 4; k++) {
          blocks[used * 4 + k] =
            (blocks[used * 4 + k] as number) ^ (prefixes[prefix + k] as number);
        }
        used++;
      }
      if (used === 0) break;
      const links = key.encrypt(blockBytes, used);
      for (let i = first, o = 0; i < j; i += JOB.size) {
        if (chunkCount(data[i + JOB.bitLength] as number) - 1 <= c) continue;
        copyBlock(links, o, prefixes, ((data[i + JOB.chunk] as number) + c + 1) * 4);
        o += 4;
      }
    }
  }
  blocks.fill(0);
}

/** p_i, the first byte of AES(Kfinal, T(c) ^ (r bits before b_i ‖ r)), into byte i of every result. */
function noise(key: BlockKey, jobs: OrderJobs, prefixes: Int32Array, target: Uint8Array): void {
  const { data, length } = jobs.records;
  let job = 0;
  let bit = 0;
  let most = 0;
  while (job < length) {
    const firstJob = job;
    const firstBit = bit;
    let used = 0;
    while (job < length && used < MAX_BLOCKS) {
      const n = data[job + JOB.bitLength] as number;
      if (bit < n) {
        const r = bit % CHUNK_BITS;
        const take = Math.min(n - bit, CHUNK_BITS - r, MAX_BLOCKS - used);
        const chunk = (bit - r) / CHUNK_BITS;
        const bits = (data[job + JOB.bitsAt] as number) + chunk * CHUNK_BYTES;
        const prefix = ((data[job + JOB.chunk] as number) + chunk) * 4;
        prefixBlocks(jobs.bits, bits, r, r + take, prefixes, prefix, used * 4);
        used += take;
        bit += take;
      }
      if (bit === n) {
        job += JOB.size;
        bit = job < length ? (data[job + JOB.shared] as number) : 0;
      }
    }
    const digits = key.encrypt(blockBytes, used);
    most = Math.max(most, used);
    for (let j = firstJob, o = 0; j <= job && j < length; j += JOB.size) {
      const to = (data[j + JOB.at] as number) + 1;
      const shared = data[j + JOB.shared] as number;
      let b = j === firstJob ? firstBit : shared;
      if (b === shared && shared > 0) {
        const before = (data[j - JOB.size + JOB.at] as number) + 1;
        target.copyWithin(to, before, before + shared);
      }
      const end = j === job ? bit : (data[j + JOB.bitLength] as number);
      for (; b < end; b++, o += 4) target[to + b] = digits[o] as number;
    }
  }
  blocks.fill(0, 0, most * 4);
}

/**
 * Writes the blocks of bits `first`..`end - 1` of the chunk whose bits begin at byte `at`. Which bits a block holds
 * depends on its place only.
 */
function prefixBlocks(
  bits: Uint8Array,
  at: number,
  first: number,
  end: number,
  prefixes: Int32Array,
  prefix: number,
  to: number,
): void {
  let a = prefixes[prefix] as number;
  let b = prefixes[prefix + 1] as number;
  let c = prefixes[prefix + 2] as number;
  const d = prefixes[prefix + 3] as number;
  let r = first;
  let o = to;
  let word = loadWord(bits, at);
  for (; r < end && r < 32; r++, o += 4) {
    blocks[o] = a ^ (word & (FIRST_BITS[r] as number));
    blocks[o + 1] = b;
    blocks[o + 2] = c;
    blocks[o + 3] = d ^ (r << 24);
  }
  if (r === end) return;
  a ^= word;
  word = loadWord(bits, at + 4);
  for (; r < end && r < 64; r++, o += 4) {
    blocks[o] = a;
    blocks[o + 1] = b ^ (word & (FIRST_BITS[r - 32] as number));
    blocks[o + 2] = c;
    blocks[o + 3] = d ^ (r << 24);
  }
  if (r === end) return;
  b ^= word;
  word = loadWord(bits, at + 8);
  for (; r < end && r < 96; r++, o += 4) {
    blocks[o] = a;
    blocks[o + 1] = b;
    blocks[o + 2] = c ^ (word & (FIRST_BITS[r - 64] as number));
    blocks[o + 3] = d ^ (r << 24);
  }
  if (r === end) return;
  c ^= word;
  word = loadWord(bits, at + 12);
  for (; r < end; r++, o += 4) {
    blocks[o] = a;
    blocks[o + 1] = b;
    blocks[o + 2] = c;
    blocks[o + 3] = d ^ (word & (FIRST_BITS[r - 96] as number)) ^ (r << 24);
  }
}

/**
 * Turns the noise bytes p_1..p_n at `target[at + 1]`.. into the digits p_i + 2·b_i with carries to the left; the last
 * carry becomes `target[at]`. The gap of 2 exceeds the largest tail, 257/255, so order is exact whatever the noise.
 * Spec: format 5
 */
export function addBits(target: Uint8Array, at: number, bits: OrderBits): void {
  addDigits(target, at, bits.bytes, 0, bits.bitLength);
}

function addDigits(
  target: Uint8Array,
  at: number,
  bits: Uint8Array,
  bitsAt: number,
  bitLength: number,
): void {
  let carry = 0;
  for (let i = bitLength; i >= 1; i--) {
    const bit = ((bits[bitsAt + ((i - 1) >> 3)] as number) >> (7 - ((i - 1) & 7))) & 1;
    const t = (target[at + i] as number) + 2 * bit + carry;
    target[at + i] = t;
    carry = t >> 8;
  }
  target[at] = carry;
}
