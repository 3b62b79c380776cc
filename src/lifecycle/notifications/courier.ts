import type { Logger } from '../../observability/index.ts';
import type { Clock, TimerHandle } from '../../util/index.ts';
import { noticeSubject } from './notice.ts';
import type { KeyLossMetrics, NoticeChannel, Outbox, PendingNotice } from '../ports.ts';

const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 3_600_000;
/** A receiver that was away for so long does not get the notice any more. */
const GIVE_UP_MS = 7 * 86_400_000;

/** What a courier works with. */
export interface CourierOptions {
  readonly channels: readonly NoticeChannel[];
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: Pick<KeyLossMetrics, 'countNotice'>;
  /** Called before what was delivered is noted; tests stop the process there. */
  readonly step?: (name: string) => void | Promise<void>;
}

interface Attempts {
  readonly count: number;
  readonly nextAtMs: number;
}

/**
 * Brings notices to every channel. What is not yet delivered is in the outbox and outlives the process; how often it was
 * tried does not. A notice may come twice (it has an id), never not at all within seven days.
 */
export class Courier {
  readonly #options: CourierOptions;
  readonly #attempts = new Map<string, Attempts>();
  #running: Promise<void> | undefined;
  #timer: TimerHandle | undefined;
  #isStopped = false;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** Delivers what is due; joins a delivery that runs. Failures of a channel are logged, counted and tried again later. */
  deliver(): Promise<void> {
    this.#running ??= this.#deliver().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Plans no more retries; what is left is delivered after the next start. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #deliver(): Promise<void> {
    const { outbox, channels } = this.#options;
    const pending = await outbox.pending();
    const known = new Map(channels.map((channel) => [channel.name, channel]));
    const done = new Map<string, string[]>();
    await Promise.all(
      pending.flatMap((item) =>
        item.channels.map(async (name) => {
          const channel = known.get(name);
          // A channel that is not configured any more gets nothing.
          if (channel !== undefined && !(await this.#hand(item, channel))) return;
          done.set(item.notice.id, [...(done.get(item.notice.id) ?? []), name]);
        }),
      ),
    );
    this.#forget(pending);
    if (done.size > 0) {
      await this.#options.step?.('loss.notices');
      await outbox.settle(done);
    }
    this.#retryLater();
  }

  /** True when the channel is done with the notice. */
  async #hand({ notice }: PendingNotice, channel: NoticeChannel): Promise<boolean> {
    const { clock, logger, metrics } = this.#options;
    const key = `${notice.id} ${channel.name}`;
    const before = this.#attempts.get(key);
    if (before !== undefined && clock.nowMs() < before.nextAtMs) return false;
    const about = {
      event: notice.event,
      notice: notice.id,
      table: noticeSubject(notice),
      channel: channel.kind,
    };
    try {
      await channel.deliver(notice);
    } catch (error) {
      if (clock.nowMs() - notice.atMs >= GIVE_UP_MS) {
        metrics.countNotice(notice.event, channel.kind, 'given_up');
        logger.error({ ...about, err: error }, 'a notice could not be delivered and is given up');
        return true;
      }
      const count = (before?.count ?? 0) + 1;
      const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(count - 1, 20));
      this.#attempts.set(key, { count, nextAtMs: clock.nowMs() + delayMs });
      metrics.countNotice(notice.event, channel.kind, 'failed');
      logger.warn(
        { ...about, attempt: count, retryInMs: delayMs, err: error },
        'a notice could not be delivered; it is tried again',
      );
      return false;
    }
    metrics.countNotice(notice.event, channel.kind, 'delivered');
    logger.info(about, 'a notice was delivered');
    return true;
  }

  #forget(pending: readonly PendingNotice[]): void {
    const alive = new Set(
      pending.flatMap(({ notice, channels }) => channels.map((name) => `${notice.id} ${name}`)),
    );
    for (const key of this.#attempts.keys()) if (!alive.has(key)) this.#attempts.delete(key);
  }

  #retryLater(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { clock } = this.#options;
    const waiting = [...this.#attempts.values()].filter(({ nextAtMs }) => nextAtMs > clock.nowMs());
    if (this.#isStopped || waiting.length === 0) return;
    const nextAtMs = Math.min(...waiting.map((attempts) => attempts.nextAtMs));
    this.#timer = clock.after(nextAtMs - clock.nowMs(), () => {
      this.deliver().catch((error: unknown) => {
        this.#options.logger.warn({ err: error }, 'notices could not be read');
      });
    });
  }
}
