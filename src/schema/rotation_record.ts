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

/** The moving of all rows of a table under a new key DEK, from its beginning to the end. */
export interface RewriteRecord {
  /** Epoch of the key DEK that rows are moved to. */
  readonly epoch: number;
  /** When the first pass began; `null` while proxies may still use the table by an older record. */
  readonly scanStartedAtMs: number | null;
  /** From 1. The one that finds no row under the old key is the last. */
  readonly pass: number;
  /** The token ring is cut into so many ranges of one width. */
  readonly ranges: number;
  /** How many of them are done in this pass, from the lowest token. */
  readonly done: number;
  /** Rows and cells moved in all passes. */
  readonly rows: number;
  readonly cells: number;
  /** Partitions that were found under the old key in this pass. */
  readonly moved: number;
  /** Rows found in this pass that open under neither key; with one of them it does not end. */
  readonly damaged: number;
  /** Whether rows of the range after `done` may have been written already. */
  readonly begun: boolean;
  readonly claim: ClaimRecord | null;
}

/** The last rewrite that came to its end. */
export interface FinishedRewrite {
  readonly epoch: number;
  readonly endedAtMs: number;
  readonly rows: number;
  readonly cells: number;
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
  /** The rewrite under way, and the last one; absent where none ever was. */
  readonly rewrite?: RewriteRecord | null;
  readonly lastRewrite?: FinishedRewrite;
}
