import { InternalError, ProtocolError } from '../errors/index.ts';
import { copy, putInt } from './writer.ts';

/** Bytes of a header in v3 and later. */
export const HEADER_BYTES = 9;

/** Header fields of one message. Spec: native_protocol_v4 2. */
export interface EnvelopeHeader {
  /** Protocol version, without the bit for the direction. */
  readonly version: number;
  /** Direction: true from server to client. */
  readonly isResponse: boolean;
  /** Bits of `HeaderFlag`. */
  readonly flags: number;
  /** Signed 16 bits; negative for events. */
  readonly streamId: number;
  /** One of `Opcode`, unchecked. */
  readonly opcode: number;
}

/** One message as it travels: header and body. The body is a view of received bytes. */
export interface Envelope extends EnvelopeHeader {
  readonly body: Buffer;
}

/** The first byte names a version that is not accepted. Answered on stream 0 with {@link unsupportedVersionMessage}. */
export class UnsupportedVersionError extends ProtocolError {
  /** The version the peer asked for, without the bit for the direction. */
  readonly version: number;

  constructor(version: number) {
    super('PROTOCOL_VERSION', unsupportedVersionMessage(version));
    this.version = version;
  }
}

/** Cassandra's own words; drivers look for them to step down. */
export function unsupportedVersionMessage(version: number): string {
  return `Invalid or unsupported protocol version (${version}); supported versions are (3/v3, 4/v4)`;
}

/**
 * Header and body in one new buffer.
 *
 * @throws InternalError if the stream id is not a signed 16-bit number
 */
export function encodeEnvelope(header: EnvelopeHeader, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  writeEnvelopeHeader(bytes, 0, header, body.length);
  copy(bytes, HEADER_BYTES, body);
  return bytes;
}

/**
 * Writes the 9 bytes of a header at `offset` of `target`.
 *
 * @throws InternalError if the stream id is not a signed 16-bit number
 */
export function writeEnvelopeHeader(
  target: Uint8Array,
  offset: number,
  header: EnvelopeHeader,
  bodyLength: number,
): void {
  const { streamId } = header;
  if (streamId < -0x8000 || streamId > 0x7fff) throw new InternalError('stream id out of range');
  if (offset < 0 || offset + HEADER_BYTES > target.length) {
    throw new InternalError('no room for the header');
  }
  target[offset] = header.isResponse ? header.version | 0x80 : header.version;
  target[offset + 1] = header.flags;
  target[offset + 2] = streamId >> 8;
  target[offset + 3] = streamId;
  target[offset + 4] = header.opcode;
  putInt(target, offset + 5, bodyLength);
}
