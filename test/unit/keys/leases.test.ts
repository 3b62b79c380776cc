import { describe, expect, it } from 'vitest';
import type { TableEntry } from '../../../src/schema/index.ts';
import { environment, MINUTE, settle, table } from './lease_support.ts';

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
