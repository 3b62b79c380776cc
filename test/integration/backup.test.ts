/**
 * Backups of real tables: every row, cell, write time and time of expiry comes back; interrupted work goes on; keys change and
 * are lost.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirectoryTarget } from '../../src/backup/index.ts';
import type { BackupOptions } from '../../src/backup/index.ts';
import { zeroDeks } from '../../src/keys/index.ts';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../src/kms/index.ts';
import type { KmsProvider } from '../../src/kms/index.ts';
import { initCluster } from '../../src/schema/index.ts';
import type { TableRecord } from '../../src/schema/index.ts';
import {
  openBackupEnvironment,
  proxyKeyStore,
  type BackupEnvironment,
} from '../support/backup_environment.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { memoryStore } from '../support/memory_cluster.ts';
import { startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';

const SCALARS: Readonly<Record<string, string>> = {
  ascii: "'plain ascii'",
  bigint: '-9223372036854775808',
  blob: '0xc10100ff',
  boolean: 'true',
  date: "'2026-11-25'",
  decimal: '-1.50',
  double: '1.0E-300',
  duration: '1mo2d3ns',
  float: '-0.5',
  inet: "'::1'",
  int: '42',
  smallint: '-7',
  text: "'unmistakable marker'",
  time: "'08:12:54.123456789'",
  timestamp: "'2026-11-25T01:02:03.004Z'",
  timeuuid: '50554d6e-29bb-11e5-b345-feff819cdc9f',
  tinyint: '127',
  uuid: 'ba5eba11-0000-4000-8000-000000000001',
  varint: '123456789012345678901234567890',
};

let cassandra: TestCassandra;
let proxy: TestProxy;
let client: ProxyClient;
let home: string;
let target: DirectoryTarget;
let sharedKms: EmbeddedKms;
let environment: BackupEnvironment;

beforeAll(async () => {
  cassandra = await startCassandra();
  home = await mkdtemp(join(tmpdir(), 'cqlock-backup-'));
  proxy = await startProxy({
    contactPoints: [`127.0.0.1:${cassandra.port}`],
    dataDir: join(home, 'data'),
    env: { CQLOCK_CATALOG_REFRESH: '100ms' },
  });
  client = await connectClient(proxy);
  target = new DirectoryTarget(join(home, 'backups'));
  sharedKms = new EmbeddedKms({ store: await newKeyStore('shared') });
  environment = await openBackupEnvironment({
    port: cassandra.port,
    keyStore: proxyKeyStore(proxy.dataDir),
    target,
    others: [named('shared', sharedKms)],
  });
  await client.rows(
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
});

afterAll(async () => {
  client?.close();
  await environment?.close();
  await proxy?.stop();
  await cassandra?.stop();
  await rm(home, { recursive: true, force: true });
});

async function newKeyStore(name: string): Promise<KeyStore> {
  const rootKey = loadRootKey({ kind: 'base64', value: Buffer.alloc(32, 7).toString('base64') });
  return await KeyStore.create({ path: join(home, `${name}.keystore`), rootKey });
}

/** The same KMS under the name of another provider. */
function named(name: string, kms: EmbeddedKms): KmsProvider {
  return {
    name,
    recognises: (identifier) => identifier.startsWith(`${name}:`),
    resolveKey: (identifier) => kms.resolveKey(identifier.slice(name.length + 1)),
    generateDataKey: (...args) => kms.generateDataKey(...args),
    encrypt: (...args) => kms.encrypt(...args),
    decrypt: (...args) => kms.decrypt(...args),
    reEncrypt: (...args) => kms.reEncrypt(...args),
    describeKey: (...args) => kms.describeKey(...args),
    createGrant: (...args) => kms.createGrant(...args),
    retireGrant: (...args) => kms.retireGrant(...args),
  };
}

/** A table's rows, as a client gets them. A time to live may have moved on by seconds, so it is compared apart. */
async function contents(name: string, columns: string): Promise<string[]> {
  const rows = await client.rows(`SELECT ${columns} FROM ${name}`);
  return rows.map((row) => JSON.stringify(row)).sort();
}

async function untilReadable(name: string): Promise<void> {
  const giveUpAt = Date.now() + 15_000;
  for (;;) {
    const refusal = await client.refusal(`SELECT * FROM ${name} LIMIT 1`);
    if (refusal === undefined) return;
    if (Date.now() > giveUpAt) throw new Error(refusal);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function errorOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return `${(error as { code?: string }).code ?? ''}: ${(error as Error).message}`;
  }
  throw new Error('it was expected to be refused');
}

/** A service whose process dies at a step: the step never ends, so claims are not given back either. */
async function dying(
  at: string,
  times: number,
  run: (options: BackupOptions) => Promise<unknown>,
): Promise<void> {
  let left = times;
  await new Promise<void>((resolve, reject) => {
    run({
      claimMs: 1500,
      chunkBytes: 4096,
      step: (name) => {
        if (name !== at) return undefined;
        left -= 1;
        if (left > 0) return undefined;
        resolve();
        return new Promise(() => undefined);
      },
    }).then(() => reject(new Error(`it ended before step ${at}`)), reject);
  });
  await new Promise((resolve) => setTimeout(resolve, 1600));
}

async function fill(name: string, rows: number): Promise<void> {
  await client.rows(
    `CREATE TABLE ${name} (pk int, ck int, v text, PRIMARY KEY (pk, ck)) WITH comment = 'it''s; ) WITH' AND default_time_to_live = 86400`,
  );
  for (let i = 0; i < rows; i += 20) {
    const inserts = Array.from(
      { length: Math.min(20, rows - i) },
      (_, j) =>
        `INSERT INTO ${name} (pk, ck, v) VALUES (${(i + j) % 7}, ${i + j}, 'value ${i + j}') USING TIMESTAMP ${1000 + i + j} AND TTL 0`,
    );
    await client.rows(`BEGIN UNLOGGED BATCH ${inserts.join('; ')}; APPLY BATCH`);
  }
}

async function tableRecord(name: string): Promise<TableRecord & { keys: object }> {
  const { catalog } = await environment.open();
  const { records } = await catalog.readRecords();
  for (const { record } of records.values()) {
    if (record.kind === 'table' && record.name === name && record.state === 'ACTIVE') {
      return record as TableRecord & { keys: object };
    }
  }
  throw new Error(`no record of ${name}`);
}

/** What a change of the table's KMS key does to its record, before the old key is given up. */
async function changeKey(name: string, keyArn: string): Promise<void> {
  const { catalog } = await environment.open();
  const { clusterId } = await catalog.readRecords();
  const record = await tableRecord(name);
  const { keys } = record as { keys: NonNullable<TableRecord['keys']> };
  const tableId = Buffer.from(record.tableId, 'hex');
  const owner = { clusterId, tableId, keyspace: record.keyspace, name };
  const deks = await environment.transfer.openDeks(owner, keys.tableKeys, keys.deks);
  const version = 1 + Math.max(...keys.tableKeys.map((key) => key.version));
  // A new table key under the new KMS key comes with a new cell DEK.
  const imported = await environment.transfer.importTableKeys(owner, deks, 1, {
    provider: environment.kms.name,
    keyArn,
  });
  const context = { ...imported.tableKeys[0]?.context, 'cqlock:version': String(version) };
  const { plaintext, blob } = await environment.kms.generateDataKey(keyArn, context);
  const opened = await environment.transfer.openDeks(owner, imported.tableKeys, imported.deks);
  const commitSource = imported.tableKeys[0];
  if (commitSource === undefined) throw new Error('no table key');
  const { tableKeyCommit } = await import('../../src/crypto/index.ts');
  const next = {
    ...imported,
    tableKeys: [
      {
        ...commitSource,
        version,
        context,
        blob: Buffer.from(blob).toString('hex'),
        commit: tableKeyCommit(plaintext, tableId).toString('hex'),
      },
    ],
    deks: opened.map(({ from, dek }) =>
      environment.transfer.wrap(owner, plaintext, { ...from, tableKeyVersion: version }, dek),
    ),
  };
  zeroDeks(opened);
  zeroDeks(deks);
  await catalog.change((view) => {
    const current = view.records.get(record.tableId)?.record as TableRecord;
    return { put: [{ ...current, keys: next }] };
  });
}

/** A table with columns of several cells, whose elements differ in write times and times to live; some rows have few. */
async function makeParts(name: string): Promise<void> {
  if (name === 'ks.parts') {
    await client.rows('CREATE TYPE ks.address (street text, zip int, note varint)');
  }
  await client.rows(
    `CREATE TABLE ${name} (pk int, ck int, l list<text>, s set<int>, m map<text, varint>, u address, v text, ls list<int> STATIC, ss set<text> STATIC, ms map<int, text> STATIC, us address STATIC, PRIMARY KEY (pk, ck)) WITH default_time_to_live = 86400`,
  );
  const at = 'WHERE pk = 1 AND ck = 1';
  for (const [using, set, where] of [
    ['TIMESTAMP 30 AND TTL 0', "l = ['b', 'c'], s = {1}, m = {'x': 1, 'y': 2}", at],
    ['TIMESTAMP 10 AND TTL 5000', "l = l + ['a']", 'WHERE pk = 2 AND ck = 1'],
    ['TIMESTAMP 40 AND TTL 0', "s = s + {1}, m['x'] = -5, u = {street: 'here', zip: 1}", at],
    ['TIMESTAMP 50 AND TTL 6000', "s = s + {-5}, m['z'] = 12345678901234567890123, u.note = 3", at],
    ['TIMESTAMP 60 AND TTL 7000', "u.zip = 2, v = 'with the field'", at],
    ['TIMESTAMP 70 AND TTL 6', "s = s + {99}, m['gone'] = 1", at],
    ['TIMESTAMP 71 AND TTL 6', "s = {1, 2}, l = ['short']", 'WHERE pk = 3 AND ck = 1'],
    ['TIMESTAMP 80', "s = {7}, m = {'default': 8}", 'WHERE pk = 4 AND ck = 1'],
    ['TIMESTAMP 81 AND TTL 0', 'u.street = null, u.zip = 5', 'WHERE pk = 5 AND ck = 1'],
    ['TIMESTAMP 90 AND TTL 0', "ls = [3, 1, 2], ss = {'a'}, ms = {1: 'one'}", 'WHERE pk = 1'],
    ['TIMESTAMP 91 AND TTL 8000', "ls = ls + [1], ss = ss + {'b'}, ms[2] = 'two'", 'WHERE pk = 1'],
    ['TIMESTAMP 92 AND TTL 0', "us = {street: 'static', zip: null, note: 1}", 'WHERE pk = 1'],
    ['TIMESTAMP 93 AND TTL 9000', 'us.zip = 4, ls = [9, 9]', 'WHERE pk = 6'],
  ] as const) {
    await client.rows(`UPDATE ${name} USING ${using} SET ${set} ${where}`);
  }
  // Elements that are older than those before them.
  await client.rows(`UPDATE ${name} USING TIMESTAMP 10 AND TTL 5000 SET l = l + ['a'] ${at}`);
  await client.rows(`UPDATE ${name} USING TIMESTAMP 20 AND TTL 0 SET l = l + ['b'] ${at}`);
}

/** Rows, write times and times to live of two tables of {@link makeParts} are the same. */
async function samePartsIn(source: string, restored: string): Promise<void> {
  const columns = ['l', 's', 'm', 'v', 'ls', 'ss', 'ms'];
  const times = columns.map((column) => `writetime(${column}) AS w_${column}`);
  const ttls = columns.map((column) => `ttl(${column}) AS t_${column}`);
  const all = `pk, ck, ${columns.join(', ')}, u, us, ${times.join(', ')}`;
  const rows = await contents(restored, all);
  expect(rows).toEqual(await contents(source, all));
  expect(rows).toHaveLength(5);
  const fields = ['u', 'us'].flatMap((column) =>
    ['street', 'zip', 'note'].map((field) => `${column}.${field}`),
  );
  const stored = async (name: string) => {
    const selected = fields.flatMap((field, i) => [
      `${field} AS f${i}`,
      `writetime(${field}) AS fw${i}`,
      `ttl(${field}) AS t_f${i}`,
    ]);
    const result = await environment.connection.execute(
      `SELECT pk, ck, ${columns.join(', ')}, ${selected.join(', ')}, ${times.join(', ')}, ${ttls.join(', ')} FROM ${name}`,
    );
    return result.rows.map((row) => Object.entries(row));
  };
  // Stored bytes are the same; seconds that are left may be counted at another time.
  const [before, after] = [await stored(source), await stored(restored)];
  const exact = (of: typeof before) =>
    of.map((row) => row.filter(([name]) => !name.startsWith('t_')));
  const left = (of: typeof before) =>
    of.flatMap((row) => row.filter(([name]) => name.startsWith('t_')).flatMap(([, ttl]) => ttl));
  expect(exact(after)).toEqual(exact(before));
  const [leftBefore, leftAfter] = [left(before), left(after)];
  expect(leftAfter).toHaveLength(leftBefore.length);
  expect(leftBefore.filter((ttl) => typeof ttl === 'number').length).toBeGreaterThan(10);
  for (const [index, ttl] of leftBefore.entries()) {
    const other = leftAfter[index];
    if (typeof ttl !== 'number' || typeof other !== 'number') expect(other).toEqual(ttl);
    else expect(Math.abs(other - ttl)).toBeLessThanOrEqual(2);
  }
}

describe('backup and restore', () => {
  it('gives back every type, statics, write times and times of expiry', async () => {
    const columns = Object.keys(SCALARS);
    await client.rows(
      `CREATE TABLE ks.scalars (pk1 text, pk2 int, ck1 decimal, ck2 text, st text STATIC, st2 int STATIC, ${columns.map((type) => `v_${type} ${type}`).join(', ')}, fl frozen<list<int>>, PRIMARY KEY ((pk1, pk2), ck1, ck2)) WITH CLUSTERING ORDER BY (ck1 DESC, ck2 ASC)`,
    );
    const names = columns.map((type) => `v_${type}`).join(', ');
    const values = Object.values(SCALARS).join(', ');
    for (const [pk, ck, using] of [
      ['a', '1.0', 'USING TIMESTAMP 1111'],
      ['a', '-7', 'USING TIMESTAMP 2222 AND TTL 5000'],
      ['b', '1E+3', 'USING TIMESTAMP 3333'],
    ] as const) {
      await client.rows(
        `INSERT INTO ks.scalars (pk1, pk2, ck1, ck2, fl, ${names}) VALUES ('${pk}', 1, ${ck}, 'c', [1, 2], ${values}) ${using}`,
      );
    }
    for (const cql of [
      "UPDATE ks.scalars USING TIMESTAMP 4444 AND TTL 9000 SET v_int = 43 WHERE pk1 = 'a' AND pk2 = 1 AND ck1 = 1.0 AND ck2 = 'c'",
      "UPDATE ks.scalars USING TIMESTAMP 5555 SET v_text = '' WHERE pk1 = 'a' AND pk2 = 1 AND ck1 = 1.0 AND ck2 = 'c'",
      "DELETE v_uuid FROM ks.scalars USING TIMESTAMP 6666 WHERE pk1 = 'a' AND pk2 = 1 AND ck1 = 1.0 AND ck2 = 'c'",
      "UPDATE ks.scalars USING TIMESTAMP 7777 SET st = 'static', st2 = 9 WHERE pk1 = 'a' AND pk2 = 1",
      "UPDATE ks.scalars USING TIMESTAMP 8888 AND TTL 7000 SET st = 'alone' WHERE pk1 = 'statics only' AND pk2 = 1",
      "INSERT INTO ks.scalars (pk1, pk2, ck1, ck2) VALUES ('keys only', 1, 5, 'c')",
      "INSERT INTO ks.scalars (pk1, pk2, ck1, ck2, v_int) VALUES ('short', 1, 5, 'c', 1) USING TTL 6",
    ]) {
      await client.rows(cql);
    }
    const service = await environment.service({ sampleEvery: 1 });
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'scalars' });
    const record = await service.get(backupId);
    expect(record.state).toBe('READY');
    expect(record.verified).toMatchObject({ mode: 'decrypted', rows: 5 });
    expect(record.verified?.decrypted).toBe(record.verified?.cells);
    expect(record.verified?.cells).toBeGreaterThan(3 * columns.length);

    const all = `pk1, pk2, ck1, ck2, st, st2, fl, ${names}, writetime(st), writetime(v_int), writetime(v_text), writetime(v_blob), writetime(fl)`;
    await new Promise((resolve) => setTimeout(resolve, 6500));
    await service.restore({
      from: { keyspace: 'ks', name: 'scalars' },
      to: { keyspace: 'ks', name: 'scalars_back' },
    });
    await untilReadable('ks.scalars_back');
    expect(await contents('ks.scalars_back', all)).toEqual(await contents('ks.scalars', all));
    const keysOf = await contents('ks.scalars_back', 'pk1, ck1');
    expect(keysOf).toHaveLength(5);
    expect(keysOf.some((row) => row.includes(Buffer.from('short').toString('hex')))).toBe(false);
    const ttls = async (name: string): Promise<number[]> =>
      (await client.rows(`SELECT ttl(st), ttl(v_int), ttl(v_blob) FROM ${name}`))
        .flat()
        .map((cell) => (cell === null ? 0 : Buffer.from(cell, 'hex').readInt32BE()));
    const before = await ttls('ks.scalars');
    const after = await ttls('ks.scalars_back');
    expect(before.filter((ttl) => ttl > 0)).toHaveLength(4);
    for (const [index, ttl] of before.entries()) {
      expect(Math.abs((after[index] ?? -1) - ttl)).toBeLessThanOrEqual(2);
    }
    // The restored table is one like any other, and the values of new writes are under a key of its own.
    await client.rows(
      "INSERT INTO ks.scalars_back (pk1, pk2, ck1, ck2, v_int) VALUES ('new', 1, 1, 'c', 5)",
    );
    expect(
      await client.rows("SELECT v_int FROM ks.scalars_back WHERE pk1 = 'new' AND pk2 = 1"),
    ).toEqual([['00000005']]);
    expect((await tableRecord('scalars_back')).keys).toMatchObject({
      deks: [
        { structure: 'key' },
        { epoch: 1, state: 'decrypt_only' },
        { epoch: 2, state: 'active' },
      ],
    });
    // Nothing readable is in the files of a backup.
    for (const file of await readdir(join(home, 'backups', backupId))) {
      const bytes = await readFile(join(home, 'backups', backupId, file));
      expect(bytes.includes('unmistakable marker')).toBe(false);
    }
  });

  it('gives back collections and user types, each element with its write time and time of expiry', async () => {
    await makeParts('ks.parts');
    const service = await environment.service({ sampleEvery: 1 });
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'parts' });
    const { verified } = await service.get(backupId);
    expect(verified).toMatchObject({ mode: 'decrypted', rows: 5 });
    expect(verified?.decrypted).toBe(verified?.cells);
    expect(verified?.cells).toBeGreaterThan(30);

    await new Promise((resolve) => setTimeout(resolve, 6500));
    await client.rows(
      "CREATE KEYSPACE elsewhere WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    const to = { keyspace: 'elsewhere', name: 'parts_back' };
    const restore = async () => (await environment.service()).restore({ from: { backupId }, to });
    expect(await errorOf(restore())).toMatch(/^SCHEMA_RESTORE_TYPE.*CREATE TYPE elsewhere.address/);
    await client.rows('CREATE TYPE elsewhere.address (street text, zip int, note varint)');
    await restore();
    await untilReadable('elsewhere.parts_back');
    await samePartsIn('ks.parts', 'elsewhere.parts_back');
    const stored = await environment.connection.execute(
      'SELECT l, writetime(l) AS w, ttl(l) AS t FROM elsewhere.parts_back',
    );
    const list = stored.rows.find((one) => (one['l'] as unknown[] | null)?.length === 4);
    expect(list?.['w']).toEqual([30n, 30n, 10n, 20n]);
    expect((list?.['t'] as unknown[]).map((ttl) => ttl !== null)).toEqual([
      false,
      false,
      true,
      false,
    ]);

    // Elements are found by what they are.
    for (const cql of [
      "UPDATE elsewhere.parts_back SET l = l - ['b'], s = s - {1}, m['x'] = 7, u.zip = 9 WHERE pk = 1 AND ck = 1",
      "UPDATE elsewhere.parts_back SET s = s + {2}, m = m - {'y'}, l[0] = 'new' WHERE pk = 1 AND ck = 1",
    ]) {
      await client.rows(cql);
    }
    const text = (value: string): string => Buffer.from(value).toString('hex');
    const [row] = await client.rows(
      'SELECT l, s, m, u FROM elsewhere.parts_back WHERE pk = 1 AND ck = 1',
    );
    expect(row).toEqual([
      `0000000300000003${text('new')}00000001${text('c')}00000001${text('a')}`,
      `0000000200000004fffffffb0000000400000002`,
      expect.any(String),
      expect.any(String),
    ]);
  });

  it('goes on with lists after it was killed, and doubles none', async () => {
    await makeParts('ks.more_parts');
    for (let i = 0; i < 60; i += 1) {
      await client.rows(
        `BEGIN BATCH UPDATE ks.more_parts USING TIMESTAMP 10 SET l = l + ['${'x'.repeat(90)}', 'b'], ls = ls + [${i}] WHERE pk = ${i + 100} AND ck = 1; UPDATE ks.more_parts USING TIMESTAMP 5 AND TTL 7000 SET l = l + ['c'], s = s + {${i}} WHERE pk = ${i + 100} AND ck = 1; APPLY BATCH`,
      );
    }
    const table = { keyspace: 'ks', name: 'more_parts' };
    await dying('backup.chunk', 2, async (options) =>
      (await environment.service(options)).backupTable(table),
    );
    const service = await environment.service({ claimMs: 1500, chunkBytes: 4096 });
    const backupId = await service.backupTable(table);
    expect((await service.get(backupId)).verified).toMatchObject({ mode: 'decrypted' });
    const to = { keyspace: 'ks', name: 'more_back' };
    const restore = async (options: BackupOptions) =>
      (await environment.service(options)).restore({ from: { backupId }, to });
    await dying('restore.written', 2, restore);
    await dying('restore.written', 1, restore);
    await service.restore({ from: { backupId }, to });
    await untilReadable('ks.more_back');
    expect(await contents('ks.more_back', 'pk, ck, l, s, m, u, v, ls, ss, ms, us')).toEqual(
      await contents('ks.more_parts', 'pk, ck, l, s, m, u, v, ls, ss, ms, us'),
    );
    expect(await contents('ks.more_back', 'pk, ck, writetime(s), writetime(m)')).toEqual(
      await contents('ks.more_parts', 'pk, ck, writetime(s), writetime(m)'),
    );
    // What was written twice has its lists a little later; what was written once has them as they were.
    const { rows } = await environment.connection.execute(
      'SELECT writetime(l) AS w FROM ks.more_back',
    );
    const times = rows.flatMap((row) => (row['w'] ?? []) as bigint[]);
    expect(times.filter((time) => time === 5n).length).toBeGreaterThan(10);
    expect(times.filter((time) => time > 30n).length).toBeGreaterThan(10);
    expect(times.every((time) => time <= 30n + 2000n)).toBe(true);
  }, 300_000);

  it('compares collections with the table while the key is lost', async () => {
    await makeParts('ks.keyless_source');
    const arn = await environment.kms.createCustomerKey('parts');
    const service = await environment.service();
    const sourceId = await service.backupTable({ keyspace: 'ks', name: 'keyless_source' });
    await service.restore({
      from: { backupId: sourceId },
      to: { keyspace: 'ks', name: 'keyless' },
      encryption: { kind: 'customer', keyIdentifier: arn },
    });
    await untilReadable('ks.keyless');
    await environment.kms.setKeyEnabled(arn, false);
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'keyless' });
    expect((await service.get(backupId)).verified).toMatchObject({ mode: 'compared' });
    // An element that goes, behind the backup, is noticed.
    const stored = await environment.connection.execute('SELECT pk, ck, l, s FROM ks.keyless');
    const row = stored.rows.find((one) => (one['l'] as unknown[] | null)?.length === 4);
    await environment.connection.execute(
      'UPDATE ks.keyless SET s = s - ? WHERE pk = ? AND ck = ?',
      [(row?.['s'] as unknown[]).slice(0, 1), row?.['pk'], row?.['ck']],
    );
    expect(await errorOf(service.verify(backupId))).toMatch(/^BACKUP_COMPARE/);
    await environment.kms.setKeyEnabled(arn, true);
    await service.restore({ from: { backupId }, to: { keyspace: 'ks', name: 'keyless_back' } });
    await untilReadable('ks.keyless_back');
    await samePartsIn('ks.keyless_source', 'ks.keyless_back');
  });

  it('goes on after it was killed, and gives the same', async () => {
    await fill('ks.killed', 700);
    const table = { keyspace: 'ks', name: 'killed' };
    const steps = [
      'backup.envelope',
      'backup.plan',
      'backup.chunk',
      'backup.manifest',
      'backup.last_envelope',
      'backup.ready',
      'backup.clean',
    ];
    for (const step of steps) {
      const times = step === 'backup.chunk' ? 4 : 1;
      await dying(step, times, async (options) =>
        (await environment.service(options)).backupTable(table),
      );
    }
    const service = await environment.service({ claimMs: 1500, chunkBytes: 4096 });
    const chunksBefore = (await service.list()).filter((record) => record.name === 'killed');
    expect(chunksBefore.length).toBeLessThanOrEqual(1);
    const backupId = await service.backupTable(table);
    expect((await service.get(backupId)).verified).toMatchObject({ rows: 700, mode: 'decrypted' });
    expect((await target.list(`${backupId}/chunk-`)).length).toBeGreaterThan(10);

    const to = { keyspace: 'ks', name: 'killed_back' };
    const restore = async (options: BackupOptions) =>
      (await environment.service(options)).restore({ from: { backupId }, to });
    await dying('restore.chunk', 5, restore);
    // Half restored, it is there and refuses.
    for (const cql of [
      'SELECT * FROM ks.killed_back',
      "INSERT INTO ks.killed_back (pk, ck, v) VALUES (1, 1, 'x')",
    ]) {
      expect(await client.refusal(cql)).toMatch(/is being restored from a backup/);
    }
    await dying('restore.activate', 1, restore);
    expect(await client.refusal('SELECT * FROM ks.killed_back')).toMatch(/is being restored/);
    expect(
      await errorOf(
        service.restore({ from: { backupId }, to: { keyspace: 'ks', name: 'killed' } }),
      ),
    ).toMatch(/there is a table ks.killed/);
    await service.restore({ from: { backupId }, to });
    await untilReadable('ks.killed_back');
    const all = 'pk, ck, v, writetime(v), ttl(v)';
    expect(await contents('ks.killed_back', all)).toEqual(await contents('ks.killed', all));
    const described = await client.rows(
      "SELECT comment, default_time_to_live FROM system_schema.tables WHERE keyspace_name = 'ks' AND table_name = 'killed_back'",
    );
    expect(described).toEqual([[Buffer.from("it's; ) WITH").toString('hex'), '00015180']]);
  }, 300_000);

  it('stays restorable after two changes of key, and needs only the last one', async () => {
    await fill('ks.changed', 50);
    const service = await environment.service();
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'changed' });
    const arns = [];
    for (const name of ['first', 'second']) {
      const arn = await environment.kms.createCustomerKey(name);
      arns.push(arn);
      await changeKey('changed', arn);
      const { tableId } = await tableRecord('changed');
      expect(await service.rewrapForKeyChange(tableId)).toBe(1);
      expect(await service.rewrapForKeyChange(tableId)).toBe(0);
      expect(await service.needsKey(arn)).toBe(true);
    }
    const [first, second] = arns as [string, string];
    expect(await service.needsKey(first)).toBe(false);
    await environment.kms.setKeyEnabled(first, false);
    await service.restore({ from: { backupId }, to: { keyspace: 'ks', name: 'changed_back' } });
    await untilReadable('ks.changed_back');
    expect(await contents('ks.changed_back', 'pk, ck, v')).toEqual(
      await contents('ks.changed', 'pk, ck, v'),
    );
    expect((await tableRecord('changed_back')).keys).toMatchObject({
      keyArn: second,
      serviceOwned: false,
    });
    // An old envelope that is put back is not taken.
    const envelopes = await target.list(`${backupId}/envelope-`);
    expect(envelopes).toHaveLength(1);
  });

  it('is made and verified without the key, and not readable without it', async () => {
    const arn = await environment.kms.createCustomerKey('lost');
    await fill('ks.source', 60);
    const service = await environment.service({ chunkBytes: 2048 });
    const plainId = await service.backupTable({ keyspace: 'ks', name: 'source' });
    await service.restore({
      from: { backupId: plainId },
      to: { keyspace: 'ks', name: 'lost' },
      encryption: { kind: 'customer', keyIdentifier: arn },
    });
    await environment.kms.setKeyEnabled(arn, false);
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'lost' });
    expect((await service.get(backupId)).verified).toMatchObject({
      mode: 'compared',
      rows: 60,
      decrypted: 0,
    });
    const to = { keyspace: 'ks', name: 'lost_back' };
    expect(await errorOf(service.restore({ from: { backupId }, to }))).toMatch(/^KEY_DISABLED/);
    expect(
      (
        await environment.connection.execute(
          "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks' AND table_name = 'lost_back'",
        )
      ).rows,
    ).toEqual([]);

    // The comparison finds a row that was written behind the backup.
    await environment.connection.execute(
      'DELETE FROM ks.lost USING TIMESTAMP 999999 WHERE pk = ?',
      [(await environment.connection.execute('SELECT pk FROM ks.lost LIMIT 1')).rows[0]?.['pk']],
    );
    expect(await errorOf(service.verify(backupId))).toMatch(/^BACKUP_COMPARE/);

    await environment.connection.execute('DROP TABLE ks.lost', [], { prepare: false });
    await environment.kms.setKeyEnabled(arn, true);
    await service.restore({ from: { backupId }, to });
    await untilReadable('ks.lost_back');
    const all = 'pk, ck, v, writetime(v), ttl(v)';
    expect(await contents('ks.lost_back', all)).toEqual(await contents('ks.source', all));
  });

  it('is restored by another cluster that reaches its KMS key', async () => {
    const arn = await sharedKms.createCustomerKey('shared');
    await fill('ks.travels', 40);
    const service = await environment.service({ chunkBytes: 2048 });
    const ownId = await service.backupTable({ keyspace: 'ks', name: 'travels' });
    await service.restore({
      from: { backupId: ownId },
      to: { keyspace: 'ks', name: 'shared' },
      encryption: { kind: 'customer', keyIdentifier: `shared:${arn}` },
    });
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'shared' });

    const other = await openBackupEnvironment({
      port: cassandra.port,
      keyStore: await newKeyStore('other'),
      target,
      store: memoryStore().store,
      others: [named('shared', sharedKms)],
    });
    try {
      await initCluster(other);
      const otherService = await other.service({ sampleEvery: 1 });
      const to = { keyspace: 'ks', name: 'arrived' };
      // One under a key that only the first cluster's key store has.
      expect(await errorOf(otherService.restore({ from: { backupId: ownId }, to }))).toMatch(
        /^KEY_NOT_FOUND/,
      );
      await otherService.restore({ from: { backupId }, to, encryption: { kind: 'service_owned' } });
      const stored = 'SELECT pk, ck, v, writetime(v) AS w, ttl(v) AS t FROM ks.';
      const rows = async (name: string) => (await other.connection.execute(stored + name)).rows;
      expect(await rows('arrived')).toEqual(await rows('shared'));
      // Every value opens under the keys of the other cluster.
      const again = await otherService.backupTable(to);
      expect((await otherService.get(again)).verified).toMatchObject({
        mode: 'decrypted',
        rows: 40,
        decrypted: 40,
      });
    } finally {
      await other.close();
    }
  });

  it('goes for good when its time is over, the key envelope first', async () => {
    await fill('ks.old', 30);
    const kept = await environment.service();
    const keptId = await kept.backupTable({ keyspace: 'ks', name: 'old' });
    const brief = await environment.service({ retentionMs: 1, claimMs: 1500 });
    const backupId = await brief.backupTable({ keyspace: 'ks', name: 'old' });
    expect(
      await errorOf(brief.restore({ from: { backupId }, to: { keyspace: 'ks', name: 'x' } })),
    ).toMatch(/^BACKUP_EXPIRED/);
    await dying('delete.objects', 1, async (options) =>
      (await environment.service(options)).deleteExpired(),
    );
    const left = await target.list(`${backupId}/`);
    expect(left.length).toBeGreaterThan(0);
    expect(left.some((name) => name.includes('envelope'))).toBe(false);
    expect((await brief.deleteExpired()).deleted).toEqual([backupId]);
    expect(await target.list(`${backupId}/`)).toEqual([]);
    expect((await kept.list()).map((record) => record.backupId)).toContain(keptId);
  });
});
