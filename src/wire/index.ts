/**
 * The CQL native protocol, v3 and v4: bytes to messages and back.
 *
 * Knows headers, notations, requests, responses, events and compression; nothing of statements, keys or connections.
 * Does no I/O and keeps no state but the bytes of an envelope that is not complete ({@link EnvelopeAssembler}).
 *
 * What it decodes are views of the received bytes; what it encodes are new buffers. Whatever a peer sends, the outcome
 * is a value or a `ProtocolError`; memory is never taken for a length that was only announced. What does not fit into
 * the protocol when encoding raises `InvalidRequestError`.
 *
 * May import: errors, util, values (the type model).
 */
export {
  Consistency,
  HeaderFlag,
  Opcode,
  QueryFlag,
  ResultKind,
  RowsFlag,
  consistencyName,
  isConsistency,
  opcodeName,
  requireVersion,
} from './constants.ts';
export type { ProtocolVersion } from './constants.ts';
export { UNSET } from './bound_value.ts';
export type { BoundValue } from './bound_value.ts';
export { Reader } from './reader.ts';
export type { InetEndpoint } from './reader.ts';
export { MAX_BODY_BYTES, Writer } from './writer.ts';
export {
  HEADER_BYTES,
  UnsupportedVersionError,
  encodeEnvelope,
  unsupportedVersionMessage,
  writeEnvelopeHeader,
} from './envelope.ts';
export type { Envelope, EnvelopeHeader } from './envelope.ts';
export { EnvelopeAssembler } from './envelope_assembler.ts';
export type { EnvelopeAssemblerOptions } from './envelope_assembler.ts';
export { COMPRESSION_ALGORITHMS, compressBody, decompressBody } from './compression.ts';
export type { CompressionAlgorithm } from './compression.ts';
export { decodeRequestPrefix, decodeResponsePrefix, encodeResponsePrefix } from './prefix.ts';
export type { RequestPrefix, ResponsePrefix, ResponsePrefixFields } from './prefix.ts';
export { javaClassName, parseJavaClassName } from './type_class_name.ts';
export { readTypeOption, writeTypeOption } from './type_option.ts';
export type { QueryOptions } from './query_options.ts';
export {
  decodeExecute,
  decodePrepare,
  decodeQuery,
  encodeExecute,
  encodePrepare,
  encodeQuery,
} from './query.ts';
export type { ExecuteMessage, PrepareMessage, QueryMessage } from './query.ts';
export { BatchType, decodeBatch, encodeBatch } from './batch.ts';
export type { BatchChild, BatchMessage, BatchPreparedChild, BatchQueryChild } from './batch.ts';
export {
  decodeAuthChallenge,
  decodeAuthResponse,
  decodeAuthSuccess,
  decodeAuthenticate,
  decodeRegister,
  decodeStartup,
  decodeSupported,
  encodeAuthChallenge,
  encodeAuthResponse,
  encodeAuthSuccess,
  encodeAuthenticate,
  encodeReady,
  encodeRegister,
  encodeStartup,
  encodeSupported,
} from './handshake.ts';
export { decodeError, encodeError, unsupportedVersionBody } from './error_message.ts';
export type { ErrorFields, ErrorMessage } from './error_message.ts';
export { encodeColumns } from './column_spec.ts';
export type { ColumnSpec, EncodedColumns } from './column_spec.ts';
export { RowsWriter, encodeRowsHeader } from './rows.ts';
export type { RowsHeader, RowsMetadata } from './rows.ts';
export { encodePrepared } from './prepared.ts';
export type { PreparedResult, PreparedVariables } from './prepared.ts';
export type { SchemaChange, SchemaChangeKind, SchemaChangeTarget } from './schema_change.ts';
export { decodeEvent, encodeEvent } from './event.ts';
export type {
  EventMessage,
  SchemaChangeEvent,
  StatusChangeEvent,
  TopologyChangeEvent,
} from './event.ts';
export {
  decodeResult,
  encodeSchemaChangeResult,
  encodeSetKeyspaceResult,
  encodeVoidResult,
} from './result.ts';
export type {
  PreparedStatementResult,
  ResultMessage,
  RowsResult,
  SchemaChangeResult,
  SetKeyspaceResult,
  VoidResult,
} from './result.ts';
