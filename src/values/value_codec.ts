import { InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import { assertNever } from '../util/index.ts';
import type { OrderBits } from './bit_writer.ts';
import type { ElementCodec, ValueCodec } from './codec.ts';
import { mapCodec, sequenceCodec } from './collection_codecs.ts';
import type { CqlType } from './cql_type.ts';
import { NATIVE_CODECS } from './native_codecs.ts';
import { tupleCodec, vectorCodec } from './tuple_codecs.ts';

const elementCodecs = new WeakMap<CqlType, ElementCodec>();
const valueCodecs = new WeakMap<CqlType, ValueCodec>();

/**
 * The codec of a type for building others; made once per type object.
 * @throws UnsupportedStatementError for custom types
 */
export function elementCodec(type: CqlType): ElementCodec {
  const known = elementCodecs.get(type);
  if (known !== undefined) return known;
  const made = makeCodec(type);
  elementCodecs.set(type, made);
  return made;
}

function makeCodec(type: CqlType): ElementCodec {
  switch (type.kind) {
    case 'native':
      return NATIVE_CODECS[type.name];
    case 'list':
    case 'set':
      return sequenceCodec(type, elementCodec);
    case 'map':
      return mapCodec(type, elementCodec);
    case 'tuple':
    case 'udt':
      return tupleCodec(type, elementCodec);
    case 'vector':
      return vectorCodec(type, elementCodec);
    case 'custom':
      throw new UnsupportedStatementError(`Values of type '${type.className}' are not supported`);
    default:
      return assertNever(type);
  }
}

/**
 * The codec of a type; made once per type object and kept while the type lives.
 * @throws UnsupportedStatementError for custom types
 */
export function valueCodec(type: CqlType): ValueCodec {
  const known = valueCodecs.get(type);
  if (known !== undefined) return known;
  const { validate, stored, comparable, orderBits, compare } = elementCodec(type);
  const isStoredAsBound = type.kind !== 'list' && type.kind !== 'set' && type.kind !== 'map';
  // In a nested set, 1.0 and 1.00 are two elements for Cassandra; made equal they would be one when they are bound again.
  const stableCanonical = (bytes: Uint8Array): Uint8Array => {
    const canonical = comparable(bytes);
    if (canonical !== bytes && stored(canonical) !== canonical) {
      throw new InvalidRequestError(
        'Equal elements in a nested set or map are not supported where the value is a key',
      );
    }
    return canonical;
  };
  const made: ValueCodec = {
    validate,
    stored,
    canonical: isStoredAsBound ? comparable : (bytes) => stableCanonical(stored(bytes)),
    orderBits,
    compare,
  };
  valueCodecs.set(type, made);
  return made;
}

/**
 * Checks a bound value of `type`, also a whole non-frozen collection, as Cassandra does before it writes it.
 * @throws InvalidRequestError with Cassandra's message, without the value
 */
export function validateValue(type: CqlType, bytes: Uint8Array): void {
  valueCodec(type).validate(bytes);
}

/** {@link ValueCodec.stored} of a type. */
export function storedValue(type: CqlType, bytes: Uint8Array): Uint8Array {
  return valueCodec(type).stored(bytes);
}

/** {@link ValueCodec.canonical} of a type. */
export function canonicalValue(type: CqlType, bytes: Uint8Array): Uint8Array {
  return valueCodec(type).canonical(bytes);
}

/** {@link ValueCodec.orderBits} of a type. */
export function orderBits(type: CqlType, canonical: Uint8Array): OrderBits {
  return valueCodec(type).orderBits(canonical);
}

/** {@link ValueCodec.compare} of a type. */
export function compareValues(type: CqlType, a: Uint8Array, b: Uint8Array): number {
  return valueCodec(type).compare(a, b);
}
