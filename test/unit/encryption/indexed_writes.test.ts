import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import type { CreateIndexStatement, ModificationStatement } from '../../../src/cql/index.ts';
import { MarkerRegistry, planCreateIndex, planWrite } from '../../../src/encryption/index.ts';
import { tableWith } from './indexed_table.ts';
import type { TestIndex } from './indexed_table.ts';

const SCALARS: readonly TestIndex[] = [
  { column: 'v', hidden: {} },
  { column: 'v', hidden: { name: 'cqlock_i_sai', type: 'ascii' }, name: 'sai', className: 'sai' },
  { column: 's', hidden: {} },
  { column: 'ck', hidden: null },
];

async function stored(cql: string, indexes = SCALARS): Promise<string> {
  const { table, snapshot } = await tableWith(indexes);
  const { statement, bindMarkers } = parseStatement(cql);
  const plan = planWrite(
    statement as ModificationStatement,
    table,
    snapshot,
    new MarkerRegistry(bindMarkers),
  );
  expect(plan.markers.filter(({ kind }) => kind === 'blind')).toHaveLength(plan.blinds.length);
  expect(plan.markers.filter(({ kind }) => kind === 'mirror')).toHaveLength(plan.mirrors.length);
  // One marker each, whose values come in their order.
  expect(plan.markers).toHaveLength(plan.storedText.split('?').length - 1);
  return plan.storedText;
}

describe('writes of indexed columns', () => {
  it.each([
    [
      'INSERT INTO ks.t (pk, ck, v, s, n) VALUES (?, ?, ?, ?, ?) USING TTL ?',
      'INSERT INTO ks.t (pk, ck, v, s, n, cqlock_i_v, cqlock_i_sai, cqlock_i_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?',
    ],
    [
      'INSERT INTO ks.t (pk, ck, n) VALUES (1, 1, 1)',
      'INSERT INTO ks.t (pk, ck, n) VALUES (?, ?, ?)',
    ],
    [
      'UPDATE ks.t SET n = 1, v = null WHERE pk = 1 AND ck = 1 IF v = 1',
      'UPDATE ks.t SET n = ?, v = ?, cqlock_i_v = ?, cqlock_i_sai = ? WHERE pk = ? AND ck = ? IF v = ?',
    ],
    [
      'DELETE v, n, s FROM ks.t WHERE pk = 1 AND ck = 1',
      'DELETE v, n, s, cqlock_i_v, cqlock_i_sai, cqlock_i_s FROM ks.t WHERE pk = ? AND ck = ?',
    ],
    ['DELETE FROM ks.t WHERE pk = 1 AND ck = 1', 'DELETE FROM ks.t WHERE pk = ? AND ck = ?'],
  ])('%s', async (cql, expected) => {
    expect(await stored(cql.replace('v = 1', "v = 'x'"))).toBe(expected);
  });
});

describe('writes of indexed collections', () => {
  const INDEXES: readonly TestIndex[] = [
    { column: 'se', hidden: { name: 'cqlock_i_se', type: 'set<blob>' }, target: 'values' },
    { column: 'li', hidden: { name: 'cqlock_i_li', type: 'list<ascii>' }, target: 'values' },
    { column: 'ld', hidden: { name: 'cqlock_i_ld', type: 'list<blob>' }, target: 'values' },
    { column: 'ma', hidden: { name: 'cqlock_i_k', type: 'map<blob, blob>' }, target: 'keys' },
    { column: 'ma', hidden: { name: 'cqlock_i_e', type: 'map<blob, blob>' }, target: 'entries' },
  ];
  const WHERE = 'WHERE pk = 1 AND ck = 1';

  it.each([
    ['se = {1}', 'se = ?, cqlock_i_se = ?'],
    ['se = se + {1}', 'se = se + ?, cqlock_i_se = cqlock_i_se + ?'],
    ['se = se - {1}', 'se = se - ?, cqlock_i_se = cqlock_i_se - ?'],
    ['li = [1] + li', 'li = ? + li, cqlock_i_li = ? + cqlock_i_li'],
    ['li[0] = 1', 'li[?] = ?, cqlock_i_li = cqlock_i_li + ?'],
    ['li = li - [1]', 'li = li - ?, cqlock_i_li = cqlock_i_li - ?'],
    // 1.0 and 1.00 have one blind value, and only one of them is removed.
    ['ld = ld - [1.0]', 'ld = ld - ?'],
    ['ma = null', 'ma = ?, cqlock_i_k = ?, cqlock_i_e = ?'],
    ["ma[1] = 'x'", 'ma[?] = ?, cqlock_i_k[?] = ?, cqlock_i_e[?] = ?'],
    ['ma = ma - {1}', 'ma = ma - ?, cqlock_i_k = cqlock_i_k - ?, cqlock_i_e = cqlock_i_e - ?'],
    ["v = 'x', ma = {1: 'x'}", 'v = ?, ma = ?, cqlock_i_k = ?, cqlock_i_e = ?'],
  ])('SET %s', async (set, expected) => {
    const text = await stored(`UPDATE ks.t SET ${set} ${WHERE}`, INDEXES);
    expect(text).toBe(`UPDATE ks.t SET ${expected} WHERE pk = ? AND ck = ?`);
  });

  it.each([
    ['se[1]', 'se[?], cqlock_i_se[?]'],
    ['se', 'se, cqlock_i_se'],
    ['li[0]', 'li[?]'],
    ['ma[1], se', 'ma[?], se, cqlock_i_se, cqlock_i_k[?], cqlock_i_e[?]'],
  ])('DELETE %s', async (targets, expected) => {
    const text = await stored(`DELETE ${targets} FROM ks.t ${WHERE}`, INDEXES);
    expect(text).toBe(`DELETE ${expected} FROM ks.t WHERE pk = ? AND ck = ?`);
  });

  it('INSERT', async () => {
    const text = await stored(
      "INSERT INTO ks.t (pk, ck, ma, se) VALUES (1, 1, {1: 'x'}, {1})",
      INDEXES,
    );
    expect(text).toBe(
      'INSERT INTO ks.t (pk, ck, ma, se, cqlock_i_k, cqlock_i_e, cqlock_i_se) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
  });
});

describe('CREATE INDEX', () => {
  async function plan(cql: string, taken: readonly string[] = []) {
    const { table } = await tableWith([
      { column: 'v', hidden: {} },
      { column: 'n', hidden: {}, className: 'sai' },
    ]);
    const { statement } = parseStatement(cql);
    return planCreateIndex(statement as CreateIndexStatement, table, new Set(taken));
  }

  it.each([
    ['CREATE INDEX ON ks.t (d)', 'Secondary indexes are not supported on duration columns'],
    [
      'CREATE INDEX ON ks.t (pk)',
      'Cannot create secondary index on the only partition key column pk',
    ],
    [
      'CREATE INDEX ON ks.t (values(v))',
      'Cannot create values() index on v. Non-collection columns only support simple indexes',
    ],
    ['CREATE INDEX ON ks.t (full(v))', 'full() indexes can only be created on frozen collections'],
    ['CREATE INDEX other ON ks.t (v)', 'Index other is a duplicate of existing index by_v'],
    ["CREATE CUSTOM INDEX ON ks.t (b) USING 'sai'", 'Unsupported type: blob'],
    [
      "CREATE CUSTOM INDEX ON ks.t (n) USING 'StorageAttachedIndex'",
      'Cannot create more than one storage-attached index on the same column: n',
    ],
    [
      "CREATE CUSTOM INDEX ON ks.t (v) USING 'sai' WITH OPTIONS = {'case_sensitive': 'false'}",
      'the option case_sensitive',
    ],
    [
      "CREATE CUSTOM INDEX ON ks.t (v) USING 'com.example.Mine'",
      "Unable to find custom indexer class 'com.example.Mine'",
    ],
    ['CREATE INDEX "a-b" ON ks.t (n)', 'Illegal index name a-b'],
  ])('%s is refused', async (cql, message) => {
    await expect(plan(cql)).rejects.toThrow(message);
  });

  it('of an equal index is nothing to do with IF NOT EXISTS', async () => {
    expect(await plan('CREATE INDEX IF NOT EXISTS other ON ks.t (v)')).toBe('exists');
  });

  it('takes the first name that is free', async () => {
    const made = await plan('CREATE INDEX ON ks.t (n)', ['t_n_idx', 't_n_idx_1']);
    if (made === 'exists') throw new TypeError('exists');
    expect(made.index).toMatchObject({ name: 't_n_idx_2', hiddenType: 'blob', target: 'simple' });
    expect(made.addText('cqlock_i_x', 'blob', false)).toBe('ALTER TABLE ks.t ADD cqlock_i_x blob');
    expect(made.createText('cqlock_i_x')).toBe(
      "CREATE INDEX t_n_idx_2 ON ks.t (cqlock_i_x) USING 'legacy_local_table'",
    );
  });

  it('of a clustering column is on the stored column, whatever its class', async () => {
    const made = await plan("CREATE INDEX i ON ks.t (ck) USING 'sai'");
    if (made === 'exists') throw new TypeError('exists');
    expect(made.index).toMatchObject({ hiddenType: undefined, className: 'sai' });
    expect(made.createText('ck')).toBe("CREATE INDEX i ON ks.t (ck) USING 'legacy_local_table'");
  });

  it('of a frozen collection is on the whole of it', async () => {
    const made = await plan('CREATE INDEX ON ks.t (full(l))');
    expect(made).toMatchObject({ index: { target: 'full', name: 't_l_idx' } });
  });
});
