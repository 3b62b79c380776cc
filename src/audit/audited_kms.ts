import type {
  DataKey,
  EncryptionContext,
  GrantRequest,
  KmsCaller,
  KmsKeyDescription,
  KmsProvider,
} from '../kms/index.ts';
import type { Clock } from '../util/index.ts';
import type { AuditOperation, AuditSink } from './audit_event.ts';
import { CallAuditor } from './call_auditor.ts';

/** Where calls are counted. */
export interface KmsCallMetrics {
  /** A call ended; `result`: ok, or the code of the error. */
  recordKmsCall(operation: AuditOperation, result: string, durationMs: number): void;
}

/** What a decorator works with. */
export interface AuditedOptions {
  readonly sink: AuditSink;
  readonly clock: Clock;
  readonly metrics: KmsCallMetrics;
  /** The proxy itself if not given. */
  readonly caller?: KmsCaller;
}

/** A provider whose every call leaves one event, also one that fails. An answer whose event cannot be noted is not given out. */
export class AuditedKms implements KmsProvider {
  readonly name: string;
  readonly #provider: KmsProvider;
  readonly #options: AuditedOptions;
  readonly #calls: CallAuditor;

  constructor(provider: KmsProvider, options: AuditedOptions) {
    this.name = provider.name;
    this.#provider = provider;
    this.#options = options;
    this.#calls = new CallAuditor(provider.name, options);
  }

  /** See {@link KmsProvider.onBehalfOf}. */
  onBehalfOf(caller: KmsCaller): AuditedKms {
    return new AuditedKms(this.#provider, { ...this.#options, caller });
  }

  /** See {@link KmsProvider.recognises}. Asks nobody, so it leaves no event. */
  recognises(identifier: string): boolean {
    return this.#provider.recognises(identifier);
  }

  /** See {@link KmsProvider.resolveKey}. */
  resolveKey(identifier: string): Promise<string> {
    return this.#calls.run(
      { operation: 'ResolveKey', key: identifier },
      () => this.#provider.resolveKey(identifier),
      { keyOf: (arn) => arn },
    );
  }

  /** See {@link KmsProvider.generateDataKey}. */
  generateDataKey(keyArn: string, context: EncryptionContext): Promise<DataKey> {
    return this.#calls.run(
      { operation: 'GenerateDataKey', key: keyArn, context },
      () => this.#provider.generateDataKey(keyArn, context),
      { keyOf: (made) => made.keyArn, discard: (made) => made.plaintext.fill(0) },
    );
  }

  /** See {@link KmsProvider.encrypt}. */
  encrypt(keyArn: string, plaintext: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return this.#calls.run({ operation: 'Encrypt', key: keyArn, context }, () =>
      this.#provider.encrypt(keyArn, plaintext, context),
    );
  }

  /** See {@link KmsProvider.decrypt}. */
  decrypt(keyArn: string, blob: Uint8Array, context: EncryptionContext): Promise<Uint8Array> {
    return this.#calls.run(
      { operation: 'Decrypt', key: keyArn, context },
      () => this.#provider.decrypt(keyArn, blob, context),
      { discard: (plaintext) => plaintext.fill(0) },
    );
  }

  /** See {@link KmsProvider.reEncrypt}. One event, with both keys; the context is the target's. */
  reEncrypt(
    source: { readonly keyArn: string; readonly context: EncryptionContext },
    blob: Uint8Array,
    target: { readonly keyArn: string; readonly context: EncryptionContext },
  ): Promise<Uint8Array> {
    return this.#calls.run(
      {
        operation: 'ReEncrypt',
        key: source.keyArn,
        targetKey: target.keyArn,
        context: target.context,
      },
      () => this.#provider.reEncrypt(source, blob, target),
    );
  }

  /** See {@link KmsProvider.describeKey}. */
  describeKey(keyArn: string): Promise<KmsKeyDescription> {
    return this.#calls.run({ operation: 'DescribeKey', key: keyArn }, () =>
      this.#provider.describeKey(keyArn),
    );
  }

  /** See {@link KmsProvider.createGrant}. */
  createGrant(keyArn: string, request: GrantRequest): Promise<string | undefined> {
    return this.#calls.run(
      { operation: 'CreateGrant', key: keyArn, context: request.contextSubset },
      () => this.#provider.createGrant(keyArn, request),
    );
  }

  /** See {@link KmsProvider.retireGrant}. */
  retireGrant(keyArn: string, grantId: string): Promise<void> {
    return this.#calls.run({ operation: 'RetireGrant', key: keyArn }, () =>
      this.#provider.retireGrant(keyArn, grantId),
    );
  }
}
