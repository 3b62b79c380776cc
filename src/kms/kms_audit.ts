import type { EncryptionContext } from './kms_provider.ts';

/** One call of the embedded KMS, by the proxy itself, the listener or the command line. Holds no values and no key material. */
export interface KmsAuditEvent {
  /** Name of the operation in AWS KMS; of a request that names none, what it asked for. */
  readonly operation: string;
  /** ARN of the key; undefined where the call is about none, or about one that is not there. */
  readonly keyArn: string | undefined;
  readonly context: EncryptionContext | undefined;
  /** ARN of who called; undefined when the caller could not be made out. */
  readonly principal: string | undefined;
  /** `ok`, or the name of the exception or the code of the error. */
  readonly result: string;
  readonly requestId: string;
  /** When the call began, milliseconds since the epoch. */
  readonly timeMs: number;
}

/** Takes one event for every call. An error it throws fails the call: what cannot be recorded is not done unseen. */
export interface KmsAuditSink {
  record(event: KmsAuditEvent): void;
}

/** Keeps nothing. */
export const noAudit: KmsAuditSink = { record: () => undefined };
