import type { ProxyError } from '../errors/index.ts';
import type { TableRecord, VerifiedRecords } from '../schema/index.ts';
import type { BackupContext } from './context.ts';

/** The record of a table whose rows are not all written. */
export type Restoring = TableRecord & { readonly restore: NonNullable<TableRecord['restore']> };

/** The table of a name that is being restored. */
export function restoringIn(
  view: VerifiedRecords,
  to: { readonly keyspace: string; readonly name: string },
): Restoring | undefined {
  return allRestoring(view).find(
    (record) => record.keyspace === to.keyspace && record.name === to.name,
  );
}

/**
 * Backups that tables are being restored from: they are kept until that is done. A restore that failed keeps none past its time:
 * its backup is damaged.
 */
export function backupsInUse(view: VerifiedRecords): ReadonlySet<string> {
  return new Set(
    allRestoring(view)
      .filter(({ restore }) => restore.failure === undefined)
      .map(({ restore }) => restore.backupId),
  );
}

/** Whether a restore cannot succeed as long as its backup is as it is; what is busy, away or slow passes. */
export function isLastingRestoreFailure({ code }: ProxyError): boolean {
  return ['BACKUP_INTEGRITY', 'BACKUP_FORMAT', 'BACKUP_NOT_FOUND', 'BACKUP_EXPIRED'].includes(code);
}

/**
 * Notes in the record of a table why its restore failed, so that every proxy shows it. Does nothing while another process is at
 * work on the table, or when it is gone. A later success takes the note away.
 */
export async function noteFailure(
  context: BackupContext,
  to: { readonly keyspace: string; readonly name: string },
  code: string,
): Promise<void> {
  await context.catalog.change((view) => {
    const record = restoringIn(view, to);
    if (record === undefined || record.restore.failure?.code === code) return undefined;
    const nowMs = context.clock.nowMs();
    if (record.claim !== null && record.claim.deadlineMs > nowMs) return undefined;
    const restore = { ...record.restore, failure: { code, atMs: nowMs } };
    return { put: [{ ...record, restore, claim: null }] };
  });
  await context.catalog.refresh();
}

function allRestoring(view: VerifiedRecords): Restoring[] {
  return [...view.records.values()]
    .map(({ record }) => record)
    .filter(
      (record): record is Restoring =>
        record.kind === 'table' && record.state === 'RESTORING' && record.restore !== undefined,
    );
}
