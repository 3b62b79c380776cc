import { zero } from '../crypto/index.ts';
import { BackupError } from '../errors/index.ts';
import { zeroDeks } from '../keys/index.ts';
import type { BackupRecord, TableKeys, VerifiedRecords } from '../schema/index.ts';
import { unwrapUnderCatalog } from './backup_key.ts';
import { backupRecord, backupsIn } from './backup_records.ts';
import type { BackupContext } from './context.ts';
import { keyArnsOf } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { loadBackup, originOf } from './load_backup.ts';
import { backupWrap, newestTableKey, putEnvelope, removeOtherEnvelopes } from './write_envelope.ts';

/**
 * Writes the key envelopes of all backups of a table anew under its newest table key; to be called when that is durable in the
 * record and the old KMS key still opens the old ones. Can be repeated: envelopes that are up to date stay.
 * @param tableId hex
 * @returns how many were written
 * @throws KeyAccessError, KeyUnavailableError when a KMS key cannot be used; then the old key is still needed
 */
export async function rewrapEnvelopes(context: BackupContext, tableId: string): Promise<number> {
  const view = await context.catalog.readRecords();
  const table = view.records.get(tableId)?.record;
  if (table?.kind !== 'table' || table.keys === null) {
    throw new BackupError('BACKUP_STATE', `there is no table ${tableId} with keys`);
  }
  let count = 0;
  for (const record of backupsIn(view)) {
    if (record.tableId !== tableId || record.state === 'DELETING') continue;
    if (await rewrapEnvelope(context, record.backupId, table.keys)) count += 1;
  }
  return count;
}

/**
 * Writes the key envelope of one backup anew under the newest table key of `keys`.
 * @returns false when it is up to date
 */
export async function rewrapEnvelope(
  context: BackupContext,
  backupId: string,
  keys: TableKeys,
): Promise<boolean> {
  const view = await context.catalog.readRecords();
  const record = backupRecord(view, backupId);
  const loaded = await loadBackup(context, view, record);
  try {
    const newest = newestTableKey(keys);
    const isCurrent =
      JSON.stringify(loaded.envelope.keys.tableKeys) === JSON.stringify([newest]) &&
      loaded.envelope.backupDek.tableWrapped?.tableKeyVersion === newest.version;
    if (isCurrent) return false;
    const envelope = await rewrapped(context, view, record, loaded.envelope, keys);
    await context.step('rewrap.envelope');
    const inForce = await putEnvelope(context, loaded.key, envelope);
    await context.step('rewrap.record');
    await context.catalog.change((latest) => {
      const current = backupRecord(latest, backupId);
      if (current.envelope.generation !== record.envelope.generation) {
        throw new BackupError(
          'BACKUP_STATE',
          `the key envelope of backup ${backupId} is being written by another process; try again`,
        );
      }
      return { put: [{ ...current, envelope: inForce, keyArns: keyArnsOf(envelope.keys) }] };
    });
    await context.step('rewrap.clean');
    await removeOtherEnvelopes(context, backupId, inForce.generation);
    return true;
  } finally {
    loaded.key.dispose();
  }
}

/** DEKs keep their ids and epochs: also those that the table itself has given up, as cells of the backup name them. */
async function rewrapped(
  context: BackupContext,
  view: VerifiedRecords,
  record: BackupRecord,
  envelope: Envelope,
  keys: TableKeys,
): Promise<Envelope> {
  const { transfer } = context;
  const owner = originOf(envelope);
  const newest = newestTableKey(keys);
  const deks = await transfer.openDeks(owner, envelope.keys.tableKeys, envelope.keys.deks);
  try {
    const tableKey = await transfer.openTableKey(owner, newest);
    const backupDek = unwrapUnderCatalog(
      view.keys.backup,
      {
        clusterId: view.clusterId,
        tableId: owner.tableId,
        backupId: Buffer.from(record.backupId, 'hex'),
      },
      Buffer.from(envelope.backupDek.catalogWrapped, 'hex'),
    );
    try {
      const tableKeyVersion = newest.version;
      return {
        ...envelope,
        generation: record.envelope.generation + 1,
        keys: {
          provider: keys.provider,
          keyArn: newest.keyArn,
          serviceOwned: keys.serviceOwned,
          tableKeys: [newest],
          deks: deks.map(({ from, dek }) =>
            transfer.wrap(owner, tableKey, { ...from, tableKeyVersion }, dek),
          ),
          minEpoch: envelope.keys.minEpoch,
        },
        backupDek: {
          ...envelope.backupDek,
          tableWrapped: backupWrap(
            context,
            owner,
            { record: newest, tableKey },
            record.backupId,
            backupDek,
          ),
        },
      };
    } finally {
      zero(tableKey);
      zero(backupDek);
    }
  } finally {
    zeroDeks(deks);
  }
}
