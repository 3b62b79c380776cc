import { describe, expect, it } from 'vitest';
import { accessState } from '../../../src/schema/index.ts';
import { DAY, events, HOUR, lossEnvironment, SETTLE } from './support.ts';
import type { LossEnvironment, Watcher } from './support.ts';

async function stateOf(env: LossEnvironment, name = 't'): Promise<string> {
  const record = await env.record(name);
  return record === undefined ? 'none' : `${record.state} ${accessState(record)}`;
}

/** A table whose time has run out and whose backup is due. */
async function overdue(): Promise<{ env: LossEnvironment; watcher: Watcher }> {
  const env = await lossEnvironment();
  const watcher = await env.watcher();
  await env.disable();
  await watcher.round();
  env.clock.advance(7 * DAY);
  await watcher.round();
  expect(await stateOf(env)).toBe('ACTIVE BACKING_UP');
  env.clock.advance(SETTLE);
  return { env, watcher };
}

describe('a key that is refused', () => {
  it('makes its table inaccessible, says since when, why and until when, and no other table', async () => {
    const env = await lossEnvironment(['t', 'u']);
    const watcher = await env.watcher();
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE ACTIVE');
    await env.disable();
    const sinceMs = env.clock.nowMs();
    await watcher.round();
    expect((await env.record())?.access).toMatchObject({
      state: 'INACCESSIBLE_ENCRYPTION_CREDENTIALS',
      keyArn: env.keyOf(),
      provider: 'embedded',
      reason: 'KEY_DISABLED',
      sinceMs,
      dropAtMs: sinceMs + 7 * DAY,
      backup: null,
      notices: [],
    });
    expect(await stateOf(env, 'u')).toBe('ACTIVE ACTIVE');
    expect(env.notices).toHaveLength(1);
    expect(env.notices[0]).toMatchObject({
      event: 'key_inaccessible',
      keyspace: 'ks',
      table: 't',
      keyArn: env.keyOf(),
      reason: 'KEY_DISABLED',
      dropAtMs: sinceMs + 7 * DAY,
      daysLeft: 7,
    });
  });

  it.each(['KEY_PENDING_DELETION', 'KEY_NOT_FOUND'])(
    'counts as lost when it is %s',
    async (code) => {
      const env = await lossEnvironment();
      const watcher = await env.watcher();
      await env.cluster.embedded.scheduleDeletion(env.keyOf(), 7);
      if (code === 'KEY_NOT_FOUND') {
        await env.cluster.keyStore.update((state) => ({
          ...state,
          keys: without(state.keys, env),
        }));
      }
      await watcher.round();
      expect((await env.record())?.access?.reason).toBe(code);
    },
  );

  it('is back as soon as it is usable: no clock, one notice, nothing left in the record', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    await env.disable();
    await watcher.round();
    env.clock.advance(6 * DAY + 23 * HOUR);
    await env.enable();
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE ACTIVE');
    expect((await env.record())?.access).toBe(null);
    expect(events(env)).toEqual(['key_inaccessible', 'key_back']);
    await env.disable();
    const againMs = env.clock.nowMs();
    await watcher.round();
    expect((await env.record())?.access?.dropAtMs).toBe(againMs + 7 * DAY);
  });

  it('is told of every day, and not twice a day', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    await env.disable();
    for (let hours = 0; hours < 7 * 24; hours += 1) {
      await watcher.round();
      env.clock.advance(HOUR);
    }
    expect(env.notices.map(({ event, daysLeft }) => `${event} ${String(daysLeft)}`)).toEqual([
      'key_inaccessible 7',
      ...[6, 5, 4, 3, 2, 1].map((days) => `days_left ${String(days)}`),
    ]);
  });

  it('is looked at at once when a request met it, by a proxy that does not make the rounds', async () => {
    const env = await lossEnvironment();
    const leader = await env.watcher();
    await leader.round();
    const other = await env.watcher();
    await other.round();
    expect([leader.monitor.isLeader, other.monitor.isLeader]).toEqual([true, false]);
    await env.disable();
    const table = other.proxy.catalog.snapshot().table('ks', 't');
    if (table === undefined) throw new TypeError('no table');
    await other.monitor.look(table);
    expect(await stateOf(env)).toBe('ACTIVE INACCESSIBLE_ENCRYPTION_CREDENTIALS');
    expect(env.notices).toEqual([]);
    await leader.round();
    expect(events(env)).toEqual(['key_inaccessible']);
  });
});

describe('a KMS that does not answer', () => {
  it('never starts the clock', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    env.state.isKmsDown = true;
    for (let days = 0; days < 30; days += 1) {
      await watcher.round();
      env.clock.advance(DAY);
    }
    expect((await env.record())?.access ?? null).toBe(null);
    expect(env.notices).toEqual([]);
  });

  it('stops no clock that runs, and no drop comes before a fresh refusal', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    await env.disable();
    await watcher.round();
    env.state.isKmsDown = true;
    env.clock.advance(8 * DAY);
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE INACCESSIBLE_ENCRYPTION_CREDENTIALS');
    expect(env.backups).toEqual([]);
    env.state.isKmsDown = false;
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE BACKING_UP');
  });

  it('at the moment of the drop keeps the table, however long', async () => {
    const { env, watcher } = await overdue();
    env.state.isKmsDown = true;
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE DROPPING');
    env.clock.advance(10 * DAY);
    await watcher.round();
    expect(env.drops).toEqual([]);
    // The backup has become old meanwhile: much of the time that it is kept would be over.
    expect(await stateOf(env)).toBe('ACTIVE BACKING_UP');
    env.state.isKmsDown = false;
    env.clock.advance(DAY);
    await watcher.round();
    expect(env.backups).toEqual(['t', 't']);
    expect(env.drops).toEqual(['t']);
  });
});

describe('after the time has run out', () => {
  it('the table is closed, backed up, and only then dropped; its backup ends after 35 days', async () => {
    const { env, watcher } = await overdue();
    await watcher.round();
    expect(env.backups).toEqual(['t']);
    expect(env.drops).toEqual(['t']);
    expect(await stateOf(env)).toBe('DROPPED DROPPED');
    const droppedAtMs = (await env.record())?.droppedAtMs ?? 0;
    expect((await env.record())?.access?.backup).toMatchObject({
      id: 'backup-1',
      expiresAtMs: droppedAtMs + 35 * DAY,
    });
    env.clock.advance(28 * DAY);
    await watcher.round();
    env.clock.advance(6 * DAY);
    await watcher.round();
    env.clock.advance(DAY);
    await watcher.round();
    // Backups of tables that are there end too: every round looks.
    expect(env.expiries.slice(-3)).toEqual([28, 34, 35].map((days) => droppedAtMs + days * DAY));
    expect(
      env.notices.slice(-5).map(({ event, daysLeft }) => `${event} ${String(daysLeft)}`),
    ).toEqual([
      'backup_done null',
      'table_dropped null',
      'backup_expiring 7',
      'backup_expiring 1',
      'backup_expired null',
    ]);
    env.clock.advance(7 * DAY + 1);
    await watcher.round();
    await watcher.proxy.changes.recover();
    expect(env.released).toEqual(['t']);
    expect(await stateOf(env)).toBe('none');
  });

  it('a backup that could not be deleted is told to be gone only when it is', async () => {
    const { env, watcher } = await overdue();
    await watcher.round();
    env.state.keptBackups = ['backup-1', 'backup of another table'];
    env.clock.advance(35 * DAY);
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await watcher.round();
      env.clock.advance(HOUR);
    }
    expect(events(env)).not.toContain('backup_expired');
    expect((await env.record())?.access?.backup).toMatchObject({ id: 'backup-1' });
    env.state.keptBackups = ['backup of another table'];
    await watcher.round();
    expect(events(env).at(-1)).toBe('backup_expired');
    expect((await env.record())?.access?.backup).toBeNull();
    await watcher.round();
    expect(env.notices.filter(({ event }) => event === 'backup_expired')).toHaveLength(1);
  });

  it('nothing is dropped without a backup, and a failed one is tried again later', async () => {
    const { env, watcher } = await overdue();
    env.state.backupFails = true;
    for (let days = 0; days < 30; days += 1) {
      await watcher.round();
      env.clock.advance(DAY);
    }
    expect(await stateOf(env)).toBe('ACTIVE BACKING_UP');
    expect(env.drops).toEqual([]);
    env.state.backupFails = false;
    await watcher.round();
    expect(env.drops).toEqual(['t']);
  });

  it('an owner is told of a failed backup, once a day, with the reason', async () => {
    const { env, watcher } = await overdue();
    env.state.backupFails = true;
    for (let hours = 0; hours < 3 * 24; hours += 1) {
      await watcher.round();
      env.clock.advance(HOUR);
    }
    await watcher.round();
    const failed = env.notices.filter(({ event }) => event === 'backup_failed');
    expect(failed.length).toBeGreaterThanOrEqual(3);
    expect(failed.length).toBeLessThanOrEqual(4);
    expect(failed[0]).toMatchObject({ table: 't', keyArn: env.keyOf(), reason: 'INTERNAL' });
    expect(env.drops).toEqual([]);
    env.state.backupFails = false;
    env.clock.advance(HOUR);
    await watcher.round();
    await watcher.round();
    expect(events(env).slice(-2)).toEqual(['backup_done', 'table_dropped']);
    expect((await env.record())?.access?.backupFailedAtMs).toBeUndefined();
  });

  it('one refusal starts no clock: the KMS is asked once more', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    await env.disable();
    let looks = 0;
    env.state.beforeSecondLook = async () => {
      looks += 1;
      await env.enable();
    };
    await watcher.round();
    expect(looks).toBe(1);
    expect((await env.record())?.access ?? null).toBeNull();
    expect(env.notices).toEqual([]);
    // Neither does a refusal that an outage follows.
    await env.disable();
    env.state.beforeSecondLook = () => {
      env.state.isKmsDown = true;
      return Promise.resolve();
    };
    await watcher.round();
    expect((await env.record())?.access ?? null).toBeNull();
    env.state.isKmsDown = false;
    env.state.beforeSecondLook = undefined;
    await watcher.round();
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE INACCESSIBLE_ENCRYPTION_CREDENTIALS');
    expect(events(env)).toEqual(['key_inaccessible']);
  });

  it('a key that comes back saves the table, before the backup and after it', async () => {
    const { env, watcher } = await overdue();
    await env.enable();
    await watcher.round();
    expect(await stateOf(env)).toBe('ACTIVE ACTIVE');
    expect(env.backups).toEqual([]);

    const second = await overdue();
    second.env.state.isKmsDown = true;
    await second.watcher.round();
    second.env.state.isKmsDown = false;
    await second.env.enable();
    second.env.clock.advance(HOUR);
    await second.watcher.round();
    expect(await stateOf(second.env)).toBe('ACTIVE ACTIVE');
    expect(second.env.backups).toEqual(['t']);
    expect(second.env.drops).toEqual([]);
  });

  it('a table that a client drops meanwhile is gone, and nobody is told', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    await env.disable();
    await watcher.round();
    const table = watcher.proxy.catalog.snapshot().table('ks', 't');
    if (table === undefined) throw new TypeError('no table');
    await watcher.proxy.changes.dropTable(table, () => {
      env.cluster.dropTable('t');
      return Promise.resolve('created');
    });
    await watcher.round();
    expect(await stateOf(env)).toBe('DROPPED DROPPED');
    env.clock.advance(43 * DAY);
    await watcher.round();
    expect(events(env)).toEqual(['key_inaccessible']);
    await watcher.proxy.changes.recover();
    expect(await stateOf(env)).toBe('none');
  });

  it('a table of the same name that came in its place is not dropped', async () => {
    const { env } = await overdue();
    let isReplaced = false;
    const watcher = await env.watcher({
      isLeaderAnyway: true,
      step: (name) => {
        if (name !== 'drop.stored' || isReplaced) return;
        isReplaced = true;
        env.cluster.dropTable('t');
        env.cluster.createTable('t');
      },
    });
    await watcher.round();
    expect(isReplaced).toBe(true);
    expect(env.drops).toEqual([]);
    expect(env.cluster.tables.map(({ name }) => name)).toEqual(['t']);
  });
});

describe('a record that was edited by hand', () => {
  it('in its state, its clock or its backup is refused: no drop', async () => {
    const env = await lossEnvironment();
    const watcher = await env.watcher();
    await env.disable();
    await watcher.round();
    const id = (await env.record())?.tableId ?? '';
    env.cluster.editRecord(id, (row) => {
      const body = JSON.parse(Buffer.from(row.body).toString('utf8')) as {
        access: Record<string, unknown>;
      };
      body.access['state'] = 'DROPPING';
      body.access['dropAtMs'] = 0;
      body.access['backup'] = { id: 'none', verifiedAtMs: 0, expiresAtMs: null };
      return { ...row, body: Buffer.from(JSON.stringify(body)) };
    });
    for (let days = 0; days < 30; days += 1) {
      env.clock.advance(DAY);
      await watcher.round();
    }
    expect([env.backups, env.drops]).toEqual([[], []]);
    expect((await watcher.proxy.catalog.readRecords()).damaged).toEqual([id]);
    await watcher.proxy.catalog.refresh();
    expect(watcher.proxy.catalog.snapshot().table('ks', 't')?.error?.code).toBe('METADATA_RECORD');
  });
});

describe('the monitor of a process', () => {
  it('makes rounds by itself until it is stopped, then another one takes over at once', async () => {
    const env = await lossEnvironment();
    const [first, second] = [await env.watcher(), await env.watcher()];
    await env.disable();
    first.monitor.start();
    env.clock.advance(6_000);
    while (events(env).length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(first.monitor.isLeader).toBe(true);
    await second.round();
    expect(second.monitor.isLeader).toBe(false);
    await first.monitor.stop();
    await second.round();
    expect([first.monitor.isLeader, second.monitor.isLeader]).toEqual([false, true]);
    await env.enable();
    env.clock.advance(DAY);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await stateOf(env)).toBe('ACTIVE INACCESSIBLE_ENCRYPTION_CREDENTIALS');
    await second.round();
    expect(await stateOf(env)).toBe('ACTIVE ACTIVE');
  });

  it('takes over from one that died when its lease has run out', async () => {
    const env = await lossEnvironment();
    const [dead, next] = [await env.watcher(), await env.watcher()];
    await dead.round();
    env.clock.advance(179_999);
    await next.round();
    expect(next.monitor.isLeader).toBe(false);
    env.clock.advance(1);
    await next.round();
    expect(next.monitor.isLeader).toBe(true);
  });
});

describe('a receiver that is away', () => {
  it('gets what it missed when it is back, also after a restart, each notice once', async () => {
    const env = await lossEnvironment();
    const first = await env.watcher();
    env.state.isReceiverDown = true;
    await env.disable();
    await first.round();
    await first.monitor.stop();
    env.clock.advance(2 * DAY);
    const second = await env.watcher();
    await second.round();
    expect((await env.record())?.access?.notices.map(({ event }) => event)).toEqual([
      'key_inaccessible',
      'days_left',
    ]);
    env.state.isReceiverDown = false;
    await second.round();
    expect(env.notices).toEqual([]);
    env.clock.advance(5_000);
    await second.courier.deliver();
    expect(events(env).sort()).toEqual(['days_left', 'key_inaccessible']);
    await second.round();
    expect(env.notices).toHaveLength(2);
  });
});

function without(
  keys: Readonly<Record<string, unknown>>,
  env: LossEnvironment,
): Record<string, never> {
  return Object.fromEntries(Object.entries(keys).filter(([arn]) => arn !== env.keyOf())) as Record<
    string,
    never
  >;
}
