import { hostname } from 'node:os';
import { describeConfig, formatAddress } from '../config/index.ts';
import type { Config } from '../config/index.ts';
import { UpstreamError } from '../errors/index.ts';
import { startHttpServer } from '../net/index.ts';
import type { Readiness } from '../net/index.ts';
import { createMetrics } from '../observability/index.ts';
import type { Logger } from '../observability/index.ts';
import { provideCassandra } from './cassandra_provider.ts';
import type { ProvidedCassandra } from './cassandra_provider.ts';
import type { ProxyFactory, RunningProxy } from './proxy_factory.ts';

/** What `start` works with. */
export interface StartContext {
  readonly config: Config;
  readonly createProxy: ProxyFactory;
  readonly logger: Logger;
  /** Takes a line for the user. */
  readonly say: (line: string) => void;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
}

/**
 * Starts Cassandra (unless contact points are configured), HTTP and the proxy, and runs until `signal` is aborted. Then,
 * or when a start fails half-way, everything that was started is stopped in the reverse order.
 * @throws what the first part to fail threw; UpstreamError UPSTREAM_ENDED when the Cassandra started here ends by itself.
 */
export async function start(context: StartContext): Promise<void> {
  const { config, logger, say, signal } = context;
  const stops: { readonly name: string; readonly stop: () => Promise<void> }[] = [];
  logger.info({ config: describeConfig(config) }, 'starting');
  try {
    const metrics = createMetrics();
    const state: { proxy?: RunningProxy } = {};
    const http = await startHttpServer({
      host: config.httpListen.host,
      port: config.httpListen.port,
      metrics,
      ready: (): Readiness => {
        if (signal.aborted) return { ok: false, reasons: ['stopping'] };
        return state.proxy?.ready() ?? { ok: false, reasons: ['starting'] };
      },
    });
    stops.push({ name: 'HTTP', stop: () => http.close() });
    const cassandra = await provideCassandra(config, say, signal);
    const { started } = cassandra;
    if (started !== undefined) {
      stops.push({
        name: 'Cassandra',
        stop: () => {
          say('stopping Cassandra');
          return started.stop();
        },
      });
    }
    const proxy = await context.createProxy({
      config,
      contactPoints: cassandra.contactPoints,
      startedCassandra: started !== undefined,
      logger,
      metrics,
      say,
      signal,
    });
    state.proxy = proxy;
    stops.push({ name: 'proxy', stop: () => proxy.stop() });
    signal.throwIfAborted();
    for (const line of howToConnect(config, cassandra, proxy, http)) say(line);
    await untilAbortedOrEnded(signal, cassandra);
  } finally {
    for (const { name, stop } of stops.reverse()) {
      await stop().catch((error: unknown) => {
        logger.error({ err: error, part: name }, 'could not be stopped cleanly');
        say(`${name} could not be stopped cleanly`);
      });
    }
  }
}

async function untilAbortedOrEnded(
  signal: AbortSignal,
  { started }: ProvidedCassandra,
): Promise<void> {
  const aborted = new Promise<undefined>((settle) => {
    if (signal.aborted) settle(undefined);
    signal.addEventListener(
      'abort',
      () => {
        settle(undefined);
      },
      { once: true },
    );
  });
  if (started === undefined) {
    await aborted;
    return;
  }
  const exit = await Promise.race([aborted, started.exited]);
  if (exit !== undefined && !signal.aborted) {
    const how = exit.signal ?? `exit code ${String(exit.code)}`;
    throw new UpstreamError(
      'UPSTREAM_ENDED',
      `Cassandra ended by itself (${how}); see ${started.logFile}`,
    );
  }
}

function howToConnect(
  config: Config,
  cassandra: ProvidedCassandra,
  proxy: RunningProxy,
  http: { readonly host: string; readonly port: number },
): string[] {
  const { port } = proxy.address;
  const host = reachableName(proxy.address.host);
  const upstream = cassandra.contactPoints.map(formatAddress).join(', ');
  const ssl = config.tls?.mode === 'required' ? '--ssl ' : '';
  return [
    '',
    `cqlock is ready on ${formatAddress(proxy.address)}. Every value that goes through it is encrypted in Cassandra.`,
    '',
    `  cqlsh      cqlsh ${ssl}${host} ${String(port)}        (pip install cqlsh)`,
    `  driver     contact point ${formatAddress({ host, port })}, any Cassandra driver`,
    `  HTTP       http://${formatAddress(http)}/metrics, /healthz, /readyz`,
    `  Cassandra  ${upstream}${cassandra.started === undefined ? '' : ' (direct access shows only ciphertext)'}`,
    ...(cassandra.started === undefined ? [] : [`  data       ${cassandra.started.dataDir}`]),
    `  state      ${config.stateDir}`,
    ...(config.rootKey.kind === 'file'
      ? [`  root key   ${config.rootKey.path} (back it up: without it no value can be read)`]
      : []),
    '',
    'Ctrl-C stops it.',
  ];
}

/** What clients may call this host by; an address that stands for all is none to connect to. */
function reachableName(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}
