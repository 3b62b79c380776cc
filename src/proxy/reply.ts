import { ProxyError, toProxyError } from '../errors/index.ts';
import type { CqlErrorCode } from '../errors/index.ts';
import { encodeError, Opcode } from '../wire/index.ts';
import type { Envelope, ErrorMessage, ResponsePrefixFields } from '../wire/index.ts';
import { decodeResponsePrefix } from './cassandra_answer.ts';

/** An answer to the client: message, and what stands before it. */
export interface Reply {
  readonly opcode: number;
  readonly body: Buffer;
  readonly prefix: ResponsePrefixFields | undefined;
  /** 'ok', or the code of the error for metrics. */
  readonly outcome: string;
}

/** An ERROR that Cassandra sent: passed on to the client as it came. */
export class CassandraError extends ProxyError {
  /** The prefix (tracing id, warnings) of the answer it came in. */
  readonly prefix: ResponsePrefixFields | undefined;

  constructor(error: ErrorMessage, prefix?: ResponsePrefixFields) {
    super('CASSANDRA', error.code as CqlErrorCode, error.message, {
      extra: Buffer.from(error.extra),
    });
    this.prefix = prefix;
  }
}

/** A RESULT or another message made by the proxy. */
export function reply(opcode: number, body: Buffer, prefix?: ResponsePrefixFields): Reply {
  return { opcode, body, prefix, outcome: 'ok' };
}

/** A RESULT made by the proxy. */
export function result(body: Buffer, prefix?: ResponsePrefixFields): Reply {
  return reply(Opcode.RESULT, body, prefix);
}

/** The ERROR for whatever was thrown. */
export function errorReply(thrown: unknown): Reply {
  const error = toProxyError(thrown);
  return {
    opcode: Opcode.ERROR,
    body: encodeError({ code: error.cqlCode, message: error.message, extra: error.extra }),
    prefix: error instanceof CassandraError ? error.prefix : undefined,
    outcome:
      error instanceof CassandraError
        ? `CASSANDRA_${error.cqlCode.toString(16).padStart(4, '0')}`
        : error.code,
  };
}

/** Cassandra's answer, unchanged. */
export function forwarded(envelope: Envelope): Reply {
  const { body, ...prefix } = decodeResponsePrefix(envelope);
  return {
    opcode: envelope.opcode,
    body,
    prefix,
    outcome:
      envelope.opcode === Opcode.ERROR && body.length >= 4
        ? `CASSANDRA_${body.readUInt32BE(0).toString(16).padStart(4, '0')}`
        : 'ok',
  };
}
