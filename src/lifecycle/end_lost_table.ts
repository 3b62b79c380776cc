import { InternalError, KeyUnavailableError } from '../errors/index.ts';
import { accessState, isGone } from '../schema/index.ts';
import type { TableRecord } from '../schema/index.ts';
import {
  afterBackup,
  afterBackupAged,
  afterDrop,
  afterProbe,
  isBackupAged,
} from './access_transitions.ts';
import type { KeyProbe } from './key_probe.ts';
import { editRecords, entryOf } from './loss_context.ts';
import type { LossContext, RecordEdit } from './loss_context.ts';
import type { BackupPort, DropPort } from './ports.ts';

/** What the end of a table works with. */
export interface EndContext extends LossContext {
  readonly probe: Pick<KeyProbe, 'probe'>;
  readonly backup: BackupPort;
  readonly drop: DropPort;
  /** How long a table is closed before it is backed up: until then every proxy has seen that it is. */
  readonly settleMs: number;
  /** Whether the process is about to end; nothing new is begun then. */
  readonly isStopped: () => boolean;
}

/**
 * Brings a table whose time has run out to its end: backup, verified; a refusal of this very moment; drop. Every step is
 * found again by its state after a crash. It stops where it must wait, and is called again in the next round.
 */
export async function endLostTable(context: EndContext, found: TableRecord): Promise<void> {
  let record: TableRecord | undefined = found;
  if (accessState(record) === 'BACKING_UP') record = await backUp(context, record);
  if (record === undefined || context.isStopped()) return;
  if (accessState(record) === 'DROPPING') await drop(context, record);
}

async function backUp(context: EndContext, record: TableRecord): Promise<TableRecord | undefined> {
  const { access } = record;
  if (context.clock.nowMs() < (access?.stateSinceMs ?? 0) + context.settleMs) return undefined;
  const table = entryOf(context, record);
  if (table === undefined) {
    context.logger.error(
      { table: `${record.keyspace}.${record.name}` },
      'a table whose key is lost does not verify, so it is neither backed up nor dropped',
    );
    return undefined;
  }
  await context.step('loss.backup');
  const made = await context.backup.backupTable(table);
  if ((made.verified as unknown) !== true || made.backupId === '') {
    throw new InternalError(`the backup of ${table.keyspace}.${table.name} is not verified`);
  }
  await context.step('loss.backup_verified');
  return await edit(context, record, (current, step) => afterBackup(current, made, step));
}

async function drop(context: EndContext, record: TableRecord): Promise<void> {
  if (!isGone(record)) {
    if (isBackupAged(record, context.clock.nowMs())) {
      await context.step('loss.backup_aged');
      await edit(context, record, afterBackupAged);
      return;
    }
    await context.step('loss.drop_probe');
    const verdict = await context.probe.probe(record);
    if (verdict.kind !== 'refused') {
      await edit(context, record, (current, step) => afterProbe(current, verdict, step));
      if (verdict.kind === 'usable') return;
      throw new KeyUnavailableError(
        'KEY_DROP_UNPROVEN',
        `table ${record.keyspace}.${record.name} is not dropped as long as the KMS does not refuse its key: ${verdict.error.message}`,
      );
    }
    const table = entryOf(context, record);
    if (table?.record === undefined || accessState(table.record) !== 'DROPPING') return;
    await context.step('loss.drop');
    await context.drop.dropTable(table);
  }
  await context.step('loss.dropped');
  await edit(context, record, afterDrop);
}

async function edit(
  context: EndContext,
  record: TableRecord,
  change: RecordEdit,
): Promise<TableRecord | undefined> {
  const [changed] = await editRecords(context, new Map([[record.tableId, change]]));
  return changed;
}
