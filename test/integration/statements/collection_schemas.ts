import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** CREATE and ALTER of tables and types with collections and user types that are not frozen. */
export function describeCollectionSchemas(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'collection_schemas');
    await sides.done('CREATE TYPE KS.pair (a int, b text)');
  });

  afterAll(() => {
    sides.close();
  });

  it('ALTER TYPE ADD and RENAME, with old values', async () => {
    await sides.done(
      'CREATE TYPE KS.grows (a int, b text)',
      'CREATE TABLE KS.g (pk int, ck int, s grows STATIC, u grows, f frozen<grows>, l list<frozen<grows>>, m map<int, frozen<grows>>, k set<frozen<grows>>, PRIMARY KEY (pk, ck))',
      "INSERT INTO KS.g (pk, ck, s, u, f, l, m, k) VALUES (1, 1, {a: 1}, {a: 1, b: 'b'}, {a: 1}, [{a: 1, b: 'x'}], {1: {a: 1}}, {{a: 1}, {b: 'x'}})",
    );
    // Elements of sets are read back with all fields: docs/compatibility.md. `k` is removed from by value and counted.
    const read = 'SELECT pk, ck, s, u, f, l, m, collection_count(k) FROM KS.g WHERE pk = 1';
    const prepared = await Promise.all(
      (['direct', 'proxy'] as const).map((side) => sides[side].prepare(sides.text(read, side))),
    );
    expect(prepared.map(({ kind }) => kind)).toEqual(['prepared', 'prepared']);
    await sides.same('ALTER TYPE KS.grows ADD c set<int>', { anyText: true });
    await sides.same(read);
    await sides.same('UPDATE KS.g SET u.c = {3, 1}, k = k - {{a: 1}} WHERE pk = 1 AND ck = 1', {
      anyText: true,
    });
    await sides.same(read);
    await sides.same('ALTER TYPE KS.grows RENAME b TO title');
    await sides.same(
      "UPDATE KS.g SET u.title = 'renamed' WHERE pk = 1 AND ck = 1 IF u.title = 'b'",
    );
    await sides.same(read);
    await sides.same('DROP TYPE KS.grows', { anyText: true });
    await sides.same(
      "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = 'KS' AND table_name = 'g'",
    );
  });

  it('ALTER TABLE ADD, DROP and ADD again', async () => {
    await sides.done('CREATE TABLE KS.a (pk int, ck int, v text, PRIMARY KEY (pk, ck))');
    const insert = 'INSERT INTO KS.a (pk, ck, l, m, u, sl) VALUES (1, 1, [1], {1: 1}, {a: 1}, {1})';
    for (const cql of [
      'ALTER TABLE KS.a ADD (l list<int>, m map<int, int>, u pair, sl set<int> static)',
      insert,
      'SELECT * FROM KS.a',
      'ALTER TABLE KS.a DROP l',
      'SELECT * FROM KS.a',
      'ALTER TABLE KS.a ADD l set<int>',
      'ALTER TABLE KS.a ADD l list<text>',
      'ALTER TABLE KS.a ADD l frozen<list<int>>',
      'ALTER TABLE KS.a ADD l text',
      'ALTER TABLE KS.a ADD l blob',
      'ALTER TABLE KS.a ADD l list<int> static',
      'ALTER TABLE KS.a ADD l list<blob>',
      'ALTER TABLE KS.a DROP m',
      'ALTER TABLE KS.a ADD m map<int, int>',
      'ALTER TABLE KS.a DROP u',
      'ALTER TABLE KS.a ADD u pair',
      'ALTER TABLE KS.a DROP v',
      'ALTER TABLE KS.a ADD v list<text>',
      'SELECT * FROM KS.a',
      'UPDATE KS.a SET m[1] = 2, u.a = 5, sl = sl + {2} WHERE pk = 1 AND ck = 1',
      'SELECT * FROM KS.a',
      'ALTER TABLE KS.a RENAME l TO other',
      "SELECT column_name, type, kind FROM system_schema.columns WHERE keyspace_name = 'KS' AND table_name = 'a'",
    ]) {
      await sides.same(cql, { anyText: true });
    }
  });

  it.each([
    'CREATE TABLE KS.x (pk list<int> PRIMARY KEY)',
    'CREATE TABLE KS.x (pk int, ck set<int>, PRIMARY KEY (pk, ck))',
    'CREATE TABLE KS.x (pk int, ck pair, PRIMARY KEY (pk, ck))',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, l list<list<int>>)',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, l list<pair>)',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, m map<duration, int>)',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, m set<duration>)',
    'CREATE TABLE KS.x (pk int PRIMARY KEY, m list<duration>)',
    'CREATE TABLE KS.y (pk int PRIMARY KEY, l list<int> STATIC)',
    'CREATE TABLE KS.y (pk int PRIMARY KEY, l list<counter>)',
    'CREATE TABLE KS.y (pk int PRIMARY KEY, u nope)',
    'CREATE TABLE KS.y (pk int PRIMARY KEY, m map<int, frozen<set<text>>>, u pair, t tuple<int, set<int>>)',
    'CREATE TYPE KS.inner_list (l list<int>)',
    'CREATE TABLE KS.z (pk int PRIMARY KEY, u inner_list)',
    'CREATE TABLE KS.z (pk int PRIMARY KEY, u frozen<inner_list>)',
    'CREATE TYPE KS.nested (p pair)',
    'CREATE TYPE KS.nested (p frozen<pair>)',
    "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = 'KS' AND table_name = 'y'",
  ])('%s', async (cql) => {
    await sides.same(cql, { anyWarning: true });
  });
}
