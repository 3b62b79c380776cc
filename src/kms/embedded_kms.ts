import {
  createCipheriv,
  createDecipheriv,
  randomBytes,
  randomFillSync,
  randomUUID,
} from 'node:crypto';
import { InvalidRequestError, KeyAccessError, MetadataIntegrityError } from '../errors/index.ts';
import { systemClock } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import { encodeContext } from './context_bytes.ts';
import type { KeyStore, KmsKeyEntry } from './key_store.ts';
import type {
  DataKey,
  EncryptionContext,
  KmsKeyDescription,
  ServiceKeyProvider,
  ServiceKeyPurpose,
} from './kms_provider.ts';

const BLOB_VERSION = 1;
const ID_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const DATA_KEY_BYTES = 32;
const MAX_PLAINTEXT_BYTES = 4096;
const DAY_MS = 86_400_000;
const ARN_PREFIX = 'arn:cqlock:kms:';

/** Settings of the embedded KMS. */
export interface EmbeddedKmsOptions {
  readonly store: KeyStore;
  readonly clock?: Clock;
}

/**
 * A KMS inside the proxy. KMS keys live in the key store and are used here only; a blob is
 * version u8 ‖ key id 16 ‖ nonce 12 ‖ AES-256-GCM ciphertext ‖ tag 16, with version, key id and context as associated data.
 */
export class EmbeddedKms implements ServiceKeyProvider {
  readonly name = 'embedded';
  readonly #store: KeyStore;
  readonly #clock: Clock;

  constructor(options: EmbeddedKmsOptions) {
    this.#store = options.store;
    this.#clock = options.clock ?? systemClock;
  }

  /** See {@link KmsProvider.recognises}. */
  recognises(identifier: string): boolean {
    return identifier.startsWith(ARN_PREFIX);
  }

  /** See {@link KmsProvider.resolveKey}. */
  async resolveKey(identifier: string): Promise<string> {
    return this.#key(identifier).arn;
  }

  /** See {@link KmsProvider.createGrant}. */
  async createGrant(): Promise<string | undefined> {
    return undefined;
  }

  /** See {@link KmsProvider.retireGrant}. */
  async retireGrant(): Promise<void> {}

  /** See {@link KmsProvider.generateDataKey}. */
  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    const plaintext = Buffer.allocUnsafeSlow(DATA_KEY_BYTES);
    randomFillSync(plaintext);
    const blob = await this.encrypt(keyArn, plaintext, context);
    return { plaintext, blob, keyArn };
  }

  /** See {@link KmsProvider.encrypt}. */
  async encrypt(
    keyArn: string,
    plaintext: Uint8Array,
    context: EncryptionContext,
  ): Promise<Uint8Array> {
    return seal(this.#usableKey(keyArn), plaintext, context);
  }

  /** See {@link KmsProvider.decrypt}. */
  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return open(this.#usableKey(keyArn), blob, context);
  }

  /** See {@link KmsProvider.reEncrypt}. */
  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    const plaintext = await this.decrypt(source.keyArn, blob, source.context);
    try {
      return await this.encrypt(target.keyArn, plaintext, target.context);
    } finally {
      plaintext.fill(0);
    }
  }

  /** See {@link KmsProvider.describeKey}. */
  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    const key = this.#key(keyArn);
    return {
      keyArn: key.arn,
      state: key.state,
      serviceOwned: key.serviceOwned,
      description: key.description,
      deletionAtMs: key.deletionAtMs ?? undefined,
    };
  }

  /** See {@link ServiceKeyProvider.createServiceKey}. */
  async createServiceKey(
    purpose: ServiceKeyPurpose,
    description: string,
    owner: string,
  ): Promise<string> {
    return await this.#create({ serviceOwned: true, purpose, description, owner });
  }

  /** Makes a customer managed key and returns its ARN. */
  async createCustomerKey(description: string): Promise<string> {
    return await this.#create({ serviceOwned: false, purpose: 'customer', description, owner: '' });
  }

  /** Disables a customer managed key, or enables it again; also takes a pending deletion back when enabling. */
  async setKeyEnabled(keyArn: string, enabled: boolean): Promise<void> {
    await this.#change(keyArn, (key) => {
      if (key.serviceOwned) throw serviceOwned(keyArn);
      return { ...key, state: enabled ? 'enabled' : 'disabled', deletionAtMs: null };
    });
  }

  /** See {@link ServiceKeyProvider.deleteServiceKey}. */
  async deleteServiceKey(keyArn: string): Promise<void> {
    await this.#store.update((state) => {
      const key = entryOf(state.keys, keyArn);
      if (key === undefined) return state;
      if (!key.serviceOwned) {
        throw new KeyAccessError(
          'KEY_ACCESS_DENIED',
          `the key ${keyArn} is a customer managed key; it can only be scheduled for deletion`,
        );
      }
      return { ...state, keys: kept(state.keys, (other) => other.arn !== keyArn) };
    });
  }

  /** See {@link ServiceKeyProvider.deleteServiceKeysOf}. */
  async deleteServiceKeysOf(
    purpose: ServiceKeyPurpose,
    owner: string,
    except: readonly string[] = [],
  ): Promise<void> {
    const isTheirs = (key: KmsKeyEntry): boolean =>
      key.serviceOwned &&
      key.purpose === purpose &&
      key.owner === owner &&
      !except.includes(key.arn);
    await this.#store.update((state) =>
      Object.values(state.keys).some(isTheirs)
        ? { ...state, keys: kept(state.keys, (key) => !isTheirs(key)) }
        : state,
    );
  }

  /**
   * Starts the waiting period after which a customer managed key is destroyed.
   * @param days 7 to 30
   */
  async scheduleDeletion(keyArn: string, days: number): Promise<void> {
    if (!Number.isInteger(days) || days < 7 || days > 30) {
      throw new InvalidRequestError('the waiting period of a key deletion is 7 to 30 days');
    }
    const deletionAtMs = this.#clock.nowMs() + days * DAY_MS;
    await this.#change(keyArn, (key) => ({ ...key, state: 'pending_deletion', deletionAtMs }));
  }

  async #create(
    about: Pick<KmsKeyEntry, 'serviceOwned' | 'purpose' | 'description' | 'owner'>,
  ): Promise<string> {
    const id = randomBytes(ID_BYTES);
    const material = randomBytes(32);
    let arn = '';
    await this.#store.update((state) => {
      arn = `arn:cqlock:kms:local:${state.storeId}:key/${randomUUID()}`;
      const entry: KmsKeyEntry = {
        arn,
        id: id.toString('hex'),
        state: 'enabled',
        ...about,
        createdAtMs: this.#clock.nowMs(),
        deletionAtMs: null,
        material: material.toString('base64'),
      };
      return { ...state, keys: { ...this.#unexpired(state.keys), [arn]: entry } };
    });
    material.fill(0);
    return arn;
  }

  async #change(keyArn: string, change: (key: KmsKeyEntry) => KmsKeyEntry): Promise<void> {
    await this.#store.update((state) => {
      const keys = this.#unexpired(state.keys);
      const key = entryOf(keys, keyArn);
      if (key === undefined) throw notFound(keyArn);
      return { ...state, keys: { ...keys, [keyArn]: change(key) } };
    });
  }

  /** A key past its waiting period is destroyed with the next change of any key, and never comes back. */
  #unexpired(keys: Readonly<Record<string, KmsKeyEntry>>): Record<string, KmsKeyEntry> {
    return kept(keys, (key) => !this.#isExpired(key));
  }

  #isExpired(key: KmsKeyEntry): boolean {
    return key.deletionAtMs !== null && key.deletionAtMs <= this.#clock.nowMs();
  }

  #key(keyArn: string): KmsKeyEntry {
    const key = entryOf(this.#store.read().keys, keyArn);
    // A key past its waiting period counts as gone even before its entry is removed.
    if (key === undefined || this.#isExpired(key)) throw notFound(keyArn);
    return key;
  }

  #usableKey(keyArn: string): KmsKeyEntry {
    const key = this.#key(keyArn);
    switch (key.state) {
      case 'enabled':
        return key;
      case 'disabled':
        throw new KeyAccessError('KEY_DISABLED', `the KMS key ${keyArn} is disabled`);
      case 'pending_deletion':
        throw new KeyAccessError(
          'KEY_PENDING_DELETION',
          `the KMS key ${keyArn} is scheduled for deletion`,
        );
    }
  }
}

function seal(key: KmsKeyEntry, plaintext: Uint8Array, context: EncryptionContext): Uint8Array {
  if (plaintext.length > MAX_PLAINTEXT_BYTES) {
    throw new InvalidRequestError(`the KMS encrypts at most ${MAX_PLAINTEXT_BYTES} bytes`);
  }
  const head = Buffer.concat([Buffer.of(BLOB_VERSION), Buffer.from(key.id, 'hex')]);
  const nonce = randomBytes(NONCE_BYTES);
  const material = Buffer.from(key.material, 'base64');
  const cipher = createCipheriv('aes-256-gcm', material, nonce);
  material.fill(0);
  cipher.setAAD(Buffer.concat([head, encodeContext(context)]));
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([head, nonce, body, cipher.getAuthTag()]);
}

function open(key: KmsKeyEntry, blob: Uint8Array, context: EncryptionContext): Uint8Array {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const bodyStart = 1 + ID_BYTES + NONCE_BYTES;
  if (bytes.length < bodyStart + TAG_BYTES || bytes[0] !== BLOB_VERSION) throw mismatch(key.arn);
  const head = bytes.subarray(0, 1 + ID_BYTES);
  if (head.toString('hex', 1) !== key.id) throw mismatch(key.arn);
  const material = Buffer.from(key.material, 'base64');
  const decipher = createDecipheriv(
    'aes-256-gcm',
    material,
    bytes.subarray(1 + ID_BYTES, bodyStart),
    { authTagLength: TAG_BYTES },
  );
  material.fill(0);
  decipher.setAAD(Buffer.concat([head, encodeContext(context)]));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const body = decipher.update(bytes.subarray(bodyStart, bytes.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    body.fill(0);
    throw mismatch(key.arn);
  }
  const plaintext = Buffer.allocUnsafeSlow(body.length);
  body.copy(plaintext);
  body.fill(0);
  return plaintext;
}

/** An ARN may be any text, also a name that every object has. */
function entryOf(
  keys: Readonly<Record<string, KmsKeyEntry>>,
  arn: string,
): KmsKeyEntry | undefined {
  return Object.hasOwn(keys, arn) ? keys[arn] : undefined;
}

function kept(
  keys: Readonly<Record<string, KmsKeyEntry>>,
  isKept: (key: KmsKeyEntry) => boolean,
): Record<string, KmsKeyEntry> {
  return Object.fromEntries(Object.entries(keys).filter(([, key]) => isKept(key)));
}

function mismatch(arn: string): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_WRAPPED_KEY',
    `a wrapped key does not belong to the KMS key ${arn} and its encryption context`,
  );
}

function notFound(arn: string): KeyAccessError {
  return new KeyAccessError('KEY_NOT_FOUND', `the KMS has no key ${arn}`);
}

function serviceOwned(arn: string): KeyAccessError {
  return new KeyAccessError('KEY_ACCESS_DENIED', `the key ${arn} is service-owned`);
}
