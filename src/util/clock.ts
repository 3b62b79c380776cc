/** A pending timer of a {@link Clock}. */
export interface TimerHandle {
  /** Stops the timer; does nothing when it already fired. */
  cancel(): void;
}

/** The one source of time: everything that waits or measures takes it from here, so tests can move it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Monotonic milliseconds, for measuring only. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`; never keeps the process alive. */
  after(delayMs: number, callback: () => void): TimerHandle;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
};
