import { native } from '../values/index.ts';
import { abs, integerPart, precision, setScale } from './decimal.ts';
import type { Decimal } from './decimal.ts';
import { exp, log, log10 } from './decimal_math.ts';
import { exactExp, exactLog, exactLog10, javaRound } from './float_math.ts';
import { arithmeticException } from './failures.ts';
import type { ScalarFunction } from './function.ts';
import {
  isNaNValue,
  NUMERIC_NAMES,
  readNumber,
  toDouble,
  toFloat,
  toInt,
  toLong,
  writeIndefinite,
  writeNumber,
} from './numbers.ts';
import type { NumberValue, NumericName } from './numbers.ts';

/** Digits of the results on decimals: those of the value, within bounds. */
const MIN_DIGITS = 32;
const MAX_DIGITS = 10_000;

function digitsFor(value: Decimal): number {
  return Math.min(Math.max(MIN_DIGITS, precision(value)), MAX_DIGITS);
}

function checkPositive(value: Decimal, what: string): void {
  if (value.unscaled <= 0n) throw arithmeticException(`${what} of number zero or less`);
}

const onDecimal = {
  exp: (value: Decimal) => exp(value, digitsFor(value)),
  log: (value: Decimal) => {
    checkPositive(value, 'Natural log');
    return log(value, digitsFor(value));
  },
  log10: (value: Decimal) => {
    checkPositive(value, 'Log10');
    return log10(value, digitsFor(value));
  },
};

const onDouble = { exp: exactExp, log: exactLog, log10: exactLog10 };

/** A curve on a number of the type; fixed integers get the result cut off as Java casts it. */
function curve(which: 'exp' | 'log' | 'log10', name: NumericName, value: NumberValue): NumberValue {
  if (typeof value === 'object') return onDecimal[which](value);
  if (name === 'varint' && typeof value === 'bigint') {
    return integerPart(onDecimal[which]({ unscaled: value, scale: 0 }));
  }
  const result = onDouble[which](toDouble(value));
  switch (name) {
    case 'float':
      return toFloat(result);
    case 'double':
      return result;
    case 'bigint':
    case 'counter':
      return toLong(result);
    default:
      return toInt(result);
  }
}

function absolute(value: NumberValue): NumberValue {
  if (typeof value === 'number') return Math.abs(value);
  if (typeof value === 'bigint') return abs(value);
  return { unscaled: abs(value.unscaled), scale: value.scale };
}

function rounded(name: NumericName, value: NumberValue): NumberValue {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'object') return setScale(value, 0, 'half_up');
  const whole = javaRound(value);
  return name === 'float' ? toFloat(toInt(whole)) : Number(toLong(whole));
}

function mathFunction(
  name: string,
  type: NumericName,
  execute: (value: NumberValue) => NumberValue,
): ScalarFunction {
  return {
    kind: 'scalar',
    name: `system.${name}`,
    args: [native(type)],
    result: native(type),
    columnName: (parts) => `system.${name}(${parts.join(', ')})`,
    call([bytes]) {
      const value = bytes === null || bytes === undefined ? undefined : readNumber(type, bytes);
      if (value === undefined) return null;
      const result = execute(value);
      const isIndefinite = isNaNValue(result) && !isNaNValue(value);
      if (isIndefinite && (type === 'float' || type === 'double')) return writeIndefinite(type);
      return writeNumber(type, result);
    },
  };
}

/** abs, exp, log, log10 and round on every numeric type. */
export const MATH_FUNCTIONS: ReadonlyMap<string, readonly ScalarFunction[]> = new Map([
  ['abs', NUMERIC_NAMES.map((type) => mathFunction('abs', type, absolute))],
  ['round', NUMERIC_NAMES.map((type) => mathFunction('round', type, (v) => rounded(type, v)))],
  ...(['exp', 'log', 'log10'] as const).map((name): [string, readonly ScalarFunction[]] => [
    name,
    NUMERIC_NAMES.map((type) => mathFunction(name, type, (value) => curve(name, type, value))),
  ]),
]);
