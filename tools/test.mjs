// `npm test`: sets a fresh clone up, then runs every suite. `npm run check`: the quick ones only.
import { build, checkNode, installPackages } from './setup.mjs';

checkNode();
await installPackages();
const { CHECKS, INTEGRATION, OUTSIDE } = await import('./suites.mjs');
const { runSuites } = await import('./run_suites.mjs');
const quick = process.argv.includes('--check');
if (!quick) await build();
process.exit(await runSuites(quick ? CHECKS : [...CHECKS, ...INTEGRATION, ...OUTSIDE]));
