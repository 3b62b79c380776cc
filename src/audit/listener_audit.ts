import type { KmsAuditEvent, KmsAuditSink } from '../kms/index.ts';
import type { Clock } from '../util/index.ts';
import type { AuditEvent, AuditSink } from './audit_event.ts';

const MAX_TEXT = 256;
/** Refused requests of nobody known that are recorded in a minute; more would let strangers fill the disk. */
const MAX_STRANGERS = 60;
const MINUTE_MS = 60_000;

/**
 * Puts calls through the KMS listener into the audit log, each once and under who signed it. The proxy's own uses of keys do not go
 * through the listener, so they are in the log as before.
 */
export class ListenerAudit implements KmsAuditSink {
  readonly #sink: AuditSink;
  readonly #clock: Clock;
  #strangers = { sinceMs: -MINUTE_MS, count: 0 };

  constructor(sink: AuditSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** See {@link KmsAuditSink.ready}. */
  ready(): void {
    this.#sink.ready();
  }

  /** See {@link KmsAuditSink.record}. Of refusals of callers who are not known, only so many a minute are recorded, then their number. */
  async record(event: KmsAuditEvent): Promise<void> {
    if (event.principal !== undefined) {
      await this.#sink.record(lineOf(event, event.principal, event.context ?? {}));
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    let left = 0;
    if (nowMs - this.#strangers.sinceMs >= MINUTE_MS) {
      left = Math.max(0, this.#strangers.count - MAX_STRANGERS);
      this.#strangers = { sinceMs: nowMs, count: 0 };
    }
    this.#strangers.count += 1;
    if (this.#strangers.count > MAX_STRANGERS) return;
    const context = left === 0 ? {} : { 'cqlock:refused-before': String(left) };
    await this.#sink.record(lineOf(event, 'unknown', context));
  }
}

function lineOf(
  event: KmsAuditEvent,
  principal: string,
  context: AuditEvent['context'],
): AuditEvent {
  const { operation, keyArn, targetKeyArn, result, durationMs } = event;
  const isRefused = result.endsWith('Exception') && result !== 'KMSInternalException';
  return {
    operation: operation.slice(0, MAX_TEXT),
    key: keyArn ?? null,
    target_key: targetKeyArn ?? null,
    provider: 'embedded',
    context,
    keyspace: context['cqlock:keyspace'] ?? null,
    table: context['cqlock:table'] ?? null,
    origin: 'listener',
    principal: principal.slice(0, MAX_TEXT),
    result: result === 'ok' ? 'ok' : isRefused ? 'refused' : 'unavailable',
    error: result === 'ok' ? null : result,
    duration_ms: Math.round(durationMs * 1000) / 1000,
  };
}
