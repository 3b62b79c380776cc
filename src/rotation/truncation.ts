import { randomUUID } from 'node:crypto';
import { rewritingError } from '../schema/index.ts';
import type { Catalog, HoldRecord, RotationRecord, TableRecord } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';
import { epochsBelow } from './epochs.ts';
import { rotationOf } from './records.ts';

/** Longer than Cassandra lets a TRUNCATE take. */
const HOLD_MS = 120_000;

/** A re-encryption writes only what it read after it last saw that there is no hold, and not longer than this after. */
export const PERMIT_MS = 2_000;

/** How long a write of a re-encryption may take to reach every replica: Cassandra drops it after its own time-out of 2 s. */
const LAST_WRITE_MS = 3_000;

/**
 * To be called before TRUNCATE of a table: resolves when no re-encryption and no building of an index writes to it any more. A row that was read before
 * and written after would be there again.
 * @returns what ends the hold; to be called whatever became of the TRUNCATE
 */
export async function beginTruncation(
  catalog: Catalog,
  clock: Clock,
  tableId: string,
): Promise<() => Promise<void>> {
  const holdId = randomUUID();
  const outcome = { isHeld: false, isWorkedOn: false };
  await catalog.change((view) => {
    const record = view.records.get(tableId)?.record;
    // Nothing waits for it: it was planned before the rewrite began.
    const rewriting = record?.kind === 'table' ? rewritingError(record) : undefined;
    if (rewriting !== undefined) throw rewriting;
    outcome.isHeld =
      record?.kind === 'table' &&
      record.keys !== null &&
      (epochsBelow(record, Number.MAX_SAFE_INTEGER).length > 1 || isBuilding(record));
    // With one epoch there is nothing to re-encrypt, and a second one is not re-encrypted before minutes have passed.
    if (!outcome.isHeld || record?.kind !== 'table') return undefined;
    const rotation = rotationOf(view, tableId);
    outcome.isWorkedOn = [rotation.job, ...(rotation.builds ?? [])].some(
      (job) => (job?.claim?.deadlineMs ?? 0) > clock.nowMs(),
    );
    const hold: HoldRecord = { holdId, untilMs: clock.nowMs() + HOLD_MS };
    return { put: [{ ...rotation, holds: [...liveHolds(rotation, clock), hold] }] };
  });
  if (!outcome.isHeld) return () => Promise.resolve();
  if (outcome.isWorkedOn) await catalog.sleep(PERMIT_MS + LAST_WRITE_MS);
  return async () => {
    await catalog.change((view) => {
      const rotation = view.rotations.get(tableId);
      if (rotation === undefined) return undefined;
      const holds = rotation.holds.filter((hold) => hold.holdId !== holdId);
      return holds.length === rotation.holds.length ? undefined : { put: [{ ...rotation, holds }] };
    });
  };
}

/** Whether rows may be built into an index of the table. */
function isBuilding(record: TableRecord): boolean {
  return (record.indexes ?? []).some(({ state }) => state === 'write_only');
}

/** Holds that are not forgotten ones of a proxy that died. */
export function liveHolds(rotation: RotationRecord, clock: Clock): HoldRecord[] {
  return rotation.holds.filter((hold) => hold.untilMs > clock.nowMs());
}
