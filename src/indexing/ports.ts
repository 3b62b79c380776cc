import type { ConnectionLeases } from '../keys/index.ts';
import type { RotationLogger } from '../rotation/index.ts';
import type { Catalog } from '../schema/index.ts';
import type { StoredRows } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';

/** Where the building of an index is. */
export interface IndexBuildProgress {
  readonly keyspace: string;
  readonly table: string;
  readonly index: string;
  /** Token ranges done, of all. */
  readonly done: number;
  readonly ranges: number;
  /** Nothing is left to do, nor to be written down: an index is active. */
  readonly isComplete: boolean;
}

/** Which index or view. */
export type BuiltName = Pick<IndexBuildProgress, 'keyspace' | 'table' | 'index'>;

/** What building works with. */
export interface IndexBuilderPorts {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly rows: Pick<StoredRows, 'requireKnownTokens' | 'page' | 'write'>;
  /** Keys for the background work; taken anew for each use. */
  readonly leases: Pick<ConnectionLeases, 'acquire' | 'release'>;
  readonly logger: RotationLogger;
  /** Unique for this process. */
  readonly owner: string;
  readonly onProgress?: (progress: IndexBuildProgress) => void;
  /** Told that this process builds an index no longer: it is gone, or built by another one. May be told of any, again and again. */
  readonly onLost?: (index: BuiltName) => void;
  /** Told that an index stays incomplete, with the code of the first cell that is left out of it. */
  readonly onDamaged?: (index: BuiltName, code: string) => void;
  /** Called before each step that others can see; tests stop the process there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/** Bounds of building. Times in milliseconds. */
export interface IndexBuilderOptions {
  /** How long statements may be under way that were planned before the index. Default 15,000. */
  readonly inFlightMs?: number;
  /** Nothing is encrypted by an older reading of the catalog. */
  readonly catalogMaxAgeMs: number;
  /** Rows that are read in a second. */
  readonly rowsPerSecond: number;
  /** How long the claim on a job is left alone by others. Default 60,000. */
  readonly claimMs?: number;
  /** Token ranges a table is cut into. Default 64. */
  readonly ranges?: number;
  /** Rows a page. Default 200. */
  readonly fetchSize?: number;
}
