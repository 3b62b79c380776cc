/**
 * What the proxy costs, for docs/sizing.md: bytes on disk of the same rows written through the proxy and around it, CPU time of
 * the proxy for a row, memory for connections. Starts a Cassandra and a proxy.
 * Options: --rows N (default 20,000)  --connections N (default 200)
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import cassandra from 'cassandra-driver';
import { withStack } from '../support/stack.ts';
import { processCpuMs } from './load.ts';

const { values: args } = parseArgs({
  options: {
    rows: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '200' },
  },
});
const ROWS = Number(args.rows);
const CONNECTIONS = Number(args.connections);
const PARALLEL = 32;
const PREPARED = { prepare: true };
const WORDS = 'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor'.split(
  ' ',
);

/** Text as people write it: it compresses, unlike its ciphertext. */
function text(seed: number, length: number): string {
  let out = '';
  for (let i = seed; out.length < length; i++)
    out += `${WORDS[(i * 7 + seed) % WORDS.length] ?? ''} `;
  return out.slice(0, length);
}

interface Shape {
  readonly name: string;
  readonly columns: readonly string[];
  readonly value: (row: number) => unknown[];
}

const SHAPES: readonly Shape[] = [
  { name: 'one int', columns: ['int'], value: (i) => [i] },
  { name: 'one text of 20', columns: ['text'], value: (i) => [text(i, 20)] },
  { name: 'one text of 1000', columns: ['text'], value: (i) => [text(i, 1000)] },
  {
    name: 'ten: 5 bigint, 5 text of 20',
    columns: [...Array<string>(5).fill('bigint'), ...Array<string>(5).fill('text')],
    value: (i) => [
      ...Array.from({ length: 5 }, (_, c) => cassandra.types.Long.fromNumber(i * 10 + c)),
      ...Array.from({ length: 5 }, (_, c) => text(i + c, 20)),
    ],
  },
];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function clientOf({ host, port }: { readonly host: string; readonly port: number }) {
  return new cassandra.Client({
    contactPoints: [`${host}:${String(port)}`],
    localDataCenter: 'datacenter1',
    socketOptions: { connectTimeout: 60_000, readTimeout: 120_000 },
  });
}

/** Runs one statement for every row. */
async function forRows(
  client: cassandra.Client,
  cql: string,
  params: (row: number) => unknown[],
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let row = next++; row < ROWS; row = next++)
      await client.execute(cql, params(row), PREPARED);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** Bytes of the files of each table of a keyspace, by its name. */
function diskBytes(dataDir: string, keyspace: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const name of readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
    const [, table] = new RegExp(`/${keyspace}/(\\w+)-[0-9a-f]{32}/[^/]+$`).exec(`/${name}`) ?? [];
    const stat = statSync(join(dataDir, name));
    if (table === undefined || !stat.isFile()) continue;
    sizes.set(table, (sizes.get(table) ?? 0) + stat.size);
  }
  return sizes;
}

function key(row: number): cassandra.types.Uuid {
  return cassandra.types.Uuid.fromString(
    `00000000-0000-4000-8000-${row.toString(16).padStart(12, '0')}`,
  );
}

function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

await withStack({ cassandra: { heapMb: 1024, measured: true } }, async (stack) => {
  const [plain, sealed] = [clientOf(stack.direct), clientOf(stack.proxied)];
  const { pid } = stack.proxy;
  say(`memory, idle: ${residentMiB(pid).toFixed(0)} MiB`);
  for (const [client, keyspace] of [
    [plain, 'size_plain'],
    [sealed, 'size_sealed'],
  ] as const) {
    await client.execute(
      `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    );
  }
  say('shape: CPU of the proxy a write, a read by key');
  for (const [index, shape] of SHAPES.entries()) {
    const table = `t${String(index)}`;
    const columns = shape.columns.map((type, i) => `c${String(i)} ${type}`);
    const names = shape.columns.map((_, i) => `c${String(i)}`).join(', ');
    const marks = shape.columns.map(() => '?').join(', ');
    for (const [client, keyspace] of [
      [plain, 'size_plain'],
      [sealed, 'size_sealed'],
    ] as const) {
      await client.execute(
        `CREATE TABLE ${keyspace}.${table} (k uuid PRIMARY KEY, ${columns.join(', ')})`,
      );
      const started = processCpuMs(pid);
      await forRows(
        client,
        `INSERT INTO ${keyspace}.${table} (k, ${names}) VALUES (?, ${marks})`,
        (row) => [key(row), ...shape.value(row)],
      );
      if (client === plain) continue;
      const written = processCpuMs(pid);
      await forRows(client, `SELECT ${names} FROM ${keyspace}.${table} WHERE k = ?`, (row) => [
        key(row),
      ]);
      const us = [written - started, processCpuMs(pid) - written].map((ms) =>
        ((ms / ROWS) * 1e3).toFixed(0),
      );
      say(`${shape.name}: ${us.join(' us, ')} us`);
    }
  }
  await stack.cassandra.nodetool('flush');
  await stack.cassandra.nodetool('compact');
  const [plainSizes, sealedSizes] = ['size_plain', 'size_sealed'].map((keyspace) =>
    diskBytes(stack.cassandra.dataDir, keyspace),
  );
  say('shape: bytes a row on disk, plain, through the proxy');
  for (const [index, { name }] of SHAPES.entries()) {
    const row = [plainSizes, sealedSizes].map(
      (sizes) => `${((sizes?.get(`t${String(index)}`) ?? 0) / ROWS).toFixed(0)} B`,
    );
    say(`${name}: ${row.join(', ')}`);
  }
  const before = residentMiB(pid);
  const clients = Array.from({ length: CONNECTIONS }, () => clientOf(stack.proxied));
  for (const client of clients) {
    await client.execute(
      'SELECT c0 FROM size_sealed.t0 WHERE k = ?',
      [cassandra.types.Uuid.random()],
      PREPARED,
    );
  }
  say(
    `memory: ${before.toFixed(0)} MiB after this load, ${residentMiB(pid).toFixed(0)} MiB with ${String(CONNECTIONS)} clients more`,
  );
  await Promise.all([plain, sealed, ...clients].map((client) => client.shutdown()));
});
