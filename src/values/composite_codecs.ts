import { InvalidRequestError } from '../errors/index.ts';
import { BitWriter } from './bit_writer.ts';
import type { ElementCodec } from './codec.ts';
import {
  componentType,
  packEntries,
  serializeList,
  serializeTuple,
  packVector,
  sortedEntries,
  sortedUnique,
  splitList,
  splitMap,
  splitTuple,
  unpackVector,
} from './packing.ts';
import type { CqlType, MapType, SequenceType, TupleType, UdtType, VectorType } from './cql_type.ts';
import { printType } from './type_names.ts';

const identity = (bytes: Uint8Array): Uint8Array => bytes;

/** Gives the codec of a nested type. */
export type CodecOf = (type: CqlType) => ElementCodec;

type Rewrite = (bytes: Uint8Array) => Uint8Array;
type Entry = [Uint8Array, Uint8Array];

/** Applies `rewrite` to each part; the input array itself when no part changes. */
function rewriteEach(parts: Uint8Array[], rewrite: Rewrite): Uint8Array[] {
  let out = parts;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Uint8Array;
    const rewritten = rewrite(part);
    if (rewritten !== part) {
      if (out === parts) out = [...parts];
      out[i] = rewritten;
    }
  }
  return out;
}

function withOrderBits(codec: Omit<ElementCodec, 'orderBits'>): ElementCodec {
  return {
    ...codec,
    orderBits(canonical) {
      const writer = new BitWriter(canonical.length + (canonical.length >> 1) + 8);
      codec.writeBits(writer, canonical);
      return writer.finish();
    },
  };
}

/** Codec of frozen lists and sets. Order bits: 1, then per element 1 and its bits, then 0; 0 alone is the empty value. */
export function sequenceCodec(type: SequenceType, codecOf: CodecOf): ElementCodec {
  const what = type.kind;
  const element = codecOf(type.element);
  const emptyIsNull = emptyMeansNull(type.element);
  const javaKey = javaKeyOf(type.element, element);
  const rewrite = (bytes: Uint8Array, isNested: boolean): Uint8Array => {
    const parts = splitList(bytes, what);
    let out = rewriteEach(parts, element.rewritten);
    if (what === 'set' && !isStrictlySorted(out, element.compare)) {
      const distinct = new Map<string, Uint8Array>();
      for (const part of out) {
        const key = javaKey(part);
        if (!distinct.has(key)) distinct.set(key, part);
      }
      out = [...distinct.values()];
      out = isNested ? out.sort(element.compare) : sortedUnique(out, element.compare);
    }
    return out === parts ? bytes : serializeList(out);
  };
  return withOrderBits({
    fixedLength: undefined,
    validate(bytes) {
      for (const part of splitList(bytes, what)) element.validate(part);
    },
    stored(bytes) {
      if (what === 'list' && emptyIsNull) refuseEmpty(splitList(bytes));
      return rewrite(bytes, false);
    },
    rewritten: (bytes) => rewrite(bytes, true),
    comparable(bytes) {
      if (bytes.length === 0) return bytes;
      const parts = splitList(bytes, what);
      const out = rewriteEach(parts, element.comparable);
      return out === parts ? bytes : serializeList(out);
    },
    writeBits(writer, canonical) {
      if (canonical.length === 0) {
        writer.bits(0, 1);
        return;
      }
      writer.bits(1, 1);
      for (const part of splitList(canonical, what)) {
        writer.bits(1, 1);
        element.writeBits(writer, part);
      }
      writer.bits(0, 1);
    },
    compare(a, b) {
      if (a.length === 0 || b.length === 0) return a.length - b.length;
      const left = splitList(a, what);
      const right = splitList(b, what);
      const shared = Math.min(left.length, right.length);
      for (let i = 0; i < shared; i++) {
        const order = element.compare(left[i] as Uint8Array, right[i] as Uint8Array);
        if (order !== 0) return order;
      }
      return left.length - right.length;
    },
  });
}

/**
 * A text that is equal for elements that Java's `equals` holds equal. A nested set or map is a LinkedHashSet or
 * LinkedHashMap in Cassandra before it is sorted, so 1.0 and 1.00 both stay in it; of a set or map that is the whole
 * value, only one does.
 */
function javaKeyOf(type: CqlType, codec: ElementCodec): (bytes: Uint8Array) => string {
  const isFloat = type.kind === 'native' && (type.name === 'float' || type.name === 'double');
  return (bytes) => Buffer.from(isFloat ? codec.comparable(bytes) : bytes).toString('latin1');
}

/** Whether Cassandra reads the empty value of a type as null. */
function emptyMeansNull(type: CqlType): boolean {
  return (
    type.kind === 'native' && type.name !== 'text' && type.name !== 'ascii' && type.name !== 'blob'
  );
}

/** A bound list is read and written again by Cassandra, which would make a null of such an element. */
function refuseEmpty(elements: readonly Uint8Array[]): void {
  for (const element of elements) {
    if (element.length === 0) {
      throw new InvalidRequestError('null is not supported inside collections');
    }
  }
}

function isStrictlySorted(parts: Uint8Array[], compare: ElementCodec['compare']): boolean {
  for (let i = 1; i < parts.length; i++) {
    if (compare(parts[i - 1] as Uint8Array, parts[i] as Uint8Array) >= 0) return false;
  }
  return true;
}

/** Codec of frozen maps. Order bits: as those of a list of key, value, key, value … with a 1 before each key only. */
export function mapCodec(type: MapType, codecOf: CodecOf): ElementCodec {
  const key = codecOf(type.key);
  const value = codecOf(type.value);
  const javaKey = javaKeyOf(type.key, key);
  const sortEntries = (entries: Entry[], isNested: boolean): Entry[] => {
    const distinct = new Map<string, Entry>();
    for (const entry of entries) {
      const text = javaKey(entry[0]);
      const first = distinct.get(text);
      if (first === undefined) distinct.set(text, entry);
      else first[1] = entry[1];
    }
    const kept = [...distinct.values()];
    return isNested
      ? kept.sort((a, b) => key.compare(a[0], b[0]))
      : sortedEntries(kept, key.compare);
  };
  const rewriteParts = (entries: Entry[], rewriteKey: Rewrite, rewriteValue: Rewrite): boolean => {
    let changed = false;
    for (const entry of entries) {
      const newKey = rewriteKey(entry[0]);
      const newValue = rewriteValue(entry[1]);
      changed ||= newKey !== entry[0] || newValue !== entry[1];
      entry[0] = newKey;
      entry[1] = newValue;
    }
    return changed;
  };
  const rewrite = (bytes: Uint8Array, isNested: boolean): Uint8Array => {
    const entries = splitMap(bytes);
    const changed = rewriteParts(entries, key.rewritten, value.rewritten);
    const keys = entries.map((entry) => entry[0]);
    if (!isStrictlySorted(keys, key.compare)) return packEntries(sortEntries(entries, isNested));
    return changed ? packEntries(entries) : bytes;
  };
  return withOrderBits({
    fixedLength: undefined,
    validate(bytes) {
      for (const [k, v] of splitMap(bytes)) {
        key.validate(k);
        value.validate(v);
      }
    },
    stored: (bytes) => rewrite(bytes, false),
    rewritten: (bytes) => rewrite(bytes, true),
    comparable(bytes) {
      if (bytes.length === 0) return bytes;
      const entries = splitMap(bytes);
      return rewriteParts(entries, key.comparable, value.comparable) ? packEntries(entries) : bytes;
    },
    writeBits(writer, canonical) {
      if (canonical.length === 0) {
        writer.bits(0, 1);
        return;
      }
      writer.bits(1, 1);
      for (const [k, v] of splitMap(canonical)) {
        writer.bits(1, 1);
        key.writeBits(writer, k);
        value.writeBits(writer, v);
      }
      writer.bits(0, 1);
    },
    compare(a, b) {
      if (a.length === 0 || b.length === 0) return a.length - b.length;
      const left = splitMap(a);
      const right = splitMap(b);
      const shared = Math.min(left.length, right.length);
      for (let i = 0; i < shared; i++) {
        const [leftKey, leftValue] = left[i] as [Uint8Array, Uint8Array];
        const [rightKey, rightValue] = right[i] as [Uint8Array, Uint8Array];
        const order = key.compare(leftKey, rightKey) || value.compare(leftValue, rightValue);
        if (order !== 0) return order;
      }
      return left.length - right.length;
    },
  });
}

/**
 * Codec of tuples and frozen UDTs. Order bits: 1, then per component up to the last that is not null 10 (null) or 11 and
 * its bits, then 0; 0 alone is the empty value. So bits and canonical form survive ALTER TYPE ADD.
 */
export function tupleCodec(type: TupleType | UdtType, codecOf: CodecOf): ElementCodec {
  const count = type.kind === 'tuple' ? type.elements.length : type.fields.length;
  const codecs: ElementCodec[] = [];
  for (let i = 0; i < count; i++) codecs.push(codecOf(componentType(type, i)));
  return withOrderBits({
    fixedLength: undefined,
    validate(bytes) {
      const components = splitTuple(type, bytes);
      for (let i = 0; i < components.length; i++) {
        const component = components[i] as Uint8Array | null;
        if (component === null) continue;
        if (type.kind === 'tuple') (codecs[i] as ElementCodec).validate(component);
        else validateField(type, i, codecs[i] as ElementCodec, component);
      }
    },
    stored: identity,
    rewritten: identity,
    comparable(bytes) {
      if (bytes.length === 0) return bytes;
      const components = splitTuple(type, bytes);
      let isCanonical = true;
      for (let i = 0; i < components.length; i++) {
        const component = components[i] as Uint8Array | null;
        if (component === null) continue;
        const canonical = (codecs[i] as ElementCodec).comparable(component);
        if (canonical !== component) isCanonical = false;
        components[i] = canonical;
      }
      let length = components.length;
      while (length > 1 && components[length - 1] === null) length--;
      if (length !== components.length) {
        components.length = length;
        isCanonical = false;
      }
      if (isCanonical && !hasOddNull(bytes, components)) return bytes;
      return serializeTuple(components);
    },
    writeBits(writer, canonical) {
      if (canonical.length === 0) {
        writer.bits(0, 1);
        return;
      }
      writer.bits(1, 1);
      const components = splitTuple(type, canonical);
      let length = components.length;
      while (length > 0 && components[length - 1] === null) length--;
      for (let i = 0; i < length; i++) {
        const component = components[i] as Uint8Array | null;
        if (component === null) {
          writer.bits(2, 2);
        } else {
          writer.bits(3, 2);
          (codecs[i] as ElementCodec).writeBits(writer, component);
        }
      }
      writer.bits(0, 1);
    },
    compare(a, b) {
      if (a.length === 0 || b.length === 0) return Math.sign(a.length) - Math.sign(b.length);
      const left = splitTuple(type, a);
      const right = splitTuple(type, b);
      const longest = Math.max(left.length, right.length);
      for (let i = 0; i < longest; i++) {
        const l = left[i] ?? null;
        const r = right[i] ?? null;
        if (l !== null && r !== null) {
          const order = (codecs[i] as ElementCodec).compare(l, r);
          if (order !== 0) return order;
        } else if (l !== r) {
          return l === null ? -1 : 1;
        }
      }
      return 0;
    },
  });
}

function validateField(type: UdtType, index: number, codec: ElementCodec, field: Uint8Array): void {
  try {
    codec.validate(field);
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    const name = type.fields[index]?.name ?? '';
    throw new InvalidRequestError(
      `Failure validating the ${index}th field ${name}; ${error.message}`,
    );
  }
}

/** Whether a null component is written with another negative length than -1. */
function hasOddNull(bytes: Uint8Array, components: readonly (Uint8Array | null)[]): boolean {
  let offset = 0;
  for (const component of components) {
    if (component === null) {
      if ((bytes[offset + 1] as number) !== 0xff || (bytes[offset + 3] as number) !== 0xff) {
        return true;
      }
      if (bytes[offset] !== 0xff || bytes[offset + 2] !== 0xff) return true;
      offset += 4;
    } else {
      offset += 4 + component.length;
    }
  }
  return false;
}

/** Codec of vectors. Order bits: 1, then the bits of the elements; their number is fixed. */
export function vectorCodec(type: VectorType, codecOf: CodecOf): ElementCodec {
  const element = codecOf(type.element);
  const typeText = printType(type);
  const { fixedLength } = element;
  return withOrderBits({
    fixedLength: fixedLength === undefined ? undefined : fixedLength * type.dimensions,
    validate(bytes) {
      for (const part of unpackVector(type, fixedLength, bytes, typeText)) element.validate(part);
    },
    stored: identity,
    rewritten(bytes) {
      const parts = unpackVector(type, fixedLength, bytes, typeText);
      const out = rewriteEach(parts, element.rewritten);
      return out === parts ? bytes : packVector(type, fixedLength, out);
    },
    comparable(bytes) {
      const parts = unpackVector(type, fixedLength, bytes, typeText);
      const out = rewriteEach(parts, element.comparable);
      return out === parts ? bytes : packVector(type, fixedLength, out);
    },
    writeBits(writer, canonical) {
      writer.bits(1, 1);
      for (const part of unpackVector(type, fixedLength, canonical, typeText)) {
        element.writeBits(writer, part);
      }
    },
    compare(a, b) {
      const left = unpackVector(type, fixedLength, a, typeText);
      const right = unpackVector(type, fixedLength, b, typeText);
      for (let i = 0; i < type.dimensions; i++) {
        const order = element.compare(left[i] as Uint8Array, right[i] as Uint8Array);
        if (order !== 0) return order;
      }
      return 0;
    },
  });
}
