import type { BackupService } from '../backup/index.ts';
import { ProxyError, toProxyError } from '../errors/index.ts';
import type { BackupPort } from '../lifecycle/index.ts';
import type { JobRegistry, Logger } from '../observability/index.ts';
import type { BackupKeys } from '../schema/index.ts';

/** What a change of key must know of backups: they move to the new key before the old one is given back. */
export function backupKeys(backups: () => BackupService): BackupKeys {
  return {
    stillNeed: async ({ tableId }, left, present) => {
      // A table that is gone has no newer key to move its backups to.
      if (present !== null) await backups().rewrapForKeyChange(tableId);
      return await backups().needsKey(left.keyArn);
    },
  };
}

/** The backups that are made before a table with a lost key is dropped, each a job of this process; and the end of all backups. */
export function lostTableBackups(
  backups: Pick<BackupService, 'backupTable' | 'get' | 'deleteExpired'>,
  jobs: JobRegistry,
  logger: Pick<Logger, 'info' | 'warn'>,
): BackupPort {
  return {
    backupTable: async (table) => {
      const { keyspace, name } = table;
      const job = jobs.start('backup', { keyspace, name });
      try {
        const backupId = await backups.backupTable(
          { keyspace, name },
          {
            onProgress: ({ rows, fraction }) => {
              job.progress(rows, fraction === 0 ? undefined : Math.round(rows / fraction));
            },
          },
        );
        const { expiresAtMs } = await backups.get(backupId);
        job.done();
        return { backupId, verified: true, expiresAtMs };
      } catch (error) {
        job.failed(error instanceof ProxyError ? error.code : 'INTERNAL');
        throw error;
      }
    },
    deleteExpired: async () => {
      const { deleted, kept, left } = await backups.deleteExpired();
      for (const backup of deleted)
        logger.info({ backup }, 'a backup whose time is over is deleted');
      for (const { backupId, error } of left) {
        // In use: that ends by itself.
        if (error instanceof ProxyError && error.code === 'BACKUP_STATE') continue;
        logger.warn(
          { backup: backupId, err: toProxyError(error) },
          'a backup whose time is over could not be deleted; it is tried again',
        );
      }
      return new Set(kept);
    },
  };
}
