/** A bit string: bit 0 is the top bit of `bytes[0]`; bits after `bitLength` in the last byte are 0. */
export interface OrderBits {
  readonly bytes: Uint8Array;
  readonly bitLength: number;
}

/** Collects bits, first bit first, into a buffer that it owns and that grows. */
export class BitWriter {
  #bytes: Uint8Array;
  #bitLength = 0;

  /** `capacity` is a guess in bytes. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Appends the low `count` bits of `value`, top bit first; `count` is at most 24. */
  bits(value: number, count: number): void {
    const end = this.#bitLength + count;
    if (end > this.#bytes.length * 8) this.#grow(end);
    let index = this.#bitLength >> 3;
    let free = 8 - (this.#bitLength & 7);
    let left = count;
    while (left > 0) {
      const take = left < free ? left : free;
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      this.#bytes[index] = (this.#bytes[index] as number) | (part << (free - take));
      left -= take;
      free = 8;
      index += 1;
    }
    this.#bitLength = end;
  }

  /** Appends whole bytes, each XORed with `mask`. */
  bytes(values: Uint8Array, start: number, end: number, mask = 0): void {
    for (let i = start; i < end; i++) this.bits((values[i] as number) ^ mask, 8);
  }

  /** The bits so far; the array belongs to the caller, the writer must not be used again. */
  finish(): OrderBits {
    const bitLength = this.#bitLength;
    return { bytes: this.#bytes.subarray(0, (bitLength + 7) >> 3), bitLength };
  }

  #grow(bits: number): void {
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, ((bits + 7) >> 3) + 16));
    bigger.set(this.#bytes);
    this.#bytes = bigger;
  }
}

/** The bit 1 followed by the bytes, the first replaced by `head`, the others XORed with `mask`. */
export function fixedBits(bytes: Uint8Array, head: number, mask: number): OrderBits {
  const length = bytes.length;
  const out = new Uint8Array(length + 1);
  let previous = head;
  out[0] = 0x80 | (previous >> 1);
  for (let i = 1; i < length; i++) {
    const current = (bytes[i] as number) ^ mask;
    out[i] = ((previous & 1) << 7) | (current >> 1);
    previous = current;
  }
  out[length] = (previous & 1) << 7;
  return { bytes: out, bitLength: length * 8 + 1 };
}
