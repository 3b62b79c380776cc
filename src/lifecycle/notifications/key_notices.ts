import { createHash, randomUUID } from 'node:crypto';
import { toProxyError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import type { TableRecord } from '../../schema/index.ts';
import type { Clock } from '../../util/index.ts';
import { hasCustomerKey } from '../key_probe.ts';
import type { PendingNotice } from '../ports.ts';
import type { Notice } from './notice.ts';

/** What key notices work with. */
export interface KeyNoticesOptions {
  /** Names of the channels that get them. */
  readonly channels: readonly string[];
  /** Keeps a notice that no record can hold. */
  readonly keep: (pending: PendingNotice) => Promise<void>;
  /** Called when a notice waits. */
  readonly onKept: () => void;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error' | 'warn'>;
}

/** Tells the owner what no record can: the table of a refused CREATE has none, and one that is gone has none any more. */
export class KeyNotices {
  readonly #options: KeyNoticesOptions;

  constructor(options: KeyNoticesOptions) {
    this.#options = options;
  }

  /**
   * A statement named a key that cannot be used. Never throws and waits for nothing: the statement has failed already.
   * @param refusal.table `undefined` for the default key of a keyspace
   * @param refusal.keyArn as the statement names it, or resolved
   */
  keyRefused(refusal: {
    readonly keyspace: string;
    readonly table: string | undefined;
    readonly keyArn: string;
    readonly error: unknown;
  }): void {
    const { keyspace, table, keyArn, error } = refusal;
    const reason = toProxyError(error).code;
    // A name that the log does not redact.
    this.#options.logger.warn(
      { keyspace, table: table ?? '', key_arn: keyArn, err: toProxyError(error) },
      'a customer managed key that a statement names cannot be used',
    );
    const facts = { event: 'key_refused' as const, keyspace, table: table ?? null, keyArn, reason };
    this.#keep(randomUUID(), facts).catch((failure: unknown) => {
      this.#options.logger.error({ err: failure, keyArn }, 'the notice of a refused key was lost');
    });
  }

  /**
   * Keys and grants of a table that is gone were given back. Resolves when the notice is durable; does nothing for tables
   * that had no customer managed key. May be called again: the notice is the same one.
   */
  async grantsReleased(record: TableRecord): Promise<void> {
    if (record.state !== 'DROPPED' || !hasCustomerKey(record)) return;
    const { keyspace, name, keys } = record;
    await this.#keep(idFrom(`grant_released ${record.tableId}`), {
      event: 'grant_released',
      keyspace,
      table: name,
      keyArn: keys?.keyArn ?? null,
      reason: null,
    });
  }

  async #keep(
    id: string,
    facts: Pick<Notice, 'event' | 'keyspace' | 'table' | 'keyArn' | 'reason'>,
  ): Promise<void> {
    const { channels, keep, onKept, clock } = this.#options;
    if (channels.length === 0) return;
    const times = { dropAtMs: null, daysLeft: null, backupId: null, backupExpiresAtMs: null };
    await keep({ channels, notice: { id, atMs: clock.nowMs(), ...facts, ...times } });
    onKept();
  }
}

/** The same UUID for the same text. */
function idFrom(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join('-');
}
