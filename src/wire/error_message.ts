import { CqlErrorCode } from '../errors/index.ts';
import { unsupportedVersionMessage } from './envelope.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** ERROR. Spec: native_protocol_v4 4.2.1 and 9. */
export interface ErrorMessage {
  /** One of `CqlErrorCode`, unchecked: a newer Cassandra may have more. */
  readonly code: number;
  readonly message: string;
  /** What follows the message, by code; a view when decoded. */
  readonly extra: Buffer;
}

/** The parts of an ERROR to be sent. */
export interface ErrorFields {
  readonly code: number;
  readonly message: string;
  readonly extra?: Uint8Array | undefined;
}

/** A [string] holds so many bytes; a longer message is cut, as it must reach the client. */
const MAX_MESSAGE_BYTES = 0xffff;

/**
 * Reads the body of an ERROR.
 *
 * @throws ProtocolError
 */
export function decodeError(body: Buffer): ErrorMessage {
  const reader = new Reader(body);
  const code = reader.readInt();
  const message = reader.readString();
  return { code, message, extra: body.subarray(reader.offset) };
}

/** Makes the body of an ERROR. */
export function encodeError(error: ErrorFields): Buffer {
  const message = cut(error.message);
  const writer = new Writer(6 + message.length + (error.extra?.length ?? 0));
  writer.writeInt(error.code);
  writer.writeString(message);
  if (error.extra !== undefined) writer.writeFixed(error.extra);
  return writer.toBuffer();
}

/** The body of the ERROR that answers a version that is not spoken, in Cassandra's words; drivers step down on them. */
export function unsupportedVersionBody(version: number): Buffer {
  return encodeError({
    code: CqlErrorCode.PROTOCOL_ERROR,
    message: unsupportedVersionMessage(version),
  });
}

function cut(message: string): string {
  if (Buffer.byteLength(message, 'utf8') <= MAX_MESSAGE_BYTES) return message;
  // Three bytes are the most that one UTF-16 unit becomes.
  return message.slice(0, Math.floor(MAX_MESSAGE_BYTES / 3));
}
