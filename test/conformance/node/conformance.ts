/** The scenario list of test/conformance/README.md with the DataStax Node driver. Argument: host:port. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import cassandra, {
  type ArrayOrObject,
  type ClientOptions,
  type QueryOptions,
} from 'cassandra-driver';

const { Client, types } = cassandra;
const [host = '127.0.0.1', port = '9142'] = (process.argv[2] ?? '').split(':');
const KEYSPACE = 'conf_node';

/** TLS and password, as the variables of test/conformance/README.md say. */
function identity(): Partial<ClientOptions> {
  const { env } = process;
  const [ca, cert, key] = ['CA', 'CERT', 'KEY'].map((name) => {
    const path = env[`CQLOCK_TEST_TLS_${name}`];
    return path === undefined ? undefined : readFileSync(path, 'utf8');
  });
  const [user, password = ''] = [env['CQLOCK_TEST_USER'], env['CQLOCK_TEST_PASSWORD']];
  return {
    ...(ca === undefined
      ? {}
      : {
          sslOptions: {
            ca,
            rejectUnauthorized: true,
            ...(cert === undefined ? {} : { cert, key }),
          },
        }),
    ...(user === undefined
      ? {}
      : { authProvider: new cassandra.auth.PlainTextAuthProvider(user, password) }),
  };
}

const client = new Client({
  ...identity(),
  contactPoints: [`${host}:${port}`],
  localDataCenter: process.env['CQLOCK_TEST_DATACENTER'] ?? 'datacenter1',
});
let failed = 0;

/** The scenarios of a short run: that a way in works, values of all types and prepared statements. */
const SHORT = new Set([
  'connect',
  'create keyspace',
  'create table of all scalar types',
  'insert literals',
  'insert prepared',
  'drop keyspace',
]);

async function scenario(name: string, run: () => Promise<void>): Promise<void> {
  const wanted = process.env['CQLOCK_TEST_SCENARIOS'];
  if (wanted === 'short' && !SHORT.has(name)) return;
  if (wanted === 'connect' && name !== 'connect') return;
  try {
    await run();
    process.stdout.write(`scenario ok ${name}\n`);
  } catch (error) {
    failed++;
    process.stdout.write(
      `scenario FAILED ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
}

async function cql(
  text: string,
  values?: ArrayOrObject,
  options?: QueryOptions,
): Promise<cassandra.types.ResultSet> {
  return client.execute(text, values, options);
}

const prepared: QueryOptions = { prepare: true };

// Column, CQL type, literal, value for the driver.
const SCALARS: readonly (readonly [string, string, string, unknown])[] = [
  ['c_ascii', 'ascii', `'abc'`, 'abc'],
  ['c_bigint', 'bigint', '-9223372036854775808', types.Long.MIN_VALUE],
  ['c_blob', 'blob', '0x00ff10', Buffer.from('00ff10', 'hex')],
  ['c_boolean', 'boolean', 'true', true],
  ['c_date', 'date', `'2024-02-29'`, types.LocalDate.fromString('2024-02-29')],
  ['c_decimal', 'decimal', '-12.3400', types.BigDecimal.fromString('-12.3400')],
  ['c_double', 'double', '1.5e300', 1.5e300],
  ['c_duration', 'duration', '1mo2d3ns', types.Duration.fromString('1mo2d3ns')],
  ['c_float', 'float', '-0.5', -0.5],
  ['c_inet', 'inet', `'2001:db8::1'`, types.InetAddress.fromString('2001:db8::1')],
  ['c_int', 'int', '-42', -42],
  ['c_smallint', 'smallint', '-32768', -32768],
  ['c_text', 'text', `'über 日本'`, 'über 日本'],
  ['c_time', 'time', `'08:12:54.123456789'`, types.LocalTime.fromString('08:12:54.123456789')],
  ['c_timestamp', 'timestamp', `'2024-05-06T07:08:09.010Z'`, new Date('2024-05-06T07:08:09.010Z')],
  [
    'c_timeuuid',
    'timeuuid',
    'e23f1e02-8afa-11ee-b9d1-0242ac120002',
    types.TimeUuid.fromString('e23f1e02-8afa-11ee-b9d1-0242ac120002'),
  ],
  ['c_tinyint', 'tinyint', '-128', -128],
  [
    'c_uuid',
    'uuid',
    '123e4567-e89b-42d3-a456-426614174000',
    types.Uuid.fromString('123e4567-e89b-42d3-a456-426614174000'),
  ],
  ['c_varchar', 'varchar', `'it''s'`, "it's"],
  [
    'c_varint',
    'varint',
    '123456789012345678901234567890',
    types.Integer.fromString('123456789012345678901234567890'),
  ],
];

function text(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  return value instanceof Date ? value.toISOString() : String(value);
}

function checkScalars(row: cassandra.types.Row | undefined): void {
  assert.ok(row !== undefined, 'a row');
  for (const [column, , , value] of SCALARS) assert.equal(text(row[column]), text(value), column);
}

async function code(run: Promise<unknown>): Promise<number | undefined> {
  const error: unknown = await run.then(
    () => null,
    (e: unknown) => e,
  );
  return (error as { code?: number } | null)?.code;
}

await scenario('connect', async () => {
  await client.connect();
});
if (failed > 0) process.exit(1);
await scenario('create keyspace', async () => {
  await cql(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`, [], { readTimeout: 60_000 });
  await cql(
    `CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
});
await scenario('create table of all scalar types', async () => {
  await cql(
    `CREATE TABLE ${KEYSPACE}.scalars (id int PRIMARY KEY, ${SCALARS.map(([c, t]) => `${c} ${t}`).join(', ')})`,
  );
});
const COLUMNS = SCALARS.map(([c]) => c).join(', ');
await scenario('insert literals', async () => {
  await cql(
    `INSERT INTO ${KEYSPACE}.scalars (id, ${COLUMNS}) VALUES (1, ${SCALARS.map(([, , l]) => l).join(', ')})`,
  );
  checkScalars((await cql(`SELECT * FROM ${KEYSPACE}.scalars WHERE id = 1`)).first());
});
await scenario('insert prepared', async () => {
  await cql(
    `INSERT INTO ${KEYSPACE}.scalars (id, ${COLUMNS}) VALUES (?, ${SCALARS.map(() => '?').join(', ')})`,
    [2, ...SCALARS.map(([, , , v]) => v)],
    prepared,
  );
  checkScalars(
    (await cql(`SELECT * FROM ${KEYSPACE}.scalars WHERE id = ?`, [2], prepared)).first(),
  );
});
await scenario('every scalar as key', async () => {
  for (const [column, type, literal, value] of SCALARS) {
    if (type === 'duration') continue;
    const table = `${KEYSPACE}.k_${column}`;
    await cql(
      `CREATE TABLE ${table} (p ${type}, c ${type}, v int, PRIMARY KEY (p, c)) WITH CLUSTERING ORDER BY (c DESC)`,
    );
    await cql(`INSERT INTO ${table} (p, c, v) VALUES (${literal}, ${literal}, 1)`);
    await cql(`INSERT INTO ${table} (p, c, v) VALUES (?, ?, ?)`, [value, value, 2], prepared);
    const rows = (
      await cql(`SELECT p, c, v FROM ${table} WHERE p = ? AND c >= ?`, [value, value], prepared)
    ).rows;
    assert.equal(rows.length, 1, `${type}: one row`);
    assert.equal(rows[0]?.['v'], 2, type);
    assert.equal(text(rows[0]['p']), text(value), type);
  }
});
await scenario('update and delete', async () => {
  await cql(`UPDATE ${KEYSPACE}.scalars SET c_text = 'changed' WHERE id = 1`);
  await cql(
    `UPDATE ${KEYSPACE}.scalars SET c_int = ?, c_blob = ? WHERE id = ?`,
    [7, null, 1],
    prepared,
  );
  const row = (
    await cql(`SELECT c_text, c_int, c_blob FROM ${KEYSPACE}.scalars WHERE id = 1`)
  ).first();
  assert.deepEqual([row['c_text'], row['c_int'], row['c_blob']], ['changed', 7, null]);
  await cql(`DELETE c_text FROM ${KEYSPACE}.scalars WHERE id = 1`);
  assert.equal(
    (await cql(`SELECT c_text FROM ${KEYSPACE}.scalars WHERE id = 1`)).first()['c_text'],
    null,
  );
  await cql(`DELETE FROM ${KEYSPACE}.scalars WHERE id = ?`, [1], prepared);
  assert.equal((await cql(`SELECT id FROM ${KEYSPACE}.scalars WHERE id = 1`)).rowLength, 0);
});
await scenario('batch', async () => {
  await cql(
    `CREATE TABLE ${KEYSPACE}.events (p text, c int, s text static, v text, PRIMARY KEY (p, c))`,
  );
  const queries = Array.from({ length: 10 }, (_, i) => ({
    query: `INSERT INTO ${KEYSPACE}.events (p, c, v) VALUES (?, ?, ?)`,
    params: ['a', i, `v${i}`],
  }));
  await client.batch(queries, { prepare: true, logged: true });
  await cql(
    `BEGIN UNLOGGED BATCH INSERT INTO ${KEYSPACE}.events (p, s) VALUES ('a', 'static'); UPDATE ${KEYSPACE}.events SET v = 'x' WHERE p = 'a' AND c = 0; DELETE FROM ${KEYSPACE}.events WHERE p = 'a' AND c = 9; APPLY BATCH`,
  );
  const rows = (await cql(`SELECT c, s, v FROM ${KEYSPACE}.events WHERE p = 'a'`)).rows;
  assert.deepEqual(
    rows.map((r): unknown => r['c']),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.deepEqual([rows[0]?.['v'], rows[0]?.['s']], ['x', 'static']);
});
await scenario('paging', async () => {
  const big = Array.from({ length: 95 }, (_, i) => ({
    query: `INSERT INTO ${KEYSPACE}.events (p, c, v) VALUES ('page', ?, 'v')`,
    params: [i],
  }));
  await client.batch(big, { prepare: true, logged: false });
  const seen: number[] = [];
  // The driver's declarations leave out that both may be null.
  let state: string | null | undefined;
  do {
    const page = await cql(`SELECT c FROM ${KEYSPACE}.events WHERE p = ?`, ['page'], {
      prepare: true,
      fetchSize: 10,
      ...(state ? { pageState: state } : {}),
    });
    assert.ok(page.rowLength <= 10);
    for (const row of page.rows) seen.push(row['c'] as number);
    state = page.pageState;
  } while (state);
  assert.deepEqual(
    seen,
    Array.from({ length: 95 }, (_, i) => i),
  );
});
await scenario('named binds', async () => {
  await cql(
    `INSERT INTO ${KEYSPACE}.events (p, c, v) VALUES (:p, :c, :v)`,
    { v: 'named', c: 1, p: 'n' },
    prepared,
  );
  assert.equal(
    (
      await cql(
        `SELECT v FROM ${KEYSPACE}.events WHERE p = :p AND c = :c`,
        { c: 1, p: 'n' },
        prepared,
      )
    ).first()['v'],
    'named',
  );
});
await scenario('slices and order', async () => {
  const rows = (
    await cql(
      `SELECT c FROM ${KEYSPACE}.events WHERE p = 'page' AND c > ? AND c <= ? ORDER BY c DESC LIMIT 3`,
      [10, 20],
      prepared,
    )
  ).rows;
  assert.deepEqual(
    rows.map((r): unknown => r['c']),
    [20, 19, 18],
  );
  const many = (
    await cql(
      `SELECT p, c FROM ${KEYSPACE}.events WHERE p IN ? AND c = 1`,
      [['page', 'a', 'n']],
      prepared,
    )
  ).rows;
  assert.deepEqual(
    many.map((r): unknown => r['p']),
    ['a', 'n', 'page'],
  );
});
await scenario('frozen collections and UDT', async () => {
  await cql(`CREATE TYPE ${KEYSPACE}.address (street text, zip int, tags frozen<set<text>>)`);
  await cql(
    `CREATE TABLE ${KEYSPACE}.frozen (id int PRIMARY KEY, l frozen<list<int>>, s frozen<set<text>>, m frozen<map<text, bigint>>, t frozen<tuple<int, text>>, a frozen<address>, n vector<float, 3>)`,
  );
  await cql(
    `INSERT INTO ${KEYSPACE}.frozen (id, l, s, m, t, a, n) VALUES (1, [1, 2], {'b', 'a'}, {'k': 5}, (1, 'x'), {street: 'Main', zip: 12, tags: {'t'}}, [1, 2, 3])`,
  );
  const insert = `INSERT INTO ${KEYSPACE}.frozen (id, l, s, m, t, a) VALUES (?, ?, ?, ?, ?, ?)`;
  await cql(
    insert,
    [
      2,
      [1, 2],
      ['b', 'a'],
      { k: types.Long.fromNumber(5) },
      new types.Tuple(1, 'x'),
      { street: 'Main', zip: 12, tags: ['t'] },
    ],
    prepared,
  );
  for (const id of [1, 2]) {
    const row = (
      await cql(`SELECT l, s, m, t, a FROM ${KEYSPACE}.frozen WHERE id = ?`, [id], prepared)
    ).first();
    assert.deepEqual(row['l'], [1, 2]);
    assert.deepEqual(row['s'], ['a', 'b']);
    assert.equal(String((row['m'] as Record<string, unknown>)['k']), '5');
    assert.equal((row['t'] as cassandra.types.Tuple).get(1), 'x');
    assert.deepEqual({ ...(row['a'] as object) }, { street: 'Main', zip: 12, tags: ['t'] });
  }
});
await scenario('collections and UDT by element', async () => {
  const table = `${KEYSPACE}.several`;
  await cql(
    `CREATE TABLE ${table} (id int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, a address)`,
  );
  const address = { street: 'Main', zip: 12, tags: ['t'] };
  await cql(
    `INSERT INTO ${table} (id, l, s, m, a) VALUES (?, ?, ?, ?, ?)`,
    [1, [1, 2], ['b', 'a'], { k: types.Long.fromNumber(5) }, address],
    prepared,
  );
  const updated = await cql(
    `UPDATE ${table} SET l = l + ?, s = s - ?, m[?] = ?, a.zip = ? WHERE id = ? IF m['k'] = 5 AND l[1] = 2`,
    [[3], ['b', 'x'], 'a', types.Long.fromNumber(7), 13, 1],
    prepared,
  );
  assert.equal(updated.wasApplied(), true);
  await cql(`DELETE l[0], m['k'] FROM ${table} WHERE id = 1`);
  const row = (await cql(`SELECT l, s, m, a FROM ${table} WHERE id = 1`)).first();
  assert.deepEqual(row['l'], [2, 3]);
  assert.deepEqual(row['s'], ['a']);
  assert.deepEqual(
    Object.entries(row['m'] as object).map(([key, value]) => [key, String(value)]),
    [['a', '7']],
  );
  assert.deepEqual({ ...(row['a'] as object) }, { ...address, zip: 13 });
});
await scenario('schema metadata', async () => {
  await client.metadata.refreshKeyspaces();
  const table = await client.metadata.getTable(KEYSPACE, 'scalars');
  const names = SCALARS.map(([c]) => c);
  for (const name of names) assert.ok(table.columnsByName[name] !== undefined, name);
  assert.equal(table.columns.length, names.length + 1, 'no other column');
  assert.equal(table.columnsByName['c_decimal']?.type.code, types.dataTypes.decimal);
  assert.equal(table.columnsByName['c_timeuuid']?.type.code, types.dataTypes.timeuuid);
  const udt = (await client.metadata.getUdt(KEYSPACE, 'address')) as unknown as {
    fields: { name: string }[];
  };
  assert.deepEqual(
    udt.fields.map((f) => f.name),
    ['street', 'zip', 'tags'],
  );
});
await scenario('lightweight transaction', async () => {
  const insert = `INSERT INTO ${KEYSPACE}.events (p, c, v) VALUES ('lwt', 1, ?) IF NOT EXISTS`;
  assert.equal((await cql(insert, ['one'], prepared)).wasApplied(), true);
  const again = await cql(insert, ['two'], prepared);
  assert.equal(again.wasApplied(), false);
  assert.equal(again.first()['v'], 'one');
  assert.equal(
    (await cql(`DELETE FROM ${KEYSPACE}.events WHERE p = 'lwt' AND c = 2 IF EXISTS`)).wasApplied(),
    false,
  );
});
await scenario('TTL and write time', async () => {
  await cql(
    `INSERT INTO ${KEYSPACE}.events (p, c, v) VALUES ('ttl', 1, 'x') USING TTL 1000 AND TIMESTAMP 1234567`,
  );
  const row = (
    await cql(
      `SELECT ttl(v) AS t, writetime(v) AS w FROM ${KEYSPACE}.events WHERE p = 'ttl' AND c = 1`,
    )
  ).first();
  assert.ok((row['t'] as number) > 900 && (row['t'] as number) <= 1000);
  assert.equal(String(row['w']), '1234567');
});
await scenario('tracing', async () => {
  const result = await cql(`SELECT v FROM ${KEYSPACE}.events WHERE p = 'a' AND c = 0`, [], {
    traceQuery: true,
  });
  assert.ok(result.info.traceId);
  assert.equal(result.first()['v'], 'x');
});
await scenario('error codes', async () => {
  assert.equal(await code(cql('SELEC 1')), 0x2000);
  assert.equal(await code(cql(`SELECT nope FROM ${KEYSPACE}.events`)), 0x2200);
  assert.equal(await code(cql(`SELECT * FROM ${KEYSPACE}.nope`)), 0x2200);
  assert.equal(await code(cql(`CREATE TABLE ${KEYSPACE}.events (a int PRIMARY KEY)`)), 0x2400);
  assert.equal(
    await code(cql(`INSERT INTO ${KEYSPACE}.events (p, c) VALUES ('a', 'text')`)),
    0x2200,
  );
});
await scenario('drop keyspace', async () => {
  await cql(`DROP KEYSPACE ${KEYSPACE}`, [], { readTimeout: 60_000 });
  assert.equal(await code(cql(`SELECT * FROM ${KEYSPACE}.events`)), 0x2200);
});
await client.shutdown();
process.exitCode = failed === 0 ? 0 : 1;
