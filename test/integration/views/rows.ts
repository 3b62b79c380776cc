import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { int, rowsOf } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const BY_V =
  'AS SELECT * FROM KS.t WHERE a IS NOT NULL AND b IS NOT NULL AND v IS NOT NULL PRIMARY KEY (a, v, b)';

/** Rows of before, rows that leave, indexes beside views, and what was moved by hand. */
export function describeViewRows(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'view_rows');
    await sides.done('CREATE TABLE KS.t (a int, b int, v text, w int, PRIMARY KEY (a, b))');
    for (let b = 0; b < 20; b++) {
      await sides.done(
        `INSERT INTO KS.t (a, b, v, w) VALUES (${String(b % 3)}, ${String(b)}, 'v${String((b * 7) % 5)}', ${String(b)})`,
      );
    }
    await sides.done('UPDATE KS.t USING TTL 10000 SET v = null WHERE a = 0 AND b = 0');
    await sides.done(`CREATE MATERIALIZED VIEW KS.by_v ${BY_V}`);
  });

  afterAll(() => {
    sides.close();
  });

  it('come into a view that is made later', async () => {
    await vi.waitFor(
      async () => {
        for (const side of ['direct', 'proxy'] as const) {
          const answer = await sides[side].query(sides.text('SELECT b FROM KS.by_v', side));
          expect(rowsOf(answer)).toHaveLength(19);
        }
      },
      { timeout: 60_000, interval: 500 },
    );
    await sides.same('SELECT * FROM KS.by_v WHERE a IN (0, 1, 2)');
  });

  it('leave it when their time is over', async () => {
    await sides.done("INSERT INTO KS.t (a, b, v) VALUES (5, 1, 'short') USING TTL 1");
    await sides.done("INSERT INTO KS.t (a, b, v) VALUES (5, 2, 'long')");
    await vi.waitFor(
      async () => {
        for (const side of ['direct', 'proxy'] as const) {
          const answer = await sides[side].query(
            sides.text('SELECT v, b FROM KS.by_v WHERE a = 5', side),
          );
          expect(rowsOf(answer)).toHaveLength(1);
        }
      },
      { timeout: 20_000, interval: 300 },
    );
    await sides.same('SELECT v, b FROM KS.by_v WHERE a = 5');
  });

  it('stay the same beside an index that comes and goes', async () => {
    await sides.done('CREATE INDEX by_w ON KS.t (w)');
    await sides.done("INSERT INTO KS.t (a, b, v, w) VALUES (6, 1, 'indexed', 99)");
    await sides.same('SELECT * FROM KS.by_v WHERE a = 6');
    await sides.same('SELECT * FROM KS.t WHERE w = 99');
    await sides.same('DROP INDEX KS.by_w');
    await sides.same('SELECT * FROM KS.by_v WHERE a = 6');
    await sides.same('ALTER TABLE KS.t ADD x int');
    await sides.done("UPDATE KS.t SET x = 5, v = 'again' WHERE a = 6 AND b = 1");
    await sides.same('SELECT * FROM KS.by_v WHERE a = 6');
  });

  it('that were moved under another value by hand are an error, and only they', async () => {
    const stored = async (cql: string): Promise<readonly (readonly (Buffer | null)[])[]> =>
      rowsOf(await sides.direct.query(cql), cql);
    const columns = await stored(
      "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'view_rows_enc' AND table_name = 't'",
    );
    const hidden = columns
      .map(([name]) => name?.toString('utf8') ?? '')
      .find((name) => name.startsWith('cqlock_v_'));
    expect(hidden).toBeDefined();
    await sides.done(
      "INSERT INTO KS.t (a, b, v) VALUES (7, 1, 'mine')",
      "INSERT INTO KS.t (a, b, v) VALUES (7, 2, 'other')",
      "INSERT INTO KS.t (a, b, v) VALUES (8, 1, 'safe')",
    );
    const select = 'SELECT v, b FROM KS.by_v WHERE a = 7';
    await sides.same(select);
    const rows = await stored(`SELECT a, b, v, ${hidden ?? ''} FROM view_rows_enc.t`);
    const keyed = await sides.proxy.query('SELECT a, b, v FROM view_rows_enc.t');
    const order = rowsOf(keyed).map((row) => row.map((cell) => cell?.toString('hex')).join());
    const at = (b: number, v: string): readonly (Buffer | null)[] =>
      rows[
        order.indexOf([int(7), int(b), Buffer.from(v)].map((cell) => cell.toString('hex')).join())
      ] ?? [];
    const [mine, other] = [at(1, 'mine'), at(2, 'other')];
    const hex = (cell: Buffer | null | undefined): string => `0x${cell?.toString('hex') ?? ''}`;
    const moved = await sides.direct.query(
      `UPDATE view_rows_enc.t SET ${hidden ?? ''} = ${hex(other[3])} WHERE a = ${hex(mine[0])} AND b = ${hex(mine[1])}`,
    );
    expect(moved.kind).toBe('void');
    const answer = await sides.proxy.query(sides.text(select, 'proxy'));
    expect(answer.kind === 'error' ? answer.message : answer.kind).toContain('CIPHERTEXT');
    const bare = await sides.proxy.query(sides.text('SELECT a FROM KS.by_v WHERE a = 7', 'proxy'));
    expect(bare.kind).toBe('error');
    await sides.same('SELECT v, b FROM KS.by_v WHERE a = 8');
    await sides.same('SELECT v, b FROM KS.t WHERE a = 7');
    // Written again, all is well.
    await sides.done("UPDATE KS.t SET v = 'mine' WHERE a = 7 AND b = 1");
    await sides.same(select);
  });
}
