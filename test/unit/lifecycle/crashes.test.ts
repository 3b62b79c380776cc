/**
 * The whole story of a lost table, with the process killed at each of its steps, and with two monitors at once: it ends the
 * same, nothing is dropped without a backup, nothing is told falsely.
 */
import { describe, expect, it } from 'vitest';
import { DAY, events, HOUR, lossEnvironment } from './support.ts';
import type { LossEnvironment, Watcher } from './support.ts';

const WHOLE_STORY = [
  'key_inaccessible',
  'days_left',
  'days_left',
  'days_left',
  'days_left',
  'days_left',
  'days_left',
  'backup_done',
  'table_dropped',
  'backup_expiring',
  'backup_expiring',
  'backup_expired',
];

class Killed extends TypeError {}

/** A step function that ends everything of its process at a step. */
function killer(at: string | undefined, seen: Set<string>) {
  let isDead = false;
  return {
    isDead: () => isDead,
    step: (name: string): void => {
      seen.add(name);
      if (name === at) isDead = true;
      if (isDead) throw new Killed(name);
    },
  };
}

/** Lets 58 days pass; a process that is killed is followed by another one, which is not. */
async function live(env: LossEnvironment, killAt: string | undefined): Promise<Set<string>> {
  const seen = new Set<string>();
  let kill = killer(killAt, seen);
  let watcher = await env.watcher(kill);
  await env.disable();
  for (let hours = 0; hours < 58 * 24; hours += 24) {
    try {
      await watcher.round();
      if (!kill.isDead()) await watcher.proxy.changes.recover();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    if (kill.isDead()) {
      kill = killer(undefined, seen);
      watcher = await env.watcher(kill);
    }
    env.clock.advance(DAY);
  }
  return seen;
}

async function expectTheEnd(env: LossEnvironment): Promise<void> {
  expect(env.cluster.tables).toEqual([]);
  expect(env.drops).toEqual(['t']);
  expect(env.backups.length).toBeGreaterThanOrEqual(1);
  expect(events(env)).toEqual(WHOLE_STORY);
  expect(await env.record()).toBe(undefined);
}

const STEPS = [
  'loss.probe',
  'loss.states',
  'loss.refresh',
  'loss.gone',
  'loss.notices',
  'loss.backup',
  'backup.port',
  'loss.backup_verified',
  'loss.drop_probe',
  'loss.drop',
  'drop.claim',
  'drop.stored',
  'drop.agreement',
  'drop.records',
  'drop.refresh',
  'loss.dropped',
  'loss.backup_expired',
  'loss.backup_deleted',
  'recover.destroy_keys',
  'recover.remove_records',
];

describe('the end of a table whose key is lost', () => {
  it('goes through the steps that are tested here', async () => {
    const env = await lossEnvironment();
    const seen = await live(env, undefined);
    await expectTheEnd(env);
    expect([...seen].filter((name) => name !== 'recover.records').sort()).toEqual(
      [...STEPS].sort(),
    );
  });

  it.each(STEPS)('is the same when the process is killed at %s', async (step) => {
    const env = await lossEnvironment();
    await live(env, step);
    await expectTheEnd(env);
  });

  it('is the same with two monitors that both think they lead', async () => {
    const env = await lossEnvironment(['t']);
    const watchers: Watcher[] = [
      await env.watcher({ isLeaderAnyway: true }),
      await env.watcher({ isLeaderAnyway: true }),
    ];
    await env.disable();
    for (let hours = 0; hours < 58 * 24; hours += 24) {
      await Promise.all(watchers.map((watcher) => watcher.round()));
      for (const { proxy } of watchers) {
        await proxy.changes.recover();
        await proxy.catalog.refresh();
      }
      env.clock.advance(DAY);
    }
    expect(env.cluster.tables).toEqual([]);
    expect(env.drops).toEqual(['t']);
    // Each event once, whoever told it; both may deliver it.
    expect(events(env).sort()).toEqual([...WHOLE_STORY].sort());
    expect(await env.record()).toBe(undefined);
  });

  it('of a dozen tables under lost keys is brought about in a few rounds', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `t${String(index)}`);
    const env = await lossEnvironment(names);
    const watcher = await env.watcher();
    for (const name of names) await env.disable(name);
    await watcher.round();
    expect(events(env)).toEqual(names.map(() => 'key_inaccessible'));
    env.clock.advance(7 * DAY);
    await watcher.round();
    env.clock.advance(HOUR);
    await watcher.round();
    await watcher.round();
    expect([...env.drops].sort()).toEqual([...names].sort());
  });
});
