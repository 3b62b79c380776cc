/** Joins concurrent calls for one key into one: followers share the promise of the call in flight. */
export class SingleFlight<K, V> {
  readonly #inFlight = new Map<K, Promise<V>>();

  /** Runs `call` for `key`, or joins the call that already runs. Nothing is remembered afterwards. */
  run(key: K, call: () => Promise<V>): Promise<V> {
    const running = this.#inFlight.get(key);
    if (running !== undefined) return running;
    const started = call().finally(() => {
      this.#inFlight.delete(key);
    });
    this.#inFlight.set(key, started);
    return started;
  }
}
