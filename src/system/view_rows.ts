import { quoteIdentifier } from '../cql/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';

/** What a stored column of a view is to clients: another name, as it is, or nothing. */
export function shownColumn(view: TableEntry, stored: string): ColumnEntry | undefined {
  for (const column of [...view.partitionKey, ...view.clustering]) {
    if (column.storedName === stored) return column;
  }
  const column = view.columns.get(stored);
  // The cell beside a key column of the same name is the proxy's.
  return column?.storedName === undefined ? column : undefined;
}

/** The WHERE clause of a view as Cassandra writes it. */
export function viewWhere(view: TableEntry): string {
  const names = new Map(
    (view.view?.base.allColumns ?? []).map(({ id, name }) => [
      Buffer.from(id).toString('hex'),
      name,
    ]),
  );
  return (view.view?.record.notNull ?? [])
    .map((id) => `${quoteIdentifier(names.get(id) ?? '')} IS NOT NULL`)
    .join(' AND ');
}
