import { formMatches } from '../build_table.ts';
import type { TableForm, TableRecord } from '../record.ts';
import type { ChangeContext } from './change_context.ts';

/** Makes the form that system_schema shows the only one; does nothing when it shows neither. */
export async function settleAltered(context: ChangeContext, tableId: string): Promise<void> {
  const raw = await context.source.readSchema();
  await context.catalog.change((view) => {
    const entry = view.records.get(tableId)?.record;
    if (entry?.kind !== 'table' || entry.state !== 'ALTERING' || entry.next === null) {
      return undefined;
    }
    const columns = raw.columns.filter(
      (column) => column.keyspace === entry.keyspace && column.table === entry.name,
    );
    const form = [entry.next, entry].find((candidate: TableForm) =>
      formMatches(candidate, columns),
    );
    if (form === undefined) return undefined;
    const { columns: kept, dropped } = form;
    return {
      put: [{ ...entry, state: 'ACTIVE', columns: kept, dropped, next: null, claim: null }],
    };
  });
}

/** The record of a table after its drop. */
export function droppedRecord(record: TableRecord, nowMs: number): TableRecord {
  return { ...record, state: 'DROPPED', next: null, claim: null, droppedAtMs: nowMs };
}
