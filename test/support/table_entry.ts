import type { TableEntry, TableKeys } from '../../src/schema/index.ts';

/** An encrypted table without columns, for tests of what only needs its keys. */
export function encryptedTable(tableId: Uint8Array, keys: TableKeys): TableEntry {
  const id = Buffer.from(tableId).toString('hex');
  return {
    keyspace: 'ks',
    name: 't',
    id: '00000000-0000-0000-0000-000000000001',
    tableId,
    recordVersion: 1n,
    kind: 'encrypted',
    error: undefined,
    partitionKey: [],
    clustering: [],
    statics: [],
    regulars: [],
    columns: new Map(),
    allColumns: [],
    dropped: [],
    indexes: [],
    views: [],
    hiddenColumns: new Set(),
    defaultTtl: 0,
    record: {
      format: 1,
      kind: 'table',
      state: 'ACTIVE',
      keyspace: 'ks',
      name: 't',
      cassandraId: '00000000-0000-0000-0000-000000000001',
      tableId: id,
      keys,
      next: null,
      claim: null,
      createdAtMs: 0,
      droppedAtMs: null,
      columns: [],
      dropped: [],
    },
    version: id,
  };
}
