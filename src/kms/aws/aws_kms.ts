import {
  CreateGrantCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ReEncryptCommand,
  RetireGrantCommand,
} from '@aws-sdk/client-kms';
import type { KeyMetadata } from '@aws-sdk/client-kms';
import {
  InvalidRequestError,
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
} from '../../errors/index.ts';
import type { ProxyError } from '../../errors/index.ts';
import type {
  DataKey,
  EncryptionContext,
  GrantRequest,
  KmsKeyDescription,
  KmsProvider,
} from '../kms_provider.ts';
import { RemoteCalls } from '../remote_calls.ts';
import type { RemoteCallLimits } from '../remote_calls.ts';
import { awsError, awsStateError, isNotFound, isStateError } from './aws_errors.ts';
import { isBareAwsName, isServedArn, parseAwsArn } from './aws_identifiers.ts';

const DATA_KEY_BYTES = 32;
const MAX_PLAINTEXT_BYTES = 4096;

/** Settings of the provider; what is undefined comes from where AWS's SDK looks (environment, profile, instance). */
export interface AwsKmsOptions {
  /** Region of aliases and key ids without one; an ARN has its own. */
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** ARN of the principal that grants are made to; without it no grants are made. */
  readonly granteePrincipal: string | undefined;
  /** Whether aliases and key ids without Region are keys of this provider. */
  readonly takesBareNames: boolean;
  readonly limits: RemoteCallLimits;
}

/** AWS KMS. Records keep key ARNs; calls go to the Region of the ARN; every decryption names its key. */
export class AwsKms implements KmsProvider {
  readonly name = 'aws';
  readonly #options: AwsKmsOptions;
  readonly #calls: RemoteCalls;
  /** One client a Region; the empty name is the Region of the settings. */
  readonly #clients = new Map<string, KMSClient>();

  constructor(options: AwsKmsOptions) {
    this.#options = options;
    this.#calls = new RemoteCalls('aws', options.limits);
  }

  /** See {@link KmsProvider.recognises}. With an endpoint of its own also keys of an embedded KMS, which that may be. */
  recognises(identifier: string): boolean {
    if (/^arn:aws[a-z-]*:kms:/.test(identifier)) return true;
    if (this.#options.endpoint !== undefined && isServedArn(identifier)) return true;
    return this.#options.takesBareNames && isBareAwsName(identifier);
  }

  /** See {@link KmsProvider.resolveKey}. Also refuses keys that are not for symmetric encryption. */
  async resolveKey(identifier: string): Promise<string> {
    const parsed = parseAwsArn(identifier);
    if (parsed === undefined && !isBareAwsName(identifier)) throw notFound(identifier);
    const key = await this.#describe(identifier, parsed?.region ?? '');
    if (key.KeyUsage !== 'ENCRYPT_DECRYPT' || key.KeySpec !== 'SYMMETRIC_DEFAULT') {
      throw new KeyAccessError(
        'KEY_ACCESS_DENIED',
        `the key ${key.Arn} is of kind ${key.KeySpec ?? 'unknown'} for ${key.KeyUsage ?? 'an unknown use'}; a table needs a symmetric encryption key`,
      );
    }
    return key.Arn;
  }

  /** See {@link KmsProvider.generateDataKey}. */
  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return await this.#call(keyArn, [keyArn], async (client, abortSignal) => {
      const command = new GenerateDataKeyCommand({
        KeyId: keyArn,
        KeySpec: 'AES_256',
        EncryptionContext: { ...context },
      });
      const { Plaintext, CiphertextBlob, KeyId } = await client.send(command, { abortSignal });
      if (Plaintext?.length !== DATA_KEY_BYTES || CiphertextBlob === undefined) {
        throw strangeAnswer('GenerateDataKey', keyArn);
      }
      if (KeyId !== keyArn) throw strangeAnswer('GenerateDataKey', keyArn);
      return { plaintext: owned(Plaintext), blob: CiphertextBlob, keyArn };
    });
  }

  /** See {@link KmsProvider.encrypt}. AWS KMS encrypts no empty plaintext. */
  async encrypt(
    keyArn: string,
    plaintext: Uint8Array,
    context: EncryptionContext,
  ): Promise<Uint8Array> {
    if (plaintext.length > MAX_PLAINTEXT_BYTES || plaintext.length === 0) {
      throw new InvalidRequestError(`AWS KMS encrypts from 1 to ${MAX_PLAINTEXT_BYTES} bytes`);
    }
    return await this.#call(keyArn, [keyArn], async (client, abortSignal) => {
      const command = new EncryptCommand({
        KeyId: keyArn,
        Plaintext: plaintext,
        EncryptionContext: { ...context },
      });
      const { CiphertextBlob, KeyId } = await client.send(command, { abortSignal });
      if (CiphertextBlob === undefined || KeyId !== keyArn) throw strangeAnswer('Encrypt', keyArn);
      return CiphertextBlob;
    });
  }

  /** See {@link KmsProvider.decrypt}. */
  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return await this.#call(keyArn, [keyArn], async (client, abortSignal) => {
      if (blob.length === 0) throw mismatch(keyArn);
      const command = new DecryptCommand({
        KeyId: keyArn,
        CiphertextBlob: blob,
        EncryptionContext: { ...context },
      });
      const { Plaintext, KeyId } = await client.send(command, { abortSignal });
      if (Plaintext === undefined || KeyId !== keyArn) throw strangeAnswer('Decrypt', keyArn);
      return owned(Plaintext);
    });
  }

  /** See {@link KmsProvider.reEncrypt}. Between Regions, which AWS KMS cannot do in one call, it decrypts and encrypts. */
  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    if (parseAwsArn(source.keyArn)?.region !== parseAwsArn(target.keyArn)?.region) {
      const plaintext = await this.decrypt(source.keyArn, blob, source.context);
      try {
        return await this.encrypt(target.keyArn, plaintext, target.context);
      } finally {
        plaintext.fill(0);
      }
    }
    const keys = [source.keyArn, target.keyArn];
    return await this.#call(target.keyArn, keys, async (client, abortSignal) => {
      const command = new ReEncryptCommand({
        SourceKeyId: source.keyArn,
        SourceEncryptionContext: { ...source.context },
        CiphertextBlob: blob,
        DestinationKeyId: target.keyArn,
        DestinationEncryptionContext: { ...target.context },
      });
      const answer = await client.send(command, { abortSignal });
      if (answer.SourceKeyId !== source.keyArn) throw strangeAnswer('ReEncrypt', source.keyArn);
      if (answer.CiphertextBlob === undefined || answer.KeyId !== target.keyArn) {
        throw strangeAnswer('ReEncrypt', target.keyArn);
      }
      return answer.CiphertextBlob;
    });
  }

  /** See {@link KmsProvider.describeKey}. */
  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    const parsed = parseAwsArn(keyArn);
    if (parsed?.resource !== 'key') throw notFound(keyArn);
    const key = await this.#describe(keyArn, parsed.region);
    const state = describedState(key.KeyState);
    if (state === undefined) throw awsStateError(key.KeyState, keyArn);
    return {
      keyArn: key.Arn,
      state,
      serviceOwned: false,
      description: key.Description ?? '',
      deletionAtMs: state === 'pending_deletion' ? key.DeletionDate?.getTime() : undefined,
    };
  }

  /** See {@link KmsProvider.createGrant}. A second call with the same name gives the same grant. */
  async createGrant(keyArn: string, request: GrantRequest): Promise<string | undefined> {
    const { granteePrincipal } = this.#options;
    if (granteePrincipal === undefined) return undefined;
    return await this.#call(keyArn, [keyArn], async (client, abortSignal) => {
      const command = new CreateGrantCommand({
        KeyId: keyArn,
        Name: request.name,
        GranteePrincipal: granteePrincipal,
        RetiringPrincipal: granteePrincipal,
        Operations: [...request.operations],
        Constraints: { EncryptionContextSubset: { ...request.contextSubset } },
      });
      const { GrantId } = await client.send(command, { abortSignal });
      if (GrantId === undefined) throw strangeAnswer('CreateGrant', keyArn);
      return GrantId;
    });
  }

  /** See {@link KmsProvider.retireGrant}. */
  async retireGrant(keyArn: string, grantId: string): Promise<void> {
    if (parseAwsArn(keyArn)?.resource !== 'key') return;
    await this.#call(keyArn, [keyArn], async (client, abortSignal) => {
      const command = new RetireGrantCommand({ KeyId: keyArn, GrantId: grantId });
      try {
        await client.send(command, { abortSignal });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    });
  }

  /** Calls the Region of `keyArn`; `keys` are those whose state may be why AWS refuses. */
  async #call<T>(
    keyArn: string,
    keys: readonly string[],
    call: (client: KMSClient, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    for (const key of keys) if (parseAwsArn(key)?.resource !== 'key') throw notFound(key);
    const client = this.#client(parseAwsArn(keyArn)?.region ?? '');
    return await this.#calls.run(
      (signal) => call(client, signal),
      async (error) =>
        isStateError(error)
          ? await this.#stateError(keys, error)
          : awsError(error, keys.join(' or ')),
    );
  }

  /** The names of the two errors do not tell disabled from pending deletion; the keys themselves do. */
  async #stateError(keys: readonly string[], error: unknown): Promise<ProxyError> {
    for (const arn of keys) {
      let state: string | undefined;
      try {
        const client = this.#client(parseAwsArn(arn)?.region ?? '');
        const answer = await client.send(new DescribeKeyCommand({ KeyId: arn }));
        state = answer.KeyMetadata?.KeyState;
      } catch {
        // Not allowed, or no answer: what the first error says must do.
        continue;
      }
      if (state !== undefined && state !== 'Enabled') return awsStateError(state, arn, error);
    }
    return awsError(error, keys.join(' or '));
  }

  async #describe(
    identifier: string,
    region: string,
  ): Promise<KeyMetadata & { readonly Arn: string }> {
    const client = this.#client(region);
    return await this.#calls.run(
      async (abortSignal) => {
        const command = new DescribeKeyCommand({ KeyId: identifier });
        const { KeyMetadata: key } = await client.send(command, { abortSignal });
        const arn = key?.Arn;
        if (key === undefined || arn === undefined || parseAwsArn(arn)?.resource !== 'key') {
          throw strangeAnswer('DescribeKey', identifier);
        }
        return { ...key, Arn: arn };
      },
      (error) => awsError(error, identifier),
    );
  }

  #client(region: string): KMSClient {
    const known = this.#clients.get(region);
    if (known !== undefined) return known;
    const { endpoint, limits } = this.#options;
    const chosen = region === '' ? this.#options.region : region;
    const client = new KMSClient({
      ...(chosen === undefined ? {} : { region: chosen }),
      ...(endpoint === undefined ? {} : { endpoint }),
      // Retries are those of RemoteCalls.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: limits.attemptMs,
        requestTimeout: limits.attemptMs,
        throwOnRequestTimeout: true,
      },
    });
    this.#clients.set(region, client);
    return client;
  }
}

function describedState(state: string | undefined): KmsKeyDescription['state'] | undefined {
  switch (state) {
    case 'Enabled':
    case 'Updating':
      return 'enabled';
    case 'Disabled':
    case 'PendingImport':
      return 'disabled';
    case 'PendingDeletion':
    case 'PendingReplicaDeletion':
      return 'pending_deletion';
    default:
      return undefined;
  }
}

/** A copy with a buffer of its own, so that the caller can overwrite all of it; what the SDK gave is overwritten here. */
function owned(plaintext: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(plaintext.length);
  copy.set(plaintext);
  plaintext.fill(0);
  return copy;
}

function mismatch(arn: string): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_WRAPPED_KEY',
    `a wrapped key does not belong to the KMS key ${arn} and its encryption context`,
  );
}

function notFound(identifier: string): KeyAccessError {
  return new KeyAccessError(
    'KEY_NOT_FOUND',
    `AWS KMS has no key ${identifier}: it is not the ARN of a key`,
  );
}

function strangeAnswer(operation: string, subject: string): KeyUnavailableError {
  return new KeyUnavailableError(
    'KEY_UNAVAILABLE',
    `what answered ${operation} for the key ${subject} is not AWS KMS`,
  );
}
