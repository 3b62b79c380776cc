import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const AS = 'AS SELECT * FROM KS.t WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL';

/** What views show after writes of all kinds to their base. */
export function describeViewReads(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'view_reads');
    await sides.done(
      'CREATE TABLE KS.t (a int, b int, c text, v text, w int, x decimal, m map<text, int>, s set<int>, PRIMARY KEY (a, b, c))',
      `CREATE MATERIALIZED VIEW KS.swapped ${AS} PRIMARY KEY (a, c, b)`,
      `CREATE MATERIALIZED VIEW KS.ordered ${AS} PRIMARY KEY (a, b, c) WITH CLUSTERING ORDER BY (b DESC, c ASC)`,
      `CREATE MATERIALIZED VIEW KS.wide ${AS} PRIMARY KEY ((c, a), b)`,
      'CREATE MATERIALIZED VIEW KS.some AS SELECT a, b, c, w FROM KS.t WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, c, b)',
      `CREATE MATERIALIZED VIEW KS.by_v ${AS} AND v IS NOT NULL PRIMARY KEY (a, v, b, c)`,
      `CREATE MATERIALIZED VIEW KS.by_x ${AS} AND x IS NOT NULL PRIMARY KEY (a, x, c, b) WITH CLUSTERING ORDER BY (x DESC, c ASC, b ASC)`,
      `CREATE MATERIALIZED VIEW KS.in_w ${AS} AND w IS NOT NULL PRIMARY KEY ((a, w), b, c)`,
    );
    const rows: string[] = [];
    for (let a = 0; a < 2; a++) {
      for (let b = 0; b < 5; b++) {
        for (const c of ['x', 'yy', '']) {
          const n = a * 100 + b * 10 + c.length;
          rows.push(
            `INSERT INTO KS.t (a, b, c, v, w, x, m, s) VALUES (${String(a)}, ${String(b - 2)}, '${c}', 'v${String((n * 7) % 5)}', ${String(n % 4)}, ${String((n * 13) % 40)}.${String(n % 10)}0, {'k': ${String(n)}}, {${String(n)}, 2})`,
          );
        }
      }
    }
    await sides.done(...rows);
  });

  afterAll(() => {
    sides.close();
  });

  const inOneOrder = async (): Promise<void> => {
    for (const name of ['swapped', 'ordered', 'some', 'by_v', 'by_x']) {
      const seen = await sides.same(`SELECT * FROM KS.${name} WHERE a IN (0, 1)`);
      expect(seen['kind']).toBe('rows');
    }
    await sides.same('SELECT * FROM KS.wide', { anyOrder: true });
    await sides.same('SELECT * FROM KS.in_w', { anyOrder: true });
    await sides.same('SELECT * FROM KS.by_v', { anyOrder: true });
  };

  it('shows the rows of the base in the order of the view', inOneOrder);

  it.each([
    "SELECT * FROM KS.swapped WHERE a = 0 AND c = 'x'",
    "SELECT * FROM KS.swapped WHERE a = 0 AND c = 'x' AND b > -1",
    "SELECT b, w FROM KS.swapped WHERE a = 0 AND c = 'x' AND b = 1",
    "SELECT w FROM KS.swapped WHERE a = 0 AND c > 'x'",
    "SELECT * FROM KS.swapped WHERE a = 0 AND (c, b) >= ('x', 0)",
    'SELECT * FROM KS.swapped WHERE a = 0 ORDER BY c DESC',
    'SELECT * FROM KS.swapped WHERE a = 0 ORDER BY b DESC',
    "SELECT * FROM KS.swapped WHERE a IN (1, 0) AND c IN ('yy', 'x') ORDER BY c DESC, b DESC LIMIT 7",
    'SELECT * FROM KS.ordered WHERE a = 0 AND b < 1 PER PARTITION LIMIT 2',
    'SELECT DISTINCT a FROM KS.ordered WHERE a IN (0, 1)',
    "SELECT * FROM KS.wide WHERE c = 'x' AND a = 1",
    "SELECT * FROM KS.wide WHERE c IN ('x', '', 'zz') AND a = 1 AND b > 0",
    "SELECT b FROM KS.wide WHERE c = 'x' AND a = 1 ORDER BY b DESC",
    'SELECT * FROM KS.wide WHERE a = 1',
    "SELECT * FROM KS.by_v WHERE a = 0 AND v = 'v2'",
    "SELECT v FROM KS.by_v WHERE a = 0 AND v = 'v2'",
    "SELECT b, c FROM KS.by_v WHERE a = 0 AND v > 'v2'",
    "SELECT b, c FROM KS.by_v WHERE a = 0 AND v >= 'v1' AND v < 'v3' ORDER BY v DESC",
    "SELECT v, b FROM KS.by_v WHERE a = 0 AND v = 'v2' AND b = -2 AND c = ''",
    "SELECT * FROM KS.by_v WHERE a = 0 AND (v, b) > ('v1', 0)",
    'SELECT v, count(*) FROM KS.by_v WHERE a = 0 GROUP BY v',
    'SELECT a, v, max(b), sum(w) FROM KS.by_v WHERE a = 0 GROUP BY a, v',
    'SELECT count(*) FROM KS.by_v WHERE a = 1',
    "SELECT count(*), max(x) FROM KS.by_v WHERE a = 1 AND v = 'v1'",
    "SELECT JSON * FROM KS.by_v WHERE a = 0 AND v = 'v2'",
    'SELECT * FROM KS.by_v WHERE a = 0 AND w = 1 ALLOW FILTERING',
    'SELECT * FROM KS.by_v WHERE a = 0 AND m CONTAINS 10 ALLOW FILTERING',
    'SELECT * FROM KS.by_v WHERE a = 0 AND b = 1',
    'SELECT x, b FROM KS.by_x WHERE a = 0 AND x > 10',
    'SELECT x FROM KS.by_x WHERE a = 1 AND x <= 20.5 ORDER BY x ASC',
    'SELECT * FROM KS.in_w WHERE a = 0 AND w = 1',
    'SELECT * FROM KS.in_w WHERE a = 0 AND w IN (1, 3, 7) AND b >= 0',
    'SELECT * FROM KS.in_w WHERE a = 0',
    'SELECT nope FROM KS.by_v',
    "SELECT * FROM KS.by_v WHERE v = 'v1'",
    'SELECT * FROM KS.by_v WHERE a = 1 ORDER BY b',
    'SELECT writetime(v) FROM KS.by_v WHERE a = 1',
    'SELECT ttl(x) FROM KS.by_v WHERE a = 1',
    'SELECT cqlock_nope FROM KS.by_v WHERE a = 1',
  ])('answers as Cassandra: %s', async (cql) => {
    const seen = await sides.same(cql);
    expect(['error', 'rows']).toContain(seen['kind']);
  });

  it('pages, prepared', async () => {
    const int = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(value);
      return bytes;
    };
    await sides.samePrepared('SELECT v, b, c, w FROM KS.by_v WHERE a = ? AND v > ?', [
      { values: [int(0), Buffer.from('v0')], pageSize: 3 },
      { values: [int(1), Buffer.from('')] },
      { values: [int(9), Buffer.from('')] },
    ]);
    await sides.samePrepared('SELECT * FROM KS.in_w WHERE a = ? AND w = ?', [
      { values: [int(0), int(1)] },
      { values: [int(1), int(2)] },
    ]);
  });

  it('follows every kind of write', async () => {
    for (const cql of [
      "UPDATE KS.t SET v = 'other' WHERE a = 0 AND b = 1 AND c = 'x'",
      "UPDATE KS.t SET v = null WHERE a = 0 AND b = 2 AND c = 'x'",
      "DELETE v FROM KS.t WHERE a = 0 AND b = 2 AND c = 'yy'",
      "DELETE w, x FROM KS.t WHERE a = 0 AND b = 0 AND c = 'yy'",
      "UPDATE KS.t SET w = 77 WHERE a = 0 AND b = 1 AND c IN ('x', 'yy')",
      "INSERT INTO KS.t (a, b, c, v) VALUES (0, 9, 'new', 'v9') USING TTL 1000",
      "INSERT INTO KS.t (a, b, c, v) VALUES (0, 9, 'old', 'v9') USING TIMESTAMP 5",
      "UPDATE KS.t USING TIMESTAMP 4 SET v = 'older' WHERE a = 0 AND b = 9 AND c = 'old'",
      "UPDATE KS.t USING TIMESTAMP 6 SET v = 'newer' WHERE a = 0 AND b = 9 AND c = 'old'",
      'INSERT INTO KS.t JSON \'{"a": 1, "b": 7, "c": "json", "v": "j", "x": 1.50}\'',
      "BEGIN BATCH INSERT INTO KS.t (a, b, c, v) VALUES (1, 8, 'batch', 'b1'); DELETE FROM KS.t WHERE a = 1 AND b = 0; APPLY BATCH",
      "UPDATE KS.t SET v = 'if' WHERE a = 1 AND b = 1 AND c = 'x' IF w = 2",
      "UPDATE KS.t SET v = 'if' WHERE a = 1 AND b = 1 AND c = 'yy' IF v != 'nope'",
      "INSERT INTO KS.t (a, b, c, v) VALUES (1, 1, 'lwt', 'l') IF NOT EXISTS",
      "DELETE FROM KS.t WHERE a = 1 AND b = 2 AND c = 'x'",
      'DELETE FROM KS.t WHERE a = 1 AND b < -1',
      "UPDATE KS.t SET m['z'] = 5, s = s + {99} WHERE a = 0 AND b = 1 AND c = 'x'",
    ]) {
      await sides.same(cql, cql.includes(' IF ') ? { anyOrder: true } : {});
    }
    await inOneOrder();
    await sides.done('DELETE FROM KS.t WHERE a = 0');
    await inOneOrder();
    await sides.done('TRUNCATE KS.t');
    await inOneOrder();
  });
}
