/** Random bytes and time for {@link TimeuuidGenerator}. */
export interface TimeuuidSources {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Cryptographically random bytes. */
  randomBytes(count: number): Uint8Array;
}

/** 100-nanosecond intervals between 1582-10-15 and 1970-01-01. */
const EPOCH_OFFSET = 0x01b21dd213814000n;

/** A version 1 UUID of a time in 100-nanosecond intervals since 1582-10-15 and the 8 bytes of clock sequence and node. */
function makeTimeuuid(intervals: bigint, clockSequenceAndNode: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  const time = BigInt.asUintN(64, intervals);
  view.setUint32(0, Number(time & 0xffffffffn));
  view.setUint16(4, Number((time >> 32n) & 0xffffn));
  view.setUint16(6, Number((time >> 48n) & 0xffffn) | 0x1000);
  out.set(clockSequenceAndNode, 8);
  return out;
}

/** The smallest timeuuid of a millisecond. Spec: org.apache.cassandra.utils.TimeUUID.minAtUnixMillis. */
export function minTimeuuid(unixMs: bigint): Uint8Array {
  return makeTimeuuid(unixMs * 10_000n + EPOCH_OFFSET, new Uint8Array(8).fill(0x80));
}

/** The largest timeuuid of a millisecond. Spec: org.apache.cassandra.utils.TimeUUID.maxAtUnixMillis. */
export function maxTimeuuid(unixMs: bigint): Uint8Array {
  return makeTimeuuid((unixMs + 1n) * 10_000n + EPOCH_OFFSET - 1n, new Uint8Array(8).fill(0x7f));
}

/** The time of a version 1 UUID in milliseconds since the Unix epoch, rounded as Cassandra does (towards zero). */
export function timeuuidToUnixMs(uuid: Uint8Array): bigint {
  const view = new DataView(uuid.buffer, uuid.byteOffset, 16);
  const intervals =
    (BigInt(view.getUint16(6) & 0x0fff) << 48n) |
    (BigInt(view.getUint16(4)) << 32n) |
    BigInt(view.getUint32(0));
  return (intervals / 10n - EPOCH_OFFSET / 10n) / 1000n;
}

/**
 * Makes timeuuids that only rise, one microsecond apart at least, with a clock sequence and node that are random per
 * generator. One generator serves a process.
 */
export class TimeuuidGenerator {
  readonly #sources: TimeuuidSources;
  readonly #clockSequenceAndNode: Uint8Array;
  #lastMicros = 0n;

  constructor(sources: TimeuuidSources) {
    this.#sources = sources;
    const bits = Uint8Array.from(sources.randomBytes(8));
    // RFC 9562: variant 10; the multicast bit of the node says that it is random.
    bits[0] = 0x80 | ((bits[0] as number) & 0x3f);
    bits[2] = (bits[2] as number) | 0x01;
    this.#clockSequenceAndNode = bits;
  }

  /** The next timeuuid; the array belongs to the caller. */
  next(): Uint8Array {
    const now = BigInt(Math.trunc(this.#sources.nowMs())) * 1000n;
    this.#lastMicros = now > this.#lastMicros ? now : this.#lastMicros + 1n;
    return makeTimeuuid(this.#lastMicros * 10n + EPOCH_OFFSET, this.#clockSequenceAndNode);
  }
}
