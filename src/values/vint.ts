/** A decoded variable-length integer and the offset after it. */
export interface DecodedVint {
  readonly value: bigint;
  readonly end: number;
}

/**
 * Reads an unsigned variable-length integer.
 * Spec: native_protocol_v5 3, [unsigned vint].
 * @returns undefined when the bytes end too early
 */
export function readUnsignedVint(bytes: Uint8Array, offset: number): DecodedVint | undefined {
  if (offset >= bytes.length) return undefined;
  const first = bytes[offset] as number;
  const extra = Math.clz32(~(first << 24));
  const extraBytes = extra > 8 ? 8 : extra;
  if (offset + 1 + extraBytes > bytes.length) return undefined;
  let value = BigInt(extraBytes >= 8 ? 0 : first & (0xff >> extraBytes));
  for (let i = 1; i <= extraBytes; i++) value = (value << 8n) | BigInt(bytes[offset + i] as number);
  return { value, end: offset + 1 + extraBytes };
}

/** Writes an unsigned variable-length integer of at most 64 bits. Spec: native_protocol_v5 3. */
export function writeUnsignedVint(value: bigint): Uint8Array {
  let bits = value === 0n ? 1 : value.toString(2).length;
  if (bits > 64) bits = 64;
  const extraBytes = bits > 56 ? 8 : Math.ceil(bits / 7) - 1;
  const out = new Uint8Array(extraBytes + 1);
  let rest = value;
  for (let i = extraBytes; i > 0; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  out[0] = extraBytes >= 8 ? 0xff : (0xff00 >> extraBytes) & 0xff;
  out[0] |= Number(rest);
  return out;
}

/** Reads a signed (zigzag) variable-length integer. Spec: native_protocol_v5 3, [vint]. */
export function readVint(bytes: Uint8Array, offset: number): DecodedVint | undefined {
  const decoded = readUnsignedVint(bytes, offset);
  if (decoded === undefined) return undefined;
  const { value } = decoded;
  return { value: (value >> 1n) ^ -(value & 1n), end: decoded.end };
}

/** Writes a signed (zigzag) variable-length integer. */
export function writeVint(value: bigint): Uint8Array {
  return writeUnsignedVint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
}
