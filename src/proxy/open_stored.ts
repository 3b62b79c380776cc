import type { OpenBatch, TableCipherKeys } from '../crypto/index.ts';
import { CiphertextError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { tableKeys } from './run_stored.ts';
import type { Session } from './session.ts';

/**
 * Opens stored values with the keys of their table, taken anew: the lease may have ended while Cassandra worked. A value of
 * an epoch that these keys lack may have been written through another proxy after a change of keys: then it is tried once
 * more with the newest ones.
 * @param queue queues the values; called again for another batch or other keys
 * @throws CiphertextError; the table's own error or the KMS's.
 */
export async function openStored<T>(
  session: Session,
  table: TableEntry,
  queue: (batch: OpenBatch, keys: TableCipherKeys) => T,
): Promise<T> {
  const { ticks } = session.services;
  const acquired = tableKeys(session, table);
  const keys = acquired instanceof Promise ? await acquired : acquired;
  try {
    return (await ticks.open((batch) => queue(batch, keys))).queued;
  } catch (error) {
    if (!(error instanceof CiphertextError) || error.code !== 'CIPHERTEXT_EPOCH') throw error;
    const newer = await session.leases.newer(table, keys);
    if (newer === undefined) throw error;
    return (await ticks.open((batch) => queue(batch, newer))).queued;
  }
}
