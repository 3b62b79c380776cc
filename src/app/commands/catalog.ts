import type { Command } from 'commander';
import { readRolledBack } from '../../schema/index.ts';
import { withCluster } from './catalog_session.ts';
import type { CommandRunner } from './catalog_session.ts';
import { confirm } from './confirm.ts';
import { printer } from './print.ts';

/** Adds `cqlock catalog …`. */
export function addCatalogCommands(
  program: Command,
  run: CommandRunner,
  say: (line: string) => void,
): void {
  program
    .command('catalog')
    .description('the catalog of the proxy in keyspace cqlock')
    .command('accept')
    .description('take a catalog that is older than one seen before, after a wanted restore')
    .option('--yes', 'do not ask')
    .option('--json', 'as JSON')
    .action((options: { yes?: boolean; json?: boolean }) =>
      run((context) =>
        withCluster(context, async ({ store, trust }) => {
          const { version, seen, damaged } = await readRolledBack(store, trust);
          const print = printer(say, options.json === true);
          if (version >= seen) {
            print.lines({ version: version.toString(), accepted: false }, [
              `the catalog is not rolled back: version ${version}; nothing was changed`,
            ]);
            return;
          }
          await confirm(
            `The catalog has version ${version}, version ${seen} was seen before: tables and keys made or changed since then are unknown or have their old keys.` +
              (damaged === 0 ? '' : ` ${damaged} of its records do not verify.`),
            options,
          );
          await trust.acceptRollback(version);
          print.lines({ version: version.toString(), accepted: true }, [
            `version ${version} of the catalog is accepted; start every proxy of the cluster again`,
          ]);
        }),
      ),
    );
}
