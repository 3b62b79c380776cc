import { describe, expect, it } from 'vitest';
import { ClusterLease } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { MemoryCluster } from '../../support/memory_cluster.ts';

async function environment() {
  const clock = fakeClock();
  const cluster = await MemoryCluster.start(clock);
  const { catalog } = await cluster.proxy();
  const { clusterId } = await catalog.readRecords();
  const lease = (name = 'work', id = clusterId): ClusterLease =>
    new ClusterLease({
      name,
      store: cluster.leases(),
      catalog,
      clusterId: id,
      clock,
      durationMs: 1000,
    });
  return { clock, cluster, lease };
}

describe('a lease of proxies', () => {
  it('is held by one, renewed by it, and taken by another when it has run out', async () => {
    const { clock, lease } = await environment();
    const [first, second] = [lease(), lease()];
    expect([await first.acquire(), await second.acquire()]).toEqual([true, false]);
    clock.advance(999);
    expect([await second.acquire(), await first.acquire()]).toEqual([false, true]);
    clock.advance(1000);
    expect([await second.acquire(), await first.acquire()]).toEqual([true, false]);
  });

  it('is free at once when it is given back, which only its holder can do', async () => {
    const { lease } = await environment();
    const [first, second] = [lease(), lease()];
    await first.acquire();
    await second.release();
    expect(await second.acquire()).toBe(false);
    await first.release();
    expect(await second.acquire()).toBe(true);
  });

  it('goes to one only when several ask at the same moment', async () => {
    const { lease } = await environment();
    const got = await Promise.all(Array.from({ length: 10 }, () => lease().acquire()));
    expect(got.filter(Boolean)).toHaveLength(1);
  });

  it.each([
    ['of other bytes', (): Buffer => Buffer.from('{"owner":"x","expiresAtMs":9e15}')],
    ['too short', (): Buffer => Buffer.alloc(32)],
    ['empty', (): Buffer => Buffer.alloc(0)],
    [
      'with a later end',
      (row: Uint8Array): Buffer =>
        Buffer.from(
          Buffer.from(row)
            .toString('latin1')
            .replace(/"expiresAtMs":\d/, '"expiresAtMs":9'),
          'latin1',
        ),
    ],
  ])('that was edited by hand keeps nobody out: %s', async (_, edit) => {
    const { cluster, lease } = await environment();
    await lease().acquire();
    cluster.leaseRows.set('work', edit(cluster.leaseRows.get('work') ?? Buffer.alloc(0)));
    expect(await lease().acquire()).toBe(true);
  });

  it('of another work or another cluster counts as free', async () => {
    const { cluster, lease } = await environment();
    await lease('other').acquire();
    cluster.leaseRows.set('work', cluster.leaseRows.get('other') ?? Buffer.alloc(0));
    expect(await lease().acquire()).toBe(true);
    expect(await lease('work', Buffer.alloc(16, 9)).acquire()).toBe(true);
  });
});
