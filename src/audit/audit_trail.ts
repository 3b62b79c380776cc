import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { ConfigError, InternalError, KeyUnavailableError } from '../errors/index.ts';
import type { Clock, TimerHandle } from '../util/index.ts';
import { AuditChain } from './audit_chain.ts';
import type { AuditEvent, AuditSink } from './audit_event.ts';
import { AuditFile } from './audit_file.ts';
import type { AuditHeadStore } from './audit_heads.ts';
import { sealedLine } from './audit_lines.ts';
import type { AuditLine } from './audit_lines.ts';
import { RecentEvents } from './recent_events.ts';
import type { KeyUse, RecordedEvent } from './recent_events.ts';

export type { KeyUse, RecordedEvent } from './recent_events.ts';

/** Events before the log is keyed: opening the catalog makes a handful. */
const MAX_PENDING = 1000;
const HEAD_PERIOD_MS = 60_000;

/** What an audit trail works with. */
export interface AuditTrailOptions {
  readonly directory: string;
  /** Whether a call to the KMS fails when its event cannot be written. */
  readonly required: boolean;
  readonly clock: Clock;
  readonly logger: {
    warn(fields: Readonly<Record<string, unknown>>, message: string): void;
    error(fields: Readonly<Record<string, unknown>>, message: string): void;
  };
  readonly metrics: {
    /** An event was written. */
    addAuditEvent(): void;
    /** An event could not be written. */
    addAuditFailure(): void;
  };
}

/** What makes lines of this process verifiable. */
export interface AuditKeys {
  /** `mk/audit`, 32 bytes; not kept. */
  readonly auditKey: Uint8Array;
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly heads: AuditHeadStore;
}

interface Live {
  readonly chain: AuditChain;
  readonly clusterId: Uint8Array;
  readonly heads: AuditHeadStore;
  anchoredSeq: number;
  timer: TimerHandle | undefined;
}

type Body = AuditLine extends infer Line
  ? Line extends AuditLine
    ? Omit<Line, 'seq' | 'at' | 'process'>
    : never
  : never;

/**
 * The audit log of this process. Until {@link AuditTrail.begin} events wait in memory, because the key of the log is under the
 * catalog key, which the KMS has to open first. Afterwards an event is on the disk when `record` resolves.
 */
export class AuditTrail implements AuditSink {
  /** UUID, made anew for each start of a process. */
  readonly processId: string = randomUUID();
  readonly #options: AuditTrailOptions;
  readonly #file: AuditFile;
  readonly #recent = new RecentEvents();
  #pending: { readonly atMs: number; readonly event: AuditEvent }[] = [];
  #live: Live | undefined;
  #isClosed = false;
  /** Events that were not written since the last line. */
  #lost = 0;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#file = new AuditFile(options.directory, this.processId);
  }

  /** The latest events of this process, newest first; a bounded number. */
  recent(): readonly RecordedEvent[] {
    return this.#recent.newestFirst();
  }

  /** Last use of each key in this process, by ARN. */
  keyUse(): ReadonlyMap<string, KeyUse> {
    return this.#recent.keyUse();
  }

  /**
   * Begins the chain: its first line and its first head, then the events that waited. The caller may zero the key afterwards.
   * @throws ConfigError CONFIG_AUDIT_DIR when the log cannot be written and must be; UpstreamError when the head cannot be.
   */
  async begin({ auditKey, clusterId, heads }: AuditKeys): Promise<void> {
    const { clock, required, logger } = this.#options;
    const chain = new AuditChain(auditKey, clusterId, this.processId);
    const live: Live = { chain, clusterId, heads, anchoredSeq: -1, timer: undefined };
    this.#live = live;
    try {
      this.#open(live, clock.nowMs());
      await this.#file.sync();
      await heads.prepare();
      await this.#anchor(live);
    } catch (error) {
      if (required) throw cannotBegin(this.#options.directory, error);
      logger.error({ err: error }, 'the audit log cannot be begun');
    }
    const waiting = this.#pending;
    this.#pending = [];
    for (const { atMs, event } of waiting) await this.#write(live, atMs, event);
    this.#anchorLater(live);
  }

  /** Gives up before the chain began: the events that waited go to the process' log, so that they are not lost. */
  abandon(): void {
    for (const { event } of this.#pending) {
      this.#options.logger.warn({ audit: event }, 'a use of a KMS key before the audit log began');
    }
    this.#pending = [];
    this.#isClosed = true;
  }

  /** See {@link AuditSink.ready}. */
  ready(): void {
    const live = this.#live;
    if (!this.#options.required) return;
    if (this.#isClosed || (live === undefined && this.#pending.length >= MAX_PENDING)) {
      throw notWritten(this.#options.directory);
    }
    if (live === undefined) return;
    try {
      this.#file.open(dayOf(this.#options.clock.nowMs()));
    } catch (error) {
      this.#failed(error, undefined);
      throw notWritten(this.#options.directory, error);
    }
  }

  /** See {@link AuditSink.record}. */
  async record(event: AuditEvent): Promise<void> {
    const atMs = this.#options.clock.nowMs();
    if (this.#live !== undefined && !this.#isClosed) {
      await this.#write(this.#live, atMs, event);
    } else if (!this.#isClosed && this.#pending.length < MAX_PENDING) {
      this.#pending.push({ atMs, event });
    } else {
      this.#failed(new InternalError('the audit log is not open'), event);
      if (this.#options.required) throw notWritten(this.#options.directory);
    }
  }

  /**
   * Notes that lines of a process are about to be deleted; durable when the promise resolves. The chain must have begun.
   * @throws KeyUnavailableError KEY_AUDIT_LOG when it cannot be written
   */
  async recordPruned(of: string, count: number, before: number): Promise<void> {
    const live = this.#live;
    if (live === undefined || this.#isClosed) throw notWritten(this.#options.directory);
    try {
      this.#append(live, this.#options.clock.nowMs(), { kind: 'pruned', of, count, before });
      await this.#anchor(live);
    } catch (error) {
      throw notWritten(this.#options.directory, error);
    }
  }

  /** Ends the chain with a last line and a last head. */
  async close(): Promise<void> {
    const live = this.#live;
    if (this.#isClosed) return;
    if (live === undefined) {
      this.abandon();
      return;
    }
    this.#isClosed = true;
    live.timer?.cancel();
    try {
      this.#append(live, this.#options.clock.nowMs(), { kind: 'stop' });
      await this.#file.sync();
      this.#file.close();
      await this.#anchor(live);
    } catch (error) {
      this.#options.logger.error({ err: error }, 'the audit log could not be ended');
    }
    live.chain.dispose();
  }

  async #write(live: Live, atMs: number, event: AuditEvent): Promise<void> {
    const { metrics, required, directory } = this.#options;
    try {
      const seq = this.#append(live, atMs, { kind: 'kms', ...event });
      await this.#file.sync();
      this.#recent.add({ atMs, seq, processId: this.processId, event });
      metrics.addAuditEvent();
    } catch (error) {
      this.#failed(error, event);
      if (required) throw notWritten(directory, error);
    }
  }

  /** Opens the file of the day; the first line of a chain is its start. */
  #open(live: Live, atMs: number): void {
    this.#file.open(dayOf(atMs));
    if (live.chain.nextSeq > 0) return;
    this.#appendLine(live, atMs, {
      kind: 'start',
      format: 1,
      cluster: Buffer.from(live.clusterId).toString('hex'),
      host: hostname(),
      pid: process.pid,
    });
  }

  /** Appends one line, and before it one about lines that are missing; the chain moves on only if it was written. */
  #append(live: Live, atMs: number, body: Body): number {
    this.#open(live, atMs);
    if (this.#lost > 0) {
      this.#appendLine(live, atMs, { kind: 'lost', count: this.#lost });
      this.#lost = 0;
    }
    return this.#appendLine(live, atMs, body);
  }

  #appendLine({ chain }: Live, atMs: number, body: Body): number {
    const seq = chain.nextSeq;
    const at = new Date(atMs).toISOString();
    const text = JSON.stringify({ seq, at, process: this.processId, ...body });
    const link = chain.link(Buffer.from(text, 'utf8'));
    this.#file.append(sealedLine(text, link.mac));
    chain.advance(link);
    return seq;
  }

  #failed(error: unknown, event: AuditEvent | undefined): void {
    const { logger, metrics } = this.#options;
    if (event !== undefined) this.#lost += 1;
    metrics.addAuditFailure();
    logger.error(
      { err: error, ...(event === undefined ? {} : { audit: event }) },
      'the audit log cannot be written',
    );
  }

  async #anchor(live: Live): Promise<void> {
    if (live.chain.nextSeq - 1 <= live.anchoredSeq) return;
    const head = live.chain.head(this.#options.clock.nowMs());
    await this.#file.sync();
    await live.heads.put(live.clusterId, head);
    live.anchoredSeq = head.seq;
  }

  #anchorLater(live: Live): void {
    live.timer = this.#options.clock.after(HEAD_PERIOD_MS, () => {
      this.#anchor(live)
        .catch((error: unknown) => {
          this.#options.logger.warn({ err: error }, 'the head of the audit log was not kept');
        })
        .finally(() => {
          if (!this.#isClosed) this.#anchorLater(live);
        });
    });
  }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function cannotBegin(directory: string, cause: unknown): Error {
  if (cause instanceof Error && 'code' in cause && !('cqlCode' in cause)) {
    return new ConfigError(
      'CONFIG_AUDIT_DIR',
      `the audit log cannot be written to ${directory} (${String(cause.code)}): check CQLOCK_AUDIT_DIR, its permissions and the disk`,
      { cause },
    );
  }
  return cause instanceof Error ? cause : new InternalError('the audit log cannot be begun');
}

function notWritten(directory: string, cause?: unknown): KeyUnavailableError {
  return new KeyUnavailableError(
    'KEY_AUDIT_LOG',
    `the use of a KMS key cannot be written to the audit log in ${directory}; no key is used without that`,
    { cause },
  );
}
