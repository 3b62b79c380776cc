/** Servers that contract tests of KMS providers run against: installed into the cache, started on free ports, ended by process id. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a server cannot be had for; the tests are skipped and say so. */
export interface MissingServer {
  readonly missing: string;
}

/** A running server of a test, with a directory of its own. */
export interface TestServer {
  readonly missing: undefined;
  readonly port: number;
  readonly directory: string;
  /** Ends the process and removes its directory. */
  stop(): Promise<void>;
}

/** A directory that goes away with the server. */
export async function serverDirectory(name: string): Promise<string> {
  return await mkdtemp(join(tmpdir(), `cqlock-${name}-`));
}

/**
 * Starts a program and waits until it listens on `port` of 127.0.0.1.
 * @param isReady asked again and again once the port answers; true at once if not given
 */
export async function startServer(options: {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly isReady?: () => Promise<boolean>;
  readonly timeoutMs?: number;
}): Promise<TestServer> {
  const { name, directory, port } = options;
  const [program = '', ...args] = options.command;
  const logFile = join(directory, `${name}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, {
    cwd: directory,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', log, log],
    // A group of its own: some servers start processes that outlive them.
    detached: true,
  });
  closeSync(log);
  const endGroup = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // All of it has ended.
    }
  };
  let failure: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = error.message;
      resolve();
    });
    child.once('exit', (code) => {
      failure ??= `it ended with ${String(code)}`;
      resolve();
    });
  });
  const end = (): void => {
    endGroup('SIGKILL');
  };
  process.once('exit', end);
  const stop = async (): Promise<void> => {
    process.off('exit', end);
    endGroup('SIGTERM');
    const timer = setTimeout(end, 3_000);
    await ended;
    clearTimeout(timer);
    end();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  };
  const deadline = Date.now() + (options.timeoutMs ?? 120_000);
  for (;;) {
    if (failure === undefined && (await canConnect(port)) && (await (options.isReady?.() ?? true)))
      break;
    if (failure !== undefined || Date.now() > deadline) {
      const text = readFileSync(logFile, 'utf8').slice(-2_000);
      await stop();
      throw new Error(`${name} did not start: ${failure ?? 'no answer in time'}\n${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { missing: undefined, port, directory, stop };
}

async function canConnect(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
