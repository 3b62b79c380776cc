/**
 * Customer managed keys named in CQL, on two proxies in front of one Cassandra: what clients see of them, changes of key
 * under load, keys that are disabled and enabled again, and records and keys put back by hand.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawClient } from '../support/raw_client.ts';
import { customer, IDLE_MS, KeyCluster, OWNED, value } from './support/key_cluster.ts';
import { int, prepared, REPLICATION, rowsOf, run, succeeded, text } from './support/pair.ts';

let cluster: KeyCluster;
/** On the first and the second proxy. */
let a: RawClient;
let b: RawClient;

beforeAll(async () => {
  cluster = await KeyCluster.start();
  [a, b] = [await cluster.client(0), await cluster.client(1)];
});

afterAll(() => cluster?.stop());

/** SHA-256 of the data files of a table, by name. */
async function dataFiles(name: string): Promise<Record<string, string>> {
  const keyspace = join(cluster.cassandra.dataDir, 'data', 'ks');
  const files: Record<string, string> = {};
  for (const directory of await readdir(keyspace)) {
    if (!directory.startsWith(`${name}-`)) continue;
    for (const file of await readdir(join(keyspace, directory))) {
      if (!file.endsWith('.db')) continue;
      const content = await readFile(join(keyspace, directory, file));
      files[file] = createHash('sha256').update(content).digest('hex');
    }
  }
  return files;
}

describe('CUSTOM_PROPERTIES', () => {
  const shown = (table: string): string =>
    `SELECT JSON custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = '${table}'`;

  it('names the key of a new table, is shown, and never reaches Cassandra', async () => {
    const arn = await cluster.kms.createCustomerKey('shown');
    const answer = await run(
      a,
      `CREATE TABLE ks.shown (pk int PRIMARY KEY, v text) WITH comment = 'c' AND ${customer(arn)}`,
    );
    expect(answer.kind).toBe('schema_change');
    await run(a, "INSERT INTO ks.shown (pk, v) VALUES (1, 'x')");
    expect(await value(b, 'SELECT v FROM ks.shown')).toBe('x');
    expect(JSON.parse((await value(b, shown('shown'))) ?? '')).toEqual({
      custom_properties: {
        encryption_specification: {
          encryption_type: 'CUSTOMER_MANAGED_KMS_KEY',
          kms_key_identifier: arn,
        },
      },
    });
    const status = `SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 'shown'`;
    expect(await value(a, status)).toBe('ACTIVE');
    const [described] = rowsOf(await run(a, 'DESCRIBE TABLE ks.shown'));
    const statement = described?.at(-1)?.toString('utf8') ?? '';
    expect(statement).toContain(customer(arn));
    // What DESCRIBE prints can be run.
    await run(a, statement.replace('ks.shown', 'ks.again'));
    expect((await cluster.record('again')).keys?.keyArn).toBe(arn);
    const direct = await cluster.direct();
    const stored = rowsOf(await run(direct, 'DESCRIBE TABLE ks.shown'))[0]?.at(-1);
    direct.close();
    expect(stored?.toString('utf8')).toContain("comment = 'c'");
    expect(stored?.toString('utf8')).not.toContain(arn);
    expect(cluster.serviceKeys((await cluster.record('shown')).tableId)).toEqual([]);
  });

  it('is the service-owned key where nothing is said', async () => {
    await run(a, 'CREATE TABLE ks.silent (pk int PRIMARY KEY)');
    await run(a, `CREATE TABLE ks.said (pk int PRIMARY KEY) WITH ${OWNED}`);
    for (const table of ['silent', 'said']) {
      expect(JSON.parse((await value(b, shown(table))) ?? '')).toEqual({
        custom_properties: { encryption_specification: { encryption_type: 'AWS_OWNED_KMS_KEY' } },
      });
    }
    const [described] = rowsOf(await run(a, 'DESCRIBE TABLE ks.silent'));
    expect(described?.at(-1)?.toString('utf8')).not.toContain('CUSTOM_PROPERTIES');
  });

  it('with a key that cannot be used is refused, with its name and why; nothing is left', async () => {
    const arn = await cluster.kms.createCustomerKey('off');
    await cluster.kms.setKeyEnabled(arn, false);
    const unknown = `${arn}0`;
    const foreign = 'arn:aws:kms:eu-west-1:111122223333:key/x';
    for (const [key, why] of [
      [arn, 'KEY_DISABLED'],
      [unknown, 'KEY_NOT_FOUND'],
      [foreign, 'KEY_NOT_FOUND'],
    ] as const) {
      for (const cql of [
        `CREATE TABLE ks.never (pk int PRIMARY KEY) WITH ${customer(key)}`,
        `ALTER TABLE ks.silent WITH ${customer(key)}`,
        `CREATE KEYSPACE never WITH replication = ${REPLICATION} AND ${customer(key)}`,
        `ALTER KEYSPACE ks WITH ${customer(key)}`,
      ]) {
        const answer = await a.query(cql);
        expect(answer).toMatchObject({ kind: 'error', code: 0x2200 });
        if (answer.kind !== 'error') continue;
        expect(answer.message).toContain(key);
        expect(answer.message).toContain(why);
      }
    }
    await expect(cluster.record('never')).rejects.toThrow('no record');
    expect(await cluster.record('silent')).toMatchObject({ state: 'ACTIVE', claim: null });
    const keyspaces = rowsOf(await run(a, 'SELECT keyspace_name FROM system_schema.keyspaces'));
    expect(keyspaces.map(([name]) => name?.toString('utf8'))).not.toContain('never');
    // The name is free at once.
    await run(a, 'CREATE TABLE ks.never (pk int PRIMARY KEY)');
    expect(cluster.proxy(0).output()).toContain(arn);
  });

  it('of a keyspace holds for its new tables', async () => {
    const arn = await cluster.kms.createCustomerKey('default');
    const other = await cluster.kms.createCustomerKey('other default');
    await run(a, `CREATE KEYSPACE kd WITH ${customer(arn)} AND replication = ${REPLICATION}`);
    await run(b, 'CREATE TABLE kd.one (pk int PRIMARY KEY)');
    expect((await cluster.record('one')).keys?.keyArn).toBe(arn);
    const altered = await run(a, `ALTER KEYSPACE kd WITH ${customer(other)}`);
    expect(altered.kind).toBe('schema_change');
    await run(b, 'CREATE TABLE kd.two (pk int PRIMARY KEY)');
    expect((await cluster.record('two')).keys?.keyArn).toBe(other);
    const [described] = rowsOf(await run(b, 'DESCRIBE KEYSPACE kd'));
    expect(described?.at(-1)?.toString('utf8')).toContain(customer(other));
    await run(a, `ALTER KEYSPACE kd WITH ${OWNED}`);
    await run(b, 'CREATE TABLE kd.three (pk int PRIMARY KEY)');
    expect((await cluster.record('three')).keys?.serviceOwned).toBe(true);
    expect((await cluster.record('one')).keys?.keyArn).toBe(arn);
    await run(a, 'DROP KEYSPACE kd');
  });

  it('of other kinds are kept and shown, or refused by name', async () => {
    await run(a, "ALTER TABLE ks.silent WITH CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}");
    expect(JSON.parse((await value(a, shown('silent'))) ?? '')).toEqual({
      custom_properties: {
        encryption_specification: { encryption_type: 'AWS_OWNED_KMS_KEY' },
        ttl: { status: 'enabled' },
      },
    });
    const pitr = await a.query(
      "ALTER TABLE ks.silent WITH CUSTOM_PROPERTIES = {'point_in_time_recovery': {'status': 'enabled'}}",
    );
    expect(pitr).toMatchObject({ kind: 'error', code: 0x2200 });
  });
});

describe('a change of key under load', () => {
  it('fails no statement, rewrites no data, and leaves nothing of the old key', async () => {
    const [one, two] = [
      await cluster.kms.createCustomerKey('one'),
      await cluster.kms.createCustomerKey('two'),
    ];
    await run(a, 'CREATE TABLE ks.load (pk int, ck int, v text, PRIMARY KEY (pk, ck))');
    await run(a, 'CREATE TABLE ks.quiet (pk int, ck int, v text, PRIMARY KEY (pk, ck))');
    for (let i = 0; i < 200; i++) {
      await run(a, `INSERT INTO ks.quiet (pk, ck, v) VALUES (${String(i % 7)}, ${String(i)}, 'q')`);
    }
    await cluster.cassandra.nodetool('flush', 'ks', 'quiet');
    const filesBefore = await dataFiles('quiet');
    expect(Object.keys(filesBefore).filter((file) => file.endsWith('-Data.db'))).toHaveLength(1);
    const first = await cluster.record('load');
    const quiet = await cluster.record('quiet');

    let isOver = false;
    const counts = { writes: 0, reads: 0, literal: 0 };
    const errors: string[] = [];
    const INSERT = 'INSERT INTO ks.load (pk, ck, v) VALUES (?, ?, ?)';
    const written = new Map<number, number>();
    const worker = async (index: number): Promise<void> => {
      const connection = await cluster.client(index % 2);
      const insert = await prepared(connection, INSERT);
      const select = await prepared(connection, 'SELECT v FROM ks.load WHERE pk = ? AND ck = ?');
      for (let ck = 0; !isOver; ck++) {
        const note = (answer: { kind: string }): void => {
          if (answer.kind === 'error') errors.push(JSON.stringify(answer));
        };
        const row = [int(index), int(ck), text(`v${String(ck)}`)];
        note(await connection.execute(insert, { values: row }));
        written.set(index, ck);
        counts.writes += 1;
        // What another connection, on the other proxy, has written.
        const other = (index + 1) % 4;
        const at = written.get(other);
        if (at === undefined) continue;
        const answer = await connection.execute(select, { values: [int(other), int(at)] });
        note(answer);
        counts.reads += 1;
        const read = answer.kind === 'rows' ? answer.rows[0]?.[0]?.toString('utf8') : undefined;
        if (read !== `v${String(at)}`) errors.push(`read ${String(read)} for ${String(at)}`);
        if (ck % 5 === 0) {
          note(await connection.query(`SELECT * FROM ks.load WHERE pk = ${String(other)} LIMIT 3`));
          note(await connection.query(`SELECT * FROM ks.quiet WHERE pk = ${String(index)}`));
          counts.literal += 2;
        }
      }
    };
    const workers = [0, 1, 2, 3].map((index) => worker(index));
    const changes = [customer(one), customer(two), OWNED, customer(one)];
    for (const [index, change] of changes.entries()) {
      await sleep(1500);
      const answer = await run(index % 2 === 0 ? a : b, `ALTER TABLE ks.load WITH ${change}`);
      expect(answer.kind).toBe('schema_change');
      await run(index % 2 === 0 ? b : a, `ALTER TABLE ks.quiet WITH ${change}`);
    }
    await sleep(1500);
    isOver = true;
    await Promise.all(workers);
    expect(errors).toEqual([]);
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(50);
    console.info(`statements during four changes of key: ${JSON.stringify(counts)}`);

    const after = await cluster.record('load');
    expect(after).toMatchObject({ state: 'ACTIVE', claim: null });
    expect(after.release).toBeUndefined();
    expect(after.keys?.tableKeys.map(({ version, keyArn }) => [version, keyArn])).toEqual([
      [5, one],
    ]);
    expect(
      after.keys?.deks.filter((dek) => dek.structure === 'cell').map((dek) => dek.epoch),
    ).toEqual([1, 2, 3, 4, 5]);
    expect(after.keys?.deks.map((dek) => dek.dekId).slice(0, 2)).toEqual(
      first.keys?.deks.map((dek) => dek.dekId),
    );
    for (const { tableId } of [first, quiet]) expect(cluster.serviceKeys(tableId)).toEqual([]);

    for (const index of [0, 1, 2, 3]) {
      const rows = rowsOf(await run(b, `SELECT ck, v FROM ks.load WHERE pk = ${String(index)}`));
      expect(rows).toHaveLength((written.get(index) ?? -1) + 1);
      for (const [ck, v] of rows) {
        expect(v?.toString('utf8')).toBe(`v${String(ck?.readInt32BE())}`);
      }
    }
    expect(rowsOf(await run(a, 'SELECT v FROM ks.quiet'))).toHaveLength(200);
    await cluster.cassandra.nodetool('flush', 'ks', 'quiet');
    expect(await dataFiles('quiet')).toEqual(filesBefore);
  });

  it('of many clients at once, on both proxies, ends under one of the keys', async () => {
    const arns = [
      await cluster.kms.createCustomerKey('x'),
      await cluster.kms.createCustomerKey('y'),
    ];
    await run(a, 'CREATE TABLE ks.raced (pk int PRIMARY KEY, v text)');
    await run(a, "INSERT INTO ks.raced (pk, v) VALUES (1, 'x')");
    const connections = await Promise.all([0, 1, 0, 1].map((index) => cluster.client(index)));
    const answers = await Promise.all(
      connections.map((one, i) =>
        one.query(`ALTER TABLE ks.raced WITH ${customer(arns[i % 2] ?? '')}`),
      ),
    );
    expect(answers.filter((answer) => answer.kind === 'error')).toEqual([]);
    expect(arns).toContain((await cluster.record('raced')).keys?.keyArn);
    expect(await cluster.record('raced')).toMatchObject({ state: 'ACTIVE', claim: null });
    for (const one of connections) expect(await value(one, 'SELECT v FROM ks.raced')).toBe('x');
  });
});

describe('a customer managed key that is disabled', () => {
  const READ = 'SELECT v FROM ks.locked WHERE pk = 1';

  it('ends reads and writes of its table, no others; they work again when it is enabled', async () => {
    const arn = await cluster.kms.createCustomerKey('locked');
    await run(a, `CREATE TABLE ks.locked (pk int PRIMARY KEY, v text) WITH ${customer(arn)}`);
    await run(a, 'CREATE TABLE ks.free (pk int PRIMARY KEY, v text)');
    for (const table of ['locked', 'free']) {
      await run(a, `INSERT INTO ks.${table} (pk, v) VALUES (1, 'x')`);
    }
    const [busy, idle] = [await cluster.client(0), await cluster.client(1)];
    for (const one of [busy, idle]) expect(await value(one, READ)).toBe('x');
    await cluster.kms.setKeyEnabled(arn, false);
    const disabledAt = Date.now();
    // A connection that was there, with keys that were confirmed just now, goes on until its next call.
    expect(await value(busy, READ)).toBe('x');
    const fresh = await cluster.client(1);
    expect(await fresh.query(READ)).toMatchObject({ kind: 'error', code: 0x2100 });
    let busyUntil = 0;
    while (busyUntil === 0 && Date.now() - disabledAt < 4 * IDLE_MS) {
      if ((await busy.query(READ)).kind === 'error') busyUntil = Date.now() - disabledAt;
      await sleep(50);
    }
    expect(busyUntil).toBeGreaterThan(0);
    expect(busyUntil).toBeLessThan(3 * IDLE_MS);
    await sleep(Math.max(0, IDLE_MS + 200 - (Date.now() - disabledAt)));
    const refused = await idle.query(READ);
    expect(refused).toMatchObject({ kind: 'error', code: 0x2100 });
    if (refused.kind === 'error') expect(refused.message).toContain(arn);
    for (const one of [busy, idle, fresh]) {
      expect(await one.query("INSERT INTO ks.locked (pk, v) VALUES (2, 'y')")).toMatchObject({
        kind: 'error',
        code: 0x2100,
      });
      expect(await value(one, 'SELECT v FROM ks.free WHERE pk = 1')).toBe('x');
    }
    const away = await a.query(`ALTER TABLE ks.locked WITH ${OWNED}`);
    // The old key cannot be opened, or the table counts as lost already.
    expect(away.kind).toBe('error');
    if (away.kind === 'error') {
      expect([0x2100, 0x2200]).toContain(away.code);
      expect(away.message).toContain(arn);
    }
    await cluster.kms.setKeyEnabled(arn, true);
    // A refusal is remembered for five seconds.
    await sleep(5200);
    for (const one of [busy, idle, fresh, await cluster.client(0)])
      expect(await value(one, READ)).toBe('x');
    expect(rowsOf(await run(a, 'SELECT v FROM ks.locked'))).toHaveLength(1);
  });
});

describe('after a change of key', () => {
  it('the old record and the old KMS key put back are refused', async () => {
    await run(a, 'CREATE TABLE ks.back (pk int PRIMARY KEY, v text)');
    await run(a, "INSERT INTO ks.back (pk, v) VALUES (1, 'x')");
    const old = await cluster.recordRow('back');
    const oldArn = (await cluster.record('back')).keys?.keyArn ?? '';
    const oldKey = cluster.store.read().keys[oldArn];
    if (oldKey === undefined) throw new TypeError('no key');
    const arn = await cluster.kms.createCustomerKey('back');
    await run(a, `ALTER TABLE ks.back WITH ${customer(arn)}`);
    await run(a, "INSERT INTO ks.back (pk, v) VALUES (2, 'y')");
    expect(cluster.store.read().keys[oldArn]).toBeUndefined();
    const present = await cluster.recordRow('back');

    await cluster.store.update((state) => ({
      ...state,
      keys: { ...state.keys, [oldArn]: oldKey },
    }));
    const direct = await cluster.direct();
    const update = await prepared(
      direct,
      'UPDATE cqlock.records SET version = ?, body = ?, mac = ? WHERE cluster = ? AND table_id = ?',
    );
    const put = async (row: Record<string, Buffer>): Promise<void> => {
      const values = [row['version'], row['body'], row['mac'], row['cluster'], row['id']];
      succeeded(await direct.execute(update, { values: values as Buffer[] }), 'put');
      await sleep(1500);
    };
    await put(old);
    for (const one of [a, b, await cluster.client(0)]) {
      const answer = await one.query('SELECT v FROM ks.back WHERE pk = 1');
      expect(answer).toMatchObject({ kind: 'error', code: 0 });
      if (answer.kind === 'error') expect(answer.message).toMatch(/record/);
      const write = await one.query("INSERT INTO ks.back (pk, v) VALUES (3, 'z')");
      expect(write).toMatchObject({ kind: 'error', code: 0 });
    }
    await put(present);
    expect(rowsOf(await run(b, 'SELECT v FROM ks.back'))).toHaveLength(2);
    await cluster.kms.deleteServiceKey(oldArn);
    direct.close();
  });
});

describe('cqlock tables', () => {
  /** The answer among the lines of the log. */
  const json = (output: string): unknown =>
    JSON.parse(output.split('\n').find((line) => /^\[?\{"keyspace"/.test(line)) ?? 'null');

  it('lists and shows states, keys and epochs, and adopts a table made around the proxy', async () => {
    const direct = await cluster.direct();
    await run(direct, 'CREATE TABLE ks.around (pk int PRIMARY KEY, v text)');
    await run(direct, "INSERT INTO ks.around (pk, v) VALUES (1, 'plain')");
    direct.close();
    const arn = await cluster.kms.createCustomerKey('listed');
    await run(a, 'CREATE TABLE ks.listed (pk int PRIMARY KEY, v text)');
    await run(a, `ALTER TABLE ks.listed WITH ${customer(arn)}`);
    const listed = json((await cluster.cqlock('tables list --json')).output) as { table: string }[];
    const lineOf = (name: string) => listed.find((line) => line.table === name);
    expect(lineOf('listed')).toEqual({
      keyspace: 'ks',
      table: 'listed',
      state: 'ACTIVE',
      key: arn,
      provider: 'embedded',
      epochs: '2 (of 2)',
    });
    expect(lineOf('around')).toMatchObject({ state: 'unknown', key: '-' });
    const people = (await cluster.cqlock('tables list')).output;
    expect(people).toMatch(/KEYSPACE +TABLE +STATE +KEY +PROVIDER +EPOCH/);
    expect(people).toMatch(new RegExp(`ks +listed +ACTIVE +${arn} +embedded +2 \\(of 2\\)`));
    expect(json((await cluster.cqlock('tables show ks.listed --json')).output)).toMatchObject({
      keyArn: arn,
      tableKeyVersions: [2],
      deks: ['key 1 active', 'cell 1 decrypt_only', 'cell 2 active'],
    });
    expect((await cluster.cqlock('tables show ks.around')).output).toContain(
      'SCHEMA_UNKNOWN_TABLE',
    );

    expect((await a.query('SELECT v FROM ks.around')).kind).toBe('error');
    expect((await cluster.cqlock('tables adopt ks.listed')).code).toBe(1);
    expect((await cluster.cqlock('tables adopt ks.none')).code).toBe(1);
    expect(await cluster.cqlock('tables adopt ks.around')).toMatchObject({ code: 0 });
    await sleep(1500);
    expect(await value(b, 'SELECT v FROM ks.around')).toBe('plain');
    expect((await a.query("INSERT INTO ks.around (pk, v) VALUES (2, 'x')")).kind).toBe('error');
  });
});
