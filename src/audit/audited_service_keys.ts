import type {
  DataKey,
  EncryptionContext,
  GrantRequest,
  KmsCaller,
  KmsKeyDescription,
  ServiceKeyProvider,
  ServiceKeyPurpose,
} from '../kms/index.ts';
import { AuditedKms } from './audited_kms.ts';
import type { AuditedOptions } from './audited_kms.ts';
import { CallAuditor } from './call_auditor.ts';

/** The provider of the service-owned keys, audited like {@link AuditedKms}. */
export class AuditedServiceKeys implements ServiceKeyProvider {
  readonly name: string;
  readonly #provider: ServiceKeyProvider;
  readonly #options: AuditedOptions;
  readonly #kms: AuditedKms;
  readonly #calls: CallAuditor;

  constructor(provider: ServiceKeyProvider, options: AuditedOptions) {
    this.name = provider.name;
    this.#provider = provider;
    this.#options = options;
    this.#kms = new AuditedKms(provider, options);
    this.#calls = new CallAuditor(provider.name, options);
  }

  /** See {@link ServiceKeyProvider.onBehalfOf}. */
  onBehalfOf(caller: KmsCaller): AuditedServiceKeys {
    return new AuditedServiceKeys(this.#provider, { ...this.#options, caller });
  }

  /** See {@link ServiceKeyProvider.createServiceKey}. */
  createServiceKey(
    purpose: ServiceKeyPurpose,
    description: string,
    owner: string,
  ): Promise<string> {
    return this.#calls.run(
      { operation: 'CreateServiceKey', key: null, context: aboutOwner(purpose, owner) },
      () => this.#provider.createServiceKey(purpose, description, owner),
      { keyOf: (arn) => arn },
    );
  }

  /** See {@link ServiceKeyProvider.deleteServiceKey}. */
  deleteServiceKey(keyArn: string): Promise<void> {
    return this.#calls.run({ operation: 'DeleteServiceKey', key: keyArn }, () =>
      this.#provider.deleteServiceKey(keyArn),
    );
  }

  /** See {@link ServiceKeyProvider.deleteServiceKeysOf}. */
  deleteServiceKeysOf(purpose: ServiceKeyPurpose, owner: string): Promise<void> {
    return this.#calls.run(
      { operation: 'DeleteServiceKeysOf', key: null, context: aboutOwner(purpose, owner) },
      () => this.#provider.deleteServiceKeysOf(purpose, owner),
    );
  }

  /** See {@link AuditedKms.recognises}. */
  recognises(identifier: string): boolean {
    return this.#kms.recognises(identifier);
  }

  /** See {@link AuditedKms.resolveKey}. */
  resolveKey(identifier: string): Promise<string> {
    return this.#kms.resolveKey(identifier);
  }

  /** See {@link AuditedKms.generateDataKey}. */
  generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return this.#kms.generateDataKey(keyArn, context);
  }

  /** See {@link AuditedKms.encrypt}. */
  encrypt(keyArn: string, plaintext: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return this.#kms.encrypt(keyArn, plaintext, context);
  }

  /** See {@link AuditedKms.decrypt}. */
  decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return this.#kms.decrypt(keyArn, blob, context);
  }

  /** See {@link AuditedKms.reEncrypt}. */
  reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    return this.#kms.reEncrypt(source, blob, target);
  }

  /** See {@link AuditedKms.describeKey}. */
  describeKey(keyArn: string): Promise<KmsKeyDescription> {
    return this.#kms.describeKey(keyArn);
  }

  /** See {@link AuditedKms.createGrant}. */
  createGrant(keyArn: string, request: GrantRequest): Promise<string | undefined> {
    return this.#kms.createGrant(keyArn, request);
  }

  /** See {@link AuditedKms.retireGrant}. */
  retireGrant(keyArn: string, grantId: string): Promise<void> {
    return this.#kms.retireGrant(keyArn, grantId);
  }
}

/** A call that names no key has no encryption context; these pairs say what it was about. */
function aboutOwner(purpose: ServiceKeyPurpose, owner: string): EncryptionContext {
  return purpose === 'table'
    ? { 'cqlock:purpose': 'table-key', 'cqlock:table-id': owner }
    : { 'cqlock:purpose': purpose, 'cqlock:cluster': owner };
}
