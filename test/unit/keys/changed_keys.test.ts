import { describe, expect, it } from 'vitest';
import { environment, MINUTE, refusing, settle, table } from './lease_support.ts';

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
