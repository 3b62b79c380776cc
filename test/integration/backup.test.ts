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
import { contents, dying, errorOf, untilReadable } from '../support/backup_steps.ts';
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
    await untilReadable(client, 'ks.scalars_back');
    expect(await contents(client, 'ks.scalars_back', all)).toEqual(
      await contents(client, 'ks.scalars', all),
    );
    const keysOf = await contents(client, 'ks.scalars_back', 'pk1, ck1');
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
    // Half restored, it is there and refuses. The proxy, which has another target, may have found by now that it cannot go on with it.
    const refused = /is being restored from a backup|the restore of table ks.killed_back failed/;
    for (const cql of [
      'SELECT * FROM ks.killed_back',
      "INSERT INTO ks.killed_back (pk, ck, v) VALUES (1, 1, 'x')",
    ]) {
      expect(await client.refusal(cql)).toMatch(refused);
    }
    await dying('restore.activate', 1, restore);
    expect(await client.refusal('SELECT * FROM ks.killed_back')).toMatch(refused);
    expect(
      await errorOf(
        service.restore({ from: { backupId }, to: { keyspace: 'ks', name: 'killed' } }),
      ),
    ).toMatch(/there is a table ks.killed/);
    await service.restore({ from: { backupId }, to });
    await untilReadable(client, 'ks.killed_back');
    const all = 'pk, ck, v, writetime(v), ttl(v)';
    expect(await contents(client, 'ks.killed_back', all)).toEqual(
      await contents(client, 'ks.killed', all),
    );
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
    await untilReadable(client, 'ks.changed_back');
    expect(await contents(client, 'ks.changed_back', 'pk, ck, v')).toEqual(
      await contents(client, 'ks.changed', 'pk, ck, v'),
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
    await untilReadable(client, 'ks.lost_back');
    const all = 'pk, ck, v, writetime(v), ttl(v)';
    expect(await contents(client, 'ks.lost_back', all)).toEqual(
      await contents(client, 'ks.source', all),
    );
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
