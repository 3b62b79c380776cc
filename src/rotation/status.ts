import { cellDekIn, cellDeks, dekCreatedAtMs, keyEpoch } from '../schema/index.ts';
import type {
  DekRecord,
  FinishedReencryption,
  FinishedRewrite,
  ReencryptionRecord,
  RewriteRecord,
  TableRecord,
  VerifiedRecords,
} from '../schema/index.ts';
import { keysOf } from './epochs.ts';
import { isBlocked } from './jobs.ts';

/**
 * waiting: proxies may still write with an old epoch. scanning: token ranges are read and re-encrypted. ending: all are done, the
 * old epochs end in a moment. blocked: cells fail authentication, nothing retires.
 */
export type JobPhase = 'waiting' | 'scanning' | 'ending' | 'blocked';

/**
 * waiting: proxies may still use the table. moving: rows are moved under the new key. checking: nothing is left under the old
 * one, as a last pass makes sure of. blocked: rows open under no key, and the table stays closed.
 */
export type RewritePhase = 'waiting' | 'moving' | 'checking' | 'blocked';

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
  /** Of the key DEK that rows are under, or are being moved to. */
  readonly keyEpoch: number;
  readonly rewrite:
    | (Pick<RewriteRecord, 'epoch' | 'pass' | 'ranges' | 'done' | 'rows' | 'cells' | 'damaged'> & {
        readonly phase: RewritePhase;
        readonly beganAtMs: number;
      })
    | null;
  readonly lastRewrite: FinishedRewrite | null;
}

/** The rotation of every encrypted table, by name. */
export function rotationStatus(view: VerifiedRecords): TableRotationStatus[] {
  return shownTables(view).map((record) => {
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
      keyEpoch: keyEpoch(record),
      rewrite: rewriteStatus(record, rotation?.rewrite ?? null),
      lastRewrite: rotation?.lastRewrite ?? null,
    };
  });
}

function shownTables(view: VerifiedRecords): TableRecord[] {
  const nameOf = (record: TableRecord): string => `${record.keyspace}.${record.name}`;
  return [...view.records.values()]
    .flatMap(({ record }) => (record.kind === 'table' ? [record] : []))
    .filter(({ keys, state }) => keys !== null && SHOWN.has(state))
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

const SHOWN: ReadonlySet<TableRecord['state']> = new Set<TableRecord['state']>([
  'ACTIVE',
  'ALTERING',
  'REWRITING',
]);

function rewriteStatus(
  { rewrite: mark }: TableRecord,
  job: RewriteRecord | null,
): TableRotationStatus['rewrite'] {
  if (mark === undefined || job === null) return null;
  const { epoch, pass, ranges, done, rows, cells, damaged } = job;
  const counts = { epoch, pass, ranges, done, rows, cells, damaged };
  return { phase: rewritePhase(job), beganAtMs: mark.beganAtMs, ...counts };
}

function rewritePhase(job: RewriteRecord): RewritePhase {
  if (job.damaged > 0 && job.done === job.ranges) return 'blocked';
  if (job.scanStartedAtMs === null) return 'waiting';
  return job.pass === 1 ? 'moving' : 'checking';
}

function phaseOf(job: ReencryptionRecord): JobPhase {
  if (isBlocked(job)) return 'blocked';
  if (job.scanEndedAtMs !== null) return 'ending';
  return job.scanStartedAtMs === null ? 'waiting' : 'scanning';
}
