/** Text of floating point numbers as Java prints them up to version 18: not always the shortest that reads back. */

/** A finite number taken apart. */
interface BinaryParts {
  /** 53 bits, the highest set. */
  readonly fraction: bigint;
  readonly exponent: number;
  /** Bits of the fraction that the type had: fewer for floats and subnormal numbers. */
  readonly significantBits: number;
}

/** Digits without trailing zeros that do not count; the value is 0.digits × 10^exponent. */
interface Digits {
  readonly digits: string;
  readonly exponent: number;
}

/** One digit, and whether the digits so far are near enough to the value from below or above. */
interface Step {
  readonly digit: string;
  readonly isLow: boolean;
  readonly isHigh: boolean;
}

const FRACTION_BITS = 52;
/** Bits of 5^i, about. */
const BITS_OF_5 = [
  0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56,
  59, 61,
] as const;

/** `Double.toString`. */
export function doubleText(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  return textOf(value, bits & 0xfffffffffffffn, Number((bits >> 52n) & 0x7ffn), 52, 1023);
}

/** `Float.toString`. */
export function floatText(value: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  return textOf(value, BigInt(bits & 0x7fffff), (bits >>> 23) & 0xff, 23, 127);
}

function textOf(
  value: number,
  fractionBits: bigint,
  biasedExponent: number,
  width: number,
  bias: number,
): string {
  if (Number.isNaN(value)) return 'NaN';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (!Number.isFinite(value)) return `${sign}Infinity`;
  if (value === 0) return `${sign}0.0`;
  let fraction = fractionBits;
  let exponent = biasedExponent;
  let significantBits = width + 1;
  if (exponent === 0) {
    significantBits = fraction.toString(2).length;
    fraction <<= BigInt(width + 1 - significantBits);
    exponent = 1 - (width + 1 - significantBits);
  } else {
    fraction |= 1n << BigInt(width);
  }
  const parts: BinaryParts = {
    fraction: fraction << BigInt(FRACTION_BITS - width),
    exponent: exponent - bias,
    significantBits,
  };
  return sign + format(isWhole(parts) ? wholeDigits(parts) : developDigits(parts));
}

/** How many of the 53 bits stand before the trailing zeros. */
function usedBits(fraction: bigint): number {
  return fraction.toString(2).replace(/0+$/, '').length;
}

function isWhole({ fraction, exponent }: BinaryParts): boolean {
  return exponent >= -21 && exponent <= 62 && usedBits(fraction) - exponent - 1 <= 0;
}

/** An integer below 2^63: its digits, less those that the precision does not carry. */
function wholeDigits({ fraction, exponent, significantBits }: BinaryParts): Digits {
  let value =
    exponent >= FRACTION_BITS
      ? fraction << BigInt(exponent - FRACTION_BITS)
      : fraction >> BigInt(FRACTION_BITS - exponent);
  let cut = 0;
  const spare = exponent - significantBits - 1;
  if (spare > 3) {
    cut = (1n << BigInt(spare)).toString().length - 1;
    const power = 10n ** BigInt(cut);
    value = value / power + (value % power >= power >> 1n ? 1n : 0n);
  }
  const digits = value.toString();
  return { digits: digits.replace(/0+$/, ''), exponent: digits.length + cut };
}

/** Java estimates the decimal exponent by this line through the logarithm; it may be one too high. */
function estimateExponent(fraction: bigint, exponent: number): number {
  const mantissa = Number(fraction) / 2 ** FRACTION_BITS;
  return Math.floor((mantissa - 1.5) * 0.289529654 + 0.176091259 + exponent * 0.301029995663981);
}

function bitsOfPower(exponent: number): number {
  return BITS_OF_5[exponent] ?? exponent * 3;
}

/** The value is B/S × 10^exponent and M half a unit in the last place: digits are taken while they are needed. */
function developDigits({ fraction, exponent, significantBits }: BinaryParts): Digits {
  const used = usedBits(fraction);
  const tinyBits = Math.max(0, used - exponent - 1);
  let decimalExponent = estimateExponent(fraction, exponent);
  const b5 = Math.max(0, -decimalExponent);
  const s5 = Math.max(0, decimalExponent);
  let b2 = b5 + tinyBits + exponent;
  let s2 = s5 + tinyBits;
  let m2 = b2 - significantBits;
  b2 -= used - 1;
  const common = Math.min(b2, s2);
  b2 -= common;
  s2 -= common;
  m2 -= common;
  if (used === 1) m2 -= 1;
  if (m2 < 0) {
    b2 -= m2;
    s2 -= m2;
    m2 = 0;
  }
  // Java calculates in 32 or 64 bits where the numbers are estimated to fit; overflows are part of its results.
  const bBits = used + b2 + bitsOfPower(b5);
  const tenSBits = s2 + 1 + bitsOfPower(s5 + 1);
  const width = bBits < 32 && tenSBits < 32 ? 32 : bBits < 64 && tenSBits < 64 ? 64 : undefined;
  const wrap = (value: bigint): bigint =>
    width === undefined ? value : BigInt.asIntN(width, value);
  const s = (5n ** BigInt(s5)) << BigInt(s2);
  const tens = wrap(s * 10n);
  let m = (5n ** BigInt(b5)) << BigInt(m2);
  let b = ((fraction >> BigInt(FRACTION_BITS + 1 - used)) * 5n ** BigInt(b5)) << BigInt(b2);
  const step = (): Step => {
    const digit = (b / s).toString();
    b = wrap(10n * (b % s));
    m = wrap(m * 10n);
    const isOverflow = m <= 0n;
    return {
      digit,
      isLow: isOverflow || b < m,
      isHigh: isOverflow || (width === undefined ? b + m >= tens : wrap(b + m) > tens),
    };
  };
  let last = step();
  let digits = last.digit;
  if (digits === '0' && !last.isHigh) {
    decimalExponent -= 1;
    digits = '';
  }
  // At least one digit after the point of the form with an exponent.
  if (decimalExponent < -3 || decimalExponent >= 8) last = { ...last, isLow: false, isHigh: false };
  while (!last.isLow && !last.isHigh) {
    last = step();
    digits += last.digit;
  }
  const difference = wrap(wrap(b << 1n) - tens);
  const isOdd = Number(digits.at(-1)) % 2 === 1;
  const isUp = last.isHigh && (!last.isLow || difference > 0n || (difference === 0n && isOdd));
  if (!isUp) return { digits, exponent: decimalExponent + 1 };
  const rounded = (BigInt(digits) + 1n).toString().padStart(digits.length, '0');
  if (rounded.length === digits.length) return { digits: rounded, exponent: decimalExponent + 1 };
  return { digits: rounded.slice(0, digits.length), exponent: decimalExponent + 2 };
}

function format({ digits, exponent }: Digits): string {
  if (exponent > 0 && exponent < 8) {
    return `${digits.slice(0, exponent).padEnd(exponent, '0')}.${digits.slice(exponent) || '0'}`;
  }
  if (exponent <= 0 && exponent > -3) return `0.${'0'.repeat(-exponent)}${digits}`;
  return `${digits.charAt(0)}.${digits.slice(1) || '0'}E${exponent - 1}`;
}
