import { OverloadError, SchemaError } from '../errors/index.ts';
import { rotationOf } from '../rotation/index.ts';
import { cellDekIn, keyEpoch, LAST_EPOCH, withKeyDek, withOnlyKeyDek } from '../schema/index.ts';
import type { RewriteRecord, TableKeys, TableRecord, VerifiedRecords } from '../schema/index.ts';
import type { RewritePorts } from './ports.ts';
import { requireKnownTokens, requireRewritable, tableNamed } from './requirements.ts';

type Ports = Pick<RewritePorts, 'catalog' | 'clock' | 'connection' | 'deks' | 'owner' | 'step'>;

/** A table whose rows are being moved, and its job. */
export interface Rewriting {
  readonly record: TableRecord & { readonly keys: TableKeys };
  readonly job: RewriteRecord;
}

/** Another proxy has taken the job over, or the table is gone: stop working on it. */
export class RewriteLostError extends OverloadError {
  constructor(record: Pick<TableRecord, 'keyspace' | 'name'>) {
    super(
      'OVERLOAD_REWRITE',
      `the rewrite of ${record.keyspace}.${record.name} is being done by another proxy, or the table was dropped`,
    );
  }
}

/**
 * Begins the rewrite of a table: a key DEK of the next epoch, durable in the record, and from that moment nobody may read or write
 * the table. Of a rewrite that is blocked a new pass begins.
 * @throws SchemaError when there is no such table or it cannot be rewritten; KeyAccessError, KeyUnavailableError from the KMS;
 *   OverloadError when the table was changed meanwhile
 */
export async function beginRewrite(
  ports: Ports,
  keyspace: string,
  name: string,
  ranges: number,
): Promise<'begun' | 'under_way' | 'again'> {
  const { catalog, clock, deks } = ports;
  await catalog.refresh();
  const view = await catalog.readRecords();
  const record = tableNamed(view, keyspace, name);
  if (record.rewrite !== undefined) return await repeatRewrite(ports, record);
  requireRewritable(view, catalog.snapshot(), record, clock);
  await requireKnownTokens(ports.connection);
  const epoch = keyEpoch(record) + 1;
  if (epoch > LAST_EPOCH) {
    throw new SchemaError(
      'SCHEMA_EPOCHS',
      `table ${keyspace}.${name} has had all of its ${String(LAST_EPOCH)} epochs; copy it into a new table`,
    );
  }
  await ports.step?.('rewrite.kms');
  const dek = await deks.newKeyDek(record, view.clusterId, epoch, clock.nowMs());
  const before = JSON.stringify(record);
  await ports.step?.('rewrite.begin');
  await catalog.change((now) => {
    const current = tableNamed(now, keyspace, name);
    if (JSON.stringify(current) !== before || current.keys === null) {
      throw new OverloadError(
        'OVERLOAD_SCHEMA_CHANGE',
        `table ${keyspace}.${name} was changed meanwhile; try again`,
      );
    }
    requireRewritable(now, catalog.snapshot(), current, clock);
    const rewrite: RewriteRecord = {
      epoch,
      scanStartedAtMs: null,
      pass: 1,
      ranges,
      done: 0,
      rows: 0,
      cells: 0,
      moved: 0,
      damaged: 0,
      begun: false,
      claim: null,
    };
    return {
      put: [
        {
          ...current,
          state: 'REWRITING',
          keys: withKeyDek(current.keys, dek),
          rewrite: { epoch, beganAtMs: clock.nowMs() },
        },
        { ...rotationOf(now, current.tableId), rewrite },
      ],
    };
  });
  await ports.step?.('rewrite.begun');
  await catalog.refresh();
  return 'begun';
}

/** Every table that is being rewritten, with its job. */
export function rewritesIn(view: VerifiedRecords): Rewriting[] {
  return [...view.records.values()].flatMap(({ record }) => {
    if (record.kind !== 'table' || record.state !== 'REWRITING') return [];
    const rewriting = rewritingOf(view, record.tableId);
    return rewriting === undefined ? [] : [rewriting];
  });
}

function rewritingOf(view: VerifiedRecords, tableId: string): Rewriting | undefined {
  const record = view.records.get(tableId)?.record;
  const job = view.rotations.get(tableId)?.rewrite ?? null;
  if (record?.kind !== 'table' || record.state !== 'REWRITING') return undefined;
  const { keys } = record;
  if (keys === null || job === null || job.epoch !== record.rewrite?.epoch) return undefined;
  return { record: { ...record, keys }, job };
}

/** True for a job whose pass met rows that open under no key: it does not end until somebody has looked at them. */
export function isBlocked(job: RewriteRecord): boolean {
  return job.damaged > 0 && job.done === job.ranges;
}

/** Whether this process may take a job now. */
export function isClaimable(job: RewriteRecord, owner: string, nowMs: number): boolean {
  const { claim } = job;
  return claim === null || claim.owner === owner || claim.deadlineMs <= nowMs;
}

/** Takes a job for this process; `undefined` when somebody else has it, or it is not to be worked on. */
export async function claimRewrite(
  ports: Ports,
  tableId: string,
  claimMs: number,
): Promise<Rewriting | undefined> {
  const { clock, owner } = ports;
  let claimed: Rewriting | undefined;
  await ports.step?.('rewrite.claim');
  await ports.catalog.change((view) => {
    claimed = undefined;
    const found = rewritingOf(view, tableId);
    if (found === undefined || isBlocked(found.job)) return undefined;
    if (!isClaimable(found.job, owner, clock.nowMs())) return undefined;
    const claim = { owner, deadlineMs: clock.nowMs() + claimMs };
    claimed = { ...found, job: { ...found.job, claim } };
    return { put: [{ ...rotationOf(view, tableId), rewrite: claimed.job }] };
  });
  return claimed;
}

/** What of a job is made durable as it goes on. */
export type RewriteState = Pick<
  RewriteRecord,
  'scanStartedAtMs' | 'pass' | 'done' | 'rows' | 'cells' | 'moved' | 'damaged' | 'begun'
>;

/** Makes the state of a job durable and the claim longer. @throws RewriteLostError */
export async function saveRewrite(
  ports: Ports,
  record: TableRecord,
  state: RewriteState,
  claimMs: number,
): Promise<void> {
  const { clock, owner } = ports;
  await ports.step?.('rewrite.save');
  await ports.catalog.change((view) => {
    const job = requireOwn(view, record, owner);
    const claim = { owner, deadlineMs: clock.nowMs() + claimMs };
    const { scanStartedAtMs, pass, done, rows, cells, moved, damaged, begun } = state;
    const saved = { scanStartedAtMs, pass, done, rows, cells, moved, damaged, begun };
    return { put: [{ ...rotationOf(view, record.tableId), rewrite: { ...job, ...saved, claim } }] };
  });
}

/** Gives the job back, so that another proxy need not wait for the claim to end. */
export async function releaseRewrite(ports: Ports, record: TableRecord): Promise<void> {
  await ports.catalog.change((view) => {
    const job = view.rotations.get(record.tableId)?.rewrite ?? null;
    if (job?.claim?.owner !== ports.owner) return undefined;
    return { put: [{ ...rotationOf(view, record.tableId), rewrite: { ...job, claim: null } }] };
  });
}

/** The job as it is now. @throws RewriteLostError unless it is this process's */
export function requireOwn(
  view: VerifiedRecords,
  record: TableRecord,
  owner: string,
): RewriteRecord {
  const job = rewritingOf(view, record.tableId)?.job;
  if (job?.claim?.owner !== owner || job.epoch !== record.rewrite?.epoch) {
    throw new RewriteLostError(record);
  }
  return job;
}

/**
 * Ends a rewrite: the old key DEK leaves the record, and the table may be used again. Only after a pass that found nothing under
 * the old key.
 * @throws RewriteLostError; KeyAccessError, KeyUnavailableError: each proxy asks the KMS anew then, so it must answer
 */
export async function endRewrite(ports: Ports, record: TableRecord): Promise<void> {
  const { catalog, clock, deks, owner } = ports;
  await deks.checkAccess(record);
  await ports.step?.('rewrite.end');
  await catalog.change((view) => {
    const job = requireOwn(view, record, owner);
    const current = rewritingOf(view, record.tableId)?.record;
    const isComplete = job.done === job.ranges && job.moved === 0 && job.damaged === 0;
    if (current?.claim !== null || !isComplete) {
      throw new RewriteLostError(record);
    }
    const { rewrite: _, ...rest } = current;
    const keys = withOnlyKeyDek(current.keys, job.epoch);
    const rotation = rotationOf(view, record.tableId);
    const active = cellDekIn(keys, 'active')?.epoch ?? 0;
    const before = rotation.usage?.epoch === active ? rotation.usage.cells : 0;
    const { epoch, rows, cells } = job;
    return {
      put: [
        { ...rest, state: 'ACTIVE', keys },
        {
          ...rotation,
          // What was encrypted anew counts as well.
          usage: { epoch: active, cells: before + cells },
          rewrite: null,
          lastRewrite: { epoch, endedAtMs: clock.nowMs(), rows, cells },
        },
      ],
    };
  });
  await ports.step?.('rewrite.ended');
  await catalog.refresh();
}

/** Begins a new pass of a job that is blocked: somebody has looked at the rows that do not open. */
async function repeatRewrite(
  { catalog }: Ports,
  { tableId }: TableRecord,
): Promise<'under_way' | 'again'> {
  let outcome: 'under_way' | 'again' = 'under_way';
  await catalog.change((view) => {
    outcome = 'under_way';
    const job = rewritingOf(view, tableId)?.job;
    if (job === undefined || !isBlocked(job)) return undefined;
    outcome = 'again';
    const again = { ...job, pass: job.pass + 1, done: 0, moved: 0, damaged: 0, begun: true };
    return { put: [{ ...rotationOf(view, tableId), rewrite: { ...again, claim: null } }] };
  });
  return outcome;
}
