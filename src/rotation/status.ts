import { cellDekIn, cellDeks, dekCreatedAtMs } from '../schema/index.ts';
import type {
  DekRecord,
  FinishedReencryption,
  ReencryptionRecord,
  VerifiedRecords,
} from '../schema/index.ts';
import { keysOf } from './epochs.ts';
import { isBlocked } from './jobs.ts';
import { liveTables } from './records.ts';

/**
 * waiting: proxies may still write with an old epoch. scanning: token ranges are read and re-encrypted. ending: all are done, the
 * old epochs end in a moment. blocked: cells fail authentication, nothing retires.
 */
export type JobPhase = 'waiting' | 'scanning' | 'ending' | 'blocked';

/** Where the rotation of a table is. Times in milliseconds since the Unix epoch. */
export interface TableRotationStatus {
  readonly keyspace: string;
  readonly table: string;
  readonly epochs: readonly {
    readonly epoch: number;
    readonly state: DekRecord['state'];
    readonly createdAtMs: number;
  }[];
  /** Cells of lower epochs are refused. */
  readonly minEpoch: number;
  /** Values encrypted under the active epoch, as far as proxies have told. */
  readonly cells: number;
  readonly reencryption:
    | (Pick<
        ReencryptionRecord,
        'targetEpoch' | 'requestedAtMs' | 'ranges' | 'done' | 'rows' | 'cells' | 'damaged'
      > & { readonly phase: JobPhase })
    | null;
  readonly lastReencryption: FinishedReencryption | null;
}

/** The rotation of every encrypted table, by name. */
export function rotationStatus(view: VerifiedRecords): TableRotationStatus[] {
  return liveTables(view).map((record) => {
    const keys = keysOf(record);
    const rotation = view.rotations.get(record.tableId);
    const job = rotation?.job ?? null;
    const active = cellDekIn(keys, 'active');
    return {
      keyspace: record.keyspace,
      table: record.name,
      epochs: cellDeks(keys).map((dek) => ({
        epoch: dek.epoch,
        state: dek.state,
        createdAtMs: dekCreatedAtMs(record, dek),
      })),
      minEpoch: keys.minEpoch,
      cells: rotation?.usage?.epoch === active?.epoch ? (rotation?.usage?.cells ?? 0) : 0,
      reencryption:
        job === null
          ? null
          : {
              phase: phaseOf(job),
              targetEpoch: job.targetEpoch,
              requestedAtMs: job.requestedAtMs,
              ranges: job.ranges,
              done: job.done,
              rows: job.rows,
              cells: job.cells,
              damaged: job.damaged,
            },
      lastReencryption: rotation?.last ?? null,
    };
  });
}

function phaseOf(job: ReencryptionRecord): JobPhase {
  if (isBlocked(job)) return 'blocked';
  if (job.scanEndedAtMs !== null) return 'ending';
  return job.scanStartedAtMs === null ? 'waiting' : 'scanning';
}
