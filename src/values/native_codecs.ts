import { InvalidRequestError } from '../errors/index.ts';
import { BitWriter, fixedBits } from './bit_writer.ts';
import type { OrderBits } from './bit_writer.ts';
import { compareBytes } from './bytes.ts';
import type { ElementCodec } from './codec.ts';
import type { NativeTypeName } from './cql_type.ts';
import { decimalCodec, durationCodec, varintCodec } from './number_codecs.ts';
import { isCassandraUtf8 } from './utf8.ts';
import { timeuuidCodec, uuidCodec } from './uuid_codecs.ts';

const identity = (bytes: Uint8Array): Uint8Array => bytes;
const EMPTY_BITS: OrderBits = { bytes: Uint8Array.of(0), bitLength: 1 };

interface FixedRules {
  readonly length: number;
  /** Cassandra's message for another length. */
  readonly message: (length: number) => string;
  readonly allowsEmpty: boolean;
  /** Whether Cassandra packs vectors of the type without lengths. */
  readonly packed: boolean;
  /** `signed`: top bit flipped; `float`: IEEE 754 total order with one NaN at the end. */
  readonly order: 'unsigned' | 'signed' | 'float';
  readonly comparable?: (bytes: Uint8Array) => Uint8Array;
}

function fixedCodec(rules: FixedRules): ElementCodec {
  const { length, allowsEmpty, order } = rules;
  const comparable = rules.comparable ?? identity;
  const orderBits = (canonical: Uint8Array): OrderBits => {
    if (canonical.length === 0) return EMPTY_BITS;
    const first = canonical[0] as number;
    if (order === 'float' && first >= 0x80) return fixedBits(canonical, first ^ 0xff, 0xff);
    return fixedBits(canonical, order === 'unsigned' ? first : first ^ 0x80, 0);
  };
  const compare = (a: Uint8Array, b: Uint8Array): number => {
    if (a.length === 0 || b.length === 0) return a.length - b.length;
    if (order === 'float') {
      return compareBytes(orderBits(comparable(a)).bytes, orderBits(comparable(b)).bytes);
    }
    if (order === 'signed') {
      const difference = ((a[0] as number) ^ 0x80) - ((b[0] as number) ^ 0x80);
      if (difference !== 0) return difference;
    }
    return compareBytes(comparable(a), comparable(b));
  };
  return {
    fixedLength: rules.packed ? length : undefined,
    validate(bytes) {
      if (bytes.length === length || (bytes.length === 0 && allowsEmpty)) return;
      throw new InvalidRequestError(rules.message(bytes.length));
    },
    stored: identity,
    rewritten: identity,
    comparable,
    orderBits,
    writeBits(writer, canonical) {
      const bits = orderBits(canonical);
      writer.bytes(bits.bytes, 0, bits.bytes.length - 1);
      const rest = (bits.bitLength - 1) & 7;
      writer.bits((bits.bytes[bits.bytes.length - 1] as number) >> (7 - rest), rest + 1);
    },
    compare,
  };
}

const TRUE = Uint8Array.of(1);
const FLOAT_NAN = Uint8Array.of(0x7f, 0xc0, 0, 0);
const DOUBLE_NAN = Uint8Array.of(0x7f, 0xf8, 0, 0, 0, 0, 0, 0);

function canonicalFloat(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  if (((bytes[0] as number) & 0x7f) !== 0x7f || ((bytes[1] as number) & 0x80) === 0) return bytes;
  const isNan = ((bytes[1] as number) & 0x7f) !== 0 || bytes[2] !== 0 || bytes[3] !== 0;
  return isNan && compareBytes(bytes, FLOAT_NAN) !== 0 ? FLOAT_NAN : bytes;
}

function canonicalDouble(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  if (((bytes[0] as number) & 0x7f) !== 0x7f || ((bytes[1] as number) & 0xf0) !== 0xf0)
    return bytes;
  let fraction = (bytes[1] as number) & 0x0f;
  for (let i = 2; i < 8; i++) fraction |= bytes[i] as number;
  return fraction !== 0 && compareBytes(bytes, DOUBLE_NAN) !== 0 ? DOUBLE_NAN : bytes;
}

/** Codec of a type whose order is that of its bytes: 9 bits a byte and an end. */
function bytesCodec(
  validate: (bytes: Uint8Array) => void,
  rewritten: (bytes: Uint8Array) => Uint8Array,
): ElementCodec {
  const writeBits = (writer: BitWriter, canonical: Uint8Array): void => {
    const length = canonical.length;
    if (length === 0) {
      writer.bits(0, 1);
      return;
    }
    writer.bits(1, 1);
    for (let i = 0; i < length; i++) writer.bits(0x100 | (canonical[i] as number), 9);
    writer.bits(0, 1);
  };
  return {
    fixedLength: undefined,
    validate,
    stored: identity,
    rewritten,
    comparable: identity,
    writeBits,
    orderBits(canonical) {
      const writer = new BitWriter(((canonical.length * 9 + 2) >> 3) + 1);
      writeBits(writer, canonical);
      return writer.finish();
    },
    compare: compareBytes,
  };
}

function validateText(bytes: Uint8Array): void {
  if (!isCassandraUtf8(bytes)) throw new InvalidRequestError("String didn't validate.");
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Cassandra's validator accepts more than Java decodes, and elements of collections are decoded. */
function rewriteText(bytes: Uint8Array): Uint8Array {
  try {
    strictUtf8.decode(bytes);
  } catch {
    throw new InvalidRequestError('Invalid UTF-8 bytes in a text inside a collection');
  }
  return bytes;
}

function validateAscii(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    if ((bytes[i] as number) >= 0x80) throw new InvalidRequestError('Invalid byte for ascii');
  }
}

const inetCodec: ElementCodec = {
  ...bytesCodec(
    (bytes) => {
      const { length } = bytes;
      if (length !== 0 && length !== 4 && length !== 16) {
        throw new InvalidRequestError(`Expected 4 or 16 byte inetaddress; got ${length} bytes`);
      }
    },
    // Java reads an IPv4-mapped address as IPv4 and writes 4 bytes.
    (bytes) => {
      if (bytes.length !== 16) return bytes;
      for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
      return bytes[10] === 0xff && bytes[11] === 0xff ? bytes.subarray(12) : bytes;
    },
  ),
  writeBits: writeInetBits,
  orderBits(canonical) {
    const writer = new BitWriter(17);
    writeInetBits(writer, canonical);
    return writer.finish();
  },
};

/** An address of 4 bytes sorts before those of 16 that begin with it. */
function writeInetBits(writer: BitWriter, canonical: Uint8Array): void {
  if (canonical.length === 0) {
    writer.bits(0, 1);
    return;
  }
  writer.bits(1, 1);
  writer.bytes(canonical, 0, 4);
  writer.bits(canonical.length === 4 ? 0 : 1, 1);
  writer.bytes(canonical, 4, canonical.length);
}

const bigintCodec = fixedCodec({
  length: 8,
  message: (length) => `Expected 8 or 0 byte long (${length})`,
  allowsEmpty: true,
  packed: true,
  order: 'signed',
});

/** The codec of each native type; shared, without state. */
export const NATIVE_CODECS: Readonly<Record<NativeTypeName, ElementCodec>> = {
  ascii: bytesCodec(validateAscii, identity),
  bigint: bigintCodec,
  blob: bytesCodec(() => undefined, identity),
  boolean: {
    ...fixedCodec({
      length: 1,
      message: (length) => `Expected 1 or 0 byte value (${length})`,
      allowsEmpty: true,
      packed: true,
      order: 'unsigned',
      comparable: canonicalBoolean,
    }),
    rewritten: canonicalBoolean,
    writeBits(writer, canonical) {
      if (canonical.length === 0) writer.bits(0, 1);
      else writer.bits(canonical[0] === 0 ? 2 : 3, 2);
    },
    orderBits(canonical) {
      if (canonical.length === 0) return EMPTY_BITS;
      return { bytes: Uint8Array.of(canonical[0] === 0 ? 0x80 : 0xc0), bitLength: 2 };
    },
  },
  counter: { ...bigintCodec, fixedLength: undefined },
  date: fixedCodec({
    length: 4,
    message: (length) => `Expected 4 byte long for date (${length})`,
    allowsEmpty: false,
    packed: false,
    order: 'unsigned',
  }),
  decimal: decimalCodec,
  double: fixedCodec({
    length: 8,
    message: (length) => `Expected 8 or 0 byte value for a double (${length})`,
    allowsEmpty: true,
    packed: true,
    order: 'float',
    comparable: canonicalDouble,
  }),
  duration: durationCodec,
  float: fixedCodec({
    length: 4,
    message: (length) => `Expected 4 or 0 byte value for a float (${length})`,
    allowsEmpty: true,
    packed: true,
    order: 'float',
    comparable: canonicalFloat,
  }),
  inet: inetCodec,
  int: fixedCodec({
    length: 4,
    message: (length) => `Expected 4 or 0 byte int (${length})`,
    allowsEmpty: true,
    packed: true,
    order: 'signed',
  }),
  smallint: fixedCodec({
    length: 2,
    message: (length) => `Expected 2 bytes for a smallint (${length})`,
    allowsEmpty: false,
    packed: false,
    order: 'signed',
  }),
  text: bytesCodec(validateText, rewriteText),
  time: fixedCodec({
    length: 8,
    message: (length) => `Expected 8 byte long for time (${length})`,
    allowsEmpty: false,
    packed: false,
    order: 'unsigned',
  }),
  timestamp: fixedCodec({
    length: 8,
    message: (length) => `Expected 8 or 0 byte long for date (${length})`,
    allowsEmpty: true,
    packed: true,
    order: 'signed',
  }),
  timeuuid: timeuuidCodec,
  tinyint: fixedCodec({
    length: 1,
    message: (length) => `Expected 1 byte for a tinyint (${length})`,
    allowsEmpty: false,
    packed: false,
    order: 'signed',
  }),
  uuid: uuidCodec,
  varint: varintCodec,
};

function canonicalBoolean(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 || (bytes[0] as number) <= 1 ? bytes : TRUE;
}
