import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Config } from '../../config/index.ts';
import { ConfigError, ProxyError, SchemaError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { CellCounter, RotationService, rotationStatus } from '../../rotation/index.ts';
import type { RotationMetrics, TableRotationStatus } from '../../rotation/index.ts';
import type { Catalog } from '../../schema/index.ts';
import { StoredRows } from '../../upstream/index.ts';
import { systemClock } from '../../util/index.ts';
import { rotationOptions } from '../key_rotation.ts';
import { withCatalog, withTableKeys } from './catalog_session.ts';
import { rewriteTable, splitName } from './rotate_rewrite.ts';
import type { RewriteCommandOptions } from './rotate_rewrite.ts';
import { showRotation } from './rotation_progress.ts';
import { nameOf, statusLines } from './rotation_table.ts';

const POLL_MS = 1_000;

interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

type Run = (command: (context: CommandContext) => Promise<void>) => Promise<void>;

interface CellsOptions {
  readonly all?: true;
  readonly reencrypt?: true;
  readonly wait: boolean;
  readonly json?: true;
}

const NOT_COUNTED: RotationMetrics = {
  cellKey: () => undefined,
  reencrypted: () => undefined,
  reencryption: () => undefined,
  tableGone: () => undefined,
  rotationFailed: () => undefined,
};

/** Adds `cqlock rotate cells`, `rotate status` and `rotate --rewrite`. */
export function addRotateCommands(program: Command, run: Run, say: (line: string) => void): void {
  const rotate = program
    .command('rotate')
    .description('rotate the cell keys of tables, and re-encrypt what older ones encrypted')
    .option(
      '--rewrite <keyspace.table>',
      'a new key for keys and elements too: moves all rows, while the table is refused to everybody',
    )
    .option('--yes', 'with --rewrite: do not ask')
    .option('--no-wait', 'with --rewrite: leave the rest to the proxies that run')
    .option('--json', 'with --rewrite: print the outcome as JSON')
    .action((options: RewriteCommandOptions & { readonly rewrite?: string }) => {
      const { rewrite } = options;
      if (rewrite === undefined) {
        rotate.help();
        return;
      }
      return run(async (context) => {
        await rewriteTable(context, splitName(rewrite), options, say);
      });
    });
  rotate
    .command('cells')
    .description('begin a new cell key, which every proxy uses after CQLOCK_CATALOG_MAX_AGE')
    .argument('[keyspace.table]', 'the table, as it is spelt in system_schema')
    .option('--all', 'all encrypted tables')
    .option('--reencrypt', 're-encrypt all older cells and end their keys')
    .option('--no-wait', 'leave the rest to the proxies that run')
    .option('--json', 'print the outcome as JSON')
    .action((table: string | undefined, _options: unknown, command: Command) =>
      run((context) => rotateCells(context, table, shared<CellsOptions>(command), say)),
    );
  rotate
    .command('status')
    .description('epochs of all tables and re-encryptions under way')
    .option('--json', 'print JSON')
    .action((_options: unknown, command: Command) =>
      run((context) => status(context, shared<{ readonly json?: true }>(command), say)),
    );
}

/** Options of a subcommand that `rotate` has too: commander gives them to `rotate`, wherever they stand. */
function shared<Options>(command: Command): Options {
  const options = command.optsWithGlobals<Options & { readonly rewrite?: string }>();
  if (options.rewrite !== undefined) {
    throw new ConfigError(
      'CONFIG_ARGUMENTS',
      '--rewrite is a command of its own: cqlock rotate --rewrite',
    );
  }
  return options;
}

async function rotateCells(
  context: CommandContext,
  table: string | undefined,
  options: CellsOptions,
  say: (line: string) => void,
): Promise<void> {
  if ((table === undefined) === (options.all === undefined)) {
    throw new ConfigError('CONFIG_ARGUMENTS', 'name one table as keyspace.table, or give --all');
  }
  const reencrypt = options.reencrypt === true;
  const tell = options.json === true ? (): void => undefined : say;
  await withRotation(context, async (catalog, rotation) => {
    const all = rotationStatus(await catalog.readRecords()).map((one) => nameOf(one));
    const names = table === undefined ? all : [table];
    const targets = new Map<string, number>();
    const failed: string[] = [];
    for (const name of names) {
      context.signal.throwIfAborted();
      const [keyspace, plain] = splitName(name);
      try {
        const { epoch } = await rotation.rotate(keyspace, plain, reencrypt);
        targets.set(name, epoch);
        tell(`${name}: cell key of epoch ${String(epoch)} is made and comes into use`);
      } catch (error) {
        // A table whose key is lost keeps no other one waiting.
        if (!(error instanceof ProxyError) || table !== undefined) throw error;
        failed.push(`${name}: ${error.message} [${error.code}]`);
      }
    }
    const isQuiet = options.json === true;
    if (options.wait) {
      await untilDone(
        { context, catalog, rotation, targets, reencrypt },
        isQuiet ? undefined : say,
      );
    }
    const after = rotationStatus(await catalog.readRecords()).filter((one) =>
      targets.has(nameOf(one)),
    );
    if (options.json === true) say(JSON.stringify({ tables: after }, null, 2));
    else for (const line of statusLines(after)) say(line);
    if (failed.length > 0) {
      throw new SchemaError(
        'SCHEMA_ROTATION_INCOMPLETE',
        `the cell keys of ${String(failed.length)} tables were not rotated:\n  ${failed.join('\n  ')}`,
      );
    }
    const blocked = after.filter((one) => one.reencryption?.phase === 'blocked').map(nameOf);
    if (blocked.length > 0) {
      throw new SchemaError(
        'SCHEMA_REENCRYPTION_BLOCKED',
        `cells of ${blocked.join(', ')} fail authentication, so no epoch was retired; the log of the proxy that ran it names column and tokens`,
      );
    }
  });
}

interface Waiting {
  readonly context: CommandContext;
  readonly catalog: Catalog;
  readonly rotation: RotationService;
  /** Epoch that each table waits for, by name. */
  readonly targets: ReadonlyMap<string, number>;
  readonly reencrypt: boolean;
}

/** Rounds until every rotation is done; a proxy that runs may do the work as well. */
async function untilDone(
  { context, catalog, rotation, targets, reencrypt }: Waiting,
  tell: ((line: string) => void) | undefined,
): Promise<void> {
  const progress = showRotation(tell);
  try {
    for (;;) {
      context.signal.throwIfAborted();
      await rotation.round();
      const tables = rotationStatus(await catalog.readRecords());
      const open = tables.filter((one) => {
        const target = targets.get(nameOf(one));
        return target !== undefined && !isDone(one, target, reencrypt);
      });
      progress.show(open);
      if (open.length === 0) return;
      await pause(POLL_MS, context.signal);
    }
  } finally {
    progress.stop();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal });
}

function isDone(one: TableRotationStatus, target: number, reencrypt: boolean): boolean {
  const isActive = one.epochs.some(({ epoch, state }) => epoch >= target && state === 'active');
  if (!reencrypt || !isActive) return isActive;
  if (one.reencryption?.phase === 'blocked') return true;
  return one.reencryption === null;
}

async function status(
  context: CommandContext,
  options: { readonly json?: true },
  say: (line: string) => void,
): Promise<void> {
  await withCatalog(context, async ({ catalog }) => {
    const tables = rotationStatus(await catalog.readRecords());
    if (options.json === true) say(JSON.stringify({ tables }, null, 2));
    else for (const line of statusLines(tables)) say(line);
  });
}

async function withRotation(
  context: CommandContext,
  use: (catalog: Catalog, rotation: RotationService) => Promise<void>,
): Promise<void> {
  const { config, logger } = context;
  await withTableKeys(context, async ({ parts, catalog, keys }) => {
    const rotation = new RotationService(
      {
        catalog,
        clock: systemClock,
        deks: parts.cellDeks,
        rows: new StoredRows(parts.control),
        leases: keys.leases(),
        counter: new CellCounter(),
        metrics: NOT_COUNTED,
        logger,
        owner: randomUUID(),
      },
      rotationOptions(config),
    );
    try {
      await use(catalog, rotation);
    } finally {
      await rotation.stop();
    }
  });
}
