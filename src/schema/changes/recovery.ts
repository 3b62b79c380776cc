import { isHeld } from '../access.ts';
import { isGone, recordId } from '../record.ts';
import type { CatalogRecord, TableRecord } from '../record.ts';
import type { VerifiedRecords } from '../verified_records.ts';
import type { ChangeContext } from './change_context.ts';
import { releaseAll, releaseLeftKeys } from './key_release.ts';
import { settle } from './settle.ts';

/** How long keys outlive their table: Cassandra's automatic snapshots need them. */
const KEYS_OF_DROPPED_MS = 42 * 86_400_000;

/**
 * Settles claims whose deadline has passed, and destroys the keys of tables that never came to be or were dropped long ago.
 * @param own ids of records that the caller itself has claimed: they are settled whatever their deadline
 */
export async function recoverChanges(
  context: ChangeContext,
  own?: ReadonlySet<string>,
): Promise<void> {
  const { catalog, clock } = context;
  const isDue = (record: CatalogRecord): boolean =>
    record.claim === null
      ? record.state === 'ALTERING'
      : record.claim.deadlineMs <= clock.nowMs() ||
        (record.claim.owner === context.owner && own?.has(recordId(record)) === true);
  const before = await catalog.readRecords();
  // By version: only what was due before the schema was read is settled by it.
  const due = new Map<string, bigint>();
  for (const [id, { record, version }] of before.records) if (isDue(record)) due.set(id, version);
  let isChanged = due.size > 0 && (await settleDue(context, due));
  if (await destroyOldKeys(context)) isChanged = true;
  if (await releaseLeftKeys(context)) isChanged = true;
  if (isChanged) await catalog.refresh();
}

async function settleDue(
  context: ChangeContext,
  due: ReadonlyMap<string, bigint>,
): Promise<boolean> {
  // A node that lags could show a table as absent.
  if (!(await context.source.waitForAgreement())) return false;
  const raw = await context.source.readSchema();
  await context.step('recover.records');
  await context.catalog.change((view) => {
    const put: CatalogRecord[] = [];
    const remove: string[] = [];
    for (const [id, version] of due) {
      const current = view.records.get(id);
      if (current?.version !== version) continue;
      const next = settle(current.record, raw, context.clock.nowMs());
      if (next === 'remove') remove.push(id);
      else if (next !== 'keep') put.push(next);
    }
    return put.length + remove.length === 0 ? undefined : { put, remove };
  });
  return true;
}

/** A record goes only after its keys, so a crash in between leaves a record that is found again. */
async function destroyOldKeys(context: ChangeContext): Promise<boolean> {
  const { catalog, clock } = context;
  const oldest = clock.nowMs() - KEYS_OF_DROPPED_MS;
  const isOld = (record: CatalogRecord): record is TableRecord =>
    record.kind === 'table' &&
    isGone(record) &&
    !isHeld(record) &&
    (record.state === 'ABANDONED' || (record.droppedAtMs ?? Number.MAX_VALUE) < oldest);
  const oldOnes = (view: VerifiedRecords): TableRecord[] => {
    const records = [...view.records.values()].map((entry) => entry.record);
    // A backup is under the table's KMS key, so that lives at least as long.
    const backedUp = new Set(records.flatMap((r) => (r.kind === 'backup' ? [r.tableId] : [])));
    return records.flatMap((record) =>
      isOld(record) && !backedUp.has(record.tableId) ? [record] : [],
    );
  };
  const idsOf = (view: VerifiedRecords): string[] => oldOnes(view).map(recordId);
  const now = clock.monotonicMs();
  const due = oldOnes(await catalog.readRecords()).filter(
    (record) => (context.releaseAfterMs.get(record.tableId) ?? 0) <= now,
  );
  if (due.length === 0) return false;
  await context.step('recover.destroy_keys');
  const ids: string[] = [];
  for (const record of due) {
    if (!(await releaseAll(context, record))) continue;
    await context.onKeysReleased(record);
    ids.push(record.tableId);
  }
  if (ids.length === 0) return false;
  await context.step('recover.remove_records');
  await catalog.change((view) => {
    const left = new Set(idsOf(view));
    const remove = ids.filter((id) => left.has(id));
    return remove.length === 0 ? undefined : { remove };
  });
  return true;
}
