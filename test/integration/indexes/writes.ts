import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Pair } from '../support/pair.ts';
import { int, rowsOf } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** The building of an index begins 15 seconds after the statement. */
const BUILT_MS = 60_000;

/** What writes leave in the hidden columns, and that a client sees nothing of it. */
export function describeIndexWrites(pair: () => Pair): void {
  let sides: SideBySide;
  let hidden: Map<string, string>;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'index_writes');
    await sides.done(
      'CREATE TABLE KS.t (pk int, ck int, s text STATIC, v text, n int, PRIMARY KEY (pk, ck))',
      'CREATE INDEX ON KS.t (v)',
      'CREATE INDEX ON KS.t (s)',
      "CREATE CUSTOM INDEX n_sai ON KS.t (n) USING 'sai'",
    );
    hidden = await hiddenColumns('t');
  });

  beforeEach(async () => {
    await sides.done('TRUNCATE KS.t');
  });

  afterAll(() => {
    sides.close();
  });

  /** The hidden column of each index of a table, by the index's name. */
  async function hiddenColumns(table: string): Promise<Map<string, string>> {
    const keyspace = sides.text('KS', 'proxy');
    const cql = `SELECT index_name, options FROM system_schema.indexes WHERE keyspace_name = '${keyspace}' AND table_name = '${table}'`;
    const rows = rowsOf(await sides.direct.query(cql));
    return new Map(
      rows.map(([name, options]) => [
        String(name),
        /cqlock_i_[0-9a-f]{16}/.exec(String(options))?.[0] ?? '',
      ]),
    );
  }

  /** Cell, hidden cell, and write times and TTLs of both, as Cassandra holds them. */
  async function cells(column: string, index: string): Promise<readonly (readonly string[])[]> {
    const h = hidden.get(index) ?? '';
    const cql = `SELECT ${column}, ${h}, writetime(${column}), writetime(${h}), ttl(${column}), ttl(${h}) FROM ${sides.text('KS', 'proxy')}.t`;
    return rowsOf(await sides.direct.query(cql), cql).map((row) =>
      row.map((cell) => (cell === null ? 'null' : cell.toString('hex'))),
    );
  }

  async function expectMirrored(column: string, index: string): Promise<void> {
    for (const [cell, blind, writeTime, blindTime, ttl, blindTtl] of await cells(column, index)) {
      expect(blind === 'null').toBe(cell === 'null');
      expect(blindTime).toBe(writeTime);
      expect(blindTtl).toBe(ttl);
    }
  }

  it.each([
    "INSERT INTO KS.t (pk, ck, s, v, n) VALUES (1, 1, 'st', 'one', 7)",
    "INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 1, 'one', null)",
    "INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 1, 'one', 3) USING TTL 1000 AND TIMESTAMP 12345",
    "UPDATE KS.t USING TTL 500 SET v = 'two', s = 'x' WHERE pk = 1 AND ck = 2",
    "UPDATE KS.t SET v = 'two', n = 5 WHERE pk IN (1, 2) AND ck IN (3, 4)",
    "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 1, 'a'); UPDATE KS.t SET n = 4 WHERE pk = 1 AND ck = 1; APPLY BATCH",
    "INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 1, 'one', 7) IF NOT EXISTS",
    "UPDATE KS.t SET v = 'y', n = 1 WHERE pk = 1 AND ck = 1 IF v = null",
  ])('keeps the blind value beside the cell: %s', async (cql) => {
    await sides.same(cql);
    await expectMirrored('v', 't_v_idx');
    await expectMirrored('n', 'n_sai');
    await expectMirrored('s', 't_s_idx');
  });

  it('deletes it with the cell, and shows the same rows as Cassandra when every cell is null', async () => {
    for (const cql of [
      "INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 1, 'one', 7)",
      "UPDATE KS.t SET v = 'one', n = 7 WHERE pk = 1 AND ck = 2",
      "UPDATE KS.t SET v = 'one', n = 7 WHERE pk = 1 AND ck = 3",
      "UPDATE KS.t SET s = 'static' WHERE pk = 2",
      'UPDATE KS.t SET v = null, n = null WHERE pk = 1 AND ck = 1',
      'DELETE v, n FROM KS.t WHERE pk = 1 AND ck = 2',
      'DELETE v FROM KS.t WHERE pk = 1 AND ck = 3',
      'DELETE s FROM KS.t WHERE pk = 2',
    ]) {
      await sides.same(cql);
      await sides.same('SELECT * FROM KS.t', { anyOrder: true });
    }
    await sides.same('DELETE n FROM KS.t WHERE pk = 1 AND ck = 3');
    const left = await sides.same('SELECT * FROM KS.t', { anyOrder: true });
    expect(left['rows']).toHaveLength(1);
    await expectMirrored('v', 't_v_idx');
  });

  it('answers lightweight transactions without hidden columns', async () => {
    for (const cql of [
      "INSERT INTO KS.t (pk, ck, s, v, n) VALUES (1, 1, 'st', 'one', 7) IF NOT EXISTS",
      "INSERT INTO KS.t (pk, ck, s, v, n) VALUES (1, 1, 'st', 'two', 8) IF NOT EXISTS",
      "UPDATE KS.t SET v = 'three' WHERE pk = 1 AND ck = 1 IF v = 'two'",
      "UPDATE KS.t SET v = 'three' WHERE pk = 1 AND ck = 1 IF v = 'one' AND s = 'st'",
      "UPDATE KS.t SET v = 'four' WHERE pk = 1 AND ck = 9 IF EXISTS",
      "BEGIN BATCH INSERT INTO KS.t (pk, ck, v) VALUES (1, 2, 'a') IF NOT EXISTS; INSERT INTO KS.t (pk, ck, v) VALUES (1, 1, 'b') IF NOT EXISTS; APPLY BATCH",
    ]) {
      await sides.same(cql);
    }
    await sides.same('SELECT * FROM KS.t');
    await expectMirrored('v', 't_v_idx');
  });

  it('leaves unset values alone', async () => {
    await sides.done("INSERT INTO KS.t (pk, ck, v, n) VALUES (1, 1, 'one', 7)");
    await sides.samePrepared('INSERT INTO KS.t (pk, ck, v, n) VALUES (?, ?, ?, ?)', [
      { values: [int(1), int(1), 'unset', int(9)] },
    ]);
    await sides.same('SELECT * FROM KS.t');
    await expectMirrored('v', 't_v_idx');
  });

  it('lets value and blind value of one write win together at equal write times', async () => {
    const h = hidden.get('t_v_idx') ?? '';
    for (let ck = 0; ck < 40; ck++) {
      await sides.done(
        `BEGIN BATCH USING TIMESTAMP 1000 INSERT INTO KS.t (pk, ck, v) VALUES (1, ${String(ck)}, 'a${String(ck)}'); INSERT INTO KS.t (pk, ck, v) VALUES (1, ${String(ck)}, 'b${String(ck)}'); APPLY BATCH`,
      );
    }
    const keyspace = sides.text('KS', 'proxy');
    const stored = rowsOf(await sides.direct.query(`SELECT v, ${h} FROM ${keyspace}.t`));
    expect(stored).toHaveLength(40);
    for (const [cell, blind] of stored) {
      // The nonce of the cell is that of its blind value.
      expect(cell?.subarray(4, 12).toString('hex')).toBe(blind?.subarray(4, 12).toString('hex'));
    }
  });

  it('builds rows that were there before, with their write times and without the rows that have no value', async () => {
    await sides.done(
      'CREATE TABLE KS.old (pk int, ck int, v text, n int, s int STATIC, PRIMARY KEY (pk, ck))',
    );
    for (let row = 0; row < 30; row++) {
      const key = `${String(row % 7)}, ${String(row)}`;
      await sides.done(
        row % 3 === 0
          ? `INSERT INTO KS.old (pk, ck, n) VALUES (${key}, 1)`
          : `INSERT INTO KS.old (pk, ck, v, s) VALUES (${key}, 'v${String(row)}', 4) USING TIMESTAMP ${String(1_000_000 + row)}${row % 5 === 0 ? ' AND TTL 5000' : ''}`,
      );
    }
    await sides.done('CREATE INDEX ON KS.old (v)', "CREATE INDEX old_s ON KS.old (s) USING 'sai'");
    const names = await hiddenColumns('old');
    const h = names.get('old_v_idx') ?? '';
    const hs = names.get('old_s') ?? '';
    const cql = `SELECT v, ${h}, writetime(v), writetime(${h}), ttl(v), ttl(${h}), s, ${hs} FROM ${sides.text('KS', 'proxy')}.old`;
    await expect
      .poll(
        async () =>
          rowsOf(await sides.direct.query(cql), cql).filter(
            ([v, blind, , , , , s, blindS]) =>
              (v === null) === (blind === null) && (s === null) === (blindS === null),
          ).length,
        { timeout: BUILT_MS, interval: 500 },
      )
      .toBe(30);
    for (const [, , writeTime, blindTime, ttl, blindTtl] of rowsOf(await sides.direct.query(cql))) {
      expect(blindTime?.toString('hex')).toBe(writeTime?.toString('hex'));
      expect(blindTtl === null).toBe(ttl === null);
      if (ttl instanceof Buffer && blindTtl instanceof Buffer)
        expect(blindTtl.readInt32BE()).toBeLessThanOrEqual(ttl.readInt32BE());
    }
    await expect
      .poll(
        async () =>
          rowsOf(await sides.proxy.query('SELECT kind, state FROM system_encryption.jobs')).filter(
            ([kind, state]) => String(kind) === 'index' && String(state) === 'done',
          ).length,
        { timeout: BUILT_MS, interval: 500 },
      )
      .toBeGreaterThanOrEqual(2);
  });
}
