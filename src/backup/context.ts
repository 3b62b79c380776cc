import type { KeyTransfer, KmsTableKeys } from '../keys/index.ts';
import type { Catalog, SchemaChanges } from '../schema/index.ts';
import type { ControlConnection } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';
import type { BackupTarget } from './target.ts';

/** How rows are read and written. */
export type RowConnection = Pick<
  ControlConnection,
  'execute' | 'executeUnlogged' | 'page' | 'writePartition'
>;

/** How far a backup, a verification or a restore has come. */
export interface BackupProgress {
  readonly phase: 'backup' | 'verify' | 'restore';
  readonly rows: number;
  readonly bytes: number;
  /** From 0 to 1. */
  readonly fraction: number;
}

/** Bounds of the work. */
export interface BackupOptions {
  /** How long a backup is kept, milliseconds. Default 35 days. */
  readonly retentionMs?: number;
  /** Size of a chunk before one row more, bytes. Default 4 MiB. */
  readonly chunkBytes?: number;
  /** Every so many cells and rows one is decrypted at a verification. Default 100. */
  readonly sampleEvery?: number;
  /** How long work is left alone by other processes without a sign of life, milliseconds. Default 60,000. */
  readonly claimMs?: number;
  /** Called before each step; tests stop the work there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/** What the backup service works with. */
export interface BackupPorts {
  readonly catalog: Catalog;
  readonly changes: SchemaChanges;
  readonly tableKeys: Pick<KmsTableKeys, 'open'>;
  readonly transfer: KeyTransfer;
  /** Reads and writes rows under the proxy's own role. Heavy work: not the one the catalog uses. */
  readonly connection: RowConnection;
  readonly clock: Clock;
  readonly target: BackupTarget;
}

/** Ports and settled options. */
export interface BackupContext extends BackupPorts {
  readonly retentionMs: number;
  readonly chunkBytes: number;
  readonly sampleEvery: number;
  readonly claimMs: number;
  readonly step: (name: string) => void | Promise<void>;
}

const DAY_MS = 86_400_000;

/** Puts defaults in. */
export function backupContext(ports: BackupPorts, options: BackupOptions): BackupContext {
  return {
    ...ports,
    retentionMs: options.retentionMs ?? 35 * DAY_MS,
    chunkBytes: options.chunkBytes ?? 4 << 20,
    sampleEvery: options.sampleEvery ?? 100,
    claimMs: options.claimMs ?? 60_000,
    step: options.step ?? (() => undefined),
  };
}
