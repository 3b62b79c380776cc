import type { AuditHead, AuditHeadStore, AuditStart, AuditStartStore } from '../audit/index.ts';
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

const STARTS = `${RECORD_KEYSPACE}.audit_starts`;

const CREATE_STARTS = `CREATE TABLE IF NOT EXISTS ${STARTS} (
  cluster blob, process uuid, seq bigint, last_mac blob, start_mac blob,
  PRIMARY KEY (cluster, process)
) WITH ID = 7c1f6f0e-3b5a-4b0e-9a51-6a1d0c0a7e02
  AND comment = 'Start points of pruned audit logs of cqlock. Authenticated: never edit.'`;

/** Heads and start points of audit logs in Cassandra: a row for each process. */
export class CassandraAuditHeads implements AuditHeadStore, AuditStartStore {
  readonly #connection: ControlConnection;

  constructor(connection: ControlConnection) {
    this.#connection = connection;
  }

  /** See {@link AuditHeadStore.prepare}. */
  async prepare(): Promise<void> {
    if (await this.#exists('audit_heads')) return;
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
    if (!(await this.#exists('audit_heads'))) return [];
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

  /** See {@link AuditStartStore.listStarts}. */
  async listStarts(clusterId: Uint8Array): Promise<readonly AuditStart[]> {
    if (!(await this.#exists('audit_starts'))) return [];
    const { rows } = await this.#connection.execute(
      `SELECT process, seq, last_mac, start_mac FROM ${STARTS} WHERE cluster = ?`,
      [Buffer.from(clusterId)],
      { consistency: 'quorum' },
    );
    return rows.map((row) => ({
      processId: String(row['process']),
      seq: Number(row['seq'] ?? -1),
      lastMac: (row['last_mac'] as Buffer | null) ?? Buffer.alloc(0),
      startMac: (row['start_mac'] as Buffer | null) ?? Buffer.alloc(0),
    }));
  }

  /** See {@link AuditStartStore.putStart}. */
  async putStart(clusterId: Uint8Array, start: AuditStart): Promise<void> {
    if (!(await this.#exists('audit_starts'))) {
      await this.#connection.execute(CREATE_STARTS, [], { prepare: false });
    }
    const { processId, seq, lastMac, startMac } = start;
    await this.#connection.execute(
      `INSERT INTO ${STARTS} (cluster, process, seq, last_mac, start_mac) VALUES (?, ?, ?, ?, ?)`,
      [Buffer.from(clusterId), processId, BigInt(seq), Buffer.from(lastMac), Buffer.from(startMac)],
      { consistency: 'quorum' },
    );
  }

  /** See {@link AuditStartStore.forget}. The head goes first: without it a start point alone still verifies. */
  async forget(clusterId: Uint8Array, processId: string): Promise<void> {
    for (const table of [TABLE, STARTS]) {
      await this.#connection.execute(
        `DELETE FROM ${table} WHERE cluster = ? AND process = ?`,
        [Buffer.from(clusterId), processId],
        { consistency: 'quorum' },
      );
    }
  }

  async #exists(table: string): Promise<boolean> {
    const { rows } = await this.#connection.execute(
      'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
      [RECORD_KEYSPACE, table],
    );
    return rows.length > 0;
  }
}
