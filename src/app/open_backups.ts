import { BackupService, DirectoryTarget, S3Target } from '../backup/index.ts';
import type { BackupTarget, RowConnection } from '../backup/index.ts';
import type { Config } from '../config/index.ts';
import { KeyTransfer } from '../keys/index.ts';
import type { KmsTableKeys } from '../keys/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import type { Catalog, SchemaChanges } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';

/** Makes the backup service of the parts of a process, with the place and the retention of the settings. */
export function openBackups(
  config: Pick<Config, 'backup'>,
  parts: {
    readonly catalog: Catalog;
    readonly changes: SchemaChanges;
    readonly tableKeys: KmsTableKeys;
    readonly kms: KmsRegistry;
    /** Heavy work runs on it. */
    readonly connection: RowConnection;
    readonly clock: Clock;
  },
): BackupService {
  return new BackupService(
    {
      ...parts,
      transfer: new KeyTransfer(parts.kms),
      target: backupTarget(config),
    },
    { retentionMs: config.backup.retentionMs },
  );
}

function backupTarget(config: Pick<Config, 'backup'>): BackupTarget {
  const { target } = config.backup;
  return target.kind === 's3' ? new S3Target(target) : new DirectoryTarget(target.path);
}
