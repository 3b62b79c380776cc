import { CqlErrorCode } from './cql_error_code.ts';

/** What the CQL ERROR for this error looks like beside its code and message. */
export interface ProxyErrorOptions {
  /** The underlying error; goes to the log, never to the client. */
  readonly cause?: unknown;
  /** Bytes that follow code and message in the ERROR body, e.g. the statement id of UNPREPARED. */
  readonly extra?: Uint8Array;
}

/** Base of every error the proxy raises on purpose. */
export abstract class ProxyError extends Error {
  /** Stable identifier: log field, metric label, anchor in docs/errors.md. */
  readonly code: string;
  /** Code of the CQL ERROR that the client gets. */
  readonly cqlCode: CqlErrorCode;
  /** Bytes after code and message in the ERROR body. */
  readonly extra: Uint8Array | undefined;

  constructor(code: string, cqlCode: CqlErrorCode, message: string, options?: ProxyErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.cqlCode = cqlCode;
    this.extra = options?.extra;
  }
}

/** A setting is missing or wrong; names the setting. Start-up only. */
export class ConfigError extends ProxyError {
  constructor(code: `CONFIG_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.SERVER_ERROR, message, options);
  }
}

/** The peer broke the native protocol: ERROR 0x000A, then the connection is closed. */
export class ProtocolError extends ProxyError {
  constructor(code: `PROTOCOL_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.PROTOCOL_ERROR, message, options);
  }
}

/** The statement is not CQL: ERROR 0x2000. */
export class CqlSyntaxError extends ProxyError {
  constructor(message: string, options?: ProxyErrorOptions) {
    super('STATEMENT_SYNTAX', CqlErrorCode.SYNTAX_ERROR, message, options);
  }
}

/** Cassandra would refuse the statement too: ERROR 0x2200 (or another code of Cassandra's). */
export class InvalidRequestError extends ProxyError {
  constructor(message: string, cqlCode: CqlErrorCode = CqlErrorCode.INVALID) {
    super('STATEMENT_INVALID', cqlCode, message);
  }
}

/**
 * A function of the statement failed on the values of a row or an execution, as it would in Cassandra: ERROR 0x1400 or, where
 * Cassandra has no better one, 0x0000.
 */
export class FunctionExecutionError extends ProxyError {
  constructor(message: string, cqlCode: CqlErrorCode, options?: ProxyErrorOptions) {
    super('STATEMENT_FUNCTION', cqlCode, message, options);
  }
}

/** Understood, but not possible through the proxy (yet): ERROR 0x2200; the message names what and why. */
export class UnsupportedStatementError extends ProxyError {
  constructor(message: string) {
    super('STATEMENT_UNSUPPORTED', CqlErrorCode.INVALID, message);
  }
}

/** The statement id is not known: ERROR 0x2500, the driver prepares again. */
export class UnpreparedError extends ProxyError {
  constructor(id: Uint8Array, message: string) {
    const extra = new Uint8Array(2 + id.length);
    extra[0] = id.length >> 8;
    extra[1] = id.length & 0xff;
    extra.set(id, 2);
    super('STATEMENT_UNPREPARED', CqlErrorCode.UNPREPARED, message, { extra });
  }
}

/** The table is not known to the proxy, or its stored schema differs from the record: ERROR 0x2200. */
export class SchemaError extends ProxyError {
  constructor(code: `SCHEMA_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.INVALID, message, options);
  }
}

/** Records or root fail authentication, are missing or older than seen before: ERROR 0x0000 on reads and writes. */
export class MetadataIntegrityError extends ProxyError {
  constructor(code: `METADATA_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.SERVER_ERROR, message, options);
  }
}

/**
 * A stored value is malformed or fails authentication: ERROR 0x0000. The client's message is the same for every cause;
 * the code says which for the log.
 */
export class CiphertextError extends ProxyError {
  constructor(code: `CIPHERTEXT_${string}`, where: string, options?: ProxyErrorOptions) {
    super(
      code,
      CqlErrorCode.SERVER_ERROR,
      `A stored value of ${where} failed authentication: it was altered, moved or written around the proxy (CIPHERTEXT)`,
      options,
    );
  }
}

/** The KMS refuses the key (disabled, deleted, no permission): ERROR 0x2100, do not retry. */
export class KeyAccessError extends ProxyError {
  constructor(code: `KEY_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.UNAUTHORIZED, message, options);
  }
}

/** The KMS does not answer: ERROR 0x1001, retry later. */
export class KeyUnavailableError extends ProxyError {
  constructor(code: `KEY_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.OVERLOADED, message, options);
  }
}

/** A client may not come in: ERROR 0x0100. */
export class AuthenticationError extends ProxyError {
  constructor(code: `LOGIN_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.BAD_CREDENTIALS, message, options);
  }
}

/** Cassandra cannot be reached, or answered something that cannot be. */
export class UpstreamError extends ProxyError {
  constructor(code: `UPSTREAM_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.SERVER_ERROR, message, options);
  }
}

/** Trouble with a backup that trying again on another node does not help: the client asked for what is not there. */
const BACKUP_REQUESTS: ReadonlySet<string> = new Set([
  'BACKUP_EXPIRED',
  'BACKUP_NOT_FOUND',
  'BACKUP_STATE',
]);

/** A backup cannot be made, read, verified or restored: ERROR 0x0000; 0x2200 where there is no such backup. */
export class BackupError extends ProxyError {
  constructor(code: `BACKUP_${string}`, message: string, options?: ProxyErrorOptions) {
    const isInvalid = BACKUP_REQUESTS.has(code);
    super(code, isInvalid ? CqlErrorCode.INVALID : CqlErrorCode.SERVER_ERROR, message, options);
  }
}

/**
 * A part of a request was written, or may have been, and the rest was not: ERROR 0x1100, by which drivers know that it is not
 * to be repeated. `extra` is the rest of a write timeout.
 */
export class PartialWriteError extends ProxyError {
  constructor(message: string, options: ProxyErrorOptions) {
    super('UPSTREAM_PARTIAL_WRITE', CqlErrorCode.WRITE_TIMEOUT, message, options);
  }
}

/** A notice to the owner of a table could not be delivered; only in the log. */
export class NoticeError extends ProxyError {
  constructor(code: `NOTICE_${string}`, message: string, options?: ProxyErrorOptions) {
    super(code, CqlErrorCode.SERVER_ERROR, message, options);
  }
}

/** A limit of the proxy is reached: ERROR 0x1001. */
export class OverloadError extends ProxyError {
  constructor(code: `OVERLOAD_${string}`, message: string) {
    super(code, CqlErrorCode.OVERLOADED, message);
  }
}

/** A defect of the proxy: ERROR 0x0000, always logged with its cause. */
export class InternalError extends ProxyError {
  constructor(message: string, options?: ProxyErrorOptions) {
    super('INTERNAL', CqlErrorCode.SERVER_ERROR, message, options);
  }
}

/** Turns whatever was thrown into a {@link ProxyError}; unknown errors become {@link InternalError} without their text. */
export function toProxyError(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  return new InternalError('internal error of the proxy; see its log', { cause: error });
}
