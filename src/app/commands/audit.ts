import { join } from 'node:path';
import type { Command } from 'commander';
import { readAuditLines } from '../../audit/index.ts';
import type { AuditLine } from '../../audit/index.ts';
import { ConfigError } from '../../errors/index.ts';
import { systemClock } from '../../util/index.ts';
import { days, pruneLog } from './audit_prune.ts';
import type { PruneOptions } from './audit_prune.ts';
import { verify } from './audit_verify.ts';
import type { VerifyOptions } from './audit_verify.ts';
import type { CommandContext } from './catalog_session.ts';

type RunCommand = (command: (context: CommandContext) => Promise<void>) => Promise<void>;
type Say = (line: string) => void;

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Adds `audit verify`, `audit prune` and `audit show`. */
export function addAuditCommands(program: Command, run: RunCommand, say: Say): void {
  const audit = program.command('audit').description('the log of every use of a KMS key');
  audit
    .command('verify')
    .description('compute all chains of the audit log again; fails at the first break')
    .option('--served', SERVED)
    .option('--json', 'one JSON object a chain')
    .action((options: VerifyOptions) => run((context) => verify(context, say, options)));
  audit
    .command('prune')
    .description('verify the log, then delete its old files; what is kept still verifies')
    .requiredOption('--older-than <span>', 'whole days before today, such as 365d', days)
    .option('--served', SERVED)
    .option('--yes', 'do not ask')
    .option('--json', 'machine-readable output')
    .action((options: PruneOptions) => run((context) => pruneLog(context, say, options)));
  audit
    .command('show')
    .description('show uses of KMS keys, oldest first, as they stand in the log')
    .option('--since <time>', 'ISO 8601, or 30m, 24h, 7d before now', '24h')
    .option('--table <keyspace.table>', 'only uses for this table')
    .option('--key <arn>', 'only uses of this key')
    .option('--served', SERVED)
    .option('--json', 'the lines of the log')
    .action((options: ShowOptions) => run((context) => show(context, say, options)));
}

const SERVED = 'the log of cqlock keys serve on this machine';

interface ShowOptions {
  readonly served?: boolean;
  readonly since: string;
  readonly table?: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** `cqlock audit show`. Reads files only: nothing of what it shows is verified. */
async function show({ config }: CommandContext, say: Say, options: ShowOptions): Promise<void> {
  const since = sinceTime(options.since, systemClock.nowMs());
  const directory = options.served === true ? join(config.audit.dir, 'served') : config.audit.dir;
  const found: AuditLine[] = [];
  for await (const line of readAuditLines(directory)) {
    if (line.at >= since && isWanted(line, options)) found.push(line);
  }
  found.sort((a, b) => (a.at === b.at ? a.seq - b.seq : a.at < b.at ? -1 : 1));
  if (options.json === true) {
    for (const line of found) say(JSON.stringify(line));
    return;
  }
  for (const line of found) say(describeLine(line));
  say(`${String(found.length)} events; cqlock audit verify tells whether they are all and true`);
}

function isWanted(line: AuditLine, { table, key }: ShowOptions): boolean {
  if (line.kind !== 'kms') {
    return table === undefined && key === undefined && ['lost', 'pruned'].includes(line.kind);
  }
  return (
    (table === undefined || `${line.keyspace ?? ''}.${line.table ?? ''}` === table) &&
    (key === undefined || line.key === key || line.target_key === key)
  );
}

function describeLine(line: AuditLine): string {
  switch (line.kind) {
    case 'kms':
      break;
    case 'lost':
      return `${line.at}  lost ${String(line.count)} events were not written`;
    case 'pruned':
      return `${line.at}  pruned ${String(line.count)} lines of process ${line.of} were deleted`;
    default:
      return `${line.at}  ${line.kind}`;
  }
  const table = line.keyspace === null ? '-' : `${line.keyspace}.${line.table ?? ''}`;
  return [
    line.at,
    (line.origin === 'background' ? `(${line.principal})` : line.principal).padEnd(16),
    line.operation.padEnd(19),
    table.padEnd(24),
    (line.error ?? line.result).padEnd(11),
    `${line.duration_ms.toFixed(1)} ms`.padStart(10),
    line.key ?? '-',
  ].join('  ');
}

/** A time or a span before now, as ISO 8601. @throws ConfigError for anything else. */
function sinceTime(text: string, nowMs: number): string {
  const [, amount, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const ms =
    amount === undefined ? Date.parse(text) : nowMs - Number(amount) * (UNITS_MS[unit] ?? 0);
  if (Number.isNaN(ms)) {
    throw new ConfigError(
      'CONFIG_INVALID',
      `--since must be a time such as 2026-01-31T12:00:00Z, or a span such as 30m, 24h, 7d`,
    );
  }
  return new Date(ms).toISOString();
}
