import { randomBytes } from 'node:crypto';
import { InvalidRequestError } from '../../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../entries.ts';
import { RESERVED_COLUMN_PREFIX } from '../names.ts';
import type { TableRecord } from '../record.ts';
import { liveViews } from '../views.ts';
import type { ViewKeyRecord, ViewRecord } from '../views.ts';
import type { ChangeContext } from './change_context.ts';
import { changing, createWithColumn, dropUnused, dropWithColumn } from './hidden_column_changes.ts';
import type { HiddenColumnOwner } from './hidden_column_changes.ts';

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

const VIEWS: HiddenColumnOwner = {
  steps: 'view',
  unused: ({ views }) =>
    (views ?? []).flatMap(({ state, further }) =>
      state === 'abandoned' && further !== undefined ? [further.name] : [],
    ),
  // Cassandra drops no column of a table that has views.
  mayDrop: (form) => liveViews(form).length === 0,
  without: ({ views }, names) => ({
    views: (views ?? []).filter(
      ({ state, further }) =>
        state !== 'abandoned' || (further !== undefined && !names.includes(further.name)),
    ),
  }),
};

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
  await dropUnused(context, record, VIEWS, statements);
  const entry = newRecord(view);
  const further = entry.further?.name;
  await createWithColumn(context, record, VIEWS, (current) => withView(current, entry), {
    addColumn: further === undefined ? undefined : () => statements.addColumn(further),
    create: () => statements.create(further),
  });
}

/** DROP MATERIALIZED VIEW: Cassandra's first, then the stored column, which nothing reads any more. */
export async function dropView(
  context: ChangeContext,
  base: TableEntry,
  statements: Pick<ViewStatements, 'dropColumns'> & { drop(): Promise<unknown> },
): Promise<void> {
  await dropWithColumn(context, base.record, VIEWS, statements);
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
