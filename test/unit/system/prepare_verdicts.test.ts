import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { native, printType } from '../../../src/values/index.ts';
import type { CqlType } from '../../../src/values/index.ts';
import { planVirtualSelect } from '../../../src/system/index.ts';
import type { VirtualTable } from '../../../src/system/index.ts';

/** What Cassandra itself answers, made by PrepareVerdicts.java. */
interface Verdict {
  readonly query: string;
  readonly error?: string;
  readonly variables?: readonly string[];
  readonly keys?: readonly number[];
  readonly columns?: readonly string[];
}

const VERDICTS = JSON.parse(
  readFileSync(new URL('../../vectors/system/prepare_verdicts.json', import.meta.url), 'utf8'),
) as readonly Verdict[];

const text = native('text');
const TABLE: VirtualTable = {
  keyspace: 'ks',
  name: 't',
  columns: [
    { name: 'k1', type: text, kind: 'partition', position: 0 },
    { name: 'k2', type: native('int'), kind: 'partition', position: 1 },
    { name: 'c1', type: native('int'), kind: 'clustering', position: 0, order: 'desc' },
    { name: 'c2', type: text, kind: 'clustering', position: 1 },
    {
      name: 'Odd',
      type: { kind: 'list', element: native('int'), frozen: true },
      kind: 'regular',
      position: 0,
    },
    {
      name: 'props',
      type: { kind: 'map', key: text, value: text, frozen: false },
      kind: 'regular',
      position: 0,
    },
    {
      name: 'tags',
      type: { kind: 'set', element: text, frozen: false },
      kind: 'regular',
      position: 0,
    },
    { name: 'v', type: text, kind: 'regular', position: 0 },
  ],
  rows: () => [],
};

function printed(columns: readonly { readonly name: string; readonly type: CqlType }[]): string[] {
  return columns.map((column) => `${column.name} ${printType(column.type)}`);
}

function answer(query: string): Verdict {
  const { statement } = parseStatement(query);
  if (statement.kind !== 'select') throw new TypeError('not a SELECT');
  try {
    const planned = planVirtualSelect(statement, TABLE);
    // Values of LIMIT are checked by Cassandra, too, only when the statement runs.
    return {
      query,
      variables: printed(planned.variables),
      keys: planned.partitionKeyIndices,
      columns: printed(planned.resultColumns),
    };
  } catch (error) {
    return { query, error: (error as Error).message };
  }
}

describe('verdicts of Cassandra', () => {
  it('are there', () => {
    expect(VERDICTS.length).toBeGreaterThan(150);
  });

  it.each(VERDICTS)('$query', (verdict) => {
    expect(answer(verdict.query)).toEqual(verdict);
  });
});
