import { accessState } from '../../schema/index.ts';
import type { Snapshot, TableEntry } from '../../schema/index.ts';
import { native } from '../../values/index.ts';
import type { CqlType, NativeTypeName } from '../../values/index.ts';
import type { VirtualColumn, VirtualRow, VirtualTable } from '../virtual_table.ts';
import type { Cell } from './cells.ts';
import {
  bigintCell,
  booleanCell,
  dateCell,
  doubleCell,
  intCell,
  textCell,
  textMapCell,
  timestampCell,
  uuidCell,
} from './cells.ts';
import type { AuditRow, EncryptionStatus, JobRow } from './encryption_status.ts';

/** The proxy's own keyspace of virtual tables. */
export const ENCRYPTION_KEYSPACE = 'system_encryption';

interface Column<Row> {
  readonly name: string;
  readonly type: NativeTypeName | CqlType;
  readonly kind?: 'partition' | 'clustering';
  readonly order?: 'desc';
  readonly cell: (row: Row) => Cell;
}

/** A table of `system_encryption`: what it is for, its columns and where its rows come from. */
export interface EncryptionTable {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly VirtualColumn[];
  rows(snapshot: Snapshot, status: EncryptionStatus): Iterable<VirtualRow>;
}

const TEXT_MAP: CqlType = {
  kind: 'map',
  key: native('text'),
  value: native('text'),
  frozen: false,
};

function define<Row>(
  name: string,
  comment: string,
  columns: readonly Column<Row>[],
  source: (snapshot: Snapshot, status: EncryptionStatus) => Iterable<Row>,
): EncryptionTable {
  const positions = { partition: 0, clustering: 0 };
  return {
    name,
    comment,
    columns: columns.map(({ name: column, type, kind, order }) => ({
      name: column,
      type: typeof type === 'string' ? native(type) : type,
      kind: kind ?? 'regular',
      position: kind === undefined ? 0 : positions[kind]++,
      ...(order === undefined ? {} : { order }),
    })),
    *rows(snapshot, status) {
      for (const row of source(snapshot, status)) yield columns.map(({ cell }) => cell(row));
    },
  };
}

const AUDIT = define<AuditRow>(
  'audit',
  'latest uses of KMS keys by this proxy; all of them are in its audit log',
  [
    { name: 'day', type: 'date', kind: 'partition', cell: (row) => dateCell(row.atMs) },
    {
      name: 'at',
      type: 'timestamp',
      kind: 'clustering',
      order: 'desc',
      cell: (row) => timestampCell(row.atMs),
    },
    { name: 'process', type: 'uuid', kind: 'clustering', cell: (row) => uuidCell(row.processId) },
    {
      name: 'seq',
      type: 'bigint',
      kind: 'clustering',
      order: 'desc',
      cell: (row) => bigintCell(row.seq),
    },
    { name: 'context', type: TEXT_MAP, cell: ({ event }) => textMapCell(event.context) },
    { name: 'duration_ms', type: 'double', cell: ({ event }) => doubleCell(event.duration_ms) },
    { name: 'error', type: 'text', cell: ({ event }) => textCell(event.error) },
    { name: 'key_arn', type: 'text', cell: ({ event }) => textCell(event.key) },
    { name: 'keyspace_name', type: 'text', cell: ({ event }) => textCell(event.keyspace) },
    { name: 'operation', type: 'text', cell: ({ event }) => textCell(event.operation) },
    { name: 'origin', type: 'text', cell: ({ event }) => textCell(event.origin) },
    { name: 'principal', type: 'text', cell: ({ event }) => textCell(event.principal) },
    { name: 'provider', type: 'text', cell: ({ event }) => textCell(event.provider) },
    { name: 'result', type: 'text', cell: ({ event }) => textCell(event.result) },
    { name: 'table_name', type: 'text', cell: ({ event }) => textCell(event.table) },
    { name: 'target_key_arn', type: 'text', cell: ({ event }) => textCell(event.target_key) },
  ],
  (_snapshot, status) => status.audit(),
);

interface KeyRow {
  readonly arn: string;
  readonly provider: string;
  readonly serviceOwned: boolean | undefined;
  readonly tables: number;
  readonly state: string;
  readonly error: string | null;
  readonly lastUseMs: number | undefined;
}

const KEYS = define<KeyRow>(
  'keys',
  'KMS keys that tables are under or that this proxy used',
  [
    { name: 'key_arn', type: 'text', kind: 'partition', cell: (row) => textCell(row.arn) },
    { name: 'last_error', type: 'text', cell: (row) => textCell(row.error) },
    { name: 'last_use', type: 'timestamp', cell: (row) => timestampCell(row.lastUseMs) },
    { name: 'provider', type: 'text', cell: (row) => textCell(row.provider) },
    { name: 'service_owned', type: 'boolean', cell: (row) => booleanCell(row.serviceOwned) },
    { name: 'state', type: 'text', cell: (row) => textCell(row.state) },
    { name: 'tables', type: 'int', cell: (row) => intCell(row.tables) },
  ],
  keyRows,
);

const TABLES = define<TableEntry>(
  'tables',
  'how each table is encrypted',
  [
    {
      name: 'keyspace_name',
      type: 'text',
      kind: 'partition',
      cell: (table) => textCell(table.keyspace),
    },
    { name: 'table_name', type: 'text', kind: 'clustering', cell: (table) => textCell(table.name) },
    { name: 'cell_epoch', type: 'int', cell: (table) => intCell(activeCellEpoch(table)) },
    {
      name: 'created_at',
      type: 'timestamp',
      cell: (table) => timestampCell(table.record?.createdAtMs),
    },
    { name: 'encryption_type', type: 'text', cell: (table) => textCell(encryptionType(table)) },
    { name: 'error', type: 'text', cell: (table) => textCell(table.error?.code) },
    { name: 'key_arn', type: 'text', cell: (table) => textCell(table.record?.keys?.keyArn) },
    { name: 'min_epoch', type: 'int', cell: (table) => intCell(table.record?.keys?.minEpoch) },
    { name: 'provider', type: 'text', cell: (table) => textCell(table.record?.keys?.provider) },
    { name: 'state', type: 'text', cell: (table) => textCell(stateOf(table)) },
    { name: 'table_key_version', type: 'int', cell: (table) => intCell(tableKeyVersion(table)) },
  ],
  (snapshot) => sortedTables(snapshot),
);

const JOBS = define<JobRow>(
  'jobs',
  'long work of this proxy: rotation, backup, restore',
  [
    { name: 'id', type: 'uuid', kind: 'partition', cell: (job) => uuidCell(job.id) },
    { name: 'done', type: 'bigint', cell: (job) => bigintCell(job.done) },
    { name: 'error', type: 'text', cell: (job) => textCell(job.error) },
    { name: 'keyspace_name', type: 'text', cell: (job) => textCell(job.keyspace) },
    { name: 'kind', type: 'text', cell: (job) => textCell(job.kind) },
    { name: 'started_at', type: 'timestamp', cell: (job) => timestampCell(job.startedAtMs) },
    { name: 'state', type: 'text', cell: (job) => textCell(job.state) },
    { name: 'table_name', type: 'text', cell: (job) => textCell(job.table) },
    { name: 'total', type: 'bigint', cell: (job) => bigintCell(job.total) },
    { name: 'updated_at', type: 'timestamp', cell: (job) => timestampCell(job.updatedAtMs) },
  ],
  (_snapshot, status) => status.jobs(),
);

/** All tables of the keyspace, by name. */
export const ENCRYPTION_TABLES: readonly EncryptionTable[] = [AUDIT, JOBS, KEYS, TABLES];

/** A table of `system_encryption`; `undefined` if there is no such table. */
export function encryptionTable(
  name: string,
  snapshot: () => Snapshot,
  status: EncryptionStatus,
): VirtualTable | undefined {
  const table = ENCRYPTION_TABLES.find((candidate) => candidate.name === name);
  return (
    table && {
      keyspace: ENCRYPTION_KEYSPACE,
      name,
      columns: table.columns,
      filtersFreely: true,
      isRestricted: true,
      rows: () => table.rows(snapshot(), status),
    }
  );
}

function* sortedTables(snapshot: Snapshot): Iterable<TableEntry> {
  const keyspaces = [...snapshot.keyspaces()].filter((keyspace) => !keyspace.isSystem);
  for (const { tables } of keyspaces.sort((a, b) => compareNames(a.name, b.name))) {
    yield* [...tables.values()].sort((a, b) => compareNames(a.name, b.name));
  }
}

function* keyRows(snapshot: Snapshot, status: EncryptionStatus): Iterable<KeyRow> {
  const uses = status.keyUse();
  const tables = [...sortedTables(snapshot)].flatMap((table) => table.record?.keys ?? []);
  const known = new Set([...tables.map((keys) => keys.keyArn), ...uses.keys()]);
  for (const arn of [...known].sort(compareNames)) {
    const under = tables.filter((keys) => keys.keyArn === arn);
    const use = uses.get(arn);
    yield {
      arn,
      provider: under[0]?.provider ?? use?.provider ?? '',
      serviceOwned: under[0]?.serviceOwned,
      tables: under.length,
      state: use === undefined ? 'not used yet' : (STATES[use.error ?? use.result] ?? use.result),
      error: use?.error ?? null,
      lastUseMs: use?.atMs,
    };
  }
}

/** What the last use says about a key; anything else shows as the result of that use. */
const STATES: Readonly<Record<string, string>> = {
  ok: 'usable',
  KEY_DISABLED: 'disabled',
  KEY_PENDING_DELETION: 'pending deletion',
  KEY_NOT_FOUND: 'not found',
  KEY_ACCESS_DENIED: 'access denied',
};

function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

/** The record's state while it holds; else what the table is to the proxy. */
function stateOf(table: TableEntry): string {
  const { kind, record } = table;
  if (record === undefined) return kind;
  const access = accessState(record);
  return access === 'ACTIVE' ? record.state : access;
}

function encryptionType(table: TableEntry): string | undefined {
  const keys = table.record?.keys ?? undefined;
  if (keys === undefined) return undefined;
  return keys.serviceOwned ? 'AWS_OWNED_KMS_KEY' : 'CUSTOMER_MANAGED_KMS_KEY';
}

function activeCellEpoch(table: TableEntry): number | undefined {
  return table.record?.keys?.deks.find((dek) => dek.structure === 'cell' && dek.state === 'active')
    ?.epoch;
}

function tableKeyVersion(table: TableEntry): number | undefined {
  const versions = table.record?.keys?.tableKeys.map((key) => key.version) ?? [];
  return versions.length === 0 ? undefined : Math.max(...versions);
}
