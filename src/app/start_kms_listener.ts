import { readFileSync } from 'node:fs';
import type { KmsListenConfig } from '../config/index.ts';
import { ConfigError } from '../errors/index.ts';
import { AccessKeys, KmsApi } from '../kms/index.ts';
import type { KeyStore, KmsAuditSink } from '../kms/index.ts';
import { startKmsListener } from '../kms_listener/index.ts';
import type { KmsListener } from '../kms_listener/index.ts';
import { WatchedTls } from '../net/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import { systemClock } from '../util/index.ts';
import { tlsWatcher } from './tls.ts';

/**
 * Serves the customer managed keys of a key store to others; every call is recorded.
 * @throws ConfigError when it cannot listen, or certificate and key cannot be read.
 */
export async function serveKms(
  config: KmsListenConfig,
  store: KeyStore,
  logger: Logger,
  audit: KmsAuditSink,
  reload?: { readonly metrics: Metrics; readonly reloadMs: number },
): Promise<KmsListener> {
  const listener = await startKmsListener({
    host: config.address.host,
    port: config.address.port,
    tls: config.tls && {
      cert: readPem(config.tls.certFile, 'CQLOCK_KMS_TLS_CERT_FILE'),
      key: readPem(config.tls.keyFile, 'CQLOCK_KMS_TLS_KEY_FILE'),
    },
    api: new KmsApi({ store, audit }),
    accessKeys: new AccessKeys(store, systemClock),
    audit,
    clock: systemClock,
    onFailure: (error) => {
      logger.error({ err: error }, 'a request to the KMS listener failed');
    },
  });
  if (config.tls === undefined || reload === undefined) return listener;
  const watched = new WatchedTls(
    { what: 'the KMS listener', ...config.tls },
    tlsWatcher('kms_listener', reload.metrics, logger),
  );
  watched.onReplaced(({ cert, key }) => {
    if (cert !== undefined && key !== undefined) listener.replaceCertificate({ cert, key });
  });
  watched.watch(reload.reloadMs);
  return {
    ...listener,
    close: () => {
      watched.close();
      return listener.close();
    },
  };
}

function readPem(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('CONFIG_KMS_LISTEN', `${setting}: ${path} cannot be read`, { cause });
  }
}
