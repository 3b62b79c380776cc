import type { TableEntry } from '../schema/index.ts';

/** The proxy's own keyspace. It does not exist for clients. */
export const HIDDEN_KEYSPACE = 'cqlock';

/** Prefix of the columns, types and indexes the proxy adds to user keyspaces. */
export const HIDDEN_PREFIX = 'cqlock_';

/** Whether clients may not see a column, table, type or index of that name. */
export function isHiddenName(name: string): boolean {
  return name.startsWith(HIDDEN_PREFIX);
}

/** Whether clients see its logical types: an encrypted table, also while its rows are moved under a new key. */
export function showsLogicalTypes(table: TableEntry): boolean {
  return table.kind === 'encrypted' || table.record !== undefined;
}
