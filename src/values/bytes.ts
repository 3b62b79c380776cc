/** A big-endian signed 32-bit integer at `offset`; the caller has checked that 4 bytes are there. */
export function readInt32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 24) |
    ((bytes[offset + 1] as number) << 16) |
    ((bytes[offset + 2] as number) << 8) |
    (bytes[offset + 3] as number)
  );
}

/** Writes a big-endian 32-bit integer at `offset` and returns the offset after it. */
export function writeInt32(bytes: Uint8Array, offset: number, value: number): number {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
  return offset + 4;
}

/** A big-endian signed integer of the whole array (two's complement); an empty array is 0. */
export function readBigInt(bytes: Uint8Array): bigint {
  if (bytes.length === 8) {
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0);
  }
  if (bytes.length === 0) return 0n;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

/** The shortest two's complement, big-endian form: what Java's `BigInteger.toByteArray` gives. */
export function writeBigInt(value: bigint): Uint8Array {
  const magnitude = value < 0n ? ~value : value;
  const hexDigits = magnitude.toString(16);
  let length = (hexDigits.length + 1) >> 1;
  const topDigit = parseInt(hexDigits.charAt(0), 16);
  if ((hexDigits.length & 1) === 0 && topDigit >= 8) length += 1;
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0');
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** 8 bytes, big-endian; the value is taken modulo 2^64. */
export function writeInt64(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigInt64(0, BigInt.asIntN(64, value));
  return out;
}

/** Lexicographic order of unsigned bytes; a prefix sorts first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Joins arrays into a new one. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
