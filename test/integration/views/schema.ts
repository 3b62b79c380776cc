import { afterAll, beforeAll, expect, it } from 'vitest';
import { rowsOf } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const VIEWS =
  "SELECT view_name, base_table_name, include_all_columns, where_clause, comment FROM system_schema.views WHERE keyspace_name = 'KS'";
const COLUMNS =
  "SELECT table_name, column_name, clustering_order, kind, position, type FROM system_schema.columns WHERE keyspace_name = 'KS' AND table_name = ";
const AS = 'AS SELECT * FROM KS.t WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL';

/** CREATE, ALTER, DROP, DESCRIBE of views, and what statements on their base say. */
export function describeViewSchema(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'view_schema');
    await sides.done(
      'CREATE TABLE KS.t (a int, b int, c text, v text, w int, "Q v" decimal, l list<int>, d duration, PRIMARY KEY (a, b, c)) WITH CLUSTERING ORDER BY (b DESC, c ASC)',
      'CREATE TABLE KS.st (a int, b int, s int STATIC, v int, PRIMARY KEY (a, b))',
      'CREATE TABLE KS.n (a int PRIMARY KEY, c counter)',
      'CREATE TABLE KS.one (a int PRIMARY KEY, v int)',
    );
  });

  afterAll(() => {
    sides.close();
  });

  /** Compares the texts of a DESCRIBE, in which each side has its own keyspace. */
  const described = async (cql: string): Promise<void> => {
    const [direct, proxy] = await Promise.all(
      (['direct', 'proxy'] as const).map(async (side) =>
        rowsOf(await sides[side].query(sides.text(cql, side)), cql).map((row) =>
          row.map((cell) => cell?.toString('utf8').replaceAll(sides.text('KS', side), 'KS')),
        ),
      ),
    );
    expect.soft(proxy, cql).toEqual(direct);
  };

  it.each([
    `CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.nope WHERE a IS NOT NULL PRIMARY KEY (a)`,
    `CREATE MATERIALIZED VIEW nope.m AS SELECT * FROM nope.t WHERE a IS NOT NULL PRIMARY KEY (a)`,
    `CREATE MATERIALIZED VIEW KS.t ${AS} PRIMARY KEY (a, c, b)`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c)`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, nope)`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, c)`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, v, w, b, c)`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, v, b, c)`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} AND d IS NOT NULL PRIMARY KEY (a, d, b, c)`,
    'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.t WHERE a IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, b, c)',
    'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.st WHERE a IS NOT NULL AND b IS NOT NULL PRIMARY KEY (a, b)',
    'CREATE MATERIALIZED VIEW KS.m AS SELECT a, s FROM KS.st WHERE a IS NOT NULL AND s IS NOT NULL PRIMARY KEY (a, s)',
    'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.one WHERE a = ? PRIMARY KEY (a)',
    'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.one WHERE a IS NOT NULL AND nope IS NOT NULL PRIMARY KEY (a)',
    'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.n WHERE a IS NOT NULL PRIMARY KEY (a)',
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, b) WITH default_time_to_live = 10`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, b) WITH nope = 10`,
    `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, b) WITH CLUSTERING ORDER BY (b ASC)`,
    'CREATE MATERIALIZED VIEW KS.m AS SELECT a, b, v FROM KS.st WHERE a IS NOT NULL AND b IS NOT NULL AND s = 1 PRIMARY KEY (a, b)',
    "ALTER MATERIALIZED VIEW KS.nope WITH comment = 'x'",
    "ALTER MATERIALIZED VIEW IF EXISTS KS.nope WITH comment = 'x'",
    "ALTER MATERIALIZED VIEW KS.t WITH comment = 'x'",
    'DROP MATERIALIZED VIEW KS.nope',
    'DROP MATERIALIZED VIEW IF EXISTS KS.nope',
    'DROP MATERIALIZED VIEW KS.t',
  ])('answers as Cassandra: %s', async (cql) => {
    const seen = await sides.same(cql);
    expect(['error', 'void']).toContain(seen['kind']);
  });

  it('answers as Cassandra, but for text that names its objects, stored types or places', async () => {
    for (const cql of [
      'CREATE MATERIALIZED VIEW KS.m AS SELECT a AS x FROM KS.one WHERE a IS NOT NULL PRIMARY KEY (a)',
      'CREATE MATERIALIZED VIEW KS.m AS SELECT count(a) FROM KS.one WHERE a IS NOT NULL PRIMARY KEY (a)',
      `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, b) WITH ID = nope`,
      `CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (a, c, b) WITH COMPACT STORAGE`,
      'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.one WHERE a IS NOT 42 PRIMARY KEY (a)',
      `CREATE MATERIALIZED VIEW KS.m ${AS} AND l IS NOT NULL PRIMARY KEY (a, l, b, c)`,
    ]) {
      const seen = await sides.same(cql, { anyText: true });
      expect(seen['kind']).toBe('error');
    }
  });

  it('refuses views that gather rows by a clustering column, and restrictions on values, with the reason', async () => {
    for (const [cql, reason] of [
      [`CREATE MATERIALIZED VIEW KS.m ${AS} PRIMARY KEY (c, a, b)`, 'inside one partition'],
      [
        `CREATE MATERIALIZED VIEW KS.m ${AS} AND v IS NOT NULL PRIMARY KEY ((v, b), a, c)`,
        'clustering column b in the partition key',
      ],
      [
        'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.t WHERE a = 1 AND b IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, b, c)',
        'restriction on values',
      ],
    ] as const) {
      const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
      expect(answer.kind === 'error' ? answer.message : answer.kind).toContain(reason);
    }
  });

  it('makes and shows views of all kinds', async () => {
    for (const cql of [
      `CREATE MATERIALIZED VIEW KS.swapped ${AS} PRIMARY KEY (a, c, b)`,
      `CREATE MATERIALIZED VIEW KS.swapped ${AS} PRIMARY KEY (a, c, b)`,
      `CREATE MATERIALIZED VIEW IF NOT EXISTS KS.swapped ${AS} PRIMARY KEY (a, c, b)`,
      `CREATE MATERIALIZED VIEW KS.ordered ${AS} PRIMARY KEY (a, b, c) WITH CLUSTERING ORDER BY (b ASC, c DESC) AND comment = 'here'`,
      `CREATE MATERIALIZED VIEW KS.wide ${AS} PRIMARY KEY ((c, a), b)`,
      'CREATE MATERIALIZED VIEW KS.some AS SELECT a, b, w, c FROM KS.t WHERE c IS NOT NULL AND a IS NOT NULL AND b IS NOT NULL PRIMARY KEY (a, c, b)',
      `CREATE MATERIALIZED VIEW KS.by_v ${AS} AND v IS NOT NULL PRIMARY KEY (a, v, b, c)`,
      `CREATE MATERIALIZED VIEW KS.by_q AS SELECT a, "Q v", b, c FROM KS.t WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL AND "Q v" IS NOT NULL PRIMARY KEY (a, "Q v", c, b) WITH CLUSTERING ORDER BY ("Q v" DESC, c ASC, b DESC)`,
      `CREATE MATERIALIZED VIEW KS.in_v ${AS} AND w IS NOT NULL PRIMARY KEY ((a, w), b, c)`,
    ]) {
      await sides.same(cql);
    }
    const shown = await sides.same(VIEWS, { anyOrder: true });
    expect(shown['rows']).toHaveLength(7);
    for (const name of ['swapped', 'ordered', 'wide', 'some', 'by_v', 'by_q', 'in_v', 't']) {
      await sides.same(`${COLUMNS}'${name}'`);
      if (name !== 't') await described(`DESCRIBE MATERIALIZED VIEW KS.${name}`);
    }
    await described('DESCRIBE TABLE KS.t');
  });

  it('keeps to the rules of Cassandra about views and their base', async () => {
    for (const cql of [
      'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.swapped WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, c, b)',
      'CREATE INDEX ON KS.swapped (v)',
      "INSERT INTO KS.swapped (a, b, c) VALUES (1, 2, 'x')",
      "UPDATE KS.by_v SET w = 1 WHERE a = 1 AND v = 'x' AND b = 1 AND c = 'x'",
      'DELETE FROM KS.swapped WHERE a = 1',
      'TRUNCATE KS.swapped',
      'DROP TABLE KS.swapped',
      'DROP TABLE KS.t',
      "ALTER TABLE KS.swapped WITH comment = 'x'",
      'ALTER TABLE KS.t DROP w',
      'ALTER TABLE KS.t ADD x int',
      'ALTER TABLE KS.t RENAME b TO "B"',
      "ALTER MATERIALIZED VIEW KS.swapped WITH comment = 'now'",
      'ALTER MATERIALIZED VIEW KS.swapped WITH default_time_to_live = 10',
      'ALTER MATERIALIZED VIEW KS.swapped WITH gc_grace_seconds = 0',
    ]) {
      await sides.same(cql);
    }
    await sides.same(VIEWS, { anyOrder: true });
    for (const name of ['swapped', 'by_v', 'some']) {
      await sides.same(`${COLUMNS}'${name}'`);
      await described(`DESCRIBE MATERIALIZED VIEW KS.${name}`);
      await sides.same(`SELECT * FROM KS.${name}`);
    }
  });

  it('drops views, and then what they held', async () => {
    for (const name of ['swapped', 'ordered', 'wide', 'some', 'by_v', 'by_q', 'in_v']) {
      await sides.same(`DROP MATERIALIZED VIEW KS.${name}`);
    }
    await sides.same('DROP MATERIALIZED VIEW KS.by_v');
    await sides.same(VIEWS, { anyOrder: true });
    await sides.same('ALTER TABLE KS.t DROP w');
    await described('DESCRIBE TABLE KS.t');
    await sides.same('DROP TABLE KS.t');
  });

  it('drops a keyspace with views', async () => {
    await sides.done(
      'CREATE MATERIALIZED VIEW KS.m AS SELECT * FROM KS.one WHERE a IS NOT NULL PRIMARY KEY (a)',
    );
    await sides.same('DROP KEYSPACE KS');
  });
}
