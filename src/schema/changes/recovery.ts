import { recordId } from '../record.ts';
import type { CatalogRecord, TableKeys, TableRecord } from '../record.ts';
import type { RawSchema } from '../raw_schema.ts';
import type { ChangeSet } from '../record_changes.ts';
import { droppedRecord, settleAltered } from './settle.ts';
import type { ChangeContext } from './change_context.ts';

/**
 * Settles claims whose deadline has passed, by what Cassandra's schema shows once all nodes agree: a table with the id of
 * its claim is finished, an absent one is given up, another id is never adopted.
 * @param own ids of records that the caller itself has claimed: they are settled whatever their deadline
 */
export async function recoverChanges(
  context: ChangeContext,
  own?: ReadonlySet<string>,
): Promise<void> {
  const { catalog, clock } = context;
  const isDue = (record: CatalogRecord): boolean =>
    record.claim !== null &&
    (record.claim.deadlineMs <= clock.nowMs() ||
      (record.claim.owner === context.owner && own?.has(recordId(record)) === true));
  const before = await catalog.readRecords();
  const due = [...before.records.values()].map((entry) => entry.record).filter(isDue);
  if (due.length === 0) return;
  // A node that lags could show a table as absent.
  if (!(await context.source.waitForAgreement())) return;
  const raw = await context.source.readSchema();
  const discard: TableKeys[] = [];
  await context.step('recover.records');
  await catalog.change((view) => {
    discard.length = 0;
    const put: CatalogRecord[] = [];
    const remove: string[] = [];
    for (const { record } of view.records.values()) {
      if (!isDue(record)) continue;
      if (record.kind === 'table') settleTable(context, raw, record, put, remove, discard);
      else {
        const stored = raw.types.find(
          (type) => type.keyspace === record.keyspace && type.name === record.name,
        );
        if (stored === undefined) remove.push(record.typeId);
        else {
          const next = record.next;
          const isNext =
            next?.length === stored.fieldNames.length &&
            next.every((field, index) => field.name === stored.fieldNames[index]);
          put.push({
            ...record,
            state: 'ACTIVE',
            fields: isNext ? next : record.fields,
            next: null,
            claim: null,
          });
        }
      }
    }
    return put.length + remove.length === 0 ? undefined : ({ put, remove } satisfies ChangeSet);
  });
  for (const keys of discard) await context.keys.discardTableKeys(keys);
  for (const record of due) {
    if (record.kind === 'table' && record.state === 'ALTERING') {
      await settleAltered(context, record.tableId);
    }
  }
  await catalog.refresh();
}

function settleTable(
  context: ChangeContext,
  raw: RawSchema,
  record: TableRecord,
  put: CatalogRecord[],
  remove: string[],
  discard: TableKeys[],
): void {
  const stored = raw.tables.find(
    (table) => table.keyspace === record.keyspace && table.name === record.name,
  );
  const isThere = stored?.id === record.cassandraId;
  switch (record.state) {
    case 'CREATING':
      if (isThere && record.keys !== null) put.push({ ...record, state: 'ACTIVE', claim: null });
      else {
        remove.push(record.tableId);
        if (record.keys !== null) discard.push(record.keys);
      }
      return;
    case 'DROPPING':
      put.push(
        isThere
          ? { ...record, state: record.next === null ? 'ACTIVE' : 'ALTERING', claim: null }
          : droppedRecord(record, context.clock.nowMs()),
      );
      return;
    case 'ALTERING':
      // Its form is chosen by settleAltered; a table that is gone was dropped around the proxy.
      if (!isThere) put.push(droppedRecord(record, context.clock.nowMs()));
      return;
    case 'ACTIVE':
    case 'DROPPED':
      return;
  }
}
