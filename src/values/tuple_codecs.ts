import { InvalidRequestError } from '../errors/index.ts';
import type { ElementCodec } from './codec.ts';
import { rewriteEach, withOrderBits } from './composite_parts.ts';
import type { CodecOf } from './composite_parts.ts';
import type { TupleType, UdtType, VectorType } from './cql_type.ts';
import { componentType, packVector, serializeTuple, splitTuple, unpackVector } from './packing.ts';
import { printType } from './type_names.ts';

const identity = (bytes: Uint8Array): Uint8Array => bytes;

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
