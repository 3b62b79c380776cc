import { Parser } from 'binary-parser';
import { ProtocolError } from '../errors/index.ts';
import type { Envelope } from './envelope.ts';
import { HEADER_BYTES, UnsupportedVersionError } from './envelope.ts';

/** The 9 bytes before every body, as they are laid out. */
class HeaderFields {
  readonly versionAndDirection: number = 0;
  readonly flags: number = 0;
  readonly streamId: number = 0;
  readonly opcode: number = 0;
  readonly length: number = 0;

  // The parser sets and deletes two fields of its own on every object. Deleting makes an object slow; with setters that
  // keep nothing there is nothing to delete, and a header takes a quarter of the time.
  set $parent(_value: unknown) {}
  set $root(_value: unknown) {}
}

/** Spec: native_protocol_v4 2. */
const headerLayout = new Parser()
  .endianness('big')
  .create(HeaderFields)
  .uint8('versionAndDirection')
  .uint8('flags')
  .int16('streamId')
  .uint8('opcode')
  .int32('length');

/** First allocation for a message that arrives in pieces; it grows by doubling, never at once to what a peer announces. */
const FIRST_CAPACITY = 16 * 1024;

/** What an {@link EnvelopeAssembler} accepts. */
export interface EnvelopeAssemblerOptions {
  /** Longest body, in bytes, as announced in the header (before decompression). */
  readonly maxBodyBytes: number;
  /** Which direction bit the peer must send. */
  readonly direction: 'request' | 'response';
  /** Whether a version (without direction bit) is spoken. */
  readonly acceptVersion: (version: number) => boolean;
}

/**
 * Cuts a stream of bytes into envelopes.
 *
 * A body that lies in one chunk is a view of that chunk; one that arrives in pieces is collected in a buffer of its own,
 * in time linear to its length. So the owner of the chunks must not write to them again.
 *
 * Errors come after everything that was complete before them: if a chunk holds whole envelopes and then something
 * wrong, `push` returns the envelopes and sets {@link error}, and the next `push` throws it; if nothing was complete,
 * `push` throws at once (and sets {@link error}). After an error only {@link reset} makes the assembler usable again.
 */
export class EnvelopeAssembler {
  readonly #maxBodyBytes: number;
  readonly #directionBit: number;
  readonly #acceptVersion: (version: number) => boolean;
  /** An envelope that is not complete: its bytes so far, from the header on. */
  #pending: Buffer | undefined;
  #pendingLength = 0;
  #pendingHeader: HeaderFields | undefined;
  #error: ProtocolError | undefined;

  constructor(options: EnvelopeAssemblerOptions) {
    this.#maxBodyBytes = options.maxBodyBytes;
    this.#directionBit = options.direction === 'response' ? 0x80 : 0;
    this.#acceptVersion = options.acceptVersion;
  }

  /** The error that ended the stream; `undefined` while all is well. */
  get error(): ProtocolError | undefined {
    return this.#error;
  }

  /** Bytes held back for an envelope that is not complete. */
  get pendingBytes(): number {
    return this.#pendingLength;
  }

  /** Forgets the error and all bytes that belong to no complete envelope; the next byte begins a header. */
  reset(): void {
    this.#error = undefined;
    this.#dropPending();
  }

  /**
   * Takes the next bytes of the stream and returns the envelopes that are complete now, in order.
   *
   * @throws UnsupportedVersionError from the first byte of a header on, without waiting for the rest
   * @throws ProtocolError for a wrong direction, or a length that is negative or over the limit
   */
  push(chunk: Buffer): Envelope[] {
    if (this.#error !== undefined) throw this.#error;
    const complete: Envelope[] = [];
    try {
      let at = this.#pendingLength === 0 ? 0 : this.#continuePending(chunk, complete);
      while (at < chunk.length) at = this.#next(chunk, at, complete);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#error = error;
      this.#dropPending();
      if (complete.length === 0) throw error;
    }
    return complete;
  }

  /** Takes one envelope, or keeps its beginning; returns where the next one starts. */
  #next(chunk: Buffer, at: number, complete: Envelope[]): number {
    const available = chunk.length - at;
    if (available < HEADER_BYTES) {
      this.#checkFirstByte(chunk[at] as number);
      this.#keep(chunk, at, chunk.length);
      return chunk.length;
    }
    const header = this.#header(chunk, at);
    const bodyAt = at + HEADER_BYTES;
    const end = bodyAt + header.length;
    if (end > chunk.length) {
      this.#pendingHeader = header;
      this.#keep(chunk, at, chunk.length);
      return chunk.length;
    }
    complete.push(envelope(header, chunk.subarray(bodyAt, end)));
    return end;
  }

  /** Adds to the envelope that is not complete; returns how many bytes of the chunk it took. */
  #continuePending(chunk: Buffer, complete: Envelope[]): number {
    let at = 0;
    if (this.#pendingHeader === undefined) {
      at = Math.min(chunk.length, HEADER_BYTES - this.#pendingLength);
      this.#keep(chunk, 0, at);
      if (this.#pendingLength < HEADER_BYTES) return at;
      this.#pendingHeader = this.#header(this.#pending as Buffer, 0);
    }
    const header = this.#pendingHeader;
    const total = HEADER_BYTES + header.length;
    const until = Math.min(chunk.length, at + total - this.#pendingLength);
    this.#keep(chunk, at, until);
    if (this.#pendingLength === total) {
      complete.push(envelope(header, (this.#pending as Buffer).subarray(HEADER_BYTES, total)));
      this.#dropPending();
    }
    return until;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const needed = this.#pendingLength + to - from;
    let pending = this.#pending;
    if (pending === undefined || needed > pending.length) {
      const total = HEADER_BYTES + (this.#pendingHeader?.length ?? 0);
      const doubled = Math.max(needed, FIRST_CAPACITY, (pending?.length ?? 0) * 2);
      // The body is handed out as a view of this buffer, so it must not share memory with anything else for long.
      const larger = Buffer.allocUnsafeSlow(Math.min(doubled, Math.max(total, needed)));
      if (pending !== undefined) larger.set(pending.subarray(0, this.#pendingLength));
      this.#pending = pending = larger;
    }
    pending.set(chunk.subarray(from, to), this.#pendingLength);
    this.#pendingLength = needed;
  }

  #dropPending(): void {
    this.#pending = undefined;
    this.#pendingLength = 0;
    this.#pendingHeader = undefined;
  }

  /** Reads and checks a header; everything about it is refused before a byte of the body is kept. */
  #header(bytes: Buffer, at: number): HeaderFields {
    this.#checkFirstByte(bytes[at] as number);
    const header = headerLayout.parse(bytes.subarray(at, at + HEADER_BYTES)) as HeaderFields;
    if (header.length < 0 || header.length > this.#maxBodyBytes) {
      throw new ProtocolError(
        'PROTOCOL_MESSAGE_SIZE',
        `a body of ${header.length} bytes is announced; the limit is ${this.#maxBodyBytes}`,
      );
    }
    return header;
  }

  /** v1 and v2 have headers of 8 bytes: waiting for 9 could wait for ever, so the version is judged alone. */
  #checkFirstByte(first: number): void {
    const version = first & 0x7f;
    if (!this.#acceptVersion(version)) throw new UnsupportedVersionError(version);
    if ((first & 0x80) !== this.#directionBit) {
      throw new ProtocolError('PROTOCOL_DIRECTION', 'the direction bit of a message is wrong');
    }
  }
}

function envelope(header: HeaderFields, body: Buffer): Envelope {
  return {
    version: header.versionAndDirection & 0x7f,
    isResponse: (header.versionAndDirection & 0x80) !== 0,
    flags: header.flags,
    streamId: header.streamId,
    opcode: header.opcode,
    body,
  };
}
