import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../../errors/index.ts';
import {
  backUpKeyStore,
  checkBackup,
  compareWithBackup,
  KeyStore,
  loadRootKey,
  restoreKeyStore,
} from '../../kms/index.ts';
import type { CheckedBackup } from '../../kms/index.ts';
import { confirm } from './confirm.ts';
import type { KeysCommands } from './keys.ts';
import { keyStorePath } from './keys_session.ts';
import { dateText, printer } from './print.ts';

/** Adds `cqlock keys backup` and `cqlock keys restore`. */
export function addBackupCommands(keys: Command, { run, say, withKeys }: KeysCommands): void {
  keys
    .command('backup <file>')
    .description('write the whole key store, sealed with the root key, to a new file')
    .option('--json', 'as JSON')
    .action((file: string, options: { json?: boolean }) =>
      withKeys(options, async (session, print) => {
        const backup = await backUpKeyStore(session.store, resolve(file), Date.now());
        print.lines(summary(backup), [
          `${backup.path}: ${countText(backup)}`,
          'It opens with the root key only: keep that too, apart from it.',
        ]);
      }),
    );
  keys
    .command('restore <file>')
    .description('put a backup in the place of the key store; it is checked whole before')
    .option('--yes', 'do not ask before a key store is replaced')
    .option('--check', 'only check the backup')
    .option('--json', 'as JSON')
    .action((file: string, options: { yes?: boolean; check?: boolean; json?: boolean }) =>
      run(async ({ config }) => {
        const print = printer(say, options.json === true);
        if (config.rootKey.kind === 'file' && !existsSync(config.rootKey.path)) {
          throw new ConfigError(
            'CONFIG_ROOT_KEY',
            `the root key ${config.rootKey.path} that opens the backup is missing; put it back from its backup (CQLOCK_ROOT_KEY_FILE)`,
          );
        }
        const rootKey = loadRootKey(config.rootKey);
        const backup = checkBackup(resolve(file), rootKey);
        if (options.check === true) {
          print.lines(summary(backup), [`${backup.path} is whole: ${countText(backup)}`]);
          return;
        }
        const path = keyStorePath(config);
        const exists = KeyStore.exists(path);
        if (exists) {
          const { lost, back } = compareWithBackup(KeyStore.open({ path, rootKey }), backup);
          await confirm(
            `The key store ${path} is replaced by one of ${dateText(backup.madeAtMs)}: ${lost.length} keys that are there now are lost for ever${listed(lost)}, ${back.length} come back${listed(back)}, states, policies, grants and access keys are those of then.`,
            options,
          );
        }
        await restoreKeyStore(path, rootKey, backup, exists);
        print.lines(summary(backup), [`${path} is restored: ${countText(backup)}`]);
      }),
    );
}

function summary(backup: CheckedBackup) {
  return {
    file: backup.path,
    madeAt: dateText(backup.madeAtMs),
    customerKeys: backup.customerKeys,
    serviceKeyCount: backup.serviceKeyCount,
    grantCount: backup.grantCount,
  };
}

function countText(backup: CheckedBackup): string {
  return `${backup.customerKeys.length} customer managed and ${backup.serviceKeyCount} service-owned keys, ${backup.grantCount} grants, of ${dateText(backup.madeAtMs)}`;
}

function listed(arns: readonly string[]): string {
  return arns.length === 0 ? '' : ` (${arns.join(', ')})`;
}
