import type { Clock } from '../../src/util/index.ts';

/** A clock whose time passes only in timers, which fire at once, and when it is told to. */
export function quickClock(): Clock & { passMs: (ms: number) => void } {
  let now = 1_000_000;
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    after: (delayMs, callback) => {
      setImmediate(() => {
        now += delayMs;
        callback();
      });
      return { cancel: () => undefined };
    },
    passMs: (ms) => {
      now += ms;
    },
  };
}

/** A step function that stops at a step until it is let go; for ever, if it never is: so a process dies. */
export function stopAt(at: string) {
  let go: () => void = () => undefined;
  let arrived: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const isThere = new Promise<void>((resolve) => (arrived = resolve));
  return {
    step: async (name: string): Promise<void> => {
      if (name !== at) return;
      arrived();
      await gate;
    },
    isThere,
    go: () => {
      go();
    },
  };
}
