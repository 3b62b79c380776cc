import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RawClient } from '../../support/raw_client.ts';
import { RawWriter } from '../../support/raw_codec.ts';
import { int, prepared, succeeded, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** A read, and how its pages are compared. */
interface Case {
  readonly cql: string;
  /** Every partition's rows are together and in order, the partitions are not in Cassandra's order. */
  readonly scan?: boolean;
}

const CASES: readonly Case[] = [
  { cql: 'SELECT ck, v FROM KS.t WHERE pk = 1' },
  { cql: 'SELECT ck, v FROM KS.t WHERE pk = 1 ORDER BY ck DESC' },
  { cql: 'SELECT ck FROM KS.t WHERE pk = 1 AND ck > 3 LIMIT 11' },
  { cql: 'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 2, 9)' },
  { cql: 'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 2, 9) LIMIT 17' },
  { cql: 'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 2) PER PARTITION LIMIT 4' },
  {
    cql: 'SELECT pk, ck FROM KS.t WHERE pk IN (3, 1, 2) AND ck < 9 PER PARTITION LIMIT 5 LIMIT 12',
  },
  { cql: 'SELECT DISTINCT pk, s FROM KS.t WHERE pk IN (3, 1, 2)' },
  { cql: 'SELECT count(*) FROM KS.t WHERE pk = 1' },
  { cql: 'SELECT count(*) FROM KS.t WHERE pk IN (1, 2)' },
  { cql: 'SELECT pk, ck FROM KS.t', scan: true },
  { cql: 'SELECT pk, ck FROM KS.t LIMIT 31', scan: true },
  { cql: 'SELECT DISTINCT pk FROM KS.t', scan: true },
  { cql: 'SELECT pk, ck FROM KS.t PER PARTITION LIMIT 3', scan: true },
];

/** Paging: the same pages as Cassandra's, and states that work for nothing else. */
export function describePaging(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'paging');
    await sides.done(
      'CREATE TABLE KS.t (pk int, ck int, s int STATIC, v text, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.other (pk int, ck int, s int STATIC, v text, PRIMARY KEY (pk, ck))',
    );
    for (const table of ['t', 'other']) {
      for (const side of ['direct', 'proxy'] as const) {
        const insert = await prepared(
          sides[side],
          sides.text(`INSERT INTO KS.${table} (pk, ck, s, v) VALUES (?, ?, ?, ?)`, side),
        );
        for (let pk = 0; pk < 5; pk++) {
          for (let ck = 0; ck < 10 + pk; ck++) {
            succeeded(
              await sides[side].execute(insert, {
                values: [int(pk), int(ck), int(pk), text(`v${String(ck)}`)],
              }),
              'insert',
            );
          }
        }
      }
    }
  });

  afterAll(() => {
    sides.close();
  });

  async function pages(client: RawClient, cql: string, pageSize: number): Promise<string[][]> {
    const id = await prepared(client, cql);
    const result: string[][] = [];
    let pagingState: Buffer | null = null;
    do {
      const answer = await client.execute(id, {
        pageSize,
        ...(pagingState === null ? {} : { pagingState }),
      });
      if (answer.kind !== 'rows') throw new Error(JSON.stringify(answer));
      result.push(
        answer.rows.map((row) => row.map((cell) => cell?.toString('hex') ?? 'null').join(' ')),
      );
      pagingState = answer.pagingState;
    } while (pagingState !== null && result.length < 200);
    return result;
  }

  it.each(CASES)('$cql', async ({ cql, scan }) => {
    for (const pageSize of [1, 2, 3, 5, 7, 10, 16, 1000]) {
      const [expected, actual] = await Promise.all([
        pages(sides.direct, sides.text(cql, 'direct'), pageSize),
        pages(sides.proxy, sides.text(cql, 'proxy'), pageSize),
      ]);
      const what = `${cql}, ${String(pageSize)} a page`;
      if (scan === true && !cql.includes('LIMIT 31')) {
        expect.soft(actual.flat().sort(), what).toEqual(expected.flat().sort());
      } else if (scan === true) {
        expect.soft(new Set(actual.flat()).size, what).toBe(31);
      } else {
        // A last page without rows may be left out.
        const filled = (list: readonly string[][]) =>
          list.filter((page, i) => page.length > 0 || i === 0);
        expect.soft(filled(actual), what).toEqual(filled(expected));
      }
      expect
        .soft(
          actual.every((page) => page.length <= pageSize),
          what,
        )
        .toBe(true);
    }
  });

  it.each([
    'SELECT pk FROM KS.t GROUP BY pk',
    'SELECT pk, count(*) FROM KS.t WHERE pk IN (1, 2) GROUP BY pk',
    'SELECT ck FROM KS.t WHERE pk = 1 GROUP BY pk, ck',
    'SELECT pk FROM KS.t GROUP BY pk LIMIT 4',
  ])('pages of groups are as large as those of Cassandra: %s', async (cql) => {
    for (const pageSize of [1, 2, 3, 5, 11]) {
      const [expected, actual] = await Promise.all([
        pages(sides.direct, sides.text(cql, 'direct'), pageSize),
        pages(sides.proxy, sides.text(cql, 'proxy'), pageSize),
      ]);
      const sizes = (list: readonly string[][]) => list.map((page) => page.length);
      expect(sizes(actual), `${String(pageSize)} a page`).toEqual(sizes(expected));
    }
  });

  it('page sizes below zero mean no paging, zero is refused', async () => {
    for (const pageSize of [0, -1, -5000]) {
      for (const cql of [
        'SELECT pk, ck FROM KS.t WHERE pk IN (1, 2)',
        'SELECT ck FROM KS.t WHERE pk = 1',
        'SELECT key FROM system.local',
        'SELECT pk FROM KS.t WHERE pk IN ()',
        "INSERT INTO KS.t (pk, ck, v) VALUES (0, 0, 'x')",
        'USE KS',
      ]) {
        await sides.same(cql, { pageSize });
      }
    }
  });

  it('ORDER BY with IN is not paged', async () => {
    const cql = 'SELECT pk, ck FROM KS.t WHERE pk IN (1, 2) ORDER BY ck';
    for (const pageSize of [1, 5, 21, 1000]) await sides.same(cql, { pageSize });
    await sides.same(`${cql} LIMIT 4`, { pageSize: 4 });
    await sides.same(`${cql} LIMIT 4`, { pageSize: 3 });
  });

  it('a paging state that is altered, cut or of another statement is refused', async () => {
    const cql = 'SELECT ck FROM KS.t WHERE pk = 1';
    const first = await sides.proxy.query(sides.text(cql, 'proxy'), { pageSize: 3 });
    if (first.kind !== 'rows' || first.pagingState === null) throw new Error('no paging state');
    const state = first.pagingState;
    const invalid = { kind: 'error', code: 0x0a, message: 'Invalid value for the paging state' };
    const at = async (pagingState: Buffer, text = cql, client = sides.proxy) =>
      client.query(sides.text(text, 'proxy'), { pageSize: 3, pagingState });
    for (let bit = 0; bit < state.length * 8; bit += 5) {
      const altered = Buffer.from(state);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(await at(altered), `bit ${String(bit)}`).toMatchObject(invalid);
    }
    for (const length of [0, 1, 15, 16, 17, state.length - 1]) {
      expect(await at(state.subarray(0, length)), `${String(length)} bytes`).toMatchObject(invalid);
    }
    expect(await at(Buffer.concat([state, Buffer.alloc(1)]))).toMatchObject(invalid);
    for (const other of [
      'SELECT ck FROM KS.t WHERE pk = 2',
      'SELECT ck, v FROM KS.t WHERE pk = 1',
      'SELECT ck FROM KS.other WHERE pk = 1',
      'SELECT ck FROM KS.t WHERE pk IN (1)',
      'SELECT ck FROM KS.t',
    ]) {
      expect(await at(state, other), other).toMatchObject(invalid);
    }
    expect(await at(state)).toMatchObject({ kind: 'rows' });
    // A malformed state is what Cassandra refuses in the same words.
    const direct = await sides.direct.query(sides.text(cql, 'direct'), {
      pageSize: 3,
      pagingState: Buffer.alloc(20, 7),
    });
    expect(direct).toMatchObject(invalid);
  });

  it('a paging state is not taken for other values or by another version', async () => {
    const id = await prepared(sides.proxy, sides.text('SELECT ck FROM KS.t WHERE pk = ?', 'proxy'));
    const first = await sides.proxy.execute(id, { values: [int(1)], pageSize: 3 });
    if (first.kind !== 'rows' || first.pagingState === null) throw new Error('no paging state');
    const { pagingState } = first;
    // Cassandra goes on in the other partition, or refuses: never may rows of the first come.
    const moved = await sides.proxy.execute(id, { values: [int(4)], pageSize: 30, pagingState });
    if (moved.kind === 'rows') expect(moved.rows.length).toBeLessThanOrEqual(14);
    else expect(moved).toMatchObject({ kind: 'error' });
    const list = new RawWriter().int(1).value(int(1)).done();
    expect(
      await sides.proxy.query(sides.text('SELECT ck FROM KS.t WHERE pk IN ?', 'proxy'), {
        values: [list],
        pageSize: 3,
        pagingState,
      }),
    ).toMatchObject({ kind: 'error', code: 0x0a });
    const old = await SideBySide.open(pair(), 'paging_v3', 3);
    try {
      const answer = await old.proxy.query(
        sides.text('SELECT ck FROM KS.t WHERE pk = 1', 'proxy'),
        { pageSize: 3, pagingState },
      );
      expect(answer).toMatchObject({ kind: 'error', code: 0x0a });
    } finally {
      old.close();
    }
  });
}
