import type { ConnectionLeases } from '../keys/index.ts';
import type { Catalog, DekRecord, TableRecord } from '../schema/index.ts';
import type { StoredRows } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';
import type { CellCounter } from './cell_counter.ts';

/** Where a re-encryption is. */
export interface RotationProgress {
  readonly keyspace: string;
  readonly table: string;
  /** Token ranges done, of all. */
  readonly done: number;
  readonly ranges: number;
  readonly rows: number;
  readonly cells: number;
}

/** What is counted. Labels are names of keyspaces and tables. */
export interface RotationMetrics {
  /** The active cell key of a table: how many values it has encrypted, about, and its age. */
  cellKey(keyspace: string, table: string, cells: number, ageMs: number): void;
  /** Rows were read and cells written by a re-encryption. */
  reencrypted(rows: number, cells: number): void;
  /** How much of a table's re-encryption is done, 0 to 1; `undefined` when none is under way. */
  reencryption(keyspace: string, table: string, fraction: number | undefined): void;
  /** There is no table of that name any more. */
  tableGone(keyspace: string, table: string): void;
  /** A step of a rotation or a re-encryption failed; it is tried again. */
  rotationFailed(): void;
}

/** Where rotation says what happens; never gets values. */
export interface RotationLogger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Makes cell DEKs by the KMS. */
export interface CellDekMaker {
  newCellDek(
    record: TableRecord,
    clusterId: Uint8Array,
    epoch: number,
    nowMs: number,
  ): Promise<DekRecord>;
  checkAccess(record: TableRecord): Promise<void>;
}

/** What rotation works with. */
export interface RotationPorts {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly deks: CellDekMaker;
  readonly rows: Pick<StoredRows, 'requireKnownTokens' | 'page' | 'row' | 'entries' | 'write'>;
  /** Keys for the background work; taken anew for each use. */
  readonly leases: Pick<ConnectionLeases, 'acquire' | 'release'>;
  /** What this process has encrypted. */
  readonly counter: CellCounter;
  readonly metrics: RotationMetrics;
  readonly logger: RotationLogger;
  /** Unique for this process. */
  readonly owner: string;
  /** Told about each bit of progress. */
  readonly onProgress?: (progress: RotationProgress) => void;
  /** Told that this process re-encrypts a table no longer: it is gone, or another one does. May be told of any, again and again. */
  readonly onLost?: (table: Pick<RotationProgress, 'keyspace' | 'table'>) => void;
  /** Called before each step that others can see; tests stop the process there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/** Bounds of rotation. Times in milliseconds. */
export interface RotationOptions {
  /** A cell DEK older than this is replaced. */
  readonly maxAgeMs: number;
  /** A cell DEK that has encrypted more values than this is replaced. */
  readonly maxCells: number;
  /**
   * The longest that any proxy encrypts by one reading of the catalog; all proxies MUST have the same. A new epoch is written
   * after it, an old one re-encrypted after it.
   */
  readonly catalogMaxAgeMs: number;
  /** How long statements may be under way after the catalog they were planned by. Default 15,000. */
  readonly inFlightMs?: number;
  /** Rows that a re-encryption reads in a second. */
  readonly rowsPerSecond: number;
  /** Whether every rotation is followed by a re-encryption. */
  readonly reencryptsAlways: boolean;
  /** How long the claim on a job is left alone by others. Default 60,000. */
  readonly claimMs?: number;
  /** Token ranges a table is cut into. Default 256. */
  readonly ranges?: number;
  /** Rows a page, at most. Default 200. */
  readonly fetchSize?: number;
}
