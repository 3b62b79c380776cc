/**
 * Every driver of test/conformance against a proxy in front of a Cassandra, one after the other. A language that is not
 * installed is skipped, and says so. Ends with 'N passed, N failed, N skipped' of the scenarios.
 * Arguments: folders to run, e.g. `python go`; all if none.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DRIVER_PROGRAMS, missingCommand, runDriverProgram } from '../support/driver_programs.ts';
import type { DriverProgram } from '../support/driver_programs.ts';
import { withStack } from '../support/stack.ts';

const counts = { passed: 0, failed: 0, skipped: 0 };

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const show = (chunk: Buffer): void => {
  process.stdout.write(chunk);
};

async function judge(name: string, args: readonly string[]): Promise<void> {
  say(`--- ${name}`);
  const { code, passed, failed } = await runDriverProgram(name, args, { show });
  counts.passed += passed;
  counts.failed += failed;
  // A program that ends badly, or ran nothing, is a failure whatever it counted.
  if ((code !== 0 || passed === 0) && failed === 0) counts.failed++;
  if (code !== 0) say(`${name} ended with ${String(code)}`);
}

const wanted = process.argv.slice(2);
const chosen = DRIVER_PROGRAMS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const present: DriverProgram[] = [];
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
        const { code } = await runDriverProgram(
          'cqlsh',
          [`${host}:${port}`, '--record', reference],
          { show },
        );
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
