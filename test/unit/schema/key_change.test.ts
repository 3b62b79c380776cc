import { describe, expect, it } from 'vitest';
import type { EncryptionChoice, KeyRefusal, TableEntry } from '../../../src/schema/index.ts';
import { FakeCustomerKms } from '../../support/fake_customer_kms.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { quickClock, stopAt } from '../../support/steps.ts';

const DAY_MS = 86_400_000;

async function environment() {
  const clock = quickClock();
  const kms = new FakeCustomerKms();
  const cluster = await MemoryCluster.start(clock, [kms]);
  const [a, b] = [kms.key('a'), kms.key('b')];
  return { clock, kms, cluster, proxy: await cluster.proxy(), a, b };
}

type Environment = Awaited<ReturnType<typeof environment>>;

function table(proxy: MemoryProxy, name = 't'): TableEntry {
  const entry = proxy.catalog.snapshot().table('ks', name);
  if (entry === undefined) throw new TypeError('no table');
  return entry;
}

function keysOf(proxy: MemoryProxy, name = 't') {
  const { keys } = table(proxy, name).record ?? {};
  if (keys === undefined || keys === null) throw new TypeError('no keys');
  return keys;
}

/** Epoch and state of the cell DEKs, and the versions of table keys that DEKs are wrapped under. */
function shape(proxy: MemoryProxy) {
  const { deks, tableKeys } = keysOf(proxy);
  return {
    cells: deks.filter((d) => d.structure === 'cell').map((d) => `${d.epoch} ${d.state}`),
    wrappedUnder: [...new Set(deks.map((d) => d.tableKeyVersion))],
    tableKeys: tableKeys.map((tableKey) => `${tableKey.version} ${tableKey.keyArn}`),
  };
}

/** ARNs of the service-owned keys of tables in the key store. */
function serviceKeys({ cluster }: Environment): string[] {
  return Object.values(cluster.keyStore.read().keys)
    .filter((key) => key.purpose === 'table')
    .map((key) => key.arn);
}

/** Nothing is unsettled or left behind: grants and service-owned keys are those of the present key, which opens. */
async function expectSettled(env: Environment, proxy: MemoryProxy): Promise<void> {
  await proxy.catalog.refresh();
  const entry = table(proxy);
  expect(entry).toMatchObject({ kind: 'encrypted', error: undefined });
  expect(entry.record).toMatchObject({ state: 'ACTIVE', claim: null });
  expect(entry.record?.release).toBeUndefined();
  const keys = keysOf(proxy);
  const { keyArn, serviceOwned } = keys;
  expect(env.kms.granted()).toEqual(serviceOwned ? [] : [`${keyArn} backup`, `${keyArn} working`]);
  expect(keys.grants?.map((grant) => grant.id) ?? []).toEqual([...env.kms.grants.keys()]);
  expect(serviceKeys(env)).toEqual(serviceOwned ? [keyArn] : []);
  const { clusterId } = await proxy.catalog.readRecords();
  const opened = await env.cluster.tableKeys.open(entry, clusterId);
  for (const dek of keys.deks) {
    if (dek.structure === 'cell') expect(opened.cellDekByEpoch(dek.epoch)).toBeDefined();
  }
  opened.dispose();
}

describe('a change of key', () => {
  it('leaves no wrap of the old key, begins a cell DEK and rewrites no other, in every direction', async () => {
    const env = await environment();
    const { proxy, a, b } = env;
    await proxy.create('t');
    const first = keysOf(proxy);
    await expectSettled(env, proxy);
    await proxy.changes.changeTableKey(table(proxy), { identifier: a });
    expect(shape(proxy)).toEqual({
      cells: ['1 decrypt_only', '2 active'],
      wrappedUnder: [2],
      tableKeys: [`2 ${a}`],
    });
    await expectSettled(env, proxy);
    await proxy.changes.changeTableKey(table(proxy), { identifier: b });
    expect(shape(proxy).tableKeys).toEqual([`3 ${b}`]);
    await expectSettled(env, proxy);
    await proxy.changes.changeTableKey(table(proxy), 'service-owned');
    expect(keysOf(proxy).serviceOwned).toBe(true);
    expect(keysOf(proxy).keyArn).not.toBe(first.keyArn);
    expect(shape(proxy).cells).toEqual([
      '1 decrypt_only',
      '2 decrypt_only',
      '3 decrypt_only',
      '4 active',
    ]);
    await expectSettled(env, proxy);
    const ids = (keys: typeof first) => keys.deks.map((d) => d.dekId);
    expect(ids(keysOf(proxy)).slice(0, 2)).toEqual(ids(first));
    expect(keysOf(proxy).deks[0]?.wrapped).not.toBe(first.deks[0]?.wrapped);
  });

  it('to the key it has changes nothing', async () => {
    const env = await environment();
    await env.proxy.create('t', undefined, { identifier: env.a });
    const { recordVersion } = table(env.proxy);
    await env.proxy.changes.changeTableKey(table(env.proxy), { identifier: env.a });
    await env.proxy.catalog.refresh();
    expect(table(env.proxy).recordVersion).toBe(recordVersion);
  });

  it('resolves an alias once: what it stands for later changes nothing', async () => {
    const env = await environment();
    const { proxy, kms, a, b } = env;
    kms.aliases.set('fake:alias/mine', a);
    await proxy.create('t', undefined, { identifier: 'fake:alias/mine' });
    kms.aliases.set('fake:alias/mine', b);
    expect(keysOf(proxy).keyArn).toBe(a);
    await expectSettled(env, proxy);
  });
});

const STEPS = [
  ['key_change.claim', false],
  ['key_change.keys', false],
  ['key_change.switch', false],
  ['key_change.refresh', true],
  ['release.claim', true],
  ['release.keys', true],
  ['release.done', true],
] as const;

describe('a proxy that dies in a change of key', () => {
  const directions = (env: Environment): Record<string, [EncryptionChoice, EncryptionChoice]> => ({
    'service-owned to customer': ['service-owned', { identifier: env.a }],
    'customer to service-owned': [{ identifier: env.a }, 'service-owned'],
    'customer to customer': [{ identifier: env.a }, { identifier: env.b }],
  });

  it.each(
    ['service-owned to customer', 'customer to service-owned', 'customer to customer'].flatMap(
      (direction) => STEPS.map(([at, isDone]) => [direction, at, isDone] as const),
    ),
  )('%s, at %s', async (direction, at, isDone) => {
    const env = await environment();
    const [from, to] = directions(env)[direction] ?? [];
    if (from === undefined || to === undefined) throw new TypeError('no direction');
    await env.proxy.create('t', undefined, from);
    const before = keysOf(env.proxy);
    const stop = stopAt(at);
    const dead = await env.cluster.proxy({ step: stop.step });
    void dead.changes.changeTableKey(table(dead), to);
    await stop.isThere;
    // Another proxy serves the table all the time.
    await env.proxy.catalog.refresh();
    expect(table(env.proxy)).toMatchObject({ kind: 'encrypted', error: undefined });
    env.clock.passMs(60_001);
    const next = await env.cluster.proxy();
    await next.changes.recover();
    await expectSettled(env, next);
    expect(keysOf(next).keyArn === before.keyArn).toBe(!isDone);
    // And it can be done again.
    await next.changes.changeTableKey(table(next), to);
    await expectSettled(env, next);
    expect(keysOf(next).serviceOwned).toBe(to === 'service-owned');
  });

  it.each(['encrypt', 'granted'])('inside the KMS, after %s', async (operation) => {
    const env = await environment();
    await env.proxy.create('t');
    const dead = await env.cluster.proxy();
    let arrived: () => void = () => undefined;
    const isThere = new Promise<void>((resolve) => (arrived = resolve));
    env.kms.onCall = (called) => {
      if (called !== operation) return undefined;
      arrived();
      return new Promise(() => undefined);
    };
    void dead.changes.changeTableKey(table(dead), { identifier: env.a });
    await isThere;
    env.kms.onCall = () => undefined;
    env.clock.passMs(60_001);
    const next = await env.cluster.proxy();
    await next.changes.recover();
    await expectSettled(env, next);
    expect(keysOf(next).serviceOwned).toBe(true);
  });
});

describe('two proxies', () => {
  it('that change the key at once take turns, and the last one holds', async () => {
    const env = await environment();
    await env.proxy.create('t');
    const proxies = [await env.cluster.proxy(), await env.cluster.proxy()];
    const targets = [env.a, env.b];
    await Promise.all(
      proxies.map((proxy, i) =>
        proxy.changes.changeTableKey(table(proxy), { identifier: targets[i] ?? '' }),
      ),
    );
    await expectSettled(env, env.proxy);
    expect(targets).toContain(keysOf(env.proxy).keyArn);
    expect(shape(env.proxy).cells).toEqual(['1 decrypt_only', '2 decrypt_only', '3 active']);
  });

  it.each(STEPS)(
    'one slow at %s, the other takes over its claim: one of both holds',
    async (at) => {
      const env = await environment();
      await env.proxy.create('t');
      const stop = stopAt(at);
      const slow = await env.cluster.proxy({ step: stop.step });
      const late = slow.changes.changeTableKey(table(slow), { identifier: env.a });
      late.catch(() => undefined);
      await stop.isThere;
      env.clock.passMs(60_001);
      const fast = await env.cluster.proxy();
      await fast.changes.changeTableKey(table(fast), { identifier: env.b });
      stop.go();
      await late.catch(() => undefined);
      await fast.changes.recover();
      await fast.catalog.refresh();
      env.clock.passMs(700_000);
      await fast.changes.recover();
      await expectSettled(env, fast);
    },
  );
});

describe('a key that cannot be used', () => {
  const setState = (env: Environment, state: 'disabled' | 'pending_deletion'): undefined => {
    env.kms.states.set(env.b, state);
  };
  const denyGrants = (env: Environment): undefined => {
    env.kms.mayGrant = false;
  };
  const reasons: [string, (env: Environment) => string | undefined, string][] = [
    ['unknown', () => 'fake:none', 'KEY_NOT_FOUND'],
    ['of no provider', () => 'arn:aws:kms:eu-west-1:1:key/x', 'KEY_NOT_FOUND'],
    ['disabled', (env) => setState(env, 'disabled'), 'KEY_DISABLED'],
    ['pending deletion', (env) => setState(env, 'pending_deletion'), 'KEY_PENDING_DELETION'],
    ['denied', (env) => denyGrants(env), 'KEY_ACCESS_DENIED'],
  ];

  it.each(reasons)(
    '%s: ALTER and CREATE are refused, and nothing is left',
    async (_, set, code) => {
      const env = await environment();
      const told: KeyRefusal[] = [];
      const proxy = await env.cluster.proxy({ notices: { keyRefused: (r) => told.push(r) } });
      await proxy.create('t');
      const before = keysOf(proxy);
      const identifier = set(env) ?? env.b;
      const refused = { code: 'SCHEMA_KEY_REFUSED', cqlCode: 0x2200 };
      const alter = proxy.changes.changeTableKey(table(proxy), { identifier });
      await expect(alter).rejects.toMatchObject(refused);
      await expect(alter).rejects.toThrow(identifier);
      await expect(alter).rejects.toThrow(code);
      await expect(proxy.create('u', undefined, { identifier })).rejects.toMatchObject(refused);
      expect(told).toMatchObject([
        { keyspace: 'ks', table: 't', keyArn: identifier, error: { code } },
        { keyspace: 'ks', table: 'u', keyArn: identifier, error: { code } },
      ]);
      expect(keysOf(proxy)).toEqual(before);
      await expectSettled(env, proxy);
      const { records } = await proxy.catalog.readRecords();
      expect(records.size).toBe(1);
      expect(env.cluster.tables.map((one) => one.name)).toEqual(['t']);
      expect(await proxy.create('u')).toBe('created');
    },
  );

  it('not reachable: refused, and what may be left is given back when it answers again', async () => {
    const env = await environment();
    const { proxy, kms, b } = env;
    await proxy.create('t');
    kms.onCall = (operation) => {
      if (operation === 'createGrant') kms.isReachable = false;
    };
    const refused = { code: 'SCHEMA_KEY_REFUSED' };
    const alter = proxy.changes.changeTableKey(table(proxy), { identifier: b });
    await expect(alter).rejects.toMatchObject(refused);
    kms.isReachable = true;
    await expect(proxy.create('u', undefined, { identifier: b })).rejects.toMatchObject(refused);
    kms.isReachable = true;
    kms.onCall = () => undefined;
    expect(table(proxy)).toMatchObject({ record: { state: 'ACTIVE', claim: null } });
    // The name is free again at once.
    expect(await proxy.create('u')).toBe('created');
    await proxy.changes.dropTable(table(proxy, 'u'), () => {
      env.cluster.dropTable('u');
      return Promise.resolve('created');
    });
    env.clock.passMs(43 * DAY_MS);
    await proxy.changes.recover();
    await expectSettled(env, proxy);
    expect((await proxy.catalog.readRecords()).records.size).toBe(1);
  });

  it('the old one: the change is refused, the message names the old one', async () => {
    const env = await environment();
    const { proxy, kms, a, b } = env;
    await proxy.create('t', undefined, { identifier: a });
    kms.states.set(a, 'disabled');
    const alter = proxy.changes.changeTableKey(table(proxy), { identifier: b });
    await expect(alter).rejects.toThrow(new RegExp(`key ${a} cannot be used`));
    kms.states.set(a, 'enabled');
    await expectSettled(env, proxy);
  });

  it('a service-owned key named by a user does not exist', async () => {
    const env = await environment();
    await env.proxy.create('t');
    const { keyArn } = keysOf(env.proxy);
    await expect(env.proxy.create('u', undefined, { identifier: keyArn })).rejects.toThrow(
      'KEY_NOT_FOUND',
    );
  });
});

describe('an old key', () => {
  it('stays while a backup needs it, and goes afterwards', async () => {
    const env = await environment();
    let isNeeded = true;
    const asked: string[] = [];
    const proxy = await env.cluster.proxy({
      backups: {
        stillNeed: (_, left, present) => {
          asked.push(`${left.keyArn} ${present?.keyArn ?? ''}`);
          return Promise.resolve(isNeeded);
        },
      },
    });
    await proxy.create('t');
    const { keyArn } = keysOf(proxy);
    await proxy.changes.changeTableKey(table(proxy), { identifier: env.a });
    expect(asked).toEqual([`${keyArn} ${env.a}`]);
    expect(serviceKeys(env)).toEqual([keyArn]);
    expect(table(proxy).record).toMatchObject({ state: 'ACTIVE', claim: null });
    isNeeded = false;
    await proxy.changes.recover();
    expect(serviceKeys(env)).toEqual([keyArn]);
    env.clock.passMs(600_001);
    await proxy.changes.recover();
    await expectSettled(env, proxy);
  });

  it('that backups need is not taken for one left by a change back', async () => {
    const env = await environment();
    const proxy = await env.cluster.proxy({
      backups: { stillNeed: (_, left) => Promise.resolve(left.keyArn === first) },
    });
    await proxy.create('t');
    const first = keysOf(proxy).keyArn;
    await proxy.changes.changeTableKey(table(proxy), { identifier: env.a });
    const stop = stopAt('key_change.switch');
    const dead = await env.cluster.proxy({ step: stop.step });
    void dead.changes.changeTableKey(table(dead), 'service-owned');
    await stop.isThere;
    expect(serviceKeys(env)).toHaveLength(2);
    env.clock.passMs(60_001);
    await proxy.changes.recover();
    env.clock.passMs(600_001);
    await proxy.changes.recover();
    expect(serviceKeys(env)).toEqual([first]);
  });
});

describe('grants of a dropped table', () => {
  it('go one at once and one after 42 days', async () => {
    const env = await environment();
    const { proxy, a } = env;
    await proxy.create('t', undefined, { identifier: a });
    await proxy.changes.dropTable(table(proxy), () => {
      env.cluster.dropTable('t');
      return Promise.resolve('created');
    });
    await proxy.changes.recover();
    expect(env.kms.granted()).toEqual([`${a} backup`]);
    env.clock.passMs(41 * DAY_MS);
    await proxy.changes.recover();
    expect(env.kms.granted()).toEqual([`${a} backup`]);
    env.clock.passMs(2 * DAY_MS);
    await proxy.changes.recover();
    expect(env.kms.granted()).toEqual([]);
    expect((await proxy.catalog.readRecords()).records.size).toBe(0);
  });
});

describe('CREATE TABLE under a customer managed key', () => {
  it.each(['create.claim', 'create.keys', 'create.keys_durable', 'create.stored'])(
    'of a proxy that dies at %s leaves no grant',
    async (at) => {
      const env = await environment();
      const stop = stopAt(at);
      const dead = await env.cluster.proxy({ step: stop.step });
      void dead.create('t', undefined, { identifier: env.a });
      await stop.isThere;
      env.clock.passMs(60_001);
      await env.proxy.changes.recover();
      expect(env.kms.granted()).toEqual([]);
      expect((await env.proxy.catalog.readRecords()).records.size).toBe(0);
      expect(await env.proxy.create('t', undefined, { identifier: env.b })).toBe('created');
      await expectSettled(env, env.proxy);
    },
  );
});

describe('the default key of a keyspace', () => {
  const allowed = (): Promise<void> => Promise.resolve();

  async function createKeyspace(env: Environment, proxy: MemoryProxy): Promise<void> {
    await proxy.changes.createKeyspace(
      'other',
      { identifier: env.a },
      () => {
        if (env.cluster.keyspaces.includes('other')) return Promise.resolve('exists');
        env.cluster.keyspaces = [...env.cluster.keyspaces, 'other'];
        return Promise.resolve('created');
      },
      allowed,
    );
  }

  it('holds for new tables that name none, until it is changed back', async () => {
    const env = await environment();
    const { proxy, a, b } = env;
    await proxy.create('before');
    await proxy.changes.alterKeyspaceKey('ks', { identifier: a }, allowed);
    expect(proxy.catalog.snapshot().keyspace('ks')?.defaultKeyArn).toBe(a);
    await proxy.create('t');
    expect(keysOf(proxy).keyArn).toBe(a);
    await proxy.create('named', undefined, { identifier: b });
    await proxy.create('owned', undefined, 'service-owned');
    expect(keysOf(proxy, 'named').keyArn).toBe(b);
    expect(keysOf(proxy, 'owned').serviceOwned).toBe(true);
    expect(keysOf(proxy, 'before').serviceOwned).toBe(true);
    await proxy.changes.alterKeyspaceKey('ks', 'service-owned', allowed);
    expect(proxy.catalog.snapshot().keyspace('ks')?.defaultKeyArn).toBeUndefined();
    await proxy.create('after');
    expect(keysOf(proxy, 'after').serviceOwned).toBe(true);
  });

  it('is set only if its key can be used and the client may', async () => {
    const env = await environment();
    const { proxy, kms, a } = env;
    const calls: string[] = [];
    kms.onCall = (operation) => void calls.push(operation);
    const denied = () => Promise.reject(new TypeError('denied'));
    const alter = proxy.changes.alterKeyspaceKey('ks', { identifier: a }, denied);
    await expect(alter).rejects.toThrow('denied');
    expect(calls).toEqual([]);
    kms.states.set(a, 'disabled');
    const again = proxy.changes.alterKeyspaceKey('ks', { identifier: a }, allowed);
    await expect(again).rejects.toThrow(/key fake:a cannot be used for keyspace ks/);
    expect(proxy.catalog.snapshot().keyspace('ks')?.defaultKeyArn).toBeUndefined();
  });

  it.each([
    ['create_keyspace.claim', false],
    ['create_keyspace.stored', false],
    ['create_keyspace.agreement', true],
    ['create_keyspace.record', true],
  ])('of a proxy that dies at %s is there with its keyspace or not at all', async (at, isDone) => {
    const env = await environment();
    const stop = stopAt(at);
    const dead = await env.cluster.proxy({ step: stop.step });
    void createKeyspace(env, dead);
    await stop.isThere;
    env.clock.passMs(60_001);
    await env.proxy.changes.recover();
    await env.proxy.catalog.refresh();
    expect((await env.proxy.catalog.readRecords()).records.size).toBe(isDone ? 1 : 0);
    const { defaultKeyArn } = env.proxy.catalog.snapshot().keyspace('other') ?? {};
    expect(defaultKeyArn).toBe(isDone ? env.a : undefined);
  });

  it('of a keyspace that two proxies make at once is that of one of them', async () => {
    const env = await environment();
    const proxies = [await env.cluster.proxy(), await env.cluster.proxy()];
    await Promise.all(proxies.map((proxy) => createKeyspace(env, proxy)));
    await env.proxy.catalog.refresh();
    expect((await env.proxy.catalog.readRecords()).records.size).toBe(1);
    expect(env.proxy.catalog.snapshot().keyspace('other')?.defaultKeyArn).toBe(env.a);
  });

  it('goes with the keyspace', async () => {
    const env = await environment();
    await createKeyspace(env, env.proxy);
    await env.proxy.changes.dropKeyspace('other', () => {
      env.cluster.keyspaces = ['ks'];
      return Promise.resolve('created');
    });
    expect((await env.proxy.catalog.readRecords()).records.size).toBe(0);
  });
});
