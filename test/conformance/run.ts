/**
 * Every driver of test/conformance against a proxy in front of a Cassandra, one after the other. A language that is not
 * installed is skipped, and says so. Ends with 'N passed, N failed, N skipped' of the scenarios.
 * Arguments: folders to run, e.g. `python go`; all if none.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withStack } from '../support/stack.ts';

/** A folder and the commands without which its program cannot be built. */
interface Language {
  readonly name: string;
  readonly needs: readonly (readonly string[])[];
}

const LANGUAGES: readonly Language[] = [
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
const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Installing a driver from a slow registry, and all scenarios after it. */
const TIMEOUT_MS = 15 * 60_000;

const counts = { passed: 0, failed: 0, skipped: 0 };

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function missingCommand(language: Language): string | undefined {
  return language.needs.find(
    ([command = '', ...args]) => spawnSync(command, args, { stdio: 'ignore' }).status !== 0,
  )?.[0];
}

/** Runs the script of a folder, shows what it prints, and gives that back with its exit code. */
async function runScript(name: string, args: readonly string[]): Promise<[number | null, string]> {
  const child = spawn('bash', [join(HERE, name, 'run.sh'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      process.stdout.write(chunk);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve([code, text]));
  });
}

async function judge(name: string, args: readonly string[]): Promise<void> {
  say(`--- ${name}`);
  const [code, text] = await runScript(name, args);
  const passed = [...text.matchAll(/^scenario ok /gm)].length;
  const failed = [...text.matchAll(/^scenario FAILED /gm)].length;
  counts.passed += passed;
  counts.failed += failed;
  // A program that ends badly, or ran nothing, is a failure whatever it counted.
  if ((code !== 0 || passed === 0) && failed === 0) counts.failed++;
  if (code !== 0) say(`${name} ended with ${String(code)}`);
}

const wanted = process.argv.slice(2);
const chosen = LANGUAGES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const present: Language[] = [];
for (const language of chosen) {
  const missing = missingCommand(language);
  if (missing === undefined) present.push(language);
  else {
    counts.skipped++;
    say(`--- ${language.name} skipped: no '${missing}' on this machine`);
  }
}
const reference = await mkdtemp(join(tmpdir(), 'cqlock-cqlsh-'));
try {
  const hasCqlsh = present.some(({ name }) => name === 'cqlsh');
  await withStack(
    {
      beforeProxy: async ({ host, port }) => {
        if (!hasCqlsh) return;
        const [code] = await runScript('cqlsh', [`${host}:${port}`, '--record', reference]);
        if (code !== 0) throw new Error('cqlsh against Cassandra itself failed');
      },
    },
    async ({ proxied, proxy }) => {
      const endpoint = `${proxied.host}:${proxied.port}`;
      for (const { name } of present)
        await judge(name, name === 'cqlsh' ? [endpoint, '--compare', reference] : [endpoint]);
      if (counts.failed > 0) say(`--- the proxy's log\n${proxy.output().slice(-8_000)}`);
    },
  );
} finally {
  await rm(reference, { recursive: true, force: true });
}
say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
