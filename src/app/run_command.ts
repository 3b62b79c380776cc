import { ProxyError } from '../errors/index.ts';
import type { Logger } from '../observability/index.ts';

/** Exit codes: 0 done, 1 failed, 2 a setting is wrong (the user can mend it), 130 stopped before the work was done. */
const FAILED = 1;
const WRONG_SETTING = 2;
const INTERRUPTED = 130;

/**
 * Runs a command and gives the exit code. An error becomes what the user can act on; the stack goes to the log.
 */
export async function runCommand(
  command: () => Promise<void>,
  context: {
    readonly logger: Logger;
    readonly complain: (line: string) => void;
    readonly signal: AbortSignal;
    /** The command does a piece of work that can be gone on with; a proxy that is stopped is done. */
    readonly isResumable?: boolean;
  },
): Promise<number> {
  try {
    await command();
    return 0;
  } catch (error) {
    if (context.signal.aborted && isAbort(error)) {
      if (context.isResumable !== true) return 0;
      context.complain('cqlock: stopped; the same command goes on with it');
      return INTERRUPTED;
    }
    if (error instanceof ProxyError) {
      context.complain(`cqlock: ${error.message} [${error.code}]`);
      if (error.code.startsWith('CONFIG_')) return WRONG_SETTING;
    } else {
      context.complain('cqlock: internal error; see the log above');
    }
    context.logger.error({ err: error }, 'command failed');
    return FAILED;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
