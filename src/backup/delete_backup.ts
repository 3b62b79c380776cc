import type { BackupRecord } from '../schema/index.ts';
import { backupRecord, Claim } from './backup_records.ts';
import type { BackupContext } from './context.ts';
import { objectNames } from './target.ts';

/**
 * Deletes a backup: the key envelope first, so that what is left can never be read, then the other objects, then the record. Each
 * step may be repeated.
 * @param owner of a claim that the caller holds, or a new one
 * @throws BackupError BACKUP_NOT_FOUND, or BACKUP_STATE when a process is at work on it
 */
export async function deleteBackup(
  context: BackupContext,
  backupId: string,
  owner: string,
): Promise<void> {
  const claim = new Claim<BackupRecord>(context, owner, (view) => backupRecord(view, backupId));
  await claim.update((record) => ({ ...record, state: 'DELETING' }), true);
  await context.step('delete.envelope');
  for (const name of await context.target.list(objectNames.envelopes(backupId))) {
    await context.target.delete(name);
  }
  await context.step('delete.objects');
  for (const name of await context.target.list(objectNames.all(backupId))) {
    await claim.keep();
    await context.target.delete(name);
  }
  await context.step('delete.record');
  await context.catalog.change((view) =>
    view.records.has(backupId) ? { remove: [backupId] } : undefined,
  );
}
