/**
 * A map of bounded size that forgets what was not used for long. Two generations: a use moves an entry into the young one,
 * and when that is full the old one is forgotten whole. A look-up of a young entry changes nothing, which is what the
 * request path does.
 */
export class RecentMap<K, V> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  readonly #generation: number;

  /** @param limit most entries that are kept. */
  constructor(limit: number) {
    this.#generation = Math.max(1, Math.floor(limit / 2));
  }

  /** Looks up and marks as used. */
  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  /** Stores, as just used. */
  set(key: K, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size < this.#generation) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  /** Forgets one entry. */
  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
