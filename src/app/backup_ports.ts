import type { BackupService } from '../backup/index.ts';
import { ProxyError } from '../errors/index.ts';
import type { BackupPort } from '../lifecycle/index.ts';
import type { JobRegistry } from '../observability/index.ts';
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

/** The backups that are made before a table with a lost key is dropped; each is a job of this process. */
export function lostTableBackups(backups: BackupService, jobs: JobRegistry): BackupPort {
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
      await backups.deleteExpired();
    },
  };
}
