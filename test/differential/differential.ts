/** Differential test: the same random CQL on Cassandra directly and through the proxy gives the same rows, metadata and error codes. */
import type { Endpoint } from '../support/endpoint.ts';
import { randomUdts } from './generate_other.ts';
import { minimise, stepText } from './minimise.ts';
import { KS } from './model.ts';
import { Prng } from './prng.ts';
import { runTable, type RunSettings, type TableReport } from './run_table.ts';
import { Side } from './side.ts';

/** Options of a run. */
export interface DifferentialOptions {
  readonly direct: Endpoint;
  readonly proxy: Endpoint;
  readonly seed: string;
  readonly statements: number;
  readonly perTable: number;
  readonly parallel: number;
  readonly only: number | null;
  readonly texts: boolean;
  readonly sabotage: number;
  readonly wide: boolean;
  /** Failed tables after which no new one is begun. */
  readonly failures: number;
  /** Time after which no new table is begun. */
  readonly seconds: number;
  /** Statements shown before a failure. */
  readonly history: number;
}

/** How many random tables went the same way on both sides, and how many did not. */
export interface DifferentialResult {
  readonly passed: number;
  readonly failed: number;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs it and prints what was run and what differed. */
export async function runDifferential(options: DifferentialOptions): Promise<DifferentialResult> {
  const { direct, proxy } = options;
  const tag = Buffer.from(options.seed).toString('hex').slice(-8).padStart(8, '0');
  const names = { direct: `diff_d_${tag}`, proxy: `diff_p_${tag}` };
  const udts = randomUdts(new Prng(`${options.seed}/udts`));
  const settings: RunSettings = {
    direct,
    proxy,
    names,
    seed: options.seed,
    statementsPerTable: options.perTable,
    udts: udts.types,
    sabotage: options.sabotage,
    wide: options.wide,
  };
  say(`seed ${options.seed}`);
  for (const [endpoint, name] of [
    [direct, names.direct],
    [proxy, names.proxy],
  ] as const) {
    const side = await Side.connect(endpoint, name, 4);
    await side.attempt(`DROP KEYSPACE IF EXISTS ${KS}`);
    await side.must(
      `CREATE KEYSPACE ${KS} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    );
    for (const cql of udts.cql) await side.must(cql);
    side.close();
  }
  const started = Date.now();
  const tables =
    options.only === null
      ? Array.from({ length: Math.ceil(options.statements / options.perTable) }, (_, i) => i)
      : [options.only];
  const reports: TableReport[] = [];
  let next = 0;
  let failed = 0;
  const worker = async (): Promise<void> => {
    const isLate = (): boolean => Date.now() - started > options.seconds * 1000;
    while (next < tables.length && failed < options.failures && !isLate()) {
      const report = await runTable(settings, tables[next++] as number);
      reports.push(report);
      if (report.failure !== null) {
        failed++;
        await explain(settings, options, report);
      }
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, worker));
  summary(reports, options, (Date.now() - started) / 1000);
  for (const [endpoint, name] of [
    [direct, names.direct],
    [proxy, names.proxy],
  ] as const) {
    const side = await Side.connect(endpoint, name, 4);
    await side.attempt(`DROP KEYSPACE IF EXISTS ${KS}`);
    side.close();
  }
  return { passed: reports.length - failed, failed };
}

async function explain(
  settings: RunSettings,
  options: DifferentialOptions,
  report: TableReport,
): Promise<void> {
  const { failure } = report;
  if (failure === null) return;
  const lines = [
    `\nDIFFERENCE in table ${report.index}: --seed ${options.seed} --per-table ${options.perTable} --table ${report.index}`,
    `  schema: ${failure.create}`,
  ];
  for (const d of failure.differences) lines.push(`  ${d.what}: ${d.text}`);
  lines.push('  last statements:');
  for (const step of failure.steps.slice(-options.history)) lines.push(`    ${stepText(step)}`);
  say(lines.join('\n'));
  const least = failure.differences.some((d) => d.what === 'connection')
    ? null
    : await minimise(settings, failure, `t${report.index}`).catch(() => null);
  say(
    least === null
      ? `  table ${report.index}: not seen again on replay`
      : `  table ${report.index}: least statements (${least.length}):`,
  );
  for (const step of least ?? []) say(`    ${stepText(step)}`);
}

function summary(
  reports: readonly TableReport[],
  options: DifferentialOptions,
  seconds: number,
): void {
  const counts = new Map<string, [number, number]>();
  const known = new Map<string, number>();
  const soft = new Map<string, number>();
  for (const report of reports) {
    for (const [kind, [ok, refused]] of report.counts) {
      const sum = counts.get(kind) ?? [0, 0];
      counts.set(kind, [sum[0] + ok, sum[1] + refused]);
    }
    for (const [name, n] of report.known) known.set(name, (known.get(name) ?? 0) + n);
    for (const [text, n] of report.soft) soft.set(text, (soft.get(text) ?? 0) + n);
  }
  say('\nstatement                          answered  refused');
  for (const [kind, [ok, refused]] of [...counts].sort())
    say(`${kind.padEnd(34)} ${String(ok).padStart(8)} ${String(refused).padStart(8)}`);
  for (const [name, n] of known) say(`known difference '${name}': ${n}`);
  const softTotal = [...soft.values()].reduce((a, b) => a + b, 0);
  if (softTotal > 0) say(`texts that differ (not a failure): ${softTotal}`);
  if (options.texts)
    for (const [text, n] of [...soft].sort((a, b) => b[1] - a[1]).slice(0, 60))
      say(`  ${n} × ${text}`);
  const total = reports.reduce((n, r) => n + r.statements, 0);
  const failed = reports.filter((r) => r.failure !== null).length;
  say(
    `differential: seed ${options.seed}, ${total} statements, ${reports.length} tables, ${failed} with differences, ${seconds.toFixed(0)} s`,
  );
}
