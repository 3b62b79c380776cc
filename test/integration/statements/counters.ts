import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { RawClient } from '../../support/raw_client.ts';
import { bigint, int } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const ALL = 'SELECT pk, ck, s, c, d FROM KS.t';
const ROW = 'WHERE pk = 1 AND ck = 1';
const CLIENTS = 8;
const INCREMENTS = 125;

/** Counter tables: the same numbers, errors and metadata as Cassandra's own. */
export function describeCounters(pair: () => Pair): void {
  let sides: SideBySide;

  const unchanged = (): Promise<unknown> => sides.same(ALL, { anyOrder: true });

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'counters');
    await sides.done(
      'CREATE TABLE KS.t (pk int, ck int, s counter STATIC, c counter, d counter, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.k (pk int PRIMARY KEY, c counter)',
      'CREATE TABLE KS.u (pk int PRIMARY KEY, v int)',
    );
  });

  beforeEach(async () => {
    await sides.done(
      'TRUNCATE KS.t',
      'TRUNCATE KS.k',
      `UPDATE KS.t SET c = c + 5, d = d - 2 ${ROW}`,
      'UPDATE KS.t SET c = c + 7 WHERE pk = 1 AND ck = 2',
      'UPDATE KS.t SET s = s + 9 WHERE pk = 2',
    );
  });

  afterAll(() => {
    sides.close();
  });

  it.each([
    `UPDATE KS.t SET c = c + 1 ${ROW}`,
    `UPDATE KS.t SET c = c + 1, d = d - 2 ${ROW}`,
    `UPDATE KS.t SET c += 3 ${ROW}`,
    `UPDATE KS.t SET c -= 3 ${ROW}`,
    `UPDATE KS.t SET c = c + -4 ${ROW}`,
    `UPDATE KS.t SET c = c -4 ${ROW}`,
    `UPDATE KS.t SET c = c + 0 WHERE pk = 8 AND ck = 8`,
    `UPDATE KS.t SET c = c + 1, c = c + 10 ${ROW}`,
    `UPDATE KS.t SET s = s + 1 WHERE pk = 1`,
    `UPDATE KS.t SET s = s + 1, c = c + 1 ${ROW}`,
    `UPDATE KS.t SET s = s + 1, c = c + 1 WHERE pk = 9 AND ck = 9`,
    `UPDATE KS.t SET c = c + 9223372036854775807 ${ROW}`,
    `UPDATE KS.t SET c = c + -9223372036854775808 ${ROW}`,
    `UPDATE KS.t SET c = c - 9223372036854775807 ${ROW}`,
    'UPDATE KS.t SET c = c + 1, d = d + 1 WHERE pk IN (1, 2, 3) AND ck IN (1, 2)',
    'UPDATE KS.t SET s = s + 1 WHERE pk IN (1, 2, 3)',
    'UPDATE KS.k SET c = c + 1 WHERE pk = 5',
    `DELETE c FROM KS.t ${ROW}`,
    `DELETE c, d FROM KS.t ${ROW}`,
    `DELETE FROM KS.t ${ROW}`,
    'DELETE FROM KS.t WHERE pk = 77 AND ck = 1',
    'DELETE s FROM KS.t WHERE pk = 2',
    'DELETE FROM KS.t WHERE pk = 1',
    'DELETE FROM KS.t WHERE pk = 1 AND ck > 1',
    'DELETE FROM KS.t WHERE pk IN (1, 2) AND ck IN (1, 2)',
    `BEGIN COUNTER BATCH UPDATE KS.t SET c = c + 1 ${ROW}; UPDATE KS.t SET c = c + 10 ${ROW}; UPDATE KS.t SET d = d + 3 WHERE pk = 1 AND ck = 3; UPDATE KS.t SET s = s + 4 WHERE pk = 1; UPDATE KS.t SET s = s + 5 WHERE pk = 3; UPDATE KS.k SET c = c + 6 WHERE pk = 1; APPLY BATCH`,
    `BEGIN COUNTER BATCH UPDATE KS.t SET c = c + 1 ${ROW}; DELETE FROM KS.t WHERE pk = 1 AND ck = 2; APPLY BATCH`,
    'BEGIN COUNTER BATCH DELETE FROM KS.t WHERE pk = 1 AND ck = 2; DELETE FROM KS.t WHERE pk = 2; APPLY BATCH',
    `BEGIN UNLOGGED BATCH UPDATE KS.t SET c = c + 1 ${ROW}; APPLY BATCH`,
    'BEGIN COUNTER BATCH APPLY BATCH',
  ])('%s', async (cql) => {
    expect((await sides.same(cql))['kind']).toBe('void');
    await unchanged();
    await sides.same('SELECT * FROM KS.k');
    // Once more, on what the first one left.
    await sides.same(cql);
    await unchanged();
  });

  it.each([
    `INSERT INTO KS.t (pk, ck, c) VALUES (1, 1, 1)`,
    `INSERT INTO KS.t JSON '{"pk": 1, "ck": 1, "c": 1}'`,
    `UPDATE KS.t SET c = null ${ROW}`,
    `UPDATE KS.t SET c = c + null ${ROW}`,
    `UPDATE KS.t SET c = 5 ${ROW}`,
    `UPDATE KS.t SET c = c - -9223372036854775808 ${ROW}`,
    `UPDATE KS.t SET c[1] = 5 ${ROW}`,
    `UPDATE KS.t USING TTL 5 SET c = c + 1 ${ROW}`,
    `UPDATE KS.t USING TIMESTAMP 5 SET c = c + 1 ${ROW}`,
    `UPDATE KS.t USING TIMESTAMP 5 AND TTL 5 SET c = c + 1 ${ROW}`,
    `DELETE FROM KS.t USING TIMESTAMP 5 ${ROW}`,
    `UPDATE KS.t SET c = c + 1 ${ROW} IF c = 5`,
    `UPDATE KS.t SET c = c + 1 ${ROW} IF EXISTS`,
    `DELETE FROM KS.t ${ROW} IF EXISTS`,
    `DELETE c FROM KS.t ${ROW} IF c = 5`,
    `UPDATE KS.t SET pk = 5 ${ROW}`,
    `UPDATE KS.t SET nope = nope + 5 ${ROW}`,
    'UPDATE KS.t SET c = c + 1 WHERE pk = 1',
    'UPDATE KS.t SET c = c + 1 WHERE ck = 1',
    'UPDATE KS.t SET s = s + 1 WHERE pk = 1 AND ck = 1',
    `UPDATE KS.u SET v = v + 1 WHERE pk = 1`,
    `UPDATE KS.u SET v = v - 1 WHERE pk = 1`,
    `BEGIN BATCH UPDATE KS.t SET c = c + 1 ${ROW}; APPLY BATCH`,
    `BEGIN BATCH UPDATE KS.t SET c = c + 1 ${ROW}; UPDATE KS.u SET v = 1 WHERE pk = 1; APPLY BATCH`,
    `BEGIN UNLOGGED BATCH UPDATE KS.t SET c = c + 1 ${ROW}; UPDATE KS.u SET v = 1 WHERE pk = 1; APPLY BATCH`,
    `BEGIN COUNTER BATCH UPDATE KS.t SET c = c + 1 ${ROW}; UPDATE KS.u SET v = 1 WHERE pk = 1; APPLY BATCH`,
    'BEGIN COUNTER BATCH UPDATE KS.u SET v = 1 WHERE pk = 1; APPLY BATCH',
    `BEGIN COUNTER BATCH USING TIMESTAMP 5 UPDATE KS.t SET c = c + 1 ${ROW}; APPLY BATCH`,
    `BEGIN UNLOGGED BATCH USING TIMESTAMP 5 UPDATE KS.t SET c = c + 1 ${ROW}; APPLY BATCH`,
    'CREATE TABLE KS.x (pk int PRIMARY KEY, c counter, v int)',
    'CREATE TABLE KS.x (pk counter PRIMARY KEY, c int)',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, c list<counter>)',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, c counter) WITH default_time_to_live = 5',
    'ALTER TABLE KS.t ADD v int',
    'ALTER TABLE KS.u ADD c counter',
    'ALTER TABLE KS.t WITH default_time_to_live = 5',
  ])('refused as by Cassandra: %s', async (cql) => {
    // Cassandra prints the values of an operation that does not fit.
    const anyText = /c\[1\]|SET v = v/.test(cql);
    expect((await sides.same(cql, { anyText }))['kind']).toBe('error');
    await unchanged();
  });

  it.each([
    ['UPDATE KS.t SET c = c + 1 WHERE pk = 1 AND ck = 1', 0],
    ['UPDATE KS.t SET c = c + 1 WHERE pk = 1 AND ck = 1', 8],
    ['UPDATE KS.t SET c = c + 1 WHERE pk = 1 AND ck = 1', 9],
    ['UPDATE KS.t SET c = c + 1 WHERE pk = 1 AND ck = 1', 4],
  ])('%s at consistency %i', async (cql, consistency) => {
    await sides.same(cql, { consistency });
    await unchanged();
  });

  it('prepared, with metadata and all kinds of values', async () => {
    await sides.samePrepared('UPDATE KS.t SET c = c + ?, d = d - ? WHERE pk = ? AND ck = ?', [
      { values: [bigint(3n), bigint(4n), int(1), int(1)] },
      { values: [bigint(3n), bigint(4n), int(6), int(6)] },
      { values: ['unset', bigint(1n), int(1), int(1)] },
      { values: ['unset', 'unset', int(1), int(1)] },
      { values: [null, bigint(1n), int(1), int(1)] },
      { values: [bigint(1n), bigint(-(2n ** 63n)), int(1), int(1)] },
    ]);
    await sides.samePrepared('SELECT c, d, s FROM KS.t WHERE pk = ?', [{ values: [int(1)] }]);
    await sides.samePrepared('UPDATE KS.t USING TTL ? SET c = c + 1 WHERE pk = 1 AND ck = 1', [
      { values: [int(3)] },
    ]);
    await unchanged();
  });

  it('batches as messages, of ids and of texts', async () => {
    for (const type of [0, 1, 2] as const) {
      const answers = await Promise.all(
        (['direct', 'proxy'] as const).map(async (side) => {
          const client = sides[side];
          const cql = sides.text('UPDATE KS.t SET c = c + ? WHERE pk = ? AND ck = ?', side);
          const prepared = await client.prepare(cql);
          if (prepared.kind !== 'prepared') throw new Error(prepared.kind);
          return client.batch(type, [
            { statement: prepared.id, values: [bigint(20n), int(1), int(1)] },
            {
              statement: sides.text('UPDATE KS.t SET c = c + 300 WHERE pk = 1 AND ck = 1', side),
              values: [],
            },
            { statement: prepared.id, values: [bigint(1n), int(4), int(1)] },
          ]);
        }),
      );
      const [direct, proxy] = answers;
      if (direct === undefined || proxy === undefined) throw new Error('no answer');
      sides.compare(`batch of type ${String(type)}`, {}, direct, proxy);
      await unchanged();
    }
  });

  it('schema: added, dropped and shown as counters', async () => {
    await sides.done('CREATE TABLE KS.a (pk int PRIMARY KEY, c counter)');
    await sides.done('UPDATE KS.a SET c = c + 1 WHERE pk = 1');
    await sides.done('ALTER TABLE KS.a ADD d counter');
    await sides.done('UPDATE KS.a SET d = d + 5 WHERE pk = 1');
    await sides.same('SELECT * FROM KS.a');
    await sides.done('ALTER TABLE KS.a DROP c');
    await sides.same('ALTER TABLE KS.a ADD c counter');
    await sides.same('ALTER TABLE KS.a ADD c int');
    await sides.same('ALTER TABLE KS.a ADD c blob');
    await sides.same('SELECT * FROM KS.a');
    await sides.done('ALTER TABLE KS.a DROP d');
    await sides.same('ALTER TABLE KS.a ADD e int');
    await sides.same('INSERT INTO KS.a (pk) VALUES (1)');
    for (const side of ['direct', 'proxy'] as const) {
      const answer = await sides[side].query(
        sides.text(
          "SELECT flags FROM system_schema.tables WHERE keyspace_name = 'KS' AND table_name = 't'",
          side,
        ),
      );
      expect(answer.kind === 'rows' && answer.rows[0]?.[0]?.toString('utf8')).toContain('counter');
    }
  });

  it(`${String(CLIENTS * INCREMENTS)} increments from ${String(CLIENTS)} clients are all there`, async () => {
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => RawClient.connect(pair().proxy)),
    );
    const table = sides.text('KS.k', 'proxy');
    await Promise.all(
      clients.map(async (client) => {
        for (let done = 0; done < INCREMENTS; done++) {
          const answer = await client.query(`UPDATE ${table} SET c = c + 1 WHERE pk = 1`);
          if (answer.kind === 'error') throw new Error(answer.message);
        }
      }),
    );
    const end = await clients[0]?.query(`SELECT c FROM ${table} WHERE pk = 1`);
    for (const client of clients) client.close();
    expect(end?.kind === 'rows' ? end.rows[0]?.[0]?.readBigInt64BE(0) : end).toBe(
      BigInt(CLIENTS * INCREMENTS),
    );
  });

  it('what is stored is no number, and a counter moved to another row is an error', async () => {
    const stored = sides.text('counters_enc.t', 'proxy');
    const read = await sides.direct.query(`SELECT pk, ck, c, d, s FROM ${stored}`);
    if (read.kind !== 'rows') throw new Error(read.kind);
    for (const [, , c, d, s] of read.rows) {
      for (const cell of [c, d, s]) {
        if (cell === null || cell === undefined) continue;
        expect(cell.length).toBe(36);
        expect(cell[0]).toBe(0xc1);
      }
    }
    const [first, second] = read.rows.filter(([, , c]) => c !== null);
    if (first === undefined || second === undefined) throw new Error('no rows');
    const moved = await sides.direct.query(`UPDATE ${stored} SET c = ? WHERE pk = ? AND ck = ?`, {
      values: [first[2] ?? null, second[0] ?? null, second[1] ?? null],
    });
    expect(moved.kind).toBe('void');
    for (const cql of [
      'SELECT c FROM counters_enc.t WHERE pk = 1',
      'UPDATE counters_enc.t SET c = c + 1 WHERE pk = 1 AND ck IN (1, 2)',
    ]) {
      const answer = await sides.proxy.query(cql);
      expect(answer).toMatchObject({ kind: 'error', code: 0 });
    }
  });
}
