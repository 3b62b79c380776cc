import { native } from '../values/index.ts';
import type { NativeTypeName } from '../values/index.ts';
import { parseDecimalText } from './decimal.ts';
import type { Decimal } from './decimal.ts';
import { JavaError } from './failures.ts';
import type { ScalarFunction } from './function.ts';
import {
  NUMERIC_NAMES,
  numberText,
  readNumber,
  toDouble,
  toFloat,
  toInt,
  toLong,
  writeNumber,
} from './numbers.ts';
import type { NumberValue, NumericName } from './numbers.ts';
import { msToTemporal, temporalToMs } from './temporal.ts';
import type { TemporalName } from './temporal.ts';
import { castText, isEmptyMeaningless } from './value_text.ts';

/** The types that a number can be cast to, beside text. */
const NUMERIC_RESULTS = [
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'float',
  'double',
  'decimal',
  'varint',
] as const;

function castFunction(
  from: NativeTypeName,
  to: NativeTypeName,
  execute: (bytes: Uint8Array) => Uint8Array | null,
): ScalarFunction {
  return {
    kind: 'scalar',
    name: `system.cast_as_${to}`,
    args: [native(from)],
    result: native(to),
    columnName: ([only = '']) => `cast(${only} as ${to})`,
    call: ([bytes]) => (bytes === null || bytes === undefined ? null : execute(bytes)),
  };
}

function decimalOf(name: NumericName, value: NumberValue): Decimal {
  if (typeof value === 'object') return value;
  if (typeof value === 'bigint') return { unscaled: value, scale: 0 };
  if (!Number.isFinite(value)) {
    const character = Number.isNaN(value) ? 'N' : 'I';
    throw new JavaError(
      'java.lang.NumberFormatException',
      `Character ${character} is neither a decimal digit number, decimal point, nor "e" notation exponential mark.`,
    );
  }
  return parseDecimalText(numberText(name, value));
}

function convert(from: NumericName, to: NumericName, value: NumberValue): NumberValue {
  switch (to) {
    case 'float':
      return toFloat(value);
    case 'double':
      return toDouble(value);
    case 'decimal':
      return decimalOf(from, value);
    case 'bigint':
    case 'varint':
    case 'counter':
      return toLong(value);
    default:
      return toInt(value);
  }
}

function numericCast(from: NumericName, to: NumericName): ScalarFunction {
  return castFunction(from, to, (bytes) => {
    const value = readNumber(from, bytes);
    return value === undefined ? null : writeNumber(to, convert(from, to, value));
  });
}

function textCast(from: NativeTypeName, to: 'ascii' | 'text'): ScalarFunction {
  return castFunction(from, to, (bytes) => {
    if (bytes.length === 0 && isEmptyMeaningless(from)) return null;
    return new Uint8Array(Buffer.from(bytes.length === 0 ? 'null' : castText(from, bytes), 'utf8'));
  });
}

function temporalCast(from: TemporalName, to: 'timestamp' | 'date'): ScalarFunction {
  return castFunction(from, to, (bytes) =>
    bytes.length === 0 ? null : msToTemporal(to, temporalToMs(from, bytes)),
  );
}

const TEXT_SOURCES: readonly NativeTypeName[] = [
  ...NUMERIC_NAMES,
  'inet',
  'boolean',
  'timeuuid',
  'timestamp',
  'date',
  'time',
  'uuid',
];

/** Every cast that Cassandra has. Spec: org.apache.cassandra.cql3.functions.CastFcts. */
export const CASTS: readonly ScalarFunction[] = [
  ...NUMERIC_NAMES.flatMap((from) =>
    NUMERIC_RESULTS.filter((to) => to !== from).map((to) => numericCast(from, to)),
  ),
  castFunction('ascii', 'text', (bytes) => bytes),
  ...TEXT_SOURCES.flatMap((from) => [textCast(from, 'ascii'), textCast(from, 'text')]),
  temporalCast('timeuuid', 'date'),
  temporalCast('timeuuid', 'timestamp'),
  temporalCast('timestamp', 'date'),
  temporalCast('date', 'timestamp'),
];
