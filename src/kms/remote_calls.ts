import {
  BrokenCircuitError,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import type { IPolicy } from 'cockatiel';
import { KeyUnavailableError, ProxyError } from '../errors/index.ts';

/** How long a KMS that is reached over the network is waited for. */
export interface RemoteCallLimits {
  /** One call with its retries, milliseconds. */
  readonly budgetMs: number;
  /** One try, milliseconds. */
  readonly attemptMs: number;
  /** Tries of one call at most. */
  readonly attempts: number;
  /** Failed tries in a row after which the KMS is left alone. */
  readonly breakAfter: number;
  /** How long it is left alone, milliseconds. */
  readonly breakMs: number;
}

/** The limits that follow from the longest time a call may take, milliseconds. */
export function remoteCallLimits(budgetMs: number): RemoteCallLimits {
  return {
    budgetMs,
    attemptMs: Math.max(1, Math.floor(budgetMs * 0.4)),
    attempts: 3,
    breakAfter: 9,
    breakMs: 5_000,
  };
}

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;

type Answer<T> = { readonly value: T } | { readonly refusal: ProxyError };

/**
 * Calls of one remote KMS: each try has a time limit, what is unavailable is tried again with growing, random delays, and
 * a KMS that does not answer is left alone for a while. What the KMS refuses is an answer and never tried again.
 */
export class RemoteCalls {
  readonly #name: string;
  readonly #limits: RemoteCallLimits;
  readonly #policy: IPolicy<{ readonly signal: AbortSignal }>;

  /** @param name of the provider, for messages */
  constructor(name: string, limits: RemoteCallLimits) {
    this.#name = name;
    this.#limits = limits;
    const unavailable = handleWhen((error) => isUnavailable(error));
    this.#policy = wrap(
      timeout(limits.budgetMs, TimeoutStrategy.Aggressive),
      retry(unavailable, {
        maxAttempts: limits.attempts - 1,
        backoff: new ExponentialBackoff({ initialDelay: FIRST_DELAY_MS, maxDelay: MAX_DELAY_MS }),
      }),
      circuitBreaker(unavailable, {
        halfOpenAfter: limits.breakMs,
        breaker: new ConsecutiveBreaker(limits.breakAfter),
      }),
      timeout(limits.attemptMs, TimeoutStrategy.Aggressive),
    );
  }

  /**
   * Runs `call`, which MUST be safe to run again.
   * @param toError what an error of the provider's library means; KEY_UNAVAILABLE is tried again, all else is not
   * @throws ProxyError KeyUnavailableError KEY_UNAVAILABLE within the budget when no try was answered; else what `toError` gave.
   */
  async run<T>(
    call: (signal: AbortSignal) => Promise<T>,
    toError: (error: unknown) => ProxyError | Promise<ProxyError>,
  ): Promise<T> {
    let answer: Answer<T>;
    let last: ProxyError | undefined;
    try {
      answer = await this.#policy.execute(async ({ signal }): Promise<Answer<T>> => {
        try {
          return { value: await call(signal) };
        } catch (error) {
          const meant = error instanceof ProxyError ? error : await toError(error);
          if (!isUnavailable(meant)) return { refusal: meant };
          last = meant;
          throw meant;
        }
      });
    } catch (error) {
      throw this.#unavailable(error, last);
    }
    if ('refusal' in answer) throw answer.refusal;
    return answer.value;
  }

  #unavailable(error: unknown, last: ProxyError | undefined): ProxyError {
    if (error instanceof TaskCancelledError) {
      const { budgetMs, attemptMs } = this.#limits;
      return (
        last ??
        new KeyUnavailableError(
          'KEY_UNAVAILABLE',
          `the KMS ${this.#name} did not answer in ${Math.min(budgetMs, attemptMs)} ms`,
          { cause: error },
        )
      );
    }
    if (error instanceof BrokenCircuitError) {
      return new KeyUnavailableError(
        'KEY_UNAVAILABLE',
        `the KMS ${this.#name} did not answer several times in a row; it is asked again within ${this.#limits.breakMs} ms`,
        { cause: last ?? error },
      );
    }
    if (error instanceof ProxyError) return error;
    return new KeyUnavailableError('KEY_UNAVAILABLE', `the call of the KMS ${this.#name} failed`, {
      cause: error,
    });
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof TaskCancelledError) return true;
  return error instanceof KeyUnavailableError && error.code === 'KEY_UNAVAILABLE';
}
