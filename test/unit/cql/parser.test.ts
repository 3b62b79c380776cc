import { describe, expect, it } from 'vitest';
import { editText, parseStatement, quoteIdentifier, quoteString } from '../../../src/cql/index.ts';
import type { Identifier, Statement } from '../../../src/cql/index.ts';
import { CqlSyntaxError, InternalError } from '../../../src/errors/index.ts';

const KS = expect.objectContaining({ text: 'ks' }) as unknown as Identifier;

/** The tree without spans. */
function tree(text: string): unknown {
  return withoutSpans(parseStatement(text).statement);
}

function withoutSpans(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSpans);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'span')
      .map(([key, inner]) => [key, withoutSpans(inner)]),
  );
}

const name = (text: string, quoted = false): unknown => ({ text, quoted });
const constant = (type: string, text: string, index: number): unknown => ({
  kind: 'constant',
  type,
  text,
  index,
});
const table = (text: string, keyspace?: string): unknown => ({
  keyspace: keyspace === undefined ? undefined : name(keyspace),
  name: name(text),
});

describe('INSERT', () => {
  it('keeps columns, values, TTL and the order of markers', () => {
    const parsed = parseStatement(
      `INSERT INTO Ks.T (A, "B") VALUES ('it''s', {x: ?}) IF NOT EXISTS USING TTL :t`,
    );
    expect(withoutSpans(parsed.statement)).toEqual({
      kind: 'insert',
      table: table('t', 'ks'),
      columns: [name('a'), name('B', true)],
      values: [
        constant('string', "it's", 0),
        { kind: 'udt', fields: [{ name: name('x'), value: { kind: 'bind', index: 0 } }] },
      ],
      json: undefined,
      ifNotExists: true,
      using: { ttl: { kind: 'bind', index: 1, name: 't' }, timestamp: undefined },
    });
    expect(parsed.constants).toHaveLength(1);
    expect(parsed.bindMarkers.map((marker) => marker.name)).toEqual([undefined, 't']);
  });

  it('spans the text of nodes', () => {
    const text = `/* c */ INSERT INTO t (a) VALUES ('x') ;`;
    const { statement, constants } = parseStatement(text);
    expect(text.slice(statement.span.start, statement.span.end)).toBe(
      `INSERT INTO t (a) VALUES ('x')`,
    );
    const span = constants[0]?.span;
    expect(text.slice(span?.start, span?.end)).toBe(`'x'`);
  });

  it.each([
    ['1', 'integer', '1'],
    ['-12', 'integer', '-12'],
    ['1.5e-3', 'float', '1.5e-3'],
    ['1.', 'float', '1.'],
    ['nan', 'float', 'NaN'],
    ['-NaN', 'float', 'NaN'],
    ['INFINITY', 'float', 'Infinity'],
    ['-infinity', 'float', '-Infinity'],
    ['TRUE', 'boolean', 'TRUE'],
    ['0xCAFE', 'hex', '0xCAFE'],
    ['0x', 'hex', '0x'],
    ['1h30m', 'duration', '1h30m'],
    ['-P1Y2MT3S', 'duration', '-P1Y2MT3S'],
    ['P0001-01-01T01:02:03', 'duration', 'P0001-01-01T01:02:03'],
    ['123e4567-e89b-12d3-a456-426614174000', 'uuid', '123e4567-e89b-12d3-a456-426614174000'],
    ['deadbeef-e89b-12d3-a456-426614174000', 'uuid', 'deadbeef-e89b-12d3-a456-426614174000'],
    [`$$a'b$$`, 'string', `a'b`],
    [`''''`, 'string', `'`],
    [`''`, 'string', ''],
  ])('reads the constant %s', (written, type, text) => {
    expect(tree(`INSERT INTO t (a) VALUES (${written})`)).toMatchObject({
      values: [constant(type, text, 0)],
    });
  });
});

describe('UPDATE', () => {
  it('tells the forms of assignments apart', () => {
    expect(
      tree(
        `UPDATE t SET a = 1, b = b + 2, c = c -3, d = [4] + d, e['k'] = 5, f.g = 6, h -= 7 WHERE k = 8`,
      ),
    ).toMatchObject({
      assignments: [
        { kind: 'set', column: name('a'), value: { text: '1' } },
        { kind: 'operation', operator: '+', column: name('b'), value: { text: '2' } },
        { kind: 'operation', operator: '+', column: name('c'), value: { text: '-3' } },
        { kind: 'prepend', column: name('d'), value: { kind: 'list' } },
        { kind: 'set_element', column: name('e'), key: { text: 'k' }, value: { text: '5' } },
        { kind: 'set_field', column: name('f'), field: name('g'), value: { text: '6' } },
        { kind: 'operation', operator: '-', column: name('h'), value: { text: '7' } },
      ],
      where: [{ kind: 'comparison', operator: '=', value: { text: '8' } }],
    });
  });

  it('reads conditions', () => {
    expect(
      tree(
        `UPDATE t SET a = 1 WHERE k = 1 IF b = 2 AND m['x'] IN (3) AND u.f IN ? AND c CONTAINS KEY 4`,
      ),
    ).toMatchObject({
      ifExists: false,
      conditions: [
        { column: name('b'), operator: '=', value: { text: '2' } },
        { column: name('m'), key: { text: 'x' }, operator: 'IN', value: [{ text: '3' }] },
        { column: name('u'), field: name('f'), operator: 'IN', value: { kind: 'bind', index: 0 } },
        { column: name('c'), operator: 'CONTAINS KEY', value: { text: '4' } },
      ],
    });
  });
});

describe('SELECT', () => {
  const selectors = (text: string): unknown =>
    (tree(`SELECT ${text} FROM t`) as { selectors: { expression: unknown }[] }).selectors.map(
      ({ expression }) => expression,
    );

  it.each<[string, unknown]>([
    ['a', { kind: 'column', name: name('a') }],
    ['count(*)', { kind: 'count_rows' }],
    ['COUNT(1)', { kind: 'count_rows' }],
    ['a.b', { kind: 'field', field: name('b') }],
    ['ks.f(a)', { kind: 'function', keyspace: 'ks', name: 'f' }],
    [`m['a'..]`, { kind: 'slice', from: { text: 'a' }, to: undefined }],
    ['(int) a', { kind: 'type_hint', value: { kind: 'column' } }],
    ['(a)', { kind: 'tuple', items: [{ kind: 'column' }] }],
    ['{a: 1}', { kind: 'udt' }],
    ['{1: a}', { kind: 'map' }],
    ['-a', { kind: 'negate', value: { kind: 'column' } }],
    ['cast(a AS text)', { kind: 'cast' }],
    [`ttl(m['a'])`, { kind: 'metadata', function: 'ttl', value: { kind: 'element' } }],
  ])('reads the selector %s', (text, expected) => {
    expect(selectors(text)).toMatchObject([expected]);
  });

  it('binds * before +', () => {
    expect(selectors('a + b * c - d')).toMatchObject([
      {
        operator: '-',
        left: { operator: '+', right: { operator: '*' } },
        right: { kind: 'column', name: name('d') },
      },
    ]);
  });

  it('tells JSON and DISTINCT from columns of these names', () => {
    expect(tree('SELECT JSON DISTINCT a FROM t')).toMatchObject({ json: true, distinct: true });
    expect(tree('SELECT json, distinct FROM t')).toMatchObject({ json: false, distinct: false });
    expect(tree('SELECT json AS x FROM t')).toMatchObject({ json: false });
  });

  it('reads relations and clauses', () => {
    expect(
      tree(
        `SELECT * FROM ks.t WHERE a IN (1, 2) AND b IN :b AND (c, d) IN ((3, 4)) AND (e, f) > ? AND token(g) <= 5
         AND m['x'] = 6 AND (h = 7) ORDER BY i DESC, j PER PARTITION LIMIT 8 LIMIT ? ALLOW FILTERING`,
      ),
    ).toMatchObject({
      selectors: undefined,
      table: table('t', 'ks'),
      where: [
        { kind: 'in', values: [{ text: '1' }, { text: '2' }] },
        { kind: 'in', values: { kind: 'bind', index: 0, name: 'b' } },
        { kind: 'tuple_in', values: [{ kind: 'tuple' }] },
        { kind: 'tuple', operator: '>', value: { kind: 'bind', index: 1 } },
        { kind: 'token', operator: '<=', columns: [name('g')] },
        { kind: 'element', key: { text: 'x' }, operator: '=' },
        { kind: 'comparison', column: name('h') },
      ],
      orderBy: [{ direction: 'desc' }, { direction: 'asc' }],
      perPartitionLimit: { text: '8' },
      limit: { kind: 'bind', index: 2 },
      allowFiltering: true,
    });
  });
});

describe('definitions', () => {
  it('reads a table', () => {
    expect(
      tree(
        `CREATE TABLE t (a int, b frozen<list<int>>, v vector<float, 3> static, PRIMARY KEY ((a), b))
         WITH CLUSTERING ORDER BY (b DESC) AND comment = 'x'`,
      ),
    ).toMatchObject({
      columns: [
        { name: name('a'), isStatic: false },
        { type: { kind: 'parametrised', name: 'frozen', args: [{ name: 'list' }] } },
        { type: { kind: 'vector', dimensions: 3 }, isStatic: true },
      ],
      primaryKeys: [{ partition: [name('a')], clustering: [name('b')] }],
      clusteringOrder: [{ column: name('b'), direction: 'desc' }],
      properties: [{ name: name('comment'), value: { constant: { text: 'x' } } }],
    });
  });

  it('reads the nested map of CUSTOM_PROPERTIES', () => {
    expect(
      tree(
        `ALTER TABLE t WITH CUSTOM_PROPERTIES = {'encryption_specification':
          {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'n': 5}}`,
      ),
    ).toMatchObject({
      action: {
        properties: [
          {
            name: name('custom_properties'),
            value: {
              kind: 'map',
              entries: [
                [
                  'encryption_specification',
                  {
                    entries: [
                      ['encryption_type', { constant: { text: 'CUSTOMER_MANAGED_KMS_KEY' } }],
                      ['n', { constant: { type: 'integer', text: '5' } }],
                    ],
                  },
                ],
              ],
            },
          },
        ],
      },
    });
  });

  it.each<[string, Partial<Statement>]>([
    ["CREATE TRIGGER a ON t USING 'x'", { kind: 'unsupported', name: 'CREATE TRIGGER' }],
    [`SELECT a FROM t WHERE expr(i, 'x')`, { kind: 'unsupported' }],
    [
      `CREATE OR REPLACE FUNCTION IF NOT EXISTS ks.f (a int, b text) CALLED ON NULL INPUT RETURNS bigint LANGUAGE java AS $$ x $$`,
      { kind: 'user_function', change: 'create', what: 'function' },
    ],
    [
      `CREATE AGGREGATE a (int, text) SFUNC s STYPE bigint FINALFUNC f INITCOND 0`,
      { kind: 'user_function', change: 'create', what: 'aggregate' },
    ],
    ['DROP FUNCTION IF EXISTS ks.f', { kind: 'user_function', change: 'drop', what: 'function' }],
    ['DROP AGGREGATE f (int)', { kind: 'user_function', change: 'drop', what: 'aggregate' }],
    ['DESC FULL SCHEMA', { kind: 'describe', target: 'FULL SCHEMA', name: undefined }],
    [
      'GRANT EXECUTE ON FUNCTION ks.f(int) TO b',
      { kind: 'roles', name: 'GRANT', resource: { kind: 'keyspace', keyspace: KS } },
    ],
    [
      'LIST EXECUTE ON ALL FUNCTIONS IN KEYSPACE ks OF b',
      { kind: 'roles', resource: { kind: 'keyspace', keyspace: KS } },
    ],
    ['GRANT EXECUTE ON ALL FUNCTIONS TO b', { kind: 'roles', resource: undefined }],
    ['GRANT EXECUTE ON FUNCTION f(int) TO b', { kind: 'roles', resource: undefined }],
    ['GRANT a TO b', { kind: 'roles', name: 'GRANT ROLE', resource: undefined }],
  ])('recognises %s', (text, expected) => {
    expect(parseStatement(text).statement).toMatchObject(expected);
  });

  it('reads RESTORE TABLE as Amazon Keyspaces writes it', () => {
    expect(tree('RESTORE TABLE a FROM TABLE ks.b')).toMatchObject({
      kind: 'restore_table',
      table: table('a'),
      source: table('b', 'ks'),
      properties: [],
    });
    const text =
      "restore table a from table b with restore_timestamp = 't' and custom_properties = {'a': {}}";
    expect(tree(text)).toMatchObject({
      properties: [{ name: name('restore_timestamp') }, { name: name('custom_properties') }],
    });
  });

  it('gives the resource of a grant', () => {
    expect(tree('GRANT SELECT ON ks.t TO r')).toMatchObject({
      resource: { kind: 'table', table: table('t', 'ks') },
    });
    expect(tree('GRANT ALL ON KEYSPACE ks TO r')).toMatchObject({
      resource: { kind: 'keyspace', keyspace: name('ks') },
    });
  });
});

describe('errors and limits', () => {
  it.each([
    `INSERT INTO t (a) VALUES ('hunter2' 'hunter2')`,
    `SELECT a FROM t WHERE 'hunter2' = 1`,
    `SELECT a FROM t LIMIT 'hunter2'`,
    `CREATE TABLE t (k int PRIMARY KEY) WITH x = {'hunter2': 1, 'hunter2': 2}`,
    `INSERT INTO t (a) VALUES ('hunter2`,
    `CREATE ROLE r WITH PASSWORD = 'hunter2' AND PASSWORD = 'hunter2'`,
  ])('does not tell the constant in %s', (text) => {
    expect(() => parseStatement(text)).toThrow(CqlSyntaxError);
    expect(() => parseStatement(text)).not.toThrow(/hunter2/);
  });

  it('names line and column', () => {
    expect(() => parseStatement('SELECT a\nFROM t WHERE select')).toThrow(
      "line 2:13 no viable alternative at input 'select'",
    );
  });

  it.each([
    ['(', ')'],
    ['[', ']'],
    ['{', '}'],
    ['(int) ', ''],
    ['f(', ')'],
  ])('refuses deep nesting of %s', (open, close) => {
    const deep = `${open.repeat(50_000)}1${close.repeat(50_000)}`;
    expect(() => parseStatement(`INSERT INTO t (a) VALUES (${deep})`)).toThrow(CqlSyntaxError);
    expect(() => parseStatement(`SELECT ${deep} FROM t`)).toThrow(CqlSyntaxError);
  });

  it('refuses deep types, relations and chains', () => {
    const types = `${'list<'.repeat(50_000)}int${'>'.repeat(50_000)}`;
    expect(() => parseStatement(`CREATE TABLE t (a ${types} PRIMARY KEY)`)).toThrow(CqlSyntaxError);
    expect(() => parseStatement(`SELECT (${types}) 1 FROM t`)).toThrow(CqlSyntaxError);
    expect(() => parseStatement(`SELECT ${'a + '.repeat(50_000)}a FROM t`)).toThrow(CqlSyntaxError);
    expect(() => parseStatement(`SELECT a FROM t WHERE ${'('.repeat(50_000)}`)).toThrow(
      CqlSyntaxError,
    );
    expect(() => parseStatement(`SELECT ${'(a)'.repeat(20_000)} FROM t`)).toThrow(CqlSyntaxError);
  });

  it('names the property that is null, as Cassandra', () => {
    expect(() =>
      parseStatement("CREATE TABLE t (a int PRIMARY KEY) WITH compression = {'x': null}"),
    ).toThrow('Invalid property value: NULL for property: x');
  });

  it('bounds the number of tokens', () => {
    expect(() => parseStatement('SELECT a FROM t', { maxTokens: 3 })).toThrow(CqlSyntaxError);
    expect(() => parseStatement('SELECT a FROM t', { maxTokens: 4 })).not.toThrow();
    const many = Array.from({ length: 100_000 }, (_, index) => index).join(', ');
    expect(parseStatement(`SELECT a FROM t WHERE k IN (${many})`).constants).toHaveLength(100_000);
  });
});

describe('text', () => {
  it('quotes names where Cassandra does', () => {
    expect(quoteIdentifier('abc_1')).toBe('abc_1');
    expect(quoteIdentifier('Abc')).toBe('"Abc"');
    expect(quoteIdentifier('select')).toBe('"select"');
    expect(quoteIdentifier('ttl')).toBe('ttl');
    expect(quoteIdentifier('a"b')).toBe('"a""b"');
    expect(quoteIdentifier('')).toBe('""');
    expect(quoteString(`it's`)).toBe(`'it''s'`);
  });

  it('edits parts of a text', () => {
    const edits = [
      { span: { start: 0, end: 1 }, replacement: 'X' },
      { span: { start: 2, end: 2 }, replacement: '-' },
    ];
    expect(editText('abcd', edits)).toBe('Xb-cd');
    expect(() => editText('abcd', edits.toReversed())).toThrow(InternalError);
    expect(() => editText('a', [{ span: { start: 0, end: 2 }, replacement: '' }])).toThrow(
      InternalError,
    );
  });
});

describe('materialized views', () => {
  it('keeps columns, key, WHERE and options', () => {
    expect(
      tree(
        `CREATE MATERIALIZED VIEW IF NOT EXISTS k.m AS SELECT a, "B" FROM t WHERE a IS NOT NULL PRIMARY KEY ((a), "B") WITH CLUSTERING ORDER BY ("B" DESC) AND comment = 'x'`,
      ),
    ).toEqual({
      kind: 'create_view',
      ifNotExists: true,
      view: table('m', 'k'),
      selectors: [
        { expression: { kind: 'column', name: name('a') }, alias: undefined },
        { expression: { kind: 'column', name: name('B', true) }, alias: undefined },
      ],
      table: table('t'),
      where: [{ kind: 'is_not_null', column: name('a') }],
      primaryKey: { partition: [name('a')], clustering: [name('B', true)] },
      clusteringOrder: [{ column: name('B', true), direction: 'desc' }],
      properties: [
        {
          name: name('comment'),
          value: { kind: 'constant', constant: constant('string', 'x', 0) },
        },
      ],
    });
  });

  it('reads ALTER and DROP', () => {
    expect(tree('DROP MATERIALIZED VIEW IF EXISTS k.m')).toEqual({
      kind: 'drop_view',
      ifExists: true,
      view: table('m', 'k'),
    });
    expect(tree('ALTER MATERIALIZED VIEW m WITH gc_grace_seconds = 1')).toMatchObject({
      kind: 'alter_view',
      ifExists: false,
      view: table('m'),
    });
  });

  it.each([
    'CREATE MATERIALIZED VIEW m AS SELECT * FROM t WHERE a IS NOT 4 PRIMARY KEY (a)',
    'CREATE MATERIALIZED VIEW m AS SELECT * FROM t PRIMARY KEY (a) WITH COMPACT STORAGE',
    'CREATE MATERIALIZED VIEW m AS SELECT * FROM t',
    'ALTER MATERIALIZED VIEW m',
  ])('refuses %s', (text) => {
    expect(() => parseStatement(text)).toThrow(CqlSyntaxError);
  });
});
