import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { constantToBytes, printType } from '../../../src/values/index.ts';
import type { ConstantText } from '../../../src/values/index.ts';
import { checkPair, checkValue, toHex, vectorType } from './vector_checks.ts';
import type { LiteralVector, TypeVectors } from './vector_checks.ts';

const file = new URL('../../vectors/values/cassandra_5_0_6.json', import.meta.url);
const all = JSON.parse(readFileSync(file, 'utf8')) as (
  TypeVectors | { readonly literals: readonly LiteralVector[] }
)[];
const types = all.filter((entry) => 'type' in entry);
const literals = all.flatMap((entry) => ('literals' in entry ? entry.literals : []));

describe.each(types)('Cassandra 5.0.6: $type', (vectors) => {
  const type = vectorType(vectors.type);

  it('prints the type', () => {
    expect(printType(type)).toBe(vectors.printed);
  });

  it('accepts, refuses and stores the same values', () => {
    expect(vectors.values.length).toBeGreaterThan(0);
    expect(
      vectors.values
        .map((value) => checkValue(type, value))
        .filter(Boolean)
        .join('\n'),
    ).toBe('');
  });

  it('has the same order and equality', () => {
    expect(vectors.pairs.length).toBeGreaterThan(0);
    expect(
      vectors.pairs
        .map((pair) => checkPair(type, pair))
        .filter(Boolean)
        .join('\n'),
    ).toBe('');
  });
});

/** Cassandra's message as this product words it: no constants, no Java classes. */
function withoutConstant(message: string): string {
  return message
    .replace(/constant \(.*\) for/, 'constant (<constant>) for')
    .replace(/'.*'/, "'<constant>'")
    .replace(/(Input date |representation: )[^ ]*/, '$1<constant>')
    .replace(/: java.nio.*/, '');
}

describe.each([...new Set(literals.map(([type]) => type))])('constants of %s', (typeText) => {
  it('become the same bytes or errors', () => {
    const type = vectorType(typeText);
    const problems: string[] = [];
    for (const [, kind, text, hex, message] of literals.filter(([name]) => name === typeText)) {
      const constant = { type: kind, text } as ConstantText;
      let found: string;
      try {
        found = toHex(constantToBytes(constant, type, 'c'));
      } catch (error) {
        found = error instanceof Error ? error.message : String(error);
      }
      const wanted = hex ?? withoutConstant(message ?? '');
      // Cassandra does not check what a hex constant becomes when the column is no blob; here it is refused.
      const isStricter = kind === 'hex' && typeText !== 'blob' && / bytes? /.test(found);
      if (found !== wanted && !isStricter)
        problems.push(`${kind} '${text}': ${found} instead of ${wanted}`);
    }
    expect(problems.join('\n')).toBe('');
  });
});
