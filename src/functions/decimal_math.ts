import { abs, integerPart, powerOfTen, roundTo, ZERO } from './decimal.ts';
import type { Decimal } from './decimal.ts';
import { arithmeticException } from './failures.ts';

/**
 * e^x, ln x and log10 x to a given number of digits. Numbers inside are fixed point: integers times 10^-places.
 */
const ONE: Decimal = { unscaled: 1n, scale: 0 };
/** Digits beyond those of the result, against the errors of the way to it. */
const GUARD = 25;

interface LogOfTen {
  readonly places: number;
  readonly value: bigint;
}

/** Only a cache: the longest that was needed. */
let logOfTenCache: LogOfTen | undefined;

/** e^value for a value of a few units, by halving, the power series and squaring. */
function fixedExp(value: bigint, places: number): bigint {
  const halvings = Math.ceil(Math.sqrt(places)) + 4;
  const extra = Math.ceil(halvings * 0.31) + 5;
  const one = powerOfTen(places + extra);
  const x = (value * powerOfTen(extra)) >> BigInt(halvings);
  let sum = one;
  let term = one;
  for (let i = 1n; term !== 0n && term !== -1n; i++) {
    term = (term * x) / one / i;
    sum += term;
  }
  for (let i = 0; i < halvings; i++) sum = (sum * sum) / one;
  return sum / powerOfTen(extra);
}

/** ln value for a value between 1/20 and 20, by a method that triples its digits each time. */
function fixedLog(value: bigint, places: number): bigint {
  const one = powerOfTen(places);
  const leading = Number((value * 10n ** 20n) / one) / 1e20;
  let y = (BigInt(Math.round(Math.log(leading) * 1e15)) * one) / 10n ** 15n;
  for (let digits = 14; digits < places * 1.1 + 10; digits *= 3) {
    const e = fixedExp(y, places);
    y += (2n * one * (value - e)) / (value + e);
  }
  return y;
}

function logOfTen(places: number): bigint {
  if (logOfTenCache === undefined || logOfTenCache.places < places) {
    logOfTenCache = { places, value: fixedLog(10n * powerOfTen(places), places) };
  }
  return logOfTenCache.value / powerOfTen(logOfTenCache.places - places);
}

/** `BigDecimalMath.exp`. */
export function exp(value: Decimal, digits: number): Decimal {
  if (value.unscaled === 0n) return ONE;
  const whole = value.scale < -20 ? 1n << 40n : integerPart(value);
  if (abs(whole) > 0x7fffffffn) throw arithmeticException('Overflow');
  const places = digits + GUARD + 12;
  const one = powerOfTen(places);
  // Digits below the places in use do not count.
  const fixed =
    value.scale > places
      ? shifted(value.unscaled, value.scale - places)
      : value.unscaled * powerOfTen(places - value.scale);
  const tens = fixed / logOfTen(places);
  const rest = fixed - tens * logOfTen(places);
  const result: Decimal = {
    unscaled: fixedExp(rest, places),
    scale: places - Number(tens),
  };
  return fixed === 0n && one > 0n ? ONE : roundTo(result, digits, 'half_even');
}

/** Division by a power of ten that may be larger than any number in use. */
function shifted(value: bigint, exponent: number): bigint {
  return exponent > abs(value).toString().length ? 0n : value / powerOfTen(exponent);
}

/** The natural logarithm as fixed point with `places`. */
function naturalLog(value: Decimal, places: number): bigint {
  const digits = value.unscaled.toString().length;
  const mantissa =
    digits - 1 > places
      ? value.unscaled / powerOfTen(digits - 1 - places)
      : value.unscaled * powerOfTen(places - digits + 1);
  const exponent = BigInt(digits - 1 - value.scale);
  return fixedLog(mantissa, places) + exponent * logOfTen(places);
}

function isOne(value: Decimal): boolean {
  return (
    value.scale >= 0 &&
    value.scale < value.unscaled.toString().length &&
    value.unscaled === powerOfTen(value.scale)
  );
}

/** `BigDecimalMath.log`; the value is above zero. */
export function log(value: Decimal, digits: number): Decimal {
  if (isOne(value)) return ZERO;
  const places = digits + GUARD * 2;
  return roundTo({ unscaled: naturalLog(value, places), scale: places }, digits, 'half_even');
}

/** `BigDecimalMath.log10`, which divides two rounded logarithms; the value is above zero. */
export function log10(value: Decimal, digits: number): Decimal {
  const dividend = log(value, digits + 2);
  const divisor = log({ unscaled: 10n, scale: 0 }, digits + 2);
  return roundTo(divide(dividend, divisor, digits + 2), digits, 'half_even');
}

/** `BigDecimal.divide` with a MathContext, rounding half to even; exact quotients lose their trailing zeros. */
function divide(left: Decimal, right: Decimal, digits: number): Decimal {
  const preferred = left.scale - right.scale;
  if (left.unscaled === 0n) return { unscaled: 0n, scale: preferred };
  const raise = digits + 3 + right.unscaled.toString().length;
  const dividend = left.unscaled * powerOfTen(raise);
  const quotient = dividend / right.unscaled;
  const isExact = dividend % right.unscaled === 0n;
  // A digit that cannot be a tie stands for what is left.
  const sticky = isExact ? quotient * 10n : quotient * 10n + (quotient < 0n ? -1n : 1n);
  let result = roundTo({ unscaled: sticky, scale: preferred + raise + 1 }, digits, 'half_even');
  if (isExact) {
    while (result.scale > preferred && result.unscaled % 10n === 0n) {
      result = { unscaled: result.unscaled / 10n, scale: result.scale - 1 };
    }
  }
  return result;
}
