// The suites of `npm test`, in order: cheap ones first, so that a mistake is seen early.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string[]} command
 * @property {'exit' | 'vitest' | 'summary'} counts how tests are counted: the command is one test; vitest's report; or the
 *   last line that says 'N passed, N failed'. An exit code of 77 says that the suite cannot run here and counts as skipped.
 * @property {string} [needs] a file without which the suite does not exist
 */

const NODE = process.execPath;
const bin = (name, file) => [NODE, join(ROOT, 'node_modules', name, file)];
const vitest = (...args) => [...bin('vitest', 'vitest.mjs'), 'run', ...args];
const program = (file) => [NODE, '--import', './test/support/ts_loader.mjs', file];

/** @type {Suite[]} */
export const CHECKS = [
  {
    name: 'format',
    command: [...bin('prettier', 'bin/prettier.cjs'), '--check', '--log-level=warn', '.'],
    counts: 'exit',
  },
  {
    name: 'types',
    command: [...bin('typescript', 'bin/tsc'), '-p', 'tsconfig.json'],
    counts: 'exit',
  },
  {
    name: 'lint',
    command: [...bin('eslint', 'bin/eslint.js'), '--max-warnings=0', 'src', 'test', 'tools'],
    counts: 'exit',
  },
  {
    name: 'imports',
    command: [
      ...bin('dependency-cruiser', 'bin/dependency-cruise.mjs'),
      '--config',
      '.dependency-cruiser.cjs',
      'src',
    ],
    counts: 'exit',
  },
  { name: 'dead code', command: [...bin('knip', 'bin/knip.js')], counts: 'exit' },
  { name: 'unit and property', command: vitest(), counts: 'vitest' },
];

/** @type {Suite[]} */
export const INTEGRATION = [
  {
    name: 'integration and at rest',
    command: vitest('--config', 'vitest.integration.config.ts'),
    counts: 'vitest',
  },
];

/** Programs that judge the running product from outside; each starts what it needs. */
export const OUTSIDE = [
  {
    name: 'format, second implementation',
    command: ['python3', 'test/vectors/check_format.py'],
    counts: 'summary',
    needs: 'test/vectors/check_format.py',
  },
  {
    name: 'differential',
    command: program('test/differential/run.ts'),
    counts: 'summary',
    needs: 'test/differential/run.ts',
  },
  ...conformance(),
];

/** One suite for each language that has a run script. */
export function conformance() {
  const directory = join(ROOT, 'test', 'conformance');
  const languages = existsSync(directory) ? readdirSync(directory).sort() : [];
  const main = 'test/conformance/run.ts';
  if (existsSync(join(ROOT, main))) {
    return [{ name: 'conformance', command: program(main), counts: 'summary', needs: main }];
  }
  return languages
    .filter((language) => existsSync(join(directory, language, 'run.sh')))
    .map((language) => ({
      name: `conformance ${language}`,
      command: ['bash', `test/conformance/${language}/run.sh`],
      counts: 'summary',
    }));
}
