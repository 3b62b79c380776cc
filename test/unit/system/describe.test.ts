import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { SchemaError } from '../../../src/errors/index.ts';
import { native } from '../../../src/values/index.ts';
import { describeAllowed, transformDescribeRow } from '../../../src/system/index.ts';
import { splitStatements } from '../../../src/system/describe/split_statements.ts';
import { decode, makeSnapshot, text } from './support.ts';

const COLUMNS = ['keyspace_name', 'type', 'name', 'create_statement'].map((name) => ({
  keyspace: 'system',
  table: 'describe',
  name,
  type: native('text'),
}));
const SNAPSHOT = makeSnapshot();

function shown(
  keyspace: string,
  type: string,
  name: string,
  statement: string,
): string | undefined {
  const row = transformDescribeRow(COLUMNS, [keyspace, type, name, statement].map(text), SNAPSHOT);
  return decode(row?.[3]) ?? undefined;
}

/** As Cassandra 5.0 prints it. */
const OPTIONS = `CLUSTERING ORDER BY (line DESC)
    AND additional_write_policy = '99p'
    AND allow_auto_snapshot = true
    AND bloom_filter_fp_chance = 0.01
    AND caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}
    AND cdc = false
    AND comment = 'id blob; it''s'
    AND compaction = {'class': 'org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy', 'max_threshold': '32', 'min_threshold': '4'}
    AND compression = {'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}
    AND memtable = 'default'
    AND crc_check_chance = 1.0
    AND default_time_to_live = 0
    AND extensions = {}
    AND gc_grace_seconds = 864000
    AND incremental_backups = true
    AND max_index_interval = 2048
    AND memtable_flush_period_in_ms = 0
    AND min_index_interval = 128
    AND read_repair = 'BLOCKING'
    AND speculative_retry = '99p';`;

describe('DESCRIBE TABLE', () => {
  it('shows logical types without hidden columns', () => {
    const stored = `CREATE TABLE shop.orders (
    id blob,
    line blob,
    cqlock_i_note blob,
    note blob,
    tags set<blob>,
    cqlock_z blob,
    PRIMARY KEY (id, line)
) WITH ${OPTIONS}`;
    expect(shown('shop', 'table', 'orders', stored)).toBe(`CREATE TABLE shop.orders (
    id timeuuid,
    line int,
    note frozen<address>,
    tags set<text>,
    PRIMARY KEY (id, line)
) WITH ${OPTIONS}`);
  });

  it('takes hidden columns at either end of the list', () => {
    const stored =
      "CREATE TABLE shop.hits (\n    cqlock_a blob,\n    page blob PRIMARY KEY,\n    n blob,\n    cqlock_b blob,\n    cqlock_c blob\n) WITH comment = '';";
    expect(shown('shop', 'table', 'hits', stored)).toBe(
      "CREATE TABLE shop.hits (\n    page text PRIMARY KEY,\n    n counter\n) WITH comment = '';",
    );
  });

  it('shows logical types in the lines of WITH INTERNALS', () => {
    const body = (type: string, gone: string, hidden: string): string =>
      `CREATE TABLE shop.hits (\n    page ${type} PRIMARY KEY,\n    n ${gone}\n) WITH ID = 11111111-2222-4333-8444-555555555555\n    AND comment = '';${hidden}`;
    const alter = (type: string): string =>
      `\n\nALTER TABLE shop.hits DROP n USING TIMESTAMP 17;\n\nALTER TABLE shop.hits ADD n ${type};`;
    const hidden =
      '\n\nALTER TABLE shop.hits DROP cqlock_a USING TIMESTAMP 17;\n\nALTER TABLE shop.hits ADD cqlock_a blob;';
    expect(shown('shop', 'table', 'hits', body('blob', 'blob', hidden + alter('blob')))).toBe(
      body('text', 'counter', alter('counter')),
    );
  });

  it('shows the type of dropped columns', () => {
    const stored =
      'CREATE TABLE shop.orders (id blob, line blob, gone blob, PRIMARY KEY (id, line));\nALTER TABLE shop.orders DROP gone USING TIMESTAMP 5;';
    expect(shown('shop', 'table', 'orders', stored)).toBe(
      'CREATE TABLE shop.orders (id timeuuid, line int, gone map<text, int>, PRIMARY KEY (id, line));\nALTER TABLE shop.orders DROP gone USING TIMESTAMP 5;',
    );
  });

  it.each([
    [
      'a column the record does not have',
      'CREATE TABLE shop.orders (id blob PRIMARY KEY, other blob);',
    ],
    ['what is no statement', '/* Warning: Table shop.orders omitted */'],
    ['another statement', 'DROP TABLE shop.orders;'],
  ])('fails closed on %s', (_what, stored) => {
    expect(() => shown('shop', 'table', 'orders', stored)).toThrow(SchemaError);
  });

  it.each([
    ['a plain table', 'shop', 'old'],
    ['a table whose record does not verify', 'other', 't'],
    ['a system table', 'system', 'local'],
  ])('leaves %s', (_what, keyspace, name) => {
    expect(shown(keyspace, 'table', name, 'CREATE TABLE x (k blob PRIMARY KEY);')).toBe(
      'CREATE TABLE x (k blob PRIMARY KEY);',
    );
  });
});

describe('DESCRIBE of other elements', () => {
  it('shows logical fields of types', () => {
    expect(
      shown(
        'shop',
        'type',
        'address',
        'CREATE TYPE shop.address (\n    street blob,\n    zip blob\n);',
      ),
    ).toBe('CREATE TYPE shop.address (\n    street text,\n    zip int\n);');
    expect(() =>
      shown('shop', 'type', 'address', 'CREATE TYPE shop.address (other blob);'),
    ).toThrow(SchemaError);
  });

  it('drops what is hidden', () => {
    expect(shown('cqlock', 'keyspace', 'cqlock', 'CREATE KEYSPACE cqlock')).toBeUndefined();
    expect(
      shown('shop', 'type', 'cqlock_t_1', 'CREATE TYPE shop.cqlock_t_1 (a blob);'),
    ).toBeUndefined();
    expect(shown('shop', 'index', 'cqlock_x', 'CREATE INDEX cqlock_x')).toBeUndefined();
    const listed = transformDescribeRow(
      COLUMNS.slice(0, 3),
      ['cqlock', 'table', 'records'].map(text),
      SNAPSHOT,
    );
    expect(listed).toBeUndefined();
  });

  it('knows names as Cassandra quotes them', () => {
    const stored = 'CREATE TABLE "shop".hits (\n    page blob PRIMARY KEY,\n    n blob\n);';
    const logical = 'CREATE TABLE "shop".hits (\n    page text PRIMARY KEY,\n    n counter\n);';
    expect(shown('"shop"', 'table', '"hits"', stored)).toBe(logical);
    expect(
      transformDescribeRow(COLUMNS.slice(0, 3), ['"cqlock"', 'table', 'x'].map(text), SNAPSHOT),
    ).toBeUndefined();
  });

  it.each([
    ['nowhere', 'table', 'hits'],
    ['nowhere', 'type', 't'],
    ['shop', 'table', 'nothing_here'],
    ['shop', 'type', 'nothing_here'],
  ])('never shows the stored types of %s, %s %s, which is not known', (keyspace, type, name) => {
    expect(() => shown(keyspace, type, name, 'CREATE … blob')).toThrow(SchemaError);
  });

  it('passes lists, keyspaces and the cluster', () => {
    const row = ['shop', 'keyspace', 'shop'].map(text);
    expect(transformDescribeRow(COLUMNS.slice(0, 3), row, SNAPSHOT)).toEqual(row);
    expect(shown('shop', 'keyspace', 'shop', 'CREATE KEYSPACE shop;')).toBe(
      'CREATE KEYSPACE shop;',
    );
    const cluster = ['cluster', 'partitioner', 'snitch'].map(
      (name) => ({ ...COLUMNS[0], name }) as (typeof COLUMNS)[0],
    );
    expect(transformDescribeRow(cluster, [text('c'), text('p'), text('s')], SNAPSHOT)).toHaveLength(
      3,
    );
    expect(() =>
      transformDescribeRow(COLUMNS.slice(1), [text('x'), text('y'), null], SNAPSHOT),
    ).toThrow(SchemaError);
  });
});

describe('describeAllowed', () => {
  const check = (query: string) => (): void => {
    const { statement } = parseStatement(query);
    if (statement.kind !== 'describe') throw new TypeError('not a DESCRIBE');
    describeAllowed(statement, SNAPSHOT);
  };

  it.each([
    'DESCRIBE KEYSPACE cqlock',
    'DESC cqlock',
    'DESCRIBE ONLY KEYSPACE cqlock',
    'DESCRIBE TABLE cqlock.records',
    'DESCRIBE cqlock.records',
  ])('refuses %s', (query) => {
    expect(check(query)).toThrow("'cqlock' not found in keyspaces");
  });

  it('refuses hidden elements in the words of Cassandra', () => {
    expect(check('DESCRIBE TYPE shop.cqlock_t_1')).toThrow(
      "User defined type 'cqlock_t_1' not found in 'shop'",
    );
    expect(check('DESCRIBE INDEX shop.cqlock_x')).toThrow(
      "Table for existing index 'cqlock_x' not found in 'shop'",
    );
    expect(check('DESCRIBE TABLE shop.cqlock_x')).toThrow(
      "Table 'cqlock_x' not found in keyspace 'shop'",
    );
  });

  it.each([
    'DESCRIBE KEYSPACES',
    'DESCRIBE CLUSTER',
    'DESCRIBE TABLE shop.orders',
    'DESCRIBE shop',
    'DESCRIBE TABLE cqlock',
  ])('lets %s through', (query) => {
    expect(check(query)).not.toThrow();
  });
});

describe('splitStatements', () => {
  it('does not cut in strings, names and comments', () => {
    const script = `A 'x;''y' ";";\n-- c;\nB /* ; */ C;\n`;
    const parts = splitStatements(script);
    expect(parts.map((part) => part.text)).toEqual([`A 'x;''y' ";";`, '\n-- c;\nB /* ; */ C;']);
    expect(parts.map((part) => script.slice(part.start, part.end))).toEqual(
      parts.map((part) => part.text),
    );
  });
});
