/** `cqlock tables`, `backup`, `restore`, `rotate`, `audit` and `catalog` as commands, beside a proxy that runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { findFreePort } from '../../src/app/embedded_cassandra/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { CommandLine } from '../support/command.ts';
import { startProxy } from '../support/proxy.ts';
import type { TestProxy } from '../support/proxy.ts';
import { connectClient } from '../support/proxy_client.ts';
import type { ProxyClient } from '../support/proxy_client.ts';
import { RawClient } from '../support/raw_client.ts';
import type { RawResult } from '../support/raw_codec.ts';
import { inParallel, prepared, REPLICATION, rowsOf, run } from './support/pair.ts';

const ROWS = 2_000;
/** Moves the wall clock of a process. */
const THREE_DAYS_LATER = 'data:text/javascript,Date.now=((now)=>()=>now()+259200000)(Date.now)';

let cassandra: TestCassandra;
let proxy: TestProxy;
let client: ProxyClient;
let home: string;
let cqlock: CommandLine;
let kmsPort: number;

beforeAll(async () => {
  cassandra = await startCassandra();
  home = await mkdtemp(join(tmpdir(), 'cqlock-commands-'));
  const place = {
    dataDir: join(home, 'data'),
    contactPoints: [`127.0.0.1:${cassandra.port}`],
    env: { CQLOCK_CATALOG_REFRESH: '300ms', CQLOCK_CATALOG_MAX_AGE: '1s' },
  };
  kmsPort = await findFreePort();
  const env = { ...place.env, CQLOCK_KMS_LISTEN: `127.0.0.1:${kmsPort}` };
  proxy = await startProxy({ ...place, env });
  cqlock = new CommandLine(place);
  client = await connectClient(proxy);
  await client.rows(`CREATE KEYSPACE shop WITH replication = ${REPLICATION}`);
  await client.rows('CREATE TABLE shop.orders (pk int PRIMARY KEY, v text)');
  const keys = Array.from({ length: ROWS }, (_, key) => key);
  await inParallel(keys, 100, async (key) => {
    await client.rows(`INSERT INTO shop.orders (pk, v) VALUES (${key}, 'secret ${key}')`);
  });
});

afterAll(async () => {
  client?.close();
  await proxy?.stop();
  await cassandra?.stop();
  await rm(home, { recursive: true, force: true });
});

async function count(table: string): Promise<number> {
  return (await client.rows(`SELECT pk, v FROM ${table}`, { pageSize: 5000 })).length;
}

describe('cqlock tables', () => {
  it('lists and shows tables to people and programs', async () => {
    const [line, ...more] = await cqlock.json<object[]>('tables', 'list');
    expect(line).toEqual({
      keyspace: 'shop',
      table: 'orders',
      state: 'ACTIVE',
      key: 'service-owned',
      provider: 'embedded',
      epochs: '1 (of 1)',
    });
    expect(more).toEqual([]);
    expect(await cqlock.done('tables', 'list')).toMatch(
      /^KEYSPACE +TABLE +STATE +KEY +PROVIDER +EPOCH\nshop +orders +ACTIVE +service-owned +embedded +1 \(of 1\)\n$/,
    );
    expect(await cqlock.json('tables', 'show', 'shop.orders')).toMatchObject({ minEpoch: 1 });
    const absent = await cqlock.run('tables', 'show', 'shop.absent');
    expect(absent).toMatchObject({ code: 1, stdout: '' });
    expect(absent.stderr).toContain('there is no table shop.absent; write it as keyspace.table');
  });

  it('adopts a table that was made around the proxy', async () => {
    const direct = await connectClient({ host: '127.0.0.1', port: cassandra.port });
    await direct.rows('CREATE TABLE shop.foreign (pk int PRIMARY KEY, v text)');
    await direct.rows("INSERT INTO shop.foreign (pk, v) VALUES (1, 'plain')");
    direct.close();
    await expect.poll(() => client.refusal('SELECT * FROM shop.foreign')).toMatch(/adopt/);
    expect(await cqlock.done('tables', 'adopt', 'shop.foreign')).toBe(
      'shop.foreign is plain now\n',
    );
    await expect.poll(() => client.refusal('SELECT * FROM shop.foreign')).toBeUndefined();
  });

  it('prepared reads of a plain table are of the table they named, also when Cassandra forgot them', async () => {
    await client.rows(`CREATE KEYSPACE other WITH replication = ${REPLICATION}`);
    await client.rows('CREATE TABLE other.foreign (pk int PRIMARY KEY, v text)');
    const raw = await RawClient.connect({ host: proxy.host, port: proxy.port });
    const direct = await connectClient({ host: '127.0.0.1', port: cassandra.port });
    const read = async (): Promise<Buffer> => {
      await run(raw, 'USE shop');
      const id = await prepared(raw, 'SELECT v FROM foreign WHERE pk = 1');
      await run(raw, 'USE other');
      return id;
    };
    const texts = (answer: RawResult): (string | undefined)[] =>
      rowsOf(answer).map(([cell]) => cell?.toString());
    const id = await read();
    await direct.rows("ALTER TABLE shop.foreign WITH comment = 'x'");
    expect(texts(await raw.execute(id))).toEqual(['plain']);
    await client.rows('DROP TABLE shop.foreign');
    await client.rows('CREATE TABLE shop.foreign (pk int PRIMARY KEY, v text)');
    await client.rows("INSERT INTO shop.foreign (pk, v) VALUES (1, 'secret')");
    // Either it is told to prepare again, or it gets what is there now: never what is stored.
    const answer = await raw.execute(id);
    if (answer.kind === 'error') expect(answer.code).toBe(0x2500);
    else expect(texts(answer)).toEqual(['secret']);
    expect(texts(await raw.execute(await read()))).toEqual(['secret']);
    direct.close();
    raw.close();
  });
});

describe('cqlock backup and restore', () => {
  let backupId: string;

  it('go on after they were stopped', async () => {
    const create = ['backup', 'create', 'shop.orders'];
    const slow = await cqlock.start([...create, '--max-rate', '0.005'], /^/);
    const target = join(home, 'data', 'backups');
    await expect.poll(() => cqlock.json('backup', 'list'), { timeout: 20_000 }).toHaveLength(1);
    const stopped = await slow.stop();
    expect(stopped.output).toContain('goes on when the command is given again');
    expect(stopped.code).toBe(130);
    const made = await cqlock.json<{ backupId: string; state: string }>(...create);
    expect(made).toMatchObject({
      state: 'READY',
      table: 'shop.orders',
      target: expect.stringContaining(target) as unknown,
      verified: { rows: ROWS, mode: 'decrypted' },
    });
    backupId = made.backupId;
  });

  it('list and verify what is kept', async () => {
    const list = await cqlock.done('backup', 'list');
    expect(list).toMatch(new RegExp(`${backupId} +shop\\.orders +READY .*decrypted +${ROWS}`));
    expect(list.split('\n')).toHaveLength(3);
    expect(await cqlock.done('backup', 'verify', backupId)).toContain(`${ROWS} rows`);
  });

  it('restore with a bar for people', async () => {
    const restore = ['restore', '--from', 'shop.orders', '--to', 'shop.copy'];
    const { code, stdout } = await cqlock.terminal(restore);
    expect(stdout).toMatch(/restore .*100%.*2000 rows/s);
    expect(stdout).toContain(`shop.copy is restored from ${backupId}: ${ROWS} rows`);
    expect(code).toBe(0);
    await expect.poll(() => client.refusal('SELECT * FROM shop.copy LIMIT 1')).toBeUndefined();
    expect(await count('shop.copy')).toBe(ROWS);
    const again = await cqlock.run(...restore);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('shop.copy') });
    const none = await cqlock.run('restore', '--from', 'shop.absent', '--to', 'shop.x');
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('shop.absent') });
    expect((await cqlock.run('restore', '--from', 'shop.orders', '--to', 'nodot')).code).toBe(2);
  });

  it('delete only what is confirmed', async () => {
    const asked = await cqlock.run('backup', 'delete', backupId);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain(`Backup ${backupId} of shop.orders is deleted`);
    expect(await cqlock.json('backup', 'list')).toHaveLength(1);
    expect(await cqlock.json('backup', 'delete', backupId, '--yes')).toEqual({
      deleted: [backupId],
    });
    expect(await cqlock.json('backup', 'list')).toEqual([]);
    expect((await cqlock.run('backup', 'expire')).code).toBe(2);
    expect(await cqlock.json('backup', 'expire', '--yes')).toEqual({ deleted: [], left: [] });
    expect((await cqlock.run('backup', 'verify', backupId)).code).toBe(1);
  });
});

describe('cqlock rotate', () => {
  it('re-encrypts under a new cell key with a bar for people', async () => {
    const command = ['rotate', 'cells', 'shop.orders', '--reencrypt'];
    const { code, stdout } = await cqlock.terminal(command);
    expect(stdout).toMatch(/shop\.orders .*%.*rows.*cells/);
    expect(code).toBe(0);
    const { tables } = await cqlock.json<{ tables: object[] }>('rotate', 'status');
    expect(tables).toContainEqual(
      expect.objectContaining({ table: 'orders', minEpoch: 2, reencryption: null }),
    );
    expect(await cqlock.done('rotate', 'status')).toMatch(/^shop\.orders +2 .*done /m);
    await expect.poll(() => count('shop.orders')).toBe(ROWS);
    expect((await cqlock.run('rotate', 'cells')).code).toBe(2);
    expect((await cqlock.run('rotate', 'cells', 'shop.absent')).code).toBe(1);
    // It closes the table: not without being asked.
    const unasked = await cqlock.run('rotate', '--rewrite', 'shop.orders');
    expect(unasked).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/REFUSED at every proxy.*CONFIG_NOT_CONFIRMED/),
    });
  });
});

describe('cqlock audit and catalog', () => {
  it('show and verify what the commands before have used', async () => {
    const shown = await cqlock.done('audit', 'show', '--table', 'shop.orders');
    expect(shown).toMatch(/\(cqlock\) +Decrypt +shop\.orders +ok/);
    expect(shown).toContain('cqlock audit verify tells');
    expect(await cqlock.done('audit', 'verify')).toMatch(/chains, \d+ lines: nothing is missing/);
    expect((await cqlock.run('audit', 'show', '--since', 'soon')).code).toBe(2);
  });

  it('have each call through the KMS listener once, under who signed it', async () => {
    const { Arn: arn } = await cqlock.json<{ Arn: string }>('keys', 'create', '--alias', 'app');
    const access = await cqlock.json<{ AccessKeyId: string; SecretAccessKey: string }>(
      ...['keys', 'access', 'create', 'app'],
    );
    const kms = new KMSClient({
      endpoint: `http://127.0.0.1:${kmsPort}`,
      region: 'eu-west-1',
      credentials: { accessKeyId: access.AccessKeyId, secretAccessKey: access.SecretAccessKey },
      maxAttempts: 1,
    });
    const EncryptionContext = { 'cqlock:keyspace': 'far', 'cqlock:table': 'away' };
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId: 'alias/app', Plaintext: Buffer.of(1), EncryptionContext }),
    );
    await expect(kms.send(new DecryptCommand({ CiphertextBlob }))).rejects.toThrow();
    kms.destroy();
    await client.rows(
      `CREATE TABLE shop.mine (pk int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': 'alias/app'}}`,
    );
    const lines = (await cqlock.done('audit', 'show', '--key', arn, '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ origin }) => origin === 'listener')).toMatchObject([
      { operation: 'Encrypt', result: 'ok', keyspace: 'far', table: 'away' },
      { operation: 'Decrypt', result: 'refused', error: 'InvalidCiphertextException' },
    ]);
    expect(lines[0]?.['principal']).toMatch(/:user\/app$/);
    const own = lines.filter(({ origin }) => origin !== 'listener');
    expect(own.filter(({ operation }) => operation === 'GenerateDataKey')).toHaveLength(1);
    expect(await cqlock.done('audit', 'verify')).toContain('nothing is missing');
  });

  it('prune files of old days only when that is confirmed, and verify afterwards', async () => {
    const prune = ['audit', 'prune', '--older-than'];
    expect(await cqlock.json(...prune, '1d')).toMatchObject({ files: [] });
    expect((await cqlock.run(...prune, 'soon')).code).toBe(2);
    const place = {
      dataDir: join(home, 'data'),
      contactPoints: [`127.0.0.1:${cassandra.port}`],
      env: { NODE_OPTIONS: `--import=${THREE_DAYS_LATER}` },
    };
    const later = new CommandLine(place);
    const asked = await later.run(...prune, '1d');
    expect(asked).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('CONFIG_NOT_CONFIRMED'),
    });
    const { files, lines } = await later.json<{ files: string[]; lines: number }>(
      ...[...prune, '1d', '--yes'],
    );
    expect(files.length).toBeGreaterThan(3);
    expect(lines).toBeGreaterThan(files.length);
    const verified = await cqlock.done('audit', 'verify');
    expect(verified).toMatch(/runs, or was killed, \d+ lines before them were pruned|no lines, /);
    expect(verified).toContain('nothing is missing');
    expect(await cqlock.done('audit', 'show', '--since', '1h')).toMatch(/pruned \d+ lines of/);
  });

  it('do not take back what was not rolled back', async () => {
    expect(await cqlock.json('catalog', 'accept')).toMatchObject({ accepted: false });
  });

  it('say what is wrong when no node answers', async () => {
    const place = { dataDir: join(home, 'data'), contactPoints: ['127.0.0.1:1'] };
    const { code, stdout, stderr } = await new CommandLine(place).run('tables', 'list');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/127\.0\.0\.1:1.*\[UPSTREAM_/);
  });
});
