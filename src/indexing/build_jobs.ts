import { OverloadError } from '../errors/index.ts';
import { liveHolds, rotationOf } from '../rotation/index.ts';
import type { IndexBuildRecord, RotationRecord, VerifiedRecords } from '../schema/index.ts';
import type { IndexBuilderPorts } from './ports.ts';

type Ports = Pick<IndexBuilderPorts, 'catalog' | 'clock' | 'owner' | 'step'>;

/** Which index of which table, by its hidden column. */
export interface BuildTarget {
  /** Hex. */
  readonly tableId: string;
  readonly hiddenColumn: string;
}

/** Another proxy has taken the job over, or it is gone: stop working on it. */
export class BuildLostError extends OverloadError {
  constructor() {
    super('OVERLOAD_INDEX_BUILD', 'the index is being built by another proxy');
  }
}

/** Takes the building of an index for this process; `undefined` when somebody else has it or the index is not there. */
export async function claimBuild(
  ports: Ports,
  target: BuildTarget,
  ranges: number,
  claimMs: number,
): Promise<IndexBuildRecord | undefined> {
  const { catalog, clock, owner } = ports;
  let claimed: IndexBuildRecord | undefined;
  await ports.step?.('index_build.claim');
  await catalog.change((view) => {
    claimed = undefined;
    if (!isWriteOnly(view, target)) return undefined;
    const rotation = rotationOf(view, target.tableId);
    const present = buildIn(rotation, target);
    const held = present?.claim ?? null;
    if (held !== null && held.owner !== owner && held.deadlineMs > clock.nowMs()) return undefined;
    const claim = { owner, deadlineMs: clock.nowMs() + claimMs };
    const { hiddenColumn } = target;
    claimed = { ...(present ?? { hiddenColumn, ranges, done: 0 }), claim };
    return { put: [withBuild(view, rotation, claimed)] };
  });
  return claimed;
}

/** Makes durable how far a build has come. @throws BuildLostError */
export async function saveBuild(
  ports: Ports,
  target: BuildTarget,
  done: number,
  claimMs: number,
): Promise<void> {
  const { catalog, clock, owner } = ports;
  await ports.step?.('index_build.save');
  await catalog.change((view) => {
    const rotation = rotationOf(view, target.tableId);
    const present = buildIn(rotation, target);
    if (present?.claim?.owner !== owner) throw new BuildLostError();
    const claim = { owner, deadlineMs: clock.nowMs() + claimMs };
    return { put: [withBuild(view, rotation, { ...present, done, claim })] };
  });
}

/** Ends a job: done, or `isDone` false to let another process take it at once. That of an index that is gone goes, too. */
export async function endBuild(ports: Ports, target: BuildTarget, isDone: boolean): Promise<void> {
  await ports.catalog.change((view) => {
    const rotation = view.rotations.get(target.tableId);
    const present = rotation === undefined ? undefined : buildIn(rotation, target);
    if (rotation === undefined || present === undefined) return undefined;
    const isOver = isDone || !isWriteOnly(view, target);
    if (!isOver && present.claim?.owner !== ports.owner) return undefined;
    const others = otherBuilds(view, rotation, target.hiddenColumn);
    const builds = isOver ? others : [...others, { ...present, claim: null }];
    return { put: [{ ...rotation, builds }] };
  });
}

/** Whether this process may write now what it reads from now on: it has the job, and nobody truncates the table. */
export function mayWrite(ports: Ports, view: VerifiedRecords, target: BuildTarget): boolean {
  const rotation = rotationOf(view, target.tableId);
  if (buildIn(rotation, target)?.claim?.owner !== ports.owner) throw new BuildLostError();
  if (!isWriteOnly(view, target)) throw new BuildLostError();
  return liveHolds(rotation, ports.clock).length === 0;
}

function isWriteOnly(view: VerifiedRecords, target: BuildTarget): boolean {
  const record = view.records.get(target.tableId)?.record;
  if (record?.kind !== 'table') return false;
  const { hiddenColumn } = target;
  return (
    (record.indexes ?? []).some(
      ({ hidden, state }) => hidden?.name === hiddenColumn && state === 'write_only',
    ) ||
    (record.views ?? []).some(
      ({ further, state }) => further?.name === hiddenColumn && state === 'building',
    )
  );
}

function buildIn(rotation: RotationRecord, target: BuildTarget): IndexBuildRecord | undefined {
  return rotation.builds?.find(({ hiddenColumn }) => hiddenColumn === target.hiddenColumn);
}

function withBuild(
  view: VerifiedRecords,
  rotation: RotationRecord,
  build: IndexBuildRecord,
): RotationRecord {
  return { ...rotation, builds: [...otherBuilds(view, rotation, build.hiddenColumn), build] };
}

/** The other builds of a table, without those of indexes that were dropped: their processes may have ended before. */
function otherBuilds(
  view: VerifiedRecords,
  rotation: RotationRecord,
  hiddenColumn: string,
): readonly IndexBuildRecord[] {
  const { tableId } = rotation;
  return (rotation.builds ?? []).filter(
    (build) =>
      build.hiddenColumn !== hiddenColumn &&
      isWriteOnly(view, { tableId, hiddenColumn: build.hiddenColumn }),
  );
}
