import type { BackupService, RowConnection } from '../backup/index.ts';
import type { Config } from '../config/index.ts';
import { InternalError } from '../errors/index.ts';
import type { KmsTableKeys } from '../keys/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import { SchemaChanges } from '../schema/index.ts';
import type { Catalog, SchemaChangesOptions, SchemaSource } from '../schema/index.ts';
import type { Clock } from '../util/index.ts';
import { backupKeys } from './backup_ports.ts';
import { openBackups } from './open_backups.ts';

/** A write that was planned by a catalog that was just young enough may be under way for so long. */
const WRITE_UNDER_WAY_MS = 15_000;

/** What schema changes and backups of a process are made from. */
export interface SchemaChangesParts {
  readonly catalog: Catalog;
  readonly source: SchemaSource;
  readonly tableKeys: KmsTableKeys;
  readonly kms: KmsRegistry;
  /** Backups read and write whole tables on it. */
  readonly connection: RowConnection;
  readonly clock: Clock;
  /** Who is told about customer managed keys. */
  readonly told: Pick<SchemaChangesOptions, 'notices' | 'onKeysReleased'>;
}

/**
 * Makes the coordinator of schema changes and the backups, which need each other: a restore makes a table, and a KMS key is not
 * given back while a backup is under it. Every process that changes the schema has both, as any of them may settle what another
 * one left.
 */
export function openSchemaChanges(
  config: Pick<Config, 'backup' | 'catalogMaxAgeMs'>,
  parts: SchemaChangesParts,
): { readonly changes: SchemaChanges; readonly backups: BackupService } {
  const { catalog, source, tableKeys, kms, connection, clock, told } = parts;
  const made: { backups?: BackupService } = {};
  const changes = SchemaChanges.open({
    ...told,
    catalog,
    source,
    keys: tableKeys,
    clock,
    backups: backupKeys(() => {
      if (made.backups !== undefined) return made.backups;
      throw new InternalError('backups were asked for before they were there');
    }),
    unusedColumnsMs: config.catalogMaxAgeMs + WRITE_UNDER_WAY_MS,
  });
  const backups = openBackups(config, { catalog, changes, tableKeys, kms, connection, clock });
  made.backups = backups;
  return { changes, backups };
}
