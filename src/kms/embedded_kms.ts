import { randomFillSync } from 'node:crypto';
import { InvalidRequestError, KeyAccessError, MetadataIntegrityError } from '../errors/index.ts';
import { systemClock } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import type { KmsAction } from './embedded/actions.ts';
import { authorise } from './embedded/authorise.ts';
import { MAX_PLAINTEXT_BYTES, openBlob, sealBlob } from './embedded/blob.ts';
import { EmbeddedKeys } from './embedded/embedded_keys.ts';
import { deletionCancelled, disabled, enabled, pendingDeletion } from './embedded/key_changes.ts';
import { ARN_PREFIX, arnPrefix, entryOf, isExpired, isKeyUuid } from './embedded/key_lookup.ts';
import { KmsFault } from './embedded/kms_fault.ts';
import { proxyPrincipal } from './embedded/principals.ts';
import type { KmsPrincipal } from './embedded/principals.ts';
import type { KmsKeyEntry } from './key_entry.ts';
import type { KeyStore } from './key_store.ts';
import type {
  DataKey,
  EncryptionContext,
  GrantRequest,
  KmsKeyDescription,
  ServiceKeyProvider,
  ServiceKeyPurpose,
} from './kms_provider.ts';

const DATA_KEY_BYTES = 32;

/** Settings of the embedded KMS. */
export interface EmbeddedKmsOptions {
  readonly store: KeyStore;
  readonly clock?: Clock;
}

/**
 * A KMS inside the proxy, as the proxy itself uses it. KMS keys live in the key store and are used here only. The proxy is a
 * principal like any other: on customer managed keys the key policy or a grant must allow what it does. It records nothing: the
 * proxy wraps it for its audit log, as every provider.
 */
export class EmbeddedKms implements ServiceKeyProvider {
  readonly name = 'embedded';
  readonly #keys: EmbeddedKeys;

  constructor(options: EmbeddedKmsOptions) {
    this.#keys = new EmbeddedKeys(options.store, options.clock ?? systemClock);
  }

  /**
   * See {@link KmsProvider.recognises}. ARNs of this key store by their form; another's may be served to a provider. `alias/…` and bare key ids, which keys of other providers have too,
   * only where the key store has them; it is in memory.
   */
  recognises(identifier: string): boolean {
    if (identifier.startsWith(ARN_PREFIX)) {
      return identifier.startsWith(arnPrefix(this.#keys.state().storeId));
    }
    if (!identifier.startsWith('alias/') && !isKeyUuid(identifier)) return false;
    const key = this.#keys.find(identifier);
    return key !== undefined && !key.serviceOwned;
  }

  /** See {@link KmsProvider.resolveKey}. Service-owned keys are not there for users. */
  async resolveKey(identifier: string): Promise<string> {
    const key = this.#keys.find(identifier);
    if (key === undefined || key.serviceOwned) throw notFound(identifier);
    return key.arn;
  }

  /** See {@link KmsProvider.createGrant}. Service-owned keys have no policy and need no grants. */
  async createGrant(keyArn: string, request: GrantRequest): Promise<string | undefined> {
    return await answered(async () => {
      const key = this.#usableKey(keyArn, 'CreateGrant', request.contextSubset);
      if (key.serviceOwned) return undefined;
      const grant = await this.#keys.grants.create(keyArn, {
        name: request.name,
        grantee: this.#caller().principal,
        retiring: this.#caller().principal,
        operations: request.operations,
        constraints: { subset: request.contextSubset },
      });
      return grant.id;
    });
  }

  /** See {@link KmsProvider.retireGrant}. */
  async retireGrant(keyArn: string, grantId: string): Promise<void> {
    await answered(async () => {
      if (entryOf(this.#keys.state().keys, keyArn) === undefined) return;
      const grant = this.#keys.grants.find(keyArn, grantId);
      if (grant === undefined) return;
      if (grant.retiring !== this.#caller().principal) {
        throw new KeyAccessError(
          'KEY_ACCESS_DENIED',
          `the grant ${grantId} of the key ${keyArn} is not one that the proxy may retire`,
        );
      }
      await this.#keys.grants.remove(keyArn, grantId);
    });
  }

  /** See {@link KmsProvider.generateDataKey}. */
  async generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return await answered(async () => {
      const key = await this.#sealingKey(keyArn, 'GenerateDataKey', context);
      const plaintext = Buffer.allocUnsafeSlow(DATA_KEY_BYTES);
      randomFillSync(plaintext);
      return { plaintext, blob: sealBlob(key, plaintext, context), keyArn };
    });
  }

  /** See {@link KmsProvider.encrypt}. */
  async encrypt(
    keyArn: string,
    plaintext: Uint8Array,
    context: EncryptionContext,
  ): Promise<Uint8Array> {
    return await answered(async () =>
      this.#seal(await this.#sealingKey(keyArn, 'Encrypt', context), plaintext, context),
    );
  }

  /** See {@link KmsProvider.decrypt}. */
  async decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return await answered(async () =>
      this.#open(this.#usableKey(keyArn, 'Decrypt', context), blob, context),
    );
  }

  /** See {@link KmsProvider.reEncrypt}. */
  async reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    const plaintext = await answered(async () =>
      this.#open(
        this.#usableKey(source.keyArn, 'ReEncryptFrom', source.context),
        blob,
        source.context,
      ),
    );
    try {
      return await answered(async () =>
        this.#seal(
          await this.#sealingKey(target.keyArn, 'ReEncryptTo', target.context),
          plaintext,
          target.context,
        ),
      );
    } finally {
      plaintext.fill(0);
    }
  }

  /** See {@link KmsProvider.describeKey}. */
  async describeKey(keyArn: string): Promise<KmsKeyDescription> {
    return await answered(async () => {
      const key = this.#key(keyArn);
      this.#allow(key, 'DescribeKey', {});
      return {
        keyArn: key.arn,
        state: key.state,
        serviceOwned: key.serviceOwned,
        description: key.description,
        deletionAtMs: key.deletionAtMs ?? undefined,
      };
    });
  }

  /** See {@link ServiceKeyProvider.createServiceKey}. */
  async createServiceKey(
    purpose: ServiceKeyPurpose,
    description: string,
    owner: string,
  ): Promise<string> {
    const about = { serviceOwned: true, purpose, description, owner };
    return await answered(async () => (await this.#keys.create(about)).arn);
  }

  /** Makes a customer managed key with the default policy and returns its ARN. */
  async createCustomerKey(description: string): Promise<string> {
    const about = { serviceOwned: false, purpose: 'customer', description, owner: '' };
    return await answered(async () => (await this.#keys.create(about)).arn);
  }

  /** Disables a customer managed key, or enables it again; also takes a pending deletion back when enabling. */
  async setKeyEnabled(keyArn: string, isEnabled: boolean): Promise<void> {
    await answered(() =>
      this.#change(keyArn, (key) => {
        if (!isEnabled) return disabled(key);
        return enabled(key.state === 'pending_deletion' ? deletionCancelled(key) : key);
      }),
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
    await answered(() =>
      this.#change(keyArn, (key) => pendingDeletion(key, days, this.#keys.clock.nowMs())),
    );
  }

  /** See {@link ServiceKeyProvider.deleteServiceKey}. */
  async deleteServiceKey(keyArn: string): Promise<void> {
    await answered(async () => {
      const key = entryOf(this.#keys.state().keys, keyArn);
      if (key !== undefined && !key.serviceOwned) {
        throw new KeyAccessError(
          'KEY_ACCESS_DENIED',
          `the key ${keyArn} is a customer managed key; it can only be scheduled for deletion`,
        );
      }
      await this.#keys.remove((other) => other.arn === keyArn && other.serviceOwned);
    });
  }

  /** See {@link ServiceKeyProvider.deleteServiceKeysOf}. */
  async deleteServiceKeysOf(
    purpose: ServiceKeyPurpose,
    owner: string,
    except: readonly string[] = [],
  ): Promise<void> {
    await answered(() =>
      this.#keys.remove(
        (key) =>
          key.serviceOwned &&
          key.purpose === purpose &&
          key.owner === owner &&
          !except.includes(key.arn),
      ),
    );
  }

  #caller(): KmsPrincipal {
    const principal = proxyPrincipal(this.#keys.state().storeId);
    return { principal, actions: ['kms:*'], isOperator: false };
  }

  async #change(keyArn: string, change: (key: KmsKeyEntry) => KmsKeyEntry): Promise<void> {
    await this.#keys.change(keyArn, (key) => {
      if (key.serviceOwned) {
        throw new KeyAccessError('KEY_ACCESS_DENIED', `the key ${keyArn} is service-owned`);
      }
      return change(key);
    });
  }

  #seal(key: KmsKeyEntry, plaintext: Uint8Array, context: EncryptionContext): Uint8Array {
    if (plaintext.length > MAX_PLAINTEXT_BYTES) {
      throw new InvalidRequestError(`the KMS encrypts at most ${MAX_PLAINTEXT_BYTES} bytes`);
    }
    return sealBlob(key, plaintext, context);
  }

  #open(key: KmsKeyEntry, blob: Uint8Array, context: EncryptionContext): Uint8Array {
    const plaintext = openBlob(key, blob, context);
    if (plaintext !== undefined) return plaintext;
    throw new MetadataIntegrityError(
      'METADATA_WRAPPED_KEY',
      `a wrapped key does not belong to the KMS key ${key.arn} and its encryption context`,
    );
  }

  #key(keyArn: string): KmsKeyEntry {
    const key = entryOf(this.#keys.state().keys, keyArn);
    if (key === undefined || isExpired(key, this.#keys.clock.nowMs())) throw notFound(keyArn);
    return key;
  }

  #usableKey(keyArn: string, action: KmsAction, context: EncryptionContext): KmsKeyEntry {
    const key = this.#key(keyArn);
    this.#allow(key, action, context);
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

  /** A usable key with its newest material. */
  async #sealingKey(
    keyArn: string,
    action: KmsAction,
    context: EncryptionContext,
  ): Promise<KmsKeyEntry> {
    return await this.#keys.rotateWhenDue(this.#usableKey(keyArn, action, context));
  }

  #allow(key: KmsKeyEntry, action: KmsAction, context: EncryptionContext): void {
    if (key.serviceOwned) return;
    const use = { caller: this.#caller(), action, key, context };
    authorise(use, this.#keys.state().storeId, this.#keys.grants);
  }
}

/** Runs a call and gives its errors the classes of the provider interface. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof KmsFault ? providerError(error) : error;
  }
}

/** The same refusal as callers of providers know it. */
function providerError(fault: KmsFault): KeyAccessError {
  const code = fault.exception === 'KMSInvalidStateException' ? 'KEY_PENDING_DELETION' : fault.code;
  return new KeyAccessError(code as `KEY_${string}`, fault.message);
}

function notFound(identifier: string): KeyAccessError {
  return new KeyAccessError('KEY_NOT_FOUND', `the KMS has no key ${identifier}`);
}
