import { describe, expect, it } from 'vitest';
import { formAfter } from '../../../src/schema/changes/forms.ts';
import type { NewColumn, TableRecord } from '../../../src/schema/index.ts';
import { InvalidRequestError } from '../../../src/errors/index.ts';

const DROPPED = [
  { name: 'c', id: 'c', kind: 'regular', type: 'counter' },
  { name: 'sc', id: 'sc', kind: 'static', type: 'counter' },
  { name: 't', id: 't', kind: 'regular', type: 'ascii' },
  { name: 'st', id: 'st', kind: 'static', type: 'ascii' },
];

function refusal(name: string, type: string, kind: NewColumn['kind']): string | undefined {
  const record = { keyspace: 'ks', name: 't', columns: [], dropped: DROPPED };
  const column: NewColumn = { name, type, kind, position: 0 };
  try {
    formAfter(record as unknown as TableRecord, { kind: 'add', columns: [column] }, 0);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidRequestError) return error.message;
    throw error;
  }
}

/** Each as Cassandra 5.0.6 answers it: it looks at types first, then at kinds, then for counters. */
describe('a dropped column that is added again', () => {
  it.each([
    ['t', 'text', 'regular', undefined],
    ['st', 'blob', 'static', undefined],
    ['t', 'int', 'static', 'of type int, incompatible with previous type ascii'],
    ['t', 'text', 'static', 'of kind STATIC, incompatible with previous kind REGULAR'],
    ['st', 'text', 'regular', 'of kind REGULAR, incompatible with previous kind STATIC'],
    ['c', 'text', 'regular', 'of type text, incompatible with previous type counter'],
    ['sc', 'text', 'regular', 'of type text, incompatible with previous type counter'],
    ['sc', 'counter', 'regular', 'of kind REGULAR, incompatible with previous kind STATIC'],
  ] as const)('%s as %s, %s', (name, type, kind, words) => {
    expect(refusal(name, type, kind)).toBe(
      words === undefined
        ? undefined
        : `Cannot re-add previously dropped column '${name}' ${words}`,
    );
  });

  it.each([
    ['c', 'counter', 'regular'],
    ['c', 'blob', 'regular'],
    ['sc', 'blob', 'static'],
  ] as const)('the counter %s is refused as %s, too', (name, type, kind) => {
    expect(refusal(name, type, kind)).toBe(
      `Cannot re-add previously dropped counter column ${name}`,
    );
  });
});
