import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { encodeContext } from '../context_bytes.ts';
import type { KmsKeyEntry } from '../key_entry.ts';
import type { EncryptionContext } from '../kms_provider.ts';

const FIRST_MATERIAL = 1;
const NAMED_MATERIAL = 2;
const ID_BYTES = 16;
const VERSION_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Longest plaintext, bytes. */
export const MAX_PLAINTEXT_BYTES = 4096;

/** What a blob says about its key; nothing of it is authenticated before the blob is opened. */
interface BlobHead {
  /** Key id, hex. */
  readonly id: string;
  readonly materialVersion: number;
  /** Length of everything before the nonce. */
  readonly length: number;
}

/**
 * Encrypts under the newest material of a key. A blob is: 02 ‖ key id 16 ‖ material version u32 ‖ nonce 12 ‖ AES-256-GCM
 * cipher text ‖ tag 16. All before the nonce and the context are associated data.
 */
export function sealBlob(
  key: KmsKeyEntry,
  plaintext: Uint8Array,
  context: EncryptionContext,
): Buffer {
  const head = Buffer.alloc(1 + ID_BYTES + VERSION_BYTES);
  head[0] = NAMED_MATERIAL;
  head.write(key.id, 1, 'hex');
  head.writeUInt32BE(key.materialVersion, 1 + ID_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const material = Buffer.from(key.material, 'base64');
  const cipher = createCipheriv('aes-256-gcm', material, nonce);
  material.fill(0);
  cipher.setAAD(Buffer.concat([head, encodeContext(context)]));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([head, nonce, body, cipher.getAuthTag()]);
}

/** The head of a blob; undefined when it cannot be one. Blobs of version 01 have no material version: theirs is 1. */
export function readBlobHead(blob: Uint8Array): BlobHead | undefined {
  const bytes = view(blob);
  const named = bytes[0] === NAMED_MATERIAL;
  if (!named && bytes[0] !== FIRST_MATERIAL) return undefined;
  const length = 1 + ID_BYTES + (named ? VERSION_BYTES : 0);
  if (bytes.length < length + NONCE_BYTES + TAG_BYTES) return undefined;
  const id = bytes.toString('hex', 1, 1 + ID_BYTES);
  return { id, materialVersion: named ? bytes.readUInt32BE(1 + ID_BYTES) : 1, length };
}

/** Opens a blob; undefined when it, the key and the context do not belong together. The caller owns the bytes. */
export function openBlob(
  key: KmsKeyEntry,
  blob: Uint8Array,
  context: EncryptionContext,
): Uint8Array | undefined {
  const head = readBlobHead(blob);
  if (head?.id !== key.id) return undefined;
  const text = materialOf(key, head.materialVersion);
  if (text === undefined) return undefined;
  const bytes = view(blob);
  const bodyStart = head.length + NONCE_BYTES;
  const material = Buffer.from(text, 'base64');
  const nonce = bytes.subarray(head.length, bodyStart);
  const decipher = createDecipheriv('aes-256-gcm', material, nonce, { authTagLength: TAG_BYTES });
  material.fill(0);
  decipher.setAAD(Buffer.concat([bytes.subarray(0, head.length), encodeContext(context)]));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const body = decipher.update(bytes.subarray(bodyStart, bytes.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    body.fill(0);
    return undefined;
  }
  const plaintext = Buffer.allocUnsafeSlow(body.length);
  body.copy(plaintext);
  body.fill(0);
  return plaintext;
}

/** Public name of a version of a key's material: 32 bytes, hex. Tells nothing about the material. */
export function materialId(key: KmsKeyEntry, version: number): string {
  return createHash('sha256').update(`cqlock/1/kms-material\0${key.id}\0${version}`).digest('hex');
}

function materialOf(key: KmsKeyEntry, version: number): string | undefined {
  if (version === key.materialVersion) return key.material;
  return key.earlier.find((earlier) => earlier.version === version)?.material;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
