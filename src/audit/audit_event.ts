import {
  InvalidRequestError,
  KeyAccessError,
  MetadataIntegrityError,
  toProxyError,
} from '../errors/index.ts';
import type { EncryptionContext, KmsCaller } from '../kms/index.ts';

/** What was asked of the KMS; the names of AWS KMS where it has the operation. */
export type AuditOperation =
  | 'ResolveKey'
  | 'GenerateDataKey'
  | 'Encrypt'
  | 'Decrypt'
  | 'ReEncrypt'
  | 'DescribeKey'
  | 'CreateGrant'
  | 'RetireGrant'
  | 'CreateServiceKey'
  | 'DeleteServiceKey'
  | 'DeleteServiceKeysOf';

/** One use of a KMS key. Names are those of the line in the log. */
export interface AuditEvent {
  /** An {@link AuditOperation}; for calls through the listener any operation of the AWS KMS API, or what was asked for. */
  readonly operation: string;
  /** ARN of the key; what the user wrote where it was not resolved; `null` where there is none. */
  readonly key: string | null;
  /** ARN of the key that ReEncrypt encrypts under; else `null`. */
  readonly target_key: string | null;
  readonly provider: string;
  readonly context: EncryptionContext;
  readonly keyspace: string | null;
  readonly table: string | null;
  /** `listener`: a call through the KMS listener, by the owner of an access key. */
  readonly origin: KmsCaller['origin'] | 'listener';
  readonly principal: string;
  readonly result: 'ok' | 'refused' | 'unavailable';
  /** Code of the error, for calls through the listener the exception of AWS; `null` when `ok`. */
  readonly error: string | null;
  /** Duration of the call, milliseconds. */
  readonly duration_ms: number;
}

/** Where events go. */
export interface AuditSink {
  /**
   * To be asked before a call to the KMS.
   * @throws KeyUnavailableError KEY_AUDIT_LOG when events must be written and cannot be.
   */
  ready(): void;
  /**
   * Notes one event; it is durable when the promise resolves.
   * @throws KeyUnavailableError KEY_AUDIT_LOG when it must be written and was not.
   */
  record(event: AuditEvent): Promise<void>;
}

/** How a call ended: who is refused must not retry, who gets no answer may. */
export function outcomeOf(error: unknown): {
  readonly result: AuditEvent['result'];
  readonly error: string;
} {
  const isRefused =
    error instanceof KeyAccessError ||
    error instanceof MetadataIntegrityError ||
    error instanceof InvalidRequestError;
  return { result: isRefused ? 'refused' : 'unavailable', error: toProxyError(error).code };
}
