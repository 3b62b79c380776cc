import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStatement, statementShape } from '../../src/cql/index.ts';
import { CqlSyntaxError } from '../../src/errors/index.ts';

/** Constants by the letter that a template holds for them. */
const CONSTANTS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  s: fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => `'${text.replaceAll("'", "''")}'`),
    fc.constantFrom(`'--'`, `'/*'`, `'$s'`, `'#1 a'`, "$$it's$$", `''`),
  ),
  i: fc.bigInt().map(String),
  f: fc.constantFrom('1.5', '-2e10', '1.', 'NaN', '-Infinity', 'infinity', '-nan'),
  b: fc.constantFrom('true', 'FALSE'),
  u: fc.uuid(),
  h: fc.uint8Array().map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`),
  d: fc.constantFrom('1h30m', 'P1Y', '-PT5M', 'P3W', '5ns'),
};

const TEMPLATES = [
  'INSERT INTO ks.t (a, "B", c) VALUES (~s, ~i, [~f, ~u]) IF NOT EXISTS USING TTL ~i AND TIMESTAMP ~i',
  'INSERT INTO t (a) VALUES ({~s : {~b, ~h}, ~s : {x: ~d}})',
  'INSERT INTO t (a) VALUES (~s)',
  'INSERT INTO t JSON ~s DEFAULT UNSET',
  'SELECT a, f(~s), m[~s], l[~i..~i], (int) ~i FROM t WHERE a = ~u AND b IN (~s, ~s) AND m[~s] < ~s LIMIT ~i',
  'SELECT ~s AS x, count(~i) FROM t WHERE a = (~s) AND (a, b) > (~i, ~s) AND c < ~s AND d > ~i',
  'SELECT a FROM t WHERE list < ~s AND frozen > ~i ORDER BY v ANN OF [~f, ~f] ALLOW FILTERING',
  'UPDATE t SET a = a + ~i, b[~s] = ~s, c = {~i} + c WHERE k = ~u IF d != ~s AND e IN (~h)',
  'DELETE m[~s] FROM t USING TIMESTAMP ~i WHERE k = ~i',
  'BEGIN BATCH INSERT INTO t (a) VALUES (~s) INSERT INTO t (a) VALUES (~i); APPLY BATCH',
];

function filled(template: string): fc.Arbitrary<{ text: string; letters: string[] }> {
  const parts = template.split(/~([sifbuhd])/);
  const letters = parts.filter((_, index) => index % 2 === 1);
  const constants = letters.map((letter) => CONSTANTS[letter] ?? fc.constant(''));
  return fc.tuple(...constants).map((values) => ({
    text: parts.map((part, index) => (index % 2 === 1 ? values[(index - 1) / 2] : part)).join(''),
    letters,
  }));
}

/** The tree without spans and texts of constants. */
function skeleton(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(skeleton);
  if (typeof value !== 'object' || value === null) return value;
  const isConstant = 'kind' in value && value.kind === 'constant' && 'type' in value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'span' && !(isConstant && key === 'text'))
      .map(([key, inner]) => [key, skeleton(inner)]),
  );
}

/** Changes case, spaces and comments outside quotes, which the shape must not see. */
function respaced(text: string): string {
  return ` /* '?' */\n${text.replace(/^\w+ /, (word) => `${word.toLowerCase()}-- "\n\t`)} // end\r`;
}

describe('statement shapes', () => {
  it.each(TEMPLATES)('do not depend on constants: %s', (template) => {
    fc.assert(
      fc.property(filled(template), filled(template), (one, two) => {
        const first = parseStatement(one.text);
        const second = parseStatement(two.text);
        expect(first.shape).toBe(second.shape);
        expect(skeleton(first.statement)).toEqual(skeleton(second.statement));
        const types = first.constants.map(({ type }) => type.charAt(0));
        expect(types).toEqual(one.letters);
        expect(statementShape(respaced(one.text))).toEqual(statementShape(one.text));
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['SELECT a FROM t', 'SELECT "a" FROM t'],
    ['SELECT a FROM t', 'SELECT b FROM t'],
    ['SELECT "A" FROM t', 'SELECT "a" FROM t'],
    ['SELECT "aé" FROM t', 'SELECT "aè" FROM t'],
    ['SELECT :a FROM t', 'SELECT :b FROM t'],
    ['SELECT ? FROM t', 'SELECT 1 FROM t'],
    ["SELECT '1' FROM t", 'SELECT 1 FROM t'],
    ['SELECT a -b FROM t', 'SELECT a + b FROM t'],
    ['SELECT a - 1 FROM t', 'SELECT a + 1 FROM t'],
    ['SELECT (vector<float, 3>) a FROM t', 'SELECT (vector<float, 4>) a FROM t'],
    ["SELECT ('A') a FROM t", "SELECT ('B') a FROM t"],
    ["SELECT (list<'A'>) a FROM t", "SELECT (list<'B'>) a FROM t"],
    [
      "SELECT (tuple<int, 'A', map<int, 'C'>>) a FROM t",
      "SELECT (tuple<int, 'B', map<int, 'C'>>) a FROM t",
    ],
    ["SELECT a FROM t WHERE a = ('A') [1]", "SELECT a FROM t WHERE a = ('B') [1]"],
    ["INSERT INTO t (a) VALUES (('A') 1)", "INSERT INTO t (a) VALUES (('B') 1)"],
    ['SELECT a FROM t WHERE a < 1', 'SELECT a FROM t WHERE a <= 1'],
  ])('tell %s from %s', (one, two) => {
    expect(statementShape(one).shape).not.toBe(statementShape(two).shape);
  });

  it('grow beyond the kept buffer', () => {
    const values = Array.from({ length: 40_000 }, () => 'now()').join(', ');
    const text = `INSERT INTO t (a) VALUES ([${values}])`;
    expect(statementShape(text).shape).toContain('now ()');
    expect(statementShape(text).shape.length).toBeGreaterThan(200_000);
  });
});

describe('the parser', () => {
  const words = [
    ...'SELECT INSERT UPDATE DELETE BEGIN BATCH APPLY CREATE ALTER DROP TABLE KEYSPACE TYPE ROLE USER INTO VALUES'.split(
      ' ',
    ),
    ...'FROM WHERE SET IF NOT EXISTS AND IN USING TTL TIMESTAMP JSON DISTINCT AS CAST TOKEN COUNT LIMIT ORDER BY'.split(
      ' ',
    ),
    ...'CONTAINS KEY LIKE IS NULL PRIMARY STATIC WITH GRANT REVOKE ON TO ALL PERMISSIONS LIST DESCRIBE a b ks t'.split(
      ' ',
    ),
    ...'int list map vector frozen ( ( ) ) [ ] { } , , . .. ; : ? = < > <= >= != + - * / % += -= expr('.split(
      ' ',
    ),
    ...`1 -1 2.5 true 'x' "Q" "" 0xff 1h NaN 123e4567-e89b-12d3-a456-426614174000`.split(' '),
  ];

  it('returns or throws CqlSyntaxError for any tokens', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }), (tokens) => {
        parsesOrRefuses(tokens.join(' '));
      }),
      { numRuns: 3_000 },
    );
  });

  it('returns or throws CqlSyntaxError for statements with tokens changed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TEMPLATES).chain((template) => filled(template)),
        fc.nat(),
        fc.constantFrom(...words, ''),
        ({ text }, at, word) => {
          const tokens = text.split(' ');
          tokens[at % tokens.length] = word;
          parsesOrRefuses(tokens.join(' '));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('returns or throws CqlSyntaxError for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        parsesOrRefuses(text);
      }),
      { numRuns: 1_000 },
    );
  });
});

function parsesOrRefuses(text: string): void {
  try {
    const parsed = parseStatement(text);
    const { shape, constants } = statementShape(text);
    expect(parsed.shape).toBe(shape);
    expect(parsed.constants).toHaveLength(constants.length);
    const { span } = parsed.statement;
    expect(span.start >= 0 && span.end <= text.length && span.start < span.end).toBe(true);
  } catch (error) {
    expect(error).toBeInstanceOf(CqlSyntaxError);
  }
}
