/**
 * Runs the differential test on a Cassandra and a proxy of its own, or where CQLOCK_TEST_DIRECT and CQLOCK_TEST_PROXY say.
 * A new seed each time, printed; with CI set always the same. CQLOCK_TEST_SEED repeats a run, CQLOCK_TEST_STATEMENTS makes it shorter or longer. Options:
 *   --seed TEXT  --statements N (20000)  --per-table N (150)  --parallel N (8)  --table N (only this one)
 *   --texts (show differing error texts)  --sabotage N (spoil one answer in N: the run must then fail)  --history N (8)
 *   --failures N (5; failed tables after which it ends)  --seconds N (after which no new table is begun)
 *   --wide (also SELECTs of more forms, views, indexes on parts of columns of several cells, collections and tuples as keys, equal decimals as partitions; the statements of a seed are then others)
 * Ends with 'N passed, N failed' of the random tables.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runningEndpoints, withStack } from '../support/stack.ts';
import type { Endpoint } from '../support/endpoint.ts';
import { runDifferential, type DifferentialResult } from './differential.ts';

const environment = process.env;
const { values: args } = parseArgs({
  options: {
    seed: { type: 'string' },
    statements: { type: 'string', default: environment['CQLOCK_TEST_STATEMENTS'] ?? '20000' },
    'per-table': { type: 'string', default: '150' },
    parallel: { type: 'string', default: '8' },
    table: { type: 'string' },
    texts: { type: 'boolean', default: false },
    sabotage: { type: 'string', default: '0' },
    wide: { type: 'boolean', default: false },
    history: { type: 'string', default: '8' },
    failures: { type: 'string', default: '5' },
    seconds: { type: 'string', default: 'Infinity' },
  },
});

/** Continuous integration judges the change, not luck: it repeats one seed. Everybody else draws a new one each time. */
const REPEATED_SEED = '64008622';
const isRepeated = environment['CI'] !== undefined;

function fresh(): string {
  return String(randomInt(100_000_000));
}

async function run(direct: Endpoint, proxy: Endpoint): Promise<DifferentialResult> {
  return runDifferential({
    direct,
    proxy,
    seed: args.seed ?? environment['CQLOCK_TEST_SEED'] ?? (isRepeated ? REPEATED_SEED : fresh()),
    statements: Number(args.statements),
    perTable: Number(args['per-table']),
    parallel: Number(args.parallel),
    only: args.table === undefined ? null : Number(args.table),
    texts: args.texts,
    sabotage: Number(args.sabotage),
    wide: args.wide,
    history: Number(args.history),
    failures: Number(args.failures),
    seconds: Number(args.seconds),
  });
}

const running = runningEndpoints();
const result =
  running === undefined
    ? await withStack({}, async ({ direct, proxied }) => run(direct, proxied))
    : await run(running.direct, running.proxied);
process.stdout.write(`${result.passed} passed, ${result.failed} failed\n`);
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;
