import {
  constantToBytes,
  native,
  readBigInt,
  writeBigInt,
  writeDecimal,
  writeInt64,
} from '../values/index.ts';
import type { CqlType, NativeTypeName } from '../values/index.ts';
import { decimalText, decimalToDouble, integerPart, parseDecimalText } from './decimal.ts';
import type { Decimal } from './decimal.ts';
import { arithmeticException, JavaError } from './failures.ts';
import { doubleText, floatText } from './float_text.ts';

/** The native types that are numbers. */
export type NumericName =
  'tinyint' | 'smallint' | 'int' | 'bigint' | 'counter' | 'varint' | 'float' | 'double' | 'decimal';

/** A number out of its bytes: integers of all sizes, floats of both sizes, decimals. */
export type NumberValue = bigint | number | Decimal;

/** In the order in which Cassandra declares its functions. */
export const NUMERIC_NAMES: readonly NumericName[] = [
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'float',
  'double',
  'decimal',
  'varint',
  'counter',
];

/** Bytes of the fixed integers. */
export const INTEGER_LENGTHS = { tinyint: 1, smallint: 2, int: 4, bigint: 8, counter: 8 } as const;

/** The name of a numeric type; `undefined` for other types. */
export function numericName(type: CqlType): NumericName | undefined {
  if (type.kind !== 'native') return undefined;
  return isNumeric(type.name) ? type.name : undefined;
}

function isNumeric(name: NativeTypeName): name is NumericName {
  return (NUMERIC_NAMES as readonly NativeTypeName[]).includes(name);
}

/** The number; `undefined` for the empty value, which means null. */
export function readNumber(name: NumericName, bytes: Uint8Array): NumberValue | undefined {
  if (bytes.length === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (name) {
    case 'float':
      return view.getFloat32(0);
    case 'double':
      return view.getFloat64(0);
    case 'decimal':
      if (bytes.length < 5) {
        throw new JavaError('java.lang.NumberFormatException', 'Zero length BigInteger');
      }
      return { unscaled: readBigInt(bytes.subarray(4)), scale: view.getInt32(0) };
    default:
      return readBigInt(bytes);
  }
}

/** The bytes of a number that is of the type already; fixed integers are cut to their size. */
export function writeNumber(name: NumericName, value: NumberValue): Uint8Array {
  switch (name) {
    case 'float':
      return writeFloat(toDouble(value));
    case 'double':
      return writeDouble(toDouble(value));
    case 'decimal': {
      const decimal = toDecimal(value);
      return writeDecimal(decimal.unscaled, decimal.scale);
    }
    case 'varint':
      return writeBigInt(toBigInt(value));
    default:
      return writeInt64(toBigInt(value)).slice(8 - INTEGER_LENGTHS[name]);
  }
}

/** The bits that a processor gives to an operation without a result, such as 0/0: a NaN with a sign. */
export function writeIndefinite(name: 'float' | 'double'): Uint8Array {
  const out = name === 'float' ? writeFloat(NaN) : writeDouble(NaN);
  out[0] = 0xff;
  return out;
}

/** Whether a floating point number of `bytes` is a NaN. */
export function isNaNValue(value: NumberValue): boolean {
  return typeof value === 'number' && Number.isNaN(value);
}

/** NaN has the bits that Java's constant has. */
export function writeFloat(value: number): Uint8Array {
  if (Number.isNaN(value)) return Uint8Array.of(0x7f, 0xc0, 0, 0);
  const out = new Uint8Array(4);
  new DataView(out.buffer).setFloat32(0, value);
  return out;
}

/** NaN has the bits that Java's constant has. */
export function writeDouble(value: number): Uint8Array {
  if (Number.isNaN(value)) return Uint8Array.of(0x7f, 0xf8, 0, 0, 0, 0, 0, 0);
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, value);
  return out;
}

const LONG_MAX = 0x7fffffffffffffffn;
const LONG_MIN = -LONG_MAX - 1n;

/** `Number.longValue`: floats saturate, larger integers wrap. */
export function toLong(value: NumberValue): bigint {
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return 0n;
    if (value >= 2 ** 63) return LONG_MAX;
    if (value <= -(2 ** 63)) return LONG_MIN;
    return BigInt(Math.trunc(value));
  }
  return BigInt.asIntN(64, toBigInt(value));
}

/** `Number.intValue`: floats saturate, larger integers wrap. */
export function toInt(value: NumberValue): bigint {
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return 0n;
    return BigInt(Math.trunc(Math.min(Math.max(value, -0x80000000), 0x7fffffff)));
  }
  return BigInt.asIntN(32, toBigInt(value));
}

/** The integer part of any size; of a float that is finite. */
export function toBigInt(value: NumberValue): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return toLong(value);
  return integerPart(value);
}

/** `Number.doubleValue`: the nearest double. */
export function toDouble(value: NumberValue): number {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : decimalToDouble(value);
}

/** `Number.floatValue`: rounded once, not by way of a double. */
export function toFloat(value: NumberValue): number {
  if (typeof value === 'number') return Math.fround(value);
  const text = typeof value === 'bigint' ? value.toString() : `${value.unscaled}e${-value.scale}`;
  const bytes = constantToBytes({ type: 'float', text }, native('float'), '');
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0);
}

/** `DecimalType.toBigDecimal`: fixed integers come by way of a double, as in Cassandra. */
export function toDecimalOperand(name: NumericName, value: NumberValue): Decimal {
  if (typeof value === 'object') return value;
  if (typeof value === 'bigint' && name === 'varint') return { unscaled: value, scale: 0 };
  return doubleToDecimal(toDouble(value));
}

/** `BigDecimal.valueOf(double)`. */
export function doubleToDecimal(value: number): Decimal {
  if (Number.isNaN(value)) {
    throw new JavaError(
      'java.lang.NumberFormatException',
      'A NaN cannot be converted into a decimal',
    );
  }
  if (!Number.isFinite(value)) {
    throw new JavaError(
      'java.lang.NumberFormatException',
      'An infinite number cannot be converted into a decimal',
    );
  }
  return parseDecimalText(doubleText(value));
}

function toDecimal(value: NumberValue): Decimal {
  if (typeof value === 'object') return value;
  if (typeof value === 'bigint') return { unscaled: value, scale: 0 };
  return doubleToDecimal(value);
}

/** Text as `toString` of the Java type gives it. */
export function numberText(name: NumericName, value: NumberValue): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'object') return decimalText(value);
  return name === 'float' ? floatText(value) : doubleText(value);
}

/** A value of a fixed integer type after overflow. */
export function wrapInteger(name: keyof typeof INTEGER_LENGTHS, value: bigint): bigint {
  return BigInt.asIntN(INTEGER_LENGTHS[name] * 8, value);
}

/** @throws FunctionExecutionError for zero */
export function checkDivisor(value: bigint, isBig: boolean): void {
  if (value === 0n) throw arithmeticException(isBig ? 'BigInteger divide by zero' : '/ by zero');
}
