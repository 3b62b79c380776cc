import { describe, expect, it } from 'vitest';
import { TurnQueue } from '../../../src/proxy/turn_queue.ts';

const never = (): Promise<void> => new Promise(() => undefined);

/** Work that ends when it is told to. */
function controlled(log: string[], name: string): { work: () => Promise<void>; end: () => void } {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    work: async () => {
      log.push(`${name} begins`);
      await ended;
      log.push(`${name} ends`);
    },
    end,
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('of one key come one after the other, those of others at once', async () => {
    const log: string[] = [];
    const queue = new TurnQueue(never);
    const [a, b, other] = ['a', 'b', 'other'].map((name) => controlled(log, name));
    if (a === undefined || b === undefined || other === undefined) throw new Error('unreachable');
    const runs = [queue.run('k', a.work), queue.run('k', b.work), queue.run('l', other.work)];
    await settled();
    expect(log).toEqual(['a begins', 'other begins']);
    a.end();
    await settled();
    expect(log).toEqual(['a begins', 'other begins', 'a ends', 'b begins']);
    b.end();
    other.end();
    await Promise.all(runs);
  });

  it('go on after one that failed', async () => {
    const queue = new TurnQueue(never);
    const failing = queue.run('k', () => Promise.reject(new Error('no')));
    const next = queue.run('k', () => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('yes');
  });

  it('are not waited for longer than patience lasts', async () => {
    const log: string[] = [];
    let lose: () => void = () => undefined;
    const queue = new TurnQueue(
      () =>
        new Promise((resolve) => {
          lose = resolve;
        }),
    );
    const stuck = controlled(log, 'stuck');
    const first = queue.run('k', stuck.work);
    const second = queue.run('k', () => Promise.resolve('went ahead'));
    await settled();
    lose();
    await expect(second).resolves.toBe('went ahead');
    stuck.end();
    await first;
  });
});
