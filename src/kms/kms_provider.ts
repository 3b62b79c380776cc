import type { KmsCaller } from './kms_caller.ts';

/** Name–value pairs bound to a wrapped key as associated data; not secret. The same pairs are needed to unwrap. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** A fresh data key: in the clear, and as the KMS wrapped it. */
export interface DataKey {
  /** 32 bytes; the caller owns them and overwrites them after use. */
  readonly plaintext: Uint8Array;
  /** The data key wrapped under the KMS key; opaque outside the provider. */
  readonly blob: Uint8Array;
  /** ARN of the KMS key that was really used. */
  readonly keyArn: string;
}

/** What a KMS tells about one of its keys. */
export interface KmsKeyDescription {
  readonly keyArn: string;
  readonly state: 'enabled' | 'disabled' | 'pending_deletion';
  /** True for service-owned keys, which users neither see nor disable. */
  readonly serviceOwned: boolean;
  readonly description: string;
  /** Milliseconds since the epoch; present only for `pending_deletion`. */
  readonly deletionAtMs: number | undefined;
}

/** What a service-owned key is made for. */
export type ServiceKeyPurpose = 'catalog' | 'table';

/** What a grant allows; the terms of AWS KMS (CreateGrant). */
export interface GrantRequest {
  /** Unique for a table and use, so that a second call with it makes no second grant. */
  readonly name: string;
  readonly operations: readonly ('Decrypt' | 'Encrypt' | 'GenerateDataKey' | 'DescribeKey')[];
  /** Pairs that the encryption context of a call must hold (EncryptionContextSubset). */
  readonly contextSubset: EncryptionContext;
}

/**
 * One key management service.
 *
 * Every method rejects with {@link KeyAccessError} when the KMS refuses (`KEY_DISABLED`, `KEY_PENDING_DELETION`,
 * `KEY_NOT_FOUND`, `KEY_ACCESS_DENIED`), with {@link KeyUnavailableError} when it does not answer, and `decrypt` and
 * `reEncrypt` with {@link MetadataIntegrityError} when blob and context do not belong together.
 */
export interface KmsProvider {
  /** Name of the provider as records keep it: `embedded`, `aws`, `vault`, `pkcs11`, `kmip`. */
  readonly name: string;
  /** The same provider for calls that `caller` causes; absent where nobody notes who calls. */
  onBehalfOf?(caller: KmsCaller): KmsProvider;
  /** Whether an identifier of a user (ARN, alias, URI) has the form of this provider's. Does no I/O. */
  recognises(identifier: string): boolean;
  /** Resolves an identifier of a user to the ARN that records keep; an alias to the key it stands for now. */
  resolveKey(identifier: string): Promise<string>;
  /** Makes a data key of 32 bytes under `keyArn`. */
  generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey>;
  /** Encrypts up to 4096 bytes under `keyArn`. */
  encrypt(keyArn: string, plaintext: Uint8Array, context: EncryptionContext): Promise<Uint8Array>;
  /** Decrypts a blob; `keyArn` MUST be the key it was made with. The caller owns the returned bytes. */
  decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array>;
  /** Decrypts under one key and context and encrypts under another, without the plaintext leaving the KMS where it can. */
  reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array>;
  /** Tells the state of a key. */
  describeKey(keyArn: string): Promise<KmsKeyDescription>;
  /** Makes a grant and returns its id; `undefined` where the KMS knows no grants. */
  createGrant(keyArn: string, request: GrantRequest): Promise<string | undefined>;
  /** Ends a grant. Does nothing when there is no such grant or no such key. */
  retireGrant(keyArn: string, grantId: string): Promise<void>;
}

/** The service-owned keys of the proxy: always the embedded KMS, whatever the customer managed keys are under. */
export interface ServiceKeyProvider extends KmsProvider {
  /** See {@link KmsProvider.onBehalfOf}. */
  onBehalfOf?(caller: KmsCaller): ServiceKeyProvider;
  /**
   * Makes a service-owned key and returns its ARN; the key is durable when the promise resolves.
   * @param owner what the key is for, e.g. the id of a table in hex; `deleteServiceKeysOf` finds it again
   */
  createServiceKey(purpose: ServiceKeyPurpose, description: string, owner: string): Promise<string>;
  /** Destroys a service-owned key at once. Does nothing when there is no such key. */
  deleteServiceKey(keyArn: string): Promise<void>;
  /**
   * Destroys all service-owned keys made for `purpose` and `owner` at once, also ones whose ARN nobody noted.
   * @param except ARNs of keys that stay
   */
  deleteServiceKeysOf(
    purpose: ServiceKeyPurpose,
    owner: string,
    except?: readonly string[],
  ): Promise<void>;
}
