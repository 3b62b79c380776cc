import type { Clock } from '../../util/index.ts';

/**
 * Hidden columns of the base that no index or view has any more, and since when this process knows that. Cassandra (seen on 5.0.6)
 * fails every read of a row that was written into a memtable while, or after, one of its columns was dropped: so they may go only
 * when no proxy can write them any more.
 */
export class UnusedColumns {
  readonly #clock: Clock;
  readonly #afterMs: number;
  readonly #knownAtMs = new Map<string, number>();

  /** @param afterMs how long a write may be under way that was planned by a record of before, milliseconds */
  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  /** Those of `names`, hidden columns that are not used, that may be dropped; the others are known from now on. */
  due(names: readonly string[]): string[] {
    const nowMs = this.#clock.monotonicMs();
    return names.filter((name) => {
      const knownAtMs = this.#knownAtMs.get(name) ?? nowMs;
      this.#knownAtMs.set(name, knownAtMs);
      return nowMs - knownAtMs >= this.#afterMs;
    });
  }

  /** They are gone. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#knownAtMs.delete(name);
  }
}
