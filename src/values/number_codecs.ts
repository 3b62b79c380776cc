import { InvalidRequestError } from '../errors/index.ts';
import { BitWriter } from './bit_writer.ts';
import {
  compareBytes,
  concatBytes,
  readBigInt,
  readInt32,
  writeBigInt,
  writeInt32,
} from './bytes.ts';
import type { ElementCodec } from './codec.ts';
import { readVint, writeVint } from './vint.ts';

const identity = (bytes: Uint8Array): Uint8Array => bytes;

/** How many leading bytes of a two's complement number only repeat its sign. */
function paddingLength(bytes: Uint8Array, start: number): number {
  const sign = (bytes[start] as number) >= 0x80 ? 0xff : 0;
  let i = start;
  while (
    i + 1 < bytes.length &&
    bytes[i] === sign &&
    ((bytes[i + 1] as number) & 0x80) === (sign & 0x80)
  ) {
    i++;
  }
  return i - start;
}

/**
 * Prefix-free, order-preserving bits of a minimal two's complement number: sign (1 = not negative), then for n bytes
 * n-1 ones and a zero, then the 8n-1 bits after the sign bit. Negative numbers: all bits but the sign inverted relative
 * to those of their complement, which leaves the last 8n-1 bits as they are.
 */
function writeVarintBits(writer: BitWriter, bytes: Uint8Array): void {
  const isNegative = (bytes[0] as number) >= 0x80;
  writer.bits(isNegative ? 0 : 1, 1);
  for (let i = 1; i < bytes.length; i++) writer.bits(isNegative ? 0 : 1, 1);
  writer.bits(isNegative ? 1 : 0, 1);
  writer.bits((bytes[0] as number) & 0x7f, 7);
  writer.bytes(bytes, 1, bytes.length);
}

function minimalVarint(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 2) return bytes;
  const padding = paddingLength(bytes, 0);
  return padding === 0 ? bytes : bytes.subarray(padding);
}

function compareVarints(a: Uint8Array, b: Uint8Array): number {
  if (a.length === 0 || b.length === 0) return a.length - b.length;
  const left = minimalVarint(a);
  const right = minimalVarint(b);
  const isNegative = (left[0] as number) >= 0x80;
  if (isNegative !== (right[0] as number) >= 0x80) return isNegative ? -1 : 1;
  if (left.length !== right.length) {
    return left.length > right.length === isNegative ? -1 : 1;
  }
  return compareBytes(left, right);
}

/** Codec of `varint`. Spec: org.apache.cassandra.db.marshal.IntegerType. */
export const varintCodec: ElementCodec = {
  fixedLength: undefined,
  validate: () => undefined,
  stored: identity,
  rewritten: minimalVarint,
  comparable: minimalVarint,
  writeBits(writer, canonical) {
    writer.bits(canonical.length === 0 ? 0 : 1, 1);
    if (canonical.length > 0) writeVarintBits(writer, canonical);
  },
  orderBits(canonical) {
    const writer = new BitWriter(canonical.length + (canonical.length >> 3) + 2);
    varintCodec.writeBits(writer, canonical);
    return writer.finish();
  },
  compare: compareVarints,
};

const MIN_SCALE = -0x80000000;
const ZERO = Uint8Array.of(0, 0, 0, 0, 0);

/** A decimal taken apart: the value is 0.digits × 10^exponent, `digits` without zeros at either end; zero has none. */
interface DecimalParts {
  readonly sign: -1 | 0 | 1;
  readonly exponent: number;
  readonly digits: string;
}

function splitDecimal(bytes: Uint8Array): DecimalParts {
  const unscaled = readUnscaled(bytes);
  if (unscaled === 0n) return { sign: 0, exponent: 0, digits: '' };
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30) end--;
  return {
    sign: unscaled < 0n ? -1 : 1,
    exponent: digits.length - readInt32(bytes, 0),
    digits: digits.slice(0, end),
  };
}

/** @throws InvalidRequestError for a decimal of a scale alone, which passes Cassandra's validator but is no number */
function readUnscaled(bytes: Uint8Array): bigint {
  if (bytes.length < 5) throw new InvalidRequestError('A decimal has no unscaled value');
  return readBigInt(bytes.subarray(4));
}

function canonicalDecimal(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  let unscaled = readUnscaled(bytes);
  if (unscaled === 0n) return compareBytes(bytes, ZERO) === 0 ? bytes : ZERO;
  let scale = readInt32(bytes, 0);
  if ((unscaled & 1n) === 1n) return rewriteDecimal(bytes);
  let stripped = 0;
  const digits = unscaled.toString();
  while (digits.charCodeAt(digits.length - 1 - stripped) === 0x30 && scale > MIN_SCALE) {
    stripped += 1;
    scale -= 1;
  }
  if (stripped === 0) return rewriteDecimal(bytes);
  unscaled /= 10n ** BigInt(stripped);
  return writeDecimal(unscaled, scale);
}

/** Cassandra's serialisation of a decimal: scale, then the unscaled value. */
export function writeDecimal(unscaled: bigint, scale: number): Uint8Array {
  const number = writeBigInt(unscaled);
  const out = new Uint8Array(4 + number.length);
  writeInt32(out, 0, scale);
  out.set(number, 4);
  return out;
}

function rewriteDecimal(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  if (bytes.length < 5) readUnscaled(bytes);
  const padding = paddingLength(bytes, 4);
  if (padding === 0) return bytes;
  return concatBytes([bytes.subarray(0, 4), bytes.subarray(4 + padding)]);
}

function compareDecimals(a: Uint8Array, b: Uint8Array): number {
  if (a.length === 0 || b.length === 0) return a.length - b.length;
  const left = splitDecimal(a);
  const right = splitDecimal(b);
  if (left.sign !== right.sign) return left.sign - right.sign;
  if (left.exponent !== right.exponent) return left.sign * (left.exponent - right.exponent);
  if (left.digits === right.digits) return 0;
  return left.digits < right.digits ? -left.sign : left.sign;
}

/**
 * Codec of `decimal`. Order bits: 1 (not empty); sign 00 negative, 01 zero, 10 positive; the exponent as a varint; the
 * digits of 4 bits each as digit + 1; 0000 as the end. Exponent and digits are inverted for negative numbers.
 * Spec: java.math.BigDecimal.compareTo.
 */
export const decimalCodec: ElementCodec = {
  fixedLength: undefined,
  validate(bytes) {
    if (bytes.length > 0 && bytes.length < 4) {
      throw new InvalidRequestError(`Expected 0 or at least 4 bytes (${bytes.length})`);
    }
  },
  stored: identity,
  rewritten: rewriteDecimal,
  comparable: canonicalDecimal,
  writeBits(writer, canonical) {
    if (canonical.length === 0) {
      writer.bits(0, 1);
      return;
    }
    const { sign, exponent, digits } = splitDecimal(canonical);
    writer.bits(0b100 | (sign + 1), 3);
    if (sign === 0) return;
    const mask = sign < 0 ? 0x0f : 0;
    // ~x is the exponent whose bits are the inverse of those of x.
    writeVarintBits(writer, writeBigInt(BigInt(sign < 0 ? -exponent - 1 : exponent)));
    for (let i = 0; i < digits.length; i++) {
      writer.bits((digits.charCodeAt(i) - 0x2f) ^ mask, 4);
    }
    writer.bits(mask, 4);
  },
  orderBits(canonical) {
    const writer = new BitWriter(8 + canonical.length * 2);
    decimalCodec.writeBits(writer, canonical);
    return writer.finish();
  },
  compare: compareDecimals,
};

/** Months, days and nanoseconds of a `duration`; all of one sign. */
export interface DurationParts {
  readonly months: bigint;
  readonly days: bigint;
  readonly nanoseconds: bigint;
}

/** The serialisation of a duration: three vints. Spec: native_protocol_v5 5.8. */
export function writeDuration(parts: DurationParts): Uint8Array {
  return concatBytes([
    writeVint(parts.months),
    writeVint(parts.days),
    writeVint(parts.nanoseconds),
  ]);
}

/** @throws InvalidRequestError when the bytes end inside a number */
export function readDuration(bytes: Uint8Array): DurationParts {
  const months = readVint(bytes, 0);
  const days = months && readVint(bytes, months.end);
  const nanoseconds = days && readVint(bytes, days.end);
  if (months === undefined || days === undefined || nanoseconds === undefined) {
    throw new InvalidRequestError('Not enough bytes to read a duration');
  }
  return { months: months.value, days: days.value, nanoseconds: nanoseconds.value };
}

/** Codec of `duration`, which has no order: `compare` serves equality only, as Cassandra's does. */
export const durationCodec: ElementCodec = {
  fixedLength: undefined,
  validate(bytes) {
    if (bytes.length < 3) {
      throw new InvalidRequestError(`Expected at least 3 bytes for a duration (${bytes.length})`);
    }
    const { months, days, nanoseconds } = readDuration(bytes);
    if (BigInt.asIntN(32, months) !== months) {
      throw new InvalidRequestError('The duration months must be a 32 bits integer');
    }
    if (BigInt.asIntN(32, days) !== days) {
      throw new InvalidRequestError('The duration days must be a 32 bits integer');
    }
    const isPositive = months >= 0n && days >= 0n && nanoseconds >= 0n;
    if (!isPositive && (months > 0n || days > 0n || nanoseconds > 0n)) {
      throw new InvalidRequestError(
        'The duration months, days and nanoseconds must be all of the same sign',
      );
    }
  },
  stored: identity,
  rewritten: (bytes) => {
    const out = writeDuration(readDuration(bytes));
    return compareBytes(out, bytes) === 0 ? bytes : out;
  },
  comparable: identity,
  writeBits(writer, canonical) {
    writer.bits(canonical.length === 0 ? 0 : 1, 1);
    if (canonical.length === 0) return;
    for (const byte of canonical) writer.bits(0x100 | byte, 9);
    writer.bits(0, 1);
  },
  orderBits(canonical) {
    const writer = new BitWriter(canonical.length * 2);
    durationCodec.writeBits(writer, canonical);
    return writer.finish();
  },
  compare: compareBytes,
};
