import { afterAll, beforeAll, expect, it } from 'vitest';
import { rowsOf } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** Statements that Cassandra refuses with a text of its own, or answers in an order that it must keep. */
const SAME: readonly string[] = [
  "CREATE CUSTOM INDEX ON KS.t (v) USING 'sai'",
  "CREATE CUSTOM INDEX IF NOT EXISTS ON KS.t (v) USING 'sai' WITH OPTIONS = {'similarity_function': 'euclidean'}",
  "CREATE CUSTOM INDEX ON KS.u (a) USING 'sai'",
  "CREATE CUSTOM INDEX ON KS.u (b) USING 'sai'",
  "CREATE CUSTOM INDEX ON KS.u (w) USING 'sai' WITH OPTIONS = {'similarity_function': 'cosine'}",
  ...['bad', 'manhattan'].map(
    (name) =>
      `CREATE CUSTOM INDEX ON KS.u (c) USING 'sai' WITH OPTIONS = {'similarity_function': '${name}'}`,
  ),
  "CREATE CUSTOM INDEX ON KS.u (c) USING 'sai' WITH OPTIONS = {'optimize_for': 'x'}",
  "CREATE CUSTOM INDEX ON KS.u (c) USING 'sai' WITH OPTIONS = {'case_sensitive': 'false'}",
  "CREATE CUSTOM INDEX ON KS.u (c) USING 'sai' WITH OPTIONS = {'maximum_node_connections': '9'}",
  'SELECT p, c, v FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 2',
  'SELECT p, c, v FROM KS.t ORDER BY v ANN OF [1, 2] ASC LIMIT 1000',
  'SELECT w FROM KS.t ORDER BY v ANN OF [8, 2] LIMIT 3',
  'SELECT JSON p, c FROM KS.t ORDER BY v ANN OF [4.5, 2] LIMIT 1',
  'SELECT p, similarity_euclidean(v, [1, 2]) FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 3',
  'SELECT p, c FROM KS.t WHERE p = 1 ORDER BY v ANN OF [9, 2] LIMIT 2',
  'SELECT p, c FROM KS.t WHERE p = 1 AND c > 1 ORDER BY v ANN OF [9, 2] LIMIT 2',
  'SELECT p, c FROM KS.t WHERE p = 7 ORDER BY v ANN OF [9, 2] LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2]',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 1001',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2, 3] LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF null LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2] DESC LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY nope ANN OF [1, 2] LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2], c ASC LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2], v ANN OF [1, 3] LIMIT 2',
  'SELECT p, c FROM KS.t ORDER BY v ANN OF [1, 2] PER PARTITION LIMIT 1 LIMIT 2',
  'SELECT count(*) FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 2',
  'SELECT p, max(w) FROM KS.t GROUP BY p ORDER BY v ANN OF [1, 2] LIMIT 2',
  'SELECT DISTINCT p FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 2',
  'SELECT p FROM KS.t WHERE p IN (1, 3) ORDER BY v ANN OF [9, 2] LIMIT 2',
  'SELECT p FROM KS.t WHERE c = 1 ORDER BY v ANN OF [9, 2] LIMIT 2 ALLOW FILTERING',
  'SELECT p FROM KS.t WHERE w = 1 ORDER BY v ANN OF [9, 2] LIMIT 2 ALLOW FILTERING',
  'SELECT p FROM KS.t WHERE p = 1 AND w = 1 ORDER BY v ANN OF [9, 2] LIMIT 2',
  'SELECT p FROM KS.t WHERE v = [1, 2] ALLOW FILTERING',
  'SELECT p FROM KS.u ORDER BY a ANN OF [1, 0] LIMIT 2',
  'SELECT p FROM KS.u ORDER BY c ANN OF [1, 0] LIMIT 2',
];

/** Indexes on vectors: the proxy compares all rows, so its answer is the exact one. */
export function describeVectorIndexes(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'vectors');
    await sides.done(
      'CREATE TABLE KS.t (p int, c int, v vector<float, 2>, w int, PRIMARY KEY (p, c))',
      'CREATE TABLE KS.u (p int PRIMARY KEY, a vector<int, 2>, b vector<float, 1>, c vector<float, 2>, w int)',
      "CREATE CUSTOM INDEX by_v ON KS.t (v) USING 'sai' WITH OPTIONS = {'similarity_function': 'euclidean'}",
      'INSERT INTO KS.t (p, c, v, w) VALUES (1, 1, [1, 2], 1)',
      'INSERT INTO KS.t (p, c, v, w) VALUES (1, 2, [1, 3.5], 2)',
      'INSERT INTO KS.t (p, c, v, w) VALUES (2, 1, [5, 2], 3)',
      'INSERT INTO KS.t (p, c, v, w) VALUES (3, 1, [9, 2], 4)',
      'INSERT INTO KS.t (p, c, w) VALUES (4, 1, 5)',
    );
  });

  afterAll(() => {
    sides.close();
  });

  it('Cassandra has its own index ready', async () => {
    const ready = 'SELECT p FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 1';
    await expect
      .poll(async () => (await sides.direct.query(sides.text(ready, 'direct'))).kind, {
        timeout: 30_000,
      })
      .toBe('rows');
  });

  it.each(SAME)('answers as Cassandra: %s', async (cql) => {
    // Cassandra warns that its own vector indexes are experimental.
    await sides.same(cql, { anyWarning: true });
  });

  it('takes vector and limit as bound values, and answers in one page', async () => {
    const [vector, limit] = [
      Buffer.from('3f80000040600000', 'hex'),
      Buffer.from('00000003', 'hex'),
    ];
    const seen = await sides.samePrepared('SELECT p, c FROM KS.t ORDER BY v ANN OF ? LIMIT ?', [
      { values: [vector, limit] },
      { values: [null, limit] },
    ]);
    expect(seen.map(({ kind }) => kind)).toEqual(['prepared', 'rows', 'error']);
  });

  it('sees what was written and deleted a moment ago', async () => {
    const nearest = 'SELECT p, c, w FROM KS.t ORDER BY v ANN OF [20, 20] LIMIT 1';
    await sides.done('INSERT INTO KS.t (p, c, v, w) VALUES (8, 8, [20, 20], 8)');
    expect(rowsOf(await sides.proxy.query(sides.text(nearest, 'proxy')))).toHaveLength(1);
    await sides.same(nearest);
    await sides.done('UPDATE KS.t SET v = null WHERE p = 8 AND c = 8');
    await sides.same(nearest);
    await sides.done('DELETE FROM KS.t WHERE p = 8 AND c = 8');
    await sides.same(nearest);
  });

  it('shows and drops the index, and keeps nothing of it', async () => {
    const described = await sides.proxy.query(sides.text('DESCRIBE INDEX KS.by_v', 'proxy'));
    expect(rowsOf(described)[0]?.[3]?.toString()).toBe(
      `CREATE CUSTOM INDEX by_v ON ${sides.text('KS', 'proxy')}.t (v) USING 'sai' WITH OPTIONS = {'similarity_function': 'euclidean'};`,
    );
    await sides.same(
      "SELECT index_name, kind, options FROM system_schema.indexes WHERE keyspace_name = 'KS'",
    );
    await sides.same('SELECT * FROM KS.t WHERE p = 1');
    await sides.done('DROP INDEX KS.by_v');
    await sides.same('SELECT p FROM KS.t ORDER BY v ANN OF [1, 2] LIMIT 2');
    await sides.same('SELECT p, c FROM KS.t WHERE v = [1, 2] ALLOW FILTERING');
  });
}
