import { native } from '../values/index.ts';
import type { RawColumn, RawSchema, RawTable, SchemaSource } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';
import type { ControlConnection, ControlResult } from './control_connection.ts';
import { rawRows, textMap, toCqlType } from './raw_cells.ts';

type Row = ControlResult['rows'][number];
type StoredColumn = RawSchema['columns'][number];

/** Tables of system_schema that a snapshot carries, beside those of Cassandra's own that clients read. */
const RAW_TABLES: readonly (readonly [string, string])[] = [
  ['system', 'local'],
  ['system', 'peers'],
  ['system', 'peers_v2'],
  ['system_schema', 'keyspaces'],
  ['system_schema', 'tables'],
  ['system_schema', 'columns'],
  ['system_schema', 'types'],
  ['system_schema', 'indexes'],
  ['system_schema', 'views'],
  ['system_schema', 'functions'],
  ['system_schema', 'aggregates'],
  ['system_schema', 'triggers'],
  ['system_schema', 'dropped_columns'],
  ['system_schema', 'column_masks'],
  ['system_virtual_schema', 'keyspaces'],
  ['system_virtual_schema', 'tables'],
  ['system_virtual_schema', 'columns'],
];

/**
 * Cassandra keeps drop times that no JavaScript date can hold, so they are read as bytes. The columns are those of
 * SELECT *, in its order.
 */
const DROPPED_COLUMNS = 'system_schema.dropped_columns';
const SELECT_DROPPED_COLUMNS = `SELECT keyspace_name, table_name, column_name, timestampAsBlob(dropped_time) AS dropped_time, kind, type FROM ${DROPPED_COLUMNS}`;

const READ_ATTEMPTS = 5;
const AGREEMENT_POLL_MS = 50;

/** Cassandra's schema by the control connection. */
export class CassandraSchemaSource implements SchemaSource {
  readonly #connection: ControlConnection;
  readonly #clock: Clock;
  readonly #agreementTimeoutMs: number;

  constructor(connection: ControlConnection, clock: Clock, agreementTimeoutMs = 20_000) {
    this.#connection = connection;
    this.#clock = clock;
    this.#agreementTimeoutMs = agreementTimeoutMs;
  }

  /** See {@link SchemaSource.readSchema}. Reads again when the schema version moved while reading. */
  async readSchema(): Promise<RawSchema> {
    for (let attempt = 1; ; attempt += 1) {
      const before = await this.#localVersion();
      const results = await this.#readTables();
      const after = await this.#localVersion();
      if (before === after || attempt === READ_ATTEMPTS) return toSchema(after, results);
    }
  }

  /** See {@link SchemaSource.waitForAgreement}. */
  async waitForAgreement(): Promise<boolean> {
    const startedMs = this.#clock.monotonicMs();
    for (;;) {
      const [local, peers] = await Promise.all([
        this.#connection.execute('SELECT schema_version FROM system.local'),
        this.#connection.execute('SELECT schema_version FROM system.peers'),
      ]);
      const versions = new Set(
        [...local.rows, ...peers.rows]
          .map((row) => row['schema_version'])
          .filter((version) => version !== null)
          .map(String),
      );
      if (versions.size <= 1) return true;
      if (this.#clock.monotonicMs() - startedMs > this.#agreementTimeoutMs) return false;
      await new Promise<void>((resolve) => {
        this.#clock.after(AGREEMENT_POLL_MS, resolve);
      });
    }
  }

  async #localVersion(): Promise<string> {
    const result = await this.#connection.execute('SELECT schema_version FROM system.local');
    return String(result.rows[0]?.['schema_version']);
  }

  async #readTables(): Promise<Map<string, ControlResult>> {
    const results = await Promise.all(
      RAW_TABLES.map(async ([keyspace, table]) => {
        const name = `${keyspace}.${table}`;
        const query = name === DROPPED_COLUMNS ? SELECT_DROPPED_COLUMNS : `SELECT * FROM ${name}`;
        return [name, await this.#connection.execute(query)] as const;
      }),
    );
    return new Map(results);
  }
}

function toSchema(schemaVersion: string, results: ReadonlyMap<string, ControlResult>): RawSchema {
  const rows = (name: string): readonly Row[] => results.get(`system_schema.${name}`)?.rows ?? [];
  const columns = rows('columns').map(columnRow);
  const virtualColumns = (results.get('system_virtual_schema.columns')?.rows ?? []).map(columnRow);
  const raw = new Map<string, RawTable>();
  for (const [keyspace, table] of RAW_TABLES) {
    const name = `${keyspace}.${table}`;
    const result = results.get(name);
    if (result === undefined) continue;
    raw.set(name, {
      keyspace,
      name: table,
      columns: rawColumns(keyspace, table, result, [...columns, ...virtualColumns]),
      rows: rawRows(result),
    });
  }
  return {
    schemaVersion,
    keyspaces: rows('keyspaces').map((row) => ({
      name: row['keyspace_name'] as string,
      durableWrites: row['durable_writes'] === true,
      replication: textMap(row['replication']),
    })),
    tables: rows('tables').map((row) => ({
      keyspace: row['keyspace_name'] as string,
      name: row['table_name'] as string,
      id: String(row['id']),
      defaultTtl: (row['default_time_to_live'] as number | null) ?? 0,
    })),
    columns,
    types: rows('types').map((row) => ({
      keyspace: row['keyspace_name'] as string,
      name: row['type_name'] as string,
      fieldNames: (row['field_names'] as string[] | null) ?? [],
      fieldTypes: (row['field_types'] as string[] | null) ?? [],
    })),
    raw,
  };
}

function columnRow(row: Row): StoredColumn {
  const kind = row['kind'] as string;
  const order = row['clustering_order'];
  return {
    keyspace: row['keyspace_name'] as string,
    table: row['table_name'] as string,
    name: row['column_name'] as string,
    kind: kind === 'partition_key' ? 'partition' : (kind as StoredColumn['kind']),
    position: row['position'] as number,
    order: order === 'asc' || order === 'desc' ? order : undefined,
    type: row['type'] as string,
  };
}

function rawColumns(
  keyspace: string,
  table: string,
  result: ControlResult,
  stored: readonly StoredColumn[],
): RawColumn[] {
  const own = new Map(
    stored
      .filter((column) => column.keyspace === keyspace && column.table === table)
      .map((column) => [column.name, column]),
  );
  return result.columns.map((column): RawColumn => {
    const row = own.get(column.name);
    const kind = row?.kind === 'partition' || row?.kind === 'clustering' ? row.kind : 'regular';
    return {
      name: column.name,
      type: column.name === 'dropped_time' ? native('timestamp') : toCqlType(column.type),
      kind,
      position: kind === 'regular' ? 0 : (row?.position ?? 0),
      order: kind === 'clustering' ? (row?.order ?? 'asc') : undefined,
    };
  });
}
