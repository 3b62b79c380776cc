/** Commands of a container engine and of the system, run to their end. */
import { spawn } from 'node:child_process';

/** How a command ended; output and errors in one text. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** What a command may be given. */
export interface ShellOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; empty if not given. */
  readonly input?: string;
  /** 2 minutes if not given; then it is killed and its code is 124. */
  readonly timeoutMs?: number;
}

/** Runs a command; a command that does not exist ends with 127. */
export function tryRun(
  command: string,
  args: readonly string[],
  options: ShellOptions = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, options.timeoutMs ?? 120_000);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    }
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, output: error.message });
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: isLate ? 124 : (code ?? 1), output });
    });
  });
}

/** The same, for what must end with 0; its output without white space at both ends. */
export async function run(
  command: string,
  args: readonly string[],
  options: ShellOptions = {},
): Promise<string> {
  const { code, output } = await tryRun(command, args, options);
  if (code === 0) return output.trim();
  throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${output.slice(-4000)}`);
}
