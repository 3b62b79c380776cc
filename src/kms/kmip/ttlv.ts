import { KeyUnavailableError } from '../../errors/index.ts';

const STRUCTURE = 1;
const INTEGER = 2;
const ENUMERATION = 5;
const TEXT = 7;
const BYTES = 8;
const HEAD_BYTES = 8;
/** Messages are a few levels deep. */
const MAX_DEPTH = 16;

/** One item of a KMIP message: a tag and a value. Spec: KMIP 1.4 9.1. */
export interface Ttlv {
  readonly tag: number;
  readonly type: number;
  /** Items of a structure; empty for all other types. */
  readonly items: readonly Ttlv[];
  /** The value of all other types, without padding; a view of the message. */
  readonly value: Buffer;
}

/** A structure. */
export function structure(tag: number, items: readonly Buffer[]): Buffer {
  return item(tag, STRUCTURE, Buffer.concat(items));
}

/** A 32-bit number. */
export function integer(tag: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return item(tag, INTEGER, bytes);
}

/** A value of an enumeration. */
export function enumeration(tag: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return item(tag, ENUMERATION, bytes);
}

/** A text. */
export function text(tag: number, value: string): Buffer {
  return item(tag, TEXT, Buffer.from(value, 'utf8'));
}

/** A byte string. */
export function bytes(tag: number, value: Uint8Array): Buffer {
  return item(tag, BYTES, Buffer.from(value));
}

function item(tag: number, type: number, value: Buffer): Buffer {
  const padded = Math.ceil(value.length / 8) * 8;
  const encoded = Buffer.alloc(HEAD_BYTES + padded);
  encoded.writeUIntBE(tag, 0, 3);
  encoded.writeUInt8(type, 3);
  encoded.writeUInt32BE(value.length, 4);
  value.copy(encoded, HEAD_BYTES);
  return encoded;
}

/** Length of the message that starts with `head`, its 8 first bytes included. */
export function messageLength(head: Buffer): number {
  return HEAD_BYTES + Math.ceil(head.readUInt32BE(4) / 8) * 8;
}

/**
 * Takes a whole message apart.
 * @throws KeyUnavailableError KEY_UNAVAILABLE when it is no TTLV: something else than a KMIP server answers.
 */
export function decodeTtlv(message: Buffer): Ttlv {
  const items = decodeItems(message, 0);
  const [root] = items;
  if (root === undefined || items.length > 1) throw malformed();
  return root;
}

function decodeItems(buffer: Buffer, depth: number): Ttlv[] {
  if (depth > MAX_DEPTH) throw malformed();
  const items: Ttlv[] = [];
  let offset = 0;
  while (offset < buffer.length) {
    if (buffer.length - offset < HEAD_BYTES) throw malformed();
    const tag = buffer.readUIntBE(offset, 3);
    const type = buffer.readUInt8(offset + 3);
    const length = buffer.readUInt32BE(offset + 4);
    const start = offset + HEAD_BYTES;
    offset = start + Math.ceil(length / 8) * 8;
    if (offset > buffer.length) throw malformed();
    const value = buffer.subarray(start, start + length);
    items.push({
      tag,
      type,
      items: type === STRUCTURE ? decodeItems(value, depth + 1) : [],
      value: type === STRUCTURE ? Buffer.alloc(0) : value,
    });
  }
  return items;
}

/** The first item with a tag. */
export function find(parent: Ttlv | undefined, tag: number): Ttlv | undefined {
  return parent?.items.find((candidate) => candidate.tag === tag);
}

/** The number of an integer or enumeration; `undefined` when it is neither. */
export function numberOf(of: Ttlv | undefined): number | undefined {
  const isNumber = of?.type === INTEGER || of?.type === ENUMERATION;
  return isNumber && of.value.length === 4 ? of.value.readUInt32BE(0) : undefined;
}

/** The text of a text string; `undefined` when it is none. */
export function textOf(of: Ttlv | undefined): string | undefined {
  return of?.type === TEXT ? of.value.toString('utf8') : undefined;
}

/** The bytes of a byte string; `undefined` when it is none. */
export function bytesOf(of: Ttlv | undefined): Buffer | undefined {
  return of?.type === BYTES ? of.value : undefined;
}

function malformed(): KeyUnavailableError {
  return new KeyUnavailableError('KEY_UNAVAILABLE', 'what answers is not a KMIP server');
}
