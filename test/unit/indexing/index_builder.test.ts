import { describe, expect, it } from 'vitest';
import { indexJobs } from '../../../src/app/index_building.ts';
import { SealBatch } from '../../../src/crypto/index.ts';
import {
  blindIndexes,
  blindValue,
  columnContext,
  storedBlind,
} from '../../../src/encryption/index.ts';
import type { BlindIndex } from '../../../src/encryption/index.ts';
import { InvalidRequestError, UpstreamError } from '../../../src/errors/index.ts';
import { missingBlinds, storedTableOf } from '../../../src/indexing/blind_rows.ts';
import { builtColumns } from '../../../src/indexing/built_columns.ts';
import type { BuiltColumn } from '../../../src/indexing/built_columns.ts';
import { IndexBuilder } from '../../../src/indexing/index.ts';
import { JobRegistry } from '../../../src/observability/index.ts';
import { beginTruncation } from '../../../src/rotation/index.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';
import type { MemoryProxy } from '../../support/memory_cluster.ts';
import { MemoryRows } from '../../support/memory_rows.ts';
import { quickClock, stopAt } from '../../support/steps.ts';

/** Places of the cells in the stored table as building reads it. */
const [V, HIDDEN] = [0, 1];

async function world(type: 'blob' | 'ascii' = 'blob') {
  const clock = quickClock();
  const cluster = await MemoryCluster.start(clock);
  const proxy = await cluster.proxy({ clock });
  await proxy.create('t');
  const rows = new MemoryRows(clock);
  const logs: string[] = [];
  const progress: number[] = [];
  /** Whether the index was active when a build was told to be complete. */
  const completed: (boolean | undefined)[] = [];
  const builder = (
    at: MemoryProxy,
    owner: string,
    step?: (name: string) => void | Promise<void>,
    jobs = new JobRegistry(() => clock.nowMs()),
  ): IndexBuilder => {
    const shown = indexJobs(jobs);
    const log = (_fields: unknown, message: string): void => {
      logs.push(message);
    };
    return new IndexBuilder(
      {
        catalog: at.catalog,
        clock,
        rows,
        leases: { acquire: (table) => cluster.open(table), release: () => undefined },
        logger: { info: log, warn: log, error: log },
        owner,
        ...shown,
        onProgress: (told) => {
          shown.onProgress(told);
          if (told.isComplete) completed.push(table(at).indexes[0]?.isActive);
          else progress.push(told.done);
        },
        ...(step === undefined ? {} : { step }),
      },
      { catalogMaxAgeMs: 120_000, rowsPerSecond: 1_000_000, ranges: 4, fetchSize: 3 },
    );
  };
  const create = async (): Promise<void> => {
    const column = table(proxy).columns.get('v');
    if (column === undefined) throw new TypeError('no column');
    const common = { name: 'by_v', target: 'simple', options: {} } as const;
    await proxy.changes.createIndex(
      table(proxy),
      { ...common, column, className: type === 'ascii' ? 'sai' : null, hiddenType: type },
      {
        addColumn: (hidden) => {
          cluster.addHidden('t', hidden);
          return Promise.resolve();
        },
        dropColumns: () => Promise.resolve(),
        create: () => {
          cluster.indexes = [{ table: 't', name: 'by_v' }];
          return Promise.resolve();
        },
      },
    );
  };
  const drop = async (): Promise<void> => {
    await proxy.changes.dropIndex(table(proxy), {
      dropColumns: () => Promise.resolve(),
      drop: () => {
        cluster.indexes = [];
        return Promise.resolve();
      },
    });
  };
  return { clock, cluster, proxy, rows, logs, progress, completed, builder, create, drop };
}

type World = Awaited<ReturnType<typeof world>>;

function table(proxy: MemoryProxy): TableEntry {
  const entry = proxy.catalog.snapshot().table('ks', 't');
  if (entry === undefined) throw new TypeError('no table');
  return entry;
}

function index(proxy: MemoryProxy): BlindIndex {
  const entry = table(proxy);
  const [found] = entry.regulars.flatMap((column) => blindIndexes(entry, column));
  if (found === undefined) throw new TypeError('no index');
  return found;
}

/** Writes `v` of a row as a proxy does that does not know of the index. */
async function write(
  { cluster, proxy, rows }: World,
  pk: number,
  value: string,
  timestamp: bigint,
  ttl = 0,
): Promise<void> {
  const entry = table(proxy);
  const keys = await cluster.open(entry);
  const batch = new SealBatch();
  const [pkColumn] = entry.partitionKey;
  const [v] = entry.regulars;
  if (pkColumn === undefined || v === undefined) throw new TypeError('no columns');
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(pk);
  const partition = batch.partition(keys, [
    { context: columnContext(entry, pkColumn), value: bytes },
  ]);
  const cell = batch.cell(batch.row(partition, []), columnContext(entry, v), Buffer.from(value));
  batch.run();
  const stored = batch.partitionComponents(partition).map((part) => Buffer.from(part));
  rows.put(stored, [], V, { timestamp, ttl, value: Buffer.from(batch.cellBytes(cell)) });
  keys.dispose();
}

async function blindOf({ cluster, proxy }: World, value: string): Promise<string> {
  const keys = await cluster.open(table(proxy));
  const blind = storedBlind(index(proxy), blindValue(index(proxy), Buffer.from(value), keys));
  keys.dispose();
  return Buffer.from(blind).toString('hex');
}

/** Rounds until nothing is left to do; time passes. */
async function settle({ clock, proxy }: World, builder: IndexBuilder, rounds = 4): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await proxy.catalog.refresh();
    builder.round();
    await builder.idle();
    clock.passMs(20_000);
  }
}

function hiddenCells({ rows }: World): { value: string; timestamp: bigint }[] {
  return rows
    .cells()
    .filter((cell) => cell.index === HIDDEN)
    .map(({ cell }) => ({ value: cell.value.toString('hex'), timestamp: cell.timestamp }))
    .sort((a, b) => Number(a.timestamp - b.timestamp));
}

describe('building an index', () => {
  it.each(['blob', 'ascii'] as const)(
    'writes the blind value (%s) of every row with the write time of its cell',
    async (type) => {
      const w = await world(type);
      for (let pk = 0; pk < 20; pk++) await write(w, pk, `v${String(pk % 5)}`, BigInt(100 + pk));
      await w.create();
      await settle(w, w.builder(w.proxy, 'a'));
      expect(table(w.proxy).indexes[0]?.isActive).toBe(true);
      const expected = await Promise.all(
        Array.from({ length: 20 }, async (_, pk) => ({
          value: await blindOf(w, `v${String(pk % 5)}`),
          timestamp: BigInt(100 + pk),
        })),
      );
      expect(hiddenCells(w)).toEqual(expected);
      expect(w.progress.at(-1)).toBe(4);
      expect(w.completed).toEqual([true]);
      const { rotations } = await w.proxy.catalog.readRecords();
      expect([...rotations.values()].flatMap(({ builds }) => builds ?? [])).toEqual([]);
    },
  );

  it('does not begin before statements of before have ended', async () => {
    const w = await world();
    await write(w, 1, 'v', 1n);
    await w.create();
    const builder = w.builder(w.proxy, 'a');
    builder.round();
    w.clock.passMs(14_000);
    builder.round();
    await builder.idle();
    expect(hiddenCells(w)).toEqual([]);
    w.clock.passMs(2_000);
    builder.round();
    await builder.idle();
    expect(hiddenCells(w)).toHaveLength(1);
  });

  it('removes the blind value of a cell that was deleted by a proxy without the index, and corrects an old one', async () => {
    const w = await world();
    await write(w, 1, 'old', 5n);
    await write(w, 2, 'new', 9n);
    await w.create();
    const stale = Buffer.from(await blindOf(w, 'stale'), 'hex');
    const [, second] = w.rows.cells();
    const [first] = w.rows.cells();
    if (first === undefined || second === undefined) throw new TypeError('no rows');
    // Of row 1 the cell is gone, of row 2 another proxy wrote a newer value.
    w.rows.put(first.partition, [], HIDDEN, { value: stale, timestamp: 5n });
    await w.rows.write(
      {
        keyspace: 'ks',
        name: 't',
        partition: ['pk'],
        clustering: [],
        statics: [],
        regulars: ['v'],
      },
      [
        {
          partition: first.partition,
          clustering: null,
          timestamp: 6n,
          ttl: 0,
          cells: [null],
        },
      ],
    );
    w.rows.put(second.partition, [], HIDDEN, { value: stale, timestamp: 7n });
    await settle(w, w.builder(w.proxy, 'a'));
    expect(hiddenCells(w)).toEqual([{ value: await blindOf(w, 'new'), timestamp: 9n }]);
  });

  it('leaves blind values of newer writes alone, and lets others end before their cells', async () => {
    const w = await world();
    await write(w, 1, 'v', 5n, 100);
    await write(w, 2, 'w', 6n, 2);
    await write(w, 3, 'x', 7n);
    await w.create();
    const newer = Buffer.from(await blindOf(w, 'newer'), 'hex');
    const third = w.rows.cells().find(({ cell }) => cell.timestamp === 7n);
    if (third === undefined) throw new TypeError('no row');
    // Between the reading of the page and the writing, a client writes value and blind value.
    w.rows.beforeWrite = async () => {
      w.rows.beforeWrite = () => undefined;
      await write(w, 3, 'newer', 9n);
      w.rows.put(third.partition, [], HIDDEN, { value: newer, timestamp: 9n });
    };
    await settle(w, w.builder(w.proxy, 'a'));
    const found = w.rows.cells().filter(({ index: at }) => at === HIDDEN);
    const of = (timestamp: bigint) => found.find(({ cell }) => cell.timestamp === timestamp)?.cell;
    expect(found).toHaveLength(2);
    expect(of(9n)?.value.equals(newer)).toBe(true);
    expect(of(5n)?.ttl).toBeLessThan(98);
  });

  it.each(['index_build.claim', 'index_build.save', 'index_build.active'])(
    'killed at %s goes on in another process',
    async (at) => {
      const w = await world();
      for (let pk = 0; pk < 12; pk++) await write(w, pk, `v${String(pk)}`, BigInt(pk + 1));
      await w.create();
      const gate = stopAt(at);
      const dying = w.builder(w.proxy, 'dying', gate.step);
      dying.round();
      w.clock.passMs(20_000);
      dying.round();
      await gate.isThere;
      const other = await w.cluster.proxy({ clock: w.clock });
      const builder = w.builder(other, 'b');
      for (let round = 0; round < 8; round++) {
        await other.catalog.refresh();
        builder.round();
        await builder.idle();
        w.clock.passMs(30_000);
      }
      expect(table(other).indexes[0]?.isActive).toBe(true);
      expect(hiddenCells(w)).toHaveLength(12);
    },
  );

  it('two processes build it once after the other', async () => {
    const w = await world();
    for (let pk = 0; pk < 12; pk++) await write(w, pk, `v${String(pk)}`, BigInt(pk + 1));
    await w.create();
    const other = await w.cluster.proxy({ clock: w.clock });
    const builders = [w.builder(w.proxy, 'a'), w.builder(other, 'b')];
    for (let round = 0; round < 6; round++) {
      for (const builder of builders) builder.round();
      await Promise.all(builders.map((builder) => builder.idle()));
      w.clock.passMs(20_000);
      await w.proxy.catalog.refresh();
      await other.catalog.refresh();
    }
    expect(table(other).indexes[0]?.isActive).toBe(true);
    expect(w.rows.writes).toBe(12);
  });

  it.each(['while it is built', 'while the building waits to be tried again'])(
    'leaves no job behind of an index that is dropped %s',
    async (when) => {
      const w = await world();
      for (let pk = 0; pk < 12; pk++) await write(w, pk, `v${String(pk)}`, BigInt(pk + 1));
      await w.create();
      w.rows.beforeWrite = async () => {
        w.rows.beforeWrite = () => undefined;
        if (when !== 'while it is built') throw new UpstreamError('UPSTREAM_CONTROL', 'lost');
        await w.drop();
      };
      const jobs = new JobRegistry(() => w.clock.nowMs());
      const builder = w.builder(w.proxy, 'a', undefined, jobs);
      await settle(w, builder, 2);
      if (when !== 'while it is built') {
        expect(jobs.list()).toMatchObject([{ state: 'running' }]);
        await w.drop();
      }
      await settle(w, builder, 2);
      expect(jobs.list()).toMatchObject([{ state: 'failed', error: 'OVERLOAD_INDEX_BUILD' }]);
      // What was written down of it goes with the next build at the latest.
      const builds = async (): Promise<unknown[]> => {
        const { rotations } = await w.proxy.catalog.readRecords();
        return [...rotations.values()].flatMap((rotation) => rotation.builds ?? []);
      };
      if (when === 'while it is built') expect(await builds()).toEqual([]);
      await w.create();
      await settle(w, builder, 2);
      expect(await builds()).toEqual([]);
    },
  );

  it('shows a build as done that ends while others look', async () => {
    const w = await world();
    await write(w, 1, 'v', 1n);
    await w.create();
    const jobs = new JobRegistry(() => w.clock.nowMs());
    const builder = w.builder(w.proxy, 'a', undefined, jobs);
    // The index is active, and the end of its job is not written down yet.
    w.proxy.catalog.onChange(() => {
      builder.round();
    });
    await settle(w, builder, 2);
    expect(table(w.proxy).indexes[0]?.isActive).toBe(true);
    expect(jobs.list()).toMatchObject([{ state: 'done' }]);
  });

  it('shows the job of a process that another one has overtaken as ended', async () => {
    const w = await world();
    for (let pk = 0; pk < 12; pk++) await write(w, pk, `v${String(pk)}`, BigInt(pk + 1));
    await w.create();
    const jobs = new JobRegistry(() => w.clock.nowMs());
    const slow = w.builder(w.proxy, 'slow', undefined, jobs);
    const other = await w.cluster.proxy({ clock: w.clock });
    const fast = w.builder(other, 'fast');
    w.rows.beforeWrite = async () => {
      w.rows.beforeWrite = () => undefined;
      // It stands still for longer than its claim.
      w.clock.passMs(61_000);
      await settle({ ...w, proxy: other }, fast);
    };
    await settle(w, slow, 2);
    expect(jobs.list()).toMatchObject([{ state: 'failed', error: 'OVERLOAD_INDEX_BUILD' }]);
    expect(table(other).indexes[0]?.isActive).toBe(true);
  });

  it('waits while the table is truncated', async () => {
    const w = await world();
    await write(w, 1, 'v', 1n);
    await w.create();
    const release = await beginTruncation(
      w.proxy.catalog,
      w.clock,
      table(w.proxy).record?.tableId ?? '',
    );
    const builder = w.builder(w.proxy, 'a');
    builder.round();
    w.clock.passMs(16_000);
    builder.round();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(hiddenCells(w)).toEqual([]);
    w.rows.truncate();
    await release();
    await builder.idle();
    await settle(w, builder);
    expect(hiddenCells(w)).toEqual([]);
    expect(table(w.proxy).indexes[0]?.isActive).toBe(true);
  });

  it('stays write-only while a cell fails authentication', async () => {
    const w = await world();
    await write(w, 1, 'good', 1n);
    await write(w, 2, 'bad', 2n);
    const [, second] = w.rows.cells();
    if (second === undefined) throw new TypeError('no row');
    const altered = Buffer.from(second.cell.value);
    altered[20] = (altered[20] ?? 0) ^ 1;
    w.rows.put(second.partition, [], V, { value: altered, timestamp: 3n });
    await w.create();
    const jobs = new JobRegistry(() => w.clock.nowMs());
    await settle(w, w.builder(w.proxy, 'a', undefined, jobs));
    expect(table(w.proxy).indexes[0]?.isActive).toBe(false);
    expect(jobs.list()).toMatchObject([{ state: 'failed', error: 'CIPHERTEXT_TAG' }]);
    expect(w.logs).toContain('cells fail authentication or are too long: the index is not built');
  });

  it('goes on with other rows where a value is too long for what is built', async () => {
    const w = await world();
    for (const pk of [1, 2, 3]) await write(w, pk, `v${String(pk)}`, 1n);
    await w.create();
    const entry = table(w.proxy);
    const [built] = builtColumns(entry, true);
    if (built === undefined) throw new TypeError('nothing to build');
    const strict: BuiltColumn = {
      ...built,
      value: (keys, partition, plain) => {
        if (Buffer.from(plain).equals(Buffer.from('v2'))) throw new InvalidRequestError('too long');
        return built.value(keys, partition, plain);
      },
    };
    const keys = await w.cluster.open(entry);
    const range = { after: -(2n ** 63n), upTo: 2n ** 63n - 1n };
    const { rows } = await w.rows.page(storedTableOf(entry, strict), range, 10, undefined);
    const { writes, damaged } = missingBlinds(entry, strict, keys, rows);
    keys.dispose();
    expect([writes.length, damaged]).toEqual([2, ['STATEMENT_INVALID']]);
  });
});
