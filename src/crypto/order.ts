import type { BlockKey, ChainKey } from './aes_key.ts';
import { InternalError } from '../errors/index.ts';
import { copyBlock } from './gf128.ts';
import type { OrderBits } from './column_context.ts';
import type { OrderKeys } from './table_keys.ts';

/** Prefix bits in one AES block; the 16th byte is their number, FF for a whole chunk. Spec: format 5 */
const CHUNK_BITS = 120;
const MAX_BLOCKS = 4096;

const blocks = new Int32Array(MAX_BLOCKS * 4);
const blockBytes = Buffer.from(blocks.buffer);

/** One order part to compute. */
export interface OrderJob {
  /** Word of the states where T0 lies: the CMAC of column and partition key under Kbind. */
  readonly start: number;
  readonly bits: OrderBits;
  /** Where O goes: bitLength + 1 bytes from `at` on. */
  readonly target: Uint8Array;
  readonly at: number;
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

/** Computes the order parts of all jobs. Spec: format 5 */
export function orderMany(keys: OrderKeys, jobs: readonly OrderJob[], states: Int32Array): void {
  const chunkStart = new Int32Array(jobs.length);
  let chunks = 0;
  for (let i = 0; i < jobs.length; i++) {
    chunkStart[i] = chunks;
    chunks += chunkCount(jobs[i] as OrderJob);
  }
  const prefixes = new Int32Array(chunks * 4);
  for (let i = 0; i < jobs.length; i++) {
    copyBlock(states, (jobs[i] as OrderJob).start, prefixes, (chunkStart[i] as number) * 4);
  }
  if (chunks > jobs.length) chainPrefixes(keys.chain, jobs, chunkStart, prefixes);
  noise(keys.final, jobs, chunkStart, prefixes);
  prefixes.fill(0);
  for (let i = 0; i < jobs.length; i++) {
    const job = jobs[i] as OrderJob;
    addBits(job.target, job.at, job.bits);
  }
}

function chunkCount(job: OrderJob): number {
  return Math.ceil(job.bits.bitLength / CHUNK_BITS);
}

/** Writes the 15 bytes of chunk `c` and FF as one block. */
function wholeChunk(job: OrderJob, c: number, target: Buffer, at: number): void {
  const from = c * (CHUNK_BITS / 8);
  for (let k = 0; k < 15; k++) target[at + k] = job.bits.bytes[from + k] as number;
  target[at + 15] = 0xff;
}

/** T(c+1) = AES(Kchain, T(c) ^ (chunk c ‖ FF)): by rounds over all jobs, or by one CBC call a job, whichever is fewer calls. */
function chainPrefixes(
  key: ChainKey,
  jobs: readonly OrderJob[],
  chunkStart: Int32Array,
  prefixes: Int32Array,
): void {
  let rounds = 0;
  let longer = 0;
  for (const job of jobs) {
    const links = chunkCount(job) - 1;
    if (links > 0) longer++;
    rounds = Math.max(rounds, links);
  }
  if (longer < rounds) chainByValue(key, jobs, chunkStart, prefixes);
  else chainByRound(key, jobs, chunkStart, prefixes, rounds);
}

function chainByValue(
  key: ChainKey,
  jobs: readonly OrderJob[],
  chunkStart: Int32Array,
  prefixes: Int32Array,
): void {
  const state = new Int32Array(4);
  for (let i = 0; i < jobs.length; i++) {
    const job = jobs[i] as OrderJob;
    const links = chunkCount(job) - 1;
    if (links === 0) continue;
    const words = new Int32Array(links * 4);
    const bytes = Buffer.from(words.buffer);
    for (let c = 0; c < links; c++) wholeChunk(job, c, bytes, c * 16);
    const first = (chunkStart[i] as number) * 4;
    copyBlock(prefixes, first, state, 0);
    key.chain(
      words,
      bytes,
      0,
      links,
      state,
      0,
      prefixes.subarray(first + 4, first + 4 + links * 4),
    );
    words.fill(0);
  }
  state.fill(0);
}

function chainByRound(
  key: ChainKey,
  jobs: readonly OrderJob[],
  chunkStart: Int32Array,
  prefixes: Int32Array,
  rounds: number,
): void {
  for (let c = 0; c < rounds; c++) {
    for (let i = 0; i < jobs.length;) {
      const first = i;
      let used = 0;
      for (; i < jobs.length && used < MAX_BLOCKS; i++) {
        const job = jobs[i] as OrderJob;
        if (chunkCount(job) - 1 <= c) continue;
        wholeChunk(job, c, blockBytes, used * 16);
        const from = ((chunkStart[i] as number) + c) * 4;
        for (let k = 0; k < 4; k++) {
          blocks[used * 4 + k] = (blocks[used * 4 + k] as number) ^ (prefixes[from + k] as number);
        }
        used++;
      }
      if (used === 0) break;
      key.encryptInPlace(blockBytes, used);
      for (let j = first, o = 0; j < i; j++) {
        if (chunkCount(jobs[j] as OrderJob) - 1 <= c) continue;
        copyBlock(blocks, o * 4, prefixes, ((chunkStart[j] as number) + c + 1) * 4);
        o++;
      }
    }
  }
  blocks.fill(0);
}

/** p_i, the first byte of AES(Kfinal, T(c) ^ (r bits before b_i ‖ r)), into byte i of every target. */
function noise(
  key: BlockKey,
  jobs: readonly OrderJob[],
  chunkStart: Int32Array,
  prefixes: Int32Array,
): void {
  let job = 0;
  let bit = 0;
  let most = 0;
  while (job < jobs.length) {
    const firstJob = job;
    const firstBit = bit;
    let used = 0;
    while (job < jobs.length && used < MAX_BLOCKS) {
      const current = jobs[job] as OrderJob;
      const n = current.bits.bitLength;
      const inChunk = bit % CHUNK_BITS;
      const take = Math.min(n - bit, CHUNK_BITS - inChunk, MAX_BLOCKS - used);
      const prefix = ((chunkStart[job] as number) + (bit - inChunk) / CHUNK_BITS) * 4;
      prefixBlocks(current.bits.bytes, bit - inChunk, inChunk, take, prefixes, prefix, used * 4);
      used += take;
      bit += take;
      if (bit === n) {
        job++;
        bit = 0;
      }
    }
    key.encryptInPlace(blockBytes, used);
    most = Math.max(most, used);
    for (let j = firstJob, b = firstBit, o = 0; o < used; j++, b = 0) {
      const { bits, target, at } = jobs[j] as OrderJob;
      const end = Math.min(bits.bitLength, b + used - o);
      for (; b < end; b++, o++) target[at + 1 + b] = (blocks[o * 4] as number) & 0xff;
    }
  }
  blocks.fill(0, 0, most * 4);
}

/** Writes the blocks of bits `first`..`first + count - 1` of the chunk that starts at bit `chunk`. */
function prefixBlocks(
  bits: Uint8Array,
  chunk: number,
  first: number,
  count: number,
  prefixes: Int32Array,
  prefix: number,
  to: number,
): void {
  let a = prefixes[prefix] as number;
  let b = prefixes[prefix + 1] as number;
  let c = prefixes[prefix + 2] as number;
  const d = prefixes[prefix + 3] as number;
  let e = 0;
  const end = first + count;
  const byte0 = chunk >> 3;
  for (let r = 0, o = to; r < end; r++) {
    if (r >= first) {
      blocks[o] = a;
      blocks[o + 1] = b;
      blocks[o + 2] = c;
      blocks[o + 3] = d ^ e ^ (r << 24);
      o += 4;
    }
    // Bit r joins the prefix: its place depends on r only.
    const bit = ((bits[byte0 + (r >> 3)] as number) >> (7 - (r & 7))) & 1;
    const flag = bit << ((((r >> 3) & 3) << 3) + (7 - (r & 7)));
    if (r < 32) a ^= flag;
    else if (r < 64) b ^= flag;
    else if (r < 96) c ^= flag;
    else e ^= flag;
  }
}

/**
 * Turns the noise bytes p_1..p_n at `target[at + 1]`.. into the digits p_i + 2·b_i with carries to the left; the last
 * carry becomes `target[at]`. The gap of 2 exceeds the largest tail, 257/255, so order is exact whatever the noise.
 * Spec: format 5
 */
export function addBits(target: Uint8Array, at: number, bits: OrderBits): void {
  let carry = 0;
  for (let i = bits.bitLength; i >= 1; i--) {
    const bit = ((bits.bytes[(i - 1) >> 3] as number) >> (7 - ((i - 1) & 7))) & 1;
    const t = (target[at + i] as number) + 2 * bit + carry;
    target[at + i] = t & 0xff;
    carry = t >> 8;
  }
  target[at] = carry;
}
