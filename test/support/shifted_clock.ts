/** A clock that runs as the machine's does, and can be moved forward. */
import type { Clock } from '../../src/util/index.ts';

/** The clock, and how to move it. */
export interface ShiftedClock extends Clock {
  /** Moves both times; timers that become due run, in their order. */
  shift(ms: number): void;
}

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** A clock of the machine's time. */
export function shiftedClock(): ShiftedClock {
  let offsetMs = 0;
  const timers = new Set<Timer>();
  const monotonicMs = (): number => performance.now() + offsetMs;
  return {
    nowMs: () => Date.now() + offsetMs,
    monotonicMs,
    after: (delayMs, callback) => {
      const handle = setTimeout(() => {
        timer.fire();
      }, delayMs);
      handle.unref();
      const timer: Timer = {
        dueMs: monotonicMs() + delayMs,
        fire: () => {
          clearTimeout(handle);
          if (timers.delete(timer)) callback();
        },
      };
      timers.add(timer);
      return {
        cancel: () => {
          clearTimeout(handle);
          timers.delete(timer);
        },
      };
    },
    shift: (ms) => {
      offsetMs += ms;
      const due = [...timers].filter(({ dueMs }) => dueMs <= monotonicMs());
      for (const timer of due.sort((a, b) => a.dueMs - b.dueMs)) timer.fire();
    },
  };
}
