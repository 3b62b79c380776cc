import type { ClaimRecord } from './record.ts';

/** Values encrypted with a cell DEK by all proxies, as far as they have told. */
export interface CellUsage {
  /** Epoch that was active. */
  readonly epoch: number;
  readonly cells: number;
}

/** A re-encryption of all cells of a table, from its request to the end of the old epochs. */
export interface ReencryptionRecord {
  /** Cells of lower epochs are re-encrypted; then these epochs are retired. */
  readonly targetEpoch: number;
  readonly requestedAtMs: number;
  /** When the scan began; `null` while proxies may still write with a lower epoch. */
  readonly scanStartedAtMs: number | null;
  /** When every token range was read without a cell that cannot be re-encrypted; `null` before. */
  readonly scanEndedAtMs: number | null;
  /** The token ring is cut into so many ranges of one width. */
  readonly ranges: number;
  /** How many of them are done, from the lowest token. */
  readonly done: number;
  readonly rows: number;
  readonly cells: number;
  /** Cells of this scan that fail authentication; with one of them nothing retires. */
  readonly damaged: number;
  /** The proxy that works on it, and until when others leave it alone. */
  readonly claim: ClaimRecord | null;
}

/** The last re-encryption that came to its end. */
export interface FinishedReencryption {
  readonly targetEpoch: number;
  readonly endedAtMs: number;
  readonly rows: number;
  readonly cells: number;
}

/** The building of an index, from its beginning to the end. */
export interface IndexBuildRecord {
  /** Which index: its hidden column. */
  readonly hiddenColumn: string;
  /** The token ring is cut into so many ranges of one width. */
  readonly ranges: number;
  /** How many of them are done, from the lowest token. */
  readonly done: number;
  readonly claim: ClaimRecord | null;
}

/** Keeps re-encryption away from a table for a while. */
export interface HoldRecord {
  readonly holdId: string;
  readonly untilMs: number;
}

/**
 * What rotation keeps about a table beside its record: counts and a job that change often, while a change of the table's
 * own record makes every proxy plan its statements again.
 */
export interface RotationRecord {
  readonly format: 1;
  readonly kind: 'rotation';
  /** 16 random bytes, hex. */
  readonly rotationId: string;
  /** The table's, hex. */
  readonly tableId: string;
  readonly usage: CellUsage | null;
  readonly job: ReencryptionRecord | null;
  readonly last: FinishedReencryption | null;
  /** TRUNCATEs under way: nothing is re-encrypted or built meanwhile, or a row read before would be written back after. */
  readonly holds: readonly HoldRecord[];
  /** Indexes that are being built; absent where none ever was. */
  readonly builds?: readonly IndexBuildRecord[];
}
