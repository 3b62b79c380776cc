/** A clock that stands still until it is moved. */
import type { Clock } from '../../src/util/index.ts';

/** The clock, and how to move it. */
export interface FakeClock extends Clock {
  /** Moves both times; timers that become due run in their order. */
  advance(ms: number): void;
}

/** A clock that starts at 1,000,000 ms. */
export function fakeClock(): FakeClock {
  let now = 1_000_000;
  let timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    after: (delayMs, callback) => {
      const timer = { atMs: now + delayMs, callback };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance: (ms) => {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter((t) => t.atMs <= end).sort((x, y) => x.atMs - y.atMs);
        if (next === undefined) break;
        timers = timers.filter((other) => other !== next);
        now = next.atMs;
        next.callback();
      }
      now = end;
    },
  };
}
