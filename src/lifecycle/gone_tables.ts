import { isGone } from '../schema/index.ts';
import type { TableRecord } from '../schema/index.ts';
import {
  afterBackupEnded,
  afterDrop,
  beforeBackupEnds,
  isBackupOver,
} from './access_transitions.ts';
import { editRecords } from './loss_context.ts';
import type { LossContext, RecordEdit } from './loss_context.ts';
import type { BackupPort } from './ports.ts';

/** What the care for dropped tables works with. */
export interface GoneContext extends LossContext {
  readonly backup: Pick<BackupPort, 'deleteExpired'>;
}

/**
 * Ends backups whose time is over, of all tables, and looks after the records of tables that are gone: their backups end after 35 days. Their keys and grants are given back
 * by the recovery of schema changes, after 42.
 */
export async function settleGoneTables(
  context: GoneContext,
  records: readonly TableRecord[],
): Promise<void> {
  const gone = records.filter(isGone);
  await context.step('loss.gone');
  await editAll(context, gone, afterDrop);
  await editAll(context, gone, beforeBackupEnds);
  await endBackups(context, gone);
}

async function endBackups(context: GoneContext, gone: readonly TableRecord[]): Promise<void> {
  const nowMs = context.clock.nowMs();
  const over = gone.filter((record) => isBackupOver(record, nowMs));
  if (over.length > 0) await context.step('loss.backup_expired');
  const kept = await context.backup.deleteExpired(nowMs);
  // What could not be deleted is there until a later round: nobody is told before that it is gone.
  const ended = over.filter((record) => !kept.has(record.access?.backup?.id ?? ''));
  if (ended.length === 0) return;
  await context.step('loss.backup_deleted');
  await editAll(context, ended, afterBackupEnded);
}

/** Edits only where the record, as it was read, would change: most rounds change nothing and write nothing. */
async function editAll(
  context: GoneContext,
  records: readonly TableRecord[],
  edit: RecordEdit,
): Promise<void> {
  const { clock, dropAfterMs, channels } = context;
  const step = { nowMs: clock.nowMs(), dropAfterMs, channels };
  const due = records.filter((record) => edit(record, step) !== undefined);
  if (due.length === 0) return;
  await editRecords(context, new Map(due.map((record) => [record.tableId, edit])));
}
