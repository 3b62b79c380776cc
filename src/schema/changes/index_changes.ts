import { randomBytes } from 'node:crypto';
import { InvalidRequestError, OverloadError } from '../../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../entries.ts';
import { liveIndexes } from '../indexes.ts';
import type { HiddenColumnRecord, IndexRecord, IndexTarget } from '../indexes.ts';
import { RESERVED_COLUMN_PREFIX } from '../names.ts';
import type { DekRecord, TableForm, TableKeys, TableRecord } from '../record.ts';
import type { ViewRecord } from '../views.ts';
import { claim, refuseForeignClaim, settled, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import { keyFailure } from './key_choice.ts';
import { isRefusal } from './outcome.ts';
import { tableRecord } from './own_record.ts';
import { recoverChanges } from './recovery.ts';
import { settleUnknown } from './table_changes.ts';

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
  await dropAbandoned(context, record, statements);
  await context.step('index.keys');
  const dek = await newDek(context, table, record.keys, index);
  const entry = newRecord(index, dek);
  await context.step('index.claim');
  await claimFor(context, record.tableId, (current) => withIndex(current, entry, dek));
  const own = new Set([record.tableId]);
  const { hidden } = entry;
  if (hidden !== null) {
    await context.step('index.column');
    try {
      await statements.addColumn(hidden);
    } catch (error) {
      await afterFailure(context, own, error);
      throw error;
    }
    await context.step('index.column_agreement');
    await settled(context);
  }
  await context.step('index.stored');
  try {
    await statements.create(hidden?.name ?? index.column.name);
  } catch (error) {
    if (isRefusal(error) && hidden !== null) {
      // What is not dropped here is found as abandoned.
      await statements.dropColumns([hidden.name]).catch(() => undefined);
    }
    await afterFailure(context, own, error);
    throw error;
  }
  await context.step('index.agreement');
  await settled(context);
  await context.step('index.active');
  await recoverChanges(context, own);
  await context.step('index.refresh');
  await context.catalog.refresh();
}

/** DROP INDEX: Cassandra's own first, then the hidden column, which nothing reads any more. */
export async function dropIndex(
  context: ChangeContext,
  table: TableEntry,
  statements: Pick<IndexStatements, 'dropColumns'> & { drop(): Promise<unknown> },
): Promise<void> {
  const { record } = table;
  if (record === undefined) {
    await statements.drop();
    await settled(context);
    return;
  }
  const own = new Set([record.tableId]);
  await context.step('index_drop.claim');
  await claimFor(context, record.tableId, (current) => ({ ...current, next: null }));
  try {
    await context.step('index_drop.stored');
    await statements.drop();
  } catch (error) {
    await afterFailure(context, own, error);
    throw error;
  }
  await context.step('index_drop.agreement');
  await settled(context);
  await context.step('index_drop.settle');
  await recoverChanges(context, own);
  await context.step('index_drop.column');
  await dropAbandoned(context, record, statements);
  await context.step('index_drop.refresh');
  await context.catalog.refresh();
}

/** Drops the hidden columns of indexes that are gone, if no proxy writes them any more; the others stay until the next change. */
async function dropAbandoned(
  context: ChangeContext,
  record: TableRecord,
  statements: Pick<IndexStatements, 'dropColumns'>,
): Promise<void> {
  const { records } = await context.catalog.readRecords();
  const present = records.get(record.tableId)?.record;
  if (present?.kind !== 'table') return;
  const due = new Set(context.unused.due(abandonedColumns(present)));
  if (due.size === 0) return;
  let names: string[] = [];
  await claimFor(context, record.tableId, (current) => {
    names = abandonedColumns(current).filter((name) => due.has(name));
    const { columns, dropped, views } = current;
    const indexes = (current.indexes ?? []).filter(
      ({ state, hidden }) =>
        state !== 'abandoned' || hidden === null || !names.includes(hidden.name),
    );
    return { ...current, next: { columns, dropped, indexes, views } };
  });
  const own = new Set([record.tableId]);
  try {
    if (names.length > 0) await statements.dropColumns(names);
  } catch (error) {
    await afterFailure(context, own, error);
    // An unused column that stays harms nothing.
    if (isRefusal(error)) return;
    throw error;
  }
  context.unused.forget(names);
  await settled(context);
  await recoverChanges(context, own);
}

function abandonedColumns(form: TableForm): string[] {
  return (form.indexes ?? []).flatMap(({ state, hidden }) =>
    state === 'abandoned' && hidden !== null ? [hidden.name] : [],
  );
}

/** Gives the claim back where nothing was executed; an unknown outcome is left to recovery. */
async function afterFailure(
  context: ChangeContext,
  own: ReadonlySet<string>,
  error: unknown,
): Promise<void> {
  await settleUnknown(context);
  if (!isRefusal(error)) return;
  await recoverChanges(context, own).catch(() => undefined);
  await context.catalog.refresh().catch(() => undefined);
}

async function claimFor(
  context: ChangeContext,
  tableId: string,
  update: (record: TableRecord) => TableRecord,
): Promise<void> {
  await whenFree(
    context,
    () => recoverChanges(context),
    async () => {
      await context.catalog.change((view) => {
        const current = tableRecord(view, tableId);
        refuseForeignClaim(context, current);
        if (current.state !== 'ACTIVE') throw changing(current);
        return { put: [{ ...update(current), state: 'ALTERING', claim: claim(context) }] };
      });
    },
  );
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

function changing(record: TableRecord): OverloadError {
  return new OverloadError(
    'OVERLOAD_SCHEMA_CHANGE',
    `another schema change of ${record.keyspace}.${record.name} is under way; try again`,
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
  keys: TableKeys,
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
  try {
    const { clusterId } = await context.catalog.readRecords();
    const made = await context.keys.newIndexDek({ clusterId, tableId, keyspace, name }, keys);
    return { dekId: made.dekId, made };
  } catch (error) {
    throw keyFailure(context, { keyspace, table: name }, keys.keyArn, error);
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
    state: 'write_only',
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
