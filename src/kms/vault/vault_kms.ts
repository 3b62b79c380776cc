import {
  InvalidRequestError,
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
} from '../../errors/index.ts';
import { dataKeyMadeHere, reEncryptedHere } from '../local_keys.ts';
import type { ProxyError } from '../../errors/index.ts';
import { systemClock } from '../../util/index.ts';
import type { Clock } from '../../util/index.ts';
import { encodeContext } from '../context_bytes.ts';
import type {
  DataKey,
  EncryptionContext,
  KmsKeyDescription,
  KmsProvider,
} from '../kms_provider.ts';
import { RemoteCalls } from '../remote_calls.ts';
import type { RemoteCallLimits } from '../remote_calls.ts';
import { objectField, VaultClient } from './vault_client.ts';
import type { VaultAnswer } from './vault_client.ts';
import { VaultToken } from './vault_token.ts';
import type { VaultAuth } from './vault_token.ts';

const MAX_PLAINTEXT_BYTES = 4096;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
// Vault reads v0 as v1, so v0 would be a second text for the same blob.
const BLOB = /^vault:v[1-9]\d{0,8}:[A-Za-z0-9+/]+={0,2}$/;
/** Kinds of Transit keys that take associated data. */
const KEY_TYPES = new Set(['aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305']);

/** Settings of the provider. */
export interface VaultKmsOptions {
  readonly address: string;
  /** Namespace of Vault Enterprise or OpenBao; empty where there is none. */
  readonly namespace: string;
  /** Where the Transit engine is mounted. */
  readonly mount: string;
  readonly caFile: string | undefined;
  readonly auth: VaultAuth;
  readonly limits: RemoteCallLimits;
  readonly clock?: Clock;
}

/**
 * Keys of a Transit engine. A user names them `vault:MOUNT/keys/NAME`; records keep `arn:cqlock:vault:NAMESPACE:MOUNT/keys/NAME`.
 * A blob is Transit's own text (`vault:v1:…`) as bytes.
 */
export class VaultKms implements KmsProvider {
  readonly name = 'vault';
  readonly #mount: string;
  readonly #arnPrefix: string;
  readonly #client: VaultClient;
  readonly #token: VaultToken;
  readonly #calls: RemoteCalls;

  /** @throws ConfigError CONFIG_KMS when a file of the settings cannot be read. */
  constructor(options: VaultKmsOptions) {
    this.#mount = options.mount;
    this.#arnPrefix = `arn:cqlock:vault:${options.namespace}:${options.mount}/keys/`;
    this.#client = new VaultClient({ ...options, attemptMs: options.limits.attemptMs });
    this.#token = new VaultToken(this.#client, options.auth, options.clock ?? systemClock);
    this.#calls = new RemoteCalls('vault', options.limits);
  }

  /** See {@link KmsProvider.recognises}. */
  recognises(identifier: string): boolean {
    return identifier.startsWith('vault:') || identifier.startsWith('arn:cqlock:vault:');
  }

  /** See {@link KmsProvider.resolveKey}. Also refuses keys that take no associated data. */
  async resolveKey(identifier: string): Promise<string> {
    const short = `vault:${this.#mount}/keys/`;
    const arn = identifier.startsWith(short)
      ? this.#arnPrefix + identifier.slice(short.length)
      : identifier;
    await this.describeKey(arn);
    return arn;
  }

  /** See {@link KmsProvider.generateDataKey}. */
  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return await dataKeyMadeHere(this, keyArn, context);
  }

  /** See {@link KmsProvider.encrypt}. */
  async encrypt(
    keyArn: string,
    plaintext: Uint8Array,
    context: EncryptionContext,
  ): Promise<Uint8Array> {
    if (plaintext.length > MAX_PLAINTEXT_BYTES) {
      throw new InvalidRequestError(`the KMS encrypts at most ${MAX_PLAINTEXT_BYTES} bytes`);
    }
    const name = this.#keyName(keyArn);
    return await this.#run(async (signal) => {
      // Transit makes a key that is not there where the proxy may create; so it must be there first.
      await this.#usableKey(keyArn, signal);
      const answer = await this.#ask(keyArn, 'POST', `${this.#mount}/encrypt/${name}`, signal, {
        plaintext: base64(plaintext),
        associated_data: base64(encodeContext(context)),
      });
      const ciphertext = objectField(answer.body, 'data')['ciphertext'];
      if (answer.status !== 200) throw await this.#refused(keyArn, answer, signal);
      if (typeof ciphertext !== 'string' || !BLOB.test(ciphertext)) throw strange(keyArn);
      return Buffer.from(ciphertext, 'latin1');
    });
  }

  /** See {@link KmsProvider.decrypt}. */
  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    const name = this.#keyName(keyArn);
    return await this.#run(async (signal) => {
      const ciphertext = Buffer.from(blob).toString('latin1');
      const isWhole = isCanonical(ciphertext);
      // A blob that is malformed is told apart only once the key is known to be usable.
      if (!isWhole) {
        await this.#usableKey(keyArn, signal);
        throw mismatch(keyArn);
      }
      const answer = await this.#ask(keyArn, 'POST', `${this.#mount}/decrypt/${name}`, signal, {
        ciphertext,
        associated_data: base64(encodeContext(context)),
      });
      if (answer.status !== 200) throw await this.#refused(keyArn, answer, signal);
      const text = objectField(answer.body, 'data')['plaintext'];
      if (typeof text !== 'string') throw strange(keyArn);
      const length = Buffer.byteLength(text, 'base64');
      const plaintext = Buffer.allocUnsafeSlow(length);
      plaintext.write(text, 'base64');
      return plaintext;
    });
  }

  /** See {@link KmsProvider.reEncrypt}. Transit's `rewrap` takes no associated data, so the plaintext passes through here. */
  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    return await reEncryptedHere(this, source, blob, target);
  }

  /** See {@link KmsProvider.describeKey}. A key deleted softly counts as disabled: it can be restored. */
  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    this.#keyName(keyArn);
    const state = await this.#run((signal) => this.#stateOf(keyArn, signal));
    return { keyArn, state, serviceOwned: false, description: '', deletionAtMs: undefined };
  }

  /** See {@link KmsProvider.createGrant}. Vault has policies instead. */
  async createGrant(): Promise<string | undefined> {
    return undefined;
  }

  /** See {@link KmsProvider.retireGrant}. */
  async retireGrant(): Promise<void> {}

  #keyName(keyArn: string): string {
    const name = keyArn.startsWith(this.#arnPrefix) ? keyArn.slice(this.#arnPrefix.length) : '';
    if (!NAME.test(name)) throw notFound(keyArn);
    return name;
  }

  async #run<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await this.#calls.run(
      call,
      (error) =>
        new KeyUnavailableError('KEY_UNAVAILABLE', 'the call of Vault failed', { cause: error }),
    );
  }

  async #usableKey(keyArn: string, signal: AbortSignal): Promise<void> {
    if ((await this.#stateOf(keyArn, signal)) === 'disabled') throw disabled(keyArn);
  }

  async #stateOf(keyArn: string, signal: AbortSignal): Promise<'enabled' | 'disabled'> {
    const name = this.#keyName(keyArn);
    const answer = await this.#ask(keyArn, 'GET', `${this.#mount}/keys/${name}`, signal);
    if (answer.status === 404) throw notFound(keyArn);
    if (answer.status !== 200) throw config(keyArn, answer);
    const key = objectField(answer.body, 'data');
    if (typeof key['type'] !== 'string') throw strange(keyArn);
    if (!KEY_TYPES.has(key['type']) || key['derived'] === true) {
      throw new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `the key ${keyArn} is a ${key['derived'] === true ? 'derived ' : ''}key of type ${key['type']}; a table needs one of type aes256-gcm96`,
      );
    }
    return key['soft_deleted'] === true ? 'disabled' : 'enabled';
  }

  /** One request with the token; a token that Vault does not know any more is got anew once. */
  async #ask(
    keyArn: string,
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    body?: Readonly<Record<string, string>>,
  ): Promise<VaultAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const token = await this.#token.get(signal);
      const options = body === undefined ? { token, signal } : { token, signal, body };
      const answer = await this.#client.ask(method, path, options);
      if (answer.status !== 403) return answer;
      // Vault says the same for a token that has ended and for a key that the policies do not allow.
      if (await this.#token.isKnown(token, signal)) {
        throw new KeyAccessError(
          'KEY_ACCESS_DENIED',
          `Vault's policies do not allow the proxy to use the key ${keyArn}`,
        );
      }
      if (attempt === 2) throw config(keyArn, answer);
    }
  }

  /** What a 400 means: the state of the key says more than Vault's words. */
  async #refused(keyArn: string, answer: VaultAnswer, signal: AbortSignal): Promise<ProxyError> {
    const words = answer.errors.join('; ');
    await this.#usableKey(keyArn, signal);
    if (/authentication failed|invalid ciphertext|unable to decrypt|version/i.test(words)) {
      // A version below the key's min_decryption_version: the administrator has taken it away.
      if (/too old|disallowed by policy/i.test(words)) return disabled(keyArn);
      return mismatch(keyArn);
    }
    return config(keyArn, answer);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Base64 has several texts for some bytes; only the one that Transit gives is taken. */
function isCanonical(ciphertext: string): boolean {
  const body = ciphertext.slice(ciphertext.lastIndexOf(':') + 1);
  return BLOB.test(ciphertext) && Buffer.from(body, 'base64').toString('base64') === body;
}

function mismatch(arn: string): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_WRAPPED_KEY',
    `a wrapped key does not belong to the KMS key ${arn} and its encryption context`,
  );
}

function notFound(arn: string): KeyAccessError {
  return new KeyAccessError('KEY_NOT_FOUND', `Vault has no key ${arn} in the mount of the proxy`);
}

function disabled(arn: string): KeyAccessError {
  return new KeyAccessError(
    'KEY_DISABLED',
    `the Vault key ${arn}, or the version that is needed, is not in use any more`,
  );
}

function strange(arn: string): KeyUnavailableError {
  return new KeyUnavailableError(
    'KEY_UNAVAILABLE',
    `what answered about the key ${arn} is not Vault's Transit engine`,
  );
}

function config(arn: string, answer: VaultAnswer): KeyUnavailableError {
  return new KeyUnavailableError(
    'KEY_KMS_CONFIG',
    `Vault does not take the proxy's call about the key ${arn} (status ${answer.status}); look at token, mount and policies`,
  );
}
