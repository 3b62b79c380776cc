import { describe, expect, it } from 'vitest';
import { beginTruncation } from '../../../src/rotation/index.ts';
import {
  CATALOG_MAX_AGE_MS,
  entry,
  epochs,
  IN_FLIGHT_MS,
  MAX_AGE_MS,
  read,
  settle,
  status,
  storedEpochs,
  world,
  write,
} from './support.ts';
import type { Node, World } from './support.ts';

const VALUES = Array.from({ length: 20 }, (_, pk) => `v${String(pk).padStart(2, '0')}`);

async function filled(): Promise<{ at: World; node: Node }> {
  const at = await world();
  const node = await at.node();
  await node.proxy.create('t');
  for (const [pk, value] of VALUES.entries()) {
    await write(at, node, pk, value, { timestamp: BigInt(1000 + pk) });
  }
  return { at, node };
}

describe('epochs', () => {
  it('are pending, then active, and the old one decrypts until it is retired', async () => {
    const { at, node } = await filled();
    expect(await epochs(node)).toEqual(['1 active']);
    expect(await node.rotation.rotate('ks', 't', true)).toEqual({ epoch: 2 });
    expect(await epochs(node)).toEqual(['1 active', '2 pending']);
    await write(at, node, 50, 'while pending', { timestamp: 1n });
    expect(storedEpochs(at)).toEqual([1]);

    at.clock.passMs(CATALOG_MAX_AGE_MS - 1);
    await node.rotation.round();
    expect(await epochs(node)).toEqual(['1 active', '2 pending']);
    at.clock.passMs(1);
    await node.rotation.round();
    expect(await epochs(node)).toEqual(['1 decrypt_only', '2 active']);
    await write(at, node, 51, 'when active', { timestamp: 1n });
    expect(storedEpochs(at)).toEqual([1, 2]);
    const all = [...VALUES, 'when active', 'while pending'].sort();
    expect(await read(at, node)).toEqual(all);

    await settle(at, node);
    expect(await epochs(node)).toEqual(['2 active']);
    expect(await status(node)).toMatchObject({
      minEpoch: 2,
      reencryption: null,
      lastReencryption: { targetEpoch: 2, cells: 21, rows: 22 },
    });
    expect(storedEpochs(at)).toEqual([2]);
    expect(await read(at, node)).toEqual(all);
  });

  it('are not scanned before no proxy can write with the old one', async () => {
    const { at, node } = await filled();
    await node.rotation.rotate('ks', 't', true);
    at.clock.passMs(CATALOG_MAX_AGE_MS);
    await node.rotation.round();
    await node.rotation.round();
    at.clock.passMs(CATALOG_MAX_AGE_MS + IN_FLIGHT_MS - 1);
    await node.rotation.round();
    expect((await status(node)).reencryption?.phase).toBe('waiting');
    expect(at.rows.pages).toBe(0);
    // A proxy that has just started has measured nothing: it waits as well.
    const fresh = await at.node();
    at.clock.passMs(1);
    await fresh.rotation.round();
    expect(at.rows.pages).toBe(0);
    await node.rotation.round();
    await node.rotation.idle();
    expect(await epochs(node)).toEqual(['2 active']);
  });

  it('begin by age and by count, and counts outlive the process', async () => {
    const { at, node } = await filled();
    at.clock.passMs(MAX_AGE_MS - 1);
    await node.rotation.round();
    expect(await epochs(node)).toEqual(['1 active']);
    expect(node.told.ageMs).toBeGreaterThan(MAX_AGE_MS - 1000);
    at.clock.passMs(1);
    await node.rotation.round();
    expect(await epochs(node)).toEqual(['1 active', '2 pending']);
    await settle(at, node);

    node.counter.add(await entry(node), 2 ** 39);
    await node.rotation.stop();
    const next = await at.node();
    next.counter.add(await entry(next), 2 ** 39 - 1);
    await next.rotation.round();
    expect(next.told.cells).toBe(2 ** 40 - 1);
    expect(await epochs(next)).toEqual(['1 decrypt_only', '2 active']);
    next.counter.add(await entry(next), 1);
    await next.rotation.round();
    expect(await epochs(next)).toEqual(['1 decrypt_only', '2 active', '3 pending']);
    await settle(at, next);
    expect(next.told.cells).toBe(0);
  });

  it('count what re-encryption encrypts, too', async () => {
    const { at, node } = await filled();
    await node.rotation.rotate('ks', 't', true);
    await settle(at, node);
    expect(await epochs(node)).toEqual(['2 active']);
    await node.rotation.round();
    expect(node.told.cells).toBeGreaterThanOrEqual(at.rows.cells().length);
    expect(at.rows.cells().length).toBeGreaterThan(0);
  });

  it('are not begun or activated while the table is being changed', async () => {
    const { at, node } = await filled();
    await node.rotation.rotate('ks', 't', false);
    const { tableId } = await entry(node);
    const id = Buffer.from(tableId).toString('hex');
    const claim = { owner: 'another', deadlineMs: at.clock.nowMs() + 10_000_000 };
    await node.proxy.catalog.change((view) => {
      const record = view.records.get(id)?.record;
      return record?.kind === 'table' ? { put: [{ ...record, claim }] } : undefined;
    });
    await expect(node.rotation.rotate('ks', 't', false)).rejects.toMatchObject({
      code: 'OVERLOAD_SCHEMA_CHANGE',
    });
    await settle(at, node);
    expect(await epochs(node)).toEqual(['1 active', '2 pending']);
  });

  it('of an unknown table are refused by name', async () => {
    const { node } = await filled();
    await expect(node.rotation.rotate('ks', 'other', false)).rejects.toThrow(/ks\.other/);
  });

  it('begun by two proxies at once are one', async () => {
    const { at } = await filled();
    let arrived = 0;
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const step = async (name: string): Promise<void> => {
      if (name !== 'rotate.pending') return;
      if (++arrived === 2) go();
      await gate;
    };
    const nodes = [await at.node({ step }), await at.node({ step })];
    const begun = await Promise.all(nodes.map((one) => one.rotation.rotate('ks', 't', true)));
    expect(begun).toEqual([{ epoch: 2 }, { epoch: 2 }]);
    for (let i = 0; i < 12; i++) {
      at.clock.passMs(30_000);
      await Promise.all(nodes.map((one) => one.rotation.round()));
      await Promise.all(nodes.map((one) => one.rotation.idle()));
    }
    for (const one of nodes) {
      expect(await epochs(one)).toEqual(['2 active']);
      expect(await read(at, one)).toEqual(VALUES);
    }
    expect(storedEpochs(at)).toEqual([2]);
  });
});

describe('re-encryption', () => {
  it('loses to newer writes of clients, and keeps write times', async () => {
    const { at, node } = await filled();
    const before = at.rows.cells().map(({ cell }) => cell.timestamp);
    await node.rotation.rotate('ks', 't', true);
    let isFirst = true;
    at.rows.beforeWrite = async () => {
      if (!isFirst) return;
      isFirst = false;
      for (const pk of VALUES.keys()) {
        await write(at, node, pk, `newer ${String(pk)}`, { timestamp: 5000n });
      }
    };
    at.clock.passMs(CATALOG_MAX_AGE_MS);
    await settle(at, node);
    expect(isFirst).toBe(false);
    expect(await read(at, node)).toEqual(VALUES.map((_, pk) => `newer ${String(pk)}`).sort());
    expect(before).toHaveLength(VALUES.length);
    expect(new Set(at.rows.cells().map(({ cell }) => cell.timestamp))).toEqual(new Set([5000n]));
  });

  it('keeps write times and times to live', async () => {
    const at = await world();
    const node = await at.node();
    await node.proxy.create('t');
    const startMs = at.clock.nowMs();
    for (const [pk, value] of VALUES.entries()) {
      await write(at, node, pk, value, { timestamp: BigInt(pk), ttl: 5000 + pk });
    }
    await write(at, node, 60, 'soon gone', { timestamp: 1n, ttl: 100 });
    await node.rotation.rotate('ks', 't', true);
    // Between reading and writing back a second passes: the new cell ends that much later at most, never earlier.
    at.rows.beforeWrite = () => {
      at.clock.passMs(700);
    };
    await settle(at, node);
    expect(storedEpochs(at)).toEqual([2]);
    expect(await read(at, node)).toEqual(VALUES);
    const passed = Math.floor((at.clock.nowMs() - startMs) / 1000);
    for (const { cell } of at.rows.cells()) {
      const off = (cell.ttl ?? 0) + passed - (5000 + Number(cell.timestamp));
      expect(off).toBeGreaterThanOrEqual(0);
      expect(off).toBeLessThanOrEqual(2);
    }
    expect(at.rows.cells()).toHaveLength(VALUES.length);
  });

  it('refuses cells of a retired epoch that are put back', async () => {
    const { at, node } = await filled();
    const [old] = at.rows.cells();
    await node.rotation.rotate('ks', 't', true);
    await settle(at, node);
    if (old === undefined) throw new TypeError('no cell');
    at.rows.put(old.partition, [], 0, { value: old.cell.value, timestamp: 9999n });
    await expect(read(at, node)).rejects.toMatchObject({ code: 'CIPHERTEXT_EPOCH' });
  });

  it('retires nothing while a cell fails authentication, and says where', async () => {
    const { at, node } = await filled();
    const [one, other] = at.rows.cells();
    if (one === undefined || other === undefined) throw new TypeError('no cells');
    at.rows.put(one.partition, [], 0, { value: other.cell.value, timestamp: 7000n });
    await node.rotation.rotate('ks', 't', true);
    await settle(at, node);
    expect(await epochs(node)).toEqual(['1 decrypt_only', '2 active']);
    expect((await status(node)).reencryption).toMatchObject({ phase: 'blocked', damaged: 1 });
    expect(node.logs.join('\n')).toMatch(/fails authentication.*"column":"ks.t.v"/);
    // All others are under the new epoch; mended, and asked for again, it comes to its end.
    expect(at.rows.cells().filter(({ cell }) => cell.value.readUInt16BE(2) === 1)).toHaveLength(1);
    await write(at, node, 0, 'mended', { timestamp: 8000n });
    at.rows.put(one.partition, [], 0, { value: one.cell.value, timestamp: 7001n });
    await node.rotation.rotate('ks', 't', true);
    expect(await epochs(node)).toEqual(['1 decrypt_only', '2 active', '3 pending']);
    await settle(at, node, 20);
    expect(await epochs(node)).toEqual(['3 active']);
  });

  it('writes nothing back over a TRUNCATE', async () => {
    const { at, node } = await filled();
    const other = await at.node();
    const id = Buffer.from((await entry(node)).tableId).toString('hex');
    await node.rotation.rotate('ks', 't', true);
    let truncation: Promise<void> | undefined;
    at.rows.afterPage = async () => {
      if (truncation !== undefined) return;
      truncation = beginTruncation(other.proxy.catalog, at.clock, id).then(async (release) => {
        at.rows.truncate();
        await release();
      });
      // The page is read, and is to be written after the TRUNCATE: the process was suspended meanwhile.
      await truncation;
    };
    await settle(at, node);
    expect(truncation).toBeDefined();
    expect(at.rows.cells()).toEqual([]);
    expect(await epochs(node)).toEqual(['2 active']);
  });

  it('is forgotten with its table', async () => {
    const { at, node } = await filled();
    node.counter.add(await entry(node), 5);
    await node.rotation.saveUsage();
    await node.rotation.round();
    expect((await node.proxy.catalog.readRecords()).rotations.size).toBe(1);
    await node.proxy.changes.dropTable(await entry(node), () => {
      at.cluster.dropTable('t');
      return Promise.resolve('created');
    });
    await node.rotation.round();
    const { rotations, damaged } = await node.proxy.catalog.readRecords();
    expect(rotations.size).toBe(0);
    expect(damaged).toEqual([]);
    expect(node.gone).toEqual(['ks.t']);
  });

  it.each(['was dropped', 'is re-encrypted by another proxy'])(
    'is no running job any more once its table %s',
    async (why) => {
      const { at, node } = await filled();
      await node.rotation.rotate('ks', 't', true);
      let pages = 0;
      at.rows.afterPage = async () => {
        if (++pages !== 5) return;
        if (why === 'was dropped') {
          await node.proxy.changes.dropTable(await entry(node), () => {
            at.cluster.dropTable('t');
            return Promise.resolve('created');
          });
          return;
        }
        // It stands still for longer than its claim.
        at.clock.passMs(61_000);
        await settle(at, await at.node());
      };
      await settle(at, node);
      expect(node.jobs.list()).toMatchObject([{ state: 'failed', error: 'OVERLOAD_REENCRYPTION' }]);
    },
  );
});

class Killed extends Error {}

describe('a process that dies', () => {
  const STEPS = [
    ['rotate.kms', 1],
    ['rotate.pending', 1],
    ['reencrypt.request', 1],
    ['rotate.active', 1],
    ['reencrypt.claim', 1],
    ['reencrypt.save', 1],
    ['reencrypt.save', 2],
    ['rotate.retire', 1],
    ['write', 1],
    ['write', 4],
  ] as const;

  it.each(STEPS)('before %s %i leaves what the next one finishes', async (at, nth) => {
    const { at: here, node } = await filled();
    let left: number = nth;
    let isDead = false;
    const step = (name: string): void => {
      if (isDead) throw new Killed();
      if (name !== at || --left > 0) return;
      isDead = true;
      throw new Killed();
    };
    const dying = await here.node({ step });
    here.rows.beforeWrite = () => {
      step('write');
    };
    await dying.rotation.rotate('ks', 't', true).catch(() => undefined);
    for (let i = 0; i < 12 && !isDead; i++) {
      here.clock.passMs(30_000);
      await dying.rotation.round().catch(() => undefined);
      await dying.rotation.idle();
    }
    expect(isDead).toBe(true);
    here.rows.beforeWrite = () => undefined;
    expect(await read(here, node)).toEqual(VALUES);

    // The next process is asked again, as a person would, and finishes.
    const next = await here.node();
    await next.rotation.rotate('ks', 't', true);
    await settle(here, next, 25);
    expect(await read(here, next)).toEqual(VALUES);
    const { minEpoch, reencryption, epochs: left_ } = await status(next);
    expect(reencryption).toBe(null);
    expect(left_).toHaveLength(1);
    expect(storedEpochs(here)).toEqual([minEpoch]);
    expect(here.rows.cells().map(({ cell }) => cell.timestamp)).toEqual(
      VALUES.map((_, pk) => BigInt(1000 + pk)),
    );
  });
});
