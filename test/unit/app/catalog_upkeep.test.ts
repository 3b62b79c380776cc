import { describe, expect, it } from 'vitest';
import { startCatalogUpkeep } from '../../../src/app/catalog_upkeep.ts';
import type { Snapshot } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function environment(random = 0.5) {
  const clock = fakeClock();
  const did: string[] = [];
  let refresh: () => Promise<void> = () => Promise.resolve();
  const stop = startCatalogUpkeep({
    catalog: {
      refresh: async () => {
        did.push('refresh');
        await refresh();
        return {} as Snapshot;
      },
    },
    changes: {
      recover: () => {
        did.push('recover');
        return Promise.resolve();
      },
    },
    clock,
    periodMs: 30_000,
    random: () => random,
    onFailure: () => did.push('failure'),
  });
  return { clock, did, stop, refreshes: (next: () => Promise<void>) => (refresh = next) };
}

describe('upkeep of the catalog', () => {
  it('reads again and settles what was left, period after period', async () => {
    const { clock, did } = environment();
    clock.advance(29_999);
    await settle();
    expect(did).toEqual([]);
    clock.advance(1);
    await settle();
    expect(did).toEqual(['refresh', 'recover']);
    clock.advance(30_000);
    await settle();
    expect(did).toHaveLength(4);
  });

  it('spreads its rounds by a fifth of the period', async () => {
    const { clock, did } = environment(0);
    clock.advance(24_000);
    await settle();
    expect(did).toEqual(['refresh', 'recover']);
  });

  it('goes on after a round that failed', async () => {
    const { clock, did, refreshes } = environment();
    refreshes(() => Promise.reject(new TypeError('no Cassandra')));
    clock.advance(30_000);
    await settle();
    refreshes(() => Promise.resolve());
    clock.advance(30_000);
    await settle();
    expect(did).toEqual(['refresh', 'failure', 'refresh', 'recover']);
  });

  it('never overlaps, and does nothing more once stopped', async () => {
    const { clock, did, stop, refreshes } = environment();
    let end: () => void = () => undefined;
    refreshes(() => new Promise((resolve) => (end = resolve)));
    clock.advance(30_000);
    clock.advance(300_000);
    await settle();
    expect(did).toEqual(['refresh']);
    stop();
    end();
    await settle();
    clock.advance(300_000);
    await settle();
    expect(did).toEqual(['refresh']);
  });
});
