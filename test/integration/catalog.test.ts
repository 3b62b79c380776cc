import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyService } from '../../src/keys/index.ts';
import { systemClock } from '../../src/util/index.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import {
  connectKeys,
  init,
  newKeyStoreDirectory,
  openCatalog,
} from '../support/key_environment.ts';
import type { KeyConnections } from '../support/key_environment.ts';

const COLUMNS = [
  { name: 'pk', type: 'uuid', kind: 'partition', position: 0 },
  { name: 'ck', type: 'int', kind: 'clustering', position: 0, order: 'desc' },
  { name: 's', type: 'text', kind: 'static', position: 0 },
  { name: 'v', type: 'frozen<list<int>>', kind: 'regular', position: 0 },
] as const;

let cassandra: TestCassandra;
let directory: string;
let a: KeyConnections;
let b: KeyConnections;
let clusterId: Uint8Array;

beforeAll(async () => {
  cassandra = await startCassandra();
  directory = await newKeyStoreDirectory();
  a = await connectKeys(directory, cassandra.port);
  b = await connectKeys(directory, cassandra.port);
  await cql(
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await cql('CREATE TABLE ks.before (pk int PRIMARY KEY, v text)');
});

afterAll(async () => {
  await a?.connection.close();
  await b?.connection.close();
  await cassandra?.stop();
});

async function cql(text: string): Promise<void> {
  await a.connection.execute(text, [], { prepare: false });
}

function stored(name: string) {
  return async ({ tableId }: { tableId: string }): Promise<'created'> => {
    await cql(
      `CREATE TABLE ks.${name} (pk blob, ck blob, s blob STATIC, v blob, PRIMARY KEY (pk, ck)) WITH CLUSTERING ORDER BY (ck DESC) AND ID = ${tableId}`,
    );
    return 'created';
  };
}

describe('catalog on a real Cassandra', () => {
  it('hears of a change of the schema that somebody else makes', async () => {
    const heard = new Promise<void>((resolve) => {
      b.connection.onSchemaEvent(resolve);
    });
    await cql('CREATE TABLE ks.before_too (pk int PRIMARY KEY, v text)');
    await heard;
  }, 10_000);

  it('is refused before init', async () => {
    await expect(openCatalog(a)).rejects.toMatchObject({ code: 'CONFIG_NOT_INITIALISED' });
  });

  it('is initialised once, with tables that exist listed as plain', async () => {
    const first = await init(a);
    expect(first.created).toBe(true);
    clusterId = first.clusterId;
    expect((await init(b)).created).toBe(false);
    const { catalog } = await openCatalog(a);
    expect(catalog.snapshot().table('ks', 'before')?.kind).toBe('plain');
    expect(catalog.snapshot().keyspace('cqlock')).toBeUndefined();
  });

  it('creates a table that a second proxy sees with the same keys', async () => {
    const first = await openCatalog(a);
    const second = await openCatalog(b);
    const definition = { keyspace: 'ks', name: 't', columns: [...COLUMNS] };
    expect(await first.changes.createTable(definition, stored('t'))).toBe('created');
    const here = first.catalog.snapshot().table('ks', 't');
    const there = (await second.catalog.refresh()).table('ks', 't');
    expect(here).toMatchObject({ kind: 'encrypted', error: undefined });
    expect(here?.record?.state).toBe('ACTIVE');
    expect(there?.tableId).toEqual(here?.tableId);
    expect(here?.allColumns.map((column) => column.name)).toEqual(['pk', 'ck', 's', 'v']);
    expect(await second.changes.createTable(definition, stored('t'))).toBe('exists');

    const service = new KeyService({
      tableKeys: b.tableKeys,
      clusterId,
      clock: systemClock,
      metrics: { leases: () => undefined },
    });
    const leases = service.leases();
    if (there === undefined) throw new TypeError('no table');
    const keys = await leases.acquire(there);
    expect(keys.keyDek.epoch).toBe(1);
    expect(leases.acquire(there)).toBe(keys);
    service.close();
  });

  it('adds, drops and adds a column again with its old id', async () => {
    const { catalog, changes } = await openCatalog(a);
    const table = () => {
      const entry = catalog.snapshot().table('ks', 't');
      if (entry === undefined) throw new TypeError('no table');
      return entry;
    };
    const add = (type: string) =>
      changes.alterTable(
        table(),
        { kind: 'add', columns: [{ name: 'n', type, kind: 'regular', position: 0 }] },
        async () => {
          await cql('ALTER TABLE ks.t ADD n blob');
          return 'created';
        },
      );
    await add('int');
    const id = table().columns.get('n')?.id;
    expect(id?.length).toBe(16);
    await changes.alterTable(table(), { kind: 'drop', columns: ['n'] }, async () => {
      await cql('ALTER TABLE ks.t DROP n');
      return 'created';
    });
    expect(table().columns.has('n')).toBe(false);
    await expect(add('text')).rejects.toThrow(
      "Cannot re-add previously dropped column 'n' of type text, incompatible with previous type int",
    );
    await add('int');
    expect(table().columns.get('n')?.id).toEqual(id);
  });

  it('leaves nothing of a refused CREATE TABLE', async () => {
    const { catalog, changes } = await openCatalog(a);
    const keysBefore = Object.keys(a.keyStore.read().keys).length;
    const definition = { keyspace: 'nope', name: 't', columns: [...COLUMNS] };
    await expect(
      changes.createTable(definition, async () => {
        await cql('CREATE TABLE nope.t (pk blob PRIMARY KEY)');
        return 'created';
      }),
    ).rejects.toMatchObject({ name: 'InvalidRequestError' });
    expect(Object.keys(a.keyStore.read().keys).length).toBe(keysBefore);
    expect((await catalog.readRecords()).records.size).toBe(1);
  });

  it('refuses a table altered, dropped and created, or made around the proxy', async () => {
    const { catalog, changes } = await openCatalog(a);
    await changes.createTable({ keyspace: 'ks', name: 'x', columns: [...COLUMNS] }, stored('x'));
    await cql('ALTER TABLE ks.x ADD sneaky text');
    await cql('CREATE TABLE ks.foreign_one (pk int PRIMARY KEY)');
    await catalog.refresh();
    expect(catalog.snapshot().table('ks', 'x')).toMatchObject({
      kind: 'broken',
      error: { code: 'METADATA_STORED_SCHEMA' },
    });
    expect(catalog.snapshot().table('ks', 'foreign_one')).toMatchObject({
      kind: 'unknown',
      error: { code: 'SCHEMA_UNKNOWN_TABLE' },
    });
    await cql('DROP TABLE ks.x');
    await cql('CREATE TABLE ks.x (pk int PRIMARY KEY, v text)');
    await catalog.refresh();
    expect(catalog.snapshot().table('ks', 'x')?.error?.code).toBe('METADATA_TABLE_ID');
  });

  it.each([
    'create.claim',
    'create.keys',
    'create.keys_durable',
    'create.stored',
    'create.agreement',
    'create.active',
  ])('is whole or gone after a crash at %s', async (at) => {
    // A crash is a step that never comes back: the first proxy does nothing more.
    const never = new Promise<never>(() => undefined);
    let reached: () => void = () => undefined;
    const atStep = new Promise<void>((resolve) => (reached = resolve));
    const dead = await openCatalog(
      a,
      (name: string) => {
        if (name !== at) return undefined;
        reached();
        return never;
      },
      1,
    );
    const name = at.replace('.', '_');
    dead.changes
      .createTable({ keyspace: 'ks', name, columns: [...COLUMNS] }, stored(name))
      .catch(() => undefined);
    await atStep;
    const alive = await openCatalog(b, undefined, 60_000);
    await alive.changes.recover();
    const table = alive.catalog.snapshot().table('ks', name);
    const isStored = at === 'create.agreement' || at === 'create.active';
    expect(table?.kind).toBe(isStored ? 'encrypted' : undefined);
    const outcome = await alive.changes.createTable(
      { keyspace: 'ks', name, columns: [...COLUMNS] },
      stored(name),
    );
    expect(outcome).toBe(isStored ? 'exists' : 'created');
    expect(alive.catalog.snapshot().table('ks', name)?.record?.state).toBe('ACTIVE');
  });

  it('keeps the record of a dropped table, and a new one of the name has other ids', async () => {
    const { catalog, changes } = await openCatalog(a);
    const old = catalog.snapshot().table('ks', 't');
    if (old === undefined) throw new TypeError('no table');
    await changes.dropTable(old, async () => {
      await cql('DROP TABLE ks.t');
      return 'created';
    });
    expect(catalog.snapshot().table('ks', 't')).toBeUndefined();
    const { records } = await catalog.readRecords();
    const record = records.get(Buffer.from(old.tableId).toString('hex'))?.record;
    expect(record?.state).toBe('DROPPED');
    await changes.createTable({ keyspace: 'ks', name: 't', columns: [...COLUMNS] }, stored('t'));
    expect(catalog.snapshot().table('ks', 't')?.tableId).not.toEqual(old.tableId);
  });

  it('notices records that are altered, aged or deleted, and a missing root', async () => {
    const { catalog } = await openCatalog(a);
    const entry = catalog.snapshot().table('ks', 't');
    const cluster = Buffer.from(clusterId);
    const id = Buffer.from(entry?.tableId ?? []);
    const row = (
      await a.connection.execute(
        'SELECT body, mac, root, root_version, root_mac FROM cqlock.records WHERE cluster = ? AND table_id = ?',
        [cluster, id],
      )
    ).rows[0];
    const kind = async () => (await catalog.refresh()).table('ks', 't')?.error?.code;
    const body = Buffer.from(row?.['body'] as Buffer);
    body[20] = (body[20] as number) ^ 1;
    const put = (column: string, value: unknown) =>
      a.connection.execute(
        `UPDATE cqlock.records SET ${column} = ? WHERE cluster = ? AND table_id = ?`,
        [value, cluster, id],
      );
    await put('body', body);
    expect(await kind()).toBe('METADATA_RECORD');
    await put('body', row?.['body']);
    expect(await kind()).toBeUndefined();
    await put('version', 1n);
    expect(await kind()).toBe('METADATA_RECORD');
    await a.connection.execute(
      'UPDATE cqlock.records SET root = null, root_version = null WHERE cluster = ?',
      [cluster],
    );
    expect(await kind()).toBe('METADATA_ROOT_MISSING');
    expect(catalog.snapshot().failure?.code).toBe('METADATA_ROOT_MISSING');
    await expect(openCatalog(b)).rejects.toMatchObject({ code: 'METADATA_ROOT_MISSING' });
  });

  it('is refused with another key store, and when keyspace cqlock is gone; nothing is made', async () => {
    const other = await connectKeys(await newKeyStoreDirectory(), cassandra.port);
    await expect(openCatalog(other)).rejects.toMatchObject({ code: 'CONFIG_NOT_INITIALISED' });
    await cql('DROP KEYSPACE cqlock');
    await expect(openCatalog(b)).rejects.toMatchObject({ code: 'METADATA_KEYSPACE_MISSING' });
    expect((await init(b)).created).toBe(false);
    expect(await b.store.exists()).toBe(false);
    await other.connection.close();
  });
});
