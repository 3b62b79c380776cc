import { describe, expect, it } from 'vitest';
import { parseStatement } from '../../../src/cql/index.ts';
import { planAlterType } from '../../../src/encryption/index.ts';
import type { NewColumn, TableEntry } from '../../../src/schema/index.ts';
import { systemClock } from '../../../src/util/index.ts';
import type { Clock } from '../../../src/util/index.ts';
import { MemoryCluster, Refusal, TWO_COLUMNS } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { quickClock, stopAt } from '../../support/steps.ts';

const MORE: NewColumn = { name: 'w', type: 'int', kind: 'regular', position: 0 };

function table(proxy: MemoryProxy, name = 't'): TableEntry {
  const entry = proxy.catalog.snapshot().table('ks', name);
  if (entry === undefined) throw new TypeError('no table');
  return entry;
}

async function liveRecords(proxy: MemoryProxy): Promise<string[]> {
  const { records } = await proxy.catalog.readRecords();
  return [...records.values()]
    .map(
      ({ record }) =>
        `${record.kind === 'keyspace' ? record.keyspace : record.name} ${record.state}`,
    )
    .sort();
}

function keyCount(cluster: MemoryCluster): number {
  return Object.values(cluster.keyStore.read().keys).filter((key) => key.purpose === 'table')
    .length;
}

describe('CREATE TABLE of two proxies', () => {
  it.each(['create.claim', 'create.keys', 'create.stored'])(
    'where one waits at %s: the table of the winner stays what it is',
    async (at) => {
      const cluster = await MemoryCluster.start(systemClock);
      const stop = stopAt(at);
      const slow = await cluster.proxy({ step: stop.step });
      const fast = await cluster.proxy();
      const late = slow.create('t');
      await stop.isThere;
      const first = at === 'create.claim' ? await fast.create('t') : undefined;
      const winner = first === undefined ? undefined : table(fast);
      stop.go();
      const outcome = await late;
      if (winner !== undefined) {
        expect(outcome).toBe('exists');
        await fast.catalog.refresh();
        expect(table(fast)).toMatchObject({ kind: 'encrypted', tableId: winner.tableId });
      } else {
        expect(outcome).toBe('created');
        expect(await fast.create('t')).toBe('exists');
      }
      expect(await liveRecords(fast)).toEqual(['t ACTIVE']);
      expect(keyCount(cluster)).toBe(1);
    },
  );

  it('and of twenty clients each: one makes it, the others find it', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const proxies = [await cluster.proxy(), await cluster.proxy()];
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => proxies.map((proxy) => proxy.create('t'))).flat(),
    );
    expect(outcomes.filter((outcome) => outcome === 'created').length).toBe(1);
    expect(outcomes.filter((outcome) => outcome === 'exists').length).toBe(39);
    expect(keyCount(cluster)).toBe(1);
    for (const proxy of proxies) {
      await proxy.catalog.refresh();
      expect(table(proxy)).toMatchObject({ kind: 'encrypted' });
    }
  });

  it('over a table that was dropped around the proxy: the old record gives way', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const proxy = await cluster.proxy();
    await proxy.create('t');
    const before = table(proxy).tableId;
    cluster.dropTable('t');
    expect(await proxy.create('t')).toBe('created');
    expect(table(proxy).tableId).not.toEqual(before);
    expect(await liveRecords(proxy)).toEqual(['t ACTIVE', 't DROPPED']);
  });
});

describe('CREATE TYPE of two proxies', () => {
  it('with other fields: the loser changes nothing of the type', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const stop = stopAt('create_type.claim');
    const slow = await cluster.proxy({ step: stop.step });
    const fast = await cluster.proxy();
    const create = async (proxy: MemoryProxy, type: string): Promise<'created' | 'exists'> =>
      await proxy.changes.createType(
        { keyspace: 'ks', name: 'ty', fields: [{ name: 'f', type }] },
        () => {
          cluster.createType('ty', ['f']);
          return Promise.resolve('created');
        },
      );
    const late = create(slow, 'text');
    await stop.isThere;
    expect(await create(fast, 'int')).toBe('created');
    stop.go();
    expect(await late).toBe('exists');
    for (const proxy of [slow, fast]) {
      const { fields } = (await proxy.catalog.refresh()).udt('ks', 'ty') ?? { fields: [] };
      expect(fields).toMatchObject([{ name: 'f', type: { name: 'int' } }]);
    }
  });

  it('leaves no record when Cassandra refuses it', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const proxy = await cluster.proxy();
    // Made by somebody after the proxy looked.
    const create = proxy.changes.createType(
      { keyspace: 'ks', name: 'ty', fields: [{ name: 'f', type: 'text' }] },
      () => {
        cluster.createType('ty', ['f']);
        throw new Refusal('already exists');
      },
    );
    await expect(create).rejects.toThrow('already exists');
    expect(await liveRecords(proxy)).toEqual([]);
  });
});

describe('ALTER TYPE of two clients at once', () => {
  it.each(['one proxy', 'two proxies'])('of %s adds both fields', async (where) => {
    const cluster = await MemoryCluster.start(systemClock);
    const first = await cluster.proxy();
    const fields = [{ name: 'f', type: 'int' }];
    await first.changes.createType({ keyspace: 'ks', name: 'ty', fields }, () => {
      cluster.createType('ty', ['f']);
      return Promise.resolve('created');
    });
    const second = where === 'one proxy' ? first : await cluster.proxy();
    const add = async (proxy: MemoryProxy, field: string): Promise<void> => {
      const text = `ALTER TYPE ks.ty ADD ${field} text`;
      const { statement } = parseStatement(text);
      if (statement.kind !== 'alter_type') throw new TypeError(statement.kind);
      const { edit } = planAlterType(text, statement, 'ks', proxy.catalog.snapshot());
      await proxy.changes.alterType({ keyspace: 'ks', name: 'ty', edit }, () => {
        cluster.addField('ty', field);
        return Promise.resolve('created');
      });
    };
    await Promise.all([add(first, 'g'), add(second, 'h')]);
    for (const proxy of [first, second]) {
      const type = (await proxy.catalog.refresh()).udt('ks', 'ty');
      expect(type?.fields.map(({ name }) => name).sort()).toEqual(['f', 'g', 'h']);
      expect(type?.fields.map((field) => field.type)).toMatchObject([
        { name: 'int' },
        { name: 'text' },
        { name: 'text' },
      ]);
    }
  });
});

describe('a reading of the catalog', () => {
  it('during a change of another proxy never shows the table as altered or unknown', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const other = await cluster.proxy();
    await other.create('t');
    let during: (() => Promise<unknown>) | undefined;
    const reader = await cluster.proxy({
      onReadSchema: async () => {
        const change = during;
        during = undefined;
        await change?.();
        return undefined;
      },
    });
    expect(table(reader).kind).toBe('encrypted');
    during = () =>
      other.changes.alterTable(table(other), { kind: 'add', columns: [MORE] }, () => {
        cluster.addColumn('t', MORE);
        return Promise.resolve('created');
      });
    await reader.catalog.refresh();
    expect(table(reader)).toMatchObject({ kind: 'encrypted', error: undefined });
    expect(table(reader).columns.has('w')).toBe(true);
    during = () => other.create('u');
    await reader.catalog.refresh();
    expect(table(reader, 'u')).toMatchObject({ kind: 'encrypted', error: undefined });
  });

  it('that begins while one runs sees what was there when it was asked for', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const other = await cluster.proxy();
    let release: () => void = () => undefined;
    let gate: Promise<void> | undefined;
    const reader = await cluster.proxy({
      onReadSchema: async () => {
        const before = cluster.schema();
        if (gate === undefined) return undefined;
        await gate;
        return before;
      },
    });
    gate = new Promise<void>((resolve) => (release = resolve));
    const running = reader.catalog.refresh();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    await other.create('t');
    const later = [reader.catalog.refresh(), reader.catalog.refresh()];
    gate = undefined;
    release();
    expect((await running).table('ks', 't')).toBeUndefined();
    for (const snapshot of await Promise.all(later)) {
      expect(snapshot.table('ks', 't')?.kind).toBe('encrypted');
    }
  });

  it('keeps the entries of tables that did not change, and replaces those that did', async () => {
    const cluster = await MemoryCluster.start(systemClock);
    const proxy = await cluster.proxy();
    await proxy.create('t');
    await proxy.create('u');
    const [t, u] = [table(proxy, 't'), table(proxy, 'u')];
    await proxy.changes.alterTable(t, { kind: 'add', columns: [MORE] }, () => {
      cluster.addColumn('t', MORE);
      return Promise.resolve('created');
    });
    expect(table(proxy, 'u')).toBe(u);
    expect(table(proxy, 't')).not.toBe(t);
  });
});

describe('a claim', () => {
  async function deadProxy(cluster: MemoryCluster, clock: Clock, name: string): Promise<void> {
    const stop = stopAt('create.stored');
    const dead = await cluster.proxy({ step: stop.step, clock });
    void dead.create(name);
    await stop.isThere;
  }

  it('of a proxy that died is settled by whoever meets it after its deadline', async () => {
    const clock = quickClock();
    const cluster = await MemoryCluster.start(clock);
    await deadProxy(cluster, clock, 't');
    const proxy = await cluster.proxy();
    clock.passMs(60_001);
    expect(await proxy.create('t')).toBe('created');
    expect(await liveRecords(proxy)).toEqual(['t ACTIVE']);
    expect(keyCount(cluster)).toBe(1);
  });

  it('that does not end is waited for, then the change is refused and nothing is done', async () => {
    const clock = quickClock();
    const cluster = await MemoryCluster.start(clock);
    await deadProxy(cluster, clock, 't');
    const proxy = await cluster.proxy();
    const startedMs = clock.nowMs();
    await expect(proxy.create('t')).rejects.toMatchObject({
      code: 'OVERLOAD_SCHEMA_CHANGE',
      cqlCode: 0x1001,
    });
    expect(clock.nowMs() - startedMs).toBeGreaterThan(15_000);
    expect(clock.nowMs() - startedMs).toBeLessThan(20_000);
    expect(await liveRecords(proxy)).toEqual(['t CREATING']);
    expect(cluster.tables).toEqual([]);
  });

  it('that was given up but is finished while the schema is read stays finished', async () => {
    const clock = quickClock();
    const cluster = await MemoryCluster.start(clock);
    const stop = stopAt('create.stored');
    const slow = await cluster.proxy({ step: stop.step, clock });
    const late = slow.create('t');
    await stop.isThere;
    clock.passMs(60_001);
    const stopped = stopAt('recover.records');
    const recovering = await cluster.proxy({ step: stopped.step, clock });
    const recovery = recovering.changes.recover();
    await stopped.isThere;
    stop.go();
    expect(await late).toBe('created');
    stopped.go();
    await recovery;
    expect(await liveRecords(recovering)).toEqual(['t ACTIVE']);
    expect(keyCount(cluster)).toBe(1);
  });

  it('whose time ran out while the schema was read is left for the next recovery', async () => {
    const clock = quickClock();
    const cluster = await MemoryCluster.start(clock);
    await deadProxy(cluster, clock, 'due');
    clock.passMs(60_001);
    const stop = stopAt('create.stored');
    const slow = await cluster.proxy({ step: stop.step, clock });
    const late = slow.create('t');
    await stop.isThere;
    const stopped = stopAt('recover.records');
    const recovering = await cluster.proxy({ step: stopped.step, clock });
    const recovery = recovering.changes.recover();
    // The schema has been read without t; then its claim expires and its table appears.
    await stopped.isThere;
    clock.passMs(60_001);
    stop.go();
    expect(await late).toBe('created');
    stopped.go();
    await recovery;
    expect(table(recovering)).toMatchObject({ kind: 'encrypted', error: undefined });
    expect(await liveRecords(recovering)).toEqual(['t ACTIVE']);
  });
});

describe('a change of a process that stood still', () => {
  /** A proxy that adds a column to `t` and stands still just before it asks Cassandra for that. */
  async function standing(during: (clock: ReturnType<typeof quickClock>) => Promise<void>) {
    const clock = quickClock();
    const cluster = await MemoryCluster.start(clock);
    const stop = stopAt('alter.stored');
    const slow = await cluster.proxy({ step: stop.step, clock });
    await slow.create('t');
    const other = await cluster.proxy({ clock });
    const asked: string[] = [];
    const late = slow.changes.alterTable(
      table(slow),
      { kind: 'add', columns: [MORE] },
      async () => {
        asked.push('ALTER');
        await during(clock);
        await other.changes.recover();
        cluster.addColumn('t', MORE);
        return 'created';
      },
    );
    late.catch(() => undefined);
    await stop.isThere;
    return { clock, slow, other, asked, late, stop };
  }

  it('for longer than its claim is given up before Cassandra is asked: the table would fit no record', async () => {
    const { clock, other, asked, late, stop } = await standing(() => Promise.resolve());
    clock.passMs(60_001);
    await other.changes.recover();
    stop.go();
    await expect(late).rejects.toMatchObject({ code: 'OVERLOAD_SCHEMA_CHANGE' });
    expect(asked).toEqual([]);
    await other.catalog.refresh();
    expect(table(other)).toMatchObject({ kind: 'encrypted', error: undefined });
    expect(table(other).columns.has(MORE.name)).toBe(false);
  });

  it('for a part of it has as much time as any other', async () => {
    const { clock, other, asked, late, stop } = await standing((present) => {
      present.passMs(59_000);
      return Promise.resolve();
    });
    clock.passMs(40_000);
    stop.go();
    await late;
    expect(asked).toEqual(['ALTER']);
    await other.catalog.refresh();
    expect(table(other)).toMatchObject({ kind: 'encrypted', error: undefined });
    expect(table(other).columns.has(MORE.name)).toBe(true);
  });
});

describe('a table that was altered around the proxy in the middle of a change', () => {
  it('is refused, cannot be altered, and can be dropped', async () => {
    const clock = quickClock();
    const cluster = await MemoryCluster.start(clock);
    const proxy = await cluster.proxy();
    await proxy.create('t');
    const alter = proxy.changes.alterTable(table(proxy), { kind: 'add', columns: [MORE] }, () => {
      cluster.addColumn('t', { ...MORE, name: 'sneaky' });
      return Promise.resolve('created');
    });
    await alter;
    expect(table(proxy)).toMatchObject({
      kind: 'broken',
      error: { code: 'METADATA_STORED_SCHEMA' },
    });
    await proxy.changes.dropTable(table(proxy), () => {
      cluster.dropTable('t');
      return Promise.resolve('created');
    });
    expect(await liveRecords(proxy)).toEqual(['t DROPPED']);
    expect(await proxy.create('t', TWO_COLUMNS)).toBe('created');
  });
});
