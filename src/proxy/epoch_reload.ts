import type { OpenBatch, TableCipherKeys } from '../crypto/index.ts';
import { CiphertextError } from '../errors/index.ts';
import type { Catalog, TableEntry } from '../schema/index.ts';
import { StalePlanError, tableKeys } from './run_stored.ts';
import type { Session } from './session.ts';

/** A table whose cells have an unknown epoch does not make the catalog be read more often than this. */
const RELOAD_INTERVAL_MS = 1_000;

/** When the catalog was last read for an unknown epoch, by table id; shared by the connections of a catalog. */
const reloads = new WeakMap<
  Catalog,
  Map<string, { readonly atMs: number; readonly done: Promise<void> }>
>();

/**
 * Queues stored values for decryption. Keys are taken here: the lease may have ended while Cassandra worked. A cell of an
 * epoch that this process does not know may be of another proxy that has rotated the table's key: the catalog is read
 * again, once a table and second, and the values are tried once more, under the keys of the table as it is now.
 * @throws CiphertextError when the epoch is still unknown, and for all else that fails authentication
 */
export async function openKnownEpochs<T>(
  session: Session,
  table: TableEntry,
  queue: (batch: OpenBatch, keys: TableCipherKeys) => T,
): Promise<T> {
  const acquired = tableKeys(session, table);
  const keys = acquired instanceof Promise ? await acquired : acquired;
  try {
    return (await session.services.ticks.open((batch) => queue(batch, keys))).queued;
  } catch (error) {
    if (!(error instanceof CiphertextError) || error.code !== 'CIPHERTEXT_EPOCH') throw error;
    await reload(session, table);
    const current = session.services.catalog.snapshot().table(table.keyspace, table.name);
    if (current === undefined || !Buffer.from(current.tableId).equals(table.tableId)) throw error;
    const again = tableKeys(session, current);
    const currentKeys = again instanceof Promise ? await again : again;
    return (await session.services.ticks.open((batch) => queue(batch, currentKeys))).queued;
  }
}

/** Reads the catalog again, or waits for a reading that another request began for the same table a moment ago. */
async function reload(session: Session, table: TableEntry): Promise<void> {
  const { catalog, nowMs } = session.services;
  const known = reloads.get(catalog) ?? new Map<string, { atMs: number; done: Promise<void> }>();
  reloads.set(catalog, known);
  const id = Buffer.from(table.tableId).toString('hex');
  const last = known.get(id);
  if (last !== undefined && Math.abs(nowMs() - last.atMs) < RELOAD_INTERVAL_MS) {
    await last.done;
    return;
  }
  const done = catalog.refresh().then(() => undefined);
  known.set(id, { atMs: nowMs(), done });
  await done;
}

/**
 * Nothing is encrypted by a catalog that is too old: its keys may be retired meanwhile, and what is written with a retired
 * key cannot be read. `undefined`, without a promise, while the catalog is young enough.
 * @throws UpstreamError when the catalog cannot be read; StalePlanError when a table has changed
 */
export function freshCatalog(
  session: Session,
  tables: readonly TableEntry[],
): Promise<void> | undefined {
  const { catalog, catalogMaxAgeMs } = session.services;
  return catalog.ageMs() < catalogMaxAgeMs ? undefined : refreshed(catalog, tables);
}

async function refreshed(catalog: Catalog, tables: readonly TableEntry[]): Promise<void> {
  const snapshot = await catalog.refresh();
  for (const table of tables) {
    if (snapshot.table(table.keyspace, table.name) !== table) throw new StalePlanError();
  }
}
