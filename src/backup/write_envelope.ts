import { zero } from '../crypto/index.ts';
import { KeyAccessError, KeyUnavailableError } from '../errors/index.ts';
import type { KeyOwner, WrappedDek } from '../keys/index.ts';
import type { TableKeyRecord, TableKeys } from '../schema/index.ts';
import type { BackupKey } from './backup_key.ts';
import type { BackupContext } from './context.ts';
import { objectHash, sealEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { objectNames } from './target.ts';

/** Epoch of a backup DEK; there is one a backup. */
const BACKUP_EPOCH = 1;

/** The table key with the highest version. */
export function newestTableKey(keys: TableKeys): TableKeyRecord {
  return keys.tableKeys.reduce((newest, key) => (key.version > newest.version ? key : newest));
}

/**
 * Wraps the backup DEK under the table's key, so that another cluster can open the backup by the KMS.
 * @returns `null` when the KMS does not give the table key: the backup is then for its own cluster only
 */
export async function tableWrap(
  context: BackupContext,
  owner: KeyOwner,
  keys: TableKeys,
  backupId: string,
  dek: Uint8Array,
): Promise<WrappedDek | null> {
  const newest = newestTableKey(keys);
  let tableKey: Uint8Array;
  try {
    tableKey = await context.transfer.openTableKey(owner, newest);
  } catch (error) {
    if (error instanceof KeyAccessError || error instanceof KeyUnavailableError) return null;
    throw error;
  }
  try {
    return backupWrap(context, owner, { record: newest, tableKey }, backupId, dek);
  } finally {
    zero(tableKey);
  }
}

/** Wraps the backup DEK under an open table key. */
export function backupWrap(
  context: BackupContext,
  owner: KeyOwner,
  key: { readonly record: TableKeyRecord; readonly tableKey: Uint8Array },
  backupId: string,
  dek: Uint8Array,
): WrappedDek {
  const about = {
    structure: 'backup' as const,
    epoch: BACKUP_EPOCH,
    dekId: backupId,
    tableKeyVersion: key.record.version,
  };
  return context.transfer.wrap(owner, key.tableKey, about, dek);
}

/** Stores an envelope under its generation; it comes into force when the catalog names it. */
export async function putEnvelope(
  context: BackupContext,
  key: BackupKey,
  envelope: Envelope,
): Promise<{ readonly generation: number; readonly hash: string }> {
  const object = sealEnvelope(key, envelope);
  const { backupId, generation } = envelope;
  await context.target.put(objectNames.envelope(backupId, generation), object);
  return { generation, hash: objectHash(object) };
}

/** Removes envelopes that are not in force any more: they hold wraps under keys that are given up. */
export async function removeOtherEnvelopes(
  context: BackupContext,
  backupId: string,
  generation: number,
): Promise<void> {
  const inForce = objectNames.envelope(backupId, generation);
  for (const name of await context.target.list(objectNames.envelopes(backupId))) {
    if (name !== inForce) await context.target.delete(name);
  }
}
