/**
 * The types of CQL and their values: names of types, checks, canonical forms, order, literals, native functions. Pure: no
 * I/O, no clock; the time and randomness of functions are handed in.
 *
 * Bytes are those of the native protocol, version 3 and later. A value travels through this folder so: `validate` what a
 * client bound, `stored` for what Cassandra would keep of it, `canonical` where Cassandra compares instead of keeping
 * bytes (clustering columns, set elements, map keys, blind indexes), `orderBits` for the ordered part of a clustering
 * column. All four come from one codec per type, `valueCodec(type)`.
 *
 * Messages are Cassandra's, but values and constants in them are replaced by `<constant>`.
 *
 * May import: errors, util, the syntax tree of cql.
 */
export type { OrderBits } from './bit_writer.ts';
export { compareBytes, readBigInt, writeBigInt, writeInt64 } from './bytes.ts';
export type { ValueCodec } from './codec.ts';
export { serializeMap, serializeSet, serializeVector, splitVector } from './collections.ts';
export { constantToBytes, isConstantAssignable } from './constants.ts';
export type { ConstantText } from './constants.ts';
export { parseTimestamp } from './temporal_text.ts';
export { native } from './cql_type.ts';
export type {
  CqlType,
  CustomType,
  MapType,
  NativeType,
  NativeTypeName,
  SequenceType,
  TupleType,
  UdtField,
  UdtType,
  VectorType,
} from './cql_type.ts';
export { callFunction, functionSignatures } from './functions.ts';
export type { FunctionContext, FunctionSignature, TypedValue } from './functions.ts';
export { readDuration, writeDecimal, writeDuration } from './number_codecs.ts';
export type { DurationParts } from './number_codecs.ts';
export { emptyMeansNull } from './collection_codecs.ts';
export {
  packEntries,
  hasFields,
  padMissingFields,
  padNestedFields,
  serializeList,
  serializeTuple,
  splitInList,
  splitList,
  splitMap,
  splitTuple,
} from './packing.ts';
export { TimeuuidGenerator, maxTimeuuid, minTimeuuid, timeuuidToUnixMs } from './timeuuid.ts';
export type { TimeuuidSources } from './timeuuid.ts';
export {
  freezeType,
  innerTypes,
  isMultiCell,
  printType,
  quoteName,
  referencesCounter,
  referencesDuration,
  sameType,
  udtNames,
} from './type_names.ts';
export { resolveTypeName } from './type_resolver.ts';
export type { TypeContext } from './type_resolver.ts';
export { parseTypeText } from './type_text.ts';
export type { UdtResolver } from './type_text.ts';
export {
  canonicalValue,
  compareValues,
  orderBits,
  storedValue,
  validateValue,
  valueCodec,
} from './value_codec.ts';
