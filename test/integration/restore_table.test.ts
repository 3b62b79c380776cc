/**
 * RESTORE TABLE as clients give it: what comes back, who may, what is refused, and what a restore that breaks or a proxy that
 * dies leaves behind.
 */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import { runCqlock, startProxy } from '../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../support/proxy.ts';
import { RawClient } from '../support/raw_client.ts';

const ROWS = 40;
const READ = 'SELECT pk, ck, v, writetime(v), s, w FROM';

let cassandra: TestCassandra;
let proxy: TestProxy;
let home: string;
let settings: TestProxyOptions & { readonly dataDir: string };
let admin: RawClient;

beforeAll(async () => {
  cassandra = await startCassandra({
    yaml: {
      authenticator: 'PasswordAuthenticator',
      authorizer: 'CassandraAuthorizer',
      role_manager: 'CassandraRoleManager',
      roles_validity: '100ms',
      permissions_validity: '100ms',
      credentials_validity: '100ms',
      dynamic_data_masking_enabled: true,
    },
  });
  home = await mkdtemp(join(tmpdir(), 'cqlock-restore-'));
  settings = {
    contactPoints: [`127.0.0.1:${String(cassandra.port)}`],
    dataDir: join(home, 'data'),
    username: 'cassandra',
    password: 'cassandra',
    env: { CQLOCK_CATALOG_REFRESH: '300ms' },
  };
  proxy = await startProxy(settings);
  admin = await connect();
  for (const keyspace of ['a', 'b']) {
    await done(
      `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    );
  }
  await fill('a.t');
});

afterAll(async () => {
  admin?.close();
  await proxy?.stop();
  await cassandra?.stop();
  await rm(home, { recursive: true, force: true });
});

function connect(username = 'cassandra', password = 'cassandra'): Promise<RawClient> {
  return RawClient.connect({ host: proxy.host, port: proxy.port, username, password });
}

async function rows(cql: string, client = admin): Promise<readonly (readonly string[])[]> {
  const answer = await client.query(cql);
  if (answer.kind === 'error') throw new Error(`${cql}: ${answer.message}`);
  if (answer.kind !== 'rows') return [];
  return answer.rows.map((row) => row.map((cell) => cell?.toString('hex') ?? 'null'));
}

async function done(...statements: readonly string[]): Promise<void> {
  for (const cql of statements) await rows(cql);
}

async function refusal(cql: string, client = admin): Promise<string> {
  const answer = await client.query(cql);
  if (answer.kind !== 'error') return answer.kind;
  return `0x${answer.code.toString(16).padStart(4, '0')} ${answer.message}`;
}

async function fill(table: string): Promise<void> {
  await done(
    `CREATE TABLE ${table} (pk int, ck int, s text STATIC, v text, w int, PRIMARY KEY (pk, ck)) WITH CLUSTERING ORDER BY (ck DESC) AND default_time_to_live = 86400 AND CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}`,
  );
  for (let i = 0; i < ROWS; i += 1) {
    await done(
      `INSERT INTO ${table} (pk, ck, s, v) VALUES (${String(i % 5)}, ${String(i)}, 's', 'value ${String(i)}') USING TIMESTAMP ${String(1000 + i)} AND TTL ${i % 2 === 0 ? '0' : '50000'}`,
    );
  }
}

async function contents(table: string): Promise<string[]> {
  return (await rows(`${READ} ${table}`)).map((row) => JSON.stringify(row)).sort();
}

async function backUp(table: string): Promise<string> {
  const { code, output } = await runCqlock(`backup create ${table} --json`, settings);
  if (code !== 0) throw new Error(output);
  const line = output.split('\n').find((candidate) => candidate.startsWith('{"backupId"')) ?? '';
  return (JSON.parse(line) as { backupId: string }).backupId;
}

async function until(
  what: string,
  isSo: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > giveUpAt) throw new Error(`it never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function text(hex: string | undefined): string {
  return hex === undefined || hex === 'null' ? '' : Buffer.from(hex, 'hex').toString('utf8');
}

async function status(table: string): Promise<string> {
  const [keyspace = '', name = ''] = table.split('.');
  const [row] = await rows(
    `SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = '${keyspace}' AND table_name = '${name}'`,
  );
  return text(row?.[0]);
}

async function untilActive(table: string, timeoutMs?: number): Promise<void> {
  await until(`${table} is active`, async () => (await status(table)) === 'ACTIVE', timeoutMs);
}

async function createKey(alias: string): Promise<string> {
  const { output } = await runCqlock(`keys create --alias ${alias} --json`, settings);
  const arn = /arn:[^"\s]+/.exec(output)?.[0];
  if (arn === undefined) throw new Error(output);
  return arn;
}

/** Takes the chunks of a backup away, so that a restore begins and breaks; gives what puts them back. */
async function withoutChunks(backupId: string): Promise<() => Promise<void>> {
  const directory = join(proxy.dataDir, 'backups', backupId);
  const chunks = (await readdir(directory)).filter((name) => name.startsWith('chunk-'));
  if (chunks.length === 0) throw new Error('no chunks');
  for (const name of chunks) await rename(join(directory, name), join(home, name));
  return async () => {
    for (const name of chunks) await rename(join(home, name), join(directory, name));
  };
}

describe('RESTORE TABLE', () => {
  it('gives back the rows of a backup with write times and times of expiry, in another keyspace', async () => {
    const before = await contents('a.t');
    expect(before).toHaveLength(ROWS);
    await backUp('a.t');
    await done(
      "INSERT INTO a.t (pk, ck, v) VALUES (9, 9, 'later')",
      'DELETE FROM a.t WHERE pk = 0',
    );
    const events: string[] = [];
    const watcher = await connect();
    watcher.onEvent = (frame) => events.push(frame.body.toString('latin1'));
    await watcher.register(['SCHEMA_CHANGE']);
    const answer = await admin.query('RESTORE TABLE b.back FROM TABLE a.t');
    expect(answer.kind).toBe('schema_change');
    await untilActive('b.back');
    expect(await contents('b.back')).toEqual(before);
    const [left] = await rows('SELECT ttl(v) FROM b.back WHERE pk = 1 AND ck = 1');
    const seconds = Number.parseInt(left?.[0] ?? '0', 16);
    expect(seconds).toBeGreaterThan(49_000);
    expect(seconds).toBeLessThanOrEqual(50_000);
    expect(await rows('SELECT ttl(v) FROM b.back WHERE pk = 2 AND ck = 2')).toEqual([['null']]);
    await until('others are told', () =>
      Promise.resolve(events.some((e) => /CREATED.*TABLE.*b.*back/s.test(e))),
    );
    watcher.close();
    const jobs = await rows(
      'SELECT kind, keyspace_name, table_name, state FROM system_encryption.jobs',
    );
    expect(jobs.map((row) => row.map(text).join(' '))).toContain('restore b back done');
    // What is written from now on is read, too, and options and custom properties are those of before.
    await done("INSERT INTO b.back (pk, ck, v) VALUES (77, 1, 'new')");
    expect(await rows('SELECT v FROM b.back WHERE pk = 77')).toEqual([
      [Buffer.from('new').toString('hex')],
    ]);
    const [described] = await rows('DESCRIBE TABLE b.back');
    const statement = described?.map(text).join('\n') ?? '';
    expect(statement).toContain('CLUSTERING ORDER BY (ck DESC)');
    expect(statement).toContain('default_time_to_live = 86400');
    const [shown] = await rows(
      "SELECT custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = 'b' AND table_name = 'back'",
    );
    expect(text(shown?.[0])).toContain('ttl');
  });

  it('takes the newest backup from before restore_timestamp', async () => {
    const between = new Date().toISOString();
    await backUp('a.t');
    await done(`RESTORE TABLE b.earlier FROM TABLE a.t WITH restore_timestamp = '${between}'`);
    await done('USE a', 'RESTORE TABLE b.newest FROM TABLE t');
    await Promise.all([untilActive('b.earlier'), untilActive('b.newest')]);
    expect(await contents('b.earlier')).toHaveLength(ROWS);
    expect(await contents('b.newest')).toEqual(await contents('a.t'));
    expect(
      await refusal(
        "RESTORE TABLE b.never FROM TABLE a.t WITH restore_timestamp = '2020-06-30T04:05:00+0000'",
      ),
    ).toMatch(/^0x2200 there is no complete backup of a\.t that was begun by 2020-06-30T04:05:00/);
    expect(await refusal('SELECT * FROM b.never')).toMatch(/^0x2200 /);
  });

  it('tells of the indexes and views that a restored table has not, as they can be made again', async () => {
    await done(
      'CREATE TABLE a.indexed (pk int, ck int, v text, m map<text, int>, w int, PRIMARY KEY (pk, ck))',
      "INSERT INTO a.indexed (pk, ck, v, m) VALUES (1, 2, 'sought', {'k': 3})",
      'CREATE INDEX "By_v" ON a.indexed (v)',
      'CREATE INDEX ON a.indexed (entries(m))',
      "CREATE INDEX w_sai ON a.indexed (w) USING 'sai'",
      'CREATE MATERIALIZED VIEW a.by_w AS SELECT pk, w, ck, v FROM a.indexed WHERE pk IS NOT NULL AND w IS NOT NULL AND ck IS NOT NULL PRIMARY KEY (pk, w, ck)',
    );
    await backUp('a.indexed');
    const driver = new Client({
      contactPoints: [`${proxy.host}:${String(proxy.port)}`],
      localDataCenter: 'datacenter1',
      credentials: { username: 'cassandra', password: 'cassandra' },
    });
    let warnings: readonly string[];
    try {
      ({ warnings = [] } = (
        await driver.execute('RESTORE TABLE b."Indexed" FROM TABLE a.indexed')
      ).info);
    } finally {
      await driver.shutdown();
    }
    expect(warnings).toHaveLength(1);
    const statements = warnings[0]?.match(/CREATE [^;]+;/g) ?? [];
    expect(statements).toHaveLength(4);
    await untilActive('b.Indexed');
    await done(...statements);
    const [described] = [await rows('DESCRIBE TABLE b."Indexed"')];
    const shown = described.map((row) => text(row.at(-1)).replaceAll(/\s+/g, ' '));
    expect(shown).toHaveLength(5);
    expect(shown.join('\n')).toContain('CREATE INDEX "By_v" ON b."Indexed" (v);');
    expect(shown.join('\n')).toContain('CREATE MATERIALIZED VIEW b.by_w AS SELECT');
    await until('the index is built', async () => {
      const found = await rows('SELECT ck FROM b."Indexed" WHERE v = \'sought\'');
      return found.length === 1;
    });
    const told = await runCqlock('restore --from a.indexed --to b.told', settings);
    expect(told.output).toContain('CREATE INDEX "By_v" ON b.told (v);');
  });

  it('never overwrites a table, and refuses what it does not know', async () => {
    for (const [cql, reason] of [
      ['RESTORE TABLE b.back FROM TABLE a.t', /^0x2400 /],
      ['RESTORE TABLE c.back FROM TABLE a.t', /^0x2200 .*[Kk]eyspace/],
      ['RESTORE TABLE b.x FROM TABLE a.unknown', /^0x2200 there is no complete backup/],
      ["RESTORE TABLE b.x FROM TABLE a.t WITH TAGS = {'a': 'b'}", /^0x2200 TAGS/],
      ['RESTORE TABLE b.x FROM TABLE a.t WITH gc_grace_seconds = 1', /^0x2200 Unknown property/],
      [
        "RESTORE TABLE b.x FROM TABLE a.t WITH custom_properties = {'cdc_specification': {}}",
        /^0x2200 .*cdc_specification/,
      ],
      ['RESTORE TABLE IF NOT EXISTS b.x FROM TABLE a.t', /^0x2000 /],
    ] as const) {
      expect(await refusal(cql), cql).toMatch(reason);
    }
    expect(await status('b.x')).toBe('');
  });

  it('puts the new table under the key that is named, and needs the key of the backup', async () => {
    const [first, second] = [await createKey('first'), await createKey('second')];
    await fill('a.keyed');
    await done(
      "ALTER TABLE a.keyed WITH CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': 'alias/first'}}",
    );
    await backUp('a.keyed');
    await done('RESTORE TABLE a.inherits FROM TABLE a.keyed');
    const under = (alias: string): string =>
      `WITH custom_properties = {'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': 'alias/${alias}'}}`;
    await done(`RESTORE TABLE a.named FROM TABLE a.keyed ${under('second')}`);
    await done(
      "RESTORE TABLE a.owned FROM TABLE a.keyed WITH custom_properties = {'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'}}",
    );
    const before = await contents('a.keyed');
    for (const [table, key] of [
      ['inherits', first],
      ['named', second],
      ['owned', 'AWS_OWNED_KMS_KEY'],
    ] as const) {
      await untilActive(`a.${table}`);
      expect(await contents(`a.${table}`)).toEqual(before);
      const [shown] = await rows(
        `SELECT custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = 'a' AND table_name = '${table}'`,
      );
      expect(text(shown?.[0])).toContain(key);
    }
    const grants = await runCqlock(`keys grants list ${second} --json`, settings);
    expect(grants.output.match(/"cqlock-[0-9a-f]{32}-(working|backup)"/g) ?? []).toHaveLength(2);
    expect(await refusal(`RESTORE TABLE a.x FROM TABLE a.keyed ${under('none')}`)).toMatch(
      /^0x2200 The KMS key alias\/none cannot be used for table a\.x: .* Nothing was changed/,
    );
    await runCqlock(`keys disable ${second}`, settings);
    await until('the disabled key is refused', async () =>
      (await refusal(`RESTORE TABLE a.x FROM TABLE a.keyed ${under('second')}`)).includes(
        `${second} is disabled`,
      ),
    );
    await runCqlock(`keys disable ${first}`, settings);
    expect(await refusal('RESTORE TABLE a.x FROM TABLE a.keyed')).toBe(
      `0x2100 the KMS key ${first} is disabled`,
    );
    expect(await status('a.x')).toBe('');
    await runCqlock(`keys enable ${first}`, settings);
    await runCqlock(`keys enable ${second}`, settings);
  });
});

describe('permission', () => {
  const roles: Readonly<Record<string, readonly string[]>> = {
    maker: ['CREATE ON KEYSPACE b'],
    reader: ['SELECT ON KEYSPACE a'],
    table_both: ['CREATE ON KEYSPACE b', 'SELECT ON TABLE a.t'],
    keyspace_both: ['CREATE ON KEYSPACE b', 'SELECT ON KEYSPACE a'],
    all_both: ['CREATE ON KEYSPACE b', 'SELECT ON ALL KEYSPACES'],
  };

  async function tries(role: string, old: string): Promise<string> {
    const client = await connect(role, 'secret');
    try {
      return await refusal(`RESTORE TABLE b.of_${role} FROM TABLE ${old}`, client);
    } finally {
      client.close();
    }
  }

  it('is needed for both tables', async () => {
    for (const [role, permissions] of Object.entries(roles)) {
      await done(`CREATE ROLE ${role} WITH PASSWORD = 'secret' AND LOGIN = true`);
      for (const permission of permissions) await done(`GRANT ${permission} TO ${role}`);
    }
    expect(await tries('maker', 'a.t')).toMatch(/^0x2100 .*SELECT.*<table a\.t>/);
    expect(await tries('reader', 'a.t')).toMatch(
      /^0x2100 .*CREATE permission on <all tables in b>/,
    );
    for (const role of ['table_both', 'keyspace_both', 'all_both']) {
      expect(await tries(role, 'a.t'), role).toBe('schema_change');
      await untilActive(`b.of_${role}`);
      // Who restored it owns it, as who creates a table does.
      const client = await connect(role, 'secret');
      await rows(`DROP TABLE b.of_${role}`, client);
      client.close();
    }
  });

  it('to see masked columns in clear is needed for tables that have them, or had', async () => {
    await done(
      'CREATE TABLE a.masked (pk int PRIMARY KEY, v text MASKED WITH DEFAULT)',
      "INSERT INTO a.masked (pk, v) VALUES (1, 'secret')",
    );
    await backUp('a.masked');
    const role = 'keyspace_both';
    const restored = async (): Promise<void> => {
      expect(await tries(role, 'a.masked')).toBe('schema_change');
      await untilActive(`b.of_${role}`);
      expect(
        await rows(
          "SELECT table_name, column_name FROM system_schema.column_masks WHERE keyspace_name = 'b'",
        ),
      ).toEqual([[`of_${role}`, 'v'].map((name) => Buffer.from(name).toString('hex'))]);
      await done(`DROP TABLE b.of_${role}`);
    };
    const refused = /^0x2100 .*no UNMASK permission on <(table a\.masked|keyspace a)>/;
    expect(await tries(role, 'a.masked')).toMatch(refused);
    await done('ALTER TABLE a.masked ALTER v DROP MASKED');
    expect(await tries(role, 'a.masked')).toMatch(refused);
    await done(`GRANT UNMASK ON a.masked TO ${role}`);
    await restored();
    await done('DROP TABLE a.masked');
    expect(await tries(role, 'a.masked')).toMatch(refused);
    await done(`GRANT UNMASK ON KEYSPACE a TO ${role}`);
    await restored();
  });

  it('on the keyspace is needed for a table that is gone', async () => {
    await done('DROP TABLE a.t');
    expect(await tries('table_both', 'a.t')).toMatch(
      /^0x2100 .*SELECT.*<keyspace a>.*RESTORE TABLE/,
    );
    expect(await tries('maker', 'a.t')).toMatch(/^0x2100 /);
    for (const role of ['keyspace_both', 'all_both']) {
      expect(await tries(role, 'a.t'), role).toBe('schema_change');
      await untilActive(`b.of_${role}`);
      expect((await contents(`b.of_${role}`)).length).toBeGreaterThan(0);
    }
  });

  it('on a new table of that name is none on the old one', async () => {
    await done('CREATE TABLE a.t (pk int PRIMARY KEY)');
    expect(await refusal('RESTORE TABLE b.x FROM TABLE a.t')).toMatch(
      /^0x2200 there is no complete backup of a\.t; those of an earlier table of that name/,
    );
    await done('DROP TABLE a.t', 'RESTORE TABLE a.t FROM TABLE a.t');
    await untilActive('a.t');
    expect((await contents('a.t')).length).toBeGreaterThan(0);
  });
});

describe('a restore that does not come to its end', () => {
  it('shows as failed and refuses everything but DROP, and is gone on with when its backup is whole again', async () => {
    await fill('a.broken');
    const before = await contents('a.broken');
    const backupId = await backUp('a.broken');
    const putBack = await withoutChunks(backupId);
    await done(
      'RESTORE TABLE b.half FROM TABLE a.broken',
      'RESTORE TABLE b.gone FROM TABLE a.broken',
    );
    await until('it has failed', async () => {
      const jobs = await rows('SELECT table_name, state, error FROM system_encryption.jobs');
      return jobs.some((row) => row.map(text).join(' ') === 'half failed BACKUP_INTEGRITY');
    });
    expect(await status('b.half')).toBe('RESTORE_FAILED');
    for (const cql of [
      'SELECT * FROM b.half',
      "INSERT INTO b.half (pk, ck, v) VALUES (1, 1, 'x')",
      'TRUNCATE b.half',
      'ALTER TABLE b.half ADD x int',
    ]) {
      expect(await refusal(cql), cql).toMatch(
        /^0x2200 the restore of table b\.half failed at .* \(BACKUP_INTEGRITY\)/,
      );
    }
    expect(await refusal('RESTORE TABLE b.half FROM TABLE a.broken')).toMatch(/^0x2400 /);
    await done('DROP TABLE b.gone');
    await putBack();
    // What failed is tried again after a minute at first.
    await untilActive('b.half', 100_000);
    expect(await contents('b.half')).toEqual(before);
    expect(await status('b.gone')).toBe('');
  });

  it('is gone on with after the proxy was killed', async () => {
    const backupId = await backUp('a.broken');
    const before = await contents('a.broken');
    const putBack = await withoutChunks(backupId);
    await done('RESTORE TABLE b.killed FROM TABLE a.broken');
    admin.close();
    await proxy.kill9();
    await putBack();
    proxy = await startProxy({ ...settings, init: false });
    admin = await connect();
    await untilActive('b.killed');
    expect(await contents('b.killed')).toEqual(before);
  });
});
