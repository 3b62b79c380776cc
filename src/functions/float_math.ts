import { exp, log, log10 } from './decimal_math.ts';
import { decimalToDouble } from './decimal.ts';
import type { Decimal } from './decimal.ts';

/**
 * Curves on doubles, rounded right in the last place: Java's are within less than one unit of it and nearly always right,
 * those of JavaScript are not.
 */

/** Digits that decide the last place of a double in all but about one of 10^13 cases. */
const DIGITS = 30;

/** The exact value of a finite double. */
function exactDecimal(value: number): Decimal {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0 ? fraction : fraction | 0x10000000000000n;
  const signed = value < 0 ? -magnitude : magnitude;
  const power = Math.max(exponent, 1) - 1075;
  if (power >= 0) return { unscaled: signed << BigInt(power), scale: 0 };
  return { unscaled: signed * 5n ** BigInt(-power), scale: -power };
}

/** `Math.exp`. */
export function exactExp(value: number): number {
  if (Number.isNaN(value)) return NaN;
  if (value > 709.8) return Infinity;
  if (value < -745.2) return 0;
  if (Math.abs(value) < 2 ** -54) return 1;
  return decimalToDouble(exp(exactDecimal(value), DIGITS));
}

/** `Math.log`. */
export function exactLog(value: number): number {
  const edge = logOfEdge(value);
  return edge ?? decimalToDouble(log(exactDecimal(value), DIGITS));
}

/** `Math.log10`. */
export function exactLog10(value: number): number {
  const edge = logOfEdge(value);
  return edge ?? decimalToDouble(log10(exactDecimal(value), DIGITS));
}

function logOfEdge(value: number): number | undefined {
  if (Number.isNaN(value) || value < 0) return NaN;
  if (value === 0) return -Infinity;
  if (value === Infinity) return Infinity;
  return value === 1 ? 0 : undefined;
}

/** `Math.round` before its cast to an integer: half up, also below zero. */
export function javaRound(value: number): number {
  const floor = Math.floor(value);
  return value - floor >= 0.5 ? floor + 1 : floor;
}
