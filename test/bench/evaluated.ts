/**
 * A filter and a GROUP BY over many rows through the proxy: time, the largest memory of the proxy meanwhile, and what a closed
 * connection ends. Starts a Cassandra and a proxy of its own, or takes CQLOCK_TEST_DIRECT and CQLOCK_TEST_PROXY with --pid.
 *   node --import ./test/support/ts_loader.mjs test/bench/evaluated.ts [--rows 1000000] [--pid N] [--most 300] [--keep] [--filled]
 * --keep leaves the table there, --filled takes the one that is there.
 * Ends with exit code 1 when the proxy's memory grows beyond --most MB or an evaluation goes on without its client.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Endpoint } from '../support/endpoint.ts';
import { RawClient } from '../support/raw_client.ts';
import { runningEndpoints, withStack } from '../support/stack.ts';
import { processCpuMs } from './load.ts';

const { values: args } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    most: { type: 'string', default: '300' },
    pid: { type: 'string' },
    filled: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const rows = Number(args.rows);
const most = Number(args.most);
const PER_PARTITION = 1_000;
const PER_BATCH = 50;
const IN_FLIGHT = 8;

const STATEMENTS = [
  "SELECT pk, ck FROM bench.t WHERE v = 96 AND w > 'row 5' ALLOW FILTERING",
  'SELECT pk, ck, w FROM bench.t WHERE v = 96 ALLOW FILTERING',
  'SELECT pk, count(*), sum(v), max(w) FROM bench.t GROUP BY pk',
  'SELECT count(*), avg(v) FROM bench.t WHERE v < 50 ALLOW FILTERING',
];

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function valuesOf(n: number): Buffer[] {
  return [
    int(Math.floor(n / PER_PARTITION)),
    int(n % PER_PARTITION),
    int(n % 97),
    Buffer.from(`row ${String(n)} of some length`),
  ];
}

async function fill(client: RawClient): Promise<void> {
  const prepared = await client.prepare('INSERT INTO bench.t (pk, ck, v, w) VALUES (?, ?, ?, ?)');
  if (prepared.kind !== 'prepared') throw new TypeError(JSON.stringify(prepared));
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < rows) {
      const from = next;
      next += PER_BATCH;
      const children = Array.from({ length: Math.min(PER_BATCH, rows - from) }, (_, i) => ({
        statement: prepared.id,
        values: valuesOf(from + i),
      }));
      const answer = await client.batch(1, children);
      if (answer.kind === 'error') throw new TypeError(answer.message);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
}

/** Resident memory of a process in MB. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? '0') / 1024;
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Reads all pages of a statement and says what it took. Returns the largest memory meanwhile, in MB. */
async function measure(client: RawClient, pid: number, cql: string): Promise<number> {
  const before = await memoryOf(pid);
  let peak = before;
  let isDone = false;
  const watch = (async () => {
    while (!isDone) {
      peak = Math.max(peak, await memoryOf(pid));
      await sleep(20);
    }
  })();
  const cpuBefore = processCpuMs(pid);
  const started = performance.now();
  let found = 0;
  let pages = 0;
  let state: Buffer | null = null;
  do {
    const page = { pageSize: 5000, ...(state === null ? {} : { pagingState: state }) };
    const answer = await client.query(cql, page);
    if (answer.kind !== 'rows') throw new TypeError(JSON.stringify(answer));
    found += answer.rows.length;
    pages++;
    state = answer.pagingState;
  } while (state !== null);
  const seconds = (performance.now() - started) / 1000;
  const cpu = processCpuMs(pid) - cpuBefore;
  isDone = true;
  await watch;
  say(
    `${cql}\n  ${String(found)} rows in ${String(pages)} pages, ${seconds.toFixed(1)} s, ${Math.round(rows / seconds).toString()} rows/s, ${((cpu / rows) * 1000).toFixed(2)} ms of CPU for 1,000 rows, ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most`,
  );
  return peak;
}

/** Closes the connection in the middle of an evaluation. Returns whether the proxy then had nothing more to do. */
async function cancel(proxy: Endpoint, pid: number, cql: string): Promise<boolean> {
  const client = await RawClient.connect({ ...proxy, timeoutMs: 3_600_000 });
  // Without a page size there is one answer, of the whole evaluation.
  const answer = client.query(cql).then(
    () => true,
    () => false,
  );
  await sleep(1_000);
  client.close();
  const isAnswered = await answer;
  await sleep(1_000);
  const before = processCpuMs(pid);
  await sleep(2_000);
  const used = processCpuMs(pid) - before;
  say(
    `${cql}\n  closed after 1 s${isAnswered ? ' (it had been answered)' : ''}; 1 s later the proxy uses ${(used / 20).toFixed(0)} % of a processor`,
  );
  return !isAnswered && used < 200;
}

async function run(proxy: Endpoint, pid: number): Promise<void> {
  const client = await RawClient.connect({ ...proxy, timeoutMs: 3_600_000 });
  const done = async (cql: string): Promise<void> => {
    const answer = await client.query(cql);
    if (answer.kind === 'error') throw new TypeError(answer.message);
  };
  if (!args.filled) {
    await done('DROP KEYSPACE IF EXISTS bench');
    await done(
      "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await done('CREATE TABLE bench.t (pk int, ck int, v int, w text, PRIMARY KEY (pk, ck))');
    const started = performance.now();
    await fill(client);
    const seconds = (performance.now() - started) / 1000;
    say(
      `${String(rows)} rows written in ${seconds.toFixed(0)} s; the proxy has ${(await memoryOf(pid)).toFixed(0)} MB`,
    );
  }
  let peak = 0;
  for (const cql of STATEMENTS) peak = Math.max(peak, await measure(client, pid, cql));
  let isEnded = true;
  for (const cql of STATEMENTS.slice(2)) isEnded = (await cancel(proxy, pid, cql)) && isEnded;
  if (!args.keep) await done('DROP KEYSPACE bench');
  client.close();
  const isGood = peak <= most && isEnded;
  say(`at most ${peak.toFixed(0)} MB${isGood ? '' : ': not as it should be'}`);
  process.exitCode = isGood ? 0 : 1;
}

const running = runningEndpoints();
if (running === undefined)
  await withStack({ cassandra: { measured: true } }, async ({ proxy, proxied }) =>
    run(proxied, proxy.pid),
  );
else await run(running.proxied, Number(args.pid));
