import { InternalError, ProtocolError } from '../errors/index.ts';
import type { BoundValue } from './bound_value.ts';
import { UNSET } from './bound_value.ts';
import { QueryFlag } from './constants.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';
import { checkLong, checkShort } from './writer.ts';

/** <query_parameters> of QUERY and EXECUTE. Spec: native_protocol_v4 4.1.4. */
export interface QueryOptions {
  /** One of `Consistency`. */
  readonly consistency: number;
  /** Bound values, in the order of the message; views of it when decoded. */
  readonly values: readonly BoundValue[];
  /** One name for each value, or `undefined` if they are bound by position. */
  readonly names: readonly string[] | undefined;
  /** The client keeps the metadata of the rows from PREPARE. */
  readonly skipMetadata: boolean;
  /** Rows a page; zero and less mean unpaged, as in Cassandra. */
  readonly pageSize: number | undefined;
  readonly pagingState: Buffer | undefined;
  /** One of `Consistency`. */
  readonly serialConsistency: number | undefined;
  /** Microseconds since the Unix epoch. */
  readonly defaultTimestamp: bigint | undefined;
}

/** The flags of v5 and the one that no version has. */
const UNKNOWN_FLAGS = 0x80;

const MIN_LONG = -(2n ** 63n);

const NO_VALUES: readonly BoundValue[] = [];

/**
 * Reads <query_parameters>.
 *
 * @throws ProtocolError for a flag that v3 and v4 do not have, a code that does not exist, or bytes that end too early
 */
export function readQueryOptions(reader: Reader, version: number): QueryOptions {
  const consistency = reader.readConsistency();
  const flags = readQueryFlags(reader);
  let values = NO_VALUES;
  let names: string[] | undefined;
  if ((flags & QueryFlag.VALUES) !== 0) {
    if ((flags & QueryFlag.NAMES) !== 0) {
      const count = reader.readUnsignedShort();
      const named: BoundValue[] = [];
      names = [];
      for (let i = 0; i < count; i++) {
        names.push(reader.readString());
        named.push(reader.readValue(version));
      }
      values = named;
    } else {
      values = readValues(reader, version);
    }
  }
  // Statement bodies stay one shape, so that the code that uses them stays fast.
  return {
    consistency,
    values,
    names,
    skipMetadata: (flags & QueryFlag.SKIP_METADATA) !== 0,
    pageSize: (flags & QueryFlag.PAGE_SIZE) !== 0 ? reader.readInt() : undefined,
    pagingState:
      (flags & QueryFlag.PAGING_STATE) !== 0 ? (reader.readBytes() ?? undefined) : undefined,
    serialConsistency: readSerialConsistency(reader, flags),
    defaultTimestamp: readDefaultTimestamp(reader, flags),
  };
}

/**
 * Reads the byte of flags.
 *
 * @throws ProtocolError for a flag that v3 and v4 do not have: its field would be taken for something else
 */
export function readQueryFlags(reader: Reader): number {
  const flags = reader.readByte();
  if ((flags & UNKNOWN_FLAGS) !== 0) {
    throw new ProtocolError('PROTOCOL_FLAG', `unknown flags ${flags} of a query`);
  }
  return flags;
}

/** Reads the serial consistency, if the flags announce one. */
export function readSerialConsistency(reader: Reader, flags: number): number | undefined {
  return (flags & QueryFlag.SERIAL_CONSISTENCY) !== 0 ? reader.readConsistency() : undefined;
}

/**
 * Reads the default timestamp, if the flags announce one.
 *
 * @throws ProtocolError for the one value that Cassandra keeps for itself
 */
export function readDefaultTimestamp(reader: Reader, flags: number): bigint | undefined {
  if ((flags & QueryFlag.DEFAULT_TIMESTAMP) === 0) return undefined;
  const timestamp = reader.readLong();
  if (timestamp === MIN_LONG) {
    throw new ProtocolError(
      'PROTOCOL_VALUE',
      'Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got -9223372036854775808)',
    );
  }
  return timestamp;
}

/** Reads a [short] and as many [value]s. */
export function readValues(reader: Reader, version: number): readonly BoundValue[] {
  const count = reader.readUnsignedShort();
  if (count === 0) return NO_VALUES;
  const values: BoundValue[] = [];
  for (let i = 0; i < count; i++) values.push(reader.readValue(version));
  return values;
}

/**
 * Bytes that {@link writeQueryOptions} will write. Also checks what can be wrong with the options.
 *
 * @throws InvalidRequestError if there are too many values or a name is too long
 * @throws InternalError for unset values in v3, or names that do not match the values
 */
export function queryOptionsSize(options: QueryOptions, version: number): number {
  const { values, names } = options;
  let size = 3;
  if (values.length > 0) size += 2 + valuesSize(values, version);
  if (names !== undefined) {
    if (names.length !== values.length) throw new InternalError('names and values do not match');
    for (const name of names) {
      const length = Buffer.byteLength(name, 'utf8');
      checkShort(length);
      size += 2 + length;
    }
  }
  if (options.pageSize !== undefined) size += 4;
  if (options.pagingState !== undefined) size += 4 + options.pagingState.length;
  if (options.serialConsistency !== undefined) size += 2;
  if (options.defaultTimestamp !== undefined) {
    checkLong(options.defaultTimestamp);
    size += 8;
  }
  return size;
}

/**
 * Bytes that the values of a request take, without their count.
 *
 * @throws InvalidRequestError above 65,535 values
 * @throws InternalError for unset values in v3
 */
export function valuesSize(values: readonly BoundValue[], version: number): number {
  checkShort(values.length);
  let size = values.length * 4;
  for (const value of values) {
    if (value === null) continue;
    if (value === UNSET) {
      if (version < 4) throw new InternalError('protocol v3 has no unset values');
    } else {
      size += value.length;
    }
  }
  return size;
}

/** Writes <query_parameters>; {@link queryOptionsSize} was called before and found nothing wrong. */
export function writeQueryOptions(writer: Writer, options: QueryOptions, version: number): void {
  const { values, names, pageSize, pagingState, serialConsistency, defaultTimestamp } = options;
  let flags = options.skipMetadata ? QueryFlag.SKIP_METADATA : 0;
  if (values.length > 0) flags |= QueryFlag.VALUES;
  if (names !== undefined && values.length > 0) flags |= QueryFlag.NAMES;
  if (pageSize !== undefined) flags |= QueryFlag.PAGE_SIZE;
  if (pagingState !== undefined) flags |= QueryFlag.PAGING_STATE;
  if (serialConsistency !== undefined) flags |= QueryFlag.SERIAL_CONSISTENCY;
  if (defaultTimestamp !== undefined) flags |= QueryFlag.DEFAULT_TIMESTAMP;
  writer.writeConsistency(options.consistency);
  writer.writeByte(flags);
  if (values.length > 0) {
    writer.writeUnsignedShort(values.length);
    for (let i = 0; i < values.length; i++) {
      if (names !== undefined) writer.writeString(names[i] as string);
      writer.writeValue(values[i] as BoundValue, version);
    }
  }
  if (pageSize !== undefined) writer.writeInt(pageSize);
  if (pagingState !== undefined) writer.writeBytes(pagingState);
  if (serialConsistency !== undefined) writer.writeConsistency(serialConsistency);
  if (defaultTimestamp !== undefined) writer.writeLong(defaultTimestamp);
}
