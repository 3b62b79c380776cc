import type { ConnectionOptions } from 'node:tls';
import type { Config } from '../config/index.ts';
import { upstreamTlsOptions, WatchedTls } from '../net/index.ts';
import type { ListenerTls, TlsFiles, TlsWatcher } from '../net/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import type { Clock } from '../util/index.ts';

const IGNORE: TlsWatcher = { onRead: () => undefined, onFailure: () => undefined };

/** The files of TLS to Cassandra, read once for a configuration. */
const upstreamFiles = new WeakMap<Config, WatchedTls>();

/**
 * What the proxy's connections to Cassandra do TLS with; undefined: plain text.
 * @throws ConfigError CONFIG_TLS when a file cannot be used.
 */
export function cassandraTlsOptions(
  config: Config,
  contactPoints: readonly { readonly host: string }[],
): ConnectionOptions | undefined {
  const { tls } = config.upstream;
  if (tls === undefined) return undefined;
  const files = upstreamFiles.get(config) ?? new WatchedTls(cassandraFiles(tls), IGNORE);
  upstreamFiles.set(config, files);
  return upstreamTlsOptions({ ...tls, files, hosts: contactPoints.map(({ host }) => host) });
}

/** The files of TLS to Cassandra. */
export function cassandraFiles(tls: NonNullable<Config['upstream']['tls']>): TlsFiles {
  const { caFile, certFile, keyFile } = tls;
  return { what: 'the connections to Cassandra', caFile, certFile, keyFile };
}

/** The files of the listener for clients. */
export function listenerFiles(tls: NonNullable<Config['tls']>): TlsFiles {
  const { certFile, keyFile, clientCaFile } = tls;
  return { what: 'the listener for clients', certFile, keyFile, caFile: clientCaFile };
}

/** The files of TLS to a KMIP server; undefined when none is a provider. */
export function kmipFiles(config: Config): TlsFiles | undefined {
  const kmip = config.kms.providers.find((provider) => provider.kind === 'kmip');
  if (kmip === undefined) return undefined;
  const { caFile, certificateFile: certFile, keyFile } = kmip;
  return { what: 'the connections to the KMIP server', caFile, certFile, keyFile };
}

/** TLS of a running proxy: its files are watched, their expiry is a metric. */
export interface ProxyTls {
  /** Undefined: clients come in plain text. */
  readonly listener: ListenerTls | undefined;
  close(): void;
}

/**
 * Opens the certificates of a proxy that starts. To be called before anything connects to Cassandra.
 * @throws ConfigError CONFIG_TLS when a file cannot be used.
 */
export function openProxyTls(
  config: Config,
  metrics: Metrics,
  logger: Logger,
  clock: Clock,
): ProxyTls {
  const opened: WatchedTls[] = [];
  const open = (use: string, files: TlsFiles): WatchedTls => {
    const watched = new WatchedTls(files, tlsWatcher(use, metrics, logger));
    watched.watch(config.tlsReloadMs);
    watched.onReplaced(() => {
      logger.info({ use }, 'certificates were replaced; new connections use them');
    });
    opened.push(watched);
    return watched;
  };
  const { tls } = config;
  if (config.upstream.tls !== undefined) {
    upstreamFiles.set(config, open('cassandra', cassandraFiles(config.upstream.tls)));
  }
  // The KMIP client reads its files by itself; here they are watched for their expiry.
  const kmip = kmipFiles(config);
  if (kmip !== undefined) open('kmip', kmip);
  const listener = tls && {
    ...tls,
    files: open('client', listenerFiles(tls)),
    nowMs: () => clock.nowMs(),
    onFailure: (peer: string, code: string): void => {
      metrics.countTlsFailure(code);
      logger.info({ peer, code }, 'a client did not complete TLS');
    },
  };
  return {
    listener,
    close: () => {
      for (const watched of opened) watched.close();
    },
  };
}

/** Tells metrics and log of certificates that are read. */
export function tlsWatcher(use: string, metrics: Metrics, logger: Logger): TlsWatcher {
  return {
    onRead: (notAfterMs) => {
      metrics.setCertificateExpiry(use, notAfterMs);
    },
    onFailure: (error) => {
      metrics.countCertificateFailure(use);
      logger.error({ err: error, use }, 'new certificates cannot be used; the old ones stay');
    },
  };
}
