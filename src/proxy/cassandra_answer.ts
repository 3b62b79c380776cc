import { ProtocolError, UpstreamError } from '../errors/index.ts';
import * as wire from '../wire/index.ts';
import type { Envelope, ErrorMessage, ResponsePrefix, ResultMessage } from '../wire/index.ts';

/**
 * Reads a part of an answer of Cassandra. What is malformed there is Cassandra's fault and not the client's, whose connection
 * stays open.
 *
 * @throws UpstreamError for what cannot be read
 */
export function fromCassandra<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UpstreamError(
      'UPSTREAM_ANSWER',
      `Cassandra answered a malformed message: ${error.message}`,
      { cause: error },
    );
  }
}

/** The RESULT of Cassandra. @throws UpstreamError */
export function decodeResult(body: Buffer, version: number): ResultMessage {
  return fromCassandra(() => wire.decodeResult(body, version));
}

/** What stands before the message of an answer. @throws UpstreamError */
export function decodeResponsePrefix(envelope: Envelope): ResponsePrefix {
  return fromCassandra(() => wire.decodeResponsePrefix(envelope));
}

/** The ERROR of Cassandra. @throws UpstreamError */
export function decodeError(body: Buffer): ErrorMessage {
  return fromCassandra(() => wire.decodeError(body));
}
