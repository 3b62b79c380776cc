#!/usr/bin/env -S node --max-semi-space-size=64 --min-semi-space-size=16
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { loadConfig } from '../config/index.ts';
import type { Config } from '../config/index.ts';
import { ConfigError } from '../errors/index.ts';
import { createLogger } from '../observability/index.ts';
import type { Logger } from '../observability/index.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addCatalogCommands } from './commands/catalog.ts';
import { addTablesCommands } from './commands/tables.ts';
import { addBackupCommands } from './commands/backup.ts';
import { addKeysCommands } from './commands/keys.ts';
import { createProxy } from './create_proxy.ts';
import { init } from './init.ts';
import { runCommand } from './run_command.ts';
import { addRotateCommands } from './commands/rotate.ts';
import { start } from './start.ts';
import { abortOnStopSignals } from './stop_signals.ts';

/** After the command has ended nothing should keep the process alive; this bounds a defect. */
const EXIT_GRACE_MS = 2_000;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const complain = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Loads the settings, then runs a command with them and ends the process with its code. */
async function run(
  command: (context: { config: Config; logger: Logger; signal: AbortSignal }) => Promise<void>,
  isResumable = false,
): Promise<void> {
  const signal = abortOnStopSignals(say);
  let config: Config;
  try {
    config = loadConfig(process.env, process.cwd());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(`cqlock: ${error.message} [${error.code}]`);
    process.exitCode = 2;
    return;
  }
  const logger = createLogger({ level: config.logLevel });
  process.on('uncaughtException', (error) => {
    logger.error({ err: error }, 'uncaught error, the process ends');
    complain('cqlock: internal error, the process ends; see the log above');
    process.exit(1);
  });
  process.exitCode = await runCommand(() => command({ config, logger, signal }), {
    logger,
    complain,
    signal,
    isResumable,
  });
  setTimeout(() => {
    logger.warn({}, 'something is still open after the stop; the process ends anyway');
    process.exit();
  }, EXIT_GRACE_MS).unref();
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const program = new Command('cqlock')
  .description('Encryption at rest for Apache Cassandra: a CQL proxy that encrypts every value')
  .version(version())
  .showHelpAfterError();

program
  .command('start')
  .description('start the proxy, and a Cassandra if no contact points are set')
  .action(() => run((context) => start({ ...context, createProxy, say })));

program
  .command('init')
  .description('prepare the cluster at the contact points: keyspace cqlock, catalog and keys; once')
  .action(() => run((context) => init({ ...context, say })));

addRotateCommands(program, run, say);
addAuditCommands(program, run, say);
addTablesCommands(program, run, say);
addCatalogCommands(program, run, say);
addBackupCommands(program, (command) => run((context) => command({ ...context, say }), true));
addKeysCommands(program, run, say);

await program.parseAsync();
