import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { BackupService } from '../../backup/index.ts';
import type { Config } from '../../config/index.ts';
import { toProxyError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import type { BackupRecord } from '../../schema/index.ts';
import { systemClock } from '../../util/index.ts';
import { newControlConnection } from '../create_proxy.ts';
import { toldByProxies } from '../key_loss.ts';
import { openSchemaChanges } from '../schema_changes.ts';
import { clusterOf, withCatalog } from './catalog_session.ts';
import { confirm } from './confirm.ts';
import { tableLines } from './print.ts';
import { startProgress } from './progress.ts';
import type { Progress } from './progress.ts';

/** What a command works with. */
export interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Takes a line for the user. */
  readonly say: (line: string) => void;
}

/** Runs a command after the settings are loaded. */
export type RunCommand = (command: (context: CommandContext) => Promise<void>) => Promise<void>;

interface TableName {
  readonly keyspace: string;
  readonly name: string;
}

interface RestoreOptions {
  readonly from: string;
  readonly to: TableName;
  readonly at?: number;
  readonly kmsKey?: string;
  readonly serviceOwned?: boolean;
  readonly json?: boolean;
}

const ID = /^[0-9a-f]{32}$/;

/** Adds `backup create|list|verify|delete|expire` and `restore`. */
export function addBackupCommands(program: Command, run: RunCommand): void {
  const backup = program.command('backup').description('backups of tables');
  backup
    .command('create')
    .description('make and verify a backup of a table, or go on with an interrupted one')
    .argument('<keyspace.table>', 'the table', tableName)
    .option('--max-rate <MiB/s>', 'read no more than that from Cassandra', positive)
    .option('--json', 'machine-readable output')
    .action((table: TableName, options: { maxRate?: number; json?: boolean }) =>
      run((context) =>
        withBackups(context, options.json === true, async (backups, progress) => {
          const backupId = await backups.backupTable(table, {
            signal: context.signal,
            onProgress: progress.update,
            ...(options.maxRate === undefined
              ? {}
              : { maxBytesPerSecond: options.maxRate * 2 ** 20 }),
          });
          progress.stop();
          tell(context, options, await backups.get(backupId));
        }),
      ),
    );
  backup
    .command('list')
    .description('all backups that are kept, newest first')
    .option('--json', 'machine-readable output')
    .action((options: { json?: boolean }) =>
      run((context) =>
        withBackups(context, options.json === true, async (backups) => {
          const records = await backups.list();
          if (options.json === true) context.say(JSON.stringify(records.map(summary)));
          else for (const line of asTable(records)) context.say(line);
        }),
      ),
    );
  backup
    .command('verify')
    .description('read a backup back and check all of it')
    .argument('<id>', 'the backup', backupId)
    .option('--json', 'machine-readable output')
    .action((id: string, options: { json?: boolean }) =>
      run((context) =>
        withBackups(context, options.json === true, async (backups, progress) => {
          await backups.verify(id, progress.update);
          progress.stop();
          tell(context, options, await backups.get(id));
        }),
      ),
    );
  backup
    .command('delete')
    .description('delete a backup for good, its keys first')
    .argument('<id>', 'the backup', backupId)
    .option('--yes', 'do not ask')
    .option('--json', 'machine-readable output')
    .action((id: string, options: { yes?: boolean; json?: boolean }) =>
      run((context) =>
        withBackups(context, true, async (backups) => {
          const { keyspace, name } = await backups.get(id);
          await confirm(
            `Backup ${id} of ${keyspace}.${name} is deleted and cannot be brought back.`,
            options,
          );
          await backups.delete(id);
          if (options.json === true) context.say(JSON.stringify({ deleted: [id] }));
          else context.say(`backup ${id} is deleted`);
        }),
      ),
    );
  backup
    .command('expire')
    .description('delete all backups whose time is over')
    .option('--yes', 'do not ask')
    .option('--json', 'machine-readable output')
    .action((options: { yes?: boolean; json?: boolean }) =>
      run((context) =>
        withBackups(context, true, async (backups) => {
          await confirm('All backups whose time is over are deleted.', options);
          const { deleted, left } = await backups.deleteExpired();
          const stay = left.map(({ backupId: id, error }) => ({ id, why: toProxyError(error) }));
          if (options.json === true) {
            const reasons = stay.map(({ id, why }) => ({ id, error: why.code }));
            context.say(JSON.stringify({ deleted, left: reasons }));
          } else {
            context.say(`${String(deleted.length)} backups are deleted`);
            for (const { id, why } of stay) context.say(`backup ${id} stays: ${why.message}`);
          }
          const failed = stay.find(({ why }) => why.code !== 'BACKUP_STATE');
          if (failed !== undefined) throw failed.why;
        }),
      ),
    );
  program
    .command('restore')
    .description('restore a backup into a new table, or go on with an interrupted restore')
    .requiredOption('--from <id or keyspace.table>', 'a backup, or the newest one of a table')
    .requiredOption('--to <keyspace.table>', 'the new table', tableName)
    .option('--at <time>', 'the newest backup from before this time (ISO 8601)', time)
    .option('--kms-key <identifier>', 'customer managed key of the new table')
    .option('--service-owned', 'a service-owned key, whatever the backup has')
    .option('--json', 'machine-readable output')
    .action((options: RestoreOptions) =>
      run((context) =>
        withBackups(context, options.json === true, async (backups, progress) => {
          const {
            backupId: id,
            rows,
            dependents,
          } = await backups.restore({
            from: source(options),
            to: options.to,
            encryption:
              options.kmsKey !== undefined
                ? { kind: 'customer', keyIdentifier: options.kmsKey }
                : { kind: options.serviceOwned === true ? 'service_owned' : 'inherit' },
            onProgress: progress.update,
            signal: context.signal,
          });
          progress.stop();
          const { keyspace, name } = options.to;
          if (options.json === true) {
            context.say(JSON.stringify({ backupId: id, keyspace, name, rows, dependents }));
          } else {
            context.say(`${keyspace}.${name} is restored from ${id}: ${String(rows)} rows`);
            if (dependents.length === 0) return;
            context.say('The old table had these, the new one does not; create them with cqlsh:');
            for (const statement of dependents) context.say(statement);
          }
        }),
      ),
    );
}

/** Opens everything, works, closes everything. */
async function withBackups(
  context: CommandContext,
  isQuiet: boolean,
  work: (backups: BackupService, progress: Progress) => Promise<void>,
): Promise<void> {
  const { config, logger } = context;
  await withCatalog(context, async ({ parts, catalog }) => {
    const connection = newControlConnection(config, clusterOf(config), logger);
    const bar = startProgress(!isQuiet);
    // Work that takes no signal ends at its next report; what it has done is kept.
    const progress: Progress = {
      stop: bar.stop,
      update: (now) => {
        context.signal.throwIfAborted();
        bar.update(now);
      },
    };
    try {
      await connection.connect();
      const { source, tableKeys, kms } = parts;
      const clock = systemClock;
      const told = toldByProxies(config, clock, logger);
      const { backups } = openSchemaChanges(config, {
        catalog,
        source,
        tableKeys,
        kms,
        connection,
        clock,
        told,
      });
      await work(backups, progress);
    } finally {
      progress.stop();
      await connection.close();
    }
  });
}

function source(options: RestoreOptions) {
  if (ID.test(options.from)) return { backupId: options.from };
  return { ...tableName(options.from), beforeMs: options.at };
}

function tell(context: CommandContext, options: { json?: boolean }, record: BackupRecord): void {
  if (options.json === true) {
    context.say(JSON.stringify(summary(record)));
    return;
  }
  const { verified } = record;
  context.say(
    `backup ${record.backupId} of ${record.keyspace}.${record.name} is verified: ${String(verified?.rows)} rows, ${String(verified?.cells)} cells, ` +
      (verified?.mode === 'decrypted'
        ? `${String(verified.decrypted)} of them decrypted`
        : 'compared with the table, as its KMS key cannot be used'),
  );
}

/** What is told of a backup: nothing of its keys but which KMS keys it needs. */
function summary(record: BackupRecord) {
  const { backupId: id, keyspace, name, state, target, verified, keyArns } = record;
  return {
    backupId: id,
    table: `${keyspace}.${name}`,
    state,
    target,
    createdAt: new Date(record.createdAtMs).toISOString(),
    expiresAt: new Date(record.expiresAtMs).toISOString(),
    verified:
      verified === null
        ? null
        : { ...verified, atMs: undefined, at: new Date(verified.atMs).toISOString() },
    keyArns,
  };
}

function asTable(records: readonly BackupRecord[]): readonly string[] {
  const rows = records.map((record) => [
    record.backupId,
    `${record.keyspace}.${record.name}`,
    record.state,
    new Date(record.createdAtMs).toISOString(),
    new Date(record.expiresAtMs).toISOString(),
    record.verified === null ? 'no' : record.verified.mode,
    record.verified === null ? '' : String(record.verified.rows),
  ]);
  const heading = ['BACKUP', 'TABLE', 'STATE', 'BEGUN', 'KEPT UNTIL', 'VERIFIED', 'ROWS'];
  return tableLines(heading, rows);
}

function tableName(text: string): TableName {
  const match = /^("(?:[^"]|"")+"|\w+)\.("(?:[^"]|"")+"|\w+)$/.exec(text);
  const [, keyspace, name] = match ?? [];
  if (keyspace === undefined || name === undefined) {
    throw new InvalidArgumentError('must be keyspace.table');
  }
  return { keyspace: identifier(keyspace), name: identifier(name) };
}

/** As CQL: in lower case unless quoted. */
function identifier(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase();
}

function backupId(text: string): string {
  if (!ID.test(text)) throw new InvalidArgumentError('must be an id of cqlock backup list');
  return text;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0');
  return value;
}

function time(text: string): number {
  const value = Date.parse(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError('must be a time as 2026-11-25T08:00:00Z');
  return value;
}
