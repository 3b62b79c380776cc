import { randomBytes } from 'node:crypto';
import { InvalidRequestError, OverloadError } from '../../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../entries.ts';
import { RESERVED_COLUMN_PREFIX } from '../names.ts';
import type { TableForm, TableRecord } from '../record.ts';
import { liveViews } from '../views.ts';
import type { ViewKeyRecord, ViewRecord } from '../views.ts';
import { claim, refuseForeignClaim, settled, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import { isRefusal } from './outcome.ts';
import { tableRecord } from './own_record.ts';
import { recoverChanges } from './recovery.ts';
import { settleUnknown } from './table_changes.ts';

/** What CREATE MATERIALIZED VIEW makes; columns are the base's. */
export interface NewView {
  readonly name: string;
  /** UUID text; MUST be in the stored statement's WITH ID. */
  readonly cassandraId: string;
  readonly partition: readonly ColumnEntry[];
  readonly clustering: readonly { readonly column: ColumnEntry; readonly order: 'asc' | 'desc' }[];
  /** Columns beside the key; `undefined` for all. */
  readonly selected: readonly ColumnEntry[] | undefined;
  readonly notNull: readonly ColumnEntry[];
  /** The key column that is no key column of the base. */
  readonly further: ColumnEntry | undefined;
}

/** The stored statements of a view, each executed on the client's own connection. */
export interface ViewStatements {
  addColumn(name: string): Promise<unknown>;
  dropColumns(names: readonly string[]): Promise<unknown>;
  /** CREATE MATERIALIZED VIEW; `further` is the stored column of the further key column. */
  create(further: string | undefined): Promise<unknown>;
}

/**
 * CREATE MATERIALIZED VIEW. Where it has a further key column, its stored column is written by every proxy before Cassandra
 * has the view; rows of before get it in the background. Cassandra itself fills the view.
 */
export async function createView(
  context: ChangeContext,
  table: TableEntry,
  view: NewView,
  statements: ViewStatements,
): Promise<void> {
  const { record } = table;
  if (record === undefined) return;
  await dropAbandoned(context, record, statements);
  const entry = newRecord(view);
  const own = new Set([record.tableId]);
  await context.step('view.claim');
  await claimFor(context, record.tableId, (current) => withView(current, entry));
  if (entry.further !== undefined) {
    await context.step('view.column');
    try {
      await statements.addColumn(entry.further.name);
    } catch (error) {
      await afterFailure(context, own, error);
      throw error;
    }
    await context.step('view.column_agreement');
    await settled(context);
  }
  await context.step('view.stored');
  try {
    await statements.create(entry.further?.name);
  } catch (error) {
    if (isRefusal(error) && entry.further !== undefined) {
      // What is not dropped here is found as abandoned.
      await statements.dropColumns([entry.further.name]).catch(() => undefined);
    }
    await afterFailure(context, own, error);
    throw error;
  }
  await context.step('view.agreement');
  await settled(context);
  await context.step('view.active');
  await recoverChanges(context, own);
  await context.step('view.refresh');
  await context.catalog.refresh();
}

/** DROP MATERIALIZED VIEW: Cassandra's first, then the stored column, which nothing reads any more. */
export async function dropView(
  context: ChangeContext,
  base: TableEntry,
  statements: Pick<ViewStatements, 'dropColumns'> & { drop(): Promise<unknown> },
): Promise<void> {
  const { record } = base;
  if (record === undefined) {
    await statements.drop();
    await settled(context);
    return;
  }
  const own = new Set([record.tableId]);
  await context.step('view_drop.claim');
  await claimFor(context, record.tableId, (current) => ({ ...current, next: null }));
  try {
    await context.step('view_drop.stored');
    await statements.drop();
  } catch (error) {
    await afterFailure(context, own, error);
    throw error;
  }
  await context.step('view_drop.agreement');
  await settled(context);
  await context.step('view_drop.settle');
  await recoverChanges(context, own);
  await context.step('view_drop.column');
  await dropAbandoned(context, record, statements);
  await context.step('view_drop.refresh');
  await context.catalog.refresh();
}

/** Drops the stored columns of views that are gone, as those of indexes. Cassandra drops no column of a table that has views. */
async function dropAbandoned(
  context: ChangeContext,
  record: TableRecord,
  statements: Pick<ViewStatements, 'dropColumns'>,
): Promise<void> {
  const { records } = await context.catalog.readRecords();
  const present = records.get(record.tableId)?.record;
  if (present?.kind !== 'table') return;
  const due = new Set(context.unused.due(abandonedColumns(present)));
  if (due.size === 0 || liveViews(present).length > 0) return;
  let names: string[] = [];
  await claimFor(context, record.tableId, (current) => {
    const isFree = liveViews(current).length === 0;
    names = isFree ? abandonedColumns(current).filter((name) => due.has(name)) : [];
    const { columns, dropped, indexes } = current;
    const views = (current.views ?? []).filter(
      ({ state, further }) =>
        state !== 'abandoned' || (further !== undefined && !names.includes(further.name)),
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
  return (form.views ?? []).flatMap(({ state, further }) =>
    state === 'abandoned' && further !== undefined ? [further.name] : [],
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

function withView(current: TableRecord, entry: ViewRecord): TableRecord {
  const { columns, dropped, indexes, views } = current;
  if (liveViews(current).some(({ name }) => name === entry.name)) {
    throw new InvalidRequestError(
      `Cannot add already existing table "${entry.name}" to keyspace "${current.keyspace}"`,
    );
  }
  const ids = new Set(columns.map(({ id }) => id));
  // A column went meanwhile.
  if (![...entry.partition, ...entry.clustering].every(({ columnId }) => ids.has(columnId))) {
    throw changing(current);
  }
  return {
    ...current,
    next: { columns, dropped, indexes, views: [...(views ?? []), entry] },
  };
}

function changing(record: TableRecord): OverloadError {
  return new OverloadError(
    'OVERLOAD_SCHEMA_CHANGE',
    `another schema change of ${record.keyspace}.${record.name} is under way; try again`,
  );
}

function newRecord(view: NewView): ViewRecord {
  const key = (column: ColumnEntry, order: ViewKeyRecord['order']): ViewKeyRecord => ({
    columnId: idOf(column),
    order,
  });
  const { further } = view;
  return {
    name: view.name,
    cassandraId: view.cassandraId,
    partition: view.partition.map((column) => key(column, null)),
    clustering: view.clustering.map(({ column, order }) => key(column, order)),
    selected: view.selected === undefined ? null : view.selected.map(idOf),
    notNull: view.notNull.map(idOf),
    ...(further === undefined
      ? {}
      : {
          further: {
            // Never a name that the table had: Cassandra keeps what it remembers of dropped columns.
            name: `${RESERVED_COLUMN_PREFIX}v_${randomBytes(8).toString('hex')}`,
            columnId: idOf(further),
          },
        }),
    state: further === undefined ? 'active' : 'building',
  };
}

function idOf(column: ColumnEntry): string {
  return Buffer.from(column.id).toString('hex');
}
