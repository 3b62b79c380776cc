import type { Command } from 'commander';
import { readAuditLines, verifyAudit } from '../../audit/index.ts';
import type { AuditLine, ChainReport } from '../../audit/index.ts';
import type { Config } from '../../config/index.ts';
import { ConfigError, MetadataIntegrityError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { Catalog } from '../../schema/index.ts';
import { CassandraAuditHeads } from '../../upstream/index.ts';
import { systemClock } from '../../util/index.ts';
import { beginAudit } from '../audit_trail.ts';
import { openParts } from '../create_proxy.ts';

/** What a command gets to work with. */
export interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
}

type RunCommand = (command: (context: CommandContext) => Promise<void>) => Promise<void>;
type Say = (line: string) => void;

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Adds `audit verify` and `audit show`. */
export function addAuditCommands(program: Command, run: RunCommand, say: Say): void {
  const audit = program.command('audit').description('the log of every use of a KMS key');
  audit
    .command('verify')
    .description('compute all chains of the audit log again; fails at the first break')
    .option('--json', 'one JSON object a chain')
    .action((options: { json?: boolean }) =>
      run((context) => verify(context, say, options.json === true)),
    );
  audit
    .command('show')
    .description('show uses of KMS keys, oldest first, as they stand in the log')
    .option('--since <time>', 'ISO 8601, or 30m, 24h, 7d before now', '24h')
    .option('--table <keyspace.table>', 'only uses for this table')
    .option('--key <arn>', 'only uses of this key')
    .option('--json', 'the lines of the log')
    .action((options: ShowOptions) => run((context) => show(context, say, options)));
}

/**
 * `cqlock audit verify`.
 * @throws MetadataIntegrityError METADATA_AUDIT_LOG that names file and line of the first break.
 */
async function verify({ config, logger }: CommandContext, say: Say, json: boolean): Promise<void> {
  const { contactPoints, embeddedPort } = config.upstream;
  const parts = await openParts({
    config,
    // A Cassandra that `cqlock start` started listens there.
    contactPoints:
      contactPoints.length > 0 ? contactPoints : [{ host: '127.0.0.1', port: embeddedPort }],
    logger,
    mayCreateKeyStore: false,
  });
  try {
    const catalog = await Catalog.open({ ...parts, clock: systemClock });
    const { clusterId } = await catalog.readRecords();
    const heads = await new CassandraAuditHeads(parts.control).list(clusterId);
    const reports = await verifyAudit(config.audit.dir, catalog.keys.audit, clusterId, heads);
    await beginAudit(parts.audit, parts.control, catalog, clusterId);
    for (const report of reports) {
      say(json ? JSON.stringify(report) : describeChain(report, config.audit.dir));
    }
    const broken = reports.find((report) => report.problem !== undefined);
    if (broken !== undefined) throw brokenChain(broken, config.audit.dir);
    const lines = reports.reduce((sum, report) => sum + report.lines, 0);
    if (!json) say(`${String(reports.length)} chains, ${String(lines)} lines: nothing is missing`);
  } finally {
    await parts.audit.close();
    await parts.control.close();
  }
}

function describeChain(report: ChainReport, directory: string): string {
  const { processId, lines, from, to, isClosed, problem } = report;
  if (problem !== undefined) {
    return `${processId}  BROKEN at ${place(report, directory)}: ${problem.reason}`;
  }
  const end = isClosed ? 'ended' : 'runs, or was killed';
  return `${processId}  ${String(lines)} lines, ${from ?? '?'} to ${to ?? '?'}, ${end}`;
}

function place({ processId, problem }: ChainReport, directory: string): string {
  return problem?.file === undefined
    ? `the log of process ${processId} in ${directory}`
    : `${directory}/${problem.file} line ${String(problem.line)}`;
}

function brokenChain(report: ChainReport, directory: string): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_AUDIT_LOG',
    `the audit log is broken at ${place(report, directory)}: ${report.problem?.reason ?? ''}`,
  );
}

interface ShowOptions {
  readonly since: string;
  readonly table?: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** `cqlock audit show`. Reads files only: nothing of what it shows is verified. */
async function show({ config }: CommandContext, say: Say, options: ShowOptions): Promise<void> {
  const since = sinceTime(options.since, systemClock.nowMs());
  const found: AuditLine[] = [];
  for await (const line of readAuditLines(config.audit.dir)) {
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
  if (line.kind !== 'kms') return table === undefined && key === undefined && line.kind === 'lost';
  return (
    (table === undefined || `${line.keyspace ?? ''}.${line.table ?? ''}` === table) &&
    (key === undefined || line.key === key || line.target_key === key)
  );
}

function describeLine(line: AuditLine): string {
  if (line.kind !== 'kms') {
    return `${line.at}  ${line.kind}${line.kind === 'lost' ? ` ${String(line.count)} events were not written` : ''}`;
  }
  const table = line.keyspace === null ? '-' : `${line.keyspace}.${line.table ?? ''}`;
  return [
    line.at,
    (line.origin === 'client' ? line.principal : `(${line.principal})`).padEnd(16),
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
