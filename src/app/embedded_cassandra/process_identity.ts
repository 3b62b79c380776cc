import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process, told apart from a later one with the same id by when it was started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: equal for the same process, different for others. */
  readonly started: string;
}

/** The identity of a running process; undefined if there is none with that id. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether `identity` (as read from a file, so of any shape) is a process that still runs. */
export function isSameProcess(identity: unknown): identity is ProcessIdentity {
  if (typeof identity !== 'object' || identity === null) return false;
  const { pid, started } = identity as { pid?: unknown; started?: unknown };
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return false;
  return typeof started === 'string' && startOf(pid) === started;
}

/** Whether a process is running; one that ended but was not waited for yet is not. */
export function isRunning(pid: number): boolean {
  return startOf(pid) !== undefined;
}

function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
      // The name in parentheses may hold spaces: fields are counted from the last parenthesis.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
      return fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    if (text === '' || text.startsWith('Z')) return undefined;
    return text.slice(text.indexOf(' ') + 1).trim();
  } catch {
    return undefined;
  }
}
