import { describe, expect, it } from 'vitest';
import { checkVector, loadVectors } from './vector_checks.ts';
import type { Vector } from './vector_checks.ts';

const byName = new Map<string, Vector[]>();
for (const vector of loadVectors()) {
  if (vector[0] === 'term') continue;
  const name = `${vector[0]} ${vector[1]}`;
  byName.set(name, [...(byName.get(name) ?? []), vector]);
}

describe('functions as Cassandra 5.0.6 evaluates them', () => {
  it.each([...byName])('%s', (_name, vectors) => {
    const wrong = vectors
      .map((vector) => [JSON.stringify(vector), checkVector(vector)])
      .filter(([, problem]) => problem !== undefined);
    expect(wrong).toEqual([]);
  });
});
