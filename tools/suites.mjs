// The suites of `npm test`, in order: cheap ones first, so that a mistake is seen early.
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string[]} command
 * @property {'exit' | 'vitest' | 'summary'} counts how tests are counted: the command is one test; vitest's report; or the
 *   last line that says 'N passed, N failed'. An exit code of 77 says that the suite cannot run here and counts as skipped.
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
    command: [
      ...bin('eslint', 'bin/eslint.js'),
      '--max-warnings=0',
      'src',
      'test',
      'tools',
      'grafana',
    ],
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
    name: 'unit and property, current LTS',
    command: [NODE, 'tools/lts.mjs'],
    counts: 'vitest',
  },
  {
    name: 'integration',
    command: vitest('--config', 'vitest.integration.config.ts'),
    counts: 'vitest',
  },
];

/** Real drivers against the proxy. @type {Suite} */
export const CONFORMANCE = {
  name: 'conformance',
  command: program('test/conformance/run.ts'),
  counts: 'summary',
};

/** Programs that judge the running product from outside; each starts what it needs. @type {Suite[]} */
export const OUTSIDE = [
  CONFORMANCE,
  { name: 'at rest', command: program('test/at_rest/run.ts'), counts: 'summary' },
  { name: 'containers', command: program('test/containers/run.ts'), counts: 'vitest' },
  { name: 'differential', command: program('test/differential/run.ts'), counts: 'summary' },
];
