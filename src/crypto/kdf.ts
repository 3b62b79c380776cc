import { hkdfSync } from 'node:crypto';

/** What a key is derived for; part of the format. Spec: format 2. */
export type KeyLabel =
  | 'det'
  | 'order'
  | 'cell'
  | 'index'
  | 'tk/wrap'
  | 'tk/commit'
  | 'mk/record'
  | 'mk/root'
  | 'mk/paging'
  | 'mk/audit'
  | 'mk/backup'
  | 'backup'
  | 'backup/mac'
  | 'ks/seal'
  | 'ks/audit';

/** HKDF-SHA-512; the result belongs to the caller, who zeroes it. Spec: rfc5869 */
export function hkdfSha512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Buffer {
  return Buffer.from(hkdfSync('sha512', ikm, salt, info, length));
}

/**
 * HKDF-SHA-512 with info `cqlock/1/` and the label.
 *
 * @returns `length` bytes that belong to the caller, who zeroes them
 * Spec: rfc5869, format 2
 */
export function hkdf(ikm: Uint8Array, salt: Uint8Array, label: KeyLabel, length: number): Buffer {
  return hkdfSha512(ikm, salt, Buffer.from(`cqlock/1/${label}`, 'ascii'), length);
}
