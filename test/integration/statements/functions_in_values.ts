import { afterAll, beforeAll, it } from 'vitest';
import { int, text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

/** Column, and a value that functions, arithmetic, casts or hints give it. */
const VALUES: readonly (readonly [column: string, value: string])[] = [
  ['i', '1 + 2 * 3'],
  ['i', '2147483647 + 1'],
  ['i', '-(3 + 4) / 2'],
  ['i', '(int) 5 % (int) 3'],
  ['i', 'abs(-5) + abs(-3)'],
  ['i', 'CAST(5.7 AS int)'],
  ['i', 'collection_sum({1, 2, 3})'],
  ['i', "from_json('5')"],
  ['b', '9223372036854775807 + 1'],
  ['b', 'abs(-5) * 2'],
  ['v', '100000000000000000000 * 100000000000000000000'],
  ['c', '10 / 3'],
  ['c', '1.1 * 3'],
  ['c', 'exp(1.0)'],
  ['c', 'log10(1000.0)'],
  ['d', '1 + 1.5'],
  ['d', 'exp(1)'],
  ['d', '1e308 * 10'],
  ['d', 'round(2.5)'],
  ['f', '1.5 / 0'],
  ['t', "'a' + 'b'"],
  ['t', 'to_json(1.10)'],
  ['t', "to_json({'a': 1})"],
  ['t', "mask_inner('abcdef', 1, 2)"],
  ['t', 'cast_as_text((timestamp) 0)'],
  ['x', 'int_as_blob(5)'],
  ['x', "mask_hash('abc')"],
  ['s', "'1970-01-31' + 1mo"],
  ['s', "floor((timestamp) '2020-05-17 12:34', 1h)"],
  ['a', "'2024-01-31' + 1mo"],
  ['a', "to_date((timestamp) '2024-02-29 23:59Z')"],
  ['l', '[1 + 1, abs(-2)]'],
  ['m', "map_values({'a': 1 + 1})"],
];

/** What Cassandra refuses; true where its text has a value that the proxy does not repeat. */
const REFUSED: readonly (readonly [column: string, value: string, anyText: boolean])[] = [
  ['i', '1 / 0', false],
  ['i', '1 % 0', false],
  ['c', '1.0 / 0', false],
  ['i', "1 + 'a'", true],
  ['i', 'abs(-5.5)', true],
  ['i', 'abs()', true],
  ['i', '(bigint) 5', true],
  ['i', 'sum(1)', false],
  ['i', "from_json('5.5')", true],
  ['i', "from_json('x')", true],
  ['t', "mask_inner('a')", false],
  ['t', "mask_hash('a', 'b')", false],
  ['a', "'1970-01-01' + 1h", true],
  ['c', 'log(-1.0)', false],
  ['i', 'to_json(5)', false],
];

/** Functions, arithmetic, casts and type hints where values are written and compared. */
export function describeFunctionsInValues(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'functions');
    await sides.done(
      'CREATE TABLE KS.t (k int PRIMARY KEY, i int, b bigint, v varint, c decimal, d double, f float, t text, x blob, s timestamp, a date, l frozen<list<int>>, m frozen<list<int>>)',
      'CREATE TABLE KS.r (k int, c text, v int, PRIMARY KEY (k, c))',
      "INSERT INTO KS.r (k, c, v) VALUES (1, 'ab', 1)",
      "INSERT INTO KS.r (k, c, v) VALUES (2, 'b', 2)",
    );
  });

  afterAll(() => {
    sides.close();
  });

  it.each(VALUES)('%s = %s', async (column, value) => {
    await sides.same(`INSERT INTO KS.t (k, ${column}) VALUES (1, ${value})`);
    await sides.same(`SELECT ${column} FROM KS.t WHERE k = 1`);
    await sides.same(`UPDATE KS.t SET ${column} = ${value} WHERE k = 2`);
    await sides.same(`SELECT ${column} FROM KS.t WHERE k = 2`);
  });

  it.each(REFUSED)('%s = %s is refused', async (column, value, anyText) => {
    await sides.same(`INSERT INTO KS.t (k, ${column}) VALUES (3, ${value})`, { anyText });
    await sides.same('SELECT * FROM KS.t WHERE k = 3');
  });

  it('keys and restrictions', async () => {
    await sides.same("SELECT * FROM KS.r WHERE k = 1 + 0 AND c = 'a' + 'b'");
    await sides.same("SELECT * FROM KS.r WHERE k IN (abs(-1), 1 + 1) AND c >= 'a' + ''");
    await sides.same("INSERT INTO KS.r (k, c, v) VALUES (2 + 1, 'c' + 'd', 3)");
    await sides.same("DELETE FROM KS.r WHERE k = 3 AND c = 'c' + 'd'");
    await sides.same('SELECT * FROM KS.r WHERE k = 3');
  });

  it('bound arguments', async () => {
    await sides.samePrepared('INSERT INTO KS.t (k, i) VALUES (?, ? + (int) ?)', [
      { values: [int(7), int(2), int(3)] },
      { values: [int(7), int(2), null] },
    ]);
    await sides.same('SELECT i FROM KS.t WHERE k = 7');
    await sides.samePrepared('INSERT INTO KS.t (k, t) VALUES (?, mask_inner(?, ?, 1))', [
      { values: [int(8), text('secret'), int(1)] },
    ]);
    await sides.samePrepared('UPDATE KS.t SET i = from_json(?) WHERE k = ?', [
      { values: [text('12'), int(8)] },
      { values: [text('null'), int(8)] },
    ]);
    await sides.same('SELECT i, t FROM KS.t WHERE k = 8');
    await sides.samePrepared('INSERT INTO KS.t (k, i) VALUES (1, ? + ?)', []);
  });
}
