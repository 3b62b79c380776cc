import { UpstreamError } from '../errors/index.ts';
import { Reader, Writer } from '../wire/index.ts';
import type { ErrorMessage } from '../wire/index.ts';

/**
 * A write timeout of a lightweight transaction as the one of a counter: the client's own consistency and the write type
 * COUNTER, by which drivers know that the statement is not to be repeated. Spec: native_protocol_v4 9, Write_timeout
 */
export function counterTimeout(error: ErrorMessage, consistency: number): ErrorMessage {
  if (error.extra.length < 10) {
    throw new UpstreamError('UPSTREAM_ANSWER', 'Cassandra answered a malformed write timeout');
  }
  const reader = new Reader(error.extra);
  reader.readUnsignedShort();
  const received = reader.readInt();
  const required = reader.readInt();
  const writer = new Writer(32);
  writer.writeUnsignedShort(consistency);
  writer.writeInt(received);
  writer.writeInt(required);
  writer.writeString('COUNTER');
  return { ...error, extra: writer.toBuffer() };
}
