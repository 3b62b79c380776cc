/**
 * A filter and a GROUP BY over many rows through the proxy, with the largest memory of the proxy meanwhile.
 *   node --import ./test/support/ts_loader.mjs test/bench/evaluated.ts [--rows 1000000]
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { RawClient } from '../support/raw_client.ts';
import { withStack } from '../support/stack.ts';

const { values: args } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
const rows = Number(args.rows);
const PER_PARTITION = 1_000;
const IN_FLIGHT = 200;

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

async function fill(client: RawClient): Promise<void> {
  const prepared = await client.prepare('INSERT INTO bench.t (pk, ck, v, w) VALUES (?, ?, ?, ?)');
  if (prepared.kind !== 'prepared') throw new Error(JSON.stringify(prepared));
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < rows) {
      const n = next++;
      const values = [
        int(Math.floor(n / PER_PARTITION)),
        int(n % PER_PARTITION),
        int(n % 97),
        Buffer.from(`row ${String(n)} of some length`),
      ];
      const answer = await client.execute(prepared.id, { values });
      if (answer.kind === 'error') throw new Error(answer.message);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
}

/** Resident memory of a process in MB. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? '0') / 1024;
}

await withStack({}, async ({ proxy, proxied }) => {
  const client = await RawClient.connect({ ...proxied, timeoutMs: 3_600_000 });
  const run = async (cql: string): Promise<void> => {
    const answer = await client.query(cql);
    if (answer.kind === 'error') throw new Error(answer.message);
  };
  await run(
    "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await run('CREATE TABLE bench.t (pk int, ck int, v int, w text, PRIMARY KEY (pk, ck))');
  await fill(client);
  for (const cql of [
    "SELECT pk, ck FROM bench.t WHERE v = 96 AND w > 'x' ALLOW FILTERING",
    'SELECT pk, count(*), sum(v), max(w) FROM bench.t GROUP BY pk',
    'SELECT count(*), avg(v) FROM bench.t WHERE v < 50 ALLOW FILTERING',
  ]) {
    let peak = await memoryOf(proxy.pid);
    const before = peak;
    let isDone = false;
    const watch = (async () => {
      while (!isDone) {
        peak = Math.max(peak, await memoryOf(proxy.pid));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const started = performance.now();
    const answer = await client.query(cql);
    const seconds = (performance.now() - started) / 1000;
    isDone = true;
    await watch;
    const result =
      answer.kind === 'rows' ? `${String(answer.rows.length)} rows` : JSON.stringify(answer);
    process.stdout.write(
      `${cql}\n  ${result}, ${seconds.toFixed(1)} s, ${Math.round(rows / seconds).toString()} rows/s, ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most\n`,
    );
  }
  client.close();
});
