import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import cliProgress from 'cli-progress';
import type { Config } from '../../config/index.ts';
import { ConfigError, SchemaError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { checkTable, requireRewritable, RewriteService, tableNamed } from '../../rewrite/index.ts';
import type { RewritePorts, TableCheck } from '../../rewrite/index.ts';
import { rotationStatus } from '../../rotation/index.ts';
import type { TableRotationStatus } from '../../rotation/index.ts';
import type { Catalog } from '../../schema/index.ts';
import { systemClock } from '../../util/index.ts';
import { rewriteOptions } from '../key_rotation.ts';
import { withTableKeys } from './catalog_session.ts';
import { confirm } from './confirm.ts';

const POLL_MS = 1_000;
/** Statements and TRUNCATEs of before may take so long beside the age of the catalog. */
const IN_FLIGHT_MS = 15_000;
/** Each row is read in two passes, and about half of the moved ones are met again in the first. */
const READS_A_ROW = 2.5;

interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Options of `cqlock rotate --rewrite`. */
export interface RewriteCommandOptions {
  readonly yes?: true;
  readonly wait: boolean;
  readonly json?: true;
}

/**
 * Rewrites a table under a new key DEK: checks that it can be and that everything in it opens, asks, begins, and works until it is
 * done, unless a proxy is faster.
 */
export async function rewriteTable(
  context: CommandContext,
  [keyspace, name]: readonly [string, string],
  options: RewriteCommandOptions,
  say: (line: string) => void,
): Promise<void> {
  const table = `${keyspace}.${name}`;
  const isQuiet = options.json === true;
  const tell = isQuiet ? (): void => undefined : say;
  await withRewrites(context, async (catalog, ports) => {
    const rewrites = new RewriteService(ports, rewriteOptions(context.config));
    try {
      const view = await catalog.readRecords();
      const record = tableNamed(view, keyspace, name);
      if (record.rewrite === undefined) {
        requireRewritable(view, catalog.snapshot(), record, systemClock);
        const checked = await check(context, ports, { keyspace, name }, tell, isQuiet);
        await confirm(question(context.config, table, checked), options);
      }
      const outcome = await rewrites.begin(keyspace, name);
      tell(
        outcome === 'under_way'
          ? `${table}: a rewrite is under way already`
          : `${table}: the rewrite has begun; the table is refused to everybody until it is done`,
      );
      if (options.wait) await untilDone(context, catalog, rewrites, table, tell, isQuiet);
      const after = statusOf(rotationStatus(await catalog.readRecords()), table);
      if (isQuiet) say(JSON.stringify({ table: after ?? null }, null, 2));
      else if (options.wait && after?.rewrite === null) {
        tell(`${table}: all rows are under the key of epoch ${String(after.keyEpoch)}`);
      }
      if (after?.rewrite?.phase === 'blocked') throw blocked(table, after.rewrite.damaged);
    } finally {
      await rewrites.stop();
    }
  });
}

/** Reads the table through once: what blocks a rewrite is better known before it begins. */
async function check(
  context: CommandContext,
  ports: RewritePorts,
  table: { readonly keyspace: string; readonly name: string },
  tell: (line: string) => void,
  isQuiet: boolean,
): Promise<TableCheck> {
  const label = `${table.keyspace}.${table.name}`;
  tell(`${label}: everything in it is read first, to see that it opens`);
  const bar = progressBar('check  ', isQuiet);
  try {
    const options = rewriteOptions(context.config);
    const checked = await checkTable(ports, options, table, context.signal, (done, total, rows) => {
      bar.show(done, total, rows);
    });
    if (checked.damaged > 0) throw blocked(label, checked.damaged);
    return checked;
  } finally {
    bar.stop();
  }
}

function question(config: Config, table: string, { rows }: TableCheck): string {
  const seconds =
    (config.catalogMaxAgeMs + IN_FLIGHT_MS) / 1000 +
    (READS_A_ROW * rows) / config.rotation.rowsPerSecond;
  const minutes = String(Math.max(1, Math.ceil(seconds / 60)));
  return (
    `${table} has about ${String(rows)} rows. All of its rows are moved under a new key, and until that is done, ` +
    `in about ${minutes} minutes or more, every read and write of it is REFUSED at every proxy. ` +
    'It cannot be undone, only finished. All nodes must stay up.'
  );
}

/** Rounds until the rewrite is done or blocked; a proxy that runs may do the work as well. */
async function untilDone(
  { signal }: CommandContext,
  catalog: Catalog,
  rewrites: RewriteService,
  table: string,
  tell: (line: string) => void,
  isQuiet: boolean,
): Promise<void> {
  const bar = progressBar('rewrite', isQuiet);
  let shown = '';
  try {
    for (;;) {
      signal.throwIfAborted();
      await rewrites.round();
      const job = statusOf(rotationStatus(await catalog.readRecords()), table)?.rewrite ?? null;
      if (job === null || job.phase === 'blocked') return;
      if (!process.stderr.isTTY && shown !== job.phase) tell(`${table}: ${PHASES[job.phase]}`);
      shown = job.phase;
      bar.show((job.pass > 1 ? job.ranges : 0) + job.done, 2 * job.ranges, job.rows);
      await setTimeout(POLL_MS, undefined, { signal });
    }
  } finally {
    bar.stop();
  }
}

const PHASES = {
  waiting: 'waiting until no proxy uses the table any more',
  moving: 'rows are moved under the new key',
  checking: 'making sure that nothing is left under the old key',
} as const;

function statusOf(
  tables: readonly TableRotationStatus[],
  table: string,
): TableRotationStatus | undefined {
  return tables.find((one) => `${one.keyspace}.${one.table}` === table);
}

function blocked(table: string, damaged: number): SchemaError {
  return new SchemaError(
    'SCHEMA_REWRITE_BLOCKED',
    `${String(damaged)} rows of ${table} do not open, so they cannot be moved under a new key; the log of the process that met them names column and tokens. Restore or delete them on Cassandra itself, then ask again`,
  );
}

interface Bar {
  readonly show: (done: number, total: number, rows: number) => void;
  readonly stop: () => void;
}

/** A bar where standard error is a terminal. */
function progressBar(title: string, isQuiet: boolean): Bar {
  if (!process.stderr.isTTY || isQuiet) {
    return { show: () => undefined, stop: () => undefined };
  }
  const bar = new cliProgress.SingleBar(
    {
      format: '{title} {bar} {percentage}% | {rows} rows | {duration_formatted}',
      hideCursor: true,
      stream: process.stderr,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(1, 0, { title, rows: 0 });
  return {
    show: (done, total, rows) => {
      bar.setTotal(total);
      bar.update(done, { title, rows });
    },
    stop: () => {
      bar.stop();
    },
  };
}

async function withRewrites(
  context: CommandContext,
  use: (catalog: Catalog, ports: RewritePorts) => Promise<void>,
): Promise<void> {
  await withTableKeys(context, ({ parts, catalog, keys }) =>
    use(catalog, {
      catalog,
      clock: systemClock,
      deks: parts.cellDeks,
      connection: parts.control,
      leases: () => keys.leases(),
      logger: context.logger,
      owner: randomUUID(),
    }),
  );
}

/** `keyspace.table`, cut. @throws ConfigError */
export function splitName(name: string): [string, string] {
  const [keyspace, table, ...rest] = name.split('.');
  if (keyspace !== undefined && table !== undefined && table !== '' && rest.length === 0) {
    return [keyspace, table];
  }
  throw new ConfigError('CONFIG_ARGUMENTS', `${name} is no keyspace.table`);
}
