import { InvalidRequestError } from '../errors/index.ts';
import { writeInt64 } from './bytes.ts';
import { writeDecimal } from './number_codecs.ts';

/** @throws InvalidRequestError when the text is no decimal integer or does not fit `length` bytes */
export function parseInteger(text: string, length: 1 | 2 | 4 | 8, javaName: string): Uint8Array {
  const problem = `Unable to make ${javaName} from '<constant>'`;
  if (!/^[+-]?[0-9]+$/.test(text)) throw new InvalidRequestError(problem);
  const digits = text.replace(/^[+-]0*(?=[0-9])|^0+(?=[0-9])/, '');
  if (digits.length > 19) throw new InvalidRequestError(problem);
  const value = text.startsWith('-') ? -BigInt(digits) : BigInt(digits);
  if (BigInt.asIntN(length * 8, value) !== value) throw new InvalidRequestError(problem);
  return writeInt64(value).slice(8 - length);
}

const DECIMAL_PATTERN = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?$/;

/**
 * `new BigDecimal(text)`, serialised.
 * @throws InvalidRequestError when the text is no number or its scale does not fit 32 bits
 */
export function parseDecimal(text: string): Uint8Array {
  const problem = "unable to make BigDecimal from '<constant>'";
  const match = DECIMAL_PATTERN.exec(text);
  if (match === null) throw new InvalidRequestError(problem);
  const [, sign, whole = '', after, only, exponentText = '0'] = match;
  const fraction = after ?? only ?? '';
  const exponentDigits = exponentText.replace(/^[+-]/, '').replace(/^0+(?=[0-9])/, '');
  if (exponentDigits.length > 10) throw new InvalidRequestError(problem);
  const scale = fraction.length - parseInt(exponentText, 10);
  if (scale !== (scale | 0)) throw new InvalidRequestError(problem);
  const magnitude = BigInt(whole + fraction);
  return writeDecimal(sign === '-' ? -magnitude : magnitude, scale);
}

const FLOAT_WORDS: ReadonlyMap<string, number> = new Map([
  ['nan', NaN],
  ['infinity', Infinity],
]);

function parseNumber(text: string, javaName: 'float' | 'double'): number {
  if (DECIMAL_PATTERN.test(text)) return Number(text);
  const word = FLOAT_WORDS.get(text.replace(/^[+-]/, '').toLowerCase());
  if (word === undefined)
    throw new InvalidRequestError(`Unable to make ${javaName} from '<constant>'`);
  return text.startsWith('-') ? -word : word;
}

/** @throws InvalidRequestError when the text is no number */
export function parseDouble(text: string): Uint8Array {
  const value = parseNumber(text, 'double');
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, value);
  if (Number.isNaN(value)) out.set([0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
  return out;
}

/**
 * The nearest 32-bit float, rounded once from the decimal text as Java does.
 * @throws InvalidRequestError when the text is no number
 */
export function parseFloat32(text: string): Uint8Array {
  const value = parseNumber(text, 'float');
  const out = new Uint8Array(4);
  const view = new DataView(out.buffer);
  view.setFloat32(0, value);
  if (Number.isNaN(value)) view.setUint32(0, 0x7fc00000);
  else if (Number.isFinite(value)) view.setFloat32(0, roundOnce(text, value));
  return out;
}

/** Corrects `Math.fround` where the double of the text lies exactly between two floats but the text does not. */
function roundOnce(text: string, double: number): number {
  const nearest = Math.fround(double);
  if (nearest === double) return nearest;
  const finite = Number.isFinite(nearest) ? nearest : Math.sign(double) * 2 ** 128;
  const other = neighbour(finite, double > finite);
  if ((finite + other) / 2 !== double) return nearest;
  const order = compareTextWithDouble(text, double);
  if (order === 0) return nearest;
  const upper = Math.max(finite, other);
  const lower = Math.min(finite, other);
  return order > 0 ? Math.fround(upper) : Math.fround(lower);
}

/** The float next to `value` (a float, or ±2^128 for overflow), upwards or downwards. */
function neighbour(value: number, upwards: boolean): number {
  if (Math.abs(value) === 2 ** 128) return Math.sign(value) * (2 ** 128 - 2 ** 104);
  const view = new DataView(new ArrayBuffer(4));
  if (value === 0) {
    view.setUint32(0, upwards ? 1 : 0x80000001);
  } else {
    view.setFloat32(0, value);
    const step = value > 0 === upwards ? 1 : -1;
    view.setUint32(0, view.getUint32(0) + step);
  }
  const found = view.getFloat32(0);
  return Number.isFinite(found) ? found : Math.sign(value) * 2 ** 128;
}

/** Exact comparison of decimal text with a finite double. */
function compareTextWithDouble(text: string, double: number): number {
  const [, sign, whole = '', after, only, exponentText = '0'] = DECIMAL_PATTERN.exec(text) ?? [];
  const fraction = after ?? only ?? '';
  const magnitude = BigInt(whole + fraction);
  let left = sign === '-' ? -magnitude : magnitude;
  const exponent = parseInt(exponentText, 10) - fraction.length;
  // Scale the double by 2^1074, which makes every finite double an integer.
  let right = doubleToScaledInteger(double);
  left <<= 1074n;
  if (exponent >= 0) left *= 10n ** BigInt(exponent);
  else right *= 10n ** BigInt(-exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

function doubleToScaledInteger(double: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(double));
  const bits = view.getBigUint64(0);
  const exponent = bits >> 52n;
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n);
  return double < 0 ? -magnitude : magnitude;
}
