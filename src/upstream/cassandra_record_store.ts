import { UpstreamError } from '../errors/index.ts';
import { RECORD_KEYSPACE } from '../schema/index.ts';
import type {
  RecordChange,
  RecordPartition,
  RecordStore,
  RootChange,
  StoredRecord,
} from '../schema/index.ts';
import { CREATE_LEASES } from './cassandra_lease_store.ts';
import type { ControlConnection, ControlStatement } from './control_connection.ts';

const TABLE = `${RECORD_KEYSPACE}.records`;

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS ${TABLE} (
  cluster blob, table_id blob,
  root blob STATIC, root_version bigint STATIC, root_mac blob STATIC,
  version bigint, body blob, mac blob,
  PRIMARY KEY (cluster, table_id)
) WITH comment = 'Records and root of cqlock. Authenticated: never edit.' AND gc_grace_seconds = 864000`;

const UPDATE_ROOT = `UPDATE ${TABLE} SET root = ?, root_version = ?, root_mac = ? WHERE cluster = ? IF root_version = ?`;
const UPDATE_RECORD = `UPDATE ${TABLE} SET version = ?, body = ?, mac = ? WHERE cluster = ? AND table_id = ? IF version = ?`;
const DELETE_RECORD = `DELETE FROM ${TABLE} WHERE cluster = ? AND table_id = ? IF version = ?`;

/** Records and root in Cassandra: one partition of `cqlock.records` for each cluster. */
export class CassandraRecordStore implements RecordStore {
  readonly #connection: ControlConnection;

  constructor(connection: ControlConnection) {
    this.#connection = connection;
  }

  /** See {@link RecordStore.exists}. */
  async exists(): Promise<boolean> {
    const result = await this.#connection.execute(
      'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
      [RECORD_KEYSPACE, 'records'],
    );
    return result.rows.length > 0;
  }

  /** See {@link RecordStore.create}. */
  async create(): Promise<void> {
    const { rows } = await this.#connection.execute(
      'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
      [RECORD_KEYSPACE],
    );
    // Where it is there already, no permission to make keyspaces is asked for.
    if (rows.length === 0) {
      await this.#connection.execute(
        `CREATE KEYSPACE IF NOT EXISTS ${RECORD_KEYSPACE} WITH replication = ${await this.#replication()}`,
        [],
        { prepare: false },
      );
    }
    await this.#connection.execute(CREATE_TABLE, [], { prepare: false });
    // Here too, so that no schema change comes after the first start.
    await this.#connection.execute(CREATE_LEASES, [], { prepare: false });
  }

  /** See {@link RecordStore.clusterIds}. */
  async clusterIds(): Promise<readonly Uint8Array[]> {
    const result = await this.#connection.execute(
      `SELECT DISTINCT cluster, root_version FROM ${TABLE}`,
      [],
      { consistency: 'quorum' },
    );
    return result.rows
      .filter((row) => row['root_version'] !== null)
      .map((row) => row['cluster'] as Buffer);
  }

  /** See {@link RecordStore.readAll}. */
  async readAll(clusterId: Uint8Array): Promise<RecordPartition> {
    const result = await this.#connection.execute(
      `SELECT table_id, root, root_version, root_mac, version, body, mac FROM ${TABLE} WHERE cluster = ?`,
      [Buffer.from(clusterId)],
      { consistency: 'serial' },
    );
    const first = result.rows[0];
    const version = first?.['root_version'];
    const records: StoredRecord[] = [];
    for (const row of result.rows) {
      if (row['table_id'] === null) continue;
      records.push({
        recordId: row['table_id'] as Buffer,
        version: (row['version'] as bigint | null) ?? -1n,
        body: (row['body'] as Buffer | null) ?? Buffer.alloc(0),
        mac: (row['mac'] as Buffer | null) ?? Buffer.alloc(0),
      });
    }
    return {
      root:
        typeof version === 'bigint'
          ? {
              version,
              bytes: (first?.['root'] as Buffer | null) ?? Buffer.alloc(0),
              mac: (first?.['root_mac'] as Buffer | null) ?? Buffer.alloc(0),
            }
          : undefined,
      records,
    };
  }

  /** See {@link RecordStore.change}. */
  async change(
    clusterId: Uint8Array,
    root: RootChange,
    records: readonly RecordChange[],
  ): Promise<'applied' | 'conflict'> {
    const statements = changeStatements(Buffer.from(clusterId), root, records);
    try {
      const applied = await this.#connection.executeConditionalBatch(statements);
      return applied ? 'applied' : await this.#outcome(clusterId, root);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      // The outcome is unknown. A SERIAL read finishes or supersedes what is under way.
      return await this.#outcome(clusterId, root);
    }
  }

  /** Root bytes hold version and hashes of all records, so equal bytes mean that exactly this change was applied. */
  async #outcome(clusterId: Uint8Array, root: RootChange): Promise<'applied' | 'conflict'> {
    const { root: current } = await this.readAll(clusterId);
    return current !== undefined && Buffer.from(root.next.bytes).equals(current.bytes)
      ? 'applied'
      : 'conflict';
  }

  /** NetworkTopologyStrategy with three replicas in every data centre that has three nodes, else one for each node. */
  async #replication(): Promise<string> {
    const local = await this.#connection.execute('SELECT data_center FROM system.local');
    const peers = await this.#connection.execute('SELECT data_center FROM system.peers');
    const nodes = new Map<string, number>();
    for (const row of [...local.rows, ...peers.rows]) {
      const name = row['data_center'];
      if (typeof name === 'string') nodes.set(name, (nodes.get(name) ?? 0) + 1);
    }
    const factors = [...nodes].map(
      ([name, count]) => `'${name.replaceAll("'", "''")}': ${Math.min(3, count)}`,
    );
    return `{'class': 'NetworkTopologyStrategy', ${factors.join(', ')}}`;
  }
}

function changeStatements(
  cluster: Buffer,
  root: RootChange,
  records: readonly RecordChange[],
): ControlStatement[] {
  const { next } = root;
  return [
    {
      query: UPDATE_ROOT,
      params: [
        Buffer.from(next.bytes),
        next.version,
        Buffer.from(next.mac),
        cluster,
        root.expectedVersion ?? null,
      ],
    },
    ...records.map((record): ControlStatement => {
      const key = [cluster, Buffer.from(record.recordId), record.expectedVersion ?? null];
      if (record.next === undefined) return { query: DELETE_RECORD, params: key };
      return {
        query: UPDATE_RECORD,
        params: [
          record.next.version,
          Buffer.from(record.next.body),
          Buffer.from(record.next.mac),
          ...key,
        ],
      };
    }),
  ];
}
