import { UnsupportedStatementError } from '../errors/index.ts';
import { arithmeticException } from './failures.ts';

/** `unscaled` × 10^-`scale`, as Java's BigDecimal: 1.0 and 1.00 are two values that compare equal. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** How a digit that falls away rounds the last one that stays. */
export type Rounding = 'half_up' | 'half_even' | 'down';

/** More digits than any value of Cassandra's can be worked with; a power of ten beyond is refused, not computed. */
const MAX_DIGITS = 300_000;

/** The decimal 0. */
export const ZERO: Decimal = { unscaled: 0n, scale: 0 };

/** @throws UnsupportedStatementError for a power that would take too much memory */
export function powerOfTen(exponent: number): bigint {
  if (exponent > MAX_DIGITS) {
    throw new UnsupportedStatementError(
      'The exponents of decimals are too far apart for the proxy to calculate with them',
    );
  }
  return 10n ** BigInt(exponent);
}

/** The magnitude of an integer. */
export function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Decimal digits of the unscaled value; zero has one. */
export function precision(value: Decimal): number {
  return digitsOf(value.unscaled);
}

function digitsOf(value: bigint): number {
  return abs(value).toString().length;
}

/** A scale that does not fit Java's 32 bits. */
function checkScale(scale: number): number {
  if (scale > 0x7fffffff) throw arithmeticException('Underflow');
  if (scale < -0x80000000) throw arithmeticException('Overflow');
  return scale;
}

/** Quotient of integers, rounded; the divisor is not zero. */
export function divideRounded(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  const quotient = dividend / divisor;
  if (rounding === 'down') return quotient;
  const twice = abs(dividend % divisor) * 2n;
  const half = abs(divisor);
  const isUp =
    twice > half || (twice === half && (rounding === 'half_up' || (quotient & 1n) === 1n));
  if (!isUp) return quotient;
  return dividend < 0n === divisor < 0n ? quotient + 1n : quotient - 1n;
}

/** At most `digits` digits. */
export function roundTo(value: Decimal, digits: number, rounding: Rounding): Decimal {
  let { unscaled, scale } = value;
  for (let drop = digitsOf(unscaled) - digits; drop > 0; drop = digitsOf(unscaled) - digits) {
    unscaled = divideRounded(unscaled, powerOfTen(drop), rounding);
    scale = checkScale(scale - drop);
  }
  return { unscaled, scale };
}

/** The value with another scale; fewer digits are rounded. */
export function setScale(value: Decimal, scale: number, rounding: Rounding): Decimal {
  const raise = scale - value.scale;
  if (raise >= 0) {
    return { unscaled: value.unscaled === 0n ? 0n : value.unscaled * powerOfTen(raise), scale };
  }
  // All digits fall away, with one to spare: no need for the power.
  if (-raise > digitsOf(value.unscaled) + 1) return { unscaled: 0n, scale };
  return { unscaled: divideRounded(value.unscaled, powerOfTen(-raise), rounding), scale };
}

/** Trailing zeros of the unscaled value removed while the scale is above `preferred`. */
export function stripZeros(value: Decimal, preferred: number): Decimal {
  if (value.unscaled === 0n) return value;
  const text = value.unscaled.toString();
  let count = 0;
  while (text.charCodeAt(text.length - 1 - count) === 0x30 && value.scale - count > preferred) {
    count++;
  }
  return { unscaled: value.unscaled / powerOfTen(count), scale: value.scale - count };
}

/** `BigDecimal.add` without limit of digits. */
export function add(left: Decimal, right: Decimal): Decimal {
  const scale = Math.max(left.scale, right.scale);
  return {
    unscaled: setScale(left, scale, 'down').unscaled + setScale(right, scale, 'down').unscaled,
    scale,
  };
}

/** The decimal with the other sign. */
export function negated(value: Decimal): Decimal {
  return { unscaled: -value.unscaled, scale: value.scale };
}

/** `BigDecimal.add` with a MathContext of `digits`, rounding half up. */
export function addRounded(left: Decimal, right: Decimal, digits: number): Decimal {
  const preferred = Math.max(left.scale, right.scale);
  if (left.unscaled === 0n && right.unscaled === 0n) return { unscaled: 0n, scale: preferred };
  if (left.unscaled === 0n || right.unscaled === 0n) {
    const rounded = roundTo(left.unscaled === 0n ? right : left, digits, 'half_up');
    if (rounded.scale > preferred) return stripZeros(rounded, preferred);
    const room = digits - precision(rounded);
    return setScale(rounded, Math.min(preferred, rounded.scale + room), 'down');
  }
  const [big, small] = left.scale < right.scale ? [left, right] : [right, left];
  return roundTo(add(big, nearEnough(big, small, digits)), digits, 'half_up');
}

/** A number so small beside the other that only its sign counts is replaced by one of that sign. */
function nearEnough(big: Decimal, small: Decimal, digits: number): Decimal {
  const lastPlace = big.scale - precision(big) + digits;
  const highDigit = small.scale - precision(small) + 1;
  if (highDigit <= big.scale + 2 || highDigit <= lastPlace + 2) return small;
  return {
    unscaled: small.unscaled < 0n ? -1n : 1n,
    scale: checkScale(Math.max(big.scale, lastPlace) + 3),
  };
}

/** `BigDecimal.multiply` with a MathContext of `digits`, rounding half up. */
export function multiplyRounded(left: Decimal, right: Decimal, digits: number): Decimal {
  const scale = checkScale(left.scale + right.scale);
  return roundTo({ unscaled: left.unscaled * right.unscaled, scale }, digits, 'half_up');
}

/** `BigDecimal.divide` to a given scale. */
export function divideToScale(
  left: Decimal,
  right: Decimal,
  scale: number,
  rounding: Rounding,
): Decimal {
  if (right.unscaled === 0n) {
    throw arithmeticException('BigInteger divide by zero');
  }
  if (left.unscaled === 0n) return { unscaled: 0n, scale };
  const raise = scale + right.scale - left.scale;
  const dividend = raise > 0 ? left.unscaled * powerOfTen(raise) : left.unscaled;
  const divisor = raise < 0 ? right.unscaled * powerOfTen(-raise) : right.unscaled;
  return { unscaled: divideRounded(dividend, divisor, rounding), scale };
}

/** `BigDecimal.remainder`. */
export function remainder(left: Decimal, right: Decimal): Decimal {
  if (right.unscaled === 0n) {
    throw arithmeticException(left.unscaled === 0n ? 'Division undefined' : 'Division by zero');
  }
  const scale = Math.max(left.scale, right.scale);
  const isSmaller =
    precision(left) - left.scale < precision(right) - right.scale || left.unscaled === 0n;
  if (isSmaller) return left;
  const dividend = setScale(left, scale, 'down').unscaled;
  const divisor = setScale(right, scale, 'down').unscaled;
  const quotient = dividend / divisor;
  if (quotient === 0n) return left;
  const rest: Decimal = { unscaled: dividend % divisor, scale };
  if (left.scale >= right.scale) return rest;
  // The quotient keeps its trailing zeros in its scale, and so the product may have a smaller scale than the divisor.
  const zeros = /0*$/.exec(quotient.toString())?.[0].length ?? 0;
  const product = right.scale + Math.max(left.scale - right.scale, -zeros);
  return setScale(rest, Math.max(left.scale, product), 'down');
}

/** `BigDecimal.toString`. */
export function decimalText({ unscaled, scale }: Decimal): string {
  const digits = abs(unscaled).toString();
  const sign = unscaled < 0n ? '-' : '';
  if (scale === 0) return sign + digits;
  const adjusted = digits.length - 1 - scale;
  if (scale >= 0 && adjusted >= -6) {
    const padded = digits.padStart(scale + 1, '0');
    const point = padded.length - scale;
    return `${sign}${padded.slice(0, point)}.${padded.slice(point)}`;
  }
  const mantissa = digits.length > 1 ? `${digits.charAt(0)}.${digits.slice(1)}` : digits;
  const exponent = adjusted === 0 ? '' : `E${adjusted > 0 ? '+' : ''}${adjusted}`;
  return sign + mantissa + exponent;
}

/** Reads text of {@link decimalText} or of a Java double. */
export function parseDecimalText(text: string): Decimal {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(text);
  if (match === null) throw arithmeticException('not a decimal');
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const magnitude = BigInt(whole + fraction);
  return {
    unscaled: sign === '-' ? -magnitude : magnitude,
    scale: fraction.length - parseInt(exponent, 10),
  };
}

/** The integer part. @throws UnsupportedStatementError for one that would take too much memory */
export function integerPart({ unscaled, scale }: Decimal): bigint {
  return setScale({ unscaled, scale }, 0, 'down').unscaled;
}

/** The nearest double. */
export function decimalToDouble({ unscaled, scale }: Decimal): number {
  return Number(`${unscaled}e${-scale}`);
}
