/** The proxy's own keyspace. It does not exist for clients. */
export const HIDDEN_KEYSPACE = 'cqlock';

/** Prefix of the columns, types and indexes the proxy adds to user keyspaces. */
export const HIDDEN_PREFIX = 'cqlock_';

/** Whether clients may not see a column, table, type or index of that name. */
export function isHiddenName(name: string): boolean {
  return name.startsWith(HIDDEN_PREFIX);
}
