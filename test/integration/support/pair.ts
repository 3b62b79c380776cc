/**
 * A Cassandra and a proxy in front of it, to compare what both answer. CQLOCK_TEST_DIRECT and CQLOCK_TEST_PROXY
 * (host:port) name ones that run already: then nothing is started.
 */
import { afterAll, beforeAll } from 'vitest';
import { startCassandra } from '../../support/cassandra.ts';
import type { TestCassandraOptions } from '../../support/cassandra.ts';
import { parseEndpoint } from '../../support/endpoint.ts';
import type { Endpoint } from '../../support/endpoint.ts';
import { startProxy } from '../../support/proxy.ts';
import type { TestProxy, TestProxyOptions } from '../../support/proxy.ts';
import type { RawClient } from '../../support/raw_client.ts';
import type { RawResult } from '../../support/raw_codec.ts';

/** Two ways to the same Cassandra. */
export interface Pair {
  readonly direct: Endpoint;
  readonly proxy: Endpoint;
  /** The proxy's process; undefined for one that ran already. */
  readonly started: TestProxy | undefined;
  stop(): Promise<void>;
}

/** Starts a Cassandra and a proxy on it, which logs in with a role of its own, or has other settings, where they are given. */
export async function startPair(
  options: TestCassandraOptions = {},
  settings: Pick<TestProxyOptions, 'username' | 'password' | 'env'> = {},
): Promise<Pair> {
  const direct = process.env['CQLOCK_TEST_DIRECT'];
  const proxy = process.env['CQLOCK_TEST_PROXY'];
  if (direct !== undefined && proxy !== undefined) {
    return {
      direct: parseEndpoint(direct),
      proxy: parseEndpoint(proxy),
      started: undefined,
      stop: () => Promise.resolve(),
    };
  }
  const cassandra = await startCassandra(options);
  try {
    const started = await startProxy({
      contactPoints: [`${cassandra.host}:${cassandra.port}`],
      ...settings,
    });
    return {
      direct: { host: cassandra.host, port: cassandra.port },
      proxy: { host: started.host, port: started.port },
      started,
      stop: async () => {
        await started.stop();
        await cassandra.stop();
      },
    };
  } catch (error) {
    await cassandra.stop();
    throw error;
  }
}

/** Starts a pair before the tests of a file and stops it after them; gives it while they run. */
export function pairOfFile(): () => Pair {
  let pair: Pair | undefined;
  beforeAll(async () => {
    pair = await startPair();
  });
  afterAll(async () => {
    await pair?.stop();
  });
  return () => {
    if (pair === undefined) throw new Error('nothing is started');
    return pair;
  };
}

/** Runs a statement that has to succeed. @throws Error with the server's words. */
export async function run(client: RawClient, cql: string): Promise<RawResult> {
  return succeeded(await client.query(cql), cql);
}

/** @throws Error unless the answer is none of the server's errors. */
export function succeeded(result: RawResult, cql: string): RawResult {
  if (result.kind === 'error') {
    throw new Error(`${cql}: ${result.code.toString(16)} ${result.message}`);
  }
  return result;
}

/** The rows of an answer. @throws Error when it has none. */
export function rowsOf(
  result: RawResult,
  cql = 'statement',
): readonly (readonly (Buffer | null)[])[] {
  if (result.kind !== 'rows') succeeded(result, cql);
  return result.kind === 'rows' ? result.rows : [];
}

/** PREPAREs and gives the id. @throws Error with the server's words. */
export async function prepared(client: RawClient, cql: string): Promise<Buffer> {
  const result = succeeded(await client.prepare(cql), cql);
  if (result.kind !== 'prepared') throw new Error(`${cql}: answered ${result.kind}`);
  return result.id;
}

/** Runs `work` on all items, at most `width` at once. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) await work(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}

/** `replication` for one node. */
export const REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}";

/** A list as it is bound; its elements may be null where it is that of IN. */
export function listOf(...items: readonly (Buffer | null)[]): Buffer {
  const parts = items.flatMap((item) => (item === null ? [int(-1)] : [int(item.length), item]));
  return Buffer.concat([int(items.length), ...parts]);
}

/** A big-endian int of 4 bytes. */
export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A big-endian bigint of 8 bytes. */
export function bigint(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** UTF-8. */
export function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}
