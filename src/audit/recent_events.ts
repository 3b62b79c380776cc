import type { AuditEvent } from './audit_event.ts';

const MAX_EVENTS = 4096;
const MAX_KEYS = 65_536;

/** An event as it was written. */
export interface RecordedEvent {
  readonly atMs: number;
  readonly seq: number;
  /** UUID text. */
  readonly processId: string;
  readonly event: AuditEvent;
}

/** The last use of a key. */
export interface KeyUse {
  readonly provider: string;
  readonly atMs: number;
  readonly result: AuditEvent['result'];
  readonly error: string | null;
}

/** The latest events and the last use of each key, in bounded memory. */
export class RecentEvents {
  readonly #events: RecordedEvent[] = [];
  readonly #byKey = new Map<string, KeyUse>();
  #next = 0;

  /** Adds an event; the oldest one goes when there are too many. */
  add(recorded: RecordedEvent): void {
    this.#events[this.#next] = recorded;
    this.#next = (this.#next + 1) % MAX_EVENTS;
    const { key, target_key: target, provider, origin, result, error } = recorded.event;
    // What others are refused says nothing of what the proxy may do with the key.
    if (origin === 'listener') return;
    for (const arn of [key, target]) {
      if (arn === null) continue;
      // The key that was not used for the longest time stands first.
      this.#byKey.delete(arn);
      this.#byKey.set(arn, { provider, atMs: recorded.atMs, result, error });
      if (this.#byKey.size > MAX_KEYS) {
        for (const oldest of this.#byKey.keys()) {
          this.#byKey.delete(oldest);
          break;
        }
      }
    }
  }

  /** Newest first. */
  newestFirst(): RecordedEvent[] {
    const inOrder = [...this.#events.slice(this.#next), ...this.#events.slice(0, this.#next)];
    return inOrder.reverse();
  }

  /** By ARN. */
  keyUse(): ReadonlyMap<string, KeyUse> {
    return this.#byKey;
  }
}
