import { InvalidRequestError } from '../errors/index.ts';
import { native } from '../values/index.ts';
import { floatVector, sameAs, scalar } from './factory.ts';
import type { FunctionFactory } from './factory.ts';
import { writeFloat } from './numbers.ts';

const { fround } = Math;

function readFloats(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getFloat32(i * 4));
}

/** A sum of 32-bit floats in the order of the values. */
function sumOf(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum = fround(sum + value);
  return sum;
}

function products(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => fround(value * (b[i] ?? 0)));
}

/** First the values that make no eight, then sums of eight at a time, as Cassandra's library adds them. */
function dotProduct(a: readonly number[], b: readonly number[]): number {
  const terms = products(b, a);
  const rest = terms.length % 8;
  let sum = sumOf(terms.slice(0, rest));
  for (let i = rest; i < terms.length; i += 8) sum = fround(sum + sumOf(terms.slice(i, i + 8)));
  return sum;
}

/** Sums of eight at a time, then the values that make no eight. */
function squareDistance(a: readonly number[], b: readonly number[]): number {
  const terms = a.map((value, i) => {
    const difference = fround(value - (b[i] ?? 0));
    return fround(difference * difference);
  });
  let sum = 0;
  let i = 0;
  for (; i + 8 <= terms.length; i += 8) sum = fround(sum + sumOf(terms.slice(i, i + 8)));
  for (; i < terms.length; i++) sum = fround(sum + (terms[i] ?? 0));
  return sum;
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const norms = sumOf(products(a, a)) * sumOf(products(b, b));
  return fround(sumOf(products(a, b)) / Math.sqrt(norms));
}

function similarity(
  name: string,
  isZeroAllowed: boolean,
  compare: (a: readonly number[], b: readonly number[]) => number,
): FunctionFactory {
  return {
    name,
    parameters: [sameAs(1, false, floatVector), sameAs(0, false, floatVector)],
    make(types) {
      const lengths = types.map((type) => (type.kind === 'vector' ? type.dimensions : 0));
      if (lengths.some((length) => length !== lengths[0])) {
        throw new InvalidRequestError('All arguments must have the same vector dimensions');
      }
      return scalar(name, types, native('float'), ([left, right]) => {
        if (left === null || left === undefined || right === null || right === undefined) {
          return null;
        }
        if (left.length === 0 || right.length === 0) return null;
        const a = readFloats(left);
        const b = readFloats(right);
        const isZero = (values: readonly number[]): boolean => values.every((value) => value === 0);
        if (!isZeroAllowed && (isZero(a) || isZero(b))) {
          throw new InvalidRequestError(
            `Function system.${name} doesn't support all-zero vectors.`,
          );
        }
        return writeFloat(fround(compare(a, b)));
      });
    },
  };
}

/** What a vector index compares by: how alike two vectors are; undefined where the function has no answer. */
export type Similarity = (a: Uint8Array, b: Uint8Array) => number | undefined;

const COMPARED: Readonly<
  Record<string, (a: readonly number[], b: readonly number[]) => number | undefined>
> = {
  cosine: (a, b) => {
    const value = cosine(a, b);
    return Number.isNaN(value) ? undefined : value;
  },
  euclidean: (a, b) => -squareDistance(a, b),
  dot_product: dotProduct,
};

/** The similarity of two float vectors of one length by the name of its function, greater for what is nearer. */
export function similarityNamed(name: string): Similarity | undefined {
  const compare = Object.hasOwn(COMPARED, name) ? COMPARED[name] : undefined;
  return compare && ((a, b) => compare(readFloats(a), readFloats(b)));
}

/** How alike two vectors are, between 0 and 1. Spec: org.apache.cassandra.cql3.functions.VectorFcts. */
export const VECTOR_FACTORIES: readonly FunctionFactory[] = [
  similarity('similarity_cosine', false, (a, b) => fround(1 + cosine(a, b)) / 2),
  similarity('similarity_euclidean', true, (a, b) => 1 / fround(1 + squareDistance(a, b))),
  similarity('similarity_dot_product', true, (a, b) => fround(1 + dotProduct(a, b)) / 2),
];
