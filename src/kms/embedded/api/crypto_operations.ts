import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { KmsKeyEntry } from '../../key_entry.ts';
import type { EncryptionContext } from '../../kms_provider.ts';
import type { KmsAction } from '../actions.ts';
import { materialId, MAX_PLAINTEXT_BYTES, openBlob, readBlobHead, sealBlob } from '../blob.ts';
import { usable } from '../key_changes.ts';
import { findKeyOfBlob, isExpired } from '../key_lookup.ts';
import { KmsFault } from '../kms_fault.ts';
import { operation } from './kms_call.ts';
import type { KeyRequest, KmsCall, KmsOperation } from './kms_call.ts';
import {
  blob,
  dryRun,
  encryptionContext,
  grantTokens,
  keyId,
  whole,
  word,
} from './parse_request.ts';

const ALGORITHM = 'SYMMETRIC_DEFAULT';
const MAX_BLOB_BYTES = 6144;
const KEY_BYTES = { AES_128: 16, AES_256: 32 } as const;

const algorithm = word([ALGORITHM]).optional();
const cipherText = blob(1, MAX_BLOB_BYTES);
const dataKeyRequest = z.strictObject({
  KeyId: keyId,
  EncryptionContext: encryptionContext.optional(),
  NumberOfBytes: whole(1, 1024).optional(),
  KeySpec: word(['AES_256', 'AES_128']).optional(),
  GrantTokens: grantTokens,
  DryRun: dryRun,
});
type DataKeyRequest = z.infer<typeof dataKeyRequest>;

/** Operations that use keys. */
export const cryptoOperations = {
  Encrypt: operation(
    z.strictObject({
      KeyId: keyId,
      Plaintext: blob(1, MAX_PLAINTEXT_BYTES),
      EncryptionContext: encryptionContext.optional(),
      GrantTokens: grantTokens,
      EncryptionAlgorithm: algorithm,
      DryRun: dryRun,
    }),
    async (call, request) => {
      const context = request.EncryptionContext ?? {};
      const key = await sealingKey(call, {
        identifier: request.KeyId,
        action: 'Encrypt',
        context,
        grantTokens: request.GrantTokens,
      });
      notDry(request.DryRun);
      const sealed = sealBlob(key, request.Plaintext, context);
      request.Plaintext.fill(0);
      return { CiphertextBlob: base64(sealed), KeyId: key.arn, EncryptionAlgorithm: ALGORITHM };
    },
  ),

  Decrypt: operation(
    z.strictObject({
      CiphertextBlob: cipherText,
      EncryptionContext: encryptionContext.optional(),
      GrantTokens: grantTokens,
      KeyId: keyId.optional(),
      EncryptionAlgorithm: algorithm,
      DryRun: dryRun,
    }),
    (call, request) => {
      const { key, plaintext, version } = opened(call, 'Decrypt', {
        blob: request.CiphertextBlob,
        context: request.EncryptionContext ?? {},
        identifier: request.KeyId,
        grantTokens: request.GrantTokens,
        dryRun: request.DryRun,
      });
      return {
        KeyId: key.arn,
        Plaintext: wiped(plaintext),
        EncryptionAlgorithm: ALGORITHM,
        KeyMaterialId: materialId(key, version),
      };
    },
  ),

  ReEncrypt: operation(
    z.strictObject({
      CiphertextBlob: cipherText,
      SourceEncryptionContext: encryptionContext.optional(),
      SourceKeyId: keyId.optional(),
      DestinationKeyId: keyId,
      DestinationEncryptionContext: encryptionContext.optional(),
      SourceEncryptionAlgorithm: algorithm,
      DestinationEncryptionAlgorithm: algorithm,
      GrantTokens: grantTokens,
      DryRun: dryRun,
    }),
    async (call, request) => {
      const context = request.DestinationEncryptionContext ?? {};
      const target = await sealingKey(call, {
        identifier: request.DestinationKeyId,
        action: 'ReEncryptTo',
        context,
        grantTokens: request.GrantTokens,
      });
      call.noteTarget();
      const source = opened(call, 'ReEncryptFrom', {
        blob: request.CiphertextBlob,
        context: request.SourceEncryptionContext ?? {},
        identifier: request.SourceKeyId,
        grantTokens: request.GrantTokens,
        dryRun: request.DryRun,
      });
      const sealed = sealBlob(target, source.plaintext, context);
      source.plaintext.fill(0);
      // As the proxy's own events: the context is the target's.
      call.note(source.key.arn, context);
      return {
        CiphertextBlob: base64(sealed),
        SourceKeyId: source.key.arn,
        KeyId: target.arn,
        SourceEncryptionAlgorithm: ALGORITHM,
        DestinationEncryptionAlgorithm: ALGORITHM,
        SourceKeyMaterialId: materialId(source.key, source.version),
        DestinationKeyMaterialId: materialId(target, target.materialVersion),
      };
    },
  ),

  GenerateDataKey: operation(dataKeyRequest, async (call, request) => {
    const { key, sealed, plaintext } = await dataKey(call, 'GenerateDataKey', request);
    return {
      CiphertextBlob: base64(sealed),
      Plaintext: wiped(plaintext),
      KeyId: key.arn,
      KeyMaterialId: materialId(key, key.materialVersion),
    };
  }),

  GenerateDataKeyWithoutPlaintext: operation(dataKeyRequest, async (call, request) => {
    const made = await dataKey(call, 'GenerateDataKeyWithoutPlaintext', request);
    made.plaintext.fill(0);
    return {
      CiphertextBlob: base64(made.sealed),
      KeyId: made.key.arn,
      KeyMaterialId: materialId(made.key, made.key.materialVersion),
    };
  }),

  GenerateRandom: operation(
    z.strictObject({ NumberOfBytes: whole(1, 1024) }),
    (call, { NumberOfBytes: count }) => {
      call.allowAccount('GenerateRandom');
      return { Plaintext: wiped(randomBytes(count)) };
    },
  ),
} as const satisfies Record<string, KmsOperation>;

/** A key that may be used, with its newest material. */
async function sealingKey(call: KmsCall, request: KeyRequest): Promise<KmsKeyEntry> {
  const key = call.key({ ...request, mayBeAlias: true });
  usable(key);
  return await call.keys.rotateWhenDue(key);
}

async function dataKey(call: KmsCall, action: KmsAction, request: DataKeyRequest) {
  if ((request.NumberOfBytes === undefined) === (request.KeySpec === undefined)) {
    throw new KmsFault('ValidationException', 'Please specify either number of bytes or key spec.');
  }
  const context = request.EncryptionContext ?? {};
  const key = await sealingKey(call, {
    identifier: request.KeyId,
    action,
    context,
    grantTokens: request.GrantTokens,
  });
  notDry(request.DryRun);
  const plaintext = randomBytes(request.NumberOfBytes ?? KEY_BYTES[request.KeySpec ?? 'AES_256']);
  return { key, plaintext, sealed: sealBlob(key, plaintext, context) };
}

/** Opens a blob by the key that it names; a key of the request must be that one. */
function opened(
  call: KmsCall,
  action: 'Decrypt' | 'ReEncryptFrom',
  request: {
    readonly blob: Uint8Array;
    readonly context: EncryptionContext;
    readonly identifier: string | undefined;
    readonly grantTokens: readonly string[] | undefined;
    readonly dryRun: boolean | undefined;
  },
): { readonly key: KmsKeyEntry; readonly plaintext: Uint8Array; readonly version: number } {
  const { context } = request;
  const given =
    request.identifier === undefined ? undefined : call.visible(request.identifier, true);
  const head = readBlobHead(request.blob);
  const key = head === undefined ? undefined : findKeyOfBlob(call.state(), head.id);
  if (head === undefined || key === undefined || key.serviceOwned || isExpired(key, call.nowMs())) {
    if (given !== undefined) call.note(given.arn, context);
    throw new KmsFault('InvalidCiphertextException', '');
  }
  call.note(key.arn, context);
  if (given !== undefined && given.arn !== key.arn) {
    throw new KmsFault(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  call.allow(key, action, context);
  call.checkTokens(request.grantTokens);
  usable(key);
  const plaintext = openBlob(key, request.blob, context);
  if (plaintext === undefined) throw new KmsFault('InvalidCiphertextException', '');
  if (request.dryRun === true) plaintext.fill(0);
  notDry(request.dryRun);
  return { key, plaintext, version: head.materialVersion };
}

function notDry(isDry: boolean | undefined): void {
  if (isDry !== true) return;
  throw new KmsFault(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Base64 of bytes that are overwritten. */
function wiped(bytes: Uint8Array): string {
  const text = base64(bytes);
  bytes.fill(0);
  return text;
}
