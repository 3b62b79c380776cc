import { indexNames } from '../schema/index.ts';
import type { RawTable, Snapshot, TableEntry } from '../schema/index.ts';
import { printType } from '../values/index.ts';
import type { SchemaChange } from '../wire/index.ts';

/**
 * What changed between two snapshots, as the events a driver expects: one for each logical change. Changes that Cassandra
 * tells of are a reason to read the catalog, the snapshots say what is new; so an event never comes before the catalog has
 * it.
 */
export function schemaChanges(before: Snapshot, after: Snapshot): SchemaChange[] {
  const changes: SchemaChange[] = [];
  const optionsBefore = tableOptions(before);
  const optionsAfter = tableOptions(after);
  const hasNewOptions = (keyspace: string, name: string): boolean => {
    const key = `${keyspace}.${name}`;
    return optionsBefore.get(key) !== optionsAfter.get(key);
  };
  for (const keyspace of after.keyspaces()) {
    const old = before.keyspace(keyspace.name);
    if (old === undefined) {
      changes.push({ change: 'CREATED', target: 'KEYSPACE', keyspace: keyspace.name });
    } else if (JSON.stringify(old.stored, bigints) !== JSON.stringify(keyspace.stored, bigints)) {
      changes.push({ change: 'UPDATED', target: 'KEYSPACE', keyspace: keyspace.name });
    }
    compare(changes, 'TYPE', keyspace.name, old?.types, keyspace.types, () => false);
    compare(changes, 'TABLE', keyspace.name, old?.tables, keyspace.tables, (name) =>
      hasNewOptions(keyspace.name, name),
    );
    compare(changes, 'TABLE', keyspace.name, old?.views, keyspace.views, (name) =>
      hasNewOptions(keyspace.name, name),
    );
  }
  for (const keyspace of before.keyspaces()) {
    if (after.keyspace(keyspace.name) === undefined) {
      changes.push({ change: 'DROPPED', target: 'KEYSPACE', keyspace: keyspace.name });
    }
  }
  return changes;
}

/** The rows of system_schema.tables and views, which hold the options of tables, and names of indexes, as text by `keyspace.table`. */
function tableOptions(snapshot: Snapshot): ReadonlyMap<string, string> {
  return new Map([
    ...optionRows(snapshot, 'tables', 'table_name'),
    ...optionRows(snapshot, 'views', 'view_name'),
  ]);
}

function optionRows(snapshot: Snapshot, from: string, nameColumn: string): [string, string][] {
  const raw = snapshot.raw('system_schema', from);
  if (raw === undefined) return [];
  const position = (name: string): number =>
    raw.columns.findIndex((column) => column.name === name);
  const [keyspace, table] = [position('keyspace_name'), position(nameColumn)];
  const text = (row: RawTable['rows'][number], index: number): string =>
    Buffer.from(row[index] ?? []).toString('utf8');
  const indexes = snapshot.raw('system_schema', 'indexes');
  const indexesOf = (keyspaceName: string, tableName: string): string =>
    indexes === undefined
      ? ''
      : [...(indexNames(indexes, keyspaceName).get(tableName) ?? [])].sort().join(',');
  return raw.rows.map((row) => [
    `${text(row, keyspace)}.${text(row, table)}`,
    [
      ...row.map((cell) => (cell === null ? '-' : Buffer.from(cell).toString('latin1'))),
      indexesOf(text(row, keyspace), text(row, table)),
    ].join('|'),
  ]);
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function compare(
  changes: SchemaChange[],
  target: 'TYPE' | 'TABLE',
  keyspace: string,
  before: ReadonlyMap<string, unknown> | undefined,
  after: ReadonlyMap<string, unknown>,
  isChanged: (name: string) => boolean,
): void {
  for (const [name, entry] of after) {
    const old = before?.get(name);
    if (old === undefined) changes.push({ change: 'CREATED', target, keyspace, name });
    else if ((old !== entry && !sameEntry(old, entry)) || isChanged(name)) {
      changes.push({ change: 'UPDATED', target, keyspace, name });
    }
  }
  for (const name of before?.keys() ?? []) {
    if (!after.has(name)) changes.push({ change: 'DROPPED', target, keyspace, name });
  }
}

/**
 * Whether a client sees no difference. A table's entry is made anew for each step of a change, and when a type of its
 * keyspace changes; clients are told only of what they can see.
 */
function sameEntry(a: unknown, b: unknown): boolean {
  return JSON.stringify(visible(a)) === JSON.stringify(visible(b));
}

function visible(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || !('allColumns' in entry)) return entry;
  const { id, kind, defaultTtl, allColumns } = entry as TableEntry;
  return [
    id,
    kind,
    defaultTtl,
    allColumns.map((column) => [
      column.name,
      column.kind,
      column.position,
      column.clusteringOrder,
      printType(column.type),
    ]),
  ];
}
