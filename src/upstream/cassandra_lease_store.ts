import { RECORD_KEYSPACE } from '../schema/index.ts';
import type { LeaseStore } from '../schema/index.ts';
import type { ControlConnection } from './control_connection.ts';

const TABLE = `${RECORD_KEYSPACE}.leases`;

/** Makes the table of leases; does nothing when it is there. */
export const CREATE_LEASES = `CREATE TABLE IF NOT EXISTS ${TABLE} (name text PRIMARY KEY, body blob)
  WITH comment = 'Which proxy does which work. Authenticated: never edit.'`;

/** Leases of proxies in Cassandra: one row for each work, changed by lightweight transactions. */
export class CassandraLeaseStore implements LeaseStore {
  readonly #connection: ControlConnection;
  #isThere = false;

  constructor(connection: ControlConnection) {
    this.#connection = connection;
  }

  /** See {@link LeaseStore.read}. The first call makes the table where an older version ran `init`. */
  async read(name: string): Promise<Uint8Array | undefined> {
    await this.#create();
    const result = await this.#connection.execute(
      `SELECT body FROM ${TABLE} WHERE name = ?`,
      [name],
      { consistency: 'serial' },
    );
    return (result.rows[0]?.['body'] as Buffer | null | undefined) ?? undefined;
  }

  /** See {@link LeaseStore.replace}. */
  async replace(
    name: string,
    expected: Uint8Array | undefined,
    next: Uint8Array,
  ): Promise<boolean> {
    const before = expected === undefined ? null : Buffer.from(expected);
    return await this.#connection.executeConditionalBatch([
      {
        query: `UPDATE ${TABLE} SET body = ? WHERE name = ? IF body = ?`,
        params: [Buffer.from(next), name, before],
      },
    ]);
  }

  async #create(): Promise<void> {
    if (this.#isThere) return;
    const found = await this.#connection.execute(
      'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
      [RECORD_KEYSPACE, 'leases'],
    );
    if (found.rows.length === 0) {
      await this.#connection.execute(CREATE_LEASES, [], { prepare: false });
    }
    this.#isThere = true;
  }
}
