import { describe, expect, it } from 'vitest';
import { similarityNamed } from '../../../src/functions/index.ts';

function vector(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => bytes.writeFloatBE(value, at * 4));
  return bytes;
}

describe('similarityNamed', () => {
  it.each([
    ['euclidean', [1, 2], [1, 3], [5, 2]],
    ['cosine', [1, 0], [9, 1], [1, 1]],
    ['dot_product', [1, 0], [9, 1], [8, 8]],
  ])('%s is greater for what is nearer', (name, sought, near, far) => {
    const similarity = similarityNamed(name);
    const nearer = similarity?.(vector(...near), vector(...sought)) ?? Number.NaN;
    expect(nearer).toBeGreaterThan(similarity?.(vector(...far), vector(...sought)) ?? Infinity);
  });

  it('has no answer for the angle to nothing', () => {
    expect(similarityNamed('cosine')?.(vector(0, 0), vector(1, 0))).toBeUndefined();
    expect(similarityNamed('cosine')?.(vector(1, 0), vector(0, 0))).toBeUndefined();
    expect(similarityNamed('euclidean')?.(vector(0, 0), vector(0, 0))).toBe(-0);
  });

  it('knows no other name', () => {
    expect(similarityNamed('manhattan')).toBeUndefined();
    expect(similarityNamed('constructor')).toBeUndefined();
  });
});
