import { UnsupportedStatementError } from '../errors/index.ts';
import type { RawTable, Snapshot } from '../schema/index.ts';
import { assertNever } from '../util/index.ts';
import type { EncryptionStatus } from './encryption/encryption_status.ts';
import { ENCRYPTION_KEYSPACE, encryptionTable } from './encryption/encryption_tables.ts';
import { encryptionSchemaRows, virtualSchemaRows } from './encryption/schema_rows.ts';
import type { OwnTable } from './encryption/schema_rows.ts';
import { HIDDEN_KEYSPACE } from './hidden.ts';
import { inetBytes } from './identity.ts';
import type { ProxyIdentity } from './identity.ts';
import { MCS_KEYSPACE, MCS_TABLES, mcsColumns, mcsRows, mcsSource } from './mcs_tables.ts';
import { systemTableRule } from './policy.ts';
import { readTable } from './read_table.ts';
import { logicalSchemaRows, withoutHiddenKeyspace } from './schema_rows.ts';
import type { VirtualRow, VirtualTable } from './virtual_table.ts';

/** Where the contents of Cassandra's system tables come from. */
export interface SystemTablesSource {
  /** The cached contents as the control connection read them; `undefined` when they are not held. */
  raw(keyspace: string, table: string): RawTable | undefined;
  snapshot(): Snapshot;
  /** What `system_encryption` shows; the keyspace does not exist without it. */
  readonly encryption?: EncryptionStatus;
}

/** The system keyspaces as clients see them. */
export class SystemTables {
  readonly #source: SystemTablesSource;
  /** Rows by table, kept as long as snapshot and raw table are the same objects. */
  readonly #rows = new Map<
    string,
    { readonly raw: RawTable; readonly snapshot: Snapshot; readonly rows: readonly VirtualRow[] }
  >();

  constructor(source: SystemTablesSource) {
    this.#source = source;
  }

  /**
   * What answers a SELECT on the table: a table in memory, Cassandra, or `undefined` if there is no such table. The result
   * shows `identity` and must not be given to another connection; its rows are those of the moment they are read.
   * @throws UnsupportedStatementError for tables whose rows would show what is hidden.
   */
  resolve(
    keyspace: string,
    table: string,
    identity: ProxyIdentity,
  ): VirtualTable | 'passthrough' | undefined {
    const { encryption } = this.#source;
    if (keyspace === ENCRYPTION_KEYSPACE) {
      return encryption && encryptionTable(table, () => this.#source.snapshot(), encryption);
    }
    if (keyspace === MCS_KEYSPACE) return this.#mcsTable(table);
    const rule = systemTableRule(keyspace, table);
    if (keyspace === HIDDEN_KEYSPACE) return undefined;
    const raw = this.#source.raw(keyspace, table);
    switch (rule.kind) {
      case 'unknown':
        return undefined;
      case 'passthrough':
        return 'passthrough';
      case 'refused':
        throw refused(keyspace, table, rule.reason);
      case 'schema':
        return raw && this.#table(raw, (now) => this.#cached(now, logicalSchemaRows));
      case 'filtered':
        if (raw === undefined) {
          if (keyspace === 'system_virtual_schema') return undefined;
          return readTable(this.#source, keyspace, table);
        }
        return this.#table(raw, (now) => this.#cached(now, (held) => this.#filtered(held)));
      case 'empty':
        if (raw === undefined) throw refused(keyspace, table, 'it lists nodes behind the proxy');
        return this.#table(raw, () => []);
      case 'local':
        return (
          raw && this.#table(raw, (now) => now.rows.map((row) => localRow(now, row, identity)))
        );
      default:
        return assertNever(rule);
    }
  }

  /** Cassandra's rows without the hidden ones; in system_virtual_schema with the proxy's own virtual tables. */
  #filtered(raw: RawTable): VirtualRow[] {
    const visible = withoutHiddenKeyspace(raw);
    const isSchema = raw.keyspace === 'system_virtual_schema';
    if (!isSchema || this.#source.encryption === undefined) return visible;
    return [
      ...encryptionSchemaRows(raw),
      ...virtualSchemaRows(raw, MCS_KEYSPACE, this.#mcsTables()),
      ...visible,
    ];
  }

  /** The tables of system_schema_mcs, by name. */
  #mcsTables(): OwnTable[] {
    return MCS_TABLES.flatMap((name) => {
      const source = this.#source.raw('system_schema', name);
      const comment = `${name} of system_schema, with custom properties`;
      return source === undefined ? [] : [{ name, comment, columns: mcsColumns(source) }];
    });
  }

  /** A table of system_schema_mcs, made of one of system_schema. */
  #mcsTable(name: string): VirtualTable | undefined {
    const source = mcsSource(name);
    const planned = source === undefined ? undefined : this.#source.raw('system_schema', source);
    if (planned === undefined) return undefined;
    return {
      keyspace: MCS_KEYSPACE,
      name,
      columns: mcsColumns(planned),
      filtersFreely: false,
      rows: () => {
        const now = this.#source.raw('system_schema', planned.name) ?? planned;
        // An upgrade of Cassandra may change the columns: then the statement is planned again next time.
        return mcsRows(sameColumns(now, planned) ? now : planned, this.#source.snapshot());
      },
    };
  }

  #table(planned: RawTable, rowsOf: (now: RawTable) => readonly VirtualRow[]): VirtualTable {
    const { keyspace, name, columns } = planned;
    return {
      keyspace,
      name,
      columns,
      filtersFreely: keyspace === 'system_virtual_schema' || keyspace === 'system_views',
      rows: () => {
        const now = this.#source.raw(keyspace, name) ?? planned;
        return sameColumns(now, planned) ? rowsOf(now) : aligned(planned, now, rowsOf(now));
      },
    };
  }

  #cached(
    raw: RawTable,
    make: (table: RawTable, snapshot: Snapshot) => VirtualRow[],
  ): readonly VirtualRow[] {
    const key = `${raw.keyspace}.${raw.name}`;
    const snapshot = this.#source.snapshot();
    const held = this.#rows.get(key);
    if (held?.raw === raw && held.snapshot === snapshot) return held.rows;
    const rows = make(raw, snapshot);
    this.#rows.set(key, { raw, snapshot, rows });
    return rows;
  }
}

function refused(keyspace: string, table: string, reason: string): UnsupportedStatementError {
  return new UnsupportedStatementError(
    `The table ${keyspace}.${table} cannot be read through the proxy: ${reason}`,
  );
}

function sameColumns(a: RawTable, b: RawTable): boolean {
  return (
    a === b ||
    (a.columns.length === b.columns.length &&
      a.columns.every((column, index) => column.name === b.columns[index]?.name))
  );
}

/** Cells by the columns a statement was planned with: an upgrade of Cassandra may change its system tables. */
function aligned(planned: RawTable, now: RawTable, rows: readonly VirtualRow[]): VirtualRow[] {
  const indexes = planned.columns.map((column) =>
    now.columns.findIndex((other) => other.name === column.name),
  );
  return rows.map((row) => indexes.map((index) => row[index] ?? null));
}

/** The row of system.local with the proxy in the node's place. */
function localRow(table: RawTable, row: VirtualRow, identity: ProxyIdentity): VirtualRow {
  const address = inetBytes(identity.listenAddress);
  const port = Buffer.alloc(4);
  port.writeInt32BE(identity.listenPort);
  return table.columns.map((column, index) => {
    switch (column.name) {
      case 'rpc_address':
      case 'listen_address':
      case 'broadcast_address':
        return address;
      case 'rpc_port':
        return port;
      case 'host_id':
        return identity.hostId;
      case 'schema_version':
        return identity.schemaVersion;
      case 'native_protocol_version':
        return Buffer.from('4', 'utf8');
      // Its keys are ids of tables, those of the hidden keyspace among them.
      case 'truncated_at':
        return null;
      default:
        return row[index] ?? null;
    }
  });
}
