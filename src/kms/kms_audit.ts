import type { EncryptionContext } from './kms_provider.ts';

/** One call of the AWS KMS API of the embedded KMS. Holds no values and no key material. */
export interface KmsAuditEvent {
  /** Name of the operation in AWS KMS; of a request that names none, what it asked for. */
  readonly operation: string;
  /** ARN of the key; undefined where the call is about none, or about one that is not there. */
  readonly keyArn: string | undefined;
  /** ARN of the key that ReEncrypt encrypts under. */
  readonly targetKeyArn: string | undefined;
  readonly context: EncryptionContext | undefined;
  /** ARN of who called; undefined when the caller could not be made out. */
  readonly principal: string | undefined;
  /** `ok`, or the name of the exception or the code of the error. */
  readonly result: string;
  readonly requestId: string;
  readonly durationMs: number;
}

/** Takes one event for every call. What it throws fails the call: what cannot be recorded is not done unseen. */
export interface KmsAuditSink {
  /** Asked before a call; throws when its event could not be recorded. */
  ready(): void;
  /** Resolves when the event is durable; only then the answer is given out. */
  record(event: KmsAuditEvent): Promise<void>;
}

/** Keeps nothing. */
export const noAudit: KmsAuditSink = { ready: () => undefined, record: () => Promise.resolve() };
