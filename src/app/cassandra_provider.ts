import { join } from 'node:path';
import type { Address, Config } from '../config/index.ts';
import { ConfigError } from '../errors/index.ts';
import { startDockerCassandra, startEmbeddedCassandra } from './embedded_cassandra/index.ts';
import type { EmbeddedCassandra } from './embedded_cassandra/index.ts';

/** The Cassandra to work with: somebody else's, or one started here. */
export interface ProvidedCassandra {
  readonly contactPoints: readonly Address[];
  /** The one started here; undefined if contact points are configured. */
  readonly started: EmbeddedCassandra | undefined;
}

/**
 * Finds a Cassandra: the contact points of the configuration; else a container where a Docker engine answers; else its
 * jars with the local Java.
 * @throws ConfigError and UpstreamError as the ways of starting do.
 */
export async function provideCassandra(
  config: Config,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<ProvidedCassandra> {
  const { upstream } = config;
  if (upstream.contactPoints.length > 0) {
    return { contactPoints: upstream.contactPoints, started: undefined };
  }
  const options = {
    dataDir: join(config.dataDir, 'cassandra'),
    port: upstream.embeddedPort,
    heapMb: upstream.embeddedHeapMb,
    log: say,
    signal,
  };
  let started: EmbeddedCassandra | undefined;
  if (upstream.embeddedProvider !== 'jars') {
    started = await startDockerCassandra(options);
    if (started === undefined && upstream.embeddedProvider === 'docker') {
      throw new ConfigError(
        'CONFIG_DOCKER',
        'CQLOCK_EMBEDDED_CASSANDRA is docker, but no container could be started; see above',
      );
    }
  }
  started ??= await startEmbeddedCassandra({ ...options, cacheDir: config.cacheDir });
  return { contactPoints: [{ host: started.host, port: started.port }], started };
}
