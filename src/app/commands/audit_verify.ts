import { verifyAudit } from '../../audit/index.ts';
import type { ChainReport } from '../../audit/index.ts';
import { MetadataIntegrityError } from '../../errors/index.ts';
import { withLog } from './audit_session.ts';
import type { CommandContext } from './catalog_session.ts';

/** Options of `audit verify`. */
export interface VerifyOptions {
  readonly served?: boolean;
  readonly json?: boolean;
}

/**
 * `cqlock audit verify`.
 * @throws MetadataIntegrityError METADATA_AUDIT_LOG that names file and line of the first break.
 */
export async function verify(
  context: CommandContext,
  say: (line: string) => void,
  options: VerifyOptions,
): Promise<void> {
  const isJson = options.json === true;
  await withLog(context, options.served === true, async (log) => {
    const { directory, auditKey, clusterId, kept } = log;
    const reports = await verifyAudit(directory, auditKey, clusterId, kept);
    for (const report of reports) {
      say(isJson ? JSON.stringify(report) : describeChain(report, directory));
    }
    const broken = reports.find((report) => report.problem !== undefined);
    if (broken !== undefined) throw brokenChain(broken, directory);
    const lines = reports.reduce((sum, report) => sum + report.lines, 0);
    if (!isJson) {
      say(`${String(reports.length)} chains, ${String(lines)} lines: nothing is missing`);
    }
  });
}

function describeChain(report: ChainReport, directory: string): string {
  const { processId, firstSeq, lines, from, to, isClosed, problem } = report;
  if (problem !== undefined) {
    return `${processId}  BROKEN at ${place(report, directory)}: ${problem.reason}`;
  }
  const pruned = firstSeq === 0 ? '' : `, ${String(firstSeq)} lines before them were pruned`;
  if (lines === 0) return `${processId}  no lines${pruned}`;
  const end = isClosed ? 'ended' : 'runs, or was killed';
  return `${processId}  ${String(lines)} lines, ${from ?? '?'} to ${to ?? '?'}, ${end}${pruned}`;
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
