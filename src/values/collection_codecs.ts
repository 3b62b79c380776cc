import { InvalidRequestError } from '../errors/index.ts';
import type { ElementCodec } from './codec.ts';
import { rewriteEach, withOrderBits } from './composite_parts.ts';
import type { CodecOf, Rewrite } from './composite_parts.ts';
import type { CqlType, MapType, SequenceType } from './cql_type.ts';
import {
  packEntries,
  serializeList,
  sortedEntries,
  sortedUnique,
  splitList,
  splitMap,
} from './packing.ts';

type Entry = [Uint8Array, Uint8Array];

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
export function emptyMeansNull(type: CqlType): boolean {
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
