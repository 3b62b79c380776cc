/** Values in the bytes of the native protocol, built by hand. Spec: native_protocol_v4 6. */

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function int(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function bigint(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

export function double(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

export const bool = (value: boolean): Uint8Array => Uint8Array.of(value ? 1 : 0);
export const uuid = (value: string): Uint8Array => Buffer.from(value.replaceAll('-', ''), 'hex');

/** Collections as native_protocol_v4 6 has them: a count, then length and bytes of each element. */
export function list(items: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([int(items.length), ...items.flatMap((i) => [int(i.length), i])]);
}

export function map(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  const parts = entries.flatMap(([k, v]) => [int(k.length), k, int(v.length), v]);
  return Buffer.concat([int(entries.length), ...parts]);
}

export const decode = (cell: Uint8Array | null | undefined): string | null =>
  cell === null || cell === undefined ? null : Buffer.from(cell).toString('utf8');
