import { InternalError } from '../errors/index.ts';

/** Refuses a byte string of another length; the message names what it is, never its content. */
export function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new InternalError(
      `${what} has ${String(bytes.length)} bytes instead of ${String(length)}`,
    );
  }
}

/** Refuses an integer outside 0..`max`. */
export function requireUint(value: number, max: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new InternalError(`${what} is not an integer between 0 and ${String(max)}`);
  }
}
