/**
 * Two proxies in front of one Cassandra, with one key store: what one makes or changes the other serves, and clients with
 * prepared statements get right rows whoever alters their table.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { RawClient } from '../support/raw_client.ts';
import type { RawResult } from '../support/raw_codec.ts';
import { int, prepared, REPLICATION, rowsOf, run, succeeded, text } from './support/pair.ts';
import { PreparedReader } from './support/prepared_reader.ts';

const ALREADY_EXISTS = 0x2400;
const ROWS = 6;

interface Services {
  readonly cassandra: TestCassandra;
  readonly proxies: readonly [TestProxy, TestProxy];
  readonly directory: string;
}

let services: Services | undefined;
const clients: RawClient[] = [];

function proxies(): Services['proxies'] {
  if (services === undefined) throw new Error('nothing is started');
  return services.proxies;
}

async function client(proxy: TestProxy): Promise<RawClient> {
  const connected = await RawClient.connect({ host: proxy.host, port: proxy.port });
  clients.push(connected);
  return connected;
}

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cqlock-two-'));
  const cassandra = await startCassandra();
  const options = {
    contactPoints: [`${cassandra.host}:${String(cassandra.port)}`],
    dataDir: join(directory, 'data'),
  };
  const first = await startProxy(options);
  const second = await startProxy({ ...options, init: false });
  services = { cassandra, proxies: [first, second], directory };
  const a = await client(first);
  await run(a, `CREATE KEYSPACE two WITH replication = ${REPLICATION}`);
});

afterAll(async () => {
  for (const open of clients) open.close();
  if (services === undefined) return;
  for (const proxy of services.proxies) await proxy.stop();
  await services.cassandra.stop();
  await rm(services.directory, { recursive: true, force: true });
});

describe('what one proxy makes', () => {
  it('is read, written and dropped at the other, at once', async () => {
    const [a, b] = await Promise.all(proxies().map((proxy) => client(proxy)));
    if (a === undefined || b === undefined) throw new Error('no clients');
    for (let round = 0; round < 5; round++) {
      const [maker, user] = round % 2 === 0 ? [a, b] : [b, a];
      await run(maker, 'CREATE TYPE two.point (x int, y int)');
      await run(
        maker,
        'CREATE TABLE two.made (pk int, ck text, v frozen<point>, PRIMARY KEY (pk, ck))',
      );
      await run(maker, "INSERT INTO two.made (pk, ck, v) VALUES (1, 'm', {x: 1, y: 2})");
      const read = await run(user, "SELECT v FROM two.made WHERE pk = 1 AND ck = 'm'");
      expect(rowsOf(read)).toEqual([[Buffer.from('00000004000000010000000400000002', 'hex')]]);
      await run(user, "INSERT INTO two.made (pk, ck, v) VALUES (1, 'u', {x: 3, y: 4})");
      expect(rowsOf(await run(maker, 'SELECT ck FROM two.made WHERE pk = 1'))).toEqual([
        [text('m')],
        [text('u')],
      ]);
      await run(user, 'DROP TABLE two.made');
      const gone = await maker.query('SELECT v FROM two.made');
      expect(gone).toMatchObject({ kind: 'error', code: 0x2200 });
      await run(user, 'DROP TYPE two.point');
    }
  });

  it('gives paging states and statement ids that the other takes', async () => {
    const [a, b] = await Promise.all(proxies().map((proxy) => client(proxy)));
    if (a === undefined || b === undefined) throw new Error('no clients');
    await run(a, 'CREATE TABLE two.paged (pk int, ck int, v text, PRIMARY KEY (pk, ck))');
    const insert = await prepared(a, 'INSERT INTO two.paged (pk, ck, v) VALUES (?, ?, ?)');
    for (let i = 0; i < 10; i++) {
      succeeded(await a.execute(insert, { values: [int(1), int(i), text(`v${String(i)}`)] }), 'w');
    }
    const cql = 'SELECT ck FROM two.paged WHERE pk = 1';
    const id = await prepared(a, cql);
    expect(await prepared(b, cql)).toEqual(id);
    const seen: number[] = [];
    let pagingState: Buffer | null = null;
    for (let page = 0; ; page++) {
      const answer: RawResult = succeeded(
        await (page % 2 === 0 ? a : b).execute(id, {
          pageSize: 3,
          ...(pagingState === null ? {} : { pagingState }),
        }),
        cql,
      );
      seen.push(...rowsOf(answer).map(([ck]) => (ck as Buffer).readInt32BE()));
      pagingState = answer.kind === 'rows' ? answer.pagingState : null;
      if (pagingState === null) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe.each([
  ['one proxy', [0, 0, 0]],
  ['two proxies, the table altered at the first', [0, 1, 0]],
  ['two proxies, the table altered at the second', [0, 1, 1]],
] as const)('a prepared SELECT * at %s', (_name, [first, second, third]) => {
  const table = `two.altered_${String(first)}${String(second)}${String(third)}`;
  /** One change after another; the columns in the order of SELECT *. */
  const steps = [
    { cql: `ALTER TABLE ${table} ADD a text`, columns: ['pk', 'ck', 'a', 'v'], fill: 'a' },
    { cql: `ALTER TABLE ${table} ADD w text`, columns: ['pk', 'ck', 'a', 'v', 'w'], fill: 'w' },
    { cql: `ALTER TABLE ${table} DROP a`, columns: ['pk', 'ck', 'v', 'w'] },
    { cql: `ALTER TABLE ${table} RENAME ck TO xx`, columns: ['pk', 'xx', 'v', 'w'] },
    { cql: `ALTER TABLE ${table} DROP w`, columns: ['pk', 'xx', 'v'] },
    { cql: `ALTER TABLE ${table} RENAME xx TO ck`, columns: ['pk', 'ck', 'v'] },
    { cql: `ALTER TABLE ${table} ADD a text`, columns: ['pk', 'ck', 'a', 'v'], fill: 'a' },
    { cql: `ALTER TABLE ${table} WITH comment = 'x'`, columns: ['pk', 'ck', 'a', 'v'] },
    { cql: `ALTER TABLE ${table} DROP a`, columns: ['pk', 'ck', 'v'] },
  ];

  async function setUp(): Promise<{ x: RawClient; y: RawClient; z: RawClient }> {
    const x = await client(proxies()[first]);
    const y = await client(proxies()[second]);
    const z = await client(proxies()[third]);
    await run(z, `DROP TABLE IF EXISTS ${table}`);
    await run(z, `CREATE TABLE ${table} (pk text, ck text, v text, PRIMARY KEY (pk, ck))`);
    for (let i = 0; i < ROWS; i++) {
      await run(z, `INSERT INTO ${table} (pk, ck, v) VALUES ('pk-1', 'ck-${String(i)}', 'v-1')`);
    }
    return { x, y, z };
  }

  async function fill(z: RawClient, column: string | undefined): Promise<void> {
    if (column === undefined) return;
    for (let i = 0; i < ROWS; i++) {
      await run(
        z,
        `UPDATE ${table} SET ${column} = '${column}-1' WHERE pk = 'pk-1' AND ck = 'ck-${String(i)}'`,
      );
    }
  }

  /** A cell says which column it belongs to; a renamed one keeps the name it was written under. */
  function misplaced(columns: readonly string[], row: readonly (string | null)[]): string[] {
    return columns.filter((name, at) => {
      const cell = row[at];
      if (cell === null && (name === 'a' || name === 'w')) return false;
      return !(cell ?? '').startsWith(name === 'xx' ? 'ck-' : `${name}-`);
    });
  }

  it('gives right rows and metadata after each change', async () => {
    const { x, y, z } = await setUp();
    const readers = [
      await PreparedReader.prepare(x, `SELECT * FROM ${table}`),
      await PreparedReader.prepare(y, `SELECT * FROM ${table}`),
    ];
    for (const { cql, columns, fill: filled } of steps) {
      await run(z, cql);
      await fill(z, filled);
      for (const reader of readers) {
        const { columns: seen, rows } = await reader.read();
        expect(seen, cql).toEqual(columns);
        expect(rows).toHaveLength(ROWS);
        for (const row of rows) {
          expect(misplaced(columns, row), `${cql}: ${JSON.stringify(row)}`).toEqual([]);
          expect(row).not.toContain(null);
        }
      }
    }
  });

  it('never gives a value under a wrong column while the table changes', async () => {
    const { x, y, z } = await setUp();
    let isDone = false;
    const wrong: string[] = [];
    let reads = 0;
    const readers = [x, y, x, y].map(async (connection) => {
      const reader = await PreparedReader.prepare(connection, `SELECT * FROM ${table}`);
      while (!isDone) {
        const { columns, rows } = await reader.read();
        reads++;
        if (rows.length !== ROWS) wrong.push(`${String(rows.length)} rows of ${columns.join()}`);
        for (const row of rows) {
          if (misplaced(columns, row).length > 0) {
            wrong.push(`${columns.join()} ${JSON.stringify(row)}`);
          }
        }
      }
    });
    const writer = (async () => {
      for (const { cql: change, fill: filled } of steps) {
        await run(z, change);
        await fill(z, filled);
      }
    })().finally(() => {
      isDone = true;
    });
    await Promise.all([writer, ...readers]);
    expect(wrong).toEqual([]);
    expect(reads).toBeGreaterThan(steps.length);
  });
});

describe('changes of the schema at both at once', () => {
  it('20 CREATE TABLE of one name: one wins and the table works', async () => {
    const connections = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client(proxies()[i % 2 === 0 ? 0 : 1])),
    );
    for (let round = 0; round < 3; round++) {
      const table = `two.raced_${String(round)}`;
      const answers = await Promise.all(
        connections.map((connection) =>
          connection.query(`CREATE TABLE ${table} (pk int PRIMARY KEY, v text)`),
        ),
      );
      const refusals = answers.filter((answer) => answer.kind === 'error');
      expect(answers.filter((answer) => answer.kind === 'schema_change')).toHaveLength(1);
      expect(refusals.map((answer) => [answer.code, answer.message])).toEqual(
        Array.from({ length: 19 }, () => [
          ALREADY_EXISTS,
          `Cannot add already existing table "raced_${String(round)}" to keyspace "two"`,
        ]),
      );
      await Promise.all(
        connections.map((connection, i) =>
          run(connection, `INSERT INTO ${table} (pk, v) VALUES (${String(i)}, 'v${String(i)}')`),
        ),
      );
      for (const connection of connections.slice(0, 4)) {
        const rows = rowsOf(await run(connection, `SELECT pk, v FROM ${table}`));
        expect(rows.map(([, v]) => String(v)).sort()).toEqual(
          Array.from({ length: 20 }, (_, i) => `v${String(i)}`).sort(),
        );
      }
    }
  });

  it('CREATE TABLE IF NOT EXISTS of one name succeeds everywhere', async () => {
    const connections = await Promise.all(
      Array.from({ length: 10 }, (_, i) => client(proxies()[i % 2 === 0 ? 0 : 1])),
    );
    const answers = await Promise.all(
      connections.map((connection) =>
        connection.query('CREATE TABLE IF NOT EXISTS two.calm (pk int PRIMARY KEY, v text)'),
      ),
    );
    expect(answers.filter((answer) => answer.kind === 'schema_change')).toHaveLength(1);
    expect(answers.filter((answer) => answer.kind === 'void')).toHaveLength(9);
    for (const connection of connections) {
      await run(connection, "INSERT INTO two.calm (pk, v) VALUES (1, 'x')");
    }
  });

  it('keeps every column of parallel ALTER TABLE ADD', async () => {
    const connections = await Promise.all(
      Array.from({ length: 8 }, (_, i) => client(proxies()[i % 2 === 0 ? 0 : 1])),
    );
    const [any] = connections as [RawClient];
    await run(any, 'CREATE TABLE two.grown (pk int PRIMARY KEY)');
    const answers = await Promise.all(
      connections.map((connection, i) =>
        connection.query(`ALTER TABLE two.grown ADD c${String(i)} text`),
      ),
    );
    // One that is refused must say so and leave nothing; the others are there and usable everywhere.
    const added = answers.flatMap((answer, i) => (answer.kind === 'error' ? [] : [i]));
    expect(answers.filter((answer) => answer.kind === 'error')).toEqual([]);
    const names = added.map((i) => `c${String(i)}`);
    for (const connection of connections) {
      await run(
        connection,
        `INSERT INTO two.grown (pk, ${names.join()}) VALUES (1, ${names.map((name) => `'${name}'`).join()})`,
      );
      const answer = await run(connection, 'SELECT * FROM two.grown');
      if (answer.kind !== 'rows') throw new Error('no rows');
      expect(answer.columns?.map((column) => column.name)).toEqual(['pk', ...names]);
      expect(answer.rows).toEqual([[int(1), ...names.map(text)]]);
    }
  });
});
