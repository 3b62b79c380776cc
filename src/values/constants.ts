import type { ConstantType } from '../cql/ast.ts';
import { InvalidRequestError } from '../errors/index.ts';
import { writeBigInt, writeInt64 } from './bytes.ts';
import type { CqlType, NativeTypeName, TupleType } from './cql_type.ts';
import { parseDuration } from './duration_text.ts';
import { parseInet } from './inet_text.ts';
import { parseDecimal, parseDouble, parseFloat32, parseInteger } from './number_text.ts';
import { componentType, serializeTuple } from './packing.ts';
import { parseDate, parseTime, parseTimestamp } from './temporal_text.ts';
import { printType } from './type_names.ts';
import { validateValue } from './value_codec.ts';

/** Which native types a constant of each token class fits. Spec: org.apache.cassandra.cql3.Constants.Literal. */
const ASSIGNABLE: Readonly<Record<ConstantType, ReadonlySet<NativeTypeName>>> = {
  string: new Set<NativeTypeName>(['ascii', 'text', 'inet', 'date', 'time', 'timestamp']),
  integer: new Set<NativeTypeName>([
    'bigint',
    'counter',
    'date',
    'decimal',
    'double',
    'duration',
    'float',
    'int',
    'smallint',
    'time',
    'timestamp',
    'tinyint',
    'varint',
  ]),
  uuid: new Set<NativeTypeName>(['uuid', 'timeuuid']),
  float: new Set<NativeTypeName>(['decimal', 'double', 'float']),
  boolean: new Set<NativeTypeName>(['boolean']),
  // Cassandra takes tinyint for the natural type of a hex constant.
  hex: new Set<NativeTypeName>(['blob', 'tinyint']),
  duration: new Set<NativeTypeName>(['duration']),
};

/** A literal as far as its conversion needs it. */
export interface ConstantText {
  readonly type: ConstantType;
  /** As {@link Constant.text} of the syntax tree. */
  readonly text: string;
}

/**
 * Whether a constant may stand where a value of `type` is wanted. Any constant fits a tuple, whose text form it then is.
 */
export function isConstantAssignable(constant: ConstantType, type: CqlType): boolean {
  if (type.kind === 'tuple') return true;
  return type.kind === 'native' && ASSIGNABLE[constant].has(type.name);
}

/**
 * Converts a constant to a value of `type` as Cassandra does.
 * @param columnName receiver named by the message
 * @param nowMs the time for the timestamp constant 'now', which is refused without it
 * @throws InvalidRequestError with Cassandra's message, the constant itself replaced by `<constant>`
 */
export function constantToBytes(
  constant: ConstantText,
  type: CqlType,
  columnName: string,
  nowMs?: () => number,
): Uint8Array {
  if (!isConstantAssignable(constant.type, type)) {
    throw new InvalidRequestError(
      `Invalid ${constant.type.toUpperCase()} constant (<constant>) for "${columnName}" of type ${printType(type)}`,
    );
  }
  if (constant.type === 'hex') {
    const bytes = parseHex(constant.text.slice(2));
    validateValue(type, bytes);
    return bytes;
  }
  const isNow = type.kind === 'native' && type.name === 'timestamp' && /^now$/i.test(constant.text);
  if (isNow && nowMs !== undefined) return writeInt64(BigInt(Math.floor(nowMs())));
  return textToBytes(constant.text, type);
}

function parseHex(digits: string): Uint8Array {
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new InvalidRequestError("cannot parse '<constant>' as hex bytes");
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

const EMPTY = new Uint8Array(0);

/** Java's `AbstractType.fromString` for the type. */
function textToBytes(text: string, type: CqlType): Uint8Array {
  if (type.kind === 'tuple') return tupleFromText(text, type);
  if (type.kind !== 'native') {
    throw new InvalidRequestError(`A constant cannot be a value of type ${printType(type)}`);
  }
  switch (type.name) {
    case 'text':
      return encodeUtf8(text);
    case 'ascii':
      return encodeAscii(text);
    case 'date':
      return parseDate(text);
    case 'time':
      return parseTime(text);
    default:
      return text === '' ? EMPTY : nonEmptyTextToBytes(text, type.name);
  }
}

function nonEmptyTextToBytes(text: string, name: NativeTypeName): Uint8Array {
  switch (name) {
    case 'bigint':
    case 'counter':
      return parseInteger(text, 8, 'long');
    case 'int':
      return parseInteger(text, 4, 'int');
    case 'smallint':
      return parseInteger(text, 2, 'short');
    case 'tinyint':
      return parseInteger(text, 1, 'byte');
    case 'varint':
      return writeBigInt(parseVarint(text));
    case 'decimal':
      return parseDecimal(text);
    case 'float':
      return parseFloat32(text);
    case 'double':
      return parseDouble(text);
    case 'boolean':
      return parseBoolean(text);
    case 'blob':
      return parseHex(text);
    case 'inet':
      return parseInet(text);
    case 'timestamp':
      return writeInt64(parseTimestamp(text));
    case 'duration':
      return parseDuration(text);
    case 'uuid':
    case 'timeuuid':
      return parseUuid(text, name);
    default:
      throw new InvalidRequestError(`A constant cannot be a value of type ${name}`);
  }
}

function parseVarint(text: string): bigint {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw new InvalidRequestError("unable to make int from '<constant>'");
  }
  const digits = text.replace(/^[+-]/, '');
  return text.startsWith('-') ? -BigInt(digits) : BigInt(digits);
}

function parseBoolean(text: string): Uint8Array {
  switch (text.toLowerCase()) {
    case 'true':
      return Uint8Array.of(1);
    case 'false':
      return Uint8Array.of(0);
    default:
      throw new InvalidRequestError("Unable to make boolean from '<constant>'");
  }
}

const UUID_PATTERN =
  /^[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$/;

function parseUuid(text: string, name: 'uuid' | 'timeuuid'): Uint8Array {
  if (!UUID_PATTERN.test(text)) {
    throw new InvalidRequestError(
      name === 'uuid'
        ? "Unable to make UUID from '<constant>'"
        : 'Unknown timeuuid representation: <constant>',
    );
  }
  const bytes = new Uint8Array(Buffer.from(text.replaceAll('-', ''), 'hex'));
  if (name === 'timeuuid' && (bytes[6] as number) >> 4 !== 1) {
    throw new InvalidRequestError('TimeUUID supports only version 1 UUIDs');
  }
  return bytes;
}

/** UTF-8 as Java encodes it: an unpaired surrogate becomes `?`. */
function encodeUtf8(text: string): Uint8Array {
  return new Uint8Array(
    Buffer.from(/[\ud800-\udfff]/.test(text) ? replaceLoneSurrogates(text) : text, 'utf8'),
  );
}

function replaceLoneSurrogates(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    out += code >= 0xd800 && code <= 0xdfff ? '?' : character;
  }
  return out;
}

function encodeAscii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) throw new InvalidRequestError('Invalid ASCII character in string literal');
    bytes[i] = code;
  }
  return bytes;
}

/** The text form of tuples: components between colons, `@` for null, both escaped by a backslash inside components. */
function tupleFromText(text: string, type: TupleType): Uint8Array {
  const parts = text === '' ? [] : text.split(/(?<!\\):/);
  if (parts.length > type.elements.length) {
    throw new InvalidRequestError(
      `Invalid tuple literal: too many elements. Type ${printType(type)} expects ${type.elements.length} but got ${parts.length}`,
    );
  }
  return serializeTuple(
    parts.map((part, i) => {
      if (part === '@') return null;
      return textToBytes(
        part.replaceAll('\\:', ':').replaceAll('\\@', '@'),
        componentType(type, i),
      );
    }),
  );
}
