import { afterAll, beforeAll, it } from 'vitest';
import { text } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { SideBySide } from '../support/side_by_side.ts';

const KEY = '"k": 1, "c": "a"';

/** Texts that Cassandra takes. */
const TAKEN: readonly string[] = [
  `{${KEY}}`,
  `{${KEY}, "i": 5, "b": 9223372036854775807, "t": "x", "s": "static"}`,
  `{${KEY}, "i": "5", "d": "1.5", "n": "1.10", "f": 1.5}`,
  `{${KEY}, "i": null, "t": null}`,
  `{${KEY}, "n": 1.10, "v": 100000000000000000000}`,
  `{${KEY}, "ts": "2024-02-29 12:34:56.789Z", "da": "2024-02-29", "ti": "12:34:56.7", "du": "1y2mo"}`,
  `{${KEY}, "ts": 1709210096123, "x": "0xcafe", "ip": "::1"}`,
  `{${KEY}, "u": "123e4567-e89b-42d3-a456-426614174000", "bo": "true"}`,
  `{${KEY}, "l": [3, 1, 2], "st": ["b", "a", "b"], "m": {"1": "x", "-1": "y"}}`,
  `{${KEY}, "tu": [1, null], "ad": {"street": "s", "NUMBER": 5}, "ve": [1, 2.5, "3"]}`,
  `{${KEY}, "l": "[1, 2]"}`,
  `{${KEY}, "\\"Quoted Name\\"": "q", "T": "upper"}`,
  `{${KEY}, "i": 1, "i": 2}`,
  `{${KEY}, "d": 1e3, "t": "\\u00e9\\n\\"q\\""}`,
];

/** Texts that Cassandra refuses; true where its message has a value that the proxy does not repeat. */
const REFUSED: readonly (readonly [json: string, anyText: boolean])[] = [
  ['{"c": "a"}', false],
  ['{"k": 1}', false],
  ['{"k": 1, "c": null}', false],
  [`{${KEY}, "nothing": 1}`, false],
  [`{${KEY}, "Quoted Name": 1}`, false],
  [`{${KEY}, "i": "x"}`, true],
  [`{${KEY}, "i": 5.5}`, true],
  [`{${KEY}, "b": true}`, true],
  [`{${KEY}, "t": 5}`, true],
  [`{${KEY}, "du": "x"}`, true],
  [`{${KEY}, "l": [1, null]}`, false],
  [`{${KEY}, "m": {"1": null}}`, false],
  [`{${KEY}, "ad": {"nope": 1}}`, false],
  [`{${KEY}, "tu": [1]}`, true],
  [`{${KEY}, "ve": [1]}`, true],
  ['null', false],
  ['[1]', true],
  ['{', true],
  ['', true],
];

/** INSERT JSON, with literal and bound texts. */
export function describeJsonWrites(pair: () => Pair): void {
  let sides: SideBySide;

  beforeAll(async () => {
    sides = await SideBySide.open(pair(), 'json_writes');
    await sides.done(
      'CREATE TYPE KS.address (street text, number int)',
      'CREATE TABLE KS.t (k int, c text, s text STATIC, i int, b bigint, d double, f float, n decimal, v varint, t text, x blob, bo boolean, ts timestamp, da date, ti time, du duration, ip inet, u uuid, l frozen<list<int>>, st frozen<set<text>>, m frozen<map<int, text>>, tu tuple<int, text>, ad frozen<address>, ve vector<float, 3>, "Quoted Name" text, PRIMARY KEY (k, c))',
    );
  });

  afterAll(() => {
    sides.close();
  });

  const literal = (json: string): string => `'${json.replaceAll("'", "''")}'`;
  const read = 'SELECT * FROM KS.t WHERE k = 1';

  it.each(TAKEN)('%s', async (json) => {
    await sides.done('TRUNCATE KS.t');
    await sides.same(`INSERT INTO KS.t JSON ${literal(json)}`);
    await sides.same(read);
    await sides.samePrepared('INSERT INTO KS.t JSON ?', [{ values: [text(json)] }]);
    await sides.same(read);
    await sides.same('INSERT INTO KS.t JSON ? DEFAULT UNSET', { values: [text(json)] });
    await sides.same(read);
  });

  it.each(REFUSED)('%s is refused', async (json, anyText) => {
    await sides.done('TRUNCATE KS.t');
    await sides.same(`INSERT INTO KS.t JSON ${literal(json)}`, { anyText });
    await sides.samePrepared('INSERT INTO KS.t JSON ?', [{ values: [text(json)] }], { anyText });
    await sides.same(`INSERT INTO KS.t JSON ${literal(json)} DEFAULT UNSET`, { anyText });
    await sides.same(read);
  });

  it('DEFAULT NULL deletes what is not named, DEFAULT UNSET keeps it', async () => {
    await sides.done('TRUNCATE KS.t');
    await sides.same(`INSERT INTO KS.t JSON '{${KEY}, "i": 1, "t": "kept", "s": "kept"}'`);
    await sides.same(`INSERT INTO KS.t JSON '{${KEY}, "i": 2}' DEFAULT UNSET`);
    await sides.same(read);
    await sides.same(`INSERT INTO KS.t JSON '{${KEY}, "i": 3}' DEFAULT NULL`);
    await sides.same(read);
  });

  it('IF NOT EXISTS, TTL, TIMESTAMP and batches', async () => {
    await sides.done('TRUNCATE KS.t');
    await sides.same(`INSERT INTO KS.t JSON '{${KEY}, "i": 1}' IF NOT EXISTS`);
    await sides.same(`INSERT INTO KS.t JSON '{${KEY}, "i": 2}' IF NOT EXISTS`);
    await sides.same(
      `INSERT INTO KS.t JSON '{"k": 1, "c": "b", "i": 2}' USING TTL 1000 AND TIMESTAMP 5`,
    );
    await sides.same("SELECT writetime(i) FROM KS.t WHERE k = 1 AND c = 'b'");
    await sides.same(
      `BEGIN BATCH INSERT INTO KS.t JSON '{"k": 1, "c": "x"}'; INSERT INTO KS.t JSON '{"k": 1, "c": "y", "i": 7}'; APPLY BATCH`,
    );
    await sides.same(read);
  });

  it('a bound text that is null or unset', async () => {
    await sides.samePrepared('INSERT INTO KS.t JSON ?', [{ values: [null] }]);
  });

  it('a text with half of a surrogate pair is stored, and fails where its characters are needed', async () => {
    await sides.done('TRUNCATE KS.t');
    const half = Buffer.from('eda080', 'hex');
    await sides.same("INSERT INTO KS.t (k, c, t) VALUES (1, 'a', ?)", { values: [half] });
    await sides.same('SELECT t FROM KS.t WHERE k = 1');
    const json = Buffer.concat([Buffer.from(`{${KEY}, "t": "`), half, Buffer.from('"}')]);
    for (const [cql, values] of [
      ['SELECT JSON t FROM KS.t WHERE k = 1', []],
      ['SELECT to_json(t) FROM KS.t WHERE k = 1', []],
      ['SELECT mask_inner(t, 1, 0) FROM KS.t WHERE k = 1', []],
      ['INSERT INTO KS.t JSON ?', [json]],
      ["INSERT INTO KS.t (k, c, t) VALUES (1, 'a', from_json(?))", [half]],
    ] as const) {
      await sides.same(cql, { values: [...values], anyText: true });
    }
    await sides.same('SELECT t FROM KS.t WHERE k = 1');
  });
}
