import { InternalError } from '../errors/index.ts';

// Blocks are handled as four 32-bit words in memory order. Doubling and counters need the big-endian value of a word,
// so the word order of the machine matters; every platform the proxy is built for is little endian.
if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
  throw new InternalError('the proxy runs on little-endian machines only');
}

/** Reverses the bytes of a 32-bit word. */
export function byteSwap(x: number): number {
  return (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}

/**
 * Doubles the block at word `from` of `source` in GF(2^128) and writes it to word `to` of `target` (may be the same).
 * Spec: rfc5297 2.3
 */
export function double(source: Int32Array, from: number, target: Int32Array, to: number): void {
  const a = byteSwap(source[from] as number);
  const b = byteSwap(source[from + 1] as number);
  const c = byteSwap(source[from + 2] as number);
  const d = byteSwap(source[from + 3] as number);
  // The carry out of the top bit becomes a mask: no branch on secret data.
  const reduce = -(a >>> 31) & 0x87;
  target[to] = byteSwap((a << 1) | (b >>> 31));
  target[to + 1] = byteSwap((b << 1) | (c >>> 31));
  target[to + 2] = byteSwap((c << 1) | (d >>> 31));
  target[to + 3] = byteSwap((d << 1) ^ reduce);
}

/** target ^= source, one block. */
export function xorBlock(source: Int32Array, from: number, target: Int32Array, to: number): void {
  target[to] = (target[to] as number) ^ (source[from] as number);
  target[to + 1] = (target[to + 1] as number) ^ (source[from + 1] as number);
  target[to + 2] = (target[to + 2] as number) ^ (source[from + 2] as number);
  target[to + 3] = (target[to + 3] as number) ^ (source[from + 3] as number);
}

/** target = source, one block. */
export function copyBlock(source: Int32Array, from: number, target: Int32Array, to: number): void {
  target[to] = source[from] as number;
  target[to + 1] = source[from + 1] as number;
  target[to + 2] = source[from + 2] as number;
  target[to + 3] = source[from + 3] as number;
}
