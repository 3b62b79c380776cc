import { randomBytes } from 'node:crypto';
import { InvalidRequestError } from '../../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../entries.ts';
import { liveIndexes } from '../indexes.ts';
import type { HiddenColumnRecord, IndexRecord, IndexTarget } from '../indexes.ts';
import { RESERVED_COLUMN_PREFIX } from '../names.ts';
import type { DekRecord, TableKeys, TableRecord } from '../record.ts';
import type { ViewRecord } from '../views.ts';
import type { ChangeContext } from './change_context.ts';
import { changing, createWithColumn, dropUnused, dropWithColumn } from './hidden_column_changes.ts';
import type { HiddenColumnOwner } from './hidden_column_changes.ts';
import { keyFailure } from './key_choice.ts';
import { tableRecord } from './own_record.ts';

/** What CREATE INDEX makes. */
export interface NewIndex {
  readonly name: string;
  readonly column: ColumnEntry;
  readonly target: IndexTarget;
  readonly className: string | null;
  readonly options: Readonly<Record<string, string>>;
  /** Type of the hidden column; `undefined` for indexes on key columns, which Cassandra keeps on the stored column. */
  readonly hiddenType: HiddenColumnRecord['type'] | undefined;
}

/** The stored statements of an index, each executed on the client's own connection. */
export interface IndexStatements {
  addColumn(column: HiddenColumnRecord): Promise<unknown>;
  dropColumns(names: readonly string[]): Promise<unknown>;
  /** CREATE INDEX on a column of the stored table. */
  create(storedColumn: string): Promise<unknown>;
}

const INDEXES: HiddenColumnOwner = {
  steps: 'index',
  unused: ({ indexes }) =>
    (indexes ?? []).flatMap(({ state, hidden }) =>
      state === 'abandoned' && hidden !== null ? [hidden.name] : [],
    ),
  mayDrop: () => true,
  without: ({ indexes }, names) => ({
    indexes: (indexes ?? []).filter(
      ({ state, hidden }) =>
        state !== 'abandoned' || hidden === null || !names.includes(hidden.name),
    ),
  }),
};

/**
 * CREATE INDEX. The index is written by every proxy before Cassandra has it, and Cassandra drops all prepared statements
 * of the table twice: when the hidden column is added, and, once all nodes have that column, when its own index is made. So
 * a statement that was planned without the hidden column is known to no node after the second time; decision 19. Rows of
 * before are built in later, in the background. Once it resolves the index is write-only.
 * @throws SchemaError when the KMS refuses the table's key; whatever the statements are refused with: nothing is left then
 */
export async function createIndex(
  context: ChangeContext,
  table: TableEntry,
  index: NewIndex,
  statements: IndexStatements,
): Promise<void> {
  const { record } = table;
  if (record === undefined || record.keys === null) return;
  await dropUnused(context, record, INDEXES, statements);
  await context.step('index.keys');
  const dek = await newDek(context, table, index);
  const entry = newRecord(index, dek);
  const { hidden } = entry;
  await createWithColumn(context, record, INDEXES, (current) => withIndex(current, entry, dek), {
    addColumn: hidden === null ? undefined : () => statements.addColumn(hidden),
    create: () => statements.create(hidden?.name ?? index.column.name),
  });
}

/** DROP INDEX: Cassandra's own first, then the hidden column, which nothing reads any more. */
export async function dropIndex(
  context: ChangeContext,
  table: TableEntry,
  statements: Pick<IndexStatements, 'dropColumns'> & { drop(): Promise<unknown> },
): Promise<void> {
  await dropWithColumn(context, table.record, INDEXES, statements);
}

function withIndex(
  current: TableRecord,
  entry: IndexRecord,
  dek: { readonly made: DekRecord | undefined } | undefined,
): TableRecord {
  const { columns, dropped, views } = current;
  const equal = liveIndexes(current).find((other) => isDuplicate(other, entry));
  if (equal !== undefined) {
    throw new InvalidRequestError(
      equal.name === entry.name
        ? `Index '${entry.name}' already exists`
        : `Index ${entry.name} is a duplicate of existing index ${equal.name}`,
    );
  }
  const keys = current.keys as TableKeys;
  const made = dek?.made;
  const isCurrent =
    made === undefined
      ? entry.hidden === null || keys.deks.some(({ dekId }) => dekId === entry.hidden?.dekId)
      : keys.tableKeys.every(({ version }) => version <= made.tableKeyVersion);
  // The table's key, or the other index of the column, went meanwhile.
  if (!isCurrent) throw changing(current);
  return {
    ...current,
    keys: made === undefined ? keys : { ...keys, deks: [...keys.deks, made] },
    next: { columns, dropped, indexes: [...(current.indexes ?? []), entry], views },
  };
}

function isDuplicate(a: IndexRecord, b: IndexRecord): boolean {
  if (a.name === b.name) return true;
  return (
    a.columnId === b.columnId &&
    a.target === b.target &&
    a.className === b.className &&
    JSON.stringify(Object.entries(a.options).sort()) ===
      JSON.stringify(Object.entries(b.options).sort())
  );
}

/** What the DEK of an index is for: values and entries of one map decide together which of two writes stays. */
function dekUse(target: IndexTarget): string {
  return target === 'entries' ? 'values' : target;
}

/** The DEK of a new index: that of the other index of the column, so that both agree about every write, or a new one. */
async function newDek(
  context: ChangeContext,
  table: TableEntry,
  index: NewIndex,
): Promise<{ readonly dekId: string; readonly made: DekRecord | undefined } | undefined> {
  if (index.hiddenType === undefined) return undefined;
  const other = table.indexes.find(
    ({ column, target, hidden }) =>
      column === index.column && dekUse(target) === dekUse(index.target) && hidden !== null,
  );
  if (other !== undefined && other.hidden !== null)
    return { dekId: other.hidden.dekId, made: undefined };
  const { keyspace, name, tableId } = table;
  let refused: { readonly keys: TableKeys; readonly error: unknown } | undefined;
  for (;;) {
    const { clusterId, ...view } = await context.catalog.readRecords();
    const { keys } = tableRecord(view, Buffer.from(tableId).toString('hex'));
    if (keys === null) return undefined;
    // A key that the table has left is refused by right: only the answer of its present one counts.
    if (refused !== undefined && JSON.stringify(refused.keys) === JSON.stringify(keys)) {
      throw keyFailure(context, { keyspace, table: name }, keys.keyArn, refused.error);
    }
    try {
      const made = await context.keys.newIndexDek({ clusterId, tableId, keyspace, name }, keys);
      return { dekId: made.dekId, made };
    } catch (error) {
      await context.step('index.keys_refused');
      refused = { keys, error };
    }
  }
}

function newRecord(index: NewIndex, dek: { readonly dekId: string } | undefined): IndexRecord {
  const { name, column, target, className, options, hiddenType } = index;
  return {
    name,
    columnId: Buffer.from(column.id).toString('hex'),
    target,
    className,
    options,
    // Nothing is built for ORDER BY … ANN OF.
    state: column.type.kind === 'vector' && className !== null ? 'active' : 'write_only',
    hidden:
      hiddenType === undefined || dek === undefined
        ? null
        : {
            // Never a name that the table had: Cassandra keeps what it remembers of dropped columns.
            name: `${RESERVED_COLUMN_PREFIX}i_${randomBytes(8).toString('hex')}`,
            type: hiddenType,
            kind: column.kind === 'static' ? 'static' : 'regular',
            dekId: dek.dekId,
          },
  };
}

/** Ends the building of an index, which reads may use from now on, or of a view. Does nothing when it is not there any more. */
export async function activateIndex(
  catalog: ChangeContext['catalog'],
  tableId: string,
  hiddenColumn: string,
): Promise<boolean> {
  const outcome = { isDone: false };
  await catalog.change((view) => {
    const record = view.records.get(tableId)?.record;
    outcome.isDone = false;
    if (record?.kind !== 'table' || record.state !== 'ACTIVE' || record.claim !== null) {
      return undefined;
    }
    const indexes = (record.indexes ?? []).map((index): IndexRecord =>
      index.hidden?.name === hiddenColumn && index.state === 'write_only'
        ? { ...index, state: 'active' }
        : index,
    );
    const views = record.views?.map((view): ViewRecord =>
      view.further?.name === hiddenColumn && view.state === 'building'
        ? { ...view, state: 'active' }
        : view,
    );
    outcome.isDone =
      indexes.some(({ hidden, state }) => hidden?.name === hiddenColumn && state === 'active') ||
      (views ?? []).some(
        ({ further, state }) => further?.name === hiddenColumn && state === 'active',
      );
    return { put: [{ ...record, indexes, ...(views === undefined ? {} : { views }) }] };
  });
  if (outcome.isDone) await catalog.refresh();
  return outcome.isDone;
}
