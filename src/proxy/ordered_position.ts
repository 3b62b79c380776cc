import type { Row } from '../encryption/index.ts';
import { ProtocolError } from '../errors/index.ts';
import { Reader, Writer } from '../wire/index.ts';
import { invalidPagingState } from './paging_state.ts';

/** Where a read goes on whose partitions are sorted by the proxy: a part of a {@link RowPosition}. */
export interface OrderedPlace {
  /** Cassandra's own state at the beginning of a partition; undefined at the beginning of the read. */
  readonly upstream: Buffer | undefined;
  /** The partition of which rows were given, and the last of them; undefined where the next one is whole. */
  readonly given: { readonly partition: Row; readonly last: Row } | undefined;
}

/** [bytes] upstream | whether rows were given | partition | last row; of a row [short] n, and n [bytes]. */
export function encodePlace({ upstream, given }: OrderedPlace): Buffer | undefined {
  if (upstream === undefined && given === undefined) return undefined;
  const writer = new Writer();
  writer.writeBytes(upstream ?? null);
  writer.writeByte(given === undefined ? 0 : 1);
  for (const row of given === undefined ? [] : [given.partition, given.last]) {
    writer.writeUnsignedShort(row.length);
    for (const value of row) writer.writeBytes(value);
  }
  return writer.toBuffer();
}

/** @throws InvalidRequestError for bytes that are no place */
export function decodePlace(bytes: Buffer | undefined): OrderedPlace {
  if (bytes === undefined) return { upstream: undefined, given: undefined };
  const reader = new Reader(bytes);
  const row = (): Row =>
    Array.from({ length: reader.readUnsignedShort() }, () => reader.readBytes());
  try {
    const upstream = reader.readBytes() ?? undefined;
    const hasGiven = reader.readByte() === 1;
    return { upstream, given: hasGiven ? { partition: row(), last: row() } : undefined };
  } catch (error) {
    throw error instanceof ProtocolError ? invalidPagingState() : error;
  }
}
