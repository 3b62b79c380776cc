import { createInterface } from 'node:readline/promises';
import { ConfigError } from '../../errors/index.ts';

/**
 * Asks before something is destroyed: on a terminal the person must type `yes`; elsewhere `--yes` must have been given.
 * @throws ConfigError CONFIG_NOT_CONFIRMED
 */
export async function confirm(
  question: string,
  options: { readonly yes?: boolean },
): Promise<void> {
  if (options.yes === true) return;
  if (process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      const answer = await terminal.question(`${question} Type yes to go on: `);
      if (answer.trim() === 'yes') return;
    } finally {
      terminal.close();
    }
  }
  throw new ConfigError(
    'CONFIG_NOT_CONFIRMED',
    `not confirmed, nothing was changed: ${question} Add --yes if that is wanted`,
  );
}
