import { afterAll, beforeAll, expect, it } from 'vitest';
import { rowsOf } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const SAI = "USING 'StorageAttachedIndex'";
const INDEXES =
  "SELECT table_name, index_name, kind, options FROM system_schema.indexes WHERE keyspace_name = 'KS'";

/** CREATE, DROP, DESCRIBE of indexes, and what ALTER TABLE says of indexed columns. */
export function describeIndexSchema(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'index_schema');
    await sides.done(
      'CREATE TYPE KS.u (a int, b duration)',
      'CREATE TABLE KS.t (a int, b int, ck int, s text STATIC, v text, n int, d duration, bl blob, l frozen<list<int>>, td frozen<tuple<int, duration>>, ud frozen<u>, "Q v" int, vec vector<float, 3>, PRIMARY KEY ((a, b), ck))',
      'CREATE TABLE KS.one (pk int PRIMARY KEY, v int)',
    );
  });

  afterAll(() => {
    sides.close();
  });

  it.each([
    'CREATE INDEX ON KS.nope (v)',
    'CREATE INDEX ON nope.t (v)',
    'CREATE INDEX ON KS.t (nope)',
    'CREATE INDEX ON KS.t (d)',
    'CREATE INDEX ON KS.t (full(td))',
    'CREATE INDEX ON KS.t (td)',
    'CREATE INDEX ON KS.t (ud)',
    'CREATE INDEX ON KS.t (l)',
    'CREATE INDEX ON KS.t (values(l))',
    'CREATE INDEX ON KS.t (keys(l))',
    'CREATE INDEX ON KS.t (full(v))',
    'CREATE INDEX ON KS.t (keys(v))',
    'CREATE INDEX ON KS.t (entries(v))',
    'CREATE INDEX ON KS.t (v, n)',
    'CREATE INDEX ON KS.t ()',
    'CREATE INDEX ON KS.one (pk)',
    'CREATE CUSTOM INDEX ON KS.t (v)',
    "CREATE INDEX ON KS.t (v) WITH OPTIONS = {'a': 'b'}",
    `CREATE CUSTOM INDEX ON KS.t (bl) ${SAI}`,
    `CREATE CUSTOM INDEX ON KS.t (v, n) ${SAI}`,
    `CREATE CUSTOM INDEX ON KS.t (v) ${SAI} WITH OPTIONS = {'nope': 'b'}`,
    'DROP INDEX KS.nope',
    'DROP INDEX IF EXISTS KS.nope',
  ])('answers as Cassandra: %s', async (cql) => {
    const seen = await sides.same(cql);
    expect(['error', 'void']).toContain(seen['kind']);
  });

  it('makes, shows and drops indexes of all kinds', async () => {
    for (const cql of [
      'CREATE INDEX ON KS.t (v)',
      'CREATE INDEX ON KS.t (v)',
      'CREATE INDEX IF NOT EXISTS ON KS.t (v)',
      'CREATE INDEX named ON KS.t (n)',
      'CREATE INDEX named ON KS.t (v)',
      'CREATE INDEX IF NOT EXISTS named ON KS.t (s)',
      'CREATE INDEX ON KS.t (s)',
      'CREATE INDEX ON KS.t (full(l))',
      'CREATE INDEX ON KS.t ("Q v")',
      'CREATE INDEX ON KS.t (a)',
      `CREATE CUSTOM INDEX sai_v ON KS.t (v) ${SAI}`,
      `CREATE CUSTOM INDEX sai_w ON KS.t (v) ${SAI}`,
      "CREATE INDEX sai_n ON KS.t (n) USING 'sai'",
      "CREATE INDEX sai_ck ON KS.t (ck) USING 'sai'",
      "CREATE INDEX legacy ON KS.one (v) USING 'legacy_local_table'",
    ]) {
      await sides.same(cql);
    }
    const shown = await sides.same(INDEXES, { anyOrder: true });
    expect(shown['rows']).toHaveLength(10);
    for (const cql of [
      "SELECT column_name, type, kind FROM system_schema.columns WHERE keyspace_name = 'KS' AND table_name = 't'",
      // Of a column with two indexes the message names them in the order of a hash table.
      'ALTER TABLE KS.t DROP "Q v"',
      'ALTER TABLE KS.t DROP (s, d)',
      'ALTER TABLE KS.t RENAME ck TO ck2',
      'ALTER TABLE KS.t RENAME v TO v2',
      'SELECT * FROM KS.t',
    ]) {
      await sides.same(cql);
    }
    for (const name of ['named', 'sai_v', 'sai_ck', 't_l_idx']) {
      const [expected, shownText] = await Promise.all(
        (['direct', 'proxy'] as const).map(async (side) => {
          const answer = await sides[side].query(sides.text(`DESCRIBE INDEX KS.${name}`, side));
          const cell = rowsOf(answer)[0]?.[3]?.toString() ?? '';
          return cell.replaceAll(sides.text('KS', side), 'KS');
        }),
      );
      expect(shownText).toBe(expected);
      expect(shownText).toContain('CREATE');
    }
    for (const cql of [
      'DROP INDEX KS.t_v_idx',
      'DROP INDEX KS.sai_v',
      'DROP INDEX KS.sai_ck',
      'DROP INDEX IF EXISTS KS.t_v_idx',
      'ALTER TABLE KS.t DROP v',
      'CREATE INDEX ON KS.t (ck)',
      'DROP TABLE KS.one',
    ]) {
      await sides.same(cql);
    }
    await sides.same(INDEXES, { anyOrder: true });
    const columns = await sides.direct.query(
      `SELECT column_name FROM system_schema.columns WHERE keyspace_name = '${sides.text('KS', 'proxy')}' AND table_name = 't'`,
    );
    if (columns.kind !== 'rows') throw new Error('no columns');
    const hidden = columns.rows.filter(([name]) => name?.toString().startsWith('cqlock_'));
    // s, n, n (storage-attached), full(l), "Q v"; and two of v, which stay as long as another proxy may write them.
    expect(hidden).toHaveLength(7);
  });

  it.each([
    "CREATE CUSTOM INDEX ON KS.t (n) USING 'org.apache.cassandra.index.sasi.SASIIndex'",
    `CREATE CUSTOM INDEX ON KS.t (s) ${SAI} WITH OPTIONS = {'case_sensitive': 'false'}`,
  ])('refuses with the reason: %s', async (cql) => {
    const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
    expect(answer).toMatchObject({ kind: 'error', code: 0x2200 });
  });
}
