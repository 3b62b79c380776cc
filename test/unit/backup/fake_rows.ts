/** A table of ciphertext without a Cassandra: answers the reads of a backup, and takes the writes of a restore. */
import type { BackupPorts } from '../../../src/backup/index.ts';
import { SealBatch } from '../../../src/crypto/index.ts';
import { columnContext } from '../../../src/encryption/index.ts';
import { KmsTableKeys } from '../../../src/keys/index.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { TWO_COLUMNS } from '../../support/memory_cluster.ts';
import type { MemoryCluster } from '../../support/memory_cluster.ts';

type Row = Record<string, unknown>;

/** A statement that a restore wrote. */
export interface Written {
  readonly query: string;
  readonly params: readonly unknown[];
}

/** Rows of the table `pk`, `v` of {@link TWO_COLUMNS}, encrypted under its keys. */
export async function sealedRows(
  cluster: MemoryCluster,
  table: TableEntry,
  clusterId: Uint8Array,
  count: number,
): Promise<Row[]> {
  const keys = await new KmsTableKeys(cluster.kms).open(table, clusterId);
  const [pk, v] = [table.partitionKey[0], table.regulars[0]];
  if (pk === undefined || v === undefined) throw new Error('another table was expected');
  const rows: Row[] = [];
  for (let i = 0; i < count; i += 1) {
    const batch = new SealBatch();
    const value = Buffer.alloc(4);
    value.writeInt32BE(i);
    const partition = batch.partition(keys, [{ context: columnContext(table, pk), value }]);
    const row = batch.row(partition, []);
    const cell = batch.cell(row, columnContext(table, v), Buffer.from(`value ${i}`));
    batch.run();
    rows.push({
      p0: Buffer.from(batch.partitionComponents(partition)[0] as Uint8Array),
      c0: Buffer.from(batch.cellBytes(cell)),
      w0: BigInt(1000 + i),
      t0: i % 10 === 0 ? 5000 : null,
    });
  }
  keys.dispose();
  return rows;
}

/** A connection that serves rows by pages. */
export function fakeConnection(
  cluster: MemoryCluster,
  rows: readonly Row[],
  written: Written[] = [],
): BackupPorts['connection'] {
  return {
    execute: async (query) => {
      if (query.startsWith('DESCRIBE')) {
        return {
          rows: [{ create_statement: "CREATE TABLE x (\n    pk blob\n) WITH comment = 'c';" }],
          columns: [],
        };
      }
      const created = /^CREATE TABLE "?ks"?\."?(\w+)"? .* WITH ID = (\S+) AND comment = 'c'$/.exec(
        query,
      );
      if (created !== null) cluster.createTable(created[1] ?? '', created[2], TWO_COLUMNS);
      return { rows: [], columns: [] };
    },
    page: async (_query, _params, { fetchSize, state }) => {
      const from = state === undefined ? 0 : parseInt(state, 16);
      const to = Math.min(rows.length, from + Math.min(fetchSize, 7));
      const next = to === rows.length ? undefined : to.toString(16).padStart(8, '0');
      return { rows: rows.slice(from, to), columns: [], next };
    },
    writePartition: async (statements) => {
      written.push(...statements);
    },
    executeUnlogged: async (statements) => {
      written.push(...statements);
    },
  };
}
