import { InternalError, InvalidRequestError } from '../errors/index.ts';
import { concatBytes, readInt32, writeInt32 } from './bytes.ts';
import type { CqlType, TupleType, UdtType, VectorType } from './cql_type.ts';
import { readUnsignedVint, writeUnsignedVint } from './vint.ts';

type Compare = (a: Uint8Array, b: Uint8Array) => number;

function packValues(count: number, values: readonly (Uint8Array | null)[]): Uint8Array {
  let length = count < 0 ? 0 : 4;
  for (const value of values) length += 4 + (value === null ? 0 : value.length);
  const out = new Uint8Array(length);
  let offset = count < 0 ? 0 : writeInt32(out, 0, count);
  for (const value of values) {
    if (value === null) {
      offset = writeInt32(out, offset, -1);
    } else {
      offset = writeInt32(out, offset, value.length);
      out.set(value, offset);
      offset += value.length;
    }
  }
  return out;
}

/** Serialises a list; elements are taken as they are. Spec: native_protocol_v4 6. */
export function serializeList(elements: readonly Uint8Array[]): Uint8Array {
  return packValues(elements.length, elements);
}

/** Sorts and drops duplicates, as a Java TreeSet does: the first of equal elements stays. */
export function sortedUnique(elements: readonly Uint8Array[], compare: Compare): Uint8Array[] {
  const kept: Uint8Array[] = [];
  for (const element of [...elements].sort(compare)) {
    const last = kept[kept.length - 1];
    if (last === undefined || compare(last, element) !== 0) kept.push(element);
  }
  return kept;
}

/** Sorts by key as a Java TreeMap does: of equal keys the first key stays with the last value. */
export function sortedEntries(
  entries: readonly (readonly [Uint8Array, Uint8Array])[],
  compare: Compare,
): [Uint8Array, Uint8Array][] {
  const kept: [Uint8Array, Uint8Array][] = [];
  for (const [key, value] of [...entries].sort((a, b) => compare(a[0], b[0]))) {
    const last = kept[kept.length - 1];
    if (last !== undefined && compare(last[0], key) === 0) last[1] = value;
    else kept.push([key, value]);
  }
  return kept;
}

/** Serialises a tuple or UDT; `null` is a null component. Fewer components than the type has are allowed. */
export function serializeTuple(components: readonly (Uint8Array | null)[]): Uint8Array {
  return packValues(-1, components);
}

/**
 * Serialises a vector; `fixedLength` is that of the element's codec.
 * @throws InvalidRequestError when the number of elements is not that of the type
 */
export function packVector(
  type: VectorType,
  fixedLength: number | undefined,
  elements: readonly Uint8Array[],
): Uint8Array {
  if (elements.length !== type.dimensions) {
    throw new InvalidRequestError(
      `Required ${type.dimensions} elements, but saw ${elements.length}`,
    );
  }
  if (fixedLength !== undefined) {
    for (const element of elements) {
      if (element.length !== fixedLength) {
        throw new InvalidRequestError(`Element of a vector must have ${fixedLength} bytes`);
      }
    }
    return concatBytes(elements);
  }
  const parts: Uint8Array[] = [];
  for (const element of elements) {
    parts.push(writeUnsignedVint(BigInt(element.length)), element);
  }
  return concatBytes(parts);
}

/**
 * The elements of a serialised list or set, as views into `bytes`.
 * @throws InvalidRequestError when the bytes are malformed or an element is null
 */
export function splitList(bytes: Uint8Array, what: 'list' | 'set' = 'list'): Uint8Array[] {
  return splitValues(bytes, what, 1);
}

/**
 * The elements of a bound list of IN, as views into `bytes`; unlike those of a value, they may be null.
 * @throws InvalidRequestError when the bytes are malformed
 */
export function splitInList(bytes: Uint8Array): (Uint8Array | null)[] {
  return splitNullable(bytes, 'list', 1);
}

/**
 * The entries of a serialised map, as views into `bytes`.
 * @throws InvalidRequestError when the bytes are malformed, or a key or value is null
 */
export function splitMap(bytes: Uint8Array): [Uint8Array, Uint8Array][] {
  const values = splitValues(bytes, 'map', 2);
  const entries: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < values.length; i += 2) {
    entries.push([values[i] as Uint8Array, values[i + 1] as Uint8Array]);
  }
  return entries;
}

function splitValues(bytes: Uint8Array, what: string, perElement: number): Uint8Array[] {
  return splitNullable(bytes, what, perElement).map((value) => {
    if (value === null) throw new InvalidRequestError('null is not supported inside collections');
    return value;
  });
}

function splitNullable(bytes: Uint8Array, what: string, perElement: number): (Uint8Array | null)[] {
  const end = bytes.length;
  if (end < 4) throw new InvalidRequestError(`Not enough bytes to read a ${what}`);
  const count = readInt32(bytes, 0);
  if (count < 0) throw new InvalidRequestError(`The data cannot be deserialized as a ${what}`);
  const values: (Uint8Array | null)[] = [];
  let offset = 4;
  for (let i = 0; i < count * perElement; i++) {
    if (offset + 4 > end) throw new InvalidRequestError(`Not enough bytes to read a ${what}`);
    const length = readInt32(bytes, offset);
    offset += 4;
    if (length < 0) {
      values.push(null);
      continue;
    }
    if (length > end - offset) {
      throw new InvalidRequestError(`Not enough bytes to read a ${what}`);
    }
    values.push(bytes.subarray(offset, offset + length));
    offset += length;
  }
  if (offset !== end) {
    throw new InvalidRequestError(`Unexpected extraneous bytes after ${what} value`);
  }
  return values;
}

/**
 * The components of a serialised tuple or UDT, as views into `bytes`; missing trailing ones are not in the result.
 * @throws InvalidRequestError when the bytes are malformed or have more components than the type
 */
export function splitTuple(type: TupleType | UdtType, bytes: Uint8Array): (Uint8Array | null)[] {
  const count = type.kind === 'tuple' ? type.elements.length : type.fields.length;
  const end = bytes.length;
  const components: (Uint8Array | null)[] = [];
  let offset = 0;
  for (let i = 0; i < count && offset < end; i++) {
    if (end - offset < 4) {
      throw new InvalidRequestError(`Not enough bytes to read size of ${componentName(type, i)}`);
    }
    const length = readInt32(bytes, offset);
    offset += 4;
    if (length < 0) {
      components.push(null);
      continue;
    }
    if (length > end - offset) {
      throw new InvalidRequestError(`Not enough bytes to read ${componentName(type, i)}`);
    }
    components.push(bytes.subarray(offset, offset + length));
    offset += length;
  }
  if (offset !== end) {
    throw new InvalidRequestError(
      `Invalid remaining data after end of ${type.kind === 'tuple' ? 'tuple' : 'UDT'} value`,
    );
  }
  return components;
}

function componentName(type: TupleType | UdtType, index: number): string {
  if (type.kind === 'tuple') return `${index}th component`;
  return `${index}th field ${type.fields[index]?.name ?? ''}`;
}

/**
 * The elements of a serialised vector, as views into `bytes`; `typeText` is for messages.
 * @throws InvalidRequestError when the bytes are malformed
 */
export function unpackVector(
  type: VectorType,
  fixedLength: number | undefined,
  bytes: Uint8Array,
  typeText: string,
): Uint8Array[] {
  if (bytes.length === 0) throw new InvalidRequestError('Invalid empty vector value');
  const elements: Uint8Array[] = [];
  let offset = 0;
  if (fixedLength !== undefined && bytes.length < fixedLength * type.dimensions) {
    throw new InvalidRequestError(`Not enough bytes to read a ${typeText}`);
  }
  for (let i = 0; i < type.dimensions; i++) {
    let length = fixedLength;
    if (length === undefined) {
      const decoded = readUnsignedVint(bytes, offset);
      if (decoded === undefined || decoded.value > BigInt(bytes.length - decoded.end)) {
        throw new InvalidRequestError(`Not enough bytes to read a ${typeText}`);
      }
      // Cassandra goes on after the shortest form of a length, whatever form it was in.
      if (decoded.end - offset !== writeUnsignedVint(decoded.value).length) {
        throw new InvalidRequestError(`Unexpected form of a length in a ${typeText}`);
      }
      length = Number(decoded.value);
      offset = decoded.end;
    }
    elements.push(bytes.subarray(offset, offset + length));
    offset += length;
  }
  if (offset !== bytes.length) {
    throw new InvalidRequestError(
      `Unexpected ${bytes.length - offset} extraneous bytes after ${typeText} value`,
    );
  }
  return elements;
}

/**
 * A tuple or UDT with every component of its type: missing trailing ones (values written before ALTER TYPE ADD, short
 * tuples) become null. Other types, and values that are whole, come back as they are.
 */
export function padMissingFields(type: CqlType, bytes: Uint8Array): Uint8Array {
  if ((type.kind !== 'tuple' && type.kind !== 'udt') || bytes.length === 0) return bytes;
  const count = type.kind === 'tuple' ? type.elements.length : type.fields.length;
  const present = splitTuple(type, bytes).length;
  if (present === count) return bytes;
  const out = new Uint8Array(bytes.length + 4 * (count - present)).fill(0xff);
  out.set(bytes);
  return out;
}

/** {@link padMissingFields}, also of what is inside: the canonical form leaves out nulls at the end at any depth. */
export function padNestedFields(type: CqlType, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  switch (type.kind) {
    case 'tuple':
    case 'udt': {
      const whole = padMissingFields(type, bytes);
      return serializeTuple(
        splitTuple(type, whole).map((component, index) =>
          component === null ? null : padNestedFields(componentType(type, index), component),
        ),
      );
    }
    case 'list':
    case 'set':
      return serializeList(
        splitList(bytes, type.kind).map((item) => padNestedFields(type.element, item)),
      );
    case 'map':
      return packEntries(
        splitMap(bytes).map(([key, value]) => [
          padNestedFields(type.key, key),
          padNestedFields(type.value, value),
        ]),
      );
    case 'vector':
      // Elements with fields are of no fixed length.
      if (!hasFields(type.element)) return bytes;
      return packVector(
        type,
        undefined,
        unpackVector(type, undefined, bytes, '').map((item) => padNestedFields(type.element, item)),
      );
    default:
      return bytes;
  }
}

/** Whether a tuple or user type is the type or anywhere inside it: what {@link padNestedFields} may change. */
export function hasFields(type: CqlType): boolean {
  switch (type.kind) {
    case 'tuple':
    case 'udt':
      return true;
    case 'list':
    case 'set':
    case 'vector':
      return hasFields(type.element);
    case 'map':
      return hasFields(type.key) || hasFields(type.value);
    default:
      return false;
  }
}

/** The type of a component of a tuple or UDT. */
export function componentType(type: TupleType | UdtType, index: number): CqlType {
  const component = type.kind === 'tuple' ? type.elements[index] : type.fields[index]?.type;
  if (component === undefined) throw new InternalError('a tuple has no such component');
  return component;
}

/** Packs sorted or split entries of a map again. */
export function packEntries(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  return packValues(entries.length, entries.flat());
}
