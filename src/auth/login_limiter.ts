import { AuthenticationError } from '../errors/index.ts';
import type { Clock } from '../util/index.ts';

/** An address may fail for many roles, but not for any number of them. */
const ADDRESS_FACTOR = 10;
/** Who fails from ever new addresses or with ever new names must not fill the memory. */
const MAX_ENTRIES = 50_000;

interface Failures {
  count: number;
  lastMs: number;
}

/**
 * Slows down who guesses passwords: after so many failures of one role from one address, or ten times as many from one
 * address, the next has to wait until the last failure is `periodMs` ago. Others are not affected.
 */
export class LoginLimiter {
  readonly #clock: Clock;
  readonly #maxFailures: number;
  readonly #periodMs: number;
  /** The one that failed last is last. */
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock, options: { readonly maxFailures: number; readonly periodMs: number }) {
    this.#clock = clock;
    this.#maxFailures = options.maxFailures;
    this.#periodMs = options.periodMs;
  }

  /** @throws AuthenticationError LOGIN_LIMITED */
  admit(user: string, address: string): void {
    const waitMs = Math.max(
      this.#wait(pairKey(user, address), this.#maxFailures),
      this.#wait(address, this.#maxFailures * ADDRESS_FACTOR),
    );
    if (waitMs <= 0) return;
    throw new AuthenticationError(
      'LOGIN_LIMITED',
      `too many failed logins: wait ${String(Math.ceil(waitMs / 1_000))} s`,
    );
  }

  /** A success is forgotten for the role alone: one good role must not make guessing others free. */
  ended(user: string, address: string, isAccepted: boolean): void {
    if (isAccepted) {
      this.#failures.delete(pairKey(user, address));
      return;
    }
    this.#fail(pairKey(user, address));
    this.#fail(address);
  }

  #wait(key: string, most: number): number {
    const failures = this.#failures.get(key);
    if (failures === undefined || failures.count < most) return 0;
    return failures.lastMs + this.#periodMs - this.#clock.monotonicMs();
  }

  #fail(key: string): void {
    const now = this.#clock.monotonicMs();
    const before = this.#failures.get(key);
    const counts = before !== undefined && now - before.lastMs < this.#periodMs;
    this.#failures.delete(key);
    this.#failures.set(key, { count: counts ? before.count + 1 : 1, lastMs: now });
    if (this.#failures.size <= MAX_ENTRIES) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }
}

function pairKey(user: string, address: string): string {
  return `${address}\0${user}`;
}
