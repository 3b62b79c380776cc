/** Cassandra and the proxy in front of it, for programs that judge the product from outside. */
import { startCassandra } from './cassandra.ts';
import type { TestCassandra, TestCassandraOptions } from './cassandra.ts';
import { parseEndpoint, type Endpoint } from './endpoint.ts';
import { startProxy } from './proxy.ts';
import type { TestProxy, TestProxyOptions } from './proxy.ts';

/** How the stack differs from the usual one. */
export interface StackOptions {
  readonly cassandra?: TestCassandraOptions;
  readonly proxy?: Omit<TestProxyOptions, 'contactPoints'>;
  /** Runs when Cassandra is up and the proxy is not. Returns what the proxy connects to; Cassandra itself if nothing. */
  readonly beforeProxy?: (cassandra: TestCassandra) => Promise<Endpoint | undefined>;
}

/** A running stack. */
export interface Stack {
  readonly cassandra: TestCassandra;
  readonly proxy: TestProxy;
  readonly direct: Endpoint;
  readonly proxied: Endpoint;
}

/** Starts both, runs `use`, and ends both whatever came of it. */
export async function withStack<T>(
  options: StackOptions,
  use: (stack: Stack) => Promise<T>,
): Promise<T> {
  const cassandra = await startCassandra(options.cassandra);
  try {
    const direct = { host: cassandra.host, port: cassandra.port };
    const upstream = (await options.beforeProxy?.(cassandra)) ?? direct;
    const proxy = await startProxy({
      ...options.proxy,
      contactPoints: [`${upstream.host}:${upstream.port}`],
    });
    try {
      return await use({
        cassandra,
        proxy,
        direct,
        proxied: { host: proxy.host, port: proxy.port },
      });
    } finally {
      await proxy.stop();
    }
  } finally {
    await cassandra.stop();
  }
}

/**
 * Endpoints that run already (CQLOCK_TEST_DIRECT and CQLOCK_TEST_PROXY), for work on a test program; undefined when the program
 * is to start its own.
 */
export function runningEndpoints(): { direct: Endpoint; proxied: Endpoint } | undefined {
  const direct = process.env['CQLOCK_TEST_DIRECT'];
  const proxied = process.env['CQLOCK_TEST_PROXY'];
  if (direct === undefined || proxied === undefined) return undefined;
  return { direct: parseEndpoint(direct), proxied: parseEndpoint(proxied) };
}
