// `npm run test:conformance`: the drivers of all languages that are there.
import { build, checkNode, installPackages } from './setup.mjs';

checkNode();
await installPackages();
await build();
const { CONFORMANCE } = await import('./suites.mjs');
const { runSuites } = await import('./run_suites.mjs');
process.exit(await runSuites([CONFORMANCE]));
