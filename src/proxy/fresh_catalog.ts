import type { Catalog, TableEntry } from '../schema/index.ts';
import { StalePlanError } from './run_stored.ts';
import type { Session } from './session.ts';

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
