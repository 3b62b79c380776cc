/**
 * A table is rewritten under a new key DEK: every row, write time and time to live is the same afterwards and no stored key is;
 * meanwhile both proxies refuse it; and a process that is killed at any step of it is followed by another one.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import cassandraDriver from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRootKey } from '../../src/kms/index.ts';
import { rotationStatus } from '../../src/rotation/index.ts';
import type { TableRotationStatus } from '../../src/rotation/index.ts';
import type { Catalog } from '../../src/schema/index.ts';
import { builtProduct } from '../support/built_product.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { connectKeys, openCatalog } from '../support/key_environment.ts';
import type { KeyConnections } from '../support/key_environment.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';
import { RawClient } from '../support/raw_client.ts';
import { REPLICATION } from './support/pair.ts';

const CHILD = fileURLToPath(new URL('../support/rewrite_child.mjs', import.meta.url));
/** The proxies' own, and what the child waits for. */
const MAX_AGE_MS = 2_000;
const WIDE_ROWS = 250;
const PARTITIONS = 12;

let directory: string;
let cassandra: TestCassandra;
let options: TestProxyOptions & { readonly dataDir: string };
let proxies: TestProxy[] = [];
let clients: ProxyClient[] = [];
let a: ProxyClient;
let direct: cassandraDriver.Client;
let dist: string;
let keys: KeyConnections;
let catalog: Catalog;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cqlock-rewrite-'));
  cassandra = await startCassandra();
  dist = join(dirname(await builtProduct()), '..');
  options = {
    contactPoints: [`${cassandra.host}:${String(cassandra.port)}`],
    dataDir: join(directory, 'data'),
    env: { CQLOCK_CATALOG_REFRESH: '500ms', CQLOCK_CATALOG_MAX_AGE: `${String(MAX_AGE_MS)}ms` },
  };
  proxies = [await startProxy(options), await startProxy({ ...options, init: false })];
  clients = await Promise.all(proxies.map((proxy) => connectClient(proxy)));
  [a] = clients as [ProxyClient, ProxyClient];
  direct = new cassandraDriver.Client({
    contactPoints: options.contactPoints.slice(),
    localDataCenter: 'datacenter1',
    encoding: { useBigIntAsLong: true },
  });
  await direct.connect();
  const paths = storePaths();
  keys = await connectKeys('', cassandra.port, {
    path: paths.keyStore,
    rootKey: loadRootKey({ kind: 'file', path: paths.rootKey }),
  });
  ({ catalog } = await openCatalog(keys));
  await a.rows(`CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
  await a.rows('CREATE TYPE ks.pair (a int, b text)');
});

afterAll(async () => {
  for (const client of clients) client.close();
  await direct?.shutdown();
  await keys?.connection.close();
  for (const proxy of proxies) await proxy.stop();
  await cassandra?.stop();
  await rm(directory, { recursive: true, force: true });
});

function storePaths(): { readonly keyStore: string; readonly rootKey: string } {
  return {
    keyStore: join(options.dataDir, 'state', 'keystore.cqlock'),
    rootKey: join(`${options.dataDir}-config`, 'cqlock', 'root.key'),
  };
}

/** Rewrites a table in a process of its own: how often it went through each step, or 'killed'. */
async function inChild(
  name: string,
  more: { readonly at?: string; readonly nth?: number; readonly options?: object } = {},
): Promise<'killed' | Readonly<Record<string, number>>> {
  const child = {
    dist,
    port: cassandra.port,
    store: storePaths(),
    keyspace: 'ks',
    name,
    at: more.at ?? 'never',
    nth: more.nth ?? 1,
    options: {
      catalogMaxAgeMs: MAX_AGE_MS,
      inFlightMs: 200,
      truncateMs: 0,
      rowsPerSecond: 1e6,
      // Long enough to come to the step, short enough to wait for.
      claimMs: more.at === undefined ? 60_000 : 4_000,
      ranges: 8,
      ...more.options,
    },
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, JSON.stringify(child)], (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as Record<string, number>);
      else if (error.signal === 'SIGKILL') resolve('killed');
      else reject(new Error(stderr));
    });
  });
}

async function status(table: string): Promise<TableRotationStatus> {
  const one = rotationStatus(await catalog.readRecords()).find((each) => each.table === table);
  if (one === undefined) throw new Error(`no status of ${table}`);
  return one;
}

const COLUMNS = ['v', 'i', 'l', 's', 'm', 'u', 'fl', 'st', 'ss', 'sl'];
const KEYS = 'p1, p2, c1, c2';

async function createTable(name: string): Promise<void> {
  await a.rows(
    `CREATE TABLE ks.${name} (p1 text, p2 int, c1 text, c2 blob, st text static, ss set<int> static, sl list<text> static,
      v text, i varint, l list<int>, s set<text>, m map<text, varint>, u pair, fl frozen<list<int>>,
      PRIMARY KEY ((p1, p2), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)`,
  );
}

async function fill(name: string, partitions: number, wideRows: number): Promise<void> {
  const t = `ks.${name}`;
  for (let pk = 0; pk < partitions; pk++) {
    const key = `'p', ${String(pk)}`;
    await a.rows(
      `INSERT INTO ${t} (p1, p2, c1, c2, v, i, l, s, m, u, fl, st, ss, sl) VALUES (${key}, 'one', 0x01, 'text ${String(pk)}', ${String(pk)}, [3, 1, 3], {'b', 'a'}, {'k': 5, 'j': 6}, {a: 1, b: 'x'}, [1, 2], 'static', {1, 2}, ['x', 'y']) USING TIMESTAMP ${String(1_000_000 + pk)}`,
    );
    await a.rows(
      `UPDATE ${t} USING TIMESTAMP 2000000 SET l = l + [9], m['z'] = 7, s = s + {'c'}, u.b = 'later' WHERE p1 = 'p' AND p2 = ${String(pk)} AND c1 = 'one' AND c2 = 0x01`,
    );
    await a.rows(
      `UPDATE ${t} USING TTL 5000 SET v = 'expires', l = l + [11], m['t'] = 1 WHERE p1 = 'p' AND p2 = ${String(pk)} AND c1 = 'two' AND c2 = 0x`,
    );
  }
  await a.rows(`UPDATE ${t} USING TTL 4000 SET st = 'expires too' WHERE p1 = 'p' AND p2 = 1`);
  // A row of its key alone, a partition of static cells alone, an empty text.
  await a.rows(`INSERT INTO ${t} (p1, p2, c1, c2) VALUES ('p', 0, 'alone', 0xff)`);
  await a.rows(`INSERT INTO ${t} (p1, p2, st, sl) VALUES ('statics', 0, 'only', ['q'])`);
  await a.rows(`INSERT INTO ${t} (p1, p2, c1, c2, v) VALUES ('', 0, '', 0x, '')`);
  for (let from = 0; from < wideRows; from += 50) {
    const rows = Array.from({ length: Math.min(50, wideRows - from) }, (_, at) => from + at);
    const inserts = rows.map(
      (ck) =>
        `INSERT INTO ${t} (p1, p2, c1, c2, v, l) VALUES ('wide', 1, 'row ${String(ck % 7)}', 0x${ck.toString(16).padStart(4, '0')}, 'v${String(ck)}', [${String(ck)}, ${String(ck)}]) USING TIMESTAMP ${String(5_000 + ck)};`,
    );
    await a.rows(`BEGIN UNLOGGED BATCH ${inserts.join(' ')} APPLY BATCH`);
  }
}

type Rows = readonly (readonly (string | null)[])[];

/** Everything a client sees of a table, rows in an order of their own. */
async function seen(name: string, client = a): Promise<{ rows: Rows; times: Rows; ttls: Rows }> {
  const sorted = (rows: Rows): Rows =>
    [...rows].sort((x, y) =>
      JSON.stringify(x.slice(0, 4)) < JSON.stringify(y.slice(0, 4)) ? -1 : 1,
    );
  const of = (fn: string): string => COLUMNS.map((column) => `${fn}(${column})`).join(', ');
  return {
    rows: sorted(await client.rows(`SELECT ${KEYS}, ${COLUMNS.join(', ')} FROM ks.${name}`)),
    times: sorted(await client.rows(`SELECT ${KEYS}, ${of('writetime')} FROM ks.${name}`)),
    ttls: sorted(await client.rows(`SELECT ${KEYS}, ${of('ttl')} FROM ks.${name}`)),
  };
}

/** Times to live tick: all 4-byte numbers in a cell may be a few lower, or one higher. */
function expectTtls(before: Rows, after: Rows, elapsedS: number): void {
  expect(after).toHaveLength(before.length);
  for (const [at, row] of after.entries()) {
    for (const [column, now] of row.entries()) {
      const was = before[at]?.[column] ?? null;
      if (column < 4 || was === null || now === null) expect(now).toBe(was);
      else {
        expect(now).toHaveLength(was.length);
        const ttl = (hex: string): number => parseInt(hex.slice(-8), 16);
        // A list of the times of elements may end with one that has none.
        if (ttl(was) === 0xffffffff) expect(now).toBe(was);
        else
          expect(Math.abs(ttl(was) - elapsedS - ttl(now))).toBeLessThanOrEqual(2 + elapsedS / 10);
      }
    }
  }
}

/** Stored keys of all rows, hex, and the epochs of their heads. */
async function storedKeys(name: string): Promise<{ keys: Set<string>; epochs: Set<number> }> {
  const { rows } = await direct.execute(`SELECT ${KEYS}, s, sl FROM ks.${name}`);
  const keys = new Set<string>();
  const epochs = new Set<number>();
  for (const row of rows) {
    const parts = ['p1', 'p2', 'c1', 'c2'].map((column) => row[column] as Buffer | null);
    keys.add(parts.map((part) => part?.toString('hex') ?? '-').join(' '));
    const elements = [...((row['s'] ?? []) as Buffer[]), ...((row['sl'] ?? []) as Buffer[])];
    for (const part of [...parts, ...elements]) if (part !== null) epochs.add(part.readUInt16BE(2));
  }
  return { keys, epochs };
}

async function until(what: string, ms: number, look: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + ms;
  while (!(await look())) {
    if (Date.now() > giveUpAt) throw new Error(`${what}: not in ${String(ms)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('the rewrite of a table of all kinds of columns', () => {
  let before: Awaited<ReturnType<typeof seen>>;
  let keysBefore: Awaited<ReturnType<typeof storedKeys>>;
  let readAtMs: number;
  let page: Buffer;
  let raw: RawClient;
  const PAGED = 'SELECT * FROM ks.kinds';

  beforeAll(async () => {
    await createTable('kinds');
    await a.rows('CREATE INDEX was ON ks.kinds (v)');
    await fill('kinds', PARTITIONS, WIDE_ROWS);
    // Its stored column stays a while.
    await a.rows('DROP INDEX ks.was');
    before = await seen('kinds');
    keysBefore = await storedKeys('kinds');
    readAtMs = Date.now();
    raw = await RawClient.connect(proxies[0] as TestProxy);
    const first = await raw.query(PAGED, { pageSize: 5 });
    if (first.kind !== 'rows' || first.pagingState === null) throw new Error('no page');
    page = first.pagingState;
    expect(before.rows.length).toBeGreaterThan(WIDE_ROWS + 2 * PARTITIONS);
    expect(keysBefore.epochs).toEqual(new Set([1]));
  });

  afterAll(() => {
    raw?.close();
  });

  it('is refused at both proxies while it runs, but for DESCRIBE', async () => {
    const running = inChild('kinds', { options: { rowsPerSecond: 40 } });
    const settled = running.then(
      () => undefined,
      (error: unknown) => error,
    );
    await until('the rewrite shows', 60_000, async () => (await status('kinds')).rewrite !== null);
    for (const client of clients) {
      await until('the proxy knows', 30_000, async () =>
        ((await client.refusal('SELECT * FROM ks.kinds')) ?? '').includes('being rewritten'),
      );
      for (const statement of [
        "SELECT v FROM ks.kinds WHERE p1 = 'p' AND p2 = 1",
        'SELECT count(*) FROM ks.kinds',
        "INSERT INTO ks.kinds (p1, p2, c1, c2) VALUES ('new', 1, 'c', 0x01)",
        "DELETE FROM ks.kinds WHERE p1 = 'p' AND p2 = 1",
        "UPDATE ks.kinds SET v = 'x' WHERE p1 = 'p' AND p2 = 1 AND c1 = 'one' AND c2 = 0x01 IF v = 'y'",
        'TRUNCATE ks.kinds',
        'ALTER TABLE ks.kinds ADD w int',
        'CREATE INDEX ON ks.kinds (v)',
        "ALTER TABLE ks.kinds WITH CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'}}",
        'DROP TYPE ks.pair',
      ]) {
        expect(await client.refusal(statement), statement).toMatch(/being rewritten|still used/);
      }
      const [[, , , shown] = []] = await client.rows('DESCRIBE TABLE ks.kinds');
      expect(Buffer.from(shown ?? '', 'hex').toString()).toContain('m map<text, varint>');
      expect(
        await client.rows(
          "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 'kinds'",
        ),
      ).toEqual([[Buffer.from('UPDATING').toString('hex')]]);
    }
    for (const command of ['backup create ks.kinds', 'rotate cells ks.kinds']) {
      expect((await runCqlock(command, options)).output, command).toMatch(
        /BACKUP_STATE|SCHEMA_REWRITING/,
      );
    }
    expect(await settled).toBeUndefined();
  });

  it('changes no value, write time or time to live', async () => {
    for (const client of clients) {
      await until(
        'the proxy knows',
        30_000,
        async () => (await client.refusal('SELECT * FROM ks.kinds LIMIT 1')) === undefined,
      );
      const after = await seen('kinds', client);
      expect(after.rows).toEqual(before.rows);
      expect(after.times).toEqual(before.times);
      expectTtls(before.ttls, after.ttls, Math.round((Date.now() - readAtMs) / 1000));
    }
  });

  it('leaves no stored key and no element as it was', async () => {
    const after = await storedKeys('kinds');
    expect(after.epochs).toEqual(new Set([2]));
    expect(after.keys.size).toBe(keysBefore.keys.size);
    expect([...after.keys].filter((key) => keysBefore.keys.has(key))).toEqual([]);
    expect(await status('kinds')).toMatchObject({
      keyEpoch: 2,
      rewrite: null,
      lastRewrite: { epoch: 2 },
    });
  });

  it('ends paging states of before', async () => {
    const next = await raw.query(PAGED, { pageSize: 5, pagingState: page });
    expect(next).toMatchObject({ kind: 'error', message: 'Invalid value for the paging state' });
  });

  it('leaves a table that is used as before', async () => {
    await a.rows(
      "UPDATE ks.kinds SET s = s - {'a'}, l[0] = 4 WHERE p1 = 'p' AND p2 = 2 AND c1 = 'one' AND c2 = 0x01",
    );
    await a.rows("INSERT INTO ks.kinds (p1, p2, c1, c2, v) VALUES ('p', 2, 'one', 0x01, 'new')");
    const [, second] = clients as [ProxyClient, ProxyClient];
    const where = "WHERE p1 = 'p' AND p2 = 2 AND c1 = 'one' AND c2 = 0x01";
    const json = await second.rows(`SELECT JSON v, s, l FROM ks.kinds ${where}`);
    expect(Buffer.from(json[0]?.[0] ?? '', 'hex').toString()).toBe(
      '{"v": "new", "s": ["b", "c"], "l": [4, 1, 3, 9]}',
    );
    await a.rows("DELETE FROM ks.kinds WHERE p1 = 'wide' AND p2 = 1");
    expect(await second.rows("SELECT v FROM ks.kinds WHERE p1 = 'wide' AND p2 = 1")).toEqual([]);
  });
});

describe('a process killed in a rewrite', () => {
  const STEPS: readonly (readonly [at: string, nth: number])[] = [
    ['rewrite.begin', 1],
    ['rewrite.begun', 1],
    ['rewrite.claim', 1],
    ['rewrite.save', 3],
    ['rewrite.page', 3],
    ['rewrite.row', 9],
    ['rewrite.written', 4],
    ['rewrite.delete', 1],
    ['rewrite.deleted', 2],
    ['rewrite.end', 1],
    ['rewrite.ended', 1],
  ];
  let before: Awaited<ReturnType<typeof seen>>;

  beforeAll(async () => {
    await createTable('crash');
    await fill('crash', 3, 20);
    before = await seen('crash');
  });

  it.each(STEPS)(
    'at %s, time %i: the next one finishes it, nothing lost, nothing twice',
    async (at, nth) => {
      const { keyEpoch } = await status('crash');
      const keysBefore = await storedKeys('crash');
      const fast = { catalogMaxAgeMs: 10, inFlightMs: 0, fetchSize: 4 };
      expect(await inChild('crash', { at, nth, options: fast })).toBe('killed');
      // The other one: a proxy takes it over where the waiting is done, else this process does.
      if (at !== 'rewrite.ended') await inChild('crash', { options: fast });
      await until('it ends', 60_000, async () => (await status('crash')).rewrite === null);
      const { keyEpoch: after } = await status('crash');
      expect(after).toBeGreaterThan(keyEpoch);
      for (const client of clients) {
        await until(
          'the proxy knows',
          30_000,
          async () => (await client.refusal('SELECT * FROM ks.crash LIMIT 1')) === undefined,
        );
        const now = await seen('crash', client);
        expect(now.rows).toEqual(before.rows);
      }
      const keys = await storedKeys('crash');
      expect(keys.epochs).toEqual(new Set([after]));
      expect(keys.keys.size).toBe(keysBefore.keys.size);
      expect([...keys.keys].filter((key) => keysBefore.keys.has(key))).toEqual([]);
      const { times } = await seen('crash');
      // Lists that were being written are written again whole, a moment later in their write times.
      const listless = (rows: Rows): Rows =>
        rows.map((row) => row.filter((_, i) => ![6, 13].includes(i)));
      expect(listless(times)).toEqual(listless(before.times));
    },
  );
});

describe('cqlock rotate --rewrite', () => {
  it.each([
    [
      'counters',
      'CREATE TABLE ks.counted (pk int PRIMARY KEY, c counter)',
      'counted',
      /has counters/,
    ],
    [
      'an index',
      'CREATE TABLE ks.indexed (pk int PRIMARY KEY, v text)',
      'indexed',
      /has the index/,
    ],
  ])('refuses a table with %s', async (_what, create, name, why) => {
    await a.rows(create);
    if (name === 'indexed') await a.rows('CREATE INDEX by_v ON ks.indexed (v)');
    const { code, output } = await runCqlock(`rotate --rewrite ks.${name} --yes`, options);
    expect(code).toBe(1);
    expect(output).toMatch(why);
    expect(output).toContain('SCHEMA_KEY_REWRITE');
  });

  it('refuses a table with a row that does not open, before anything is begun', async () => {
    await a.rows('CREATE TABLE ks.damaged (pk int PRIMARY KEY, v text)');
    await a.rows("INSERT INTO ks.damaged (pk, v) VALUES (1, 'x')");
    const { rows } = await direct.execute('SELECT pk, v FROM ks.damaged');
    const cell = Buffer.from(rows[0]?.['v'] as Buffer);
    cell[cell.length - 1] = (cell.at(-1) ?? 0) ^ 1;
    await direct.execute('UPDATE ks.damaged SET v = ? WHERE pk = ?', [cell, rows[0]?.['pk']], {
      prepare: true,
    });
    const { code, output } = await runCqlock('rotate --rewrite ks.damaged --yes', options);
    expect(code).toBe(1);
    expect(output).toContain('SCHEMA_REWRITE_BLOCKED');
    expect(await status('damaged')).toMatchObject({ keyEpoch: 1, rewrite: null });
  });

  it('begins, leaves the rest to the proxies, and DROP TABLE ends it', async () => {
    await a.rows('CREATE TABLE ks.dropped (pk int PRIMARY KEY, v text)');
    await a.rows("INSERT INTO ks.dropped (pk, v) VALUES (1, 'x')");
    const command = await runCqlock('rotate --rewrite ks.dropped --yes --no-wait', options);
    expect(command).toMatchObject({ code: 0 });
    expect(command.output).toContain('the rewrite has begun');
    expect(await status('dropped')).toMatchObject({ rewrite: { phase: 'waiting' } });
    await a.rows('DROP TABLE ks.dropped');
    await expect(status('dropped')).rejects.toThrow('no status of dropped');
  });
});
