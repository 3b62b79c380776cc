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
import type { KeyQuery, TokenAnswer, TokenRequest } from './messages.ts';
import { TokenThread } from './token_thread.ts';

const BLOB_VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_PLAINTEXT_BYTES = 4096;

/** Settings of the provider. */
export interface Pkcs11KmsOptions {
  /** Path of the PKCS#11 library. */
  readonly library: string;
  readonly tokenLabel: string;
  readonly pin: string;
  readonly limits: RemoteCallLimits;
  /** What the worker thread runs, if not the built file beside this one. */
  readonly workerScript?: URL;
}

/**
 * AES-256 keys of a PKCS#11 token. A user names them by a PKCS#11 URI (RFC 7512) with `object` or `id`; records keep
 * `arn:cqlock:pkcs11:TOKEN:id/HEX`. A blob is version u8 ‖ nonce 12 ‖ AES-256-GCM ciphertext ‖ tag 16, with version and
 * context as associated data.
 */
export class Pkcs11Kms implements KmsProvider {
  readonly name = 'pkcs11';
  readonly #tokenLabel: string;
  readonly #arnPrefix: string;
  readonly #thread: TokenThread;
  readonly #calls: RemoteCalls;

  constructor(options: Pkcs11KmsOptions) {
    this.#tokenLabel = options.tokenLabel;
    this.#arnPrefix = `arn:cqlock:pkcs11:${encodeURIComponent(options.tokenLabel)}:id/`;
    const script = options.workerScript ?? new URL('./pkcs11_worker.js', import.meta.url);
    const { library, tokenLabel, pin } = options;
    this.#thread = new TokenThread({ library, tokenLabel, pin }, script);
    this.#calls = new RemoteCalls('pkcs11', options.limits);
  }

  /** See {@link KmsProvider.recognises}. */
  recognises(identifier: string): boolean {
    return identifier.startsWith('pkcs11:') || identifier.startsWith('arn:cqlock:pkcs11:');
  }

  /** See {@link KmsProvider.resolveKey}. A label may come to stand for another key, so records keep the id. */
  async resolveKey(identifier: string): Promise<string> {
    const query = identifier.startsWith('pkcs11:')
      ? queryOfUri(identifier, this.#tokenLabel)
      : this.#query(identifier);
    if (query === undefined) throw notFound(identifier);
    const { key } = await this.#ask(identifier, { operation: 'describe', key: query });
    return this.#arnPrefix + key.id;
  }

  /** See {@link KmsProvider.generateDataKey}. */
  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return await dataKeyMadeHere(this, keyArn, context);
  }

  /** See {@link KmsProvider.encrypt}. Tokens encrypt no empty plaintext. */
  async encrypt(
    keyArn: string,
    plaintext: Uint8Array,
    context: EncryptionContext,
  ): Promise<Uint8Array> {
    if (plaintext.length > MAX_PLAINTEXT_BYTES || plaintext.length === 0) {
      throw new InvalidRequestError(`the KMS encrypts from 1 to ${MAX_PLAINTEXT_BYTES} bytes`);
    }
    const nonce = randomBytes(NONCE_BYTES);
    const { output } = await this.#ask(keyArn, {
      operation: 'encrypt',
      key: this.#query(keyArn),
      nonce,
      associatedData: associatedData(context),
      input: plaintext,
    });
    if (output?.length !== plaintext.length + TAG_BYTES) {
      throw new KeyUnavailableError('KEY_UNAVAILABLE', `the token encrypted wrongly (${keyArn})`);
    }
    return Buffer.concat([Buffer.of(BLOB_VERSION), nonce, output]);
  }

  /** See {@link KmsProvider.decrypt}. */
  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    const key = this.#query(keyArn);
    const bodyStart = 1 + NONCE_BYTES;
    // A blob has at least one byte of ciphertext.
    if (blob.length <= bodyStart + TAG_BYTES || blob[0] !== BLOB_VERSION) {
      const { key: described } = await this.#ask(keyArn, { operation: 'describe', key });
      if (!described.isEnabled) throw disabled(keyArn);
      throw mismatch(keyArn);
    }
    const { output } = await this.#ask(keyArn, {
      operation: 'decrypt',
      key,
      nonce: blob.subarray(1, bodyStart),
      associatedData: associatedData(context),
      input: blob.subarray(bodyStart),
    });
    if (output?.length !== blob.length - bodyStart - TAG_BYTES) {
      throw new KeyUnavailableError('KEY_UNAVAILABLE', `the token decrypted wrongly (${keyArn})`);
    }
    return output;
  }

  /** See {@link KmsProvider.reEncrypt}. PKCS#11 has no call for it, so the plaintext passes through here. */
  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    return await reEncryptedHere(this, source, blob, target);
  }

  /** See {@link KmsProvider.describeKey}. A key whose CKA_ENCRYPT or CKA_DECRYPT is false counts as disabled. */
  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    const query = this.#query(keyArn);
    const { key } = await this.#ask(keyArn, { operation: 'describe', key: query });
    return {
      keyArn,
      state: key.isEnabled ? 'enabled' : 'disabled',
      serviceOwned: false,
      description: key.label,
      deletionAtMs: undefined,
    };
  }

  /** See {@link KmsProvider.createGrant}. PKCS#11 knows none. */
  async createGrant(): Promise<string | undefined> {
    return undefined;
  }

  /** See {@link KmsProvider.retireGrant}. */
  async retireGrant(): Promise<void> {}

  #query(keyArn: string): KeyQuery {
    const value = keyArn.startsWith(this.#arnPrefix) ? keyArn.slice(this.#arnPrefix.length) : '';
    if (!/^(?:[0-9a-f]{2}){1,64}$/.test(value)) throw notFound(keyArn);
    return { by: 'id', value };
  }

  async #ask(
    keyArn: string,
    request: TokenRequest,
  ): Promise<Extract<TokenAnswer, { readonly output: unknown }>> {
    return await this.#calls.run(
      async () => {
        const answer = await this.#thread.run(request);
        if ('problem' in answer) throw problem(answer, keyArn);
        return answer;
      },
      (error) =>
        new KeyUnavailableError('KEY_UNAVAILABLE', 'the call of the token failed', {
          cause: error,
        }),
    );
  }
}

/** `pkcs11:token=…;object=…` or `pkcs11:id=…` (RFC 7512); `undefined` when it names no key of the token. */
function queryOfUri(uri: string, tokenLabel: string): KeyQuery | undefined {
  const attributes = new Map<string, Buffer>();
  for (const part of uri.slice('pkcs11:'.length).split(';')) {
    const [name = '', text, ...rest] = part.split('=');
    if (text === undefined || rest.length > 0 || attributes.has(name)) return undefined;
    if (!['token', 'object', 'id', 'type'].includes(name)) return undefined;
    attributes.set(name, percentDecoded(text));
  }
  const token = attributes.get('token');
  if (token !== undefined && token.toString('utf8') !== tokenLabel) return undefined;
  if ((attributes.get('type')?.toString('utf8') ?? 'secret-key') !== 'secret-key') return undefined;
  const [label, id] = [attributes.get('object'), attributes.get('id')];
  if ((label === undefined) === (id === undefined)) return undefined;
  if (label !== undefined) return { by: 'label', value: label.toString('utf8') };
  return id === undefined ? undefined : { by: 'id', value: id.toString('hex') };
}

function percentDecoded(text: string): Buffer {
  const latin1 = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(latin1, 'latin1');
}

function associatedData(context: EncryptionContext): Uint8Array {
  return Buffer.concat([Buffer.of(BLOB_VERSION), encodeContext(context)]);
}

function problem(
  answer: Exclude<TokenAnswer, { readonly output: unknown }>,
  arn: string,
): ProxyError {
  switch (answer.problem) {
    case 'not_found':
      return notFound(arn);
    case 'ambiguous':
    case 'unsuitable':
      return new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `the key ${arn} cannot be used: ${answer.detail}`,
      );
    case 'disabled':
      return disabled(arn);
    case 'mismatch':
      return mismatch(arn);
    case 'config':
      return new KeyUnavailableError('KEY_KMS_CONFIG', `PKCS#11: ${answer.detail}`);
    case 'unavailable':
      return new KeyUnavailableError(
        'KEY_UNAVAILABLE',
        `the token cannot be used now: ${answer.detail}`,
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
  return new KeyAccessError('KEY_NOT_FOUND', `the PKCS#11 token has no key ${arn}`);
}

function disabled(arn: string): KeyAccessError {
  return new KeyAccessError(
    'KEY_DISABLED',
    `the KMS key ${arn} is disabled: the token does not allow it to encrypt and decrypt`,
  );
}
