/**
 * The whole taxonomy of errors. Every error that leaves a folder is a {@link ProxyError}: a stable `code` (log field,
 * metric label, anchor in docs/errors.md) and the CQL ERROR a client gets for it. Messages name keyspace, table, column
 * or key, never a value and never key material.
 */
export { CqlErrorCode } from './cql_error_code.ts';
export {
  AuthenticationError,
  BackupError,
  CiphertextError,
  ConfigError,
  CqlSyntaxError,
  FunctionExecutionError,
  InternalError,
  InvalidRequestError,
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
  NoticeError,
  OverloadError,
  PartialWriteError,
  ProtocolError,
  ProxyError,
  SchemaError,
  UnpreparedError,
  UnsupportedStatementError,
  UpstreamError,
  toProxyError,
} from './proxy_error.ts';
