/**
 * A proxy of its own for a test: the real product as a process, on free ports, with key store and root key in a temporary
 * directory. The cluster is initialised first unless told otherwise.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtProduct } from './built_product.ts';

/** How the proxy of a test differs from the usual one. */
export interface TestProxyOptions {
  /** Nodes of Cassandra, `host:port`. */
  readonly contactPoints: readonly string[];
  /**
   * Where key store and anchor are (`<dataDir>/state`) and, beside it, the root key (`<dataDir>-config`). Two proxies of one
   * cluster share it. A temporary one, removed at `stop`, if not given.
   */
  readonly dataDir?: string;
  /** Run `cqlock init` first; true if not given. It does nothing where it was run before. */
  readonly init?: boolean;
  /** Port of the native protocol; a free one if not given. */
  readonly port?: number;
  /** The proxy's own role. */
  readonly username?: string;
  readonly password?: string;
  /** More settings, e.g. `{ CQLOCK_LEASE_IDLE: '1s' }`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets every line of its output and log. */
  readonly log?: (line: string) => void;
}

/** A running proxy. */
export interface TestProxy {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** `http://host:port`, for /metrics, /healthz, /readyz. */
  readonly http: string;
  readonly dataDir: string;
  /** Everything it has written: its lines for the user and its log. */
  output(): string;
  /** SIGKILL; the directory stays. */
  kill9(): Promise<void>;
  /** Ends it properly; a temporary directory is removed. */
  stop(): Promise<void>;
}

/** How a command ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly output: string;
}

const START_TIMEOUT_MS = 120_000;

/** Starts a proxy; call `stop` in afterAll. Rejects with its output when it does not come up. */
export async function startProxy(options: TestProxyOptions): Promise<TestProxy> {
  const ownsDirectory = options.dataDir === undefined;
  const dataDir = options.dataDir ?? join(await mkdtemp(join(tmpdir(), 'cqlock-proxy-')), 'data');
  const settled = { ...options, dataDir };
  const removeOwn = async (): Promise<void> => {
    if (ownsDirectory) await rm(join(dataDir, '..'), { recursive: true, force: true });
  };
  try {
    if (options.init ?? true) {
      const { code, output } = await runCqlock('init', settled);
      if (code !== 0) throw new Error(`cqlock init failed:\n${output}`);
    }
    return await startProcess(settled, removeOwn);
  } catch (error) {
    await removeOwn();
    throw error;
  }
}

/** Runs a command of `cqlock` to its end, e.g. `init` or `tables list`; its words stand apart by spaces. */
export async function runCqlock(
  command: string,
  options: TestProxyOptions & { readonly dataDir: string },
): Promise<CommandResult> {
  const { child, output } = await spawnCqlock(command, options);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { code, output: output() };
}

async function startProcess(
  options: TestProxyOptions & { readonly dataDir: string },
  onStopped: () => Promise<void>,
): Promise<TestProxy> {
  const { child, output } = await spawnCqlock('start', options);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const killed = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  const [, host, port] = await waitFor(child, output, /cqlock is ready on ([\d.]+):(\d+)/);
  const [, http] = await waitFor(child, output, /(http:\/\/[\d.]+:\d+)\/metrics/);
  return {
    host: host ?? '',
    port: Number(port),
    pid: child.pid ?? 0,
    http: http ?? '',
    dataDir: options.dataDir,
    output,
    kill9: () => killed('SIGKILL'),
    stop: async () => {
      await killed('SIGTERM');
      await onStopped();
    },
  };
}

/** The options that `npm start` runs it with. */
const NODE_OPTIONS = ['--max-semi-space-size=64', '--min-semi-space-size=16'];

async function spawnCqlock(
  command: string,
  options: TestProxyOptions & { readonly dataDir: string },
): Promise<{ readonly child: ChildProcess; readonly output: () => string }> {
  const main = await builtProduct();
  const { username, password } = options;
  const child = spawn(process.execPath, [...NODE_OPTIONS, main, ...command.split(' ')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: options.dataDir,
      XDG_CONFIG_HOME: `${options.dataDir}-config`,
      CQLOCK_DATA_DIR: options.dataDir,
      CQLOCK_CONTACT_POINTS: options.contactPoints.join(','),
      CQLOCK_LISTEN: `127.0.0.1:${String(options.port ?? 0)}`,
      CQLOCK_HTTP_LISTEN: '127.0.0.1:0',
      CQLOCK_DRAIN_TIMEOUT: '500ms',
      ...(username === undefined ? {} : { CQLOCK_USERNAME: username }),
      ...(password === undefined ? {} : { CQLOCK_PASSWORD: password }),
      ...options.env,
    },
  });
  let text = '';
  const take = (chunk: Buffer): void => {
    const added = chunk.toString('utf8');
    text += added;
    for (const line of added.split('\n')) if (line !== '') options.log?.(line);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  // A test run that ends early leaves no proxy behind.
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  child.once('exit', () => process.removeListener('exit', killChild));
  return { child, output: () => text };
}

async function waitFor(
  child: ChildProcess,
  output: () => string,
  pattern: RegExp,
): Promise<RegExpExecArray> {
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const match = pattern.exec(output());
    if (match !== null) return match;
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > giveUpAt) {
      child.kill('SIGKILL');
      throw new Error(`the proxy did not start:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
