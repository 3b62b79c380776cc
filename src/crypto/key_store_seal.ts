import { CiphertextError, ConfigError } from '../errors/index.ts';
import { randomSecret, u64, zero } from './bytes.ts';
import { requireLength } from './check.ts';
import { hkdf } from './kdf.ts';
import { sivOpenMany, sivSealMany } from './siv.ts';
import { SivKey } from './siv_key.ts';

const VERSION = 1;
const SALT_BYTES = 32;
const HEADER_BYTES = 1 + SALT_BYTES + 8;
const PURPOSE = Buffer.from('cqlock/1/keystore', 'ascii');

/** An opened key store. */
export interface OpenedKeyStore {
  /** Grows with every write of the store. */
  readonly generation: bigint;
  /** Content in a buffer of its own; the caller zeroes it. */
  readonly content: Buffer;
}

function storeKey(rootKey: Uint8Array, salt: Uint8Array): SivKey {
  requireLength(rootKey, 32, 'root key');
  const bytes = hkdf(rootKey, salt, 'ks/seal', 64);
  const key = SivKey.fromBytes(bytes);
  zero(bytes);
  return key;
}

/**
 * Seals the content of a key store under the root key (32 bytes) with a fresh salt.
 *
 * @returns version, salt, generation, tag and cipher text
 * Spec: format 8
 */
export function sealKeyStore(rootKey: Uint8Array, generation: bigint, content: Uint8Array): Buffer {
  const salt = randomSecret(SALT_BYTES);
  const key = storeKey(rootKey, salt);
  try {
    const components = [PURPOSE, u64(generation)];
    const [sealed] = sivSealMany(key, [{ components, plaintext: content }]);
    return Buffer.concat([Buffer.of(VERSION), salt, u64(generation), sealed as Buffer]);
  } finally {
    key.dispose();
  }
}

/**
 * Opens a sealed key store.
 *
 * @throws {@link ConfigError} CONFIG_KEY_STORE when it is truncated, altered, or sealed by another root key
 * Spec: format 8
 */
export function openKeyStore(rootKey: Uint8Array, sealed: Uint8Array): OpenedKeyStore {
  if (sealed.length < HEADER_BYTES + 16 || sealed[0] !== VERSION) {
    throw new ConfigError(
      'CONFIG_KEY_STORE',
      'The key store is truncated or of an unknown version',
    );
  }
  const key = storeKey(rootKey, sealed.subarray(1, 1 + SALT_BYTES));
  try {
    const generation = sealed.subarray(1 + SALT_BYTES, HEADER_BYTES);
    const [content] = sivOpenMany(
      key,
      [{ components: [PURPOSE, generation], sealed: sealed.subarray(HEADER_BYTES) }],
      'the key store',
    );
    return { generation: Buffer.from(generation).readBigUInt64BE(), content: content as Buffer };
  } catch (cause) {
    if (!(cause instanceof CiphertextError)) throw cause;
    throw new ConfigError(
      'CONFIG_KEY_STORE',
      'The key store does not open: it was altered, or the root key is not the one that sealed it',
      { cause },
    );
  } finally {
    key.dispose();
  }
}
