import type { TableEntry } from '../schema/index.ts';
import type { Notice } from './notifications/notice.ts';

/** A backup that was read back. */
export interface VerifiedBackup {
  readonly backupId: string;
  readonly verified: true;
  /** When it ends, if the backup itself knows; else 35 days after the drop. */
  readonly expiresAtMs?: number;
}

/** Makes and ends backups of tables whose key was lost. They need no key: what they hold is ciphertext. */
export interface BackupPort {
  /**
   * Backs a table up and reads the backup back; resolves only when it is verified. May take hours, may be called again
   * after a failure or by another proxy, and then makes another backup.
   */
  backupTable(table: TableEntry): Promise<VerifiedBackup>;
  /**
   * Deletes the backups whose time is over. Does nothing when there are none.
   * @returns ids of all backups that are still there; one whose time is over may be among them, as it is in use or cannot be reached
   */
  deleteExpired(nowMs: number): Promise<ReadonlySet<string>>;
}

/** Drops tables. */
export interface DropPort {
  /**
   * Drops exactly this table with the proxy's own role; one of the same name and another id is left alone.
   * Does nothing when it is gone.
   */
  dropTable(table: TableEntry): Promise<void>;
}

/** A way to the owner of the tables. */
export interface NoticeChannel {
  /** Stable as long as the receiver is the same; holds no address and no secret. */
  readonly name: string;
  /** For metrics. */
  readonly kind: 'webhook' | 'email';
  /** Resolves when the receiver has taken it; rejects when it should be tried again. */
  deliver(notice: Notice): Promise<void>;
}

/** A notice, and the channels that do not have it yet. */
export interface PendingNotice {
  readonly notice: Notice;
  readonly channels: readonly string[];
}

/** Where notices wait. */
export interface Outbox {
  /** What this process is to deliver now. */
  pending(): Promise<readonly PendingNotice[]>;
  /** Takes channels off notices, by id; a notice without channels is gone. */
  settle(done: ReadonlyMap<string, readonly string[]>): Promise<void>;
}

/** What is counted of the loss of keys. */
export interface KeyLossMetrics {
  /** `result`: delivered, failed (to be tried again), given_up. */
  countNotice(event: string, channel: string, result: 'delivered' | 'failed' | 'given_up'): void;
  /** Whether this process watches the keys of the cluster. */
  setKeyMonitorLeader(isLeader: boolean): void;
  /** A probe of a table's keys ended. */
  countKeyProbe(result: 'usable' | 'refused' | 'unavailable' | 'misconfigured' | 'integrity'): void;
}
