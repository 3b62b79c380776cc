/**
 * The benchmark: Cassandra directly and through the proxy, slice by slice in turn within one run, so that both see the same
 * machine. The proxy must be a process of its own; this one is the load generator.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Endpoint } from '../support/endpoint.ts';
import { RawClient } from '../support/raw_client.ts';
import { median, percentile, runSlice, type Slice } from './load.ts';
import { check, fill, operations, tables, type Operation } from './workload.ts';
import {
  FEATURES,
  featureOperations,
  featureTables,
  fillFeatures,
  indexBuilt,
} from './workload_features.ts';

/** What the benchmark needs. */
export interface BenchOptions {
  readonly direct: Endpoint;
  readonly proxy: Endpoint;
  /** Process id of the proxy, for its CPU time; null when unknown. */
  readonly proxyPid: number | null;
  /** Cassandra's data directory, for bytes stored; null to leave that out. */
  readonly dataDir: string | null;
  /** Less of everything: a check that it works, not a measurement. */
  readonly quick: boolean;
  /** Writes the memtables of a keyspace to disk (nodetool flush). Needed for bytes stored. */
  readonly flush?: (keyspace: string) => Promise<void>;
  /** Called with every line of the report. Default: standard output. */
  readonly say?: (line: string) => void;
  /** Only operations whose name contains this. */
  readonly only?: string;
}

/** One side of one measurement. */
export interface SideResult {
  /** Requests (pages: rows) a second, median of the slices. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
}

/** One measurement. */
export interface BenchRow {
  readonly operation: string;
  readonly inFlight: number;
  readonly unit: 'requests' | 'rows';
  readonly direct: SideResult;
  readonly proxy: SideResult;
  /** Throughput through the proxy by throughput directly; median of the ratios of neighbouring slices. */
  readonly ratio: number;
  /** CPU time of the proxy in ms for 1,000 requests (1,000 rows for pages). */
  readonly proxyCpuMsPer1000: number | null;
}

/** Bytes on disk of one row. */
export interface StoredRow {
  readonly table: string;
  readonly directBytes: number;
  readonly proxyBytes: number;
  readonly factor: number;
}

/** The whole result, as it is written to JSON. */
export interface BenchReport {
  readonly node: string;
  readonly quick: boolean;
  readonly rows: readonly BenchRow[];
  readonly stored: readonly StoredRow[];
}

interface BenchSide {
  readonly keyspace: string;
  readonly clients: readonly RawClient[];
  readonly operations: ReadonlyMap<string, Operation>;
  readonly pid: number | null;
}

const KEYSPACES = { direct: 'bench_direct', proxy: 'bench_proxy' } as const;
const CONNECTIONS = 4;

/** Runs the benchmark and reports it. @throws TypeError when a side answers with an error or with wrong rows. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const say = options.say ?? ((line: string): void => void process.stdout.write(`${line}\n`));
  const direct = await openSide(options.direct, KEYSPACES.direct, null);
  const proxy = await openSide(options.proxy, KEYSPACES.proxy, options.proxyPid);
  try {
    // Bytes first: the tables hold the same rows on both sides only now.
    const stored = await bytesStored(options);
    const rows: BenchRow[] = [];
    say(
      'operation                    in flight  direct/s   proxy/s  ratio   p50 ms direct/proxy   p99 ms direct/proxy   proxy CPU ms per 1,000',
    );
    for (const [name, inFlight] of measurements(options)) {
      const [client] = proxy.clients;
      if (name.startsWith('index') && client !== undefined)
        await indexBuilt(client, proxy.keyspace);
      const row = await measure(direct, proxy, name, inFlight, options.quick);
      rows.push(row);
      say(rowText(row));
    }
    for (const s of stored)
      say(
        `stored ${s.table}: ${s.directBytes.toFixed(1)} bytes a row directly, ${s.proxyBytes.toFixed(1)} through the proxy (${s.factor.toFixed(2)} times)`,
      );
    return { node: process.version, quick: options.quick, rows, stored };
  } finally {
    for (const side of [direct, proxy]) {
      await side.clients[0]?.query(`DROP KEYSPACE IF EXISTS ${side.keyspace}`).catch(() => null);
      for (const client of side.clients) client.close();
    }
  }
}

function measurements(options: BenchOptions): [string, number][] {
  const out: [string, number][] = [];
  for (const table of ['users', 'events']) {
    for (const inFlight of options.quick ? [32] : [1, 32, 256]) {
      for (const form of ['prepared', 'literal'])
        out.push([`${table} insert ${form}`, inFlight], [`${table} select ${form}`, inFlight]);
    }
  }
  for (const inFlight of options.quick ? [2] : [1, 4])
    out.push(['page of one partition', inFlight], ['page of a scan', inFlight]);
  for (const inFlight of options.quick ? [32] : [1, 32])
    for (const feature of FEATURES) out.push([feature, inFlight]);
  return out.filter(([name]) => name.includes(options.only ?? ''));
}

async function openSide(
  endpoint: Endpoint,
  keyspace: string,
  pid: number | null,
): Promise<BenchSide> {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => RawClient.connect(endpoint)),
  );
  const client = clients[0] as RawClient;
  const statements = [
    `DROP KEYSPACE IF EXISTS ${keyspace}`,
    `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    ...tables(keyspace),
    ...featureTables(keyspace),
  ];
  for (const cql of statements) {
    const answer = await client.query(cql);
    if (answer.kind === 'error') throw new TypeError(`'${cql}': ${answer.message}`);
  }
  await fill(client, keyspace);
  await fillFeatures(client, keyspace);
  await check(client, keyspace);
  const all = new Map([
    ...(await operations(client, keyspace)),
    ...(await featureOperations(client, keyspace)),
  ]);
  return { keyspace, clients, operations: all, pid };
}

async function measure(
  direct: BenchSide,
  proxy: BenchSide,
  name: string,
  inFlight: number,
  quick: boolean,
): Promise<BenchRow> {
  // Drivers have one connection a node; more only where 256 requests would queue on it.
  const connections = inFlight > 32 ? CONNECTIONS : 1;
  const seconds = quick ? 0.4 : 1.5;
  const rounds = quick ? 2 : 5;
  const run = async (side: BenchSide, time: number): Promise<Slice> => {
    const operation = side.operations.get(name);
    if (operation === undefined) throw new TypeError(`no operation '${name}'`);
    return runSlice(side.clients.slice(0, connections), operation, inFlight, time, side.pid);
  };
  for (const side of [direct, proxy]) await run(side, seconds / 2);
  const slices: [Slice, Slice][] = [];
  for (let i = 0; i < rounds; i++) {
    // The side that goes first changes, so that neither always follows the other's garbage.
    if (i % 2 === 0) {
      const d = await run(direct, seconds);
      slices.push([d, await run(proxy, seconds)]);
    } else {
      const p = await run(proxy, seconds);
      slices.push([await run(direct, seconds), p]);
    }
  }
  const rows = direct.operations.get(name)?.rows ?? 0;
  const unit = rows > 1 ? rows : 1;
  const throughput = (s: Slice): number => (s.requests / s.seconds) * unit;
  const of = (all: readonly Slice[]): SideResult => {
    const latencies = all.flatMap((s) => s.latencies).sort((a, b) => a - b);
    return {
      perSecond: median(all.map(throughput)),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      requests: latencies.length,
    };
  };
  const proxied = slices.map(([, p]) => p);
  const requests = proxied.reduce((n, s) => n + s.requests, 0) * unit;
  const cpu = proxied.reduce((n, s) => n + (s.cpuMs ?? 0), 0);
  return {
    operation: name,
    inFlight,
    unit: unit > 1 ? 'rows' : 'requests',
    direct: of(slices.map(([d]) => d)),
    proxy: of(proxied),
    ratio: median(slices.map(([d, p]) => throughput(p) / throughput(d))),
    proxyCpuMsPer1000: proxy.pid === null ? null : (cpu / requests) * 1000,
  };
}

function rowText(row: BenchRow): string {
  const pair = (a: number, b: number): string => `${a.toFixed(2)} / ${b.toFixed(2)}`.padStart(20);
  return [
    row.operation.padEnd(28),
    String(row.inFlight).padStart(9),
    row.direct.perSecond.toFixed(0).padStart(9),
    row.proxy.perSecond.toFixed(0).padStart(9),
    row.ratio.toFixed(2).padStart(6),
    pair(row.direct.p50Ms, row.proxy.p50Ms),
    pair(row.direct.p99Ms, row.proxy.p99Ms),
    (row.proxyCpuMsPer1000 === null ? '-' : row.proxyCpuMsPer1000.toFixed(2)).padStart(22),
    row.unit === 'rows' ? '(rows)' : '',
  ].join(' ');
}

async function bytesStored(options: BenchOptions): Promise<StoredRow[]> {
  const { dataDir, flush } = options;
  if (dataDir === null || flush === undefined) return [];
  for (const keyspace of Object.values(KEYSPACES)) await flush(keyspace);
  const counts = { users: 5500, events: 7500 };
  return Object.entries(counts).map(([table, rows]) => {
    const [direct, proxy] = Object.values(KEYSPACES).map(
      (keyspace) => dataBytes(dataDir, keyspace, table) / rows,
    ) as [number, number];
    if (direct === 0) throw new TypeError(`no data file of ${table} under ${dataDir}`);
    return { table, directBytes: direct, proxyBytes: proxy, factor: proxy / direct };
  });
}

/** Bytes of the data files of a table anywhere under a data directory. */
function dataBytes(dir: string, keyspace: string, table: string): number {
  let sum = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (
      entry.isFile() &&
      entry.name.endsWith('-Data.db') &&
      path.includes(`/${keyspace}/${table}-`)
    )
      sum += statSync(path).size;
  }
  return sum;
}
