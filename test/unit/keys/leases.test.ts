import { describe, expect, it } from 'vitest';
import { KeyAccessError, KeyUnavailableError } from '../../../src/errors/index.ts';
import { KeyService } from '../../../src/keys/index.ts';
import type { KeyServicePorts } from '../../../src/keys/index.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';

type OpenedKeys = Awaited<ReturnType<KeyServicePorts['tableKeys']['open']>>;

const MINUTE = 60_000;

function table(name: string, keys = 'wrapped', recordVersion = 1n, keyEpoch = 1): TableEntry {
  return {
    recordVersion,
    keyspace: 'ks',
    name,
    kind: 'encrypted',
    tableId: Buffer.alloc(16, name),
    record: { keys: { keyArn: keys, deks: [{ structure: 'key', epoch: keyEpoch }] } },
  } as unknown as TableEntry;
}

/** A key service whose KMS answers when told to. */
function environment() {
  const clock = fakeClock();
  const disposed: unknown[] = [];
  const results: string[] = [];
  const told: string[] = [];
  let leases = 0;
  let calls = 0;
  const callers: string[] = [];
  let answer: (table: TableEntry) => Promise<void> = () => Promise.resolve();
  let newest: TableEntry | undefined;
  let stored: TableEntry | undefined;
  let refreshes = 0;
  const service = new KeyService({
    tableKeys: {
      open: async (entry, _cluster, caller) => {
        calls += 1;
        callers.push(`${caller.origin} ${caller.principal}`);
        await answer(entry);
        const keys = {
          dispose: () => {
            disposed.push(keys);
          },
        } as unknown as OpenedKeys;
        return keys;
      },
    },
    clusterId: Buffer.alloc(16),
    clock,
    catalog: {
      table: () => newest,
      refresh: () => {
        refreshes += 1;
        newest = stored ?? newest;
        return Promise.resolve();
      },
    },
    onAccess: ({ name }) => told.push(name),
    metrics: {
      kmsCall: (_, result) => results.push(result),
      leases: (count) => (leases = count),
    },
  });
  return {
    clock,
    service,
    disposed,
    results,
    callers,
    calls: () => calls,
    told: () => told,
    leases: () => leases,
    refreshes: () => refreshes,
    /** The catalog shows this entry. */
    shows: (entry: TableEntry) => (newest = entry),
    /** The catalog shows this entry from its next reading on. */
    changes: (entry: TableEntry) => (stored = entry),
    answers: (next: (table: TableEntry) => Promise<void>) => (answer = next),
    refuses: () => (answer = () => Promise.reject(new KeyAccessError('KEY_DISABLED', 'disabled'))),
    isDown: () => (answer = () => Promise.reject(new KeyUnavailableError('KEY_KMS', 'down'))),
    isUp: () => (answer = () => Promise.resolve()),
  };
}

/** Lets everything that is ready run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('who asks the KMS', () => {
  it('is the role of the connection that asked first', async () => {
    const env = environment();
    const [first, second] = [env.service.leases(), env.service.leases()];
    expect(first.principal).toBe('anonymous');
    first.identify('alice');
    second.identify('bob');
    await Promise.all([first.acquire(table('t')), second.acquire(table('t'))]);
    await env.service.leases().acquire(table('u'));
    expect(env.callers).toEqual(['client alice', 'client anonymous']);
  });

  it('of the call in the background is the proxy', async () => {
    const env = environment();
    const connection = env.service.leases();
    connection.identify('alice');
    const t = table('t');
    await connection.acquire(t);
    for (let minute = 0; minute < 6; minute += 1) {
      env.clock.advance(MINUTE);
      void connection.acquire(t);
    }
    await settle();
    expect(env.callers).toEqual(['client alice', 'background cqlock']);
  });
});

describe('a lease', () => {
  it('is had without a promise while it is valid, and ends after exactly 5 idle minutes', async () => {
    const env = environment();
    const connection = env.service.leases();
    const t = table('t');
    const keys = await connection.acquire(t);
    env.clock.advance(5 * MINUTE - 1);
    expect(connection.acquire(t)).toBe(keys);
    expect(env.calls()).toBe(1);
    env.clock.advance(5 * MINUTE);
    expect(connection.acquire(t)).toBeInstanceOf(Promise);
    await settle();
    // One more for the idle lease; the background call at minute 5 would be a third.
    expect(env.calls()).toBe(2);
  });

  it('in use makes one background call in 5 minutes for table and process', async () => {
    const env = environment();
    const t = table('t');
    const connections = [env.service.leases(), env.service.leases(), env.service.leases()];
    for (const connection of connections) await connection.acquire(t);
    expect(env.calls()).toBe(3);
    for (let minute = 0; minute < 30; minute += 1) {
      env.clock.advance(MINUTE);
      for (const connection of connections) {
        expect(connection.acquire(t)).not.toBeInstanceOf(Promise);
      }
      await settle();
    }
    expect(env.calls()).toBe(3 + 30 / 5);
  });

  it('ends for all connections at once when the KMS refuses; the refusal holds 5 seconds', async () => {
    const env = environment();
    const t = table('t');
    const connections = [env.service.leases(), env.service.leases()];
    for (const connection of connections) await connection.acquire(t);
    env.clock.advance(4 * MINUTE);
    for (const connection of connections) void connection.acquire(t);
    env.refuses();
    env.clock.advance(MINUTE);
    void connections[0]?.acquire(t);
    await settle();
    const calls = env.calls();
    for (const connection of connections) {
      await expect(connection.acquire(t)).rejects.toMatchObject({ code: 'KEY_DISABLED' });
    }
    env.isUp();
    env.clock.advance(4999);
    await expect(env.service.leases().acquire(t)).rejects.toMatchObject({ code: 'KEY_DISABLED' });
    expect(env.calls()).toBe(calls);
    env.clock.advance(1);
    await connections[1]?.acquire(t);
    expect(env.calls()).toBe(calls + 1);
    expect(env.disposed).toHaveLength(2);
  });

  it('of older wrapped keys ends too when the KMS refuses', async () => {
    const env = environment();
    const before = env.service.leases();
    const after = env.service.leases();
    const old = table('t', 'before');
    await before.acquire(old);
    await after.acquire(table('t', 'after'));
    env.refuses();
    const third = env.service.leases();
    await expect(third.acquire(table('t', 'after'))).rejects.toMatchObject({
      code: 'KEY_DISABLED',
    });
    await expect(before.acquire(old)).rejects.toMatchObject({ code: 'KEY_DISABLED' });
  });

  it('lives on to its maximum age while the KMS does not answer, and not longer', async () => {
    const env = environment();
    const t = table('t');
    const connection = env.service.leases();
    await connection.acquire(t);
    env.isDown();
    for (let minute = 1; minute < 60; minute += 1) {
      env.clock.advance(MINUTE);
      expect(connection.acquire(t)).not.toBeInstanceOf(Promise);
      await settle();
    }
    env.clock.advance(MINUTE);
    await expect(connection.acquire(t)).rejects.toMatchObject({ code: 'KEY_KMS' });
    // Not answering is not refusing: nothing is remembered.
    env.isUp();
    await connection.acquire(t);
  });
});

describe('calls to the KMS', () => {
  it('are one for 3,000 connections that ask at once, and all of them get its keys', async () => {
    const env = environment();
    const t = table('t');
    const connections = Array.from({ length: 3000 }, () => env.service.leases());
    const keys = await Promise.all(
      connections.map(async (connection) => await connection.acquire(t)),
    );
    expect(env.calls()).toBe(1);
    expect(new Set(keys).size).toBe(1);
    expect(env.leases()).toBe(3000);
    for (const connection of connections) connection.release();
    expect(env.leases()).toBe(0);
    env.clock.advance(2000);
    expect(env.disposed).toEqual([keys[0]]);
  });

  it('that ended are not joined: a connection that comes later makes its own', async () => {
    const env = environment();
    await env.service.leases().acquire(table('t'));
    await env.service.leases().acquire(table('t'));
    expect(env.calls()).toBe(2);
    // The second answer confirmed the keys that were there; its own are gone.
    expect(env.disposed).toHaveLength(1);
  });

  it('keep their answer for others when the first connection closes meanwhile', async () => {
    const env = environment();
    const t = table('t');
    let open: () => void = () => undefined;
    env.answers(() => new Promise<void>((resolve) => (open = resolve)));
    const closing = env.service.leases();
    const staying = env.service.leases();
    const first = Promise.resolve(closing.acquire(t)).catch((error: unknown) => error);
    const second = staying.acquire(t);
    closing.release();
    env.isUp();
    open();
    expect(await first).toMatchObject({ code: 'KEY_LEASE_ENDED' });
    await second;
    expect(env.leases()).toBe(1);
    expect(staying.acquire(t)).not.toBeInstanceOf(Promise);
  });

  it('leave nothing behind for a connection that closed alone', async () => {
    const env = environment();
    const connection = env.service.leases();
    const asked = Promise.resolve(connection.acquire(table('t'))).catch(() => undefined);
    connection.release();
    await asked;
    env.clock.advance(10_000);
    expect(env.disposed).toHaveLength(1);
    expect(env.leases()).toBe(0);
  });
});

describe('a table whose key is lost', () => {
  const lost = (name: string, state: string): TableEntry =>
    ({
      ...table(name),
      record: {
        keyspace: 'ks',
        name,
        keys: 'wrapped',
        access: { state, keyArn: 'arn', reason: 'KEY_DISABLED', sinceMs: 0, dropAtMs: 1000 },
      },
    }) as unknown as TableEntry;

  it('asks the KMS, says what becomes of the table when it refuses, and tells the monitor', async () => {
    const env = environment();
    env.refuses();
    const t = lost('t', 'INACCESSIBLE_ENCRYPTION_CREDENTIALS');
    for (let time = 0; time < 2; time += 1) {
      await expect(env.service.leases().acquire(t)).rejects.toMatchObject({
        code: 'KEY_INACCESSIBLE',
      });
    }
    expect([env.calls(), env.told()]).toEqual([1, ['t']]);
    env.isUp();
    env.clock.advance(5000);
    await env.service.leases().acquire(t);
    expect(env.told()).toEqual(['t', 't']);
  });

  it('ends a lease that was granted before it was lost', async () => {
    const env = environment();
    const connection = env.service.leases();
    await connection.acquire(table('t'));
    env.refuses();
    await expect(
      connection.acquire(lost('t', 'INACCESSIBLE_ENCRYPTION_CREDENTIALS')),
    ).rejects.toMatchObject({ code: 'KEY_INACCESSIBLE' });
    env.clock.advance(2000);
    expect(env.disposed).toHaveLength(1);
  });

  it.each(['BACKING_UP', 'DROPPING'])(
    'is closed while it is %s, whatever the KMS says: the backup would miss what is written',
    async (state) => {
      const env = environment();
      const connection = env.service.leases();
      await connection.acquire(table('t'));
      await expect(connection.acquire(lost('t', state))).rejects.toMatchObject({
        code: 'KEY_INACCESSIBLE',
      });
      expect(env.calls()).toBe(1);
    },
  );

  it('is not made known by a KMS that does not answer', async () => {
    const env = environment();
    env.isDown();
    await expect(env.service.leases().acquire(table('t'))).rejects.toThrow();
    expect(env.told()).toEqual([]);
  });
});

describe('keys that are not used any more', () => {
  it('are disposed a little after the last lease, never within the turn', async () => {
    const env = environment();
    const connection = env.service.leases();
    const keys = await connection.acquire(table('t'));
    connection.release();
    env.clock.advance(1999);
    expect(env.disposed).toEqual([]);
    env.clock.advance(1);
    expect(env.disposed).toEqual([keys]);
  });

  it('are disposed while the connection stays open and idle', async () => {
    const env = environment();
    await env.service.leases().acquire(table('t'));
    env.clock.advance(5 * MINUTE + 20_000);
    expect(env.disposed).toHaveLength(1);
    expect(env.leases()).toBe(0);
  });

  it('are disposed at the end of the service', async () => {
    const env = environment();
    await env.service.leases().acquire(table('t'));
    await env.service.leases().acquire(table('u'));
    env.service.close();
    env.clock.advance(2000);
    expect(env.disposed).toHaveLength(2);
  });
});

/** Refuses the keys of one wrapping, as a KMS key that was left and deleted. */
function refusing(keys: string): (table: TableEntry) => Promise<void> {
  return (entry) =>
    entry.record?.keys?.keyArn === keys
      ? Promise.reject(new KeyAccessError('KEY_NOT_FOUND', 'gone'))
      : Promise.resolve();
}

describe('keys that another proxy changed', () => {
  const before = table('t', 'before', 1n);
  const after = table('t', 'after', 2n);

  it('are found when the KMS refuses the old ones, and no connection is refused', async () => {
    const env = environment();
    env.changes(after);
    env.answers(refusing('before'));
    const connections = [env.service.leases(), env.service.leases()];
    const [first, second] = await Promise.all(
      connections.map(async (one) => await one.acquire(before)),
    );
    expect(first).toBe(second);
    expect(env.refreshes()).toBe(1);
    // The old entry of a statement in flight, and the new one: both without a call.
    const calls = env.calls();
    for (const connection of connections) {
      expect(connection.acquire(after)).toBe(first);
      expect(connection.acquire(before)).toBe(first);
    }
    expect(env.calls()).toBe(calls);
  });

  it('are found by the background call too, and the leases go on', async () => {
    const env = environment();
    const connection = env.service.leases();
    const old = await connection.acquire(before);
    env.changes(after);
    env.answers(refusing('before'));
    env.clock.advance(4 * MINUTE);
    expect(connection.acquire(before)).toBe(old);
    env.clock.advance(MINUTE);
    expect(connection.acquire(before)).toBe(old);
    await settle();
    expect(connection.acquire(before)).toBe(old);
    expect(await connection.acquire(after)).not.toBe(old);
  });

  it('that are refused themselves end everything', async () => {
    const env = environment();
    const connection = env.service.leases();
    await connection.acquire(before);
    env.changes(after);
    env.refuses();
    await expect(connection.acquire(after)).rejects.toMatchObject({ code: 'KEY_DISABLED' });
    await expect(connection.acquire(before)).rejects.toMatchObject({ code: 'KEY_DISABLED' });
  });

  it('are asked for when their entry is seen, without waiting for an idle lease', async () => {
    const env = environment();
    const connection = env.service.leases();
    const old = await connection.acquire(before);
    const asked = connection.acquire(after);
    expect(asked).toBeInstanceOf(Promise);
    // Statements that began before go on meanwhile.
    expect(connection.acquire(before)).toBe(old);
    const keys = await asked;
    expect(keys).not.toBe(old);
    expect(connection.acquire(before)).toBe(keys);
    expect(env.leases()).toBe(1);
    env.clock.advance(2000);
    expect(env.disposed).toEqual([old]);
  });

  it('that the KMS does not give now do not fail a request: the old ones serve, to their maximum age', async () => {
    const env = environment();
    const connection = env.service.leases();
    const old = await connection.acquire(before);
    env.isDown();
    expect(await connection.acquire(after)).toBe(old);
    const calls = env.calls();
    expect(connection.acquire(after)).toBe(old);
    env.clock.advance(9999);
    expect(connection.acquire(after)).toBe(old);
    expect(env.calls()).toBe(calls);
    env.clock.advance(1);
    expect(await connection.acquire(after)).toBe(old);
    expect(env.calls()).toBe(calls + 1);
    for (let minute = 0; minute < 59; minute += 1) {
      env.clock.advance(MINUTE);
      expect(await connection.acquire(after)).toBe(old);
    }
    env.clock.advance(MINUTE);
    await expect(connection.acquire(after)).rejects.toMatchObject({ code: 'KEY_KMS' });
    // A connection that had no lease never gets the old ones.
    await expect(env.service.leases().acquire(after)).rejects.toMatchObject({ code: 'KEY_KMS' });
    env.isUp();
    expect(await connection.acquire(after)).not.toBe(old);
  });

  it('of a rewritten table are never served by the old ones: its rows are not under them', async () => {
    const env = environment();
    const connection = env.service.leases();
    const old = await connection.acquire(before);
    const rewritten = table('t', 'after', 2n, 2);
    env.isDown();
    await expect(connection.acquire(rewritten)).rejects.toMatchObject({ code: 'KEY_KMS' });
    // Nor after another change of keys was served by the old ones.
    expect(await connection.acquire(after)).toBe(old);
    await expect(connection.acquire(rewritten)).rejects.toMatchObject({ code: 'KEY_KMS' });
    env.isUp();
    expect(await connection.acquire(rewritten)).not.toBe(old);
  });

  it('are read from the catalog once a second for values of unknown epochs', async () => {
    const env = environment();
    const connection = env.service.leases();
    const keys = await connection.acquire(before);
    expect(await connection.newer(before, keys)).toBeUndefined();
    expect(await connection.newer(before, keys)).toBeUndefined();
    expect(env.refreshes()).toBe(1);
    env.clock.advance(999);
    expect(await connection.newer(before, keys)).toBeUndefined();
    expect(env.refreshes()).toBe(1);
    env.changes(after);
    env.clock.advance(1);
    const found = await Promise.all(
      Array.from({ length: 20 }, () => connection.newer(before, keys)),
    );
    expect(env.refreshes()).toBe(2);
    expect(found[0]).toBeDefined();
    expect(new Set(found).size).toBe(1);
    // And those of a change after that one, for a statement that still has the first entry.
    env.changes(table('t', 'last', 3n));
    env.clock.advance(1000);
    const [known] = found;
    if (known === undefined) throw new TypeError('no keys');
    expect(await connection.newer(before, known)).toBeDefined();
    expect(env.refreshes()).toBe(3);
  });

  it('are found behind an entry of the beginning of the change, which has the old ones', async () => {
    const env = environment();
    env.shows(table('t', 'before', 2n));
    env.changes(table('t', 'after', 3n));
    env.answers(refusing('before'));
    await env.service.leases().acquire(before);
    expect(env.refreshes()).toBe(1);
    expect(env.told()).toEqual([]);
  });

  it('are looked for anew after a refusal, whatever was read before it', async () => {
    const env = environment();
    const connection = env.service.leases();
    const keys = await connection.acquire(before);
    expect(await connection.newer(before, keys)).toBeUndefined();
    env.changes(after);
    env.answers(refusing('before'));
    await env.service.leases().acquire(table('t', 'before', 1n, 2));
    expect(env.refreshes()).toBe(2);
  });
});
