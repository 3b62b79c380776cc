import { ProxyError } from '../errors/index.ts';
import type { Logger } from '../observability/index.ts';

/** Exit codes beside 0, done: 1 failed, 2 a setting or an argument is wrong (the user can mend it), 130 stopped half-way. */
const FAILED = 1;
/** Exit code of a wrong setting or argument. */
export const WRONG_SETTING = 2;
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
    /** Whether being stopped is its proper end, and what failed belongs into the log: true for what runs until it is stopped. */
    readonly isService?: boolean;
  },
): Promise<number> {
  try {
    await command();
    return 0;
  } catch (error) {
    const { isService = false, signal, complain, logger } = context;
    if (signal.aborted && isAbort(error)) {
      if (isService) return 0;
      complain('cqlock: stopped; what was begun goes on when the command is given again');
      return INTERRUPTED;
    }
    if (!(error instanceof ProxyError)) {
      logger.error({ err: error }, 'command failed');
      complain('cqlock: internal error; see the log above');
      return FAILED;
    }
    complain(`cqlock: ${error.message} [${error.code}]`);
    if (error.code.startsWith('CONFIG_')) return WRONG_SETTING;
    // A person at a command has read the line above; a service's log is all there is of it later.
    logger[isService ? 'error' : 'debug']({ err: error }, 'command failed');
    return FAILED;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
