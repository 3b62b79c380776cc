import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { int, rowsOf, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const KEY = 'a IS NOT NULL AND p IS NOT NULL AND c IS NOT NULL';
const AS = `AS SELECT * FROM KS.t WHERE ${KEY}`;

/** Views whose partitions hold rows of several partitions of their base. */
export function describeSpanningViews(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'view_spanning');
    await sides.done(
      'CREATE TABLE KS.t (a text, p int, c int, v text, w int, x decimal, m map<text, int>, PRIMARY KEY ((a, p), c))',
      `CREATE MATERIALIZED VIEW KS.by_v ${AS} AND v IS NOT NULL PRIMARY KEY (v, a, p, c)`,
      `CREATE MATERIALIZED VIEW KS.by_w ${AS} AND w IS NOT NULL PRIMARY KEY (w, c, p, a) WITH CLUSTERING ORDER BY (c DESC, p ASC, a DESC)`,
      `CREATE MATERIALIZED VIEW KS.by_p ${AS} PRIMARY KEY (p, c, a)`,
      `CREATE MATERIALIZED VIEW KS.by_pv ${AS} AND v IS NOT NULL PRIMARY KEY (p, v, c, a)`,
      `CREATE MATERIALIZED VIEW KS.in_xa AS SELECT a, p, c, x FROM KS.t WHERE ${KEY} AND x IS NOT NULL PRIMARY KEY ((x, a), p, c)`,
      'CREATE TABLE KS.one (k int PRIMARY KEY, v int)',
      'CREATE MATERIALIZED VIEW KS.one_by_v AS SELECT * FROM KS.one WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)',
    );
    const rows: string[] = [];
    for (const a of ['x', 'yy', '']) {
      for (let p = -2; p < 3; p++) {
        for (let c = -1; c < 3; c++) {
          const n = a.length * 100 + (p + 2) * 10 + c + 1;
          rows.push(
            `INSERT INTO KS.t (a, p, c, v, w, x, m) VALUES ('${a}', ${String(p)}, ${String(c)}, 'v${String((n * 7) % 5)}', ${String(n % 3)}, ${String((n * 13) % 4)}.${String(n % 2)}0, {'k': ${String(n)}})`,
          );
        }
      }
    }
    for (let k = 0; k < 40; k++) {
      rows.push(`INSERT INTO KS.one (k, v) VALUES (${String(k * 77 - 900)}, ${String(k % 2)})`);
    }
    await sides.done(...rows);
  });

  afterAll(() => {
    sides.close();
  });

  const inOneOrder = async (): Promise<void> => {
    for (const cql of [
      "SELECT * FROM KS.by_v WHERE v IN ('v4', 'v0', 'v1', 'v2', 'v3', 'other', 'v9')",
      'SELECT * FROM KS.by_w WHERE w IN (0, 1, 2, 77)',
      'SELECT * FROM KS.by_p WHERE p IN (-2, -1, 0, 1, 2, 7)',
      'SELECT * FROM KS.by_pv WHERE p IN (-2, -1, 0, 1, 2, 7)',
      "SELECT * FROM KS.in_xa WHERE x IN (0.00, 0.10, 1.00, 1.10, 2.00, 2.10, 3.00, 3.10) AND a IN ('', 'x', 'yy')",
      'SELECT * FROM KS.one_by_v WHERE v IN (0, 1)',
    ]) {
      const seen = await sides.same(cql);
      expect(seen['kind']).toBe('rows');
    }
    for (const name of ['by_v', 'by_w', 'by_p', 'by_pv', 'in_xa', 'one_by_v']) {
      await sides.same(`SELECT * FROM KS.${name}`, { anyOrder: true });
    }
  };

  it('show the rows of the base in the order of the view', inOneOrder);

  it.each([
    "SELECT * FROM KS.by_v WHERE v = 'v2'",
    "SELECT v FROM KS.by_v WHERE v = 'v2'",
    "SELECT w, m FROM KS.by_v WHERE v = 'nope'",
    "SELECT a, p, c FROM KS.by_v WHERE v = 'v2' AND a = 'x'",
    "SELECT a, p, c FROM KS.by_v WHERE v = 'v2' AND a > 'x'",
    "SELECT a, p, c FROM KS.by_v WHERE v = 'v2' AND a >= '' AND a < 'y' ORDER BY a DESC",
    "SELECT a, p, c FROM KS.by_v WHERE v = 'v2' AND a = 'x' AND p IN (2, -1, 0)",
    "SELECT w FROM KS.by_v WHERE v = 'v2' AND a = 'x' AND p = 1 AND c > -1",
    "SELECT a, p, c FROM KS.by_v WHERE v = 'v2' AND (a, p) > ('', 0)",
    "SELECT a, p, c FROM KS.by_v WHERE v = 'v2' AND (a, p, c) IN (('x', 1, 1), ('yy', 0, 0))",
    "SELECT a, p, c FROM KS.by_v WHERE v IN ('v3', 'v1') ORDER BY a DESC, p DESC, c DESC LIMIT 7",
    "SELECT a, p FROM KS.by_v WHERE v = 'v1' LIMIT 3",
    "SELECT v, a, p FROM KS.by_v WHERE v IN ('v1', 'v2') PER PARTITION LIMIT 2",
    "SELECT v, a, count(*), max(p) FROM KS.by_v WHERE v IN ('v1', 'v2') GROUP BY v, a",
    "SELECT v, count(*) FROM KS.by_v WHERE v IN ('v1', 'v2') GROUP BY v",
    "SELECT count(*) FROM KS.by_v WHERE v = 'v1'",
    "SELECT count(*), a, p FROM KS.by_v WHERE v = 'v1'",
    'SELECT count(*), min(p), max(x) FROM KS.by_v',
    "SELECT JSON * FROM KS.by_v WHERE v = 'v2' AND a = 'yy'",
    "SELECT * FROM KS.by_v WHERE v = 'v2' AND w = 1 ALLOW FILTERING",
    "SELECT * FROM KS.by_v WHERE v = 'v2' AND p = 1 ALLOW FILTERING",
    "SELECT * FROM KS.by_v WHERE v = 'v2' AND p = 1",
    "SELECT * FROM KS.by_v WHERE a = 'x'",
    "SELECT * FROM KS.by_v WHERE v = 'v2' ORDER BY p",
    "SELECT * FROM KS.by_v WHERE v = 'v2' ORDER BY a DESC, p ASC",
    "SELECT * FROM KS.by_v WHERE v = ''",
    'SELECT * FROM KS.by_v WHERE v = null',
    "SELECT * FROM KS.by_v WHERE v > 'v1'",
    'SELECT writetime(v) FROM KS.by_v',
    "SELECT a, p + 1 FROM KS.by_v WHERE v = 'v2'",
    'SELECT * FROM KS.by_w WHERE w = 1',
    'SELECT * FROM KS.by_w WHERE w = 1 AND c < 1',
    'SELECT * FROM KS.by_w WHERE w = 1 AND c = 1 AND p >= 0',
    'SELECT * FROM KS.by_w WHERE w = 1 ORDER BY c ASC',
    'SELECT * FROM KS.by_w WHERE w = 1 ORDER BY c ASC, p DESC, a ASC LIMIT 4',
    'SELECT * FROM KS.by_p WHERE p = 1',
    "SELECT * FROM KS.by_p WHERE p = 1 AND c = 0 AND a = 'yy'",
    'SELECT * FROM KS.by_p WHERE p = 1 AND c >= 0 ORDER BY c DESC',
    "SELECT * FROM KS.by_pv WHERE p = 1 AND v = 'v3'",
    "SELECT * FROM KS.by_pv WHERE p = 1 AND v > 'v1' AND v <= 'v3'",
    "SELECT * FROM KS.in_xa WHERE x = 1.00 AND a = 'x'",
    "SELECT * FROM KS.in_xa WHERE x = 1.0 AND a = 'x'",
    'SELECT cqlock_nope FROM KS.by_v',
  ])('answers as Cassandra: %s', async (cql) => {
    const seen = await sides.same(cql);
    expect(['error', 'rows']).toContain(seen['kind']);
  });

  it('pages, also partitions larger than a page', async () => {
    for (const cql of [
      'SELECT k FROM KS.one_by_v WHERE v = 1',
      'SELECT k FROM KS.one_by_v WHERE v = 1 ORDER BY k DESC',
      'SELECT k FROM KS.one_by_v WHERE v IN (0, 1)',
      'SELECT k FROM KS.one_by_v WHERE v = 0 AND k > -300 LIMIT 9',
    ]) {
      for (const pageSize of [1, 3, 7, 20]) {
        const [direct, proxy] = await Promise.all([
          allRows(sides, 'direct', cql, pageSize),
          allRows(sides, 'proxy', cql, pageSize),
        ]);
        expect(proxy, `${cql} by ${String(pageSize)}`).toEqual(direct);
      }
    }
    for (const cql of ['SELECT v, k FROM KS.one_by_v', 'SELECT v, a, p, c, w FROM KS.by_v']) {
      for (const pageSize of [1, 3, 7, 1000]) {
        const [direct, proxy] = await Promise.all([
          allRows(sides, 'direct', cql, pageSize),
          allRows(sides, 'proxy', cql, pageSize),
        ]);
        expect(byPartition(proxy), `${cql} by ${String(pageSize)}`).toEqual(byPartition(direct));
      }
    }
  });

  it('take prepared statements', async () => {
    await sides.samePrepared('SELECT a, p, c, w FROM KS.by_v WHERE v = ? AND a > ?', [
      { values: [text('v1'), text('')], pageSize: 3 },
      { values: [text('v1'), text('x')] },
      { values: [text('nope'), text('')] },
    ]);
    await sides.samePrepared('SELECT * FROM KS.by_w WHERE w = ? AND c = ?', [
      { values: [int(1), int(1)] },
    ]);
  });

  it('follow every kind of write', async () => {
    for (const cql of [
      "UPDATE KS.t SET v = 'other' WHERE a = 'x' AND p = 1 AND c = 1",
      "UPDATE KS.t SET v = null WHERE a = 'x' AND p = 1 AND c = 2",
      "DELETE v, w FROM KS.t WHERE a = 'yy' AND p = 1 AND c = 2",
      "UPDATE KS.t SET w = 77, v = 'other' WHERE a = 'x' AND p IN (0, 1) AND c = 0",
      "INSERT INTO KS.t (a, p, c, v) VALUES ('n', 9, 1, 'v9') USING TTL 1000",
      "INSERT INTO KS.t (a, p, c, v) VALUES ('n', 9, 2, 'v9') USING TIMESTAMP 5",
      "UPDATE KS.t USING TIMESTAMP 4 SET v = 'older' WHERE a = 'n' AND p = 9 AND c = 2",
      "UPDATE KS.t USING TIMESTAMP 6 SET v = 'other' WHERE a = 'n' AND p = 9 AND c = 2",
      'INSERT INTO KS.t JSON \'{"a": "j", "p": 7, "c": 1, "v": "v9", "x": 1.50}\'',
      "BEGIN BATCH INSERT INTO KS.t (a, p, c, v) VALUES ('b', 7, 1, 'other'); DELETE FROM KS.t WHERE a = 'x' AND p = 0; APPLY BATCH",
      "UPDATE KS.t SET v = 'other' WHERE a = 'x' AND p = 2 AND c = 0 IF w = 2",
      "UPDATE KS.t SET v = 'other' WHERE a = 'x' AND p = 2 AND c = 1 IF v != 'nope'",
      "INSERT INTO KS.t (a, p, c, v, w) VALUES ('l', 7, 1, 'v9', 77) IF NOT EXISTS",
      "DELETE FROM KS.t WHERE a = '' AND p = 1 AND c < 1",
      "UPDATE KS.t SET v = '' WHERE a = '' AND p = 1 AND c = 1",
    ]) {
      await sides.same(cql, cql.includes(' IF ') ? { anyOrder: true } : {});
    }
    await inOneOrder();
    await sides.done('TRUNCATE KS.t');
    await inOneOrder();
  });

  it('have of two writes of one write time the row of the one that the base has', async () => {
    const proxyRows = async (cql: string): Promise<string[]> =>
      rowsOf(await sides.proxy.query(sides.text(cql, 'proxy')), cql).map(
        ([k, v]) => `${k?.toString('hex') ?? ''} ${v?.toString('hex') ?? ''}`,
      );
    await sides.done('TRUNCATE KS.one');
    for (let k = 0; k < 24; k++) {
      for (const v of [k, k + 100]) {
        await sides.done(
          `INSERT INTO KS.one (k, v) VALUES (${String(k)}, ${String(v)}) USING TIMESTAMP 7`,
        );
      }
    }
    const base = await proxyRows('SELECT k, v FROM KS.one');
    expect(base).toHaveLength(24);
    expect((await proxyRows('SELECT k, v FROM KS.one_by_v')).sort()).toEqual(base.sort());
    await sides.done('TRUNCATE KS.one', 'INSERT INTO KS.one (k, v) VALUES (1, 1)');
    await sides.done('INSERT INTO KS.one (k, v) VALUES (2, 0)');
  });

  it('take no writes', async () => {
    for (const cql of [
      'INSERT INTO KS.one_by_v (v, k) VALUES (1, 2)',
      'INSERT INTO KS.one_by_v (k) VALUES (2)',
      "UPDATE KS.by_v SET w = 1 WHERE v = 'v1' AND a = 'x' AND p = 1 AND c = 1",
      "UPDATE KS.by_v SET w = 1 WHERE v = 'v1' AND a = 'x' AND p = 1 AND c = 1 IF w = 2",
      'DELETE FROM KS.one_by_v WHERE v = 1',
      "BEGIN BATCH UPDATE KS.by_p SET w = 1 WHERE p = 1 AND c = 2 AND a = 'x'; APPLY BATCH",
      'TRUNCATE KS.one_by_v',
      'CREATE INDEX ON KS.by_v (w)',
    ]) {
      const seen = await sides.same(cql);
      expect(seen['kind']).toBe('error');
    }
    await sides.samePrepared('INSERT INTO KS.one_by_v (v, k) VALUES (?, ?)', [
      { values: [int(1), int(2)] },
    ]);
  });

  it('have the rows that were there before', async () => {
    await sides.done('CREATE TABLE KS.old (k int PRIMARY KEY, v int, w text)');
    for (let k = 0; k < 20; k++) {
      await sides.done(
        `INSERT INTO KS.old (k, v, w) VALUES (${String(k)}, ${k === 7 ? 'null' : String(k % 3)}, 'w')`,
      );
    }
    await sides.done(
      'CREATE MATERIALIZED VIEW KS.old_by_v AS SELECT * FROM KS.old WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)',
    );
    await vi.waitFor(
      async () => {
        for (const side of ['direct', 'proxy'] as const) {
          const answer = await sides[side].query(sides.text('SELECT k FROM KS.old_by_v', side));
          expect(rowsOf(answer)).toHaveLength(19);
        }
      },
      { timeout: 60_000, interval: 500 },
    );
    await sides.same('SELECT * FROM KS.old_by_v WHERE v IN (0, 1, 2)');
  });

  it('refuse DISTINCT, and give an error for a row that was moved by hand', async () => {
    const distinct = await sides.proxy.query(
      sides.text('SELECT DISTINCT v FROM KS.one_by_v', 'proxy'),
    );
    expect(distinct.kind === 'error' ? distinct.message : distinct.kind).toContain('DISTINCT');
    const stored = async (cql: string): Promise<readonly (readonly (Buffer | null)[])[]> =>
      rowsOf(await sides.direct.query(cql), cql);
    const columns = await stored(
      "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'view_spanning_enc' AND table_name = 'one'",
    );
    const hidden = columns
      .map(([name]) => name?.toString('utf8') ?? '')
      .find((name) => name.startsWith('cqlock_v_'));
    const values = await stored(`SELECT DISTINCT ${hidden ?? ''} FROM view_spanning_enc.one_by_v`);
    expect(values).toHaveLength(2);
    const [row] = await stored(`SELECT k, ${hidden ?? ''} FROM view_spanning_enc.one LIMIT 1`);
    const other = values.find(([value]) => row?.[1]?.equals(value ?? Buffer.alloc(0)) === false);
    const hex = (cell: Buffer | null | undefined): string => `0x${cell?.toString('hex') ?? ''}`;
    const moved = await sides.direct.query(
      `UPDATE view_spanning_enc.one SET ${hidden ?? ''} = ${hex(other?.[0])} WHERE k = ${hex(row?.[0])}`,
    );
    expect(moved.kind).toBe('void');
    for (const cql of ['SELECT * FROM KS.one_by_v', 'SELECT count(*) FROM KS.one_by_v']) {
      const answer = await sides.proxy.query(sides.text(cql, 'proxy'));
      expect(answer.kind === 'error' ? answer.message : answer.kind).toContain('CIPHERTEXT');
    }
  });
}

/** All pages of an answer. */
async function allRows(
  sides: SideBySide,
  side: 'direct' | 'proxy',
  cql: string,
  pageSize: number,
): Promise<string[]> {
  const rows: string[] = [];
  let pagingState: Buffer | undefined;
  do {
    const answer = await sides[side].query(sides.text(cql, side), {
      pageSize,
      ...(pagingState === undefined ? {} : { pagingState }),
    });
    rows.push(
      ...rowsOf(answer, cql).map((row) => row.map((cell) => cell?.toString('hex')).join(' ')),
    );
    pagingState = answer.kind === 'rows' ? (answer.pagingState ?? undefined) : undefined;
  } while (pagingState !== undefined && rows.length < 1000);
  return rows;
}

/** Rows by their first column, partitions in one order: the order inside each is kept. */
function byPartition(rows: readonly string[]): [string, string[]][] {
  const partitions = new Map<string, string[]>();
  for (const row of rows) {
    const [key = ''] = row.split(' ');
    partitions.set(key, [...(partitions.get(key) ?? []), row]);
  }
  return [...partitions].sort(([a], [b]) => (a < b ? -1 : 1));
}
