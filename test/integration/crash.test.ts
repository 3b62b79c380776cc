/**
 * A process that changes the schema is killed at each step of each change. The next one must find the change done or not
 * done: no half of it, no claim, no key that nobody knows, and a table that works.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyService } from '../../src/keys/index.ts';
import type { Catalog, SchemaChanges, TableEntry } from '../../src/schema/index.ts';
import { systemClock } from '../../src/util/index.ts';
import { builtProduct } from '../support/built_product.ts';
import { startCassandra } from '../support/cassandra.ts';
import type { TestCassandra } from '../support/cassandra.ts';
import {
  connectKeys,
  init,
  newKeyStoreDirectory,
  openCatalog,
} from '../support/key_environment.ts';
import type { KeyConnections } from '../support/key_environment.ts';

const CHILD = fileURLToPath(new URL('../support/crash_child.mjs', import.meta.url));
const REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
const COLUMNS = [
  { name: 'pk', type: 'uuid', kind: 'partition', position: 0 },
  { name: 'ck', type: 'int', kind: 'clustering', position: 0 },
  { name: 'v', type: 'text', kind: 'regular', position: 0 },
] as const;

/** A change as crash_child.mjs takes it. */
type Change = Readonly<Record<string, unknown>> & { readonly kind: string };

let cassandra: TestCassandra;
let directory: string;
let keys: KeyConnections;
let clusterId: Uint8Array;
let dist: string;

beforeAll(async () => {
  cassandra = await startCassandra();
  dist = join(dirname(await builtProduct()), '..');
  directory = await newKeyStoreDirectory();
  keys = await connectKeys(directory, cassandra.port);
  ({ clusterId } = await init(keys));
  await cql(`CREATE KEYSPACE ks WITH replication = ${REPLICATION}`);
});

afterAll(async () => {
  await keys.connection.close();
  await cassandra.stop();
  await rm(directory, { recursive: true, force: true });
});

async function cql(text: string): Promise<'created'> {
  await keys.connection.execute(text, [], { prepare: false });
  return 'created';
}

/** Runs a change in a process of its own; the steps it went through, or 'killed'. */
async function inChild(change: Change, at: string, nth = 1): Promise<'killed' | string[]> {
  const options = { dist, directory, port: cassandra.port, change, at, nth };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, JSON.stringify(options)], (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as string[]);
      else if (error.signal === 'SIGKILL') resolve('killed');
      else reject(new Error(stderr));
    });
  });
}

function storedCreate(name: string, columns = ''): string {
  return `CREATE TABLE ks.${name} (pk blob, ck blob, v blob${columns}, PRIMARY KEY (pk, ck)) WITH ID = $ID`;
}

function creation(name: string): Change {
  return {
    kind: 'createTable',
    keyspace: 'ks',
    name,
    columns: COLUMNS,
    stored: storedCreate(name),
  };
}

interface Opened {
  readonly catalog: Catalog;
  readonly changes: SchemaChanges;
}

/** What the next process does: opens the catalog and recovers; then nothing unsettled may be left. */
async function nextProcess(): Promise<Opened> {
  const opened = await openCatalog(keys);
  await opened.changes.recover();
  const { records, damaged } = await opened.catalog.readRecords();
  expect(damaged).toEqual([]);
  const owners: string[] = [];
  for (const { record } of records.values()) {
    expect(record.claim).toBe(null);
    if (record.kind === 'backup' || record.kind === 'keyspace') continue;
    expect(record.next).toBe(null);
    expect(['ACTIVE', 'DROPPED']).toContain(record.state);
    if (record.kind === 'table') owners.push(record.tableId);
  }
  const inStore = Object.values(keys.keyStore.read().keys).filter((key) => key.purpose === 'table');
  expect(inStore.map((key) => key.owner).sort()).toEqual(owners.sort());
  for (const keyspace of opened.catalog.snapshot().keyspaces()) {
    for (const table of keyspace.tables.values()) {
      expect(table).toMatchObject({ kind: 'encrypted', error: undefined });
    }
  }
  return opened;
}

/** The table's keys open, and Cassandra takes a row of it. */
async function expectUsable(table: TableEntry | undefined): Promise<void> {
  if (table === undefined) throw new TypeError('the table is not there');
  const service = new KeyService({
    tableKeys: keys.tableKeys,
    clusterId,
    clock: systemClock,
    metrics: { leases: () => undefined },
  });
  const { keyDek, cellDek } = await service.leases().acquire(table);
  expect([keyDek.epoch, cellDek.epoch]).toEqual([1, 1]);
  service.close();
  const names = table.allColumns.map((column) => `"${column.name}"`);
  await cql(
    `INSERT INTO ${table.keyspace}.${table.name} (${names.join(', ')}) VALUES (${names.map(() => '0x01').join(', ')})`,
  );
}

async function createHere({ changes }: Opened, name: string): Promise<'created' | 'exists'> {
  return await changes.createTable(
    { keyspace: 'ks', name, columns: [...COLUMNS] },
    async ({ tableId }) => await cql(storedCreate(name).replace('$ID', tableId)),
  );
}

function tableOf({ catalog }: Opened, name: string): TableEntry | undefined {
  return catalog.snapshot().table('ks', name);
}

function columnsOf(opened: Opened, name: string): string[] {
  return tableOf(opened, name)?.allColumns.map((column) => column.name) ?? [];
}

describe('CREATE TABLE', () => {
  it('goes through the steps that are tested here', async () => {
    const steps = await inChild(creation('all_steps'), 'never');
    expect(steps).not.toBe('killed');
    expect((steps as string[]).filter((name) => !name.startsWith('key_store.'))).toEqual([
      'create.claim',
      'create.keys',
      'create.keys_durable',
      'create.stored',
      'create.agreement',
      'create.active',
      'create.refresh',
    ]);
    // The anchor after the claim, the KMS key, the anchor after the keys, the anchor at the end.
    expect((steps as string[]).filter((name) => name === 'key_store.written').length).toBe(4);
    await expectUsable(tableOf(await nextProcess(), 'all_steps'));
  });

  it.each([
    ['create.claim', 1, false],
    ['key_store.rename', 1, false],
    ['key_store.written', 1, false],
    ['create.keys', 1, false],
    ['key_store.rename', 2, false],
    // The KMS key is there, and no record knows it.
    ['key_store.written', 2, false],
    ['create.keys_durable', 1, false],
    ['key_store.rename', 3, false],
    ['create.stored', 1, false],
    ['create.agreement', 1, true],
    ['create.active', 1, true],
    ['key_store.rename', 4, true],
    ['create.refresh', 1, true],
  ])('killed at %s (%d)', async (at, nth, isThere) => {
    const name = `c_${at.replace('.', '_')}_${nth}`;
    expect(await inChild(creation(name), at, nth)).toBe('killed');
    const opened = await nextProcess();
    expect(columnsOf(opened, name)).toEqual(isThere ? ['pk', 'ck', 'v'] : []);
    expect(await createHere(opened, name)).toBe(isThere ? 'exists' : 'created');
    await expectUsable(tableOf(opened, name));
  });

  it.each(['create.undo_keys', 'create.undo_claim'])(
    'that Cassandra refused, killed at %s',
    async (at) => {
      const change = {
        ...creation('refused'),
        stored: 'CREATE TABLE ks.refused (pk blob PRIMARY KEY) WITH nonsense = 1',
      };
      expect(await inChild(change, at)).toBe('killed');
      expect(tableOf(await nextProcess(), 'refused')).toBeUndefined();
    },
  );

  it.each(['recover.records', 'recover.destroy_keys', 'recover.remove_records'])(
    'given up, and the recovery killed at %s',
    async (at) => {
      expect(await inChild(creation('twice_dead'), 'create.stored')).toBe('killed');
      expect(await inChild({ kind: 'recover' }, at)).toBe('killed');
      expect(tableOf(await nextProcess(), 'twice_dead')).toBeUndefined();
    },
  );
});

describe('ALTER TABLE', () => {
  const alterations = {
    add: {
      alter: {
        kind: 'add',
        columns: [{ name: 'w', type: 'int', kind: 'regular', position: 0 }],
      },
      cql: 'ADD w blob',
      after: ['pk', 'ck', 'v', 'w'],
    },
    drop: { alter: { kind: 'drop', columns: ['v'] }, cql: 'DROP v', after: ['pk', 'ck'] },
    rename: {
      alter: { kind: 'rename', renames: [{ from: 'ck', to: 'kk' }] },
      cql: 'RENAME ck TO kk',
      after: ['pk', 'kk', 'v'],
    },
  } as const;

  it.each(
    (['add', 'drop', 'rename'] as const).flatMap((kind) =>
      (
        [
          ['alter.claim', false],
          ['alter.stored', false],
          ['alter.agreement', true],
          ['alter.active', true],
          ['recover.records', true],
          ['alter.refresh', true],
        ] as const
      ).map(([at, isDone]) => [kind, at, isDone] as const),
    ),
  )('%s, killed at %s', async (kind, at, isDone) => {
    const { alter, cql: text, after } = alterations[kind];
    const name = `a_${kind}_${at.replace('.', '_')}`;
    await createHere(await openCatalog(keys), name);
    const stored = `ALTER TABLE ks.${name} ${text}`;
    const change = { kind: 'alterTable', keyspace: 'ks', name, alter, stored };
    expect(await inChild(change, at)).toBe('killed');
    const opened = await nextProcess();
    expect(columnsOf(opened, name)).toEqual(isDone ? after : ['pk', 'ck', 'v']);
    await expectUsable(tableOf(opened, name));
    // And it can be changed again.
    const table = tableOf(opened, name);
    if (table === undefined) throw new TypeError('no table');
    const again = { name: 'z', type: 'int', kind: 'regular', position: 0 } as const;
    await opened.changes.alterTable(table, { kind: 'add', columns: [again] }, () =>
      cql(`ALTER TABLE ks.${name} ADD z blob`),
    );
    await expectUsable(tableOf(opened, name));
  });
});

describe('INDEX', () => {
  const CREATE_STEPS = [
    ['index.keys', 0],
    ['index.claim', 0],
    ['index.column', 0],
    ['index.column_agreement', 0],
    ['index.stored', 0],
    ['index.agreement', 1],
    ['index.active', 1],
    ['recover.records', 1],
    ['index.refresh', 1],
  ] as const;
  const DROP_STEPS = [
    ['index_drop.claim', 1],
    ['index_drop.stored', 1],
    ['index_drop.agreement', 0],
    ['index_drop.settle', 0],
    ['recover.records', 0],
    ['index_drop.column', 0],
    ['index_drop.refresh', 0],
  ] as const;

  function change(kind: 'createIndex' | 'dropIndex', table: string): Change {
    const index = {
      name: `${table}_v`,
      target: 'simple',
      className: null,
      options: {},
      hiddenType: 'blob',
    };
    return { kind, keyspace: 'ks', name: table, column: 'v', index };
  }

  /** The index is there or not, and so are its hidden column and its key; another change sets the rest right. */
  async function expectSettled(name: string, count: number): Promise<void> {
    const table = tableOf(await nextProcess(), name);
    await expectUsable(table);
    expect(table?.indexes).toHaveLength(count);
    const deks = table?.record?.keys?.deks.filter((dek) => dek.structure === 'index');
    expect(deks).toHaveLength(count);
    if (count === 0) expect(await inChild(change('createIndex', name), 'never')).not.toBe('killed');
    expect(await inChild(change('dropIndex', name), 'never')).not.toBe('killed');
    const after = tableOf(await nextProcess(), name);
    expect(after?.indexes).toEqual([]);
    expect([...(after?.hiddenColumns ?? [])]).toEqual([]);
  }

  it.each(CREATE_STEPS)('created, killed at %s', async (at, count) => {
    const name = `i_${at.replace('.', '_')}`;
    await createHere(await openCatalog(keys), name);
    expect(await inChild(change('createIndex', name), at)).toBe('killed');
    await expectSettled(name, count);
  });

  it.each(DROP_STEPS)('dropped, killed at %s', async (at, count) => {
    const name = `j_${at.replace('.', '_')}`;
    await createHere(await openCatalog(keys), name);
    expect(await inChild(change('createIndex', name), 'never')).not.toBe('killed');
    expect(await inChild(change('dropIndex', name), at)).toBe('killed');
    await expectSettled(name, count);
  });
});

describe('DROP', () => {
  const STEPS = [
    ['drop.claim', false],
    ['drop.stored', false],
    ['drop.agreement', true],
    ['drop.records', true],
    ['recover.records', true],
    ['drop.refresh', true],
  ] as const;

  it.each(STEPS)('TABLE, killed at %s', async (at, isDone) => {
    const name = `d_${at.replace('.', '_')}`;
    const before = await openCatalog(keys);
    await createHere(before, name);
    const tableId = tableOf(before, name)?.tableId;
    const change = { kind: 'dropTable', keyspace: 'ks', name, stored: `DROP TABLE ks.${name}` };
    expect(await inChild(change, at)).toBe('killed');
    const opened = await nextProcess();
    if (isDone) {
      expect(tableOf(opened, name)).toBeUndefined();
      expect(await createHere(opened, name)).toBe('created');
      expect(tableOf(opened, name)?.tableId).not.toEqual(tableId);
    } else expect(tableOf(opened, name)?.tableId).toEqual(tableId);
    await expectUsable(tableOf(opened, name));
  });

  it.each(STEPS)('KEYSPACE, killed at %s', async (at, isDone) => {
    const keyspace = `k_${at.replace('.', '_')}`;
    const before = await openCatalog(keys);
    await cql(`CREATE KEYSPACE ${keyspace} WITH replication = ${REPLICATION}`);
    await before.changes.createType(
      { keyspace, name: 'ty', fields: [{ name: 'f', type: 'int' }] },
      () => cql(`CREATE TYPE ${keyspace}.ty (f blob)`),
    );
    for (const name of ['one', 'two']) {
      await before.changes.createTable(
        { keyspace, name, columns: [...COLUMNS] },
        async ({ tableId }) =>
          await cql(storedCreate(name).replace('$ID', tableId).replace('ks.', `${keyspace}.`)),
      );
    }
    const change = { kind: 'dropKeyspace', keyspace, stored: `DROP KEYSPACE ${keyspace}` };
    expect(await inChild(change, at)).toBe('killed');
    const opened = await nextProcess();
    const snapshot = opened.catalog.snapshot();
    expect(snapshot.keyspace(keyspace) === undefined).toBe(isDone);
    if (isDone) return;
    expect(snapshot.udt(keyspace, 'ty')?.fields.length).toBe(1);
    for (const name of ['one', 'two']) await expectUsable(snapshot.table(keyspace, name));
  });
});

describe('TYPE', () => {
  const steps = (prefix: string) =>
    [
      [`${prefix}.claim`, false],
      [`${prefix}.stored`, false],
      [`${prefix}.agreement`, true],
      [`${prefix}.record`, true],
      ['recover.records', true],
    ] as const;
  const one = [{ name: 'f', type: 'int' }];
  const two = [...one, { name: 'g', type: 'text' }];

  async function createTypeHere({ changes }: Opened, name: string) {
    return await changes.createType({ keyspace: 'ks', name, fields: one }, () =>
      cql(`CREATE TYPE ks.${name} (f blob)`),
    );
  }

  it.each(steps('create_type'))('CREATE, killed at %s', async (at, isDone) => {
    const name = `tc_${at.replace('.', '_')}`;
    const stored = `CREATE TYPE ks.${name} (f blob)`;
    const change = { kind: 'createType', keyspace: 'ks', name, fields: one, stored };
    expect(await inChild(change, at)).toBe('killed');
    const opened = await nextProcess();
    expect(opened.catalog.snapshot().udt('ks', name)?.fields.length).toBe(isDone ? 1 : undefined);
    expect(await createTypeHere(opened, name)).toBe(isDone ? 'exists' : 'created');
    expect(opened.catalog.snapshot().udt('ks', name)?.fields[0]?.type).toMatchObject({
      name: 'int',
    });
  });

  it.each(steps('alter_type'))('ALTER, killed at %s', async (at, isDone) => {
    const name = `ta_${at.replace('.', '_')}`;
    await createTypeHere(await openCatalog(keys), name);
    const stored = `ALTER TYPE ks.${name} ADD g blob`;
    const change = { kind: 'alterType', keyspace: 'ks', name, fields: two, stored };
    expect(await inChild(change, at)).toBe('killed');
    const { catalog } = await nextProcess();
    const fields = catalog.snapshot().udt('ks', name)?.fields;
    expect(fields?.map((field) => field.name)).toEqual(isDone ? ['f', 'g'] : ['f']);
    if (isDone) expect(fields?.[1]?.type).toMatchObject({ name: 'text' });
  });

  it.each(steps('drop_type'))('DROP, killed at %s', async (at, isDone) => {
    const name = `td_${at.replace('.', '_')}`;
    await createTypeHere(await openCatalog(keys), name);
    const change = { kind: 'dropType', keyspace: 'ks', name, stored: `DROP TYPE ks.${name}` };
    expect(await inChild(change, at)).toBe('killed');
    const opened = await nextProcess();
    expect(opened.catalog.snapshot().udt('ks', name) === undefined).toBe(isDone);
    if (isDone) expect(await createTypeHere(opened, name)).toBe('created');
  });
});

describe('the keys of a dropped table', () => {
  it('are destroyed with their record 42 days later, and no earlier', async () => {
    const before = await openCatalog(keys);
    await createHere(before, 'old');
    const table = tableOf(before, 'old');
    if (table?.record?.keys === undefined || table.record.keys === null)
      throw new TypeError('keys');
    const { keyArn } = table.record.keys;
    await before.changes.dropTable(table, () => cql('DROP TABLE ks.old'));
    const at = async (days: number): Promise<void> => {
      const clock = { ...systemClock, nowMs: () => Date.now() + days * 86_400_000 };
      await (await openCatalog(keys, undefined, undefined, clock)).changes.recover();
    };
    await at(41.9);
    expect((await keys.kms.describeKey(keyArn)).state).toBe('enabled');
    await at(42.1);
    await expect(keys.kms.describeKey(keyArn)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    await nextProcess();
  });
});
