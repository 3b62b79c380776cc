/**
 * The benchmark: `npm run bench`. Starts a Cassandra and a proxy as processes of their own (or takes CQLOCK_TEST_DIRECT and
 * CQLOCK_TEST_PROXY with --pid), prints a table and writes bench-results/<time>.json.
 * Options: --quick  --only TEXT  --json FILE  --pid N (of a proxy that runs already)
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runningEndpoints, withStack } from '../support/stack.ts';
import { runBench, type BenchReport } from './bench.ts';

const RESULTS = fileURLToPath(new URL('../../bench-results', import.meta.url));

const { values: args } = parseArgs({
  options: {
    pid: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const common = { quick: args.quick, ...(args.only === undefined ? {} : { only: args.only }) };

async function measureOwn(): Promise<BenchReport> {
  return withStack(
    { cassandra: { heapMb: 1024, measured: true } },
    async ({ cassandra, proxy, direct, proxied }) =>
      runBench({
        ...common,
        direct,
        proxy: proxied,
        proxyPid: proxy.pid,
        dataDir: cassandra.dataDir,
        flush: async (keyspace) => {
          await cassandra.nodetool('flush', keyspace);
        },
      }),
  );
}

const started = new Date();
const running = runningEndpoints();
const report =
  running === undefined
    ? await measureOwn()
    : await runBench({
        ...common,
        direct: running.direct,
        proxy: running.proxied,
        proxyPid: args.pid === undefined ? null : Number(args.pid),
        dataDir: null,
      });
const file = args.json ?? join(RESULTS, `${started.toISOString().replaceAll(':', '-')}.json`);
mkdirSync(dirname(file), { recursive: true });
const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' };
writeFileSync(
  file,
  `${JSON.stringify({ started: started.toISOString(), machine, ...report }, null, 2)}\n`,
);
process.stdout.write(`written to ${file}\n`);
