import { InvalidArgumentError } from 'commander';
import { planPrune, prune } from '../../audit/index.ts';
import { systemClock } from '../../util/index.ts';
import { withLog } from './audit_session.ts';
import type { CommandContext } from './catalog_session.ts';
import { confirm } from './confirm.ts';

const DAY_MS = 86_400_000;

/** Options of `audit prune`. */
export interface PruneOptions {
  /** Days. */
  readonly olderThan: number;
  readonly served?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `cqlock audit prune`. Verifies first: of a broken log nothing is deleted. */
export async function pruneLog(
  context: CommandContext,
  say: (line: string) => void,
  options: PruneOptions,
): Promise<void> {
  await withLog(context, options.served === true, async (log) => {
    const { directory, auditKey, clusterId, heads, kept } = log;
    const before = new Date(systemClock.nowMs() - options.olderThan * DAY_MS);
    const beforeDay = before.toISOString().slice(0, 10);
    const plan = await planPrune({ directory, auditKey, clusterId, kept, beforeDay });
    const files = plan.flatMap((chain) => chain.files.map(({ name }) => name));
    const lines = plan.reduce((sum, chain) => sum + chain.lines, 0);
    if (plan.length > 0) {
      await confirm(
        `${String(files.length)} files of the audit log with ${String(lines)} lines from before ${beforeDay} are deleted for good.`,
        options,
      );
      const trail = await log.begin();
      await prune(plan, clusterId, heads, (chain) =>
        trail.recordPruned(chain.processId, chain.lines, chain.start.seq),
      );
    }
    if (options.json === true) say(JSON.stringify({ before: beforeDay, lines, files }));
    else say(`${String(files.length)} files with ${String(lines)} lines are deleted`);
  });
}

/** A number of days, 1 to 36500, from `365d`. */
export function days(text: string): number {
  const [, amount] = /^(\d{1,5})d$/.exec(text) ?? [];
  const value = Number(amount);
  if (!(value >= 1 && value <= 36_500)) throw new InvalidArgumentError('must be days, as 365d');
  return value;
}
