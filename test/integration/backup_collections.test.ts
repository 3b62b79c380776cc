/**
 * Backups of tables with collections and user types that are not frozen: every element comes back with its own write time and
 * time of expiry.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirectoryTarget } from '../../src/backup/index.ts';
import type { BackupOptions } from '../../src/backup/index.ts';
import {
  openBackupEnvironment,
  proxyKeyStore,
  type BackupEnvironment,
} from '../support/backup_environment.ts';
import { contents, dying, errorOf, untilReadable } from '../support/backup_steps.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';

let cassandra: TestCassandra;
let proxy: TestProxy;
let client: ProxyClient;
let home: string;
let target: DirectoryTarget;
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
  environment = await openBackupEnvironment({
    port: cassandra.port,
    keyStore: proxyKeyStore(proxy.dataDir),
    target,
  });
  await client.rows(
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.rows('CREATE TYPE ks.address (street text, zip int, note varint)');
});

afterAll(async () => {
  client?.close();
  await environment?.close();
  await proxy?.stop();
  await cassandra?.stop();
  await rm(home, { recursive: true, force: true });
});

/** A table with columns of several cells, whose elements differ in write times and times to live; some rows have few. */
async function makeParts(name: string): Promise<void> {
  await client.rows(
    `CREATE TABLE ${name} (pk int, ck int, l list<text>, s set<int>, m map<text, varint>, u address, v text, ls list<int> STATIC, ss set<text> STATIC, ms map<int, text> STATIC, us address STATIC, PRIMARY KEY (pk, ck)) WITH default_time_to_live = 86400`,
  );
  const at = 'WHERE pk = 1 AND ck = 1';
  for (const [using, set, where] of [
    ['TIMESTAMP 30 AND TTL 0', "l = l + ['b', 'c'], s = {1}, m = {'x': 1, 'y': 2}", at],
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

/** Elements of {@link makeParts} that live for 6 seconds are gone after this. */
async function untilShortOnesAreGone(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 6500));
}

/** Rows, write times and times to live of two tables of {@link makeParts} are the same. */
async function samePartsIn(source: string, restored: string): Promise<void> {
  const columns = ['l', 's', 'm', 'v', 'ls', 'ss', 'ms'];
  const times = columns.map((column) => `writetime(${column}) AS w_${column}`);
  const ttls = columns.map((column) => `ttl(${column}) AS t_${column}`);
  const all = `pk, ck, ${columns.join(', ')}, u, us, ${times.join(', ')}`;
  const rows = await contents(client, restored, all);
  expect(rows).toEqual(await contents(client, source, all));
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

describe('backup and restore of collections', () => {
  it('gives back collections and user types, each element with its write time and time of expiry', async () => {
    await makeParts('ks.parts');
    const service = await environment.service({ sampleEvery: 1 });
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'parts' });
    const { verified } = await service.get(backupId);
    expect(verified).toMatchObject({ mode: 'decrypted', rows: 5 });
    expect(verified?.decrypted).toBe(verified?.cells);
    expect(verified?.cells).toBeGreaterThan(30);

    await untilShortOnesAreGone();
    await client.rows(
      "CREATE KEYSPACE elsewhere WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    const to = { keyspace: 'elsewhere', name: 'parts_back' };
    const restore = async () => (await environment.service()).restore({ from: { backupId }, to });
    expect(await errorOf(restore())).toMatch(/^SCHEMA_RESTORE_TYPE.*CREATE TYPE elsewhere.address/);
    await client.rows('CREATE TYPE elsewhere.address (street text, zip int, note varint)');
    await restore();
    await untilReadable(client, 'elsewhere.parts_back');
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
      `0000000200000003${text('new')}00000001${text('a')}`,
      `0000000200000004fffffffb0000000400000002`,
      // x: 7, and z as it was.
      '0000000200000001780000000107000000017a0000000a029d42b64e76714244cb',
      '000000046865726500000004000000090000000103',
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
    await untilReadable(client, 'ks.more_back');
    await untilShortOnesAreGone();
    expect(await contents(client, 'ks.more_back', 'pk, ck, l, s, m, u, v, ls, ss, ms, us')).toEqual(
      await contents(client, 'ks.more_parts', 'pk, ck, l, s, m, u, v, ls, ss, ms, us'),
    );
    expect(await contents(client, 'ks.more_back', 'pk, ck, writetime(s), writetime(m)')).toEqual(
      await contents(client, 'ks.more_parts', 'pk, ck, writetime(s), writetime(m)'),
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
    await untilReadable(client, 'ks.keyless');
    await environment.kms.setKeyEnabled(arn, false);
    const backupId = await service.backupTable({ keyspace: 'ks', name: 'keyless' });
    expect((await service.get(backupId)).verified).toMatchObject({ mode: 'compared' });
    // An element that goes, behind the backup, is noticed.
    const stored = await environment.connection.execute('SELECT pk, ck, l, s FROM ks.keyless');
    const row = stored.rows.find((one) => (one['l'] as unknown[] | null)?.length === 4);
    await environment.connection.execute(
      'UPDATE ks.keyless SET s = s - ? WHERE pk = ? AND ck = ?',
      [row?.['s'], row?.['pk'], row?.['ck']],
    );
    expect(await errorOf(service.verify(backupId))).toMatch(/^BACKUP_COMPARE/);
    await environment.kms.setKeyEnabled(arn, true);
    await service.restore({ from: { backupId }, to: { keyspace: 'ks', name: 'keyless_back' } });
    await untilReadable(client, 'ks.keyless_back');
    await untilShortOnesAreGone();
    await samePartsIn('ks.keyless_source', 'ks.keyless_back');
  });
});
