import type { RawSchema, RawTable } from './raw_schema.ts';
import type { DekRecord, TableForm, TableKeys } from './record.ts';

/** What of a column an index is on; `simple` is the value of a column that is one cell. */
export type IndexTarget = 'simple' | 'values' | 'keys' | 'entries' | 'full';

/**
 * `ascii` for storage-attached indexes, which take no blobs: the blind value in hex. A collection that is not frozen has one of
 * the same kind; in that of a map, stored keys have blind values.
 */
export type HiddenType =
  BlindType | `list<${BlindType}>` | `set<${BlindType}>` | `map<blob, ${BlindType}>`;

type BlindType = 'blob' | 'ascii';

/** A column that mirrors an indexed one: beside each cell the blind value of it. Clients never see it. */
export interface HiddenColumnRecord {
  readonly name: string;
  readonly type: HiddenType;
  readonly kind: 'static' | 'regular';
  /** The index DEK, hex. Indexes of one column have one. */
  readonly dekId: string;
}

/**
 * An index as the record of its table keeps it. Cassandra has one of the same name, on the hidden column or, for key
 * columns, on the stored column itself.
 */
export interface IndexRecord {
  readonly name: string;
  /** The column's, hex. */
  readonly columnId: string;
  readonly target: IndexTarget;
  /** Class as USING names it; `null` for Cassandra's own kind. */
  readonly className: string | null;
  readonly options: Readonly<Record<string, string>>;
  /**
   * write_only: every write keeps it, rows of before may be missing, no read uses it. active: complete. abandoned: there is
   * no index, only its hidden column is left, to be dropped by the next change of an index of the table.
   */
  readonly state: 'write_only' | 'active' | 'abandoned';
  /** `null` for indexes on key columns. */
  readonly hidden: HiddenColumnRecord | null;
}

/** The indexes of a form that clients know. */
export function liveIndexes(form: TableForm): readonly IndexRecord[] {
  return (form.indexes ?? []).filter((index) => index.state !== 'abandoned');
}

/** The hidden columns of a form, those of abandoned indexes too. */
export function hiddenColumns(form: TableForm): readonly HiddenColumnRecord[] {
  return (form.indexes ?? []).flatMap(({ hidden }) => (hidden === null ? [] : [hidden]));
}

/** The index DEK with an id. */
export function indexDekOf(keys: TableKeys, dekId: string): DekRecord | undefined {
  return keys.deks.find((dek) => dek.structure === 'index' && dek.dekId === dekId);
}

/** The keys without the DEKs of indexes that are gone: their hidden columns are never read again. */
export function withoutUnusedIndexDeks(keys: TableKeys, form: TableForm): TableKeys {
  const used = new Set(liveIndexes(form).flatMap(({ hidden }) => hidden?.dekId ?? []));
  const deks = keys.deks.filter((dek) => dek.structure !== 'index' || used.has(dek.dekId));
  return deks.length === keys.deks.length ? keys : { ...keys, deks };
}

/**
 * What becomes of the indexes of a form by the indexes that Cassandra has of the table: one that Cassandra lacks is not
 * there any more, or never came to be. Cassandra itself builds those on stored key columns.
 */
export function settledIndexes(
  form: TableForm,
  stored: ReadonlySet<string>,
): readonly IndexRecord[] | undefined {
  return form.indexes?.flatMap((index): IndexRecord[] => {
    if (index.state === 'abandoned') return [index];
    if (stored.has(index.name))
      return [index.hidden === null ? { ...index, state: 'active' } : index];
    return index.hidden === null ? [] : [{ ...index, state: 'abandoned' }];
  });
}

/** Names of the indexes that Cassandra has in a keyspace, by name of their table; `undefined` when that was not read. */
export function storedIndexes(
  raw: Pick<RawSchema, 'raw'>,
  keyspace: string,
): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const rows = raw.raw.get('system_schema.indexes');
  return rows === undefined ? undefined : indexNames(rows, keyspace);
}

/** The names in the rows of system_schema.indexes that are of a keyspace, by table. */
export function indexNames(rows: RawTable, keyspace: string): ReadonlyMap<string, Set<string>> {
  const at = (name: string): number => rows.columns.findIndex((column) => column.name === name);
  const [keyspaceAt, tableAt, nameAt] = [at('keyspace_name'), at('table_name'), at('index_name')];
  const names = new Map<string, Set<string>>();
  for (const row of rows.rows) {
    const text = (index: number): string => Buffer.from(row[index] ?? []).toString('utf8');
    if (text(keyspaceAt) !== keyspace) continue;
    const ofTable = names.get(text(tableAt)) ?? new Set();
    ofTable.add(text(nameAt));
    names.set(text(tableAt), ofTable);
  }
  return names;
}
