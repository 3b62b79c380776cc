import { InternalError, InvalidRequestError } from '../errors/index.ts';
import type { BoundValue } from './bound_value.ts';
import { UNSET } from './bound_value.ts';
import type { InetEndpoint } from './reader.ts';

/** Longest body that the native protocol allows, in bytes. Spec: native_protocol_v4 2.5. */
export const MAX_BODY_BYTES = 256 * 1024 * 1024;

/** Up to this many bytes a loop is faster than a call of `TypedArray.set`. */
const SHORT_COPY = 24;
/** The same where a view has to be made for the call. */
const SHORT_COPY_FROM = 96;

/**
 * Writes the notations of the native protocol into one growing buffer.
 *
 * Lengths that their field cannot hold, and a body above the limit, raise {@link InvalidRequestError}: it is the
 * statement that is too large, and the connection stays usable. Nothing is ever cut off silently.
 *
 * Spec: native_protocol_v4 3.
 */
export class Writer {
  #buffer: Buffer;
  #length = 0;
  readonly #maxLength: number;

  /** Starts with room for `capacity` bytes and grows by doubling up to `maxLength` bytes. */
  constructor(capacity = 256, maxLength: number = MAX_BODY_BYTES) {
    this.#buffer = Buffer.allocUnsafe(Math.min(capacity, maxLength));
    this.#maxLength = maxLength;
  }

  /** Bytes written so far. */
  length(): number {
    return this.#length;
  }

  /** What was written, as a view; a later write may move to another buffer and leave this view behind. */
  toBuffer(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * Leaves `length` zero bytes to be patched later.
   *
   * @returns their offset
   */
  reserve(length: number): number {
    const at = this.#grow(length);
    this.#buffer.fill(0, at, at + length);
    return at;
  }

  /** Overwrites four bytes at `offset` by an [int]. */
  patchInt(offset: number, value: number): void {
    if (offset < 0 || offset + 4 > this.#length)
      throw new InternalError('patch outside of the written bytes');
    putInt(this.#buffer, offset, value);
  }

  /** Overwrites one byte at `offset`. */
  patchByte(offset: number, value: number): void {
    if (offset < 0 || offset >= this.#length)
      throw new InternalError('patch outside of the written bytes');
    this.#buffer[offset] = value;
  }

  /** [byte]. */
  writeByte(value: number): void {
    const at = this.#grow(1);
    this.#buffer[at] = value;
  }

  /**
   * [short], unsigned.
   *
   * @throws InvalidRequestError if the value does not fit
   */
  writeUnsignedShort(value: number): void {
    checkShort(value);
    const at = this.#grow(2);
    this.#buffer[at] = value >> 8;
    this.#buffer[at + 1] = value;
  }

  /** [int]; takes the low 32 bits. */
  writeInt(value: number): void {
    const at = this.#grow(4);
    putInt(this.#buffer, at, value);
  }

  /**
   * [long].
   *
   * @throws InternalError if the value has more than 64 bits
   */
  writeLong(value: bigint): void {
    checkLong(value);
    const at = this.#grow(8);
    this.#buffer.writeBigInt64BE(value, at);
  }

  /**
   * [string].
   *
   * @throws InvalidRequestError above 65,535 bytes of UTF-8
   */
  writeString(value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    this.writeUnsignedShort(length);
    const at = this.#grow(length);
    this.#buffer.write(value, at, length, 'utf8');
  }

  /** [long string]. */
  writeLongString(value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    this.writeInt(length);
    const at = this.#grow(length);
    this.#buffer.write(value, at, length, 'utf8');
  }

  /** [bytes]: length and copy, or -1 for null. A cell of a row. */
  writeBytes(value: Uint8Array | null): void {
    if (value === null) {
      this.writeInt(-1);
      return;
    }
    const length = value.length;
    const at = this.#grow(4 + length);
    putInt(this.#buffer, at, length);
    copy(this.#buffer, at + 4, value);
  }

  /** [bytes] from a part of a buffer, without a view in between: `source[start, end)`. */
  writeBytesFrom(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (start < 0 || length < 0 || end > source.length) {
      throw new InternalError('a cell lies outside of its buffer');
    }
    const at = this.#grow(4 + length);
    const target = this.#buffer;
    putInt(target, at, length);
    if (length <= SHORT_COPY_FROM) {
      for (let i = 0; i < length; i++) target[at + 4 + i] = source[start + i] as number;
    } else {
      target.set(source.subarray(start, end), at + 4);
    }
  }

  /**
   * [short bytes].
   *
   * @throws InvalidRequestError above 65,535 bytes
   */
  writeShortBytes(value: Uint8Array): void {
    this.writeUnsignedShort(value.length);
    this.writeFixed(value);
  }

  /** Bytes without a length before them. */
  writeFixed(value: Uint8Array): void {
    const at = this.#grow(value.length);
    copy(this.#buffer, at, value);
  }

  /**
   * [value].
   *
   * @throws InternalError for {@link UNSET} below protocol v4, which has no such thing
   */
  writeValue(value: BoundValue, version = 4): void {
    if (value === UNSET) {
      if (version < 4) throw new InternalError('protocol v3 has no unset values');
      this.writeInt(-2);
      return;
    }
    this.writeBytes(value);
  }

  /**
   * [string list].
   *
   * @throws InvalidRequestError above 65,535 strings, or as {@link writeString}
   */
  writeStringList(list: readonly string[]): void {
    this.writeUnsignedShort(list.length);
    for (const item of list) this.writeString(item);
  }

  /**
   * [string map].
   *
   * @throws InvalidRequestError as {@link writeString}
   */
  writeStringMap(map: ReadonlyMap<string, string>): void {
    this.writeUnsignedShort(map.size);
    for (const [key, value] of map) {
      this.writeString(key);
      this.writeString(value);
    }
  }

  /**
   * [string multimap].
   *
   * @throws InvalidRequestError as {@link writeString}
   */
  writeStringMultimap(map: ReadonlyMap<string, readonly string[]>): void {
    this.writeUnsignedShort(map.size);
    for (const [key, values] of map) {
      this.writeString(key);
      this.writeStringList(values);
    }
  }

  /**
   * [bytes map].
   *
   * @throws InvalidRequestError as {@link writeString}
   */
  writeBytesMap(map: ReadonlyMap<string, Uint8Array | null>): void {
    this.writeUnsignedShort(map.size);
    for (const [key, value] of map) {
      this.writeString(key);
      this.writeBytes(value);
    }
  }

  /**
   * [uuid].
   *
   * @throws InternalError if it has not 16 bytes
   */
  writeUuid(value: Uint8Array): void {
    if (value.length !== 16) throw new InternalError('a UUID has 16 bytes');
    this.writeFixed(value);
  }

  /**
   * [inet].
   *
   * @throws InternalError if the address has neither 4 nor 16 bytes
   */
  writeInet(value: InetEndpoint): void {
    const length = value.address.length;
    if (length !== 4 && length !== 16) throw new InternalError('an address has 4 or 16 bytes');
    this.writeByte(length);
    this.writeFixed(value.address);
    this.writeInt(value.port);
  }

  /** [consistency]. */
  writeConsistency(code: number): void {
    this.writeUnsignedShort(code);
  }

  /** Makes room and steps over it; returns the offset of the first new byte. */
  #grow(length: number): number {
    const at = this.#length;
    const needed = at + length;
    if (needed > this.#buffer.length) this.#reallocate(needed);
    this.#length = needed;
    return at;
  }

  #reallocate(needed: number): void {
    if (needed > this.#maxLength) throw tooLong(needed, this.#maxLength);
    const capacity = Math.min(this.#maxLength, Math.max(needed, this.#buffer.length * 2, 64));
    const larger = Buffer.allocUnsafe(capacity);
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** Stores the low 32 bits of `value`, big-endian. */
export function putInt(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** Copies all of `source` to `target` from `at` on; the caller made room. */
export function copy(target: Uint8Array, at: number, source: Uint8Array): void {
  const length = source.length;
  if (length > SHORT_COPY) {
    target.set(source, at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[i] as number;
}

/**
 * Refuses a number that a [short] cannot hold.
 *
 * @throws InvalidRequestError
 */
export function checkShort(value: number): void {
  if (value < 0 || value > 0xffff) {
    throw new InvalidRequestError(`a length or count of ${value} does not fit into 16 bits`);
  }
}

/**
 * Refuses a number that a [long] cannot hold.
 *
 * @throws InternalError
 */
export function checkLong(value: bigint): void {
  if (BigInt.asIntN(64, value) !== value) throw new InternalError('a number has more than 64 bits');
}

/** The error for a message above a limit of bytes. */
export function tooLong(length: number, limit: number): InvalidRequestError {
  return new InvalidRequestError(
    `Request or response is too big: length ${length} exceeds maximum allowed length ${limit}.`,
  );
}
