import type { CellTable } from '../backup/index.ts';
import { entryOfRecord, keyDeks, withOnlyKeyDek } from '../schema/index.ts';
import type {
  ColumnKind,
  TableEntry,
  TableKeys,
  TableRecord,
  TypeRecord,
  VerifiedRecords,
} from '../schema/index.ts';

type Keyed = TableRecord & { readonly keys: TableKeys };

/** The user-defined types of a table's keyspace. */
export function typesOf(view: VerifiedRecords, keyspace: string): TypeRecord[] {
  return [...view.records.values()].flatMap(({ record }) =>
    record.kind === 'type' && record.keyspace === keyspace ? [record] : [],
  );
}

/** A table for the reading and writing of its rows. */
export function cellTable(record: TableRecord, types: readonly TypeRecord[]): CellTable {
  const { keyspace, name, columns } = record;
  const cells = (kind: ColumnKind): string[] =>
    columns.filter((column) => column.kind === kind).map((column) => column.name);
  return {
    keyspace,
    name,
    columns,
    types,
    cellColumns: [...cells('static'), ...cells('regular')],
  };
}

/**
 * The entry of a table with one of its key DEKs alone; for one that is not being rewritten both are the same.
 * Each gets leases of its own.
 */
export function entryUnder(
  record: Keyed,
  types: readonly TypeRecord[],
  which: 'old' | 'new',
): TableEntry {
  const epochs = keyDeks(record.keys).map((dek) => dek.epoch);
  const epoch = (which === 'old' ? epochs[0] : epochs.at(-1)) ?? 0;
  const { rewrite: _, ...rest } = record;
  return entryOfRecord({ ...rest, keys: withOnlyKeyDek(record.keys, epoch) }, types);
}
