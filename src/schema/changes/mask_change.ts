import { InvalidRequestError } from '../../errors/index.ts';
import type { TableEntry } from '../entries.ts';
import type { ColumnRecord, MaskRecord } from '../record.ts';
import { refuseForeignClaim, whenFree } from './change_context.ts';
import type { ChangeContext } from './change_context.ts';
import { tableRecord } from './own_record.ts';
import { recoverChanges } from './recovery.ts';

/**
 * Masks a column with another function, or with none: one change of the record, as Cassandra knows nothing of masks.
 * @throws InvalidRequestError when the column or the table was changed meanwhile
 */
export async function setColumnMask(
  context: ChangeContext,
  table: TableEntry,
  column: string,
  mask: MaskRecord | undefined,
): Promise<void> {
  const { record } = table;
  if (record === undefined) return;
  const known = record.columns.find(({ name }) => name === column);
  await context.step('mask.record');
  await whenFree(
    context,
    () => recoverChanges(context),
    () =>
      context.catalog.change((view) => {
        const current = tableRecord(view, record.tableId);
        refuseForeignClaim(context, current);
        const at = current.columns.findIndex(({ name, id }) => name === column && id === known?.id);
        const found = current.columns[at];
        if (found?.type !== known?.type || found === undefined || current.state !== 'ACTIVE') {
          throw new InvalidRequestError(
            `table ${current.keyspace}.${current.name} was changed meanwhile; try again`,
          );
        }
        return { put: [{ ...current, columns: current.columns.with(at, masked(found, mask)) }] };
      }),
  );
  await context.catalog.refresh();
}

function masked({ mask: _, ...column }: ColumnRecord, mask: MaskRecord | undefined): ColumnRecord {
  return mask === undefined ? column : { ...column, mask };
}
