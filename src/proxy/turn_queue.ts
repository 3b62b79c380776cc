/**
 * Lets work on the same thing take turns within this process. Turns only save work that would be in vain: who waited too
 * long goes ahead.
 */
export class TurnQueue {
  readonly #last = new Map<string, Promise<void>>();
  readonly #patience: () => Promise<void>;

  /** @param patience how long a turn waits for those before it: a promise that resolves then */
  constructor(patience: () => Promise<void>) {
    this.#patience = patience;
  }

  /** Runs `work` when what was begun before under `key` is done. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    let finish: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.#last.set(key, mine);
    try {
      if (before !== undefined) await Promise.race([before, this.#patience()]);
      return await work();
    } finally {
      finish();
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
