import { quoteIdentifier, quoteString } from '../cql/index.ts';
import type { IndexEntry, Snapshot, TableEntry } from '../schema/index.ts';
import { native, serializeMap } from '../values/index.ts';

/** An index by its name, which is unique in its keyspace. */
export function indexNamed(
  snapshot: Snapshot,
  keyspace: string,
  name: string,
): { readonly table: TableEntry; readonly index: IndexEntry } | undefined {
  for (const table of snapshot.keyspace(keyspace)?.tables.values() ?? []) {
    const index = table.indexes.find((candidate) => candidate.name === name);
    if (index !== undefined) return { table, index };
  }
  return undefined;
}

/** What an index is on, as Cassandra writes it. */
function targetText({ column, target }: IndexEntry): string {
  const name = quoteIdentifier(column.name);
  return target === 'simple' ? name : `${target}(${name})`;
}

/** The column `kind` of system_schema.indexes. */
export function indexKind({ className }: IndexEntry): string {
  return className === null ? 'COMPOSITES' : 'CUSTOM';
}

/** The column `options` of system_schema.indexes, serialised. */
export function indexOptions(index: IndexEntry): Uint8Array {
  const { className, options } = index;
  const all = {
    ...options,
    ...(className === null ? {} : { class_name: className }),
    target: targetText(index),
  };
  const pairs = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return serializeMap(
    native('text'),
    pairs.map(([key, value]) => [utf8(key), utf8(value)]),
  );
}

/** CREATE INDEX as Cassandra describes it. */
export function indexText(table: TableEntry, index: IndexEntry): string {
  const { className, options } = index;
  const target = `${quoteIdentifier(index.name)} ON ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)} (${targetText(index)})`;
  if (className === null) return `CREATE INDEX ${target};`;
  const pairs = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = pairs.map(([key, value]) => `${quoteString(key)}: ${quoteString(value)}`);
  const tail = shown.length === 0 ? '' : ` WITH OPTIONS = {${shown.join(', ')}}`;
  return `CREATE CUSTOM INDEX ${target} USING ${quoteString(className)}${tail};`;
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
