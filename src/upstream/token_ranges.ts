/** A part of the token ring of Murmur3Partitioner: `after` excluded, `upTo` included. */
export interface TokenRange {
  readonly after: bigint;
  readonly upTo: bigint;
}

/** No partition has it. */
const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 63n - 1n;

/** Cuts the whole ring into ranges of one width, lowest tokens first. Together they hold every token exactly once. */
export function tokenRanges(count: number): TokenRange[] {
  const width = (HIGHEST - LOWEST) / BigInt(count);
  return Array.from({ length: count }, (_, index) => ({
    after: LOWEST + width * BigInt(index),
    upTo: index === count - 1 ? HIGHEST : LOWEST + width * BigInt(index + 1),
  }));
}
