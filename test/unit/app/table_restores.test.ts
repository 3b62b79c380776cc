/** Restores that statements asked for: what a process does with them, and what another one does when it dies. */
import { beforeEach, describe, expect, it } from 'vitest';
import { TableRestores } from '../../../src/app/table_restores.ts';
import { BackupService } from '../../../src/backup/index.ts';
import { BackupError } from '../../../src/errors/index.ts';
import { KeyTransfer, KmsTableKeys } from '../../../src/keys/index.ts';
import { JobRegistry, silentLogger } from '../../../src/observability/index.ts';
import type { TableRestore } from '../../../src/proxy/index.ts';
import type { TableRecord } from '../../../src/schema/index.ts';
import { mcsColumns, mcsRows } from '../../../src/system/mcs_tables.ts';
import type { Clock } from '../../../src/util/index.ts';
import { putUnderCustomerKey } from '../../support/customer_keys.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { fakeConnection, sealedRows } from '../backup/fake_rows.ts';
import type { Written } from '../backup/fake_rows.ts';
import { MemoryTarget } from '../backup/memory_target.ts';
import { rawTable } from '../system/raw_table.ts';

const ROWS = 120;
const PERIOD = 30_000;
const MINUTE = 60_000;
const DAY = 86_400_000;
const TO = { keyspace: 'ks', name: 'back' };

const fake = fakeClock();
const clock: Clock = {
  ...fake,
  after: (delayMs, callback) => {
    if (delayMs >= 1000) return fake.after(delayMs, callback);
    setImmediate(callback);
    return { cancel: () => undefined };
  },
};
let cluster: MemoryCluster;
let proxy: MemoryProxy;
let target: MemoryTarget;
let written: Written[];
let rows: Record<string, unknown>[];
let backupId: string;
let keyArn: string;

interface Process {
  readonly restores: TableRestores;
  readonly service: BackupService;
  jobs(): string[];
}

/** A process; `step` is called before each step of its backups. */
function start(step: (name: string) => void | Promise<void> = () => undefined): Process {
  const service = new BackupService(
    {
      catalog: proxy.catalog,
      changes: proxy.changes,
      tableKeys: new KmsTableKeys(cluster.kms),
      transfer: new KeyTransfer(cluster.kms),
      connection: fakeConnection(cluster, rows, written),
      clock,
      target,
    },
    { chunkBytes: 1024, sampleEvery: 5, step },
  );
  const jobs = new JobRegistry(() => clock.nowMs());
  const { catalog } = proxy;
  const options = { backups: service, catalog, jobs, clock, logger: silentLogger };
  return {
    restores: new TableRestores({ ...options, periodMs: PERIOD }),
    service,
    jobs: () =>
      jobs
        .list()
        .map((job) => `${job.kind} ${job.table ?? ''} ${job.state} ${job.error ?? ''}`.trim()),
  };
}

function request(change: Partial<TableRestore> = {}): TableRestore {
  const connection = fakeConnection(cluster, rows);
  return {
    from: { keyspace: 'ks', name: 't', beforeMs: undefined, tableId: undefined },
    to: TO,
    encryption: undefined,
    customProperties: undefined,
    principal: 'somebody',
    requireUnmask: () => Promise.resolve(),
    runStored: async (text) => {
      await connection.execute(text, [], { prepare: false });
      return 'created';
    },
    ...change,
  };
}

beforeEach(async () => {
  cluster = await MemoryCluster.start(clock);
  proxy = await cluster.proxy();
  await proxy.create('t');
  keyArn = await putUnderCustomerKey(proxy.catalog, cluster.embedded, 'ks', 't');
  const table = proxy.catalog.snapshot().table('ks', 't');
  if (table === undefined) throw new Error('no table');
  const { clusterId } = await proxy.catalog.readRecords();
  target = new MemoryTarget();
  written = [];
  rows = await sealedRows(cluster, table, clusterId, ROWS);
  backupId = await start().service.backupTable({ keyspace: 'ks', name: 't' });
});

async function record(name = 'back'): Promise<TableRecord | undefined> {
  const { records } = await proxy.catalog.readRecords();
  for (const { record: found } of records.values()) {
    if (found.kind === 'table' && found.name === name && found.state !== 'DROPPED') return found;
  }
  return undefined;
}

function refusal(): string | undefined {
  return proxy.catalog.snapshot().table('ks', 'back')?.error?.code;
}

/** Status of a table of `ks` in system_schema_mcs.tables. */
function statusOf(table: string): string {
  const raw = rawTable(
    'system_schema',
    'tables',
    { 'p:keyspace_name': 'text', 'c:table_name': 'text' },
    [['ks', table]],
  );
  const at = mcsColumns(raw).findIndex(({ name }) => name === 'status');
  const [row] = mcsRows(raw, proxy.catalog.snapshot());
  return Buffer.from(row?.[at] ?? '').toString('utf8');
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'ok';
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turns = 0; turns < 2000; turns += 1) {
    if (await isSo()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it never came to this');
}

async function isActive(): Promise<boolean> {
  return (await record())?.state === 'ACTIVE';
}

/** Rounds of a process, as time makes them. */
async function rounds({ restores }: Process, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    fake.advance(PERIOD);
    await restores.round();
    for (let turns = 0; turns < 200; turns += 1) await new Promise((r) => setImmediate(r));
  }
}

const chunk = (): [string, Buffer] => {
  const found = [...target.objects].find(([name]) => name.includes('/chunk-'));
  if (found === undefined) throw new Error('no chunk');
  return found;
};

describe('a restore by a statement', () => {
  it('answers with a table that refuses, and ends with one that is whole', async () => {
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const process = start((name) => (name === 'restore.chunk' ? held : undefined));
    await process.restores.restore(request());
    expect(refusal()).toBe('SCHEMA_RESTORING');
    expect(process.jobs()).toEqual(['restore back running']);
    expect(written).toEqual([]);
    letGo();
    await until(isActive);
    await until(() => process.jobs()[0] === 'restore back done');
    expect(written).toHaveLength(ROWS);
    expect(refusal()).toBeUndefined();
    expect(proxy.catalog.snapshot().table('ks', 'back')?.kind).toBe('encrypted');
    // Under the key of the old table, with grants of its own.
    const restored = await record();
    expect(restored?.keys).toMatchObject({ keyArn, serviceOwned: false });
    expect(restored?.keys?.grants?.map(({ use }) => use)).toEqual(['working', 'backup']);
    expect(restored?.release ?? []).toEqual([]);
  });

  it('makes nothing when the key of the backup or the new key is refused', async () => {
    const { restores, jobs } = start();
    const other = await cluster.embedded.createCustomerKey('other');
    await cluster.embedded.setKeyEnabled(other, false);
    const encryption = { identifier: other };
    expect(await codeOf(restores.restore(request({ encryption })))).toBe('SCHEMA_KEY_REFUSED');
    const service = (await record('t'))?.keys;
    expect(service).toBeDefined();
    await proxy.create('owned');
    const ownedArn = (await record('owned'))?.keys?.keyArn ?? '';
    const owned = { identifier: ownedArn };
    expect(await codeOf(restores.restore(request({ encryption: owned })))).toBe(
      'SCHEMA_KEY_REFUSED',
    );
    await cluster.embedded.setKeyEnabled(keyArn, false);
    expect(await codeOf(restores.restore(request()))).toBe('KEY_DISABLED');
    expect(await record()).toBeUndefined();
    expect(cluster.tables.map(({ name }) => name)).toEqual(['t', 'owned']);
    expect(jobs()).toEqual([]);
  });

  it('takes only backups of the table that has the name, and only from before the time', async () => {
    const { restores } = start();
    const from = { keyspace: 'ks', name: 't', beforeMs: undefined, tableId: undefined };
    const foreign = { ...from, tableId: '00'.repeat(16) };
    expect(await codeOf(restores.restore(request({ from: foreign })))).toBe('BACKUP_NOT_FOUND');
    const early = { ...from, beforeMs: clock.nowMs() - DAY };
    expect(await codeOf(restores.restore(request({ from: early })))).toBe('BACKUP_NOT_FOUND');
    const own = { ...from, tableId: (await record('t'))?.tableId, beforeMs: clock.nowMs() };
    expect(await codeOf(restores.restore(request({ from: own })))).toBe('ok');
    await until(isActive);
  });

  it('is tried again when its backup fails, and refuses until then, as failed', async () => {
    const [name, bytes] = chunk();
    target.objects.delete(name);
    const process = start();
    await process.restores.restore(request());
    await until(() => process.jobs().includes('restore back failed BACKUP_INTEGRITY'));
    await rounds(process, 10);
    const failures = process.jobs().length;
    expect(failures).toBeGreaterThan(1);
    // Less and less often.
    await rounds(process, 10);
    expect(process.jobs().length - failures).toBeLessThan(failures);
    expect(await record()).toMatchObject({
      state: 'RESTORING',
      claim: null,
      restore: { backupId, failure: { code: 'BACKUP_INTEGRITY' } },
    });
    expect(refusal()).toBe('SCHEMA_RESTORE_FAILED');
    expect(statusOf('back')).toBe('RESTORE_FAILED');
    target.objects.set(name, bytes);
    fake.advance(3_600_000);
    await rounds(process, 1);
    await until(isActive);
    expect((await record())?.restore).toBeUndefined();
    expect(statusOf('back')).toBe('ACTIVE');
  });

  it('has not failed as long as its backup is only out of reach', async () => {
    const get = target.get.bind(target);
    target.get = (name) =>
      name.includes('/chunk-')
        ? Promise.reject(new BackupError('BACKUP_TARGET', 'away'))
        : get(name);
    const process = start();
    await process.restores.restore(request());
    await until(() => process.jobs().includes('restore back failed BACKUP_TARGET'));
    await rounds(process, 4);
    expect((await record())?.restore).toMatchObject({ backupId });
    expect((await record())?.restore?.failure).toBeUndefined();
    expect(statusOf('back')).toBe('RESTORING');
    target.get = get;
    fake.advance(3_600_000);
    await rounds(process, 1);
    await until(isActive);
  });

  it('that failed keeps its backup no longer than its time, and can be dropped', async () => {
    const manifest = [...target.objects.keys()].find((name) => name.includes('manifest')) ?? '';
    let altered = (): void => undefined;
    const process = start((name) => {
      if (name === 'restore.chunk') altered();
    });
    altered = () => {
      target.objects.delete(manifest);
      for (const name of [...target.objects.keys()]) {
        if (name.includes('/chunk-')) target.objects.set(name, Buffer.alloc(64));
      }
    };
    await process.restores.restore(request());
    await until(() => refusal() === 'SCHEMA_RESTORE_FAILED');
    fake.advance(36 * DAY);
    expect((await process.service.deleteExpired()).deleted).toEqual([backupId]);
    await rounds(process, 3);
    expect(process.jobs()).toContain('restore back failed BACKUP_NOT_FOUND');
    const table = proxy.catalog.snapshot().table('ks', 'back');
    if (table === undefined) throw new Error('no table');
    await proxy.changes.dropTable(table, () => {
      cluster.dropTable('back');
      return Promise.resolve('created');
    });
    expect(await record()).toBeUndefined();
  });

  it('of the command line is stopped between two chunks, and the same command goes on', async () => {
    const stop = new AbortController();
    let chunks = 0;
    const { service } = start((name) => {
      if (name === 'restore.chunk') chunks += 1;
      if (chunks === 2) stop.abort();
    });
    const from = { backupId };
    await expect(service.restore({ from, to: TO, signal: stop.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(chunks).toBe(2);
    expect(await record()).toMatchObject({ state: 'RESTORING', claim: null });
    expect(statusOf('back')).toBe('RESTORING');
    expect(await service.restore({ from, to: TO })).toEqual({
      backupId,
      rows: ROWS,
      dependents: [],
    });
    expect(await isActive()).toBe(true);
  });

  it('is gone on with by another process, from where it stopped', async () => {
    let chunks = 0;
    const dying = start((name) => {
      if (name !== 'restore.chunk') return undefined;
      chunks += 1;
      return chunks < 4 ? undefined : new Promise<void>(() => undefined);
    });
    await dying.restores.restore(request());
    await until(() => chunks === 4);
    const other = start();
    // As long as the first one may be alive, nobody touches its work.
    await rounds(other, 1);
    expect(other.jobs()).toEqual([]);
    fake.advance(2 * MINUTE);
    await rounds(other, 2);
    await until(isActive);
    expect(other.jobs()).toEqual(['restore back done']);
    const last = new Set(written.map(({ params }) => (params[0] as Buffer).toString('hex')));
    expect(last.size).toBe(ROWS);
  });

  it('is stopped between two chunks when the process ends, and leaves the claim free', async () => {
    let chunks = 0;
    let stopAll = (): void => undefined;
    const process = start((name) => {
      if (name === 'restore.chunk') chunks += 1;
      if (chunks === 2) stopAll();
    });
    stopAll = () => void process.restores.stop();
    await process.restores.restore(request());
    await until(async () => (await record())?.claim === null && chunks > 0);
    await process.restores.stop();
    expect(chunks).toBe(2);
    expect((await record())?.state).toBe('RESTORING');
    const next = start();
    await rounds(next, 2);
    await until(isActive);
  });

  it('gives way to DROP TABLE, and does not make the table again', async () => {
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const process = start((name) => (name === 'restore.chunk' ? held : undefined));
    await process.restores.restore(request());
    await until(async () => (await record())?.claim !== null);
    const table = proxy.catalog.snapshot().table('ks', 'back');
    if (table === undefined) throw new Error('no table');
    await proxy.changes.dropTable(table, () => {
      cluster.dropTable('back');
      return Promise.resolve('created');
    });
    letGo();
    await until(() => process.jobs().includes('restore back failed BACKUP_STATE'));
    await rounds(process, 5);
    expect(await record()).toBeUndefined();
    expect(cluster.tables.map(({ name }) => name)).toEqual(['t']);
    expect(process.jobs()).toHaveLength(1);
  });

  it('keeps its backup until it is done, whatever its time', async () => {
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const process = start((name) => (name === 'restore.chunk' ? held : undefined));
    await process.restores.restore(request());
    fake.advance(36 * DAY);
    expect(await process.service.deleteExpired()).toMatchObject({
      deleted: [],
      kept: [backupId],
      left: [{ backupId, error: { code: 'BACKUP_STATE' } }],
    });
    letGo();
    const other = start();
    await rounds(other, 3);
    await until(isActive);
    expect(await process.service.deleteExpired()).toEqual({
      deleted: [backupId],
      kept: [],
      left: [],
    });
  });
});
