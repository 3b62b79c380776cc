/**
 * Backup and restore of many rows by the command line, as a process of its own: rate and peak memory. Starts a Cassandra and a
 * proxy, fills a table through the proxy.
 * Options: --rows N (default 1,000,000)  --json FILE
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import cassandra from 'cassandra-driver';
import { builtProduct } from '../support/built_product.ts';
import { withStack } from '../support/stack.ts';

const { values: args } = parseArgs({
  options: { rows: { type: 'string', default: '1000000' }, json: { type: 'string' } },
});
const rows = Number(args.rows);
const ROWS_A_PARTITION = 10;

interface Measured {
  readonly seconds: number;
  readonly rowsPerSecond: number;
  readonly peakMiB: number;
  readonly output: string;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs the command line and watches its memory. @throws TypeError when it fails */
async function measure(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Measured> {
  const main = await builtProduct();
  const startedMs = performance.now();
  const child = spawn(process.execPath, [main, ...command], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  let peakKiB = 0;
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
      peakKiB = Math.max(peakKiB, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  }, 50);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearInterval(watch);
  if (code !== 0) throw new TypeError(`cqlock ${command.join(' ')}: ${output}`);
  const seconds = (performance.now() - startedMs) / 1000;
  return { seconds, rowsPerSecond: rows / seconds, peakMiB: peakKiB / 1024, output };
}

await withStack(
  { cassandra: { heapMb: 1536, measured: true } },
  async ({ proxy, direct, proxied }) => {
    const client = new cassandra.Client({
      contactPoints: [`${proxied.host}:${proxied.port}`],
      localDataCenter: 'datacenter1',
    });
    await client.connect();
    for (const cql of [
      "CREATE KEYSPACE bench_backup WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      'CREATE TABLE bench_backup.rows (pk int, ck int, a text, b bigint, c text, PRIMARY KEY (pk, ck))',
    ]) {
      await client.execute(cql);
    }
    say(`filling ${rows} rows`);
    const insert = 'INSERT INTO bench_backup.rows (pk, ck, a, b, c) VALUES (?, ?, ?, ?, ?)';
    let next = 0;
    const write = async (): Promise<void> => {
      while (next < rows) {
        const first = next;
        next += ROWS_A_PARTITION;
        const batch = Array.from({ length: ROWS_A_PARTITION }, (_, i) => ({
          query: insert,
          params: [first, i, `name ${first + i}`, first + i, 'x'.repeat(40)],
        }));
        await client.batch(batch, { prepare: true, logged: false });
      }
    };
    const filledMs = performance.now();
    await Promise.all(Array.from({ length: 24 }, write));
    say(`filled in ${((performance.now() - filledMs) / 1000).toFixed(1)} s`);
    await client.shutdown();
    const env = {
      HOME: proxy.dataDir,
      XDG_CONFIG_HOME: `${proxy.dataDir}-config`,
      CQLOCK_DATA_DIR: proxy.dataDir,
      CQLOCK_CONTACT_POINTS: `${direct.host}:${direct.port}`,
      CQLOCK_LOG_LEVEL: 'error',
    };
    const backup = await measure(['backup', 'create', 'bench_backup.rows', '--json'], env);
    const restore = await measure(
      ['restore', '--from', 'bench_backup.rows', '--to', 'bench_backup.back', '--json'],
      env,
    );
    const restored = (JSON.parse(restore.output) as { rows: number }).rows;
    if (restored !== rows) throw new TypeError(`${restored} rows were restored`);
    for (const [name, m] of [
      ['backup and verify', backup],
      ['restore', restore],
    ] as const) {
      say(
        `${name}: ${m.seconds.toFixed(1)} s, ${m.rowsPerSecond.toFixed(0)} rows/s, peak memory ${m.peakMiB.toFixed(0)} MiB`,
      );
    }
    if (args.json !== undefined) {
      writeFileSync(args.json, `${JSON.stringify({ rows, backup, restore }, null, 2)}\n`);
    }
  },
);
