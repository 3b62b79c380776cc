import type { CqlType, VectorType } from './cql_type.ts';
import {
  packEntries,
  packVector,
  serializeList,
  sortedEntries,
  sortedUnique,
  unpackVector,
} from './packing.ts';
import { printType } from './type_names.ts';
import { elementCodec } from './value_codec.ts';

/**
 * Serialises a set as Cassandra stores it: sorted by the comparator of `elementType`; of equal elements the first stays.
 */
export function serializeSet(elementType: CqlType, elements: readonly Uint8Array[]): Uint8Array {
  const { compare } = elementCodec(elementType);
  const kept = sortedUnique(elements, compare);
  return serializeList(kept);
}

/**
 * Serialises a map as Cassandra stores it: sorted by the comparator of `keyType`; of equal keys the first key stays with
 * the last value.
 */
export function serializeMap(
  keyType: CqlType,
  entries: readonly (readonly [Uint8Array, Uint8Array])[],
): Uint8Array {
  const { compare } = elementCodec(keyType);
  return packEntries(sortedEntries(entries, compare));
}

/**
 * Serialises a vector.
 * @throws InvalidRequestError when the number of elements is not that of the type
 */
export function serializeVector(type: VectorType, elements: readonly Uint8Array[]): Uint8Array {
  return packVector(type, elementCodec(type.element).fixedLength, elements);
}

/**
 * The elements of a serialised vector, as views into `bytes`.
 * @throws InvalidRequestError when the bytes are malformed
 */
export function splitVector(type: VectorType, bytes: Uint8Array): Uint8Array[] {
  return unpackVector(type, elementCodec(type.element).fixedLength, bytes, printType(type));
}
