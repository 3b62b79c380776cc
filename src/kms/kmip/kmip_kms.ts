import { randomBytes } from 'node:crypto';
import {
  InvalidRequestError,
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
} from '../../errors/index.ts';
import { dataKeyMadeHere, reEncryptedHere } from '../local_keys.ts';
import type { ProxyError } from '../../errors/index.ts';
import { encodeContext } from '../context_bytes.ts';
import type {
  DataKey,
  EncryptionContext,
  KmsKeyDescription,
  KmsProvider,
} from '../kms_provider.ts';
import { RemoteCalls } from '../remote_calls.ts';
import type { RemoteCallLimits } from '../remote_calls.ts';
import { cipherInputs, KmipClient } from './kmip_client.ts';
import type { KmipAnswer } from './kmip_client.ts';
import { AES, GCM, Operation, Reason, State, Tag } from './tags.ts';
import {
  bytes,
  bytesOf,
  enumeration,
  find,
  integer,
  numberOf,
  structure,
  text,
  textOf,
} from './ttlv.ts';
import type { Ttlv } from './ttlv.ts';

const BLOB_VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_PLAINTEXT_BYTES = 4096;
const ARN_PREFIX = 'arn:cqlock:kmip:';

/** Settings of the provider; the paths are of PEM files. */
export interface KmipKmsOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly limits: RemoteCallLimits;
}

/**
 * AES-256 keys of a KMIP server. A user names them `kmip:UNIQUE-IDENTIFIER`; records keep `arn:cqlock:kmip:UNIQUE-IDENTIFIER`.
 * A blob is version u8 ‖ nonce 12 ‖ AES-256-GCM ciphertext ‖ tag 16, with version and context as associated data.
 */
export class KmipKms implements KmsProvider {
  readonly name = 'kmip';
  readonly #client: KmipClient;
  readonly #calls: RemoteCalls;

  /** @throws ConfigError CONFIG_KMS when a file of the settings cannot be read. */
  constructor(options: KmipKmsOptions) {
    this.#client = new KmipClient(options);
    this.#calls = new RemoteCalls('kmip', options.limits);
  }

  /** See {@link KmsProvider.recognises}. */
  recognises(identifier: string): boolean {
    return identifier.startsWith('kmip:') || identifier.startsWith(ARN_PREFIX);
  }

  /** See {@link KmsProvider.resolveKey}. */
  async resolveKey(identifier: string): Promise<string> {
    const arn = identifier.startsWith('kmip:')
      ? ARN_PREFIX + identifier.slice('kmip:'.length)
      : identifier;
    await this.describeKey(arn);
    return arn;
  }

  /** See {@link KmsProvider.generateDataKey}. */
  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return await dataKeyMadeHere(this, keyArn, context);
  }

  /** See {@link KmsProvider.encrypt}. KMIP encrypts no empty plaintext. */
  async encrypt(
    keyArn: string,
    plaintext: Uint8Array,
    context: EncryptionContext,
  ): Promise<Uint8Array> {
    if (plaintext.length > MAX_PLAINTEXT_BYTES || plaintext.length === 0) {
      throw new InvalidRequestError(`the KMS encrypts from 1 to ${MAX_PLAINTEXT_BYTES} bytes`);
    }
    uniqueIdentifierOf(keyArn);
    return await this.#run(async (signal) => {
      await this.#usableKey(keyArn, signal);
      return await this.#seal(keyArn, plaintext, associatedData(context), signal);
    });
  }

  /** See {@link KmsProvider.decrypt}. A server may decrypt with keys that are not active; the proxy does not. */
  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    uniqueIdentifierOf(keyArn);
    return await this.#run(async (signal) => {
      await this.#usableKey(keyArn, signal);
      // A blob has at least one byte of ciphertext.
      if (blob.length <= 1 + NONCE_BYTES + TAG_BYTES || blob[0] !== BLOB_VERSION) {
        throw mismatch(keyArn);
      }
      const answer = await this.#open(keyArn, blob, associatedData(context), signal);
      if (!('reason' in answer)) return plaintextOf(answer, blob, keyArn);
      const { reason } = answer;
      if (reason === Reason.CRYPTOGRAPHIC_FAILURE) throw mismatch(keyArn);
      // Some servers have no reason for a wrong tag. One that still works has judged the blob.
      if (!isClear(reason) && (await this.#works(keyArn, signal))) throw mismatch(keyArn);
      throw refusal(answer, keyArn);
    });
  }

  /** See {@link KmsProvider.reEncrypt}. KMIP has no operation for it, so the plaintext passes through here. */
  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    return await reEncryptedHere(this, source, blob, target);
  }

  /** See {@link KmsProvider.describeKey}. Keys that are not active count as disabled; destroyed ones are not found. */
  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    uniqueIdentifierOf(keyArn);
    const state = await this.#run((signal) => this.#stateOf(keyArn, signal));
    return { keyArn, state, serviceOwned: false, description: '', deletionAtMs: undefined };
  }

  /** See {@link KmsProvider.createGrant}. KMIP knows none. */
  async createGrant(): Promise<string | undefined> {
    return undefined;
  }

  /** See {@link KmsProvider.retireGrant}. */
  async retireGrant(): Promise<void> {}

  async #run<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await this.#calls.run(
      call,
      (error) =>
        new KeyUnavailableError('KEY_UNAVAILABLE', 'the call of the KMIP server failed', {
          cause: error,
        }),
    );
  }

  async #usableKey(keyArn: string, signal: AbortSignal): Promise<void> {
    if ((await this.#stateOf(keyArn, signal)) === 'disabled') {
      throw new KeyAccessError('KEY_DISABLED', `the KMS key ${keyArn} is not active`);
    }
  }

  async #stateOf(keyArn: string, signal: AbortSignal): Promise<'enabled' | 'disabled'> {
    const names = ['State', 'Cryptographic Algorithm', 'Cryptographic Length'];
    const answer = await this.#client.run(
      Operation.GET_ATTRIBUTES,
      [
        text(Tag.UNIQUE_IDENTIFIER, uniqueIdentifierOf(keyArn)),
        ...names.map((name) => text(Tag.ATTRIBUTE_NAME, name)),
      ],
      signal,
    );
    if ('reason' in answer) throw refusal(answer, keyArn);
    const [state, algorithm, length] = names.map((name) => attribute(answer.payload, name));
    if (algorithm !== AES || length !== 256) {
      throw new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `the key ${keyArn} is not an AES key of 256 bits`,
      );
    }
    if (state === State.DESTROYED || state === State.DESTROYED_COMPROMISED) throw notFound(keyArn);
    return state === State.ACTIVE ? 'enabled' : 'disabled';
  }

  async #seal(
    keyArn: string,
    plaintext: Uint8Array,
    additionalData: Uint8Array,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const nonce = randomBytes(NONCE_BYTES);
    const payload = cipherInputs({ ...common(keyArn), input: plaintext, nonce, additionalData });
    const answer = await this.#client.run(Operation.ENCRYPT, payload, signal);
    if ('reason' in answer) throw refusal(answer, keyArn);
    const data = bytesOf(find(answer.payload, Tag.DATA));
    const tag = bytesOf(find(answer.payload, Tag.AUTHENTICATION_TAG));
    if (data?.length !== plaintext.length || tag?.length !== TAG_BYTES) throw strange(keyArn);
    return Buffer.concat([Buffer.of(BLOB_VERSION), nonce, data, tag]);
  }

  async #open(
    keyArn: string,
    blob: Uint8Array,
    additionalData: Uint8Array,
    signal: AbortSignal,
  ): Promise<KmipAnswer> {
    const bodyStart = 1 + NONCE_BYTES;
    const tagStart = blob.length - TAG_BYTES;
    const payload = cipherInputs({
      ...common(keyArn),
      input: blob.subarray(bodyStart, tagStart),
      nonce: blob.subarray(1, bodyStart),
      additionalData,
    });
    payload.push(bytes(Tag.AUTHENTICATION_TAG, blob.subarray(tagStart)));
    return await this.#client.run(Operation.DECRYPT, payload, signal);
  }

  /** Whether the server encrypts and decrypts with the key now. */
  async #works(keyArn: string, signal: AbortSignal): Promise<boolean> {
    const additionalData = Buffer.from('cqlock/1/self-test');
    const blob = await this.#seal(keyArn, Buffer.of(1), additionalData, signal);
    return !('reason' in (await this.#open(keyArn, blob, additionalData, signal)));
  }
}

function common(keyArn: string): {
  readonly uniqueIdentifier: Buffer;
  readonly parameters: Buffer;
} {
  return {
    uniqueIdentifier: text(Tag.UNIQUE_IDENTIFIER, uniqueIdentifierOf(keyArn)),
    parameters: structure(Tag.CRYPTOGRAPHIC_PARAMETERS, [
      enumeration(Tag.BLOCK_CIPHER_MODE, GCM),
      enumeration(Tag.CRYPTOGRAPHIC_ALGORITHM, AES),
      integer(Tag.TAG_LENGTH, TAG_BYTES),
    ]),
  };
}

function uniqueIdentifierOf(keyArn: string): string {
  const id = keyArn.startsWith(ARN_PREFIX) ? keyArn.slice(ARN_PREFIX.length) : '';
  if (!/^[\x21-\x7e]{1,256}$/.test(id)) throw notFound(keyArn);
  return id;
}

function attribute(payload: Ttlv | undefined, name: string): number | undefined {
  const found = payload?.items.find(
    (item) => item.tag === Tag.ATTRIBUTE && textOf(find(item, Tag.ATTRIBUTE_NAME)) === name,
  );
  return numberOf(find(found, Tag.ATTRIBUTE_VALUE));
}

function associatedData(context: EncryptionContext): Uint8Array {
  return Buffer.concat([Buffer.of(BLOB_VERSION), encodeContext(context)]);
}

function plaintextOf(
  answer: Extract<KmipAnswer, { readonly payload: unknown }>,
  blob: Uint8Array,
  arn: string,
): Uint8Array {
  const data = bytesOf(find(answer.payload, Tag.DATA));
  if (data?.length !== blob.length - 1 - NONCE_BYTES - TAG_BYTES) throw strange(arn);
  const plaintext = Buffer.allocUnsafeSlow(data.length);
  data.copy(plaintext);
  data.fill(0);
  return plaintext;
}

/** Whether a reason says by itself why: the key, the permissions, or what the server can do. */
function isClear(reason: number): boolean {
  const clear: readonly number[] = [
    Reason.ITEM_NOT_FOUND,
    Reason.AUTHENTICATION_NOT_SUCCESSFUL,
    Reason.OPERATION_NOT_SUPPORTED,
    Reason.FEATURE_NOT_SUPPORTED,
    Reason.PERMISSION_DENIED,
    Reason.OBJECT_ARCHIVED,
  ];
  return clear.includes(reason);
}

function refusal(
  answer: Extract<KmipAnswer, { readonly reason: number }>,
  arn: string,
): ProxyError {
  switch (answer.reason) {
    case Reason.ITEM_NOT_FOUND:
      return notFound(arn);
    case Reason.PERMISSION_DENIED:
      return new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `the KMIP server does not allow the proxy to use the key ${arn}; look at its owner, policy and usage mask`,
      );
    case Reason.OBJECT_ARCHIVED:
      return new KeyAccessError('KEY_DISABLED', `the KMS key ${arn} is archived`);
    case Reason.AUTHENTICATION_NOT_SUCCESSFUL:
    case Reason.OPERATION_NOT_SUPPORTED:
    case Reason.FEATURE_NOT_SUPPORTED:
      return new KeyUnavailableError(
        'KEY_KMS_CONFIG',
        `the KMIP server does not take the proxy's call about the key ${arn} (reason ${answer.reason}); it must know the proxy's certificate and support Encrypt and Decrypt with AES-GCM`,
      );
    default:
      return new KeyUnavailableError(
        'KEY_UNAVAILABLE',
        `the KMIP server could not use the key ${arn} (reason ${answer.reason})`,
      );
  }
}

function mismatch(arn: string): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_WRAPPED_KEY',
    `a wrapped key does not belong to the KMS key ${arn} and its encryption context`,
  );
}

function notFound(arn: string): KeyAccessError {
  return new KeyAccessError('KEY_NOT_FOUND', `the KMIP server has no key ${arn}`);
}

function strange(arn: string): KeyUnavailableError {
  return new KeyUnavailableError(
    'KEY_UNAVAILABLE',
    `what answered about the key ${arn} is not a KMIP server with AES-GCM`,
  );
}
