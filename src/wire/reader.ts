import { isUtf8 } from 'node:buffer';
import { InternalError, ProtocolError } from '../errors/index.ts';
import type { BoundValue } from './bound_value.ts';
import { UNSET } from './bound_value.ts';
import type { Consistency } from './constants.ts';
import { isConsistency } from './constants.ts';

/** An address of a node. Spec: native_protocol_v4 3, [inet]. */
export interface InetEndpoint {
  /** 4 bytes (IPv4) or 16 bytes (IPv6), network order. */
  readonly address: Uint8Array;
  /** Port, 0 to 65535 in practice; the wire has a signed 32-bit number. */
  readonly port: number;
}

/**
 * Reads the notations of the native protocol from one buffer.
 *
 * Everything it hands out is a view: valid as long as the buffer is not written to. Every read is checked against the
 * end; nothing is allocated for a length that the buffer cannot hold.
 *
 * Spec: native_protocol_v4 3.
 */
export class Reader {
  /** The whole buffer that is read; offsets count from its start. */
  readonly bytes: Buffer;
  /** Offset of the first byte that does not belong to this reader. */
  readonly end: number;
  /** Offset of the next byte. */
  offset: number;

  /** Reads `bytes` from `offset` up to, not including, `end`. */
  constructor(bytes: Buffer, offset = 0, end: number = bytes.length) {
    if (offset < 0 || offset > end || end > bytes.length) {
      throw new InternalError('a reader was made outside of its buffer');
    }
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  /** Bytes that are left. */
  remaining(): number {
    return this.end - this.offset;
  }

  /**
   * [byte], unsigned.
   *
   * @throws ProtocolError if the message ends before
   */
  readByte(): number {
    return this.bytes[this.#take(1)] as number;
  }

  /**
   * [short], unsigned 16 bits.
   *
   * @throws ProtocolError if the message ends before
   */
  readUnsignedShort(): number {
    const at = this.#take(2);
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }

  /**
   * [int], signed 32 bits.
   *
   * @throws ProtocolError if the message ends before
   */
  readInt(): number {
    const at = this.#take(4);
    const bytes = this.bytes;
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    );
  }

  /**
   * [long], signed 64 bits.
   *
   * @throws ProtocolError if the message ends before
   */
  readLong(): bigint {
    return this.bytes.readBigInt64BE(this.#take(8));
  }

  /**
   * [string].
   *
   * @throws ProtocolError if the message ends before, or the bytes are not UTF-8
   */
  readString(): string {
    return this.#utf8(this.readUnsignedShort());
  }

  /**
   * [long string].
   *
   * @throws ProtocolError if the message ends before, the length is negative, or the bytes are not UTF-8
   */
  readLongString(): string {
    const length = this.readInt();
    if (length < 0) throw negativeLength(length);
    return this.#utf8(length);
  }

  /**
   * [bytes]: a view, or null for any negative length.
   *
   * @throws ProtocolError if the message ends before
   */
  readBytes(): Buffer | null {
    const length = this.readInt();
    if (length < 0) return null;
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  /**
   * Steps over one [bytes] without making a view. Its content are the `n` bytes before the new `offset`.
   *
   * @returns the length `n`, or -1 for null
   * @throws ProtocolError if the message ends before
   */
  skipBytes(): number {
    const length = this.readInt();
    if (length < 0) return -1;
    this.#take(length);
    return length;
  }

  /**
   * [short bytes]: a view.
   *
   * @throws ProtocolError if the message ends before
   */
  readShortBytes(): Buffer {
    return this.readFixed(this.readUnsignedShort());
  }

  /**
   * `length` bytes without a length before them: a view.
   *
   * @throws ProtocolError if the message ends before
   */
  readFixed(length: number): Buffer {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  /**
   * [value]: bytes, null or unset. Version 3 has no unset: there every negative length is null, as in Cassandra.
   *
   * @throws ProtocolError if the message ends before, or (v4) for a length below -2
   */
  readValue(version = 4): BoundValue {
    const length = this.readInt();
    if (length >= 0) {
      const at = this.#take(length);
      return this.bytes.subarray(at, at + length);
    }
    if (length === -1 || version < 4) return null;
    if (length === -2) return UNSET;
    throw negativeLength(length);
  }

  /**
   * [string list].
   *
   * @throws ProtocolError as {@link readString}
   */
  readStringList(): string[] {
    const count = this.readUnsignedShort();
    const list: string[] = [];
    for (let i = 0; i < count; i++) list.push(this.readString());
    return list;
  }

  /**
   * [string map]; of equal keys the last wins.
   *
   * @throws ProtocolError as {@link readString}
   */
  readStringMap(): Map<string, string> {
    const count = this.readUnsignedShort();
    const map = new Map<string, string>();
    for (let i = 0; i < count; i++) {
      const key = this.readString();
      map.set(key, this.readString());
    }
    return map;
  }

  /**
   * [string multimap]; of equal keys the last wins.
   *
   * @throws ProtocolError as {@link readString}
   */
  readStringMultimap(): Map<string, string[]> {
    const count = this.readUnsignedShort();
    const map = new Map<string, string[]>();
    for (let i = 0; i < count; i++) {
      const key = this.readString();
      map.set(key, this.readStringList());
    }
    return map;
  }

  /**
   * [bytes map]; of equal keys the last wins.
   *
   * @throws ProtocolError as {@link readString}
   */
  readBytesMap(): Map<string, Buffer | null> {
    const count = this.readUnsignedShort();
    const map = new Map<string, Buffer | null>();
    for (let i = 0; i < count; i++) {
      const key = this.readString();
      map.set(key, this.readBytes());
    }
    return map;
  }

  /**
   * [uuid]: a view of 16 bytes.
   *
   * @throws ProtocolError if the message ends before
   */
  readUuid(): Buffer {
    return this.readFixed(16);
  }

  /**
   * [inet].
   *
   * @throws ProtocolError if the message ends before, or the address has neither 4 nor 16 bytes
   */
  readInet(): InetEndpoint {
    const length = this.readByte();
    if (length !== 4 && length !== 16) {
      throw new ProtocolError(
        'PROTOCOL_VALUE',
        `an address has ${length} bytes instead of 4 or 16`,
      );
    }
    const address = this.readFixed(length);
    return { address, port: this.readInt() };
  }

  /**
   * [consistency].
   *
   * @throws ProtocolError if the message ends before, or the code does not exist
   */
  readConsistency(): Consistency {
    const code = this.readUnsignedShort();
    if (isConsistency(code)) return code;
    throw new ProtocolError('PROTOCOL_VALUE', `Unknown code ${code} for a consistency level`);
  }

  #utf8(length: number): string {
    const at = this.#take(length);
    const text = this.bytes.toString('utf8', at, at + length);
    // The decoder replaces what it cannot read by U+FFFD, so only a text that holds one needs a second look.
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(at, at + length))) {
      throw new ProtocolError('PROTOCOL_UTF8', 'Cannot decode string as UTF8');
    }
    return text;
  }

  #take(length: number): number {
    const at = this.offset;
    if (length > this.end - at) {
      throw new ProtocolError(
        'PROTOCOL_TRUNCATED',
        `the message ends ${length - (this.end - at)} bytes before the end of a field of ${length}`,
      );
    }
    this.offset = at + length;
    return at;
  }
}

function negativeLength(length: number): ProtocolError {
  return new ProtocolError('PROTOCOL_LENGTH', `the length ${length} is not possible`);
}
