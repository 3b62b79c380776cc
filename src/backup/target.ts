/** Where backups are kept: a directory or a bucket. Names are relative, with `/` between parts. */
export interface BackupTarget {
  /** For people and records, e.g. `/var/backups/cqlock` or `s3://bucket/prefix`. */
  readonly description: string;
  /**
   * Stores an object whole or not at all, in place of one of that name; it is durable when the promise resolves.
   * @throws BackupError BACKUP_TARGET
   */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Reads an object; `undefined` when there is none. @throws BackupError BACKUP_TARGET */
  get(name: string): Promise<Buffer | undefined>;
  /** Names of all objects that begin with `prefix`, in order. @throws BackupError BACKUP_TARGET */
  list(prefix: string): Promise<readonly string[]>;
  /** Removes an object; does nothing when there is none. @throws BackupError BACKUP_TARGET */
  delete(name: string): Promise<void>;
}

/** Names of the objects of a backup. Spec: backup format 1 */
export const objectNames = {
  all: (backupId: string): string => `${backupId}/`,
  plan: (backupId: string): string => `${backupId}/plan`,
  manifest: (backupId: string): string => `${backupId}/manifest`,
  chunks: (backupId: string): string => `${backupId}/chunk-`,
  chunk: (backupId: string, number: number): string =>
    `${backupId}/chunk-${number.toString().padStart(10, '0')}`,
  envelopes: (backupId: string): string => `${backupId}/envelope-`,
  envelope: (backupId: string, generation: number): string =>
    `${backupId}/envelope-${generation.toString().padStart(10, '0')}`,
} as const;
