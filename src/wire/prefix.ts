import { ProtocolError } from '../errors/index.ts';
import { HeaderFlag } from './constants.ts';
import type { Envelope } from './envelope.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** What stands before the message in the body of a request. */
export interface RequestPrefix {
  /** Opaque bytes for a custom query handler; `undefined` without the header flag. */
  readonly customPayload: Map<string, Buffer | null> | undefined;
  /** The message itself: a view. */
  readonly body: Buffer;
}

/** What stands before the message in the body of a response. */
export interface ResponsePrefix {
  /** 16 bytes. */
  readonly tracingId?: Buffer;
  readonly warnings?: string[];
  readonly customPayload?: Map<string, Buffer | null>;
  /** The message itself: a view. */
  readonly body: Buffer;
}

/** The parts of a response that {@link encodeResponsePrefix} puts before the message. */
export interface ResponsePrefixFields {
  /** 16 bytes. */
  readonly tracingId?: Uint8Array | undefined;
  /** Nothing is sent for an empty list. */
  readonly warnings?: readonly string[] | undefined;
  readonly customPayload?: ReadonlyMap<string, Uint8Array | null> | undefined;
}

/**
 * Parts the body of a request (decompressed before) into custom payload and message.
 *
 * Spec: native_protocol_v4 2.2.
 *
 * @throws ProtocolError for a payload in v3, or a body that ends too early
 */
export function decodeRequestPrefix(
  envelope: Pick<Envelope, 'version' | 'flags' | 'body'>,
): RequestPrefix {
  if ((envelope.flags & HeaderFlag.CUSTOM_PAYLOAD) === 0) {
    return { customPayload: undefined, body: envelope.body };
  }
  if (envelope.version < 4) {
    throw new ProtocolError(
      'PROTOCOL_FLAG',
      'Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4',
    );
  }
  const reader = new Reader(envelope.body);
  const customPayload = reader.readBytesMap();
  return { customPayload, body: envelope.body.subarray(reader.offset) };
}

/**
 * Parts the body of a response (decompressed before) into tracing id, warnings, custom payload and message.
 *
 * Spec: native_protocol_v4 2.2.
 *
 * @throws ProtocolError for warnings or a payload in v3, or a body that ends too early
 */
export function decodeResponsePrefix(
  envelope: Pick<Envelope, 'version' | 'flags' | 'body'>,
): ResponsePrefix {
  const { flags, body } = envelope;
  const marked = HeaderFlag.TRACING | HeaderFlag.WARNING | HeaderFlag.CUSTOM_PAYLOAD;
  if ((flags & marked) === 0) return { body };
  if (envelope.version < 4 && (flags & (HeaderFlag.WARNING | HeaderFlag.CUSTOM_PAYLOAD)) !== 0) {
    throw new ProtocolError('PROTOCOL_FLAG', 'warnings and custom payloads need protocol v4');
  }
  const reader = new Reader(body);
  const prefix: { -readonly [K in keyof ResponsePrefix]: ResponsePrefix[K] } = { body };
  if ((flags & HeaderFlag.TRACING) !== 0) prefix.tracingId = reader.readUuid();
  if ((flags & HeaderFlag.WARNING) !== 0) prefix.warnings = reader.readStringList();
  if ((flags & HeaderFlag.CUSTOM_PAYLOAD) !== 0) prefix.customPayload = reader.readBytesMap();
  prefix.body = body.subarray(reader.offset);
  return prefix;
}

/**
 * Puts tracing id, warnings and custom payload before a message.
 *
 * @returns the header flags to set, and the body; the body is the given one if there is nothing to put before it.
 * Warnings and payload are left out in v3, which has none.
 * @throws InvalidRequestError if a length does not fit
 */
export function encodeResponsePrefix(
  fields: ResponsePrefixFields,
  body: Buffer,
  version: number,
): { flags: number; body: Buffer } {
  const { tracingId } = fields;
  const warnings = version >= 4 && fields.warnings?.length !== 0 ? fields.warnings : undefined;
  const payload = version >= 4 ? fields.customPayload : undefined;
  if (tracingId === undefined && warnings === undefined && payload === undefined) {
    return { flags: 0, body };
  }
  const writer = new Writer(256 + body.length);
  let flags = 0;
  if (tracingId !== undefined) {
    flags |= HeaderFlag.TRACING;
    writer.writeUuid(tracingId);
  }
  if (warnings !== undefined) {
    flags |= HeaderFlag.WARNING;
    writer.writeStringList(warnings);
  }
  if (payload !== undefined) {
    flags |= HeaderFlag.CUSTOM_PAYLOAD;
    writer.writeBytesMap(payload);
  }
  writer.writeFixed(body);
  return { flags, body: writer.toBuffer() };
}
