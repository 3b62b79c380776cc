// Runs suites one after the other, shows their output, counts, and says at the end what passed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { ROOT } from './setup.mjs';

const SKIPPED = 77;
const NOTHING = { passed: 0, failed: 0, skipped: 0 };
/** What one failure is told with at the end, where a long log is read first. */
const FAILURE_CHARS = 400;

/** Runs all, also after a failure; prints a table and the closing line; gives the exit code. */
export async function runSuites(suites) {
  const results = [];
  for (const suite of suites) {
    console.log(`\n=== ${suite.name}`);
    const started = Date.now();
    const counts = await runSuite(suite);
    results.push({ name: suite.name, ...counts, seconds: (Date.now() - started) / 1000 });
  }
  return summarise(results);
}

async function runSuite(suite) {
  const reports = mkdtempSync(join(tmpdir(), 'cqlock-report-'));
  try {
    const report = join(reports, 'report.json');
    const reporters =
      suite.counts === 'vitest'
        ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
        : [];
    const { code, tail } = await show([...suite.command, ...reporters]);
    return { ...countOf(suite, code, tail, report), failures: failuresOf(suite, report) };
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

function countOf(suite, code, tail, report) {
  if (code === SKIPPED) return { ...NOTHING, skipped: 1 };
  const byExitCode = code === 0 ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: 1 };
  const counts =
    suite.counts === 'vitest'
      ? fromVitest(report)
      : suite.counts === 'summary'
        ? fromText(tail)
        : undefined;
  if (counts === undefined) return byExitCode;
  // A run that ended badly is never green, whatever it counted before.
  if (code !== 0 && counts.failed === 0) return { ...counts, failed: 1 };
  // A suite that counts tests and ran none has not shown anything.
  if (counts.passed + counts.failed + counts.skipped === 0) return { ...NOTHING, failed: 1 };
  return counts;
}

function fromVitest(report) {
  if (!existsSync(report)) return undefined;
  const json = JSON.parse(readFileSync(report, 'utf8'));
  const failedFiles = json.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
  ).length;
  return {
    passed: json.numPassedTests,
    failed: json.numFailedTests + failedFiles,
    skipped: json.numPendingTests + json.numTodoTests,
  };
}

/** The failed tests of a suite of vitest, with the beginning of their messages. */
function failuresOf(suite, report) {
  if (suite.counts !== 'vitest' || !existsSync(report)) return [];
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  return testResults.flatMap(({ name, message, status, assertionResults }) => {
    const file = relative(ROOT, name);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length === 0 && status === 'failed') return [`${file}: ${short(message)}`];
    return failed.map((test) => `${file}: ${test.fullName}: ${short(test.failureMessages[0])}`);
  });
}

function short(message) {
  return stripVTControlCharacters(message ?? '').slice(0, FAILURE_CHARS);
}

function fromText(tail) {
  const matches = [...tail.matchAll(/(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/g)];
  const last = matches.at(-1);
  if (last === undefined) return undefined;
  return { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(last[3] ?? 0) };
}

/** Shows the output as it comes and keeps its end. */
function show([command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let tail = '';
    const pass = (stream) => (chunk) => {
      stream.write(chunk);
      tail = (tail + chunk.toString('utf8')).slice(-20_000);
    };
    child.stdout.on('data', pass(process.stdout));
    child.stderr.on('data', pass(process.stderr));
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve({ code: error.code === 'ENOENT' ? SKIPPED : 1, tail });
    });
    child.once('close', (code) => resolve({ code: code ?? 1, tail }));
  });
}

function summarise(results) {
  const total = results.reduce(
    (sum, r) => ({
      passed: sum.passed + r.passed,
      failed: sum.failed + r.failed,
      skipped: sum.skipped + r.skipped,
    }),
    NOTHING,
  );
  for (const { name, failures } of results) {
    for (const failure of failures) console.log(`\nfailed in ${name}: ${failure}`);
  }
  console.log('\nsuite                             passed  failed  skipped  seconds');
  for (const r of results) {
    const numbers = [r.passed, r.failed, r.skipped].map((n) => String(n).padStart(8)).join('');
    console.log(`${r.name.padEnd(32)}${numbers}${r.seconds.toFixed(0).padStart(9)}`);
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}
