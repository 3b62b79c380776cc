import { requireVersion } from './constants.ts';
import { Reader } from './reader.ts';
import type { QueryOptions } from './query_options.ts';
import { queryOptionsSize, readQueryOptions, writeQueryOptions } from './query_options.ts';
import { checkShort, Writer } from './writer.ts';

/** QUERY. Spec: native_protocol_v4 4.1.4. */
export interface QueryMessage {
  readonly query: string;
  readonly options: QueryOptions;
}

/** PREPARE. Spec: native_protocol_v4 4.1.5. */
export interface PrepareMessage {
  readonly query: string;
}

/** EXECUTE. Spec: native_protocol_v4 4.1.6. */
export interface ExecuteMessage {
  /** Id of the prepared statement; a view when decoded. */
  readonly id: Buffer;
  readonly options: QueryOptions;
}

/**
 * Reads the body of a QUERY. Like Cassandra it does not look at bytes behind the last field.
 *
 * @throws ProtocolError
 */
export function decodeQuery(body: Buffer, version: number): QueryMessage {
  const reader = new Reader(body);
  const query = reader.readLongString();
  return { query, options: readQueryOptions(reader, version) };
}

/**
 * Reads the body of a PREPARE.
 *
 * @throws ProtocolError also for versions after v4, where more follows the text
 */
export function decodePrepare(body: Buffer, version: number): PrepareMessage {
  requireVersion(version);
  return { query: new Reader(body).readLongString() };
}

/**
 * Reads the body of an EXECUTE. Id and values are views of it.
 *
 * @throws ProtocolError
 */
export function decodeExecute(body: Buffer, version: number): ExecuteMessage {
  const reader = new Reader(body);
  const id = reader.readShortBytes();
  return { id, options: readQueryOptions(reader, version) };
}

/**
 * Makes the body of a QUERY, in a new buffer of the exact size.
 *
 * @throws InvalidRequestError if something is too long for its field
 */
export function encodeQuery(query: string, options: QueryOptions, version: number): Buffer {
  const size = 4 + Buffer.byteLength(query, 'utf8') + queryOptionsSize(options, version);
  const writer = new Writer(size);
  writer.writeLongString(query);
  writeQueryOptions(writer, options, version);
  return writer.toBuffer();
}

/**
 * Makes the body of a PREPARE.
 *
 * @throws ProtocolError for versions after v4, where more follows the text
 */
export function encodePrepare(query: string, version: number): Buffer {
  requireVersion(version);
  const writer = new Writer(4 + Buffer.byteLength(query, 'utf8'));
  writer.writeLongString(query);
  return writer.toBuffer();
}

/**
 * Makes the body of an EXECUTE, in a new buffer of the exact size.
 *
 * @throws InvalidRequestError if something is too long for its field
 */
export function encodeExecute(id: Uint8Array, options: QueryOptions, version: number): Buffer {
  checkShort(id.length);
  const writer = new Writer(2 + id.length + queryOptionsSize(options, version));
  writer.writeShortBytes(id);
  writeQueryOptions(writer, options, version);
  return writer.toBuffer();
}
