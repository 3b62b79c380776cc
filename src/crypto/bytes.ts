import { createHmac, randomFillSync, timingSafeEqual } from 'node:crypto';

/** Length in bytes of every identifier of the format: cluster, table, column, DEK. */
export const ID_BYTES = 16;

/** Overwrites `bytes` with zeros. */
export function zero(bytes: Uint8Array): void {
  bytes.fill(0);
}

/** True when both have the same length and content; time depends on the lengths only. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Fresh random bytes in a buffer of its own, never a slice of Node's pool, so that {@link zero} on it is complete.
 *
 * @param length in bytes
 */
export function randomSecret(length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  randomFillSync(bytes);
  return bytes;
}

/** A fresh random identifier of 16 bytes. */
export function randomId(): Buffer {
  return randomSecret(ID_BYTES);
}

/** HMAC-SHA-256, 32 bytes. */
export function hmacSha256(key: Uint8Array, parts: readonly Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** `value` as big-endian unsigned 16-bit integer. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** `value` as big-endian unsigned 32-bit integer. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** `value` as big-endian unsigned 64-bit integer. */
export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
