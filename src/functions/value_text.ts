import type { NativeTypeName } from '../values/index.ts';
import { InternalError } from '../errors/index.ts';
import { numericName, numberText, readNumber } from './numbers.ts';
import { dateText, timestampText, timeText } from './temporal.ts';
import { native } from '../values/index.ts';

/** An address as Java's `getHostAddress` prints it: IPv6 in full, without `::`. */
export function inetText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const isMapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMapped) return bytes.subarray(12).join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  }
  return groups.join(':');
}

/** A UUID in groups of hex digits. */
export function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Types whose empty value means null. Spec: AbstractType.isEmptyValueMeaningless. */
export function isEmptyMeaningless(name: NativeTypeName): boolean {
  switch (name) {
    case 'ascii':
    case 'text':
    case 'blob':
    case 'date':
    case 'time':
    case 'duration':
    case 'smallint':
    case 'tinyint':
      return false;
    default:
      return true;
  }
}

/** A value that is not empty as CAST to text gives it: without quotes. */
export function castText(name: NativeTypeName, bytes: Uint8Array): string {
  const numeric = numericName(native(name));
  if (numeric !== undefined) {
    const value = readNumber(numeric, bytes);
    return value === undefined ? 'null' : numberText(numeric, value);
  }
  switch (name) {
    case 'boolean':
      return bytes[0] === 0 ? 'false' : 'true';
    case 'inet':
      return inetText(bytes);
    case 'uuid':
    case 'timeuuid':
      return uuidText(bytes);
    case 'timestamp':
      return timestampText(bytes, 'T');
    case 'date':
      return dateText(bytes);
    case 'time':
      return timeText(bytes);
    case 'text':
    case 'ascii':
      return Buffer.from(bytes).toString('utf8');
    default:
      throw new InternalError(`a ${name} has no text to be cast to`);
  }
}
