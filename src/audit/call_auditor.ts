import { BACKGROUND_CALLER } from '../kms/index.ts';
import type { EncryptionContext } from '../kms/index.ts';
import type { AuditEvent, AuditOperation } from './audit_event.ts';
import { outcomeOf } from './audit_event.ts';
import type { AuditedOptions } from './audited_kms.ts';

/** Longest identifier or name that an event keeps; what users wrote may be of any length. */
const MAX_TEXT = 2048;

/** What is known of a call before it is made. */
export interface CallFacts {
  readonly operation: AuditOperation;
  readonly key: string | null;
  readonly targetKey?: string;
  readonly context?: EncryptionContext;
}

/** What to do with the answer of a call. */
export interface AnswerRules<T> {
  /** The key that was really used, where the answer names it. */
  readonly keyOf?: (answer: T) => string;
  /** Called when the answer must not be given out: zeroes what is secret in it. */
  readonly discard?: (answer: T) => void;
}

/** Runs calls to one provider, counts each and notes an event for it. */
export class CallAuditor {
  readonly #provider: string;
  readonly #options: AuditedOptions;

  constructor(provider: string, options: AuditedOptions) {
    this.#provider = provider;
    this.#options = options;
  }

  /**
   * Runs `call`.
   * @throws what `call` throws; KeyUnavailableError KEY_AUDIT_LOG when its event cannot be noted.
   */
  async run<T>(
    facts: CallFacts,
    call: () => Promise<T>,
    { keyOf, discard }: AnswerRules<T> = {},
  ): Promise<T> {
    const { sink, clock, metrics } = this.#options;
    sink.ready();
    const startedMs = clock.monotonicMs();
    let answer: T;
    try {
      answer = await call();
    } catch (error) {
      const durationMs = clock.monotonicMs() - startedMs;
      const outcome = outcomeOf(error);
      metrics.recordKmsCall(facts.operation, outcome.error, durationMs);
      await sink.record(this.#event(facts, facts.key, durationMs, outcome));
      throw error;
    }
    const durationMs = clock.monotonicMs() - startedMs;
    metrics.recordKmsCall(facts.operation, 'ok', durationMs);
    const key = keyOf?.(answer) ?? facts.key;
    try {
      await sink.record(this.#event(facts, key, durationMs, { result: 'ok', error: null }));
    } catch (error) {
      discard?.(answer);
      throw error;
    }
    return answer;
  }

  #event(
    facts: CallFacts,
    key: string | null,
    durationMs: number,
    outcome: Pick<AuditEvent, 'result' | 'error'>,
  ): AuditEvent {
    const { origin, principal, table } = this.#options.caller ?? BACKGROUND_CALLER;
    const context = facts.context ?? {};
    return {
      operation: facts.operation,
      key: key === null ? null : key.slice(0, MAX_TEXT),
      target_key: facts.targetKey ?? null,
      provider: this.#provider,
      context,
      keyspace: context['cqlock:keyspace'] ?? table?.keyspace ?? null,
      table: context['cqlock:table'] ?? table?.name ?? null,
      origin,
      principal: principal.slice(0, MAX_TEXT),
      result: outcome.result,
      error: outcome.error,
      duration_ms: Math.round(durationMs * 1000) / 1000,
    };
  }
}
