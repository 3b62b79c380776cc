import { ProtocolError } from '../errors/index.ts';
import type { BoundValue } from './bound_value.ts';
import { QueryFlag } from './constants.ts';
import {
  readDefaultTimestamp,
  readQueryFlags,
  readSerialConsistency,
  readValues,
  valuesSize,
} from './query_options.ts';
import { Reader } from './reader.ts';
import { checkLong, checkShort, Writer } from './writer.ts';

/** Types of batches. */
export const BatchType = { LOGGED: 0, UNLOGGED: 1, COUNTER: 2 } as const;

/** One of the types of batches. */
export type BatchType = (typeof BatchType)[keyof typeof BatchType];

/** A statement of a batch, by text. */
export interface BatchQueryChild {
  readonly kind: 'query';
  readonly query: string;
  readonly values: readonly BoundValue[];
}

/** A statement of a batch, by the id of a prepared statement. */
export interface BatchPreparedChild {
  readonly kind: 'prepared';
  readonly id: Buffer;
  readonly values: readonly BoundValue[];
}

/** A statement of a batch. */
export type BatchChild = BatchQueryChild | BatchPreparedChild;

/** BATCH. Spec: native_protocol_v4 4.1.7. */
export interface BatchMessage {
  readonly type: BatchType;
  readonly children: readonly BatchChild[];
  /** One of `Consistency`. */
  readonly consistency: number;
  /** One of `Consistency`. */
  readonly serialConsistency: number | undefined;
  /** Microseconds since the Unix epoch. */
  readonly defaultTimestamp: bigint | undefined;
  /** Means nothing to a batch; only read, never written. */
  readonly pagingState?: Buffer | undefined;
}

/**
 * Reads the body of a BATCH. Ids and values are views of it. The page size, which means nothing to a batch, is stepped over,
 * as Cassandra does.
 *
 * @throws ProtocolError also for values by name (flag 0x40): the flag stands behind the values that it describes, so it
 * cannot be used
 */
export function decodeBatch(body: Buffer, version: number): BatchMessage {
  const reader = new Reader(body);
  const type = reader.readByte();
  if (type !== 0 && type !== 1 && type !== 2) {
    throw new ProtocolError('PROTOCOL_VALUE', `Invalid BATCH message type ${type}`);
  }
  const count = reader.readUnsignedShort();
  const children: BatchChild[] = [];
  for (let i = 0; i < count; i++) children.push(readChild(reader, version));
  const consistency = reader.readConsistency();
  const flags = readQueryFlags(reader);
  if ((flags & (QueryFlag.VALUES | QueryFlag.NAMES)) !== 0) {
    throw new ProtocolError(
      'PROTOCOL_FLAG',
      'named values and values of the whole batch are not possible in BATCH messages',
    );
  }
  if ((flags & QueryFlag.PAGE_SIZE) !== 0) reader.readInt();
  const pagingState =
    (flags & QueryFlag.PAGING_STATE) !== 0 ? (reader.readBytes() ?? undefined) : undefined;
  return {
    type,
    children,
    consistency,
    serialConsistency: readSerialConsistency(reader, flags),
    defaultTimestamp: readDefaultTimestamp(reader, flags),
    pagingState,
  };
}

/**
 * Makes the body of a BATCH, in a new buffer of the exact size.
 *
 * @throws InvalidRequestError if something is too long for its field, e.g. more than 65,535 statements
 */
export function encodeBatch(batch: BatchMessage, version: number): Buffer {
  const { children, serialConsistency, defaultTimestamp } = batch;
  const writer = new Writer(batchSize(batch, version));
  writer.writeByte(batch.type);
  writer.writeUnsignedShort(children.length);
  for (const child of children) {
    if (child.kind === 'query') {
      writer.writeByte(0);
      writer.writeLongString(child.query);
    } else {
      writer.writeByte(1);
      writer.writeShortBytes(child.id);
    }
    writer.writeUnsignedShort(child.values.length);
    for (const value of child.values) writer.writeValue(value, version);
  }
  writer.writeConsistency(batch.consistency);
  writer.writeByte(
    (serialConsistency !== undefined ? QueryFlag.SERIAL_CONSISTENCY : 0) |
      (defaultTimestamp !== undefined ? QueryFlag.DEFAULT_TIMESTAMP : 0),
  );
  if (serialConsistency !== undefined) writer.writeConsistency(serialConsistency);
  if (defaultTimestamp !== undefined) writer.writeLong(defaultTimestamp);
  return writer.toBuffer();
}

function readChild(reader: Reader, version: number): BatchChild {
  const kind = reader.readByte();
  if (kind === 0) {
    const query = reader.readLongString();
    return { kind: 'query', query, values: readValues(reader, version) };
  }
  if (kind === 1) {
    const id = reader.readShortBytes();
    return { kind: 'prepared', id, values: readValues(reader, version) };
  }
  throw new ProtocolError(
    'PROTOCOL_VALUE',
    `Invalid query kind in BATCH messages. Must be 0 or 1 but got ${kind}`,
  );
}

function batchSize(batch: BatchMessage, version: number): number {
  checkShort(batch.children.length);
  let size = 6;
  for (const child of batch.children) {
    size +=
      child.kind === 'query' ? 5 + Buffer.byteLength(child.query, 'utf8') : 3 + child.id.length;
    size += 2 + valuesSize(child.values, version);
  }
  if (batch.serialConsistency !== undefined) size += 2;
  if (batch.defaultTimestamp !== undefined) {
    checkLong(batch.defaultTimestamp);
    size += 8;
  }
  return size;
}
