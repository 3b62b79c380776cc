import type { BitWriter, OrderBits } from './bit_writer.ts';

/**
 * What the proxy does with values of one type, compiled once per type. Values are given in the serialisation of the
 * native protocol, version 3 and later; arrays are only read. All but `validate` expect a value that `validate` accepts.
 */
export interface ValueCodec {
  /**
   * Checks a bound value as Cassandra does before it writes it.
   * @throws InvalidRequestError with Cassandra's message, without the value
   */
  validate(bytes: Uint8Array): void;
  /**
   * The bytes that Cassandra stores for a bound value: frozen sets and maps sorted and without duplicates, elements
   * written again. The input itself when nothing changes.
   * @throws InvalidRequestError for what only Cassandra's deserialisers refuse
   */
  stored(bytes: Uint8Array): Uint8Array;
  /**
   * The representative of the value's class under Cassandra's comparator, after {@link ValueCodec.stored}: two values
   * have the same bytes exactly if Cassandra's `compare` gives 0. The input itself when it is canonical.
   * @throws InvalidRequestError for a collection with a nested set or map whose elements are equal but differ in bytes
   */
  canonical(bytes: Uint8Array): Uint8Array;
  /** A prefix-free bit string per canonical value, in Cassandra's order. The result belongs to the caller. */
  orderBits(canonical: Uint8Array): OrderBits;
  /** Negative, 0 or positive: Cassandra's own order; needs no canonical values. */
  compare(a: Uint8Array, b: Uint8Array): number;
}

/** The parts of a codec that codecs of enclosing types build upon. */
export interface ElementCodec {
  /** Bytes of every non-empty value where Cassandra's `valueLengthIfFixed` says so; vectors are packed by it. */
  readonly fixedLength: number | undefined;
  validate(bytes: Uint8Array): void;
  stored(bytes: Uint8Array): Uint8Array;
  /** The bytes after Cassandra's deserialise and serialise, which elements of bound collections go through. */
  rewritten(bytes: Uint8Array): Uint8Array;
  /** Canonical form of a stored value. */
  comparable(bytes: Uint8Array): Uint8Array;
  writeBits(writer: BitWriter, canonical: Uint8Array): void;
  orderBits(canonical: Uint8Array): OrderBits;
  compare(a: Uint8Array, b: Uint8Array): number;
}
