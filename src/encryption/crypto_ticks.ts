import { OpenBatch, SealBatch } from '../crypto/index.ts';

/** Runs a callback after everything that is ready in this turn of the event loop. */
export type Defer = (callback: () => void) => void;

interface Waiter<B> {
  readonly queue: (batch: B) => unknown;
  readonly resolve: (result: { batch: B; queued: unknown }) => void;
  readonly reject: (error: unknown) => void;
  readonly queued: unknown;
}

/** A crypto batch that the requests of one turn share. */
class Tick<B extends { run(): void }> {
  readonly #defer: Defer;
  readonly #create: () => B;
  #batch: B | undefined;
  #waiters: Waiter<B>[] = [];

  constructor(defer: Defer, create: () => B) {
    this.#defer = defer;
    this.#create = create;
  }

  /**
   * Queues work in the batch of this turn; resolves when the batch ran. `queue` may be called a second time with a batch
   * of its own when another request spoiled the shared one.
   */
  join<T>(queue: (batch: B) => T): Promise<{ batch: B; queued: T }> {
    return new Promise((resolve, reject) => {
      if (this.#batch === undefined) {
        this.#batch = this.#create();
        this.#defer(() => {
          this.#run();
        });
      }
      const queued = queue(this.#batch);
      this.#waiters.push({
        queue,
        queued,
        resolve: resolve as (result: { batch: B; queued: unknown }) => void,
        reject,
      });
    });
  }

  #run(): void {
    const batch = this.#batch;
    const waiters = this.#waiters;
    if (batch === undefined) return;
    this.#batch = undefined;
    this.#waiters = [];
    try {
      batch.run();
    } catch (error) {
      if (waiters.length === 1) waiters[0]?.reject(error);
      else this.#runApart(waiters);
      return;
    }
    for (const waiter of waiters) waiter.resolve({ batch, queued: waiter.queued });
  }

  /** A failed value must not fail the requests that only shared the turn with it. */
  #runApart(waiters: readonly Waiter<B>[]): void {
    for (const waiter of waiters) {
      try {
        const batch = this.#create();
        const queued = waiter.queue(batch);
        batch.run();
        waiter.resolve({ batch, queued });
      } catch (error) {
        waiter.reject(error);
      }
    }
  }
}

/** Encryption and decryption of all connections, gathered by turn of the event loop. */
export class CryptoTicks {
  readonly #seals: Tick<SealBatch>;
  readonly #opens: Tick<OpenBatch>;

  constructor(defer: Defer) {
    this.#seals = new Tick(defer, () => new SealBatch());
    this.#opens = new Tick(defer, () => new OpenBatch());
  }

  /** Queues values for encryption. */
  seal<T>(queue: (batch: SealBatch) => T): Promise<{ batch: SealBatch; queued: T }> {
    return this.#seals.join(queue);
  }

  /** Queues stored values for decryption. @throws CiphertextError through the promise, only for this request's values. */
  open<T>(queue: (batch: OpenBatch) => T): Promise<{ batch: OpenBatch; queued: T }> {
    return this.#opens.join(queue);
  }
}
