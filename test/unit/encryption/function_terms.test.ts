import { expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { MarkerRegistry } from '../../../src/encryption/markers.ts';
import { compileTerm } from '../../../src/encryption/terms.ts';
import { UnsupportedStatementError } from '../../../src/errors/index.ts';
import { resolveTypeName } from '../../../src/values/index.ts';
import {
  compare,
  CONTEXT,
  loadVectors,
  outcomeOf,
  vectorType,
} from '../functions/vector_checks.ts';
import type { Outcome } from '../functions/vector_checks.ts';

/** What a value position of a column of the type makes of a text. */
function evaluate(type: string, text: string): ReturnType<typeof outcomeOf> {
  return outcomeOf(() => {
    const parsed = parseStatement(`INSERT INTO ks.t (c) VALUES (${text})`);
    if (parsed.statement.kind !== 'insert') return null;
    const [value] = parsed.statement.values;
    if (value === undefined) return null;
    const receiver = { keyspace: 'ks', table: 't', name: 'c', type: vectorType(type) };
    const source = compileTerm(value, receiver, {
      markers: new MarkerRegistry([]),
      types: (name) => resolveTypeName(name, { keyspace: 'ks', udt: () => undefined }),
    });
    const bytes = source({ binds: [], constants: parsed.constants, functions: CONTEXT });
    return bytes instanceof Uint8Array ? bytes : null;
  });
}

/** Whether the proxy refuses what Cassandra says it does not know: it may be a function of a user. */
function isUnknownFunction(actual: ReturnType<typeof outcomeOf>, expected: Outcome): boolean {
  return (
    actual instanceof UnsupportedStatementError &&
    expected !== null &&
    typeof expected !== 'string' &&
    expected.message.startsWith('Unknown function')
  );
}

it('functions, arithmetic and casts in values are those of Cassandra 5.0.6', () => {
  let count = 0;
  const wrong: string[] = [];
  for (const vector of loadVectors()) {
    if (vector[0] !== 'term') continue;
    const [, type, text, expected] = vector;
    count++;
    const actual = evaluate(type, text);
    const problem = isUnknownFunction(actual, expected) ? undefined : compare(actual, expected);
    if (problem !== undefined)
      wrong.push(`${type}: ${text}: ${JSON.stringify(expected)}: ${problem}`);
  }
  expect(count).toBeGreaterThan(150);
  expect(wrong).toEqual([]);
});
