import { BackupService, DirectoryTarget, S3Target } from '../backup/index.ts';
import type { BackupTarget } from '../backup/index.ts';
import type { Config } from '../config/index.ts';
import { KeyTransfer } from '../keys/index.ts';
import type { KmsTableKeys } from '../keys/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import type { Catalog, SchemaChanges } from '../schema/index.ts';
import type { ControlConnection } from '../upstream/index.ts';
import type { Clock } from '../util/index.ts';

/** Makes the backup service of the parts of a process, with the place and the retention of the settings. */
export function openBackups(
  config: Config,
  parts: {
    readonly catalog: Catalog;
    readonly changes: SchemaChanges;
    readonly tableKeys: KmsTableKeys;
    readonly kms: KmsRegistry;
    /** Heavy work runs on it. */
    readonly connection: ControlConnection;
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

function backupTarget(config: Config): BackupTarget {
  const { target } = config.backup;
  return target.kind === 's3' ? new S3Target(target) : new DirectoryTarget(target.path);
}
