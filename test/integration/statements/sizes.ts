import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RawValue } from '../../support/raw_codec.ts';
import { int } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** Longest text that fits as the only clustering column: ten bytes for each of its own, and 24 more, within 65,535. */
const CLUSTERING = 6_551;
/** Longest partition key of one component: 20 bytes are added. */
const PARTITION = 65_515;

/** Limits of keys and values: exact to the byte, refused before anything is written. */
export function describeSizes(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'sizes');
    await sides.done(
      'CREATE TABLE KS.c (pk int, ck text, v text, PRIMARY KEY (pk, ck))',
      'CREATE TABLE KS.c2 (pk int, a text, b text, v text, PRIMARY KEY (pk, a, b))',
      'CREATE TABLE KS.p (pk text PRIMARY KEY, v text)',
      'CREATE TABLE KS.p2 (a text, b text, v text, PRIMARY KEY ((a, b)))',
      'CREATE TABLE KS.v (pk int PRIMARY KEY, v blob)',
    );
  });

  afterAll(() => {
    sides.close();
  });

  async function proxy(cql: string, values: readonly RawValue[]) {
    return sides.proxy.query(sides.text(cql, 'proxy'), { values });
  }

  it(`a clustering text of ${String(CLUSTERING)} bytes`, async () => {
    const insert = "INSERT INTO KS.c (pk, ck, v) VALUES (1, ?, 'v')";
    const select = 'SELECT ck FROM KS.c WHERE pk = 1 AND ck = ?';
    for (const byte of [0x61, 0x7f, 0x00]) {
      const longest = Buffer.alloc(CLUSTERING, byte);
      const longer = Buffer.alloc(CLUSTERING + 1, byte);
      expect(await proxy(insert, [longest])).toMatchObject({ kind: 'void' });
      expect(await proxy(select, [longest])).toMatchObject({ kind: 'rows', rows: [[longest]] });
      for (const cql of [
        insert,
        select,
        'SELECT ck FROM KS.c WHERE pk = 1 AND ck > ?',
        "UPDATE KS.c SET v = 'x' WHERE pk = 1 AND ck = ?",
        'DELETE FROM KS.c WHERE pk = 1 AND ck = ?',
        "BEGIN BATCH INSERT INTO KS.c (pk, ck) VALUES (1, 'with it'); INSERT INTO KS.c (pk, ck) VALUES (1, ?); APPLY BATCH",
      ]) {
        const answer = await proxy(cql, [longer]);
        expect(answer, cql).toMatchObject({ kind: 'error', code: 0x2200 });
        expect(answer.kind === 'error' && answer.message, cql).toContain('6552 bytes');
        expect(answer.kind === 'error' && answer.message, cql).toContain('maximum of 65535');
      }
    }
    expect(await proxy("SELECT ck FROM KS.c WHERE pk = 1 AND ck = 'with it'", [])).toMatchObject({
      rows: [],
    });
  });

  it('the limit is of the sum of the clustering', async () => {
    const insert = "INSERT INTO KS.c2 (pk, a, b, v) VALUES (1, ?, ?, 'v')";
    const longest = (total: number) => [
      Buffer.alloc(1_000, 0x61),
      Buffer.alloc(total - 1_000, 0x62),
    ];
    let accepted = 0;
    for (let total = CLUSTERING - 20; total <= CLUSTERING + 2; total++) {
      const answer = await proxy(insert, longest(total));
      if (answer.kind === 'void') accepted = Math.max(accepted, total);
      else expect(answer).toMatchObject({ kind: 'error', code: 0x2200 });
    }
    expect(accepted).toBeGreaterThan(6_500);
    expect(await proxy(insert, longest(accepted + 1))).toMatchObject({
      kind: 'error',
      code: 0x2200,
    });
    const [a, b] = longest(accepted) as [Buffer, Buffer];
    expect(await proxy('SELECT a, b FROM KS.c2 WHERE pk = 1 AND a = ?', [a])).toMatchObject({
      kind: 'rows',
    });
    expect(
      await proxy('SELECT a, b FROM KS.c2 WHERE pk = 1 AND a = ? AND b = ?', [a, b]),
    ).toMatchObject({ kind: 'rows', rows: [[a, b]] });
  });

  it(`a partition key of ${String(PARTITION)} bytes`, async () => {
    const longest = Buffer.alloc(PARTITION, 0x61);
    const longer = Buffer.alloc(PARTITION + 1, 0x61);
    const insert = "INSERT INTO KS.p (pk, v) VALUES (?, 'v')";
    expect(await proxy(insert, [longest])).toMatchObject({ kind: 'void' });
    expect(await proxy('SELECT pk FROM KS.p WHERE pk = ?', [longest])).toMatchObject({
      rows: [[longest]],
    });
    for (const cql of [
      insert,
      'SELECT pk FROM KS.p WHERE pk = ?',
      "UPDATE KS.p SET v = 'x' WHERE pk = ?",
      'DELETE FROM KS.p WHERE pk = ?',
    ]) {
      const answer = await proxy(cql, [longer]);
      expect(answer, cql).toMatchObject({ kind: 'error', code: 0x2200 });
      expect(answer.kind === 'error' && answer.message, cql).toContain('65516 bytes');
    }
    const composite = "INSERT INTO KS.p2 (a, b, v) VALUES (?, ?, 'v')";
    let accepted = 0;
    for (let total = 65_470; total < 65_500; total++) {
      const answer = await proxy(composite, [
        Buffer.alloc(1_000, 0x61),
        Buffer.alloc(total - 1_000, 0x61),
      ]);
      if (answer.kind === 'void') accepted = total;
      else expect(answer).toMatchObject({ kind: 'error', code: 0x2200 });
    }
    expect(accepted).toBeGreaterThan(65_470);
  });

  it('keys that are too long for Cassandra itself are its own error', async () => {
    for (const cql of [
      "INSERT INTO KS.p (pk, v) VALUES (?, 'v')",
      "INSERT INTO KS.c (pk, ck, v) VALUES (1, ?, 'v')",
    ]) {
      const values = [Buffer.alloc(65_536, 0x61)];
      await sides.same(cql, { values, anyText: true });
    }
  });

  it('values of megabytes come back whole', async () => {
    for (const [pk, megabytes] of [
      [1, 1],
      [2, 7],
    ] as const) {
      const value = Buffer.alloc(megabytes * 1024 * 1024);
      for (let i = 0; i < value.length; i++) value[i] = (i * 31 + (i >> 9)) & 0xff;
      expect(await proxy('INSERT INTO KS.v (pk, v) VALUES (?, ?)', [int(pk), value])).toMatchObject(
        { kind: 'void' },
      );
      const answer = await proxy('SELECT v FROM KS.v WHERE pk = ?', [int(pk)]);
      if (answer.kind !== 'rows') throw new Error(JSON.stringify(answer));
      expect(answer.rows[0]?.[0]?.equals(value)).toBe(true);
    }
  });
}
