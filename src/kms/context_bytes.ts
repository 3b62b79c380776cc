import type { EncryptionContext } from './kms_provider.ts';

/**
 * Injective bytes of an encryption context: pairs sorted by name, each part with its length (u32, big endian) before it.
 * They are associated data of a wrapped key, so two contexts must never give the same bytes.
 */
export function encodeContext(context: EncryptionContext): Uint8Array {
  const names = Object.keys(context).sort();
  const parts: Buffer[] = [Buffer.from('cqlock/1/kms-context\0', 'utf8')];
  for (const name of names) {
    for (const text of [name, context[name] as string]) {
      const bytes = Buffer.from(text, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      parts.push(length, bytes);
    }
  }
  return Buffer.concat(parts);
}
