import { afterAll, beforeAll, it } from 'vitest';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** Corners where values that are equal have several forms, and rules of Cassandra's that it no longer sees in what is stored. */
export function describeCorners(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'corners');
    await sides.done(
      'CREATE TYPE KS.u (a int, b text)',
      'CREATE TABLE KS.d (k decimal, j int, v int, PRIMARY KEY (k, j))',
      'CREATE TABLE KS.dd (a decimal, b int, v int, PRIMARY KEY ((a, b)))',
      'CREATE TABLE KS.t (k int, c frozen<tuple<int, text>>, e frozen<list<frozen<u>>>, v int, PRIMARY KEY (k, c, e)) WITH CLUSTERING ORDER BY (c DESC, e ASC)',
      'CREATE TABLE KS.s (k int, c frozen<set<decimal>>, v int, PRIMARY KEY (k, c))',
      'CREATE TABLE KS.b (k int, c int, v int, PRIMARY KEY (k, c))',
      'CREATE TABLE KS.n (k int PRIMARY KEY, c counter)',
      'CREATE TABLE KS.f (k int PRIMARY KEY, d double, e decimal)',
      'CREATE TABLE KS.m (p frozen<map<int, text>>, c int, v int, PRIMARY KEY (p, c))',
      'CREATE TABLE KS.mm (p frozen<map<int, text>>, q int, c int, v int, PRIMARY KEY ((p, q), c))',
      "INSERT INTO KS.m (p, c, v) VALUES ({1: 'a'}, 1, 1)",
      "INSERT INTO KS.mm (p, q, c, v) VALUES ({1: 'a'}, 1, 1, 1)",
    );
    for (const [at, k] of ['1', '1.0', '1.00', '2.0'].entries()) {
      await sides.done(`INSERT INTO KS.d (k, j, v) VALUES (${k}, 0, ${String(at)})`);
      await sides.done(`INSERT INTO KS.dd (a, b, v) VALUES (${k}, 0, ${String(at)})`);
    }
    await sides.done(
      'INSERT INTO KS.dd (a, b, v) VALUES (1.0, 1, 9)',
      "INSERT INTO KS.t (k, c, e, v) VALUES (1, (1, null), [{a: 1}, {b: 'x'}], 1)",
      "INSERT INTO KS.t (k, c, e, v) VALUES (1, (2, 'x'), [], 2)",
      "INSERT INTO KS.t (k, c, e, v) VALUES (1, (null, 'y'), [{a: null}], 3)",
      'INSERT INTO KS.s (k, c, v) VALUES (1, {1.0}, 1)',
      'INSERT INTO KS.s (k, c, v) VALUES (1, {2, 3.5}, 2)',
      'INSERT INTO KS.b (k, c, v) VALUES (1, 1, 1)',
    );
  });

  afterAll(() => {
    sides.close();
  });

  it('IN on a partition key takes the first of the values that are equal', async () => {
    for (const cql of [
      'SELECT * FROM KS.d WHERE k IN (1, 1.0, 1.00)',
      'SELECT * FROM KS.d WHERE k IN (1.00, 2.0, 1, 1.0)',
      'SELECT * FROM KS.d WHERE k IN (2, 1.00, 2.0, 1.0)',
      'SELECT * FROM KS.dd WHERE a IN (1.0, 1) AND b IN (1, 0, 1)',
      'SELECT * FROM KS.dd WHERE a IN (1, 1.0) AND b IN (1, 0)',
      'UPDATE KS.d SET v = 7 WHERE k IN (1.00, 1) AND j = 0',
      'DELETE FROM KS.d WHERE k IN (1.0, 1.00)',
    ]) {
      await sides.same(cql);
    }
    await sides.same('SELECT * FROM KS.d', { anyOrder: true });
  });

  it('tuples and user types of clustering columns have all their fields', async () => {
    for (const cql of [
      'SELECT * FROM KS.t WHERE k = 1',
      'SELECT * FROM KS.t WHERE k = 1 ORDER BY c ASC',
      'SELECT JSON * FROM KS.t WHERE k = 1',
      'SELECT c, e FROM KS.t WHERE k = 1 AND c = (1, null)',
      "SELECT c, e, v FROM KS.t WHERE k = 1 AND c = (1, null) AND e = [{a: 1}, {b: 'x'}]",
      'SELECT c, count(*) FROM KS.t WHERE k = 1 GROUP BY c',
      'UPDATE KS.t SET v = 5 WHERE k = 1 AND c = (1, null) AND e = [{a: 1}] IF v = 1',
      "UPDATE KS.t SET v = 5 WHERE k = 1 AND c = (1, null) AND e = [{a: 1}, {b: 'x'}] IF EXISTS",
    ]) {
      await sides.same(cql);
    }
    await sides.same('SELECT * FROM KS.t WHERE v > 1 ALLOW FILTERING', { pageSize: 1 });
  });

  it('CONTAINS finds an element of a clustering column that has another form than it is read back in', async () => {
    for (const value of ['1.0', '3.5', '4']) {
      await sides.same(`SELECT v FROM KS.s WHERE k = 1 AND c CONTAINS ${value} ALLOW FILTERING`);
    }
  });

  it('CONTAINS on a partition key needs ALLOW FILTERING', async () => {
    for (const where of ["p CONTAINS 'a'", 'p CONTAINS KEY 1', 'c <= 1 AND p CONTAINS KEY 1']) {
      for (const table of ['m', 'mm']) {
        await sides.same(`SELECT c FROM KS.${table} WHERE ${where}`);
        await sides.same(`SELECT c FROM KS.${table} WHERE ${where} PER PARTITION LIMIT 1`);
        await sides.same(`SELECT c FROM KS.${table} WHERE ${where} ALLOW FILTERING`);
      }
    }
  });

  it('a batch with conditions takes no IN on clustering columns, in any of its statements', async () => {
    for (const other of [
      'UPDATE KS.b SET v = 3 WHERE k = 1 AND c IN (5, 6)',
      'DELETE FROM KS.b WHERE k = 1 AND c IN (1)',
    ]) {
      await sides.same(
        `BEGIN BATCH UPDATE KS.b SET v = 2 WHERE k = 1 AND c = 1 IF EXISTS; ${other}; APPLY BATCH`,
      );
    }
    await sides.same('SELECT * FROM KS.b WHERE k = 1');
  });

  it('the largest page size is none', async () => {
    const cql = 'SELECT * FROM KS.b WHERE k IN (1, 2) ORDER BY c DESC';
    await sides.same(cql, { pageSize: 2_147_483_647 });
    await sides.same(cql, { pageSize: 2_147_483_646 });
    await sides.same(cql.replace('ORDER', 'AND v > 0 ORDER') + ' ALLOW FILTERING', {
      pageSize: 2_147_483_647,
    });
  });

  it('refuses what Cassandra refuses, with its code', async () => {
    for (const cql of [
      'CREATE INDEX ON KS.n (c)',
      'ALTER TABLE KS.b WITH id = 5a1c395e-b41f-11e5-9f22-ba0be0483c18',
      'CREATE TABLE system.x (a int PRIMARY KEY)',
    ]) {
      await sides.same(cql);
    }
    for (const value of ['1.8E308', '-1E999']) {
      await sides.same(`INSERT INTO KS.f (k, d) VALUES (1, ${value})`, { anyText: true });
      await sides.same(`INSERT INTO KS.f (k, e) VALUES (1, ${value})`, { anyText: true });
    }
  });
}
