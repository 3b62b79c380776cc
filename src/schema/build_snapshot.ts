import { MetadataIntegrityError } from '../errors/index.ts';
import type { ProxyError } from '../errors/index.ts';
import type { UdtType } from '../values/index.ts';
import { buildTable, buildView, tableToken } from './build_table.ts';
import type { TableInput } from './build_table.ts';
import type { KeyspaceEntry, Snapshot, TableEntry } from './entries.ts';
import { isSystemKeyspace, RECORD_KEYSPACE } from './names.ts';
import type { RawSchema, RawTable, StoredColumnRow } from './raw_schema.ts';
import { isGone } from './record.ts';
import type { TableRecord, TypeRecord } from './record.ts';
import { resolveTypes } from './type_resolution.ts';
import type { VerifiedRecords } from './verified_records.ts';
import { storedViews } from './views.ts';

/** A snapshot, and whether it needs a second look. */
export interface BuiltSnapshot {
  readonly snapshot: Snapshot;
  /**
   * False when something stored has no agreeing record. That is how a change of another proxy looks when it came between
   * the reading of the records and that of the schema.
   */
  readonly agrees: boolean;
}

/**
 * Builds a snapshot. Tables that did not change keep their entry object, so that what hangs on it (plans, leases) stays.
 * @param verified root and records, or the error that refuses every user table
 */
export function buildSnapshot(
  raw: RawSchema,
  verified: VerifiedRecords | ProxyError,
  previous: Snapshot | undefined,
): BuiltSnapshot {
  const failure = verified instanceof Error ? verified : undefined;
  const records = verified instanceof Error ? undefined : verified;
  const damage =
    failure ??
    (records !== undefined && records.damaged.length > 0
      ? new MetadataIntegrityError(
          'METADATA_RECORD',
          'the record of this table is missing, altered or older than the root says',
        )
      : undefined);
  const tableRecords = new Map<string, { version: bigint; record: TableRecord }[]>();
  const typeRecords = new Map<string, { version: bigint; record: TypeRecord }[]>();
  const defaultKeys = new Map<string, string>();
  for (const { version, record } of records?.records.values() ?? []) {
    if (record.kind === 'table') {
      if (isGone(record)) continue;
      const name = `${record.keyspace}.${record.name}`;
      const list = tableRecords.get(name) ?? [];
      list.push({ version, record });
      tableRecords.set(name, list);
    } else if (record.kind === 'keyspace') {
      defaultKeys.set(record.keyspace, record.defaultKey.keyArn);
    } else if (record.kind === 'type') {
      const list = typeRecords.get(record.keyspace) ?? [];
      list.push({ version, record });
      typeRecords.set(record.keyspace, list);
    }
  }
  const plain = new Set(
    records?.root.plainTables.map((table) => `${table.keyspace}.${table.name}.${table.id}`),
  );
  const columns = groupBy(raw.columns, (column) => `${column.keyspace}.${column.table}`);
  const types = groupBy(raw.types, (type) => type.keyspace);
  const tables = groupBy(raw.tables, (table) => table.keyspace);
  const viewRows = groupBy(storedViews(raw), (view) => view.keyspace);

  let agrees = true;
  const keyspaces = new Map<string, KeyspaceEntry>();
  for (const stored of raw.keyspaces) {
    if (stored.name === RECORD_KEYSPACE) continue;
    const isSystem = isSystemKeyspace(stored.name);
    const resolved = resolveTypes(
      stored.name,
      types.get(stored.name) ?? [],
      typeRecords.get(stored.name) ?? [],
    );
    const entries = new Map<string, TableEntry>();
    for (const row of isSystem ? [] : (tables.get(stored.name) ?? [])) {
      const qualified = `${row.keyspace}.${row.name}`;
      const input: TableInput = {
        row,
        columns: columns.get(qualified) ?? ([] as readonly StoredColumnRow[]),
        types: resolved,
        verified: recordOf(tableRecords.get(qualified), row.id),
        isPlain: plain.has(`${qualified}.${row.id.replaceAll('-', '')}`),
        damage,
      };
      const before = previous?.table(row.keyspace, row.name);
      entries.set(row.name, before?.version === tableToken(input) ? before : buildTable(input));
    }
    const views = new Map<string, TableEntry>();
    for (const row of isSystem ? [] : (viewRows.get(stored.name) ?? [])) {
      const input = {
        row,
        columns: columns.get(`${row.keyspace}.${row.name}`) ?? [],
        base: entries.get(row.base),
        types: resolved,
      };
      views.set(row.name, buildView(input, previous?.table(row.keyspace, row.name)));
    }
    const udts = new Map<string, UdtType>([...resolved.stored, ...resolved.logical]);
    keyspaces.set(stored.name, {
      name: stored.name,
      stored,
      isSystem,
      tables: entries,
      views,
      types: udts,
      defaultKeyArn: defaultKeys.get(stored.name),
    });
    agrees &&= resolved.broken.size + resolved.stored.size === 0;
    agrees &&= [...entries.values(), ...views.values()].every(
      (e) => e.kind === 'encrypted' || e.kind === 'plain' || e.record?.rewrite !== undefined,
    );
  }
  const snapshot = new SchemaSnapshot(
    (previous?.version ?? 0) + 1,
    records?.root.version ?? previous?.rootVersion ?? 0n,
    raw.schemaVersion,
    failure,
    keyspaces,
    raw.raw,
  );
  return { snapshot, agrees };
}

/** A name can have a second record for a moment: a claim that was given up beside the one that counts. */
function recordOf<T extends { readonly record: TableRecord }>(
  candidates: readonly T[] | undefined,
  cassandraId: string,
): T | undefined {
  return (
    candidates?.find(({ record }) => record.cassandraId === cassandraId) ??
    candidates?.find(({ record }) => record.state !== 'CREATING') ??
    candidates?.[0]
  );
}

class SchemaSnapshot implements Snapshot {
  readonly version: number;
  readonly rootVersion: bigint;
  readonly schemaVersion: string;
  readonly failure: ProxyError | undefined;
  readonly #keyspaces: ReadonlyMap<string, KeyspaceEntry>;
  readonly #raw: ReadonlyMap<string, RawTable>;

  constructor(
    version: number,
    rootVersion: bigint,
    schemaVersion: string,
    failure: ProxyError | undefined,
    keyspaces: ReadonlyMap<string, KeyspaceEntry>,
    raw: ReadonlyMap<string, RawTable>,
  ) {
    this.version = version;
    this.rootVersion = rootVersion;
    this.schemaVersion = schemaVersion;
    this.failure = failure;
    this.#keyspaces = keyspaces;
    this.#raw = raw;
  }

  keyspace(name: string): KeyspaceEntry | undefined {
    return this.#keyspaces.get(name);
  }

  keyspaces(): Iterable<KeyspaceEntry> {
    return this.#keyspaces.values();
  }

  table(keyspace: string, name: string): TableEntry | undefined {
    const entry = this.#keyspaces.get(keyspace);
    return entry?.tables.get(name) ?? entry?.views.get(name);
  }

  udt(keyspace: string, name: string): UdtType | undefined {
    return this.#keyspaces.get(keyspace)?.types.get(name);
  }

  raw(keyspace: string, table: string): RawTable | undefined {
    return this.#raw.get(`${keyspace}.${table}`);
  }
}

function groupBy<T>(rows: readonly T[], key: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const name = key(row);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return groups;
}
