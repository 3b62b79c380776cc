import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import {
  InvalidRequestError,
  ProtocolError,
  UnsupportedStatementError,
} from '../../../src/errors/index.ts';
import { native } from '../../../src/values/index.ts';
import type { CqlType } from '../../../src/values/index.ts';
import { UNSET } from '../../../src/wire/index.ts';
import type { BoundValue } from '../../../src/wire/index.ts';
import { planVirtualSelect } from '../../../src/system/index.ts';
import type { PlannedSelect, VirtualColumn, VirtualTable } from '../../../src/system/index.ts';
import { murmur3Token, partitionToken } from '../../../src/system/select/token.ts';
import { bigint, decode, int, list, map, text } from './support.ts';

const TEXT = native('text');
const TAGS: CqlType = { kind: 'set', element: TEXT, frozen: false };
const PROPS: CqlType = { kind: 'map', key: TEXT, value: TEXT, frozen: false };
const FROZEN: CqlType = { kind: 'list', element: native('int'), frozen: true };

const COLUMNS: readonly VirtualColumn[] = [
  { name: 'k1', type: TEXT, kind: 'partition', position: 0 },
  { name: 'k2', type: native('int'), kind: 'partition', position: 1 },
  { name: 'c1', type: native('int'), kind: 'clustering', position: 0, order: 'desc' },
  { name: 'c2', type: TEXT, kind: 'clustering', position: 1 },
  { name: 'Odd', type: FROZEN, kind: 'regular', position: 0 },
  { name: 'props', type: PROPS, kind: 'regular', position: 0 },
  { name: 'tags', type: TAGS, kind: 'regular', position: 0 },
  { name: 'v', type: TEXT, kind: 'regular', position: 0 },
];

/** Rows of (b,1): c1 2 and 1, with c2 x and y; of (a,2) and (a,1): one each. */
const ROWS = (
  [
    ['b', 1, 2, 'x', 'v1'],
    ['b', 1, 2, 'y', null],
    ['b', 1, 1, 'x', 'v3'],
    ['b', 1, 1, 'y', 'v4'],
    ['a', 2, 5, 'x', 'v5'],
    ['a', 1, -1, 'z', 'v6'],
  ] as const
).map(([k1, k2, c1, c2, v], index) => [
  text(k1),
  int(k2),
  int(c1),
  text(c2),
  list([int(index)]),
  map([[text('p'), text(`q${String(index)}`)]]),
  index === 0 ? list([text('red')]) : null,
  v === null ? null : text(v),
]);

const TABLE: VirtualTable = { keyspace: 'ks', name: 't', columns: COLUMNS, rows: () => ROWS };

function plan(query: string, table = TABLE): PlannedSelect {
  const { statement } = parseStatement(query);
  if (statement.kind !== 'select') throw new TypeError('not a SELECT');
  return planVirtualSelect(statement, table);
}

/** c1 and c2 of the rows found, e.g. `2x`. */
function found(where: string, values: readonly BoundValue[] = []): string[] {
  return plan(`SELECT c1, c2 FROM ks.t ${where}`)
    .execute(values, {})
    .rows.map(([c1, c2]) => `${String(Buffer.from(c1 ?? []).readInt32BE(0))}${decode(c2) ?? ''}`);
}

const B = "WHERE k1 = 'b' AND k2 = 1";

describe('WHERE', () => {
  it.each([
    ['', ['2x', '2y', '1x', '1y', '5x', '-1z']],
    [B, ['2x', '2y', '1x', '1y']],
    ["WHERE k1 = 'nope' AND k2 = 1", []],
    [`${B} AND c1 = 1`, ['1x', '1y']],
    [`${B} AND c1 > 1`, ['2x', '2y']],
    [`${B} AND c1 >= 1 AND c1 < 2`, ['1x', '1y']],
    [`${B} AND c1 IN (2, 1) AND c2 = 'y'`, ['2y', '1y']],
    [`${B} AND c1 IN ()`, []],
    [`${B} AND (c1, c2) = (1, 'y')`, ['1y']],
    [`${B} AND (c1, c2) IN ((2, 'x'), (1, 'y'))`, ['2x', '1y']],
    [`${B} AND (c1, c2) > (1, 'x') AND (c1) < (2)`, ['1y']],
    ["WHERE k1 IN ('b', 'a', 'b') AND k2 IN (2, 1)", ['-1z', '5x', '2x', '2y', '1x', '1y']],
    ["WHERE c2 = 'x' ALLOW FILTERING", ['2x', '1x', '5x']],
    ["WHERE v = 'v3' ALLOW FILTERING", ['1x']],
    ["WHERE k1 = 'a' ALLOW FILTERING", ['5x', '-1z']],
    ["WHERE tags CONTAINS 'red' ALLOW FILTERING", ['2x']],
    ["WHERE props CONTAINS 'q2' ALLOW FILTERING", ['1x']],
    ["WHERE props CONTAINS KEY 'zz' ALLOW FILTERING", []],
    ["WHERE props['p'] = 'q3' ALLOW FILTERING", ['1y']],
    ['WHERE "Odd" = [4] ALLOW FILTERING', ['5x']],
    ['WHERE c1 < 0 ALLOW FILTERING', ['-1z']],
  ])('%s', (where, expected) => {
    expect(found(where)).toEqual(expected);
  });

  it('takes bound values in every place', () => {
    expect(found('WHERE k1 = ? AND k2 = ? AND c1 = ?', [text('b'), int(1), int(2)])).toEqual([
      '2x',
      '2y',
    ]);
    expect(found(`${B} AND c1 IN ?`, [list([int(1), int(9)])])).toEqual(['1x', '1y']);
    const pair = (a: number, b: string): Uint8Array =>
      Buffer.concat([int(4), int(a), int(b.length), text(b)]);
    expect(found(`${B} AND (c1, c2) = ?`, [pair(1, 'y')])).toEqual(['1y']);
    expect(found(`${B} AND (c1, c2) IN ?`, [list([pair(2, 'y'), pair(1, 'x')])])).toEqual([
      '2y',
      '1x',
    ]);
    expect(found(`${B} LIMIT ?`, [UNSET])).toHaveLength(4);
  });

  const AF =
    'Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING';
  it.each([
    ["WHERE k1 = 'a'", AF],
    ["WHERE k1 > 'a' AND k2 = 1", AF],
    ['WHERE c1 = 1', AF],
    [`${B} AND v = 'v1'`, AF],
    [
      `${B} AND c2 = 'x'`,
      'PRIMARY KEY column "c2" cannot be restricted as preceding column "c1" is not restricted',
    ],
    [
      `${B} AND c1 > 1 AND c2 = 'x'`,
      'Clustering column "c2" cannot be restricted (preceding column "c1" is restricted by a non-EQ relation)',
    ],
    ['WHERE nope = 1', 'Undefined column name nope in table ks.t'],
    ['WHERE "Nope" = 1', 'Undefined column name "Nope" in table ks.t'],
    [
      `${B} AND k1 = 'a'`,
      'k1 cannot be restricted by more than one relation if it includes an Equal',
    ],
    [`${B} AND c1 > 1 AND c1 > 2`, 'More than one restriction was found for the start bound on c1'],
    [
      `${B} AND c1 IN (1, 3) AND c1 = 2`,
      'c1 cannot be restricted by more than one relation if it includes a IN',
    ],
    ["WHERE v CONTAINS 'x' ALLOW FILTERING", 'Cannot use CONTAINS on non-collection column v'],
    [
      "WHERE tags CONTAINS KEY 'x' ALLOW FILTERING",
      'Cannot use CONTAINS KEY on non-map column tags',
    ],
    [
      "WHERE tags = {'x'} ALLOW FILTERING",
      "Collection column 'tags' (set<text>) cannot be restricted by a '=' relation",
    ],
    [
      `${B} AND (c1, v) = (1, 'x')`,
      'Multi-column relations can only be applied to clustering columns but was applied to: v',
    ],
    [
      `${B} AND (c2, c1) = ('x', 1)`,
      'Clustering columns must appear in the PRIMARY KEY order in multi-column relations: (c2, c1)',
    ],
    [`${B} AND c1 = null`, 'Invalid null value in condition for column c1'],
    [
      'WHERE token(k1) > 0',
      'The token() function must be applied to all partition key components or none of them',
    ],
    [`${B} LIMIT 0`, 'LIMIT must be strictly positive'],
    [
      'ORDER BY c1',
      'ORDER BY is only supported when the partition key is restricted by an EQ or an IN.',
    ],
    [
      `${B} ORDER BY v`,
      'Order by is currently only supported on the clustered columns of the PRIMARY KEY, got v',
    ],
    [
      `${B} ORDER BY c2`,
      'Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY',
    ],
    [`${B} ORDER BY c1 ASC, c2 ASC`, 'Unsupported order by relation'],
  ])('%s is refused as by Cassandra', (where, message) => {
    const run = (): unknown => found(where);
    expect(run).toThrow(InvalidRequestError);
    expect(run).toThrow(message);
  });

  it('refuses null, unset and malformed values', () => {
    expect(() => found('WHERE k1 = ? AND k2 = 1', [null])).toThrow(
      'Invalid null value in condition for column k1',
    );
    expect(() => found('WHERE k1 = ? AND k2 = 1', [UNSET])).toThrow(
      'Invalid unset value for column k1',
    );
    expect(() => found(`${B} AND c1 = ?`, [text('x')])).toThrow(InvalidRequestError);
    expect(() => found(`${B} LIMIT ?`, [null])).toThrow('Invalid null value of limit');
    expect(() => found(`${B} AND c1 = ?`, [])).toThrow('Invalid amount of bind variables');
  });

  it('needs no ALLOW FILTERING where Cassandra does not', () => {
    const table = { ...TABLE, filtersFreely: true };
    expect(plan("SELECT v FROM ks.t WHERE v = 'v3'", table).execute([], {}).rows).toHaveLength(1);
  });
});

describe('token', () => {
  const require = createRequire(import.meta.url);
  const { Murmur3Tokenizer } = require('cassandra-driver/lib/tokenizer') as {
    Murmur3Tokenizer: new () => { hash(value: Buffer): { getValue(): { toString(): string } } };
  };

  it('is that of Murmur3Partitioner', () => {
    // The driver's own implementation is the second source; high bytes and every length of tail are covered.
    const bytes = Buffer.from(Array.from({ length: 50 }, (_, index) => (index * 37 + 129) % 256));
    const tokenizer = new Murmur3Tokenizer();
    for (let length = 1; length <= bytes.length; length += 1) {
      const key = bytes.subarray(0, length);
      expect(murmur3Token(key).toString()).toBe(tokenizer.hash(key).getValue().toString());
    }
  });

  it('takes composite keys with lengths', () => {
    const composite = Buffer.from([0, 1, 0x62, 0, 0, 4, 0, 0, 0, 1, 0]);
    expect(partitionToken([text('b'), int(1)])).toBe(murmur3Token(composite));
  });

  it('is selected and compared', () => {
    const token = murmur3Token(Buffer.from([0, 1, 0x62, 0, 0, 4, 0, 0, 0, 1, 0]));
    const planned = plan('SELECT token(k1, k2) FROM ks.t WHERE token(k1, k2) = ? LIMIT 1');
    expect(planned.variables).toEqual([
      { keyspace: 'ks', table: 't', name: 'partition key token', type: native('bigint') },
    ]);
    expect(planned.resultColumns[0]?.name).toBe('system.token(k1, k2)');
    expect(planned.execute([bigint(token)], {}).rows).toEqual([[bigint(token)]]);
  });
});

describe('variables', () => {
  it.each([
    ['k1 = ? AND k2 = ?', ['k1', 'k2'], [0, 1]],
    ['k2 = ? AND k1 = ?', ['k2', 'k1'], [1, 0]],
    ['k1 = ? AND k2 = 1', ['k1'], []],
    ['k1 = :a AND k2 = :b AND c1 IN (?, ?)', ['a', 'b', 'c1', 'c1'], [0, 1]],
    ['k1 IN ? AND k2 = ?', ['in(k1)', 'k2'], []],
    ['k1 = ? AND k2 = ? AND (c1, c2) > (?, ?)', ['k1', 'k2', 'c1', 'c2'], [0, 1]],
    ['k1 = ? AND k2 = ? AND (c1, c2) IN ?', ['k1', 'k2', 'in(c1,c2)'], [0, 1]],
    ['k1 = ? AND k2 = ? AND (c1, c2) = ?', ['k1', 'k2', '(c1,c2)'], [0, 1]],
    ['tags CONTAINS ? AND props CONTAINS KEY ?', ['value(tags)', 'key(props)'], []],
    ['props[?] = ?', ['key(props)', 'value(props)'], []],
  ])('%s', (where, names, indices) => {
    const planned = plan(`SELECT * FROM ks.t WHERE ${where} ALLOW FILTERING`);
    expect(planned.variables.map((variable) => variable.name)).toEqual(names);
    expect(planned.partitionKeyIndices).toEqual(indices);
  });

  it('names the limits', () => {
    const planned = plan('SELECT * FROM ks.t PER PARTITION LIMIT ? LIMIT ?');
    expect(planned.variables.map((v) => [v.name, v.type])).toEqual([
      ['[per_partition_limit]', native('int')],
      ['[limit]', native('int')],
    ]);
    expect(planned.execute([int(1), int(2)], {}).rows).toHaveLength(2);
  });
});

describe('selectors', () => {
  it.each([
    ['*', ['k1', 'k2', 'c1', 'c2', 'Odd', 'props', 'tags', 'v']],
    ['c1 AS x, "Odd"', ['x', 'Odd']],
    ['count(*)', ['count']],
    ['count(v)', ['system.count(v)']],
    ['ttl(v), writetime(v)', ['ttl(v)', 'writetime(v)']],
    ["props['p']", ["props['p']"]],
  ])('%s', (selectors, names) => {
    const planned = plan(`SELECT ${selectors} FROM ks.t`);
    expect(planned.resultColumns.map((column) => column.name)).toEqual(names);
  });

  it('evaluates them', () => {
    const run = (query: string): (Uint8Array | null)[][] => plan(query).execute([], {}).rows;
    expect(run('SELECT count(v), count(*) FROM ks.t')).toEqual([[bigint(5n), bigint(6n)]]);
    expect(run("SELECT count(*) FROM ks.t WHERE v = 'zz' ALLOW FILTERING")).toEqual([[bigint(0n)]]);
    expect(run(`SELECT writetime(v), ttl(v) FROM ks.t ${B} LIMIT 1`)).toEqual([[null, null]]);
    expect(run(`SELECT props['p'], props['x'] FROM ks.t ${B} LIMIT 1`)).toEqual([
      [expect.anything(), null],
    ]);
  });

  it.each(['now()', 'toJson(v)', 'sum(c1)', 'ks.f(v)', 'CAST(c1 AS text)', 'c1 + 1'])(
    'refuses %s by name',
    (selector) => {
      expect(() => plan(`SELECT ${selector} FROM ks.t`)).toThrow(UnsupportedStatementError);
    },
  );

  it('refuses the write time of keys, and DISTINCT beyond the partition key', () => {
    expect(() => plan('SELECT writetime(k1) FROM ks.t')).toThrow(
      'Cannot use selection function writetime on PRIMARY KEY part k1',
    );
    expect(() => plan('SELECT DISTINCT v FROM ks.t')).toThrow(
      'SELECT DISTINCT queries must only request partition key columns and/or static columns (not v)',
    );
    expect(() => plan('SELECT DISTINCT k1 FROM ks.t')).toThrow(
      'SELECT DISTINCT queries must request all the partition key columns (missing k2)',
    );
  });
});

describe('order and limits', () => {
  it('turns a partition round', () => {
    expect(found(`${B} ORDER BY c1 ASC`)).toEqual(['1y', '1x', '2y', '2x']);
    expect(found(`${B} ORDER BY c1 DESC, c2 ASC`)).toEqual(['2x', '2y', '1x', '1y']);
  });

  it('sorts partitions of IN together', () => {
    const where = "WHERE k1 IN ('a', 'b') AND k2 IN (1, 2)";
    expect(found(`${where} ORDER BY c1 DESC`)).toEqual(['5x', '2x', '2y', '1x', '1y', '-1z']);
    expect(found(`${where} ORDER BY c1 ASC PER PARTITION LIMIT 1`)).toEqual(['-1z', '1y', '5x']);
    expect(() =>
      plan(`SELECT * FROM ks.t ${where} ORDER BY c1 DESC`).execute([], { pageSize: 2 }),
    ).toThrow('Cannot page queries with both ORDER BY and a IN restriction on the partition key');
  });

  it('limits partitions', () => {
    expect(found('PER PARTITION LIMIT 1')).toEqual(['2x', '5x', '-1z']);
    expect(found('PER PARTITION LIMIT 3 LIMIT 4')).toEqual(['2x', '2y', '1x', '5x']);
    expect(() => found('PER PARTITION LIMIT 0')).toThrow('LIMIT must be strictly positive');
  });
});

describe('paging', () => {
  const pages = (query: string, pageSize: number): number[] => {
    const planned = plan(query);
    const sizes: number[] = [];
    let pagingState: Uint8Array | undefined;
    do {
      const page = planned.execute([], { pageSize, pagingState });
      sizes.push(page.rows.length);
      pagingState = page.pagingState;
    } while (pagingState !== undefined);
    return sizes;
  };

  it.each([
    ['SELECT * FROM ks.t', 4, [4, 2]],
    ['SELECT * FROM ks.t', 3, [3, 3]],
    ['SELECT * FROM ks.t', 6, [6]],
    ['SELECT * FROM ks.t LIMIT 5', 2, [2, 2, 1]],
    ['SELECT * FROM ks.t LIMIT 2', 2, [2]],
    ['SELECT DISTINCT k1, k2 FROM ks.t', 2, [2, 1]],
    ['SELECT count(*) FROM ks.t', 1, [1]],
  ])('%s in pages of %i', (query, size, expected) => {
    expect(pages(query, size)).toEqual(expected);
  });

  it('refuses a state that is not its own', () => {
    const planned = plan('SELECT * FROM ks.t');
    const state = planned.execute([], { pageSize: 2 }).pagingState as Uint8Array;
    const bad = [
      state.slice(1),
      Uint8Array.from([...state, 0]),
      state.with(0, 9),
      new Uint8Array(0),
    ];
    for (const pagingState of bad) {
      expect(() => planned.execute([], { pageSize: 2, pagingState })).toThrow(ProtocolError);
    }
    expect(() =>
      plan('SELECT k1 FROM ks.t').execute([], { pageSize: 2, pagingState: state }),
    ).toThrow('Invalid value for the paging state');
  });
});
