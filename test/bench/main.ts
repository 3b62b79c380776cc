/**
 * The benchmark against endpoints that run already: CQLOCK_TEST_DIRECT, CQLOCK_TEST_PROXY.
 * Options: --pid N (of the proxy)  --quick  --only TEXT  --json FILE
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { endpointsFromEnvironment } from '../support/endpoint.ts';
import { runBench } from './bench.ts';

const { values: args } = parseArgs({
  options: {
    pid: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const report = await runBench({
  ...endpointsFromEnvironment(),
  proxyPid: args.pid === undefined ? null : Number(args.pid),
  dataDir: null,
  quick: args.quick,
  ...(args.only === undefined ? {} : { only: args.only }),
});
if (args.json !== undefined) writeFileSync(args.json, `${JSON.stringify(report, null, 2)}\n`);
