import { InvalidRequestError } from '../../errors/index.ts';
import { isGone } from '../record.ts';
import type { TableRecord } from '../record.ts';
import type { VerifiedRecords } from '../verified_records.ts';
import type { ChangeContext } from './change_context.ts';

/** Changes a record that this change has claimed. @throws InvalidRequestError when the claim was taken over. */
export async function updateOwn(
  context: ChangeContext,
  tableId: string,
  update: (record: TableRecord) => TableRecord,
): Promise<void> {
  await context.catalog.change((view) => {
    const current = tableRecord(view, tableId);
    if (current.claim?.owner !== context.owner) {
      throw new InvalidRequestError(
        `the schema change of ${current.keyspace}.${current.name} took too long and was settled by another proxy; try again`,
      );
    }
    return { put: [update(current)] };
  });
}

/** The record of a table that is there. @throws InvalidRequestError when it is gone. */
export function tableRecord(view: Pick<VerifiedRecords, 'records'>, tableId: string): TableRecord {
  const record = view.records.get(tableId)?.record;
  if (record?.kind !== 'table' || isGone(record)) {
    throw new InvalidRequestError('the table was changed or dropped meanwhile; try again');
  }
  return record;
}
