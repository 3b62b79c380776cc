import { describe, expect, it } from 'vitest';
import { activateIndex } from '../../../src/schema/index.ts';
import type {
  SchemaChanges,
  HiddenColumnRecord,
  IndexStatements,
  NewIndex,
  TableEntry,
} from '../../../src/schema/index.ts';
import { FakeCustomerKms } from '../../support/fake_customer_kms.ts';
import { MemoryCluster, Refusal } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { quickClock, stopAt } from '../../support/steps.ts';

const CREATE_STEPS = [
  'index.keys',
  'index.claim',
  'index.column',
  'index.column_agreement',
  'index.stored',
  'index.agreement',
  'index.active',
  'index.refresh',
];
const DROP_STEPS = [
  'index_drop.claim',
  'index_drop.stored',
  'index_drop.agreement',
  'index_drop.settle',
  'index_drop.column',
  'index_drop.refresh',
];

async function environment() {
  const clock = quickClock();
  const cluster = await MemoryCluster.start(clock);
  const proxy = await cluster.proxy();
  await proxy.create('t');
  return { clock, cluster, proxy };
}

type Environment = Awaited<ReturnType<typeof environment>>;

function table(proxy: MemoryProxy): TableEntry {
  const entry = proxy.catalog.snapshot().table('ks', 't');
  if (entry === undefined) throw new TypeError('no table');
  return entry;
}

function newIndex(proxy: MemoryProxy, name = 'by_v', extra: Partial<NewIndex> = {}): NewIndex {
  const column = table(proxy).columns.get('v');
  if (column === undefined) throw new TypeError('no column');
  const common = { target: 'simple', className: null, options: {}, hiddenType: 'blob' } as const;
  return { name, column, ...common, ...extra };
}

/** The stored statements, as Cassandra carries them out. */
function statements(
  cluster: MemoryCluster,
  name = 'by_v',
): IndexStatements & { drop(): Promise<void> } {
  return {
    addColumn: (column: HiddenColumnRecord) => {
      cluster.addHidden('t', column);
      return Promise.resolve();
    },
    dropColumns: (names) => {
      cluster.dropColumns('t', names);
      return Promise.resolve();
    },
    create: () => {
      cluster.indexes = [...cluster.indexes, { table: 't', name }];
      return Promise.resolve();
    },
    drop: () => {
      cluster.indexes = cluster.indexes.filter((index) => index.name !== name);
      return Promise.resolve();
    },
  };
}

function hiddenColumns({ cluster }: Environment): string[] {
  return cluster.columns.filter(({ name }) => name.startsWith('cqlock_')).map(({ name }) => name);
}

function dekCount(entry: TableEntry): number {
  return entry.record?.keys?.deks.filter((dek) => dek.structure === 'index').length ?? 0;
}

/** What a process finds after another one died: nothing unsettled, and the index is there or not. */
async function nextProcess(env: Environment): Promise<MemoryProxy> {
  env.clock.passMs(120_000);
  const next = await env.cluster.proxy();
  await next.changes.recover();
  await next.catalog.refresh();
  const entry = table(next);
  expect(entry).toMatchObject({ kind: 'encrypted', error: undefined });
  expect(entry.record).toMatchObject({ state: 'ACTIVE', claim: null, next: null });
  const live = entry.indexes.map(({ name }) => name);
  expect(live).toEqual(env.cluster.indexes.map(({ name }) => name));
  expect([...entry.hiddenColumns].sort()).toEqual(hiddenColumns(env).sort());
  expect(dekCount(entry)).toBe(live.length);
  (await env.cluster.open(entry)).dispose();
  return next;
}

describe('CREATE INDEX', () => {
  it('is made by a proxy that has not heard of a change of the key of the table', async () => {
    const kms = new FakeCustomerKms();
    const cluster = await MemoryCluster.start(quickClock(), [kms]);
    const [proxy, other] = [await cluster.proxy(), await cluster.proxy()];
    await proxy.create('t');
    await other.catalog.refresh();
    const before = table(other);
    await proxy.changes.changeTableKey(table(proxy), { identifier: kms.key('a') });
    await other.changes.createIndex(before, newIndex(other), statements(cluster));
    expect(table(other).indexes.map(({ name }) => name)).toEqual(['by_v']);
    expect(dekCount(table(other))).toBe(1);
    (await cluster.open(table(other))).dispose();
  });

  it('ends as a write-only index with a hidden column and a key of its own, which becomes active', async () => {
    const env = await environment();
    const { proxy, cluster } = env;
    await proxy.changes.createIndex(table(proxy), newIndex(proxy), statements(cluster));
    const [index] = table(proxy).indexes;
    expect(index).toMatchObject({ name: 'by_v', isActive: false, hidden: { type: 'blob' } });
    expect(table(proxy).columns.has(index?.hidden?.name ?? '')).toBe(false);
    const keys = await cluster.open(table(proxy));
    expect(keys.indexDek(index?.hidden?.dekId ?? '')).toBeDefined();
    keys.dispose();
    const tableId = table(proxy).record?.tableId ?? '';
    expect(await activateIndex(proxy.catalog, tableId, index?.hidden?.name ?? '')).toBe(true);
    expect(table(proxy).indexes[0]?.isActive).toBe(true);
    await nextProcess(env);
  });

  it.each(CREATE_STEPS)('killed at %s leaves the index made or nothing of it', async (at) => {
    const env = await environment();
    const gate = stopAt(at);
    const dying = await env.cluster.proxy({ step: gate.step });
    void dying.changes
      .createIndex(table(dying), newIndex(dying), statements(env.cluster))
      .catch(() => undefined);
    await gate.isThere;
    const next = await nextProcess(env);
    const isThere = env.cluster.indexes.length === 1;
    if (!isThere) {
      await next.changes.createIndex(table(next), newIndex(next), statements(env.cluster));
    }
    expect(table(next).indexes).toHaveLength(1);
    // What the dead process left was dropped on the way.
    expect(hiddenColumns(env)).toHaveLength(1);
  });

  it.each([
    ['addColumn', 0],
    // Other proxies may write it already: Cassandra must not lose it under their writes.
    ['create', 1],
  ] as const)('refused at %s leaves no index and %i hidden columns', async (refused, left) => {
    const env = await environment();
    const { proxy, cluster } = env;
    const failing = {
      ...statements(cluster),
      [refused]: () => Promise.reject(new Refusal('no')),
    };
    await expect(proxy.changes.createIndex(table(proxy), newIndex(proxy), failing)).rejects.toThrow(
      'no',
    );
    const abandoned = hiddenColumns(env);
    expect(abandoned).toHaveLength(left);
    const next = await nextProcess(env);
    expect(table(next).indexes).toEqual([]);
    await next.changes.createIndex(table(next), newIndex(next), statements(cluster));
    expect(hiddenColumns(env)).toHaveLength(1);
    expect(hiddenColumns(env)).not.toContain(abandoned[0]);
  });

  it('made by two proxies at once is made once', async () => {
    const env = await environment();
    const other = await env.cluster.proxy();
    const outcomes = await Promise.allSettled([
      env.proxy.changes.createIndex(table(env.proxy), newIndex(env.proxy), statements(env.cluster)),
      other.changes.createIndex(
        table(other),
        newIndex(other, 'by_v2'),
        statements(env.cluster, 'by_v2'),
      ),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await nextProcess(env);
  });

  it('gives two indexes of a column one key', async () => {
    const env = await environment();
    const { proxy, cluster } = env;
    await proxy.changes.createIndex(table(proxy), newIndex(proxy), statements(cluster));
    const second = newIndex(proxy, 'sai', { className: 'sai', hiddenType: 'ascii' });
    await proxy.changes.createIndex(table(proxy), second, statements(cluster, 'sai'));
    expect(new Set(table(proxy).indexes.map(({ hidden }) => hidden?.dekId)).size).toBe(1);
    expect(dekCount(table(proxy))).toBe(1);
    await proxy.changes.dropIndex(table(proxy), statements(cluster));
    expect(table(proxy).indexes.map(({ name }) => name)).toEqual(['sai']);
    expect(dekCount(table(proxy))).toBe(1);
  });

  it('a change of the KMS key wraps the key of the index anew', async () => {
    const env = await environment();
    const { proxy, cluster } = env;
    await proxy.changes.createIndex(table(proxy), newIndex(proxy), statements(cluster));
    const dekId = table(proxy).indexes[0]?.hidden?.dekId ?? '';
    const wrapped = (): string | undefined =>
      table(proxy).record?.keys?.deks.find((dek) => dek.dekId === dekId)?.wrapped;
    const before = wrapped();
    const [keyArn] = Object.keys(cluster.keyStore.read().keys);
    expect(keyArn).toBeDefined();
    const { clusterId } = await proxy.catalog.readRecords();
    const entry = table(proxy);
    const keys = entry.record?.keys;
    if (keys === null || keys === undefined) throw new TypeError('no keys');
    const owner = { clusterId, tableId: entry.tableId, keyspace: 'ks', name: 't' };
    const moved = await cluster.tableKeys.changedTableKeys(
      owner,
      keys,
      'service-owned',
      () => undefined,
    );
    const again = moved.deks.find((dek) => dek.dekId === dekId);
    expect(again?.structure).toBe('index');
    expect(again?.wrapped).not.toBe(before);
  });
});

describe('DROP INDEX', () => {
  it('takes the hidden column and the key with it', async () => {
    const env = await environment();
    const { proxy, cluster } = env;
    await proxy.changes.createIndex(table(proxy), newIndex(proxy), statements(cluster));
    await proxy.changes.dropIndex(table(proxy), statements(cluster));
    expect(table(proxy).indexes).toEqual([]);
    expect(hiddenColumns(env)).toEqual([]);
    expect(dekCount(table(proxy))).toBe(0);
    await nextProcess(env);
  });

  it('leaves the hidden column as long as a write of it may be under way', async () => {
    const env = await environment();
    const { cluster, clock } = env;
    const proxy = await cluster.proxy({ unusedColumnsMs: 75_000 });
    // As the proxy runs each change: for the role of its client.
    const changes = (): SchemaChanges => proxy.changes.onBehalfOf('alice');
    expect(changes()).not.toBe(proxy.changes);
    await changes().createIndex(table(proxy), newIndex(proxy), statements(cluster));
    const [old] = hiddenColumns(env);
    await changes().dropIndex(table(proxy), statements(cluster));
    expect(table(proxy).indexes).toEqual([]);
    expect(dekCount(table(proxy))).toBe(0);
    await changes().createIndex(table(proxy), newIndex(proxy), statements(cluster));
    expect(hiddenColumns(env)).toHaveLength(2);
    expect([...table(proxy).hiddenColumns].sort()).toEqual(hiddenColumns(env).sort());
    await changes().dropIndex(table(proxy), statements(cluster));
    expect(hiddenColumns(env)).toHaveLength(2);
    clock.passMs(75_000);
    await changes().createIndex(table(proxy), newIndex(proxy), statements(cluster));
    expect(hiddenColumns(env)).toHaveLength(1);
    expect(hiddenColumns(env)).not.toContain(old);
    expect(table(proxy).kind).toBe('encrypted');
  });

  it.each(DROP_STEPS)('killed at %s leaves the index whole or gone', async (at) => {
    const env = await environment();
    const { proxy, cluster } = env;
    await proxy.changes.createIndex(table(proxy), newIndex(proxy), statements(cluster));
    const gate = stopAt(at);
    const dying = await cluster.proxy({ step: gate.step });
    void dying.changes.dropIndex(table(dying), statements(cluster)).catch(() => undefined);
    await gate.isThere;
    const next = await nextProcess(env);
    if (cluster.indexes.length > 0) {
      await next.changes.dropIndex(table(next), statements(cluster));
    }
    await next.changes.createIndex(table(next), newIndex(next), statements(cluster));
    expect(hiddenColumns(env)).toHaveLength(1);
  });

  it('refused leaves the index as it is', async () => {
    const env = await environment();
    const { proxy, cluster } = env;
    await proxy.changes.createIndex(table(proxy), newIndex(proxy), statements(cluster));
    const refused = { ...statements(cluster), drop: () => Promise.reject(new Refusal('no')) };
    await expect(proxy.changes.dropIndex(table(proxy), refused)).rejects.toThrow('no');
    const next = await nextProcess(env);
    expect(table(next).indexes).toHaveLength(1);
  });
});
