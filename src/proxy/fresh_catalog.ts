import { keyEpoch } from '../schema/index.ts';
import type { Catalog, TableEntry } from '../schema/index.ts';
import type { Session } from './session.ts';
import { StalePlanError } from './stale_plan.ts';

/**
 * Nothing is encrypted, and nothing is read, by a catalog that is too old: keys may be retired meanwhile, and what is written
 * with a retired key cannot be read; or rows are being moved under another key, and a read would miss them. `undefined`, without
 * a promise, while the catalog is young enough.
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

/**
 * To be asked before every request that is sent for a statement, since some send requests for minutes: as
 * {@link freshCatalog}, and the rows of the table are under the same key as when the statement was planned.
 */
export function usableTable(session: Session, table: TableEntry): Promise<void> | undefined {
  const { catalog } = session.services;
  const current = catalog.snapshot().table(table.keyspace, table.name);
  if (current !== table && !isUnderSameKey(current, table)) return Promise.reject(stale());
  return freshCatalog(session, [table]);
}

function isUnderSameKey(current: TableEntry | undefined, table: TableEntry): boolean {
  return (
    current?.kind === table.kind &&
    current.record?.tableId === table.record?.tableId &&
    keyEpoch(current.record) === keyEpoch(table.record)
  );
}

function stale(): StalePlanError {
  return new StalePlanError();
}
