/** The programs of test/conformance, one for each driver: what each needs, and how one is run. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';

/** A folder of test/conformance and the commands without which its program cannot be built. */
export interface DriverProgram {
  readonly name: string;
  readonly needs: readonly (readonly string[])[];
}

/** All of them. */
export const DRIVER_PROGRAMS: readonly DriverProgram[] = [
  { name: 'node', needs: [] },
  { name: 'python', needs: [['python3', '--version']] },
  {
    name: 'java',
    needs: [
      ['javac', '-version'],
      ['mvn', '--version'],
    ],
  },
  { name: 'go', needs: [['go', 'version']] },
  { name: 'cqlsh', needs: [['python3', '--version']] },
];

/** The command that is missing on this machine; undefined when the program can be run. */
export function missingCommand({ needs }: DriverProgram): string | undefined {
  return needs.find(
    ([command = '', ...args]) => spawnSync(command, args, { stdio: 'ignore' }).status !== 0,
  )?.[0];
}

/** Skips a test, with the reason, where a program cannot be built. */
export function skipWithout(context: TestContext, name: string): void {
  const found = DRIVER_PROGRAMS.find((entry) => entry.name === name);
  const missing = found === undefined ? name : missingCommand(found);
  if (missing !== undefined) context.skip(`no '${missing}' on this machine`);
}

/** Who a client is: paths of PEM files, and a password. */
export interface ProgramIdentity {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** The variables that make a program that client. */
export function identityOf(identity: ProgramIdentity): Record<string, string> {
  const { ca, cert, key, user, password } = identity;
  const variables = {
    CQLOCK_TEST_TLS_CA: ca,
    CQLOCK_TEST_TLS_CERT: cert,
    CQLOCK_TEST_TLS_KEY: key,
    CQLOCK_TEST_USER: user,
    CQLOCK_TEST_PASSWORD: password,
  };
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Handshakes and logins that a proxy has refused since its start. */
export async function refusalsOf(proxy: {
  readonly http: string;
}): Promise<{ readonly tls: number; readonly logins: number }> {
  const metrics = await (await fetch(`${proxy.http}/metrics`)).text();
  const sum = (pattern: RegExp): number =>
    [...metrics.matchAll(pattern)].reduce((total, [, count]) => total + Number(count), 0);
  return {
    tls: sum(/^cqlock_tls_failures_total\{[^}]*\} (\d+)/gm),
    logins: sum(/^cqlock_logins_total\{result="failed"\} (\d+)/gm),
  };
}

/** What a program printed, and how it ended. */
export interface ProgramResult {
  readonly code: number | null;
  readonly output: string;
  readonly passed: number;
  readonly failed: number;
}

/** Installing a driver from a slow registry, and all scenarios after it. */
const TIMEOUT_MS = 15 * 60_000;

/**
 * Runs a program to its end.
 * @param args `host:port`, and what the script of the folder takes beside it.
 * @param options.env variables of test/conformance/README.md; options.show gets the output as it comes.
 */
export async function runDriverProgram(
  name: string,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly show?: (chunk: Buffer) => void;
  } = {},
): Promise<ProgramResult> {
  const script = fileURLToPath(new URL(join('../conformance', name, 'run.sh'), import.meta.url));
  const child = spawn('bash', [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    env: { ...process.env, ...options.env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      options.show?.(chunk);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return {
    code,
    output,
    passed: [...output.matchAll(/^scenario ok /gm)].length,
    failed: [...output.matchAll(/^scenario FAILED /gm)].length,
  };
}
