import { constantToBytes, native, readBigInt } from '../values/index.ts';
import type { Decimal } from './decimal.ts';

/** A decimal of a constant's text. @throws InvalidRequestError when it is no number */
export function decimalOfText(text: string): Decimal {
  const bytes = constantToBytes({ type: 'float', text }, native('decimal'), '');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { unscaled: readBigInt(bytes.subarray(4)), scale: view.getInt32(0) };
}
