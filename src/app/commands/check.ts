import type { Command } from 'commander';
import { ConfigError } from '../../errors/index.ts';
import { allFindings } from '../check/index.ts';
import type { Finding } from '../check/index.ts';
import type { CommandRunner } from './catalog_session.ts';
import { printer } from './print.ts';

const MARKS = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ' } as const;

/** Adds `cqlock check`. */
export function addCheckCommand(
  program: Command,
  run: CommandRunner,
  say: (line: string) => void,
): void {
  program
    .command('check')
    .description('check settings, files, key store and Cassandra, and say what to change')
    .option('--offline', 'do not connect to Cassandra')
    .option('--json', 'print JSON')
    .action((options: { offline?: boolean; json?: boolean }) =>
      run(async ({ config, logger }) => {
        const isOffline = options.offline === true;
        const findings = await allFindings(config, logger, { isOffline });
        report(findings, options.json === true, say);
        const wrong = findings.filter(({ level }) => level === 'error').length;
        if (wrong > 0) {
          throw new ConfigError('CONFIG_CHECK', `${String(wrong)} of the checks failed; see above`);
        }
      }),
    );
}

function report(findings: readonly Finding[], isJson: boolean, say: (line: string) => void): void {
  const count = (level: Finding['level']): number =>
    findings.filter((finding) => finding.level === level).length;
  printer(say, isJson).lines({ ok: count('error') === 0, findings }, [
    ...findings.map(({ level, topic, message }) => `${MARKS[level]}  ${topic}: ${message}`),
    `${counted(count('error'), 'error')}, ${counted(count('warning'), 'warning')}`,
  ]);
}

function counted(count: number, word: string): string {
  return `${String(count)} ${word}${count === 1 ? '' : 's'}`;
}
