import type { AuditHead, AuditHeadStore } from '../audit/index.ts';
import { RECORD_KEYSPACE } from '../schema/index.ts';
import type { ControlConnection } from './control_connection.ts';

const TABLE = `${RECORD_KEYSPACE}.audit_heads`;

/** The id is fixed, so that two proxies that make the table at once make one table. */
const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS ${TABLE} (
  cluster blob, process uuid, seq bigint, line_mac blob, head_mac blob, at timestamp,
  PRIMARY KEY (cluster, process)
) WITH ID = 7c1f6f0e-3b5a-4b0e-9a51-6a1d0c0a7e01
  AND comment = 'Heads of the audit logs of cqlock. Authenticated: never edit.'`;

const PUT = `INSERT INTO ${TABLE} (cluster, process, seq, line_mac, head_mac, at) VALUES (?, ?, ?, ?, ?, ?)`;
const LIST = `SELECT process, seq, line_mac, head_mac, at FROM ${TABLE} WHERE cluster = ?`;

/** Heads of audit logs in Cassandra: a row for each process. */
export class CassandraAuditHeads implements AuditHeadStore {
  readonly #connection: ControlConnection;

  constructor(connection: ControlConnection) {
    this.#connection = connection;
  }

  /** See {@link AuditHeadStore.prepare}. */
  async prepare(): Promise<void> {
    if (await this.#exists()) return;
    await this.#connection.execute(CREATE_TABLE, [], { prepare: false });
  }

  /** See {@link AuditHeadStore.put}. */
  async put(clusterId: Uint8Array, head: AuditHead): Promise<void> {
    await this.#connection.execute(
      PUT,
      [
        Buffer.from(clusterId),
        head.processId,
        BigInt(head.seq),
        Buffer.from(head.lineMac),
        Buffer.from(head.headMac),
        new Date(head.atMs),
      ],
      { consistency: 'quorum' },
    );
  }

  /** See {@link AuditHeadStore.list}. */
  async list(clusterId: Uint8Array): Promise<readonly AuditHead[]> {
    if (!(await this.#exists())) return [];
    const { rows } = await this.#connection.execute(LIST, [Buffer.from(clusterId)], {
      consistency: 'quorum',
    });
    return rows.map((row) => ({
      processId: String(row['process']),
      seq: Number(row['seq'] ?? -1),
      lineMac: (row['line_mac'] as Buffer | null) ?? Buffer.alloc(0),
      headMac: (row['head_mac'] as Buffer | null) ?? Buffer.alloc(0),
      atMs: (row['at'] as Date | null)?.getTime() ?? 0,
    }));
  }

  async #exists(): Promise<boolean> {
    const { rows } = await this.#connection.execute(
      'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
      [RECORD_KEYSPACE, 'audit_heads'],
    );
    return rows.length > 0;
  }
}
