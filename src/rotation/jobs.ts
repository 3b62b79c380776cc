import { OverloadError } from '../errors/index.ts';
import { cellDekIn } from '../schema/index.ts';
import type { ReencryptionRecord, TableRecord } from '../schema/index.ts';
import { epochsBelow, keysOf } from './epochs.ts';
import type { RotationPorts } from './ports.ts';
import { rotationOf, tableOf } from './records.ts';

type Ports = Pick<RotationPorts, 'catalog' | 'clock' | 'owner' | 'step'>;

/** Where a scan is; what {@link saveScan} makes durable. */
export type ScanState = Pick<
  ReencryptionRecord,
  'scanStartedAtMs' | 'scanEndedAtMs' | 'done' | 'rows' | 'cells' | 'damaged'
>;

/** Another proxy has taken the job over, or it is gone: stop working on it. */
export class JobLostError extends OverloadError {
  constructor(record: TableRecord) {
    super(
      'OVERLOAD_REENCRYPTION',
      `the re-encryption of ${record.keyspace}.${record.name} is being done by another proxy`,
    );
  }
}

/**
 * Asks for the re-encryption of all cells older than the newest epoch. A job for the same epoch stays, unless it is blocked
 * by damaged cells: then the scan begins anew.
 */
export async function requestReencryption(
  ports: Ports,
  tableId: string,
  ranges: number,
): Promise<'requested' | 'under_way' | 'nothing'> {
  const { catalog, clock } = ports;
  let outcome: 'requested' | 'under_way' | 'nothing' = 'nothing';
  await ports.step?.('reencrypt.request');
  await catalog.change((view) => {
    const record = tableOf(view, tableId);
    const keys = keysOf(record);
    const target = (cellDekIn(keys, 'pending') ?? cellDekIn(keys, 'active'))?.epoch ?? 0;
    const rotation = rotationOf(view, tableId);
    outcome = 'nothing';
    if (epochsBelow(record, target).length === 0) return undefined;
    outcome = 'under_way';
    const { job } = rotation;
    if (job?.targetEpoch === target && !isBlocked(job)) return undefined;
    outcome = 'requested';
    const fresh: ReencryptionRecord = {
      targetEpoch: target,
      requestedAtMs: clock.nowMs(),
      scanStartedAtMs: null,
      scanEndedAtMs: null,
      ranges,
      done: 0,
      rows: 0,
      cells: 0,
      damaged: 0,
      claim: null,
    };
    return { put: [{ ...rotation, job: fresh }] };
  });
  return outcome;
}

/** True for a job whose scan met cells that fail authentication: nothing retires until somebody has looked at them. */
export function isBlocked(job: ReencryptionRecord): boolean {
  return job.damaged > 0 && job.done === job.ranges;
}

/**
 * Takes a job for this process, when nobody else has it.
 * @returns the job as it is now; `undefined` when it is somebody else's, done, or of another epoch
 */
export async function claimJob(
  ports: Ports,
  record: TableRecord,
  claimMs: number,
): Promise<ReencryptionRecord | undefined> {
  const { catalog, clock, owner } = ports;
  let claimed: ReencryptionRecord | undefined;
  await ports.step?.('reencrypt.claim');
  await catalog.change((view) => {
    claimed = undefined;
    const rotation = view.rotations.get(record.tableId);
    const job = rotation?.job ?? null;
    if (rotation === undefined || job === null || isBlocked(job)) return undefined;
    const held = job.claim;
    if (held !== null && held.owner !== owner && held.deadlineMs > clock.nowMs()) return undefined;
    claimed = { ...job, claim: { owner, deadlineMs: clock.nowMs() + claimMs } };
    return { put: [{ ...rotation, job: claimed }] };
  });
  return claimed;
}

/**
 * Makes the state of a scan durable and the claim longer.
 * @throws JobLostError when the job is not this process's any more
 */
export async function saveScan(
  ports: Ports,
  record: TableRecord,
  job: ReencryptionRecord,
  state: ScanState,
  claimMs: number,
): Promise<void> {
  const { catalog, clock, owner } = ports;
  await ports.step?.('reencrypt.save');
  await catalog.change((view) => {
    const rotation = view.rotations.get(record.tableId);
    const current = rotation?.job ?? null;
    if (
      rotation === undefined ||
      current?.claim?.owner !== owner ||
      current.targetEpoch !== job.targetEpoch
    ) {
      throw new JobLostError(record);
    }
    const claim = { owner, deadlineMs: clock.nowMs() + claimMs };
    return { put: [{ ...rotation, job: { ...current, ...state, claim } }] };
  });
}

/** Gives the job back, so that another proxy need not wait for the claim to end. */
export async function releaseJob(ports: Ports, record: TableRecord): Promise<void> {
  await ports.catalog.change((view) => {
    const rotation = view.rotations.get(record.tableId);
    const job = rotation?.job ?? null;
    if (rotation === undefined || job?.claim?.owner !== ports.owner) return undefined;
    return { put: [{ ...rotation, job: { ...job, claim: null } }] };
  });
}
