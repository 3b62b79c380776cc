/** Masks: what MASKED WITH becomes, and that a plan shows masks wherever nothing says that the client may see values. */
import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import {
  bindEvaluated,
  isMasked,
  MarkerRegistry,
  planAlterTable,
  planAnySelect,
  planCreateTable,
} from '../../../src/encryption/index.ts';
import type { MaskSight, TermContext } from '../../../src/encryption/index.ts';
import { ProxyError } from '../../../src/errors/index.ts';
import type { ColumnEntry, MaskRecord, Snapshot, TableEntry } from '../../../src/schema/index.ts';
import { int, row, table, text } from './evaluate/support.ts';

const SNAPSHOT = { keyspace: () => ({ types: new Map() }) } as unknown as Snapshot;

function create(cql: string) {
  const { statement } = parseStatement(cql);
  if (statement.kind !== 'create_table') throw new TypeError('no CREATE TABLE');
  return planCreateTable(cql, statement, 'ks', SNAPSHOT);
}

function maskOf(type: string, mask: string): MaskRecord | undefined {
  const plan = create(`CREATE TABLE ks.t (k int PRIMARY KEY, v ${type} MASKED WITH ${mask})`);
  return plan.definition.columns.find(({ name }) => name === 'v')?.mask;
}

function refusal(type: string, mask: string): string {
  try {
    return JSON.stringify(maskOf(type, mask));
  } catch (error) {
    if (error instanceof ProxyError) return error.message;
    throw error;
  }
}

describe('MASKED WITH', () => {
  it('is no part of what Cassandra is told', () => {
    const plan = create(
      "CREATE TABLE ks.t (k int MASKED WITH DEFAULT PRIMARY KEY, v text MASKED WITH mask_inner(1, null, '#'), w int)",
    );
    expect(plan.storedText('5a1c395e-b41f-11e5-9f22-ba0be0483c18')).not.toMatch(/mask/i);
    expect(
      parseStatement(plan.storedText('5a1c395e-b41f-11e5-9f22-ba0be0483c18')).statement.kind,
    ).toBe('create_table');
  });

  it.each<[string, string, string, readonly [string, string | null, string, string][]]>([
    ['int', 'DEFAULT', 'mask_default', []],
    ['int', 'system.mask_null()', 'mask_null', []],
    ['int', 'mask_replace(-7)', 'mask_replace', [['int', 'fffffff9', '-7', '-7']]],
    ['text', "mask_replace('it''s')", 'mask_replace', [['text', '69742773', "'it''s'", "it's"]]],
    [
      'blob',
      "mask_hash('SHA-512')",
      'mask_hash',
      [['text', '5348412d353132', "'SHA-512'", 'SHA-512']],
    ],
    ['blob', 'mask_replace(0x0AFF)', 'mask_replace', [['blob', '0aff', '0x0aff', '0aff']]],
    [
      'text',
      "mask_outer(1, null, '#')",
      'mask_outer',
      [
        ['int', '00000001', '1', '1'],
        ['int', null, 'null', ''],
        ['text', '23', "'#'", '#'],
      ],
    ],
    [
      'list<int>',
      'mask_replace([1, 2])',
      'mask_replace',
      [['list<int>', '0000000200000004000000010000000400000002', '[1, 2]', '[1, 2]']],
    ],
  ])('of %s: %s', (type, clause, name, args) => {
    expect(maskOf(type, clause)).toEqual({
      function: name,
      args: args.map(([of, value, literal, shown]) => ({ type: of, value, literal, text: shown })),
    });
  });

  it.each([
    [
      'int',
      'mask_hash()',
      /^Masking function mask_hash\(\) return type is blob\. This is different/,
    ],
    ['int', 'mask_inner(1, 1)', /requires an argument of type/],
    ['int', 'mask_replace()', /Invalid number of arguments/],
    ['int', "mask_replace('secret')", /^(?!.*secret)/],
    ['int', 'count()', /^Aggregate function count\(\) cannot be used for masking table columns$/],
    [
      'text',
      'to_json()',
      /^Not-masking function to_json\(\) cannot be used for masking table columns$/,
    ],
    [
      'int',
      'mine()',
      /^Unable to find masking function for v, .* mine\(\) \(functions written by users/,
    ],
    ['int', 'ks.mask_null()', /^Unable to find masking function for v/],
    ['int', 'mask_replace(?)', /^Invalid bind marker/],
    ['timeuuid', 'mask_replace(now())', /^a call of now as argument of the mask/],
  ])('of %s is refused: %s', (type, clause, words) => {
    expect(refusal(type, clause)).toMatch(words);
  });
});

function masked(names: readonly string[]): TableEntry {
  const plain = table();
  const of = (column: ColumnEntry): ColumnEntry =>
    names.includes(column.name)
      ? {
          ...column,
          mask: {
            function: 'mask_replace',
            args: [
              {
                type: column.type,
                value:
                  column.type.kind === 'native' && column.type.name === 'int' ? int(7) : text('*'),
                record: { type: '', value: '', literal: '', text: '' },
              },
            ],
          },
        }
      : column;
  const allColumns = plain.allColumns.map(of);
  const kind = (wanted: ColumnEntry['kind']): ColumnEntry[] =>
    allColumns.filter((column) => column.kind === wanted);
  return {
    ...plain,
    allColumns,
    partitionKey: kind('partition'),
    clustering: kind('clustering'),
    statics: kind('static'),
    regulars: kind('regular'),
    columns: new Map(allColumns.map((column) => [column.name, column])),
  };
}

function answer(cql: string, entry: TableEntry, sight: MaskSight | undefined): string[] {
  const parsed = parseStatement(cql);
  if (parsed.statement.kind !== 'select') throw new TypeError('no SELECT');
  const plan = planAnySelect(parsed.statement, entry, SNAPSHOT, new MarkerRegistry([]));
  if (plan.kind !== 'evaluated') throw new TypeError('rows would come as they are');
  const context: TermContext = {
    binds: [],
    constants: parsed.constants,
    functions: {
      nowMs: () => 0,
      randomBytes: (count) => Buffer.alloc(count),
      nextTimeuuid: () => Buffer.alloc(16),
    },
    ...(sight === undefined ? {} : { sight }),
  };
  const bound = bindEvaluated(plan, context);
  const sink = bound.sink({ page: undefined, limit: undefined, partition: undefined });
  for (const [c, v] of [
    [1, 5],
    [2, 6],
  ] as const) {
    const stored = row(plan, { pk: int(9), c: int(c), d: text('d'), v: int(v), w: text('word') });
    if (bound.accepts(stored)) sink.add(stored, 0);
  }
  sink.end();
  return sink.rows.map((cells) =>
    cells
      .map((cell) =>
        cell === null
          ? 'null'
          : cell.length === 4 && cell[0] === 0
            ? String(cell[3])
            : Buffer.from(cell).toString(),
      )
      .join(' '),
  );
}

describe('a plan of a masked table', () => {
  it.each<[string, string[], string[]]>([
    ['SELECT v FROM t', ['7', '7'], ['5', '6']],
    ['SELECT w, v FROM t', ['* 7', '* 7'], ['word 5', 'word 6']],
    ['SELECT pk, c, v FROM t', ['7 1 7', '7 2 7'], ['9 1 5', '9 2 6']],
    ['SELECT max(v) FROM t', ['7'], ['6']],
    ['SELECT v, max(v) FROM t WHERE v = 99 ALLOW FILTERING', ['null null'], ['null null']],
    ['SELECT CAST(v AS text), v + 1 FROM t', ['7 8', '7 8'], ['5 6', '6 7']],
    [
      'SELECT JSON v, w FROM t',
      ['{"v": 7, "w": "*"}', '{"v": 7, "w": "*"}'],
      ['{"v": 5, "w": "word"}', '{"v": 6, "w": "word"}'],
    ],
    ['SELECT v FROM t WHERE v = 6 ALLOW FILTERING', ['7'], ['6']],
    ['SELECT c FROM t', ['1', '2'], ['1', '2']],
  ])('%s', (cql, shown, clear) => {
    const entry = masked(['pk', 'v', 'w']);
    expect(answer(cql, entry, undefined)).toEqual(shown);
    for (const sight of ['clear', 'unmasked'] as const) {
      expect(answer(cql, entry, sight)).toEqual(clear);
    }
  });

  it('names the masked columns of WHERE', () => {
    const cql =
      "SELECT c FROM t WHERE token(pk) > 1 AND (c, d) > (1, 'x') AND w = 'a' AND x = 1 ALLOW FILTERING";
    const { statement } = parseStatement(cql);
    if (statement.kind !== 'select') throw new TypeError('no SELECT');
    const plan = planAnySelect(
      statement,
      masked(['w', 'pk', 'd', 'v']),
      SNAPSHOT,
      new MarkerRegistry([]),
    );
    expect(plan).toMatchObject({ kind: 'evaluated', maskedRestrictions: ['d', 'pk', 'w'] });
  });
});

describe('ALTER TABLE', () => {
  function alter(cql: string, entry: TableEntry) {
    const { statement } = parseStatement(cql);
    if (statement.kind !== 'alter_table') throw new TypeError('no ALTER TABLE');
    return planAlterTable(cql, statement, entry, SNAPSHOT);
  }

  it('changes a mask only where it becomes another one', () => {
    const plain = masked([]);
    expect(isMasked(plain)).toBe(false);
    const entry = masked(['v']);
    expect(isMasked(entry)).toBe(true);
    expect(alter('ALTER TABLE t ALTER v MASKED WITH DEFAULT', plain).mask).toEqual({
      column: 'v',
      mask: { function: 'mask_default', args: [] },
    });
    expect(alter('ALTER TABLE t ALTER v DROP MASKED', entry).mask).toEqual({
      column: 'v',
      mask: undefined,
    });
    for (const cql of [
      'ALTER TABLE t ALTER v DROP MASKED',
      'ALTER TABLE t ALTER nope MASKED WITH DEFAULT',
    ]) {
      const plan = alter(cql, plain);
      expect(plan.mask).toBeUndefined();
      // What Cassandra answers then is the client's answer.
      expect(plan.storedText).toMatch(/ALTER (v|nope) DROP MASKED$/);
    }
  });

  it('adds columns with their masks, and tells Cassandra nothing of those', () => {
    const plan = alter('ALTER TABLE t ADD (a int MASKED WITH DEFAULT, b text)', masked([]));
    expect(plan.storedText).not.toMatch(/mask/i);
    expect(plan.change).toMatchObject({
      kind: 'add',
      columns: [
        { name: 'a', mask: { function: 'mask_default' } },
        { name: 'b', mask: undefined },
      ],
    });
  });
});
