/** Commands of the built product as processes: what a script gets, and what a person at a terminal sees. */
import { spawn } from 'node:child_process';
import { builtProduct } from './built_product.ts';

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** Without the lines of the log. */
  readonly stderr: string;
}

/** Where commands work. */
export interface CommandPlace {
  /** Key store and anchor are in `<dataDir>/state`, the root key in `<dataDir>-config`. */
  readonly dataDir: string;
  readonly contactPoints?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Ends with the program's own exit code; what comes in goes to the terminal as if it were typed. */
const TERMINAL =
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** Runs commands in one place. */
export class CommandLine {
  readonly #place: CommandPlace;

  constructor(place: CommandPlace) {
    this.#place = place;
  }

  /** As a script does: no terminal, nothing to read. */
  async run(...args: readonly string[]): Promise<Ended> {
    return await ended(process.execPath, [await builtProduct(), ...args], this.#env());
  }

  /** Must succeed. @returns what it printed */
  async done(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code === 0) return stdout;
    throw new Error(`cqlock ${args.join(' ')} ended with ${String(code)}:\n${stderr}`);
  }

  /** With `--json`; must succeed. */
  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.done(...args, '--json')) as T;
  }

  /** At a terminal, where a person types `answer` once `question` is there; both outputs come as one. */
  async terminal(args: readonly string[], question = '', answer = ''): Promise<Ended> {
    const words = ['-c', TERMINAL, process.execPath, await builtProduct(), ...args];
    return await ended('python3', words, this.#env(), { question, answer });
  }

  /** Starts one that runs on, and waits for `pattern` in what it prints. */
  async start(args: readonly string[], pattern: RegExp) {
    const child = spawn(process.execPath, [await builtProduct(), ...args], {
      env: this.#env(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    let text = '';
    const match = await new Promise<RegExpExecArray>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        text += chunk.toString('utf8');
        const found = pattern.exec(text);
        if (found !== null) resolve(found);
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      void exited.then(() => {
        reject(new Error(`cqlock ${args.join(' ')} ended:\n${text}`));
      });
    });
    const stop = async (): Promise<{ readonly code: number | null; readonly output: string }> => {
      child.kill('SIGTERM');
      const code = await exited;
      return { code, output: text };
    };
    return { match, stop, output: () => text };
  }

  #env(): Record<string, string> {
    const { dataDir, contactPoints = [], env } = this.#place;
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: dataDir,
      TERM: 'xterm',
      XDG_CONFIG_HOME: `${dataDir}-config`,
      CQLOCK_DATA_DIR: dataDir,
      ...(contactPoints.length === 0 ? {} : { CQLOCK_CONTACT_POINTS: contactPoints.join(',') }),
      ...env,
    };
  }
}

async function ended(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  typed?: { readonly question: string; readonly answer: string },
): Promise<Ended> {
  const child = spawn(program, args, {
    env,
    stdio: [typed === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let isTyped = false;
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
    if (typed === undefined || typed.question === '' || isTyped) return;
    if (!stdout.includes(typed.question)) return;
    isTyped = true;
    child.stdin?.write(`${typed.answer}\r`);
  });
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const said = stderr.split('\n').filter((line) => !line.startsWith('{"level"'));
  return { code, stdout, stderr: said.join('\n') };
}
