import { native, serializeMap } from '../../values/index.ts';

/** A cell in CQL bytes; `null` where there is no value. */
export type Cell = Uint8Array | null;

const DAY_MS = 86_400_000;
/** Day 0 of a date is 1970-01-01 in the middle of the range. Spec: native_protocol_v4 6.4 */
const DATE_EPOCH = 2 ** 31;

/** A text in UTF-8. */
export function textCell(value: string | null | undefined): Cell {
  return value === null || value === undefined ? null : Buffer.from(value, 'utf8');
}

/** A boolean, one byte. */
export function booleanCell(value: boolean | undefined): Cell {
  return value === undefined ? null : Uint8Array.of(value ? 1 : 0);
}

/** An int, 4 bytes. */
export function intCell(value: number | undefined): Cell {
  if (value === undefined) return null;
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A bigint, 8 bytes; a fraction is cut off. */
export function bigintCell(value: number | undefined): Cell {
  if (value === undefined) return null;
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(Math.trunc(value)));
  return bytes;
}

/** A double, 8 bytes. */
export function doubleCell(value: number): Cell {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

/** A timestamp of milliseconds since the epoch. */
export function timestampCell(ms: number | undefined): Cell {
  return bigintCell(ms);
}

/** The UTC day of a time. */
export function dateCell(ms: number): Cell {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(DATE_EPOCH + Math.floor(ms / DAY_MS));
  return bytes;
}

/** A UUID from its text. */
export function uuidCell(text: string): Cell {
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}

/** A map of text to text. */
export function textMapCell(map: Readonly<Record<string, string>>): Cell {
  const entries = Object.entries(map).map(
    ([key, value]) => [Buffer.from(key, 'utf8'), Buffer.from(value, 'utf8')] as const,
  );
  return entries.length === 0 ? null : serializeMap(native('text'), entries);
}
