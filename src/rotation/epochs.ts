import { SchemaError } from '../errors/index.ts';
import {
  cellDekIn,
  cellDeks,
  dekCreatedAtMs,
  LAST_EPOCH,
  nextCellEpoch,
  withCellDeksRetired,
  withPendingActivated,
  withPendingCellDek,
} from '../schema/index.ts';
import type { TableKeys, TableRecord } from '../schema/index.ts';
import type { RotationPorts } from './ports.ts';
import { isFree, requireFree, rotationOf, tableOf } from './records.ts';

const BEGIN_ATTEMPTS = 5;

type Ports = Pick<RotationPorts, 'catalog' | 'clock' | 'deks' | 'step'>;

/**
 * Makes the next cell DEK of a table, pending: durable in the record, not yet written with. Of several proxies one makes it.
 * @returns the pending epoch, and whether this call made it
 * @throws KeyAccessError, KeyUnavailableError from the KMS; OverloadError while the table is being changed
 */
export async function beginEpoch(
  ports: Ports,
  tableId: string,
): Promise<{ readonly epoch: number; readonly begun: boolean }> {
  const { catalog, clock, deks } = ports;
  for (let attempt = 1; ; attempt++) {
    const view = await catalog.readRecords();
    const record = tableOf(view, tableId);
    requireFree(record);
    const pending = cellDekIn(keysOf(record), 'pending');
    if (pending !== undefined) return { epoch: pending.epoch, begun: false };
    const epoch = nextCellEpoch(keysOf(record));
    if (epoch > LAST_EPOCH) {
      throw new SchemaError(
        'SCHEMA_EPOCHS',
        `table ${record.keyspace}.${record.name} has had all of its ${LAST_EPOCH} epochs; copy it into a new table`,
      );
    }
    await ports.step?.('rotate.kms');
    const dek = await deks.newCellDek(record, view.clusterId, epoch, clock.nowMs());
    const outcome = { isBegun: false };
    await ports.step?.('rotate.pending');
    await catalog.change((now) => {
      const current = tableOf(now, tableId);
      requireFree(current);
      const keys = keysOf(current);
      // Another proxy was faster, or the table key has changed: look again.
      outcome.isBegun =
        cellDekIn(keys, 'pending') === undefined &&
        nextCellEpoch(keys) === epoch &&
        newestVersion(keys) === dek.tableKeyVersion;
      return outcome.isBegun
        ? { put: [{ ...current, keys: withPendingCellDek(keys, dek) }] }
        : undefined;
    });
    if (outcome.isBegun) {
      await catalog.refresh();
      return { epoch, begun: true };
    }
    if (attempt === BEGIN_ATTEMPTS) requireFree({ ...record, state: 'ALTERING' });
  }
}

/**
 * Brings the pending cell DEK into use once every proxy has had the time to learn of it.
 * @returns false when there is none, it is too young, or the table is being changed
 */
export async function activateEpoch(
  ports: Ports,
  record: TableRecord,
  pendingMs: number,
): Promise<boolean> {
  const { catalog, clock, deks } = ports;
  const { tableId } = record;
  const isDue = (candidate: TableRecord): boolean => {
    const pending = cellDekIn(keysOf(candidate), 'pending');
    return (
      pending !== undefined &&
      isFree(candidate) &&
      clock.nowMs() - dekCreatedAtMs(candidate, pending) >= pendingMs
    );
  };
  if (!isDue(record)) return false;
  // With a changed record each process asks the KMS anew: one that does not answer must not be needed just now.
  await deks.checkAccess(record);
  const outcome = { isActivated: false };
  await ports.step?.('rotate.active');
  await catalog.change((view) => {
    const current = tableOf(view, tableId);
    outcome.isActivated = isDue(current);
    if (!outcome.isActivated) return undefined;
    return { put: [{ ...current, keys: withPendingActivated(keysOf(current), clock.nowMs()) }] };
  });
  if (outcome.isActivated) await catalog.refresh();
  return outcome.isActivated;
}

/**
 * Ends the epochs below the target of a re-encryption that read the whole table: their wrapped DEKs leave the record, cells
 * of theirs are refused from now on. The job ends in the same change.
 * @returns false when the job is not the one that ended, or the table is being changed
 */
export async function retireEpochs(
  ports: Ports,
  record: TableRecord,
  targetEpoch: number,
): Promise<boolean> {
  const { catalog, clock, deks } = ports;
  await deks.checkAccess(record);
  const outcome = { isRetired: false };
  await ports.step?.('rotate.retire');
  await catalog.change((view) => {
    const current = tableOf(view, record.tableId);
    const rotation = rotationOf(view, record.tableId);
    const { job } = rotation;
    outcome.isRetired =
      isFree(current) &&
      job?.targetEpoch === targetEpoch &&
      job.scanEndedAtMs !== null &&
      job.damaged === 0;
    if (!outcome.isRetired || job === null) return undefined;
    const last = {
      targetEpoch,
      endedAtMs: clock.nowMs(),
      rows: job.rows,
      cells: job.cells,
    };
    return {
      put: [
        { ...current, keys: withCellDeksRetired(keysOf(current), targetEpoch) },
        { ...rotation, job: null, last },
      ],
    };
  });
  if (outcome.isRetired) await catalog.refresh();
  return outcome.isRetired;
}

/** The epochs that a re-encryption to `targetEpoch` would retire. */
export function epochsBelow(record: TableRecord, targetEpoch: number): number[] {
  return cellDeks(keysOf(record))
    .map((dek) => dek.epoch)
    .filter((epoch) => epoch < targetEpoch);
}

/** The keys of a live table. */
export function keysOf(record: TableRecord): TableKeys {
  if (record.keys !== null) return record.keys;
  throw new SchemaError(
    'SCHEMA_ROTATION_TABLE',
    `table ${record.keyspace}.${record.name} has no keys yet`,
  );
}

function newestVersion(keys: TableKeys): number {
  return Math.max(...keys.tableKeys.map((key) => key.version));
}
