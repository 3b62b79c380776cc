/**
 * Whoever controls Cassandra edits the records, the root, or the tables themselves: the proxy notices at its next look at
 * the catalog and when it starts, and refuses reads and writes of what it cannot be sure of.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import cassandraDriver from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { deriveCatalogKeys, recordMac, rootMac } from '../../src/crypto/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';

type Row = Readonly<Record<string, unknown>>;
interface RecordRow {
  readonly id: Buffer;
  readonly version: unknown;
  readonly body: Buffer;
  readonly mac: Buffer;
}

let cassandra: TestCassandra;
let proxy: TestProxy;
let client: ProxyClient;
let direct: cassandraDriver.Client;
let home: string;
let cluster: Buffer;

const SETTINGS = { CQLOCK_CATALOG_REFRESH: '100ms' };

beforeAll(async () => {
  cassandra = await startCassandra();
  home = await mkdtemp(join(tmpdir(), 'cqlock-tampering-'));
  await start(true);
  direct = new cassandraDriver.Client({
    contactPoints: [`127.0.0.1:${cassandra.port}`],
    localDataCenter: 'datacenter1',
  });
  await direct.connect();
  await client.rows(
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  for (const name of ['a', 'b']) {
    await client.rows(`CREATE TABLE ks.${name} (pk int, ck int, v text, PRIMARY KEY (pk, ck))`);
    await client.rows(`INSERT INTO ks.${name} (pk, ck, v) VALUES (1, 1, 'x')`);
  }
  cluster = (await stored('SELECT cluster FROM cqlock.records'))[0]?.['cluster'] as Buffer;
});

afterAll(async () => {
  client?.close();
  await direct?.shutdown();
  await proxy?.stop();
  await cassandra?.stop();
  await rm(home, { recursive: true, force: true });
});

async function start(init: boolean): Promise<void> {
  proxy = await startProxy({
    contactPoints: [`127.0.0.1:${cassandra.port}`],
    dataDir: join(home, 'data'),
    init,
    env: SETTINGS,
  });
  client = await connectClient(proxy);
}

async function stored(query: string, params: readonly unknown[] = []): Promise<readonly Row[]> {
  const result = await direct.execute(query, [...params], { prepare: params.length > 0 });
  return result.rows ?? [];
}

/** The record of a table, as stored. */
async function record(name: string): Promise<RecordRow> {
  const rows = await stored('SELECT table_id, version, body, mac FROM cqlock.records');
  const row = rows.find((candidate) => {
    const body = candidate['body'] as Buffer | null;
    return body !== null && (JSON.parse(body.toString('utf8')) as Row)['name'] === name;
  });
  if (row === undefined) throw new Error(`no record of ${name}`);
  return {
    id: row['table_id'] as Buffer,
    version: row['version'],
    body: row['body'] as Buffer,
    mac: row['mac'] as Buffer,
  };
}

async function putRecord(row: RecordRow): Promise<void> {
  await stored(
    'UPDATE cqlock.records SET version = ?, body = ?, mac = ? WHERE cluster = ? AND table_id = ?',
    [row.version, row.body, row.mac, cluster, row.id],
  );
}

async function root(): Promise<Row> {
  const rows = await stored('SELECT root, root_version, root_mac FROM cqlock.records LIMIT 1');
  return rows[0] ?? {};
}

async function putRoot(row: Row): Promise<void> {
  await stored(
    'UPDATE cqlock.records SET root = ?, root_version = ?, root_mac = ? WHERE cluster = ?',
    [row['root'] ?? null, row['root_version'] ?? null, row['root_mac'] ?? null, cluster],
  );
}

const READ = 'SELECT v FROM ks.a WHERE pk = 1';
const WRITE = "INSERT INTO ks.a (pk, ck, v) VALUES (9, 9, 'must not be stored')";
const EVERY_FORM = [
  READ,
  'SELECT * FROM ks.a',
  'SELECT count(*) FROM ks.a',
  WRITE,
  `${WRITE} IF NOT EXISTS`,
  "UPDATE ks.a SET v = 'y' WHERE pk = 1 AND ck = 1",
  'DELETE FROM ks.a WHERE pk = 1',
  `BEGIN BATCH ${WRITE}; APPLY BATCH`,
];

/** Waits until the proxy has looked again: until reading is refused, or answered. */
async function untilRead(isRefused: boolean): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  while (((await client.refusal(READ)) !== undefined) !== isRefused) {
    if (Date.now() > giveUpAt) throw new Error(`${READ}: ${await client.refusal(READ)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Every read and write of ks.a is refused, nothing is written, and a new start does not help. */
async function expectRefused(code: RegExp): Promise<void> {
  await untilRead(true);
  const before = (await stored('SELECT pk FROM ks.a')).length;
  for (const cql of EVERY_FORM) expect(`${cql}: ${await client.refusal(cql)}`).toMatch(code);
  expect((await stored('SELECT pk FROM ks.a')).length).toBe(before);
}

describe('records edited by hand', () => {
  let a: RecordRow;
  let b: RecordRow;
  let whole: Row;

  beforeAll(async () => {
    a = await record('a');
    b = await record('b');
    whole = await root();
  });

  afterEach(async () => {
    await putRecord(a);
    await putRecord(b);
    await putRoot(whole);
    await untilRead(false);
    expect(await client.rows(READ)).toEqual([[Buffer.from('x').toString('hex')]]);
  });

  const edited = (change: (body: string) => string): Buffer => {
    const text = a.body.toString('utf8');
    const next = change(text);
    expect(next).not.toBe(text);
    return Buffer.from(next, 'utf8');
  };
  const json = (change: (body: Record<string, unknown>, other: Row) => void): Buffer => {
    const body = JSON.parse(a.body.toString('utf8')) as Record<string, unknown>;
    change(body, JSON.parse(b.body.toString('utf8')) as Row);
    return Buffer.from(JSON.stringify(body), 'utf8');
  };

  it.each<[string, () => RecordRow]>([
    [
      'a scheme made weaker',
      () => ({ ...a, body: edited((t) => t.replace('"ordered"', '"opaque"')) }),
    ],
    [
      'a column taken out',
      () => ({ ...a, body: json((body) => (body['columns'] as unknown[]).pop()) }),
    ],
    [
      'a lower minimum epoch',
      () => ({
        ...a,
        body: json((body) => ((body['keys'] as Record<string, unknown>)['minEpoch'] = 0)),
      }),
    ],
    [
      'an invented epoch',
      () => ({ ...a, body: edited((t) => t.replaceAll('"epoch":1', '"epoch":2')) }),
    ],
    [
      'the keys of another table',
      () => ({ ...a, body: json((body, other) => (body['keys'] = other['keys'])) }),
    ],
    [
      'the wrapped DEKs of another table',
      () => ({
        ...a,
        body: json((body, other) => {
          (body['keys'] as Record<string, unknown>)['deks'] = (other['keys'] as Row)['deks'];
        }),
      }),
    ],
    ['the whole record of another table', () => ({ ...b, id: a.id })],
    ['an older version', () => ({ ...a, version: cassandraDriver.types.Long.fromNumber(1) })],
    ['another MAC', () => ({ ...a, mac: Buffer.alloc(32) })],
    ['an empty body', () => ({ ...a, body: Buffer.alloc(0) })],
    [
      'a bit of its body flipped',
      () => {
        const body = Buffer.from(a.body);
        body[40] = (body[40] ?? 0) ^ 1;
        return { ...a, body };
      },
    ],
  ])('%s: the table is refused', async (_, forged) => {
    await putRecord(forged());
    await expectRefused(/: 0x0000 .*(record|METADATA)/);
  });

  it('deleted: the table is refused', async () => {
    await stored('DELETE FROM cqlock.records WHERE cluster = ? AND table_id = ?', [cluster, a.id]);
    await expectRefused(/: 0x0000 .*record/);
  });

  it('an extra record: what is not known is refused', async () => {
    const extra = { ...a, id: Buffer.alloc(16, 7) };
    await putRecord(extra);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // Table a still agrees with the root; nothing that has no record does.
    await stored('CREATE TABLE ks.around (pk int PRIMARY KEY, v text)');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await client.refusal('SELECT * FROM ks.around')).toMatch(/^0x0000 /);
    await stored('DROP TABLE ks.around');
    await stored('DELETE FROM cqlock.records WHERE cluster = ? AND table_id = ?', [
      cluster,
      extra.id,
    ]);
  });

  it('the root deleted: every table is refused', async () => {
    await putRoot({});
    await expectRefused(/: 0x0000 .*root/);
    expect(await client.refusal('SELECT * FROM ks.b')).toMatch(/^0x0000 /);
    expect(await client.refusal('CREATE TABLE ks.c (pk int PRIMARY KEY)')).toMatch(/^0x0000 /);
  });

  it('record and root of one mind, but under another catalog key: every table is refused', async () => {
    const keys = deriveCatalogKeys(Buffer.alloc(32, 5), cluster);
    const body = edited((text) => text.replace('"ordered"', '"opaque"'));
    const version = BigInt(String(a.version));
    const mac = recordMac(keys.record, { clusterId: cluster, tableId: a.id, version, body });
    const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
    const bytes = Buffer.from(whole['root'] as Buffer);
    const at = bytes.indexOf(sha256(a.body));
    expect(at).toBeGreaterThan(0);
    sha256(body).copy(bytes, at);
    await putRecord({ ...a, body, mac: Buffer.from(mac) });
    await putRoot({
      ...whole,
      root: bytes,
      root_mac: Buffer.from(rootMac(keys.root, cluster, bytes)),
    });
    await expectRefused(/: 0x0000 .*root/);
    expect(await client.refusal('SELECT * FROM ks.b')).toMatch(/^0x0000 /);
  });

  it('the root altered: every table is refused', async () => {
    const bytes = Buffer.from(whole['root'] as Buffer);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await putRoot({ ...whole, root: bytes });
    await expectRefused(/: 0x0000 .*root/);
  });
});

describe('the whole catalog of an earlier time', () => {
  it('is refused by a running proxy and at the next start', async () => {
    const before = await root();
    const recordOfA = await record('a');
    await client.rows('ALTER TABLE ks.a ADD w text');
    await client.rows("UPDATE ks.a SET w = 'w' WHERE pk = 1 AND ck = 1");
    const after = await root();
    const newRecord = await record('a');
    await stored('ALTER TABLE ks.a DROP w');
    await putRecord(recordOfA);
    await putRoot(before);
    await expectRefused(/: 0x0000 .*rolled back/);
    await restartExpecting(/METADATA_ROLLED_BACK/);
    await stored('ALTER TABLE ks.a ADD w blob');
    await putRecord(newRecord);
    await putRoot(after);
    await start(false);
    await untilRead(false);
  });
});

/** Ends the proxy and starts it again, which must fail. */
async function restartExpecting(code: RegExp): Promise<void> {
  client.close();
  await proxy.kill9();
  await expect(start(false)).rejects.toThrow(code);
}

describe('tables changed around the proxy', () => {
  it('an unknown table is refused on read and write', async () => {
    await stored('CREATE TABLE ks.unknown_one (pk int PRIMARY KEY, v text)');
    await stored("INSERT INTO ks.unknown_one (pk, v) VALUES (1, 'clear')");
    for (const cql of [
      'SELECT * FROM ks.unknown_one',
      "INSERT INTO ks.unknown_one (pk, v) VALUES (2, 'must not be stored')",
      'DELETE FROM ks.unknown_one WHERE pk = 1',
    ]) {
      expect(`${cql}: ${await client.refusal(cql)}`).toMatch(/: 0x2200 /);
    }
    expect(await stored('SELECT pk FROM ks.unknown_one')).toHaveLength(1);
  });

  it('a column added or dropped by hand: the table is refused', async () => {
    await stored('ALTER TABLE ks.b ADD clear text');
    await untilRefusedB();
    await stored('ALTER TABLE ks.b DROP clear');
    await stored('ALTER TABLE ks.b DROP v');
    await untilRefusedB();
  });

  it('a table dropped and made again in the clear is refused, also after a new start', async () => {
    await stored('DROP TABLE ks.a');
    await stored('CREATE TABLE ks.a (pk blob, ck blob, v blob, w blob, PRIMARY KEY (pk, ck))');
    await expectRefused(/: 0x0000 .*(not the one of its record|dropped and created)/);
    client.close();
    await proxy.kill9();
    await start(false);
    await expectRefused(/: 0x0000 .*(not the one of its record|dropped and created)/);
  });

  const untilRefusedB = async (): Promise<void> => {
    await expect
      .poll(() => client.refusal('SELECT * FROM ks.b'), { timeout: 30_000 })
      .toMatch(/^0x0000 .*(altered around|record)/);
    expect(
      await client.refusal("INSERT INTO ks.b (pk, ck, v) VALUES (2, 2, 'must not be stored')"),
    ).toMatch(/^0x/);
  };
});

describe('keys and keyspace of the catalog', () => {
  it('another key store is refused at start and by init, and nothing is changed', async () => {
    const before = await root();
    const other = join(home, 'other');
    const options = {
      contactPoints: [`127.0.0.1:${cassandra.port}`],
      dataDir: other,
      env: SETTINGS,
    };
    const started = await runCqlock('start', options);
    expect(started.code).not.toBe(0);
    expect(started.output).toMatch(/CONFIG_NO_KEY_STORE|no key store/);
    const init = await runCqlock('init', options);
    expect(init.code).not.toBe(0);
    expect(init.output).toMatch(/belongs to cluster/);
    expect(await root()).toEqual(before);
    // The place of its own key store is still free for that one's backup.
    expect(existsSync(join(other, 'state', 'keystore.cqlock'))).toBe(false);
  });

  it('keyspace cqlock dropped: refused while running, and no new start makes it anew', async () => {
    await stored('DROP KEYSPACE cqlock');
    await expect
      .poll(() => client.refusal('SELECT * FROM ks.b'), { timeout: 30_000 })
      .toMatch(/^0x0000 /);
    await restartExpecting(/METADATA_KEYSPACE_MISSING/);
    const keyspaces = await stored('SELECT keyspace_name FROM system_schema.keyspaces');
    expect(keyspaces.map((row) => row['keyspace_name'])).not.toContain('cqlock');
  });
});
