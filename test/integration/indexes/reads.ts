import { afterAll, beforeAll, expect, it } from 'vitest';
import { int, rowsOf, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const BUILT_MS = 90_000;
const INDEXES = 9;

/** Statements that Cassandra answers by an index, and ones that it refuses; rows of scans come in any order. */
const READS: readonly string[] = [
  "SELECT * FROM KS.t WHERE v = 'v1'",
  "SELECT * FROM KS.t WHERE v = 'nope'",
  "SELECT v, ck FROM KS.t WHERE v = 'v2' AND a = 1 AND b = 1",
  "SELECT ck FROM KS.t WHERE v = 'v2' AND a = 1 AND b = 1 AND ck > 2",
  "SELECT ck FROM KS.t WHERE v = 'v2' AND a = 1 AND b = 1 AND ck = 5",
  "SELECT * FROM KS.t WHERE v = 'v2' AND n = 3",
  "SELECT * FROM KS.t WHERE v = 'v2' AND n = 3 ALLOW FILTERING",
  "SELECT * FROM KS.t WHERE v = 'v2' AND plain > 3",
  "SELECT * FROM KS.t WHERE v = 'v2' AND plain > 3 ALLOW FILTERING",
  'SELECT * FROM KS.t WHERE n = 3',
  'SELECT * FROM KS.t WHERE n = 3 AND m = 1',
  'SELECT * FROM KS.t WHERE n > 2',
  'SELECT * FROM KS.t WHERE n < 2',
  'SELECT * FROM KS.t WHERE n = blobAsInt(0x)',
  'SELECT * FROM KS.t WHERE n <= 2 AND plain < 20 ALLOW FILTERING',
  'SELECT * FROM KS.t WHERE plain < 20 ALLOW FILTERING',
  'SELECT * FROM KS.t WHERE a = 0 AND b = 0 AND n < 2',
  "SELECT * FROM KS.t WHERE v = ''",
  'SELECT * FROM KS.t WHERE n >= 2 AND n < 4 AND m = 1',
  'SELECT * FROM KS.t WHERE n IN (1, 2)',
  'SELECT * FROM KS.t WHERE n IN (1, 2) ALLOW FILTERING',
  "SELECT * FROM KS.t WHERE v > 'v1'",
  "SELECT * FROM KS.t WHERE v > 'v1' ALLOW FILTERING",
  "SELECT * FROM KS.t WHERE v IN ('v1', 'v2')",
  "SELECT * FROM KS.t WHERE s = 's1'",
  "SELECT DISTINCT a, b, s FROM KS.t WHERE s = 's1'",
  "SELECT a, b, ck FROM KS.t WHERE s = 's1' AND v = 'v1' ALLOW FILTERING",
  'SELECT * FROM KS.t WHERE l = [1, 2]',
  'SELECT * FROM KS.t WHERE a = 1',
  'SELECT * FROM KS.t WHERE b = 1',
  'SELECT * FROM KS.t WHERE ck = 3',
  'SELECT * FROM KS.t WHERE ck > 3',
  "SELECT * FROM KS.t WHERE ck = 3 AND v = 'v0' ALLOW FILTERING",
  "SELECT count(*) FROM KS.t WHERE v = 'v1'",
  "SELECT * FROM KS.t WHERE v = 'v1' ORDER BY ck",
  "SELECT * FROM KS.t WHERE a IN (1, 2) AND b = 1 AND v = 'v1'",
  'SELECT * FROM KS.t WHERE v = null',
  'SELECT * FROM KS.t WHERE plain = 1',
  // A storage-attached index takes IPv4 addresses for IPv6 ones, and tests other columns by that as well.
  "SELECT ck, ip FROM KS.t WHERE ip >= '1::'",
  "SELECT ck, ip FROM KS.t WHERE ip < '1::' AND ip > '10.0.0.3'",
  "SELECT ck, ip FROM KS.t WHERE ip = '10.0.0.3'",
  "SELECT ck, ip FROM KS.t WHERE ip <= '10.0.0.3' AND jp > '1::' ALLOW FILTERING",
  "SELECT ck, jp FROM KS.t WHERE jp >= '1::' ALLOW FILTERING",
  "SELECT ck, jp FROM KS.t WHERE jp < '1::' AND n = 3 ALLOW FILTERING",
  "SELECT ck, jp FROM KS.t WHERE jp < '1::' AND n > 1 ALLOW FILTERING",
  "SELECT ck, jp FROM KS.t WHERE jp < '1::' AND v = 'v1' ALLOW FILTERING",
  "SELECT ck, jp FROM KS.t WHERE jp < '1::' AND n IN (1, 2) ALLOW FILTERING",
  "SELECT v FROM KS.t WHERE token(a, b) > -9223372036854775808 AND v = 'v1'",
  "SELECT JSON v, n FROM KS.t WHERE v = 'v1' AND a = 1 AND b = 1",
];

/** Reads by indexes, before and after the indexes are built. */
export function describeIndexReads(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'index_reads');
    await sides.done(
      'CREATE TABLE KS.t (a int, b int, ck int, s text STATIC, v text, n int, m int, plain int, l frozen<list<int>>, ip inet, jp inet, PRIMARY KEY ((a, b), ck))',
    );
    for (let row = 0; row < 60; row++) {
      const [a, b, ck] = [row % 3, row % 2, row % 10].map(String);
      const address = (from: number): string =>
        `${from % 2 === 0 ? '10.0.0.' : '2001:db8::'}${String(from % 9)}`;
      await sides.done(
        `INSERT INTO KS.t (a, b, ck, v, n, m, plain, l, ip, jp) VALUES (${a}, ${b}, ${ck}, ${row % 7 === 0 ? 'null' : `'v${String(row % 4)}'`}, ${String(row % 5)}, ${String(row % 2)}, ${String(row)}, [${String(row % 3)}, 2], '${address(row)}', '${address(row + (row % 5))}')`,
        `UPDATE KS.t SET s = 's${String(row % 3)}' WHERE a = ${a} AND b = ${b}`,
      );
    }
    // Values without a byte, which a storage-attached index leaves out.
    await sides.done(
      "INSERT INTO KS.t (a, b, ck, v, n, m, plain) VALUES (0, 0, 20, '', blobAsInt(0x), 1, blobAsInt(0x))",
    );
    await sides.done(
      'CREATE INDEX ON KS.t (v)',
      'CREATE INDEX ON KS.t (s)',
      'CREATE INDEX ON KS.t (full(l))',
      'CREATE INDEX ON KS.t (a)',
      'CREATE INDEX ON KS.t (ck)',
      "CREATE INDEX n_sai ON KS.t (n) USING 'sai'",
      "CREATE INDEX ip_sai ON KS.t (ip) USING 'sai'",
      "CREATE INDEX m_sai ON KS.t (m) USING 'sai'",
      "CREATE INDEX s_sai ON KS.t (s) USING 'sai'",
    );
    expect(INDEXES).toBe(9);
  });

  afterAll(() => {
    sides.close();
  });

  it.each(READS)('answers as Cassandra while the index is built: %s', async (cql) => {
    await sides.same(cql, { anyOrder: true });
  });

  it('builds all of them', async () => {
    const keyspace = sides.text('KS', 'proxy');
    await expect
      .poll(
        async () =>
          rowsOf(
            await sides.proxy.query(
              'SELECT keyspace_name, kind, state FROM system_encryption.jobs',
            ),
          ).filter(
            ([ks, kind, state]) =>
              `${String(ks)} ${String(kind)} ${String(state)}` === `${keyspace} index done`,
          ).length,
        { timeout: BUILT_MS, interval: 500 },
      )
      .toBe(7);
  });

  it('says in the system tables that they are built', async () => {
    const cql = `SELECT index_name FROM system."IndexInfo" WHERE table_name = 'KS'`;
    await expect
      .poll(async () => rowsOf(await sides.proxy.query(sides.text(cql, 'proxy'))).length, {
        timeout: BUILT_MS,
      })
      .toBe(INDEXES);
    await sides.same(cql, { anyOrder: true });
    await sides.same("SELECT view_name FROM system.built_views WHERE keyspace_name = 'KS'");
  });

  it.each(READS)('answers as Cassandra by the index: %s', async (cql) => {
    await sides.same(cql, { anyOrder: true });
  });

  it('sees every write at once', async () => {
    for (const cql of [
      "UPDATE KS.t SET v = 'fresh' WHERE a = 1 AND b = 1 AND ck = 1",
      "INSERT INTO KS.t (a, b, ck, v) VALUES (9, 9, 9, 'fresh')",
      "UPDATE KS.t SET v = 'other' WHERE a = 9 AND b = 9 AND ck = 9",
      'DELETE v FROM KS.t WHERE a = 1 AND b = 1 AND ck = 1',
      "INSERT INTO KS.t (a, b, ck, v) VALUES (9, 9, 8, 'fresh') USING TTL 2",
      'DELETE FROM KS.t WHERE a = 9 AND b = 9 AND ck = 9',
    ]) {
      await sides.same(cql);
      await sides.same("SELECT a, b, ck FROM KS.t WHERE v = 'fresh'", { anyOrder: true });
      await sides.same("SELECT a, b, ck FROM KS.t WHERE v = 'other'", { anyOrder: true });
    }
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await sides.same("SELECT a, b, ck FROM KS.t WHERE v = 'fresh'");
  });

  it('takes prepared values, LIMIT and pages', async () => {
    await sides.samePrepared('SELECT a, b, ck FROM KS.t WHERE v = ? AND a = ? AND b = ?', [
      { values: [text('v1'), int(1), int(1)] },
      { values: [null, int(1), int(1)] },
    ]);
    await sides.samePrepared('SELECT a FROM KS.t WHERE n = ?', [{ values: [int(3)] }], {
      anyOrder: true,
    });
    for (const size of [1, 2, 3, 100]) {
      const cql = sides.text("SELECT a, b, ck FROM KS.t WHERE v = 'v1'", 'proxy');
      const seen: string[] = [];
      let pagingState: Buffer | undefined;
      do {
        const page = await sides.proxy.query(cql, {
          pageSize: size,
          ...(pagingState === undefined ? {} : { pagingState }),
        });
        if (page.kind !== 'rows') throw new Error('no rows');
        seen.push(...page.rows.map((row) => row.map((cell) => cell?.toString('hex')).join()));
        pagingState = page.pagingState ?? undefined;
      } while (pagingState !== undefined);
      const all = rowsOf(await sides.proxy.query(cql)).map((row) =>
        row.map((cell) => cell?.toString('hex')).join(),
      );
      expect(seen.sort()).toEqual(all.sort());
    }
    for (const limit of [1, 2, 5]) {
      const cql = `SELECT a FROM KS.t WHERE v = 'v1' LIMIT ${String(limit)}`;
      expect(rowsOf(await sides.proxy.query(sides.text(cql, 'proxy')))).toHaveLength(limit);
    }
  });

  it.each([
    ['t_v_idx', 'v', "v = 'v3'"],
    ['n_sai', 'n', 'n = 2'],
  ])(
    'a blind value of %s moved to another row by hand is an error, never a row',
    async (index, _column, where) => {
      const keyspace = sides.text('KS', 'proxy');
      const options = rowsOf(
        await sides.direct.query(
          `SELECT options FROM system_schema.indexes WHERE keyspace_name = '${keyspace}' AND table_name = 't' AND index_name = '${index}'`,
        ),
      )[0]?.[0];
      const hidden = /cqlock_i_[0-9a-f]{16}/.exec(String(options))?.[0] ?? '';
      const rows = rowsOf(
        await sides.direct.query(`SELECT a, b, ck, ${hidden} FROM ${keyspace}.t`),
      ).filter((row) => row[3] !== null);
      const hits = rowsOf(
        await sides.proxy.query(`SELECT a, b, ck FROM ${keyspace}.t WHERE ${where}`),
      );
      expect(hits.length).toBeGreaterThan(0);
      // All blind values are changed to one of another row: every value that is found leads to rows without it.
      const [first] = rows;
      const blind = first?.[3] ?? Buffer.alloc(0);
      const shown = index === 'n_sai' ? `'${blind.toString()}'` : `0x${blind.toString('hex')}`;
      for (const [a, b, ck] of rows) {
        const key = [a, b, ck].map((cell) => `0x${cell?.toString('hex') ?? ''}`);
        await sides.direct.query(
          `UPDATE ${keyspace}.t SET ${hidden} = ${shown} WHERE a = ${key[0] ?? ''} AND b = ${key[1] ?? ''} AND ck = ${key[2] ?? ''}`,
        );
      }
      const column = index === 'n_sai' ? 'n' : 'v';
      const values =
        index === 'n_sai' ? ['0', '1', '2', '3', '4'] : ["'v0'", "'v1'", "'v2'", "'v3'"];
      let errors = 0;
      for (const value of values) {
        const answer = await sides.proxy.query(
          `SELECT a FROM ${keyspace}.t WHERE ${column} = ${value}`,
        );
        if (answer.kind === 'error') {
          expect(answer).toMatchObject({ code: 0 });
          expect(answer.message).toMatch(/failed authentication/);
          errors++;
        } else expect(rowsOf(answer)).toEqual([]);
      }
      expect(errors).toBe(1);
    },
  );
}
