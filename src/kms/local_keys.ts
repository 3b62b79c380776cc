import { randomFillSync } from 'node:crypto';
import type { DataKey, EncryptionContext, KmsProvider } from './kms_provider.ts';

const DATA_KEY_BYTES = 32;

/** {@link KmsProvider.generateDataKey} for a KMS that makes no data keys with associated data: made here, wrapped there. */
export async function dataKeyMadeHere(
  provider: Pick<KmsProvider, 'encrypt'>,
  keyArn: string,
  context: EncryptionContext,
): Promise<DataKey> {
  const plaintext = Buffer.allocUnsafeSlow(DATA_KEY_BYTES);
  randomFillSync(plaintext);
  try {
    return { plaintext, blob: await provider.encrypt(keyArn, plaintext, context), keyArn };
  } catch (error) {
    plaintext.fill(0);
    throw error;
  }
}

/** {@link KmsProvider.reEncrypt} for a KMS that has no call for it: the plaintext passes through here. */
export async function reEncryptedHere(
  provider: Pick<KmsProvider, 'decrypt' | 'encrypt'>,
  ...[source, blob, target]: Parameters<KmsProvider['reEncrypt']>
): Promise<Uint8Array> {
  const plaintext = await provider.decrypt(source.keyArn, blob, source.context);
  try {
    return await provider.encrypt(target.keyArn, plaintext, target.context);
  } finally {
    plaintext.fill(0);
  }
}
