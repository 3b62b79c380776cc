import { InvalidRequestError } from '../errors/index.ts';
import { readDuration, splitList, splitMap, splitTuple, splitVector } from '../values/index.ts';
import type { CqlType, NativeTypeName, TupleType, UdtType } from '../values/index.ts';
import { decodedText } from './decoded_text.ts';
import { JavaError } from './failures.ts';
import { INTEGER_LENGTHS, numberText, readNumber } from './numbers.ts';
import type { NumericName } from './numbers.ts';
import { dateText, durationText, timestampText, timeText } from './temporal.ts';
import { inetText, uuidText } from './value_text.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};

/** The text inside the quotes of a JSON string, as Cassandra escapes it. */
export function escapeJson(text: string): string {
  return text.replace(/["\\\u0000-\u001f]/g, (character) => {
    const hex = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return ESCAPES[character] ?? `\\u${hex}`;
  });
}

/** A value as Cassandra prints it in `SELECT JSON` and `to_json`; null is `null`. */
export function toJson(type: CqlType, bytes: Uint8Array | null): string {
  if (bytes === null) return 'null';
  switch (type.kind) {
    case 'native':
      return nativeToJson(type.name, bytes);
    case 'list':
    case 'set':
      return `[${splitList(bytes)
        .map((element) => toJson(type.element, element))
        .join(', ')}]`;
    case 'vector':
      return `[${splitVector(type, bytes)
        .map((element) => toJson(type.element, element))
        .join(', ')}]`;
    case 'map':
      return `{${splitMap(bytes)
        .map(([key, value]) => `${keyToJson(type.key, key)}: ${toJson(type.value, value)}`)
        .join(', ')}}`;
    case 'tuple': {
      const parts = components(type, bytes);
      return `[${type.elements.map((element, i) => toJson(element, parts[i] ?? null)).join(', ')}]`;
    }
    case 'udt': {
      const parts = components(type, bytes);
      const fields = type.fields.map(
        (field, i) => `"${fieldName(field.name)}": ${toJson(field.type, parts[i] ?? null)}`,
      );
      return `{${fields.join(', ')}}`;
    }
    case 'custom':
      throw new InvalidRequestError(`Values of type '${type.className}' are not supported in JSON`);
  }
}

/** The empty value has no components. */
function components(type: TupleType | UdtType, bytes: Uint8Array): (Uint8Array | null)[] {
  return bytes.length === 0 ? [] : splitTuple(type, bytes);
}

/** Names that are not in lower case stay in their quotes. */
function fieldName(name: string): string {
  return escapeJson(jsonName(name));
}

/** A column's or field's name as a key of JSON: in quotes of its own unless it is in lower case. */
export function jsonName(name: string): string {
  return name === name.toLowerCase() ? name : `"${name}"`;
}

/** Keys are strings in JSON: what is none gets quotes. */
function keyToJson(type: CqlType, key: Uint8Array): string {
  const text = toJson(type, key);
  return text.startsWith('"') ? text : `"${escapeJson(text)}"`;
}

function nullPointer(): JavaError {
  return new JavaError('java.lang.NullPointerException', 'an empty value has no JSON');
}

function nativeToJson(name: NativeTypeName, bytes: Uint8Array): string {
  switch (name) {
    case 'ascii':
    case 'text':
      return `"${escapeJson(decodedText(bytes))}"`;
    case 'blob':
      return `"0x${Buffer.from(bytes).toString('hex')}"`;
    case 'boolean':
      if (bytes.length === 0) throw nullPointer();
      return bytes[0] === 0 ? 'false' : 'true';
    case 'time':
      return bytes.length === 0 ? '"null"' : `"${timeText(bytes)}"`;
    case 'date':
    case 'timestamp':
    case 'inet':
    case 'uuid':
    case 'timeuuid':
    case 'duration':
      return bytes.length === 0 ? '""' : `"${quotedText(name, bytes)}"`;
    default:
      return numberToJson(name, bytes);
  }
}

function quotedText(
  name: 'date' | 'timestamp' | 'inet' | 'uuid' | 'timeuuid' | 'duration',
  bytes: Uint8Array,
): string {
  switch (name) {
    case 'date':
      return dateText(bytes);
    case 'timestamp':
      return timestampText(bytes, ' ');
    case 'inet':
      return inetText(bytes);
    case 'duration':
      return durationText(readDuration(bytes));
    default:
      return uuidText(bytes);
  }
}

function numberToJson(name: NumericName, bytes: Uint8Array): string {
  const value = readNumber(name, bytes);
  if (value === undefined) {
    const isStrict = name in INTEGER_LENGTHS && name !== 'int' && name !== 'bigint';
    if (isStrict) throw nullPointer();
    return '""';
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return 'null';
  return numberText(name, value);
}
