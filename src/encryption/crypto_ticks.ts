import { OpenBatch, SealBatch } from '../crypto/index.ts';
import type { TurnEnds } from '../util/index.ts';

/** From so many events of a turn on that bring work, they share a batch. */
const MANY_EVENTS = 3;
/** Batches after which a turn's events are counted again, while each has a batch of its own. */
const COUNT_EVERY = 32;

interface Waiter<B> {
  readonly queue: (batch: B) => unknown;
  readonly resolve: (result: { batch: B; queued: unknown }) => void;
  readonly reject: (error: unknown) => void;
  readonly queued: unknown;
}

/**
 * A crypto batch that requests share: those of one event, or, where many connections have a little to do each, those of all
 * events of a turn. A client that has many requests in flight on one connection need not wait for the turn's end.
 */
class Tick<B extends { run(): void }> {
  readonly #ends: TurnEnds;
  readonly #create: () => B;
  #batch: B | undefined;
  #waiters: Waiter<B>[] = [];
  #isEventOpen = false;
  /** Whether all events of a turn share a batch, by what was counted last. */
  #isByTurn = false;
  /** Events of this turn, while they are counted. */
  #events = 0;
  #isCounting = false;
  #batches = 0;

  constructor(ends: TurnEnds, create: () => B) {
    this.#ends = ends;
    this.#create = create;
  }

  /**
   * Queues work in the batch of this event or turn; resolves when the batch ran. `queue` may be called a second time with a
   * batch of its own when another request spoiled the shared one.
   */
  join<T>(queue: (batch: B) => T): Promise<{ batch: B; queued: T }> {
    return new Promise((resolve, reject) => {
      const batch = (this.#batch ??= this.#create());
      this.#schedule();
      const queued = queue(batch);
      this.#waiters.push({
        queue,
        queued,
        resolve: resolve as (result: { batch: B; queued: unknown }) => void,
        reject,
      });
    });
  }

  #schedule(): void {
    if (this.#isEventOpen) return;
    this.#isEventOpen = true;
    this.#events++;
    this.#ends.afterEvent(() => {
      this.#isEventOpen = false;
      if (!this.#isByTurn) this.#run();
    });
    if (this.#isCounting) return;
    if (this.#isByTurn) this.#count();
    else if (this.#batches >= COUNT_EVERY) {
      this.#isCounting = true;
      // Of this turn some events are over.
      this.#ends.afterTurn(() => {
        this.#events = 0;
        this.#count();
      });
    }
  }

  /** Counts the events of the turn that begins, or that the present one is the first of. */
  #count(): void {
    this.#isCounting = true;
    this.#batches = 0;
    this.#ends.afterTurn(() => {
      this.#isCounting = false;
      this.#isByTurn = this.#events >= MANY_EVENTS;
      this.#events = 0;
      this.#run();
    });
  }

  #run(): void {
    const batch = this.#batch;
    const waiters = this.#waiters;
    if (batch === undefined) return;
    this.#batch = undefined;
    this.#waiters = [];
    this.#batches++;
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

/** Encryption and decryption of all connections, gathered by event or by turn of the event loop. */
export class CryptoTicks {
  readonly #seals: Tick<SealBatch>;
  readonly #opens: Tick<OpenBatch>;

  constructor(ends: TurnEnds) {
    this.#seals = new Tick(ends, () => new SealBatch());
    this.#opens = new Tick(ends, () => new OpenBatch());
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
