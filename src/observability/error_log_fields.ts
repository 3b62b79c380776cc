import {
  CqlSyntaxError,
  InvalidRequestError,
  ProxyError,
  UnsupportedStatementError,
} from '../errors/index.ts';

/** Deeper chains of causes are cut. */
const MAX_CAUSES = 4;

/**
 * An error as the log may hold it. The text of an error is kept only where it cannot quote a value: errors of the proxy's
 * own, except those about a statement (Cassandra's words quote literals), and errors of the operating system. Of all
 * others there are class, code and stack frames.
 */
export function errorLogFields(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(mayBeQuoted(error) ? { message: error.message } : {}),
    stack: frames(error),
    ...(cause !== undefined && depth < MAX_CAUSES
      ? { cause: errorLogFields(cause, depth + 1) }
      : {}),
  };
}

function mayBeQuoted(error: Error): boolean {
  if (error instanceof ProxyError) {
    return !(
      error instanceof CqlSyntaxError ||
      error instanceof InvalidRequestError ||
      error instanceof UnsupportedStatementError
    );
  }
  return typeof (error as { syscall?: unknown }).syscall === 'string';
}

/** The stack without its first lines, which repeat the message. */
function frames(error: Error): string {
  const lines = (error.stack ?? '').split('\n');
  return lines.filter((line) => /^ {4}at /.test(line)).join('\n');
}
