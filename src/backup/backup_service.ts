import { randomUUID } from 'node:crypto';
import { BackupError, ProxyError } from '../errors/index.ts';
import type { BackupRecord, BackupVerification } from '../schema/index.ts';
import { backupRecord, backupsIn } from './backup_records.ts';
import { backupContext } from './context.ts';
import type { BackupContext, BackupOptions, BackupPorts, BackupProgress } from './context.ts';
import { createBackup } from './create_backup.ts';
import type { CreateOptions } from './create_backup.ts';
import { deleteBackup } from './delete_backup.ts';
import { beginRestore, continueRestore, restoreBackup } from './restore_backup.ts';
import type { ContinueOptions, RestoreRequest, RestoreResult } from './restore_backup.ts';
import { backupsInUse } from './restoring.ts';
import { rewrapEnvelopes } from './rewrap.ts';

import { verifyBackup } from './verify_backup.ts';

/** A backup whose time is over and which is still there. */
export interface LeftBackup {
  readonly backupId: string;
  /** Why; BACKUP_STATE while it is in use, or is another process's to delete. */
  readonly error: unknown;
}

/** What became of backups whose time is over. */
export interface ExpiryResult {
  /** Ids of those that are deleted. */
  readonly deleted: readonly string[];
  /** Ids of all backups that are still there, those of `left` too. */
  readonly kept: readonly string[];
  readonly left: readonly LeftBackup[];
}

/**
 * Backups of tables: made, verified, restored, kept under the keys in force, deleted when they expire. Every method is safe to be
 * repeated after a crash, and with several processes at once: the catalog's records say who works on what.
 */
export class BackupService {
  readonly #context: BackupContext;

  constructor(ports: BackupPorts, options: BackupOptions = {}) {
    this.#context = backupContext(ports, options);
  }

  /**
   * Makes a backup of a table, or completes an interrupted one, and verifies it. Works without the table's KMS key.
   * @returns the id of the verified backup, hex
   * @throws BackupError, UpstreamError; then there is no verified backup
   */
  async backupTable(
    table: { readonly keyspace: string; readonly name: string },
    options: CreateOptions = {},
  ): Promise<string> {
    const backupId = await createBackup(this.#context, table, options);
    await verifyBackup(this.#context, backupId, options.onProgress);
    return backupId;
  }

  /** Reads a complete backup back and notes the result in its record. @throws BackupError when anything differs */
  verify(
    backupId: string,
    onProgress?: (progress: BackupProgress) => void,
  ): Promise<BackupVerification> {
    return verifyBackup(this.#context, backupId, onProgress);
  }

  /** Restores a backup into a new table, or continues an interrupted restore. @throws see restoreBackup */
  restore(request: RestoreRequest): Promise<RestoreResult> {
    return restoreBackup(this.#context, request);
  }

  /** The first half of a restore: makes the table, without rows. @throws see restoreBackup */
  beginRestore(request: RestoreRequest): Promise<RestoreResult> {
    return beginRestore(this.#context, request);
  }

  /**
   * The second half, from where it stopped.
   * @returns `undefined` when no table of that name is being restored
   */
  continueRestore(
    to: RestoreRequest['to'],
    options?: ContinueOptions,
  ): Promise<RestoreResult | undefined> {
    return continueRestore(this.#context, to, options);
  }

  /**
   * Writes the key envelopes of a table's backups anew under its newest table key. A change of key calls it after the new table key
   * is durable and before the old KMS key is given up.
   * @param tableId hex
   * @returns how many envelopes were written
   */
  rewrapForKeyChange(tableId: string): Promise<number> {
    return rewrapEnvelopes(this.#context, tableId);
  }

  /** Whether a backup that is kept needs this KMS key. */
  async needsKey(keyArn: string): Promise<boolean> {
    return (await this.list()).some(
      (record) => record.state !== 'DELETING' && record.keyArns.includes(keyArn),
    );
  }

  /** All backups, newest first. */
  async list(): Promise<readonly BackupRecord[]> {
    return backupsIn(await this.#context.catalog.readRecords());
  }

  /** One backup. @throws BackupError BACKUP_NOT_FOUND */
  async get(backupId: string): Promise<BackupRecord> {
    return backupRecord(await this.#context.catalog.readRecords(), backupId);
  }

  /** Deletes a backup, its key envelope first. @throws BackupError */
  delete(backupId: string): Promise<void> {
    return deleteBackup(this.#context, backupId, randomUUID());
  }

  /**
   * Deletes backups whose time is over, and completes deletions that were interrupted. One that cannot be deleted now stays for
   * the next time, and keeps no other from its end.
   */
  async deleteExpired(): Promise<ExpiryResult> {
    const nowMs = this.#context.clock.nowMs();
    const deleted: string[] = [];
    const kept: string[] = [];
    const left: LeftBackup[] = [];
    const view = await this.#context.catalog.readRecords();
    const inUse = backupsInUse(view);
    for (const record of backupsIn(view)) {
      const { backupId } = record;
      if (record.state !== 'DELETING' && record.expiresAtMs > nowMs) {
        kept.push(backupId);
        continue;
      }
      try {
        this.#mayEnd(record, inUse);
        await this.delete(backupId);
        deleted.push(backupId);
      } catch (error) {
        // Another process was faster.
        if (error instanceof ProxyError && error.code === 'BACKUP_NOT_FOUND') continue;
        kept.push(backupId);
        left.push({ backupId, error });
      }
    }
    return { deleted, kept, left };
  }

  /** @throws BackupError BACKUP_STATE when an expired backup is not to be deleted here and now */
  #mayEnd({ backupId, target }: BackupRecord, inUse: ReadonlySet<string>): void {
    if (inUse.has(backupId)) {
      throw new BackupError('BACKUP_STATE', `a table is being restored from backup ${backupId}`);
    }
    const { description } = this.#context.target;
    if (target !== description) {
      throw new BackupError(
        'BACKUP_STATE',
        `backup ${backupId} is at ${target}, and CQLOCK_BACKUP_TARGET is ${description}; it is deleted by a process that works with its target`,
      );
    }
  }
}
