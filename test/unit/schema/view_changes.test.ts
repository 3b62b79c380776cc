import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { activateIndex } from '../../../src/schema/index.ts';
import type { NewView, TableEntry, ViewStatements } from '../../../src/schema/index.ts';
import { MemoryCluster, Refusal } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { quickClock, stopAt } from '../../support/steps.ts';

const CREATE_STEPS = [
  'view.claim',
  'view.column',
  'view.column_agreement',
  'view.stored',
  'view.agreement',
  'view.active',
  'view.refresh',
];
const DROP_STEPS = [
  'view_drop.claim',
  'view_drop.stored',
  'view_drop.agreement',
  'view_drop.settle',
  'view_drop.column',
  'view_drop.refresh',
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

/** `PRIMARY KEY (pk, v)`. */
function newView(proxy: MemoryProxy, name = 'by_v'): NewView {
  const { columns } = table(proxy);
  const [pk, v] = [columns.get('pk'), columns.get('v')];
  if (pk === undefined || v === undefined) throw new TypeError('no columns');
  return {
    name,
    cassandraId: randomUUID(),
    partition: [pk],
    clustering: [{ column: v, order: 'asc' }],
    selected: undefined,
    notNull: [pk, v],
    further: v,
  };
}

/** The stored statements, as Cassandra carries them out. */
function statements(
  cluster: MemoryCluster,
  { name, cassandraId: id }: Pick<NewView, 'name' | 'cassandraId'>,
): ViewStatements & { drop(): Promise<void> } {
  return {
    addColumn: (column) => {
      cluster.addHidden('t', { name: column, type: 'blob', kind: 'regular', dekId: '' });
      return Promise.resolve();
    },
    dropColumns: (names) => {
      if (cluster.views.length > 0) return Promise.reject(new Refusal('has views'));
      cluster.dropColumns('t', names);
      return Promise.resolve();
    },
    create: (further = '') => {
      const where = `pk IS NOT NULL AND ${further} IS NOT NULL`;
      cluster.views = [...cluster.views, { table: 't', name, id, where }];
      cluster.addColumn(name, { name: 'pk', type: 'int', kind: 'partition', position: 0 });
      cluster.addColumn(name, { name: further, type: 'text', kind: 'clustering', position: 0 });
      cluster.addColumn(name, { name: 'v', type: 'text', kind: 'regular', position: -1 });
      return Promise.resolve();
    },
    drop: () => {
      cluster.views = cluster.views.filter((view) => view.name !== name);
      cluster.dropTable(name);
      return Promise.resolve();
    },
  };
}

async function create(env: Environment, proxy: MemoryProxy, name?: string): Promise<void> {
  const view = newView(proxy, name);
  await proxy.changes.createView(table(proxy), view, statements(env.cluster, view));
}

function hiddenColumns({ cluster }: Environment): string[] {
  return cluster.columns
    .filter((column) => column.table === 't' && column.name.startsWith('cqlock_'))
    .map(({ name }) => name);
}

/** What a process finds after another one died: nothing unsettled, and the view is there or not. */
async function nextProcess(env: Environment): Promise<MemoryProxy> {
  env.clock.passMs(120_000);
  const next = await env.cluster.proxy();
  await next.changes.recover();
  await next.catalog.refresh();
  const entry = table(next);
  expect(entry).toMatchObject({ kind: 'encrypted', error: undefined });
  expect(entry.record).toMatchObject({ state: 'ACTIVE', claim: null, next: null });
  const live = entry.views.map(({ name }) => name);
  expect(live).toEqual(env.cluster.views.map(({ name }) => name));
  expect([...entry.hiddenColumns].sort()).toEqual(hiddenColumns(env).sort());
  for (const name of live) {
    const view = next.catalog.snapshot().table('ks', name);
    expect(view).toMatchObject({ kind: 'encrypted', error: undefined });
    expect(view?.clustering.map((column) => column.name)).toEqual(['v']);
  }
  return next;
}

describe('CREATE MATERIALIZED VIEW', () => {
  it('ends as a view of the base with a hidden column, which becomes complete', async () => {
    const env = await environment();
    const { proxy } = env;
    await create(env, proxy);
    const [view] = table(proxy).views;
    expect(view).toMatchObject({ name: 'by_v', state: 'building' });
    const entry = proxy.catalog.snapshot().table('ks', 'by_v');
    expect(entry?.tableId).toEqual(table(proxy).tableId);
    expect(entry?.view?.cell?.name).toBe('v');
    const tableId = table(proxy).record?.tableId ?? '';
    expect(await activateIndex(proxy.catalog, tableId, view?.further?.name ?? '')).toBe(true);
    expect(table(proxy).views[0]?.state).toBe('active');
    await nextProcess(env);
  });

  it.each(CREATE_STEPS)('killed at %s leaves the view made or nothing of it', async (at) => {
    const env = await environment();
    const gate = stopAt(at);
    const dying = await env.cluster.proxy({ step: gate.step });
    void create(env, dying).catch(() => undefined);
    await gate.isThere;
    const next = await nextProcess(env);
    if (env.cluster.views.length === 0) await create(env, next);
    expect(table(next).views).toHaveLength(1);
    // What the dead process left was dropped on the way.
    expect(hiddenColumns(env)).toHaveLength(1);
  });

  it.each([
    ['addColumn', 0],
    // Other proxies may write it already: Cassandra must not lose it under their writes.
    ['create', 1],
  ] as const)('refused at %s leaves no view and %i hidden columns', async (refused, left) => {
    const env = await environment();
    const { proxy, cluster } = env;
    const view = newView(proxy);
    const failing = {
      ...statements(cluster, view),
      [refused]: () => Promise.reject(new Refusal('no')),
    };
    await expect(proxy.changes.createView(table(proxy), view, failing)).rejects.toThrow('no');
    const abandoned = hiddenColumns(env);
    expect(abandoned).toHaveLength(left);
    const next = await nextProcess(env);
    await create(env, next);
    expect(hiddenColumns(env)).toHaveLength(1);
    expect(hiddenColumns(env)).not.toContain(abandoned[0]);
  });

  it('keeps the hidden column of a view that is gone until no view is left', async () => {
    const env = await environment();
    const { proxy, cluster } = env;
    await create(env, proxy);
    await create(env, proxy, 'second');
    const drop = (name: string) =>
      proxy.changes.dropView(table(proxy), statements(cluster, { name, cassandraId: '' }));
    await drop('by_v');
    expect(hiddenColumns(env)).toHaveLength(2);
    await nextProcess(env);
    await proxy.catalog.refresh();
    await drop('second');
    expect(hiddenColumns(env)).toEqual([]);
    await nextProcess(env);
  });
});

describe('DROP MATERIALIZED VIEW', () => {
  it.each(DROP_STEPS)('killed at %s leaves the view there or gone', async (at) => {
    const env = await environment();
    await create(env, env.proxy);
    const gate = stopAt(at);
    const dying = await env.cluster.proxy({ step: gate.step });
    const gone = statements(env.cluster, { name: 'by_v', cassandraId: '' });
    void dying.changes.dropView(table(dying), gone).catch(() => undefined);
    await gate.isThere;
    const next = await nextProcess(env);
    if (env.cluster.views.length > 0) await next.changes.dropView(table(next), gone);
    expect(table(next).views).toEqual([]);
  });
});

describe('a view', () => {
  it.each([
    ['whose WHERE clause was altered', { where: 'pk IS NOT NULL' }, 'METADATA_STORED_SCHEMA'],
    ['that was made again around the proxy', { id: randomUUID() }, 'METADATA_TABLE_ID'],
    ['that the record does not have', { name: 'other' }, 'SCHEMA_UNKNOWN_TABLE'],
  ])('%s refuses reads', async (_what, change, code) => {
    const env = await environment();
    const { proxy, cluster } = env;
    await create(env, proxy);
    cluster.views = cluster.views.map((view) => ({ ...view, ...change }));
    const snapshot = await proxy.catalog.refresh();
    expect(snapshot.table('ks', cluster.views[0]?.name ?? '')?.error?.code).toBe(code);
    expect(table(proxy)).toMatchObject({ kind: 'encrypted', error: undefined });
  });
});
