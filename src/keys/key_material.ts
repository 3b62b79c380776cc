import type { Clock } from '../util/index.ts';
import type { OpenedTableKeys } from './table_keys.ts';

/** How long key material outlives its last lease: far longer than the turn in which a caller may use it. */
const DISPOSAL_DELAY_MS = 2000;

/** The opened keys of one table in this process, shared by all leases. */
export class KeyMaterial {
  readonly tableId: string;
  /** Equal for equal wrapped keys. */
  readonly token: string;
  readonly keys: OpenedTableKeys;
  /** Monotonic time of the start of the last KMS call that granted the keys. */
  confirmedAtMs: number;
  /** Monotonic time before which no background call is made again. */
  nextCheckMs = 0;
  readonly #clock: Clock;
  #leases = 0;
  #isEnded = false;

  constructor(
    tableId: string,
    token: string,
    keys: OpenedTableKeys,
    confirmedAtMs: number,
    clock: Clock,
  ) {
    this.tableId = tableId;
    this.token = token;
    this.keys = keys;
    this.confirmedAtMs = confirmedAtMs;
    this.#clock = clock;
  }

  /** False once no lease may be granted or used any more. */
  get isUsable(): boolean {
    return !this.#isEnded;
  }

  /** Counts a lease. */
  retain(): void {
    this.#leases += 1;
  }

  /** Ends a lease; the last one ends the material. */
  release(): void {
    this.#leases -= 1;
    if (this.#leases <= 0) this.end();
  }

  /** Ends the material if no lease was taken, or none is left, after everybody who asked for it had time to take one. */
  endIfUnused(): void {
    this.#clock.after(DISPOSAL_DELAY_MS, () => {
      if (this.#leases <= 0) this.end();
    });
  }

  /**
   * Ends all leases. Cipher objects are disposed a little later: a caller that got the keys in this turn of the event loop
   * may still be using them.
   */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#clock.after(DISPOSAL_DELAY_MS, () => {
      this.keys.dispose();
    });
  }
}
