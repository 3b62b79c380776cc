import type { RowConnection } from '../backup/index.ts';
import type { ConnectionLeases } from '../keys/index.ts';
import type { Catalog, DekRecord, TableRecord } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';

/** Where a rewrite is. */
export interface RewriteProgress {
  readonly keyspace: string;
  readonly table: string;
  /** Token ranges done, of all that two passes have; a third pass shows as the second one. */
  readonly done: number;
  readonly total: number;
  readonly rows: number;
  readonly cells: number;
}

/** Where a rewrite says what happens; never gets values. */
export interface RewriteLogger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Makes key DEKs by the KMS. */
export interface KeyDekMaker {
  newKeyDek(
    record: TableRecord,
    clusterId: Uint8Array,
    epoch: number,
    nowMs: number,
  ): Promise<DekRecord>;
  checkAccess(record: TableRecord): Promise<void>;
}

/** What rewrites work with. */
export interface RewritePorts {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly deks: KeyDekMaker;
  /** Reads and writes rows under the proxy's own role. */
  readonly connection: RowConnection;
  /** Makes leases of their own: one set for the old keys of a table, one for the new ones. */
  readonly leases: () => Pick<ConnectionLeases, 'acquire' | 'release'>;
  readonly logger: RewriteLogger;
  /** Unique for this process. */
  readonly owner: string;
  /** Told about each bit of progress. */
  readonly onProgress?: (progress: RewriteProgress) => void;
  /** Told that this process rewrites a table no longer: it is gone, or another one does. May be told of any, again and again. */
  readonly onLost?: (table: Pick<RewriteProgress, 'keyspace' | 'table'>) => void;
  /** Told how much of a table's rewrite is done, 0 to 1; `undefined` when none is under way. */
  readonly onFraction?: (keyspace: string, table: string, fraction: number | undefined) => void;
  /** Called before each step that others can see; tests stop the process there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/** Bounds of a rewrite. Times in milliseconds. */
export interface RewriteOptions {
  /** The longest that any proxy reads or writes by one reading of the catalog; all proxies MUST have the same. */
  readonly catalogMaxAgeMs: number;
  /** How long statements may be under way after the catalog they were sent by. Default 15,000. */
  readonly inFlightMs?: number;
  /** How long a TRUNCATE may take that began before the rewrite. Default 120,000. */
  readonly truncateMs?: number;
  /** Rows that are read in a second. */
  readonly rowsPerSecond: number;
  /** How long the claim on a job is left alone by others. Default 60,000. */
  readonly claimMs?: number;
  /** Token ranges a table is cut into. Default 256. */
  readonly ranges?: number;
  /** Rows a page, at most. Default 200. */
  readonly fetchSize?: number;
}

/** How long a claim is left alone. */
export function claimMsOf({ claimMs }: RewriteOptions): number {
  return claimMs ?? 60_000;
}

/** Token ranges of a new job. */
export function rangesOf({ ranges }: RewriteOptions): number {
  return ranges ?? 256;
}
