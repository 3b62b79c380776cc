import { FunctionExecutionError, InvalidRequestError } from '../errors/index.ts';
import {
  constantToBytes,
  native,
  serializeList,
  serializeMap,
  serializeSet,
  serializeTuple,
  serializeVector,
  writeInt64,
} from '../values/index.ts';
import type { CqlType, MapType, NativeTypeName, TupleType, UdtType } from '../values/index.ts';
import { functionFailure, MarshalError } from './failures.ts';
import { doubleText } from './float_text.ts';
import { javaClass, JsonSyntaxError, parseJson } from './json_parse.ts';
import type { JsonValue } from './json_parse.ts';
import { toDouble, toFloat, writeDouble, writeFloat } from './numbers.ts';

/**
 * The value that a JSON text gives for the type, as the function `from_json`; JSON's null is null.
 * @param name of the function as it was called, for messages
 * @throws FunctionExecutionError with Cassandra's message, values in it replaced by `<constant>`
 */
export function fromJson(type: CqlType, text: string, name = 'from_json'): Uint8Array | null {
  try {
    const value = parseJson(text);
    return value === null ? null : readJson(type, value);
  } catch (error) {
    if (error instanceof FunctionExecutionError) throw error;
    if (error instanceof JsonSyntaxError) {
      const message = `execution of 'system.${name}[text]' failed: Could not decode JSON string '<constant>': ${error.message}`;
      throw functionFailure(name, ['text'], message);
    }
    if (error instanceof MarshalError) {
      throw functionFailure(
        name,
        ['text'],
        `org.apache.cassandra.serializers.MarshalException: ${error.message}`,
      );
    }
    throw error;
  }
}

/**
 * The bytes of a parsed JSON value that is not null. Spec: AbstractType.fromJSONObject of each type.
 * @throws MarshalError with Cassandra's message, values in it replaced by `<constant>`
 */
export function readJson(type: CqlType, value: JsonValue): Uint8Array {
  switch (type.kind) {
    case 'native':
      return readNative(type.name, value);
    case 'list':
      return serializeList(elements(type.element, decoded(value), 'a list', 'list'));
    case 'set':
      return serializeSet(
        type.element,
        elements(type.element, decoded(value), 'a list (representing a set)', 'set'),
      );
    case 'map':
      return readMap(type, decoded(value));
    case 'tuple':
      return readTuple(type, decoded(value));
    case 'udt':
      return readUdt(type, decoded(value));
    case 'vector': {
      const list = decoded(value);
      if (isList(list) && list.length !== type.dimensions) {
        throw new MarshalError(
          `List had incorrect size: expected ${type.dimensions} but given ${list.length}; <constant>`,
        );
      }
      return serializeVector(type, elements(type.element, list, 'a list', 'list'));
    }
    case 'custom':
      throw new MarshalError(`Values of type '${type.className}' are not supported in JSON`);
  }
}

/** A string may hold the JSON of a collection: keys of maps can be nothing else. */
function decoded(value: JsonValue): JsonValue {
  if (typeof value !== 'string') return value;
  try {
    return parseJson(value);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new MarshalError('Error decoding JSON string: <constant>');
  }
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function expected(what: string, value: JsonValue): MarshalError {
  return new MarshalError(`Expected ${what}, but got a ${javaClass(value)}: <constant>`);
}

function elements(
  type: CqlType,
  value: JsonValue,
  what: string,
  container: 'list' | 'set',
): Uint8Array[] {
  if (!isList(value)) throw expected(what, value);
  return value.map((item) => {
    if (item === null) throw new MarshalError(`Invalid null element in ${container}`);
    return readJson(type, item);
  });
}

function readMap(type: MapType, value: JsonValue): Uint8Array {
  if (!(value instanceof Map)) throw expected('a map', value);
  const entries: [Uint8Array, Uint8Array][] = [];
  for (const [key, item] of value as ReadonlyMap<string, JsonValue>) {
    if (item === null) throw new MarshalError('Invalid null value in map');
    entries.push([readJson(type.key, key), readJson(type.value, item)]);
  }
  return serializeMap(type.key, entries);
}

function readTuple(type: TupleType, value: JsonValue): Uint8Array {
  if (!isList(value)) throw expected('a list representation of a tuple', value);
  const count = type.elements.length;
  if (value.length > count) {
    throw new MarshalError(`Tuple contains extra items (expected ${count}): <constant>`);
  }
  if (value.length < count) {
    throw new MarshalError(`Tuple is missing items (expected ${count}): <constant>`);
  }
  return serializeTuple(type.elements.map((element, i) => optional(element, value[i])));
}

function optional(type: CqlType, value: JsonValue | undefined): Uint8Array | null {
  return value === null || value === undefined ? null : readJson(type, value);
}

function readUdt(type: UdtType, value: JsonValue): Uint8Array {
  if (!(value instanceof Map)) throw expected('a map', value);
  const fields = foldKeys(value as ReadonlyMap<string, JsonValue>);
  for (const name of fields.keys()) {
    if (!type.fields.some((field) => field.name === name)) {
      throw new MarshalError(`Unknown field '${name}' in value of user defined type ${type.name}`);
    }
  }
  return serializeTuple(type.fields.map((field) => optional(field.type, fields.get(field.name))));
}

/** Keys as names: those in quotes of their own as they are, all others in lower case. */
export function foldKeys(map: ReadonlyMap<string, JsonValue>): Map<string, JsonValue> {
  const folded = new Map(map);
  for (const key of map.keys()) {
    const isQuoted = key.startsWith('"') && key.endsWith('"');
    const name = isQuoted ? key.slice(1, -1) : key.toLowerCase();
    if (name === key) continue;
    const value = folded.get(key) ?? null;
    folded.delete(key);
    folded.set(name, value);
  }
  return folded;
}

/** The text of a scalar as Java's `toString` gives it; `undefined` for lists and maps. */
function scalarText(value: JsonValue): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (value === null || isList(value) || !('kind' in value)) return undefined;
  return value.kind === 'integer' ? value.value.toString() : doubleText(value.value);
}

function readNative(name: NativeTypeName, value: JsonValue): Uint8Array {
  switch (name) {
    case 'decimal':
    case 'varint': {
      const text = scalarText(value);
      try {
        if (text === undefined || (name === 'varint' && text === '')) throw new MarshalError('');
        return fromText(name, text);
      } catch (error) {
        if (!(error instanceof InvalidRequestError)) throw error;
        throw new MarshalError(
          `Value '<constant>' is not a valid representation of a ${name} value`,
        );
      }
    }
    case 'tinyint':
    case 'smallint': {
      const text = typeof value === 'boolean' ? undefined : scalarText(value);
      if (text === undefined)
        throw expected(`a ${name === 'tinyint' ? 'byte' : 'short'} value`, value);
      return fromText(name, text);
    }
    case 'int':
    case 'bigint':
      return readInteger(name, value);
    case 'float':
    case 'double':
      return readFloat(name, value);
    case 'boolean':
      if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
      if (value === '') return Uint8Array.of(0);
      if (typeof value === 'string') return fromText(name, value);
      throw expected('a boolean value', value);
    case 'blob':
      return readBlob(value);
    case 'timestamp':
      if (javaClass(value) === 'Long') return fromText('bigint', scalarText(value) ?? '');
      break;
    case 'counter':
      throw new MarshalError('A counter has no JSON form that can be written');
    default:
      break;
  }
  if (typeof value === 'string') return fromText(name, value);
  throw expected(EXPECTED[name], value);
}

const EXPECTED = {
  ascii: 'an ascii string',
  text: 'a UTF-8 string',
  inet: 'a string representation of an inet value',
  date: 'a string representation of a date value',
  time: 'a string representation of a time value',
  timestamp: 'a long or a datestring representation of a timestamp value',
  uuid: 'a string representation of a uuid',
  timeuuid: 'a string representation of a timeuuid',
  duration: 'a string representation of a duration',
} as const;

/** Token classes by which the text of a constant is read for the type. */
const CONSTANT_CLASSES: Readonly<
  Partial<Record<NativeTypeName, 'string' | 'uuid' | 'boolean' | 'duration'>>
> = {
  ascii: 'string',
  text: 'string',
  inet: 'string',
  date: 'string',
  time: 'string',
  timestamp: 'string',
  uuid: 'uuid',
  timeuuid: 'uuid',
  boolean: 'boolean',
  duration: 'duration',
};

function fromText(name: NativeTypeName, text: string): Uint8Array {
  const isFloat = name === 'float' || name === 'double' || name === 'decimal';
  const type = CONSTANT_CLASSES[name] ?? (isFloat ? 'float' : 'integer');
  try {
    return constantToBytes({ type, text }, native(name), '');
  } catch (error) {
    // Durations complain by themselves in Cassandra, not as part of the JSON.
    if (!(error instanceof InvalidRequestError) || name === 'duration') throw error;
    throw new MarshalError(error.message);
  }
}

function readInteger(name: 'int' | 'bigint', value: JsonValue): Uint8Array {
  if (typeof value === 'string') return fromText(name, value);
  const className = javaClass(value);
  const fits = className === 'Integer' || (name === 'bigint' && className === 'Long');
  if (!fits) throw expected(name === 'int' ? 'an int value' : 'a bigint value', value);
  const bytes = writeInt64(BigInt(scalarText(value) ?? '0'));
  return name === 'int' ? bytes.slice(4) : bytes;
}

function readFloat(name: 'float' | 'double', value: JsonValue): Uint8Array {
  if (typeof value === 'string') return floatFromText(name, value);
  if (value === null || typeof value === 'boolean' || isList(value) || !('kind' in value)) {
    throw expected(`a ${name} value`, value);
  }
  return name === 'float' ? writeFloat(toFloat(value.value)) : writeDouble(toDouble(value.value));
}

/** `Float.parseFloat` and `Double.parseDouble`: spaces around and a suffix are allowed, words have their case. */
function floatFromText(name: 'float' | 'double', text: string): Uint8Array {
  if (text === '') return new Uint8Array(0);

  const trimmed = text.replace(/^[\u0000-\u0020]+|[\u0000-\u0020]+$/g, '');
  const isWord = /^[+-]?(?:NaN|Infinity)$/.test(trimmed);
  const number = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)[fFdD]?$/.exec(trimmed)?.[1];
  if (!isWord && number === undefined) {
    throw new MarshalError(`Unable to make ${name} from '<constant>'`);
  }
  return fromText(name, number ?? trimmed);
}

function readBlob(value: JsonValue): Uint8Array {
  const prefix = "Value '<constant>' is not a valid blob representation: ";
  if (typeof value !== 'string') {
    const simple = javaClass(value);
    const isContainer = value instanceof Map || isList(value);
    const name = isContainer ? 'util' : simple === 'BigInteger' ? 'math' : 'lang';
    const className = `java.${name}.${simple}`;
    throw new MarshalError(
      `${prefix}class ${className} cannot be cast to class java.lang.String (${className} and java.lang.String are in module java.base of loader 'bootstrap')`,
    );
  }
  if (!value.startsWith('0x')) {
    throw new MarshalError(
      `${prefix}String representation of blob is missing 0x prefix: <constant>`,
    );
  }
  const digits = value.slice(2);
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new MarshalError(`${prefix}cannot parse '<constant>' as hex bytes`);
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}
