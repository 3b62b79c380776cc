import { OverloadError } from '../../errors/index.ts';
import type { TableForm, TableRecord } from '../record.ts';
import { claim, keepClaim, refuseForeignClaim, settled, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import { isRefusal } from './outcome.ts';
import { tableRecord } from './own_record.ts';
import { recoverChanges } from './recovery.ts';
import { settleUnknown } from './table_changes.ts';

/** Indexes or views: what has hidden columns in a table. */
export interface HiddenColumnOwner {
  /** First part of the names of the steps. */
  readonly steps: 'index' | 'view';
  /** The hidden columns that nothing has any more. */
  unused(form: TableForm): readonly string[];
  /** Whether Cassandra drops columns of such a table. */
  mayDrop(form: TableForm): boolean;
  /** A form without what had these hidden columns. */
  without(form: TableForm, names: readonly string[]): Pick<TableForm, 'indexes' | 'views'>;
}

/** A stored statement that drops hidden columns, executed on the client's own connection. */
interface DropColumns {
  dropColumns(names: readonly string[]): Promise<unknown>;
}

/** The stored statements that make an index or a view, in the order in which they are executed. */
export interface CreateStatements {
  /** Adds the hidden column; `undefined` where there is none. */
  readonly addColumn: (() => Promise<unknown>) | undefined;
  create(): Promise<unknown>;
}

/**
 * Makes an index or a view: the record has it, with its hidden column, before Cassandra does.
 * @throws whatever the statements are refused with: then there is none, and a hidden column that was added stays, abandoned, since
 * other proxies may already write it
 */
export async function createWithColumn(
  context: ChangeContext,
  record: TableRecord,
  { steps }: HiddenColumnOwner,
  update: (record: TableRecord) => TableRecord,
  statements: CreateStatements,
): Promise<void> {
  const own = new Set([record.tableId]);
  await context.step(`${steps}.claim`);
  await claimFor(context, record.tableId, update);
  if (statements.addColumn !== undefined) {
    await context.step(`${steps}.column`);
    await executed(context, own, statements.addColumn);
    await context.step(`${steps}.column_agreement`);
    await settled(context);
  }
  await context.step(`${steps}.stored`);
  await executed(context, own, () => statements.create());
  await context.step(`${steps}.agreement`);
  await settled(context);
  await context.step(`${steps}.active`);
  await recoverChanges(context, own);
  await context.step(`${steps}.refresh`);
  await context.catalog.refresh();
}

/** Drops an index or a view: Cassandra's own first, then the hidden column, which nothing reads any more. */
export async function dropWithColumn(
  context: ChangeContext,
  record: TableRecord | undefined,
  owner: HiddenColumnOwner,
  statements: DropColumns & { drop(): Promise<unknown> },
): Promise<void> {
  if (record === undefined) {
    await statements.drop();
    await settled(context);
    return;
  }
  const steps = `${owner.steps}_drop`;
  const own = new Set([record.tableId]);
  await context.step(`${steps}.claim`);
  await claimFor(context, record.tableId, (current) => ({ ...current, next: null }));
  await context.step(`${steps}.stored`);
  await executed(context, own, () => statements.drop());
  await context.step(`${steps}.agreement`);
  await settled(context);
  await context.step(`${steps}.settle`);
  await recoverChanges(context, own);
  await context.step(`${steps}.column`);
  await dropUnused(context, record, owner, statements);
  await context.step(`${steps}.refresh`);
  await context.catalog.refresh();
}

/** Drops hidden columns that nothing has and no proxy writes any more; the others stay until the next change. */
export async function dropUnused(
  context: ChangeContext,
  record: TableRecord,
  owner: HiddenColumnOwner,
  statements: DropColumns,
): Promise<void> {
  const { records } = await context.catalog.readRecords();
  const present = records.get(record.tableId)?.record;
  if (present?.kind !== 'table') return;
  const due = new Set(context.unused.due(owner.unused(present)));
  if (due.size === 0 || !owner.mayDrop(present)) return;
  let names: readonly string[] = [];
  await claimFor(context, record.tableId, (current) => {
    names = owner.mayDrop(current) ? owner.unused(current).filter((name) => due.has(name)) : [];
    const { columns, dropped, indexes, views } = current;
    const left = owner.without(current, names);
    return { ...current, next: { columns, dropped, indexes, views, ...left } };
  });
  const own = new Set([record.tableId]);
  try {
    if (names.length > 0) await executed(context, own, () => statements.dropColumns(names));
  } catch (error) {
    // An unused column that stays harms nothing.
    if (isRefusal(error)) return;
    throw error;
  }
  context.unused.forget(names);
  await settled(context);
  await recoverChanges(context, own);
}

/** Executes a stored statement. Gives the claim back where it was refused; an unknown outcome is left to recovery. */
async function executed(
  context: ChangeContext,
  own: ReadonlySet<string>,
  statement: () => Promise<unknown>,
): Promise<void> {
  await keepClaim(context, own);
  try {
    await statement();
  } catch (error) {
    await settleUnknown(context);
    if (isRefusal(error)) {
      await recoverChanges(context, own).catch(() => undefined);
      await context.catalog.refresh().catch(() => undefined);
    }
    throw error;
  }
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

/** The error of a change that another one was faster than. */
export function changing(record: TableRecord): OverloadError {
  return new OverloadError(
    'OVERLOAD_SCHEMA_CHANGE',
    `another schema change of ${record.keyspace}.${record.name} is under way; try again`,
  );
}
