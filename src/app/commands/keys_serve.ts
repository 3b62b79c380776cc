import type { Command } from 'commander';
import { formatAddress } from '../../config/index.ts';
import { ListenerAudit } from '../../audit/index.ts';
import { ConfigError } from '../../errors/index.ts';
import { noopMetrics } from '../../observability/index.ts';
import { systemClock } from '../../util/index.ts';
import { beginServedAudit } from '../served_audit.ts';
import { serveKms } from '../start_kms_listener.ts';
import type { KeysCommands } from './keys.ts';
import { openKeys } from './keys_session.ts';

/** Adds `cqlock keys init` and `cqlock keys serve`. */
export function addServeCommand(keys: Command, { run, say }: KeysCommands): void {
  keys
    .command('init')
    .description('make an empty key store, for a KMS that serves proxies on other machines')
    .action(() =>
      run(async ({ config }) => {
        const { store } = await openKeys(config, true);
        say(`the key store is ${store.path}`);
      }),
    );
  keys
    .command('serve')
    .description('serve the keys by the AWS KMS API at CQLOCK_KMS_LISTEN, without a proxy')
    .action(() =>
      run(async ({ config, logger, signal }) => {
        if (config.kmsListen === undefined) {
          throw new ConfigError('CONFIG_KMS_LISTEN', 'CQLOCK_KMS_LISTEN is not set');
        }
        const { store } = await openKeys(config, false);
        const audit = await beginServedAudit(config, store, logger);
        const sink = new ListenerAudit(audit, systemClock);
        const listener = await serveKms(config.kmsListen, store, logger, sink, {
          metrics: noopMetrics,
          reloadMs: config.tlsReloadMs,
        }).catch(async (error: unknown) => {
          await audit.close();
          throw error;
        });
        say(`the KMS listens on ${formatAddress(listener)}`);
        await new Promise<void>((settle) => {
          if (signal.aborted) settle();
          signal.addEventListener('abort', () => {
            settle();
          });
        });
        await listener.close();
        await audit.close();
      }),
    );
}
