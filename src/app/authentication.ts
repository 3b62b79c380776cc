import { RoleAuthenticator } from '../auth/index.ts';
import type { Config } from '../config/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import type { Authenticator } from '../proxy/index.ts';
import type { Clock } from '../util/index.ts';

/** Who may come in, for a running proxy. */
export interface Authentication {
  readonly authenticator: Authenticator;
  /** Reads the list of roles again when it changes, and calls `cut` with roles that are gone or changed. */
  watch(cut: (roles: ReadonlySet<string>) => void): void;
  close(): void;
}

/**
 * Opens the list of roles and says in the log who authenticates clients.
 * @throws ConfigError CONFIG_ROLES
 */
export function openAuthentication(
  config: Config,
  ports: { readonly metrics: Metrics; readonly logger: Logger; readonly clock: Clock },
): Authentication {
  const { metrics, logger, clock } = ports;
  const authenticator = new RoleAuthenticator({
    ...config.authentication,
    clock,
    onLogin: (result) => {
      metrics.countLogin(result);
    },
  });
  const { mode } = config.authentication;
  if (mode === 'delegated') {
    logger.warn(
      { client_authentication: mode },
      'Cassandra alone authenticates clients: who administers its roles can read through the proxy',
    );
  } else logger.info({ client_authentication: mode }, 'the proxy authenticates clients');
  let timer: NodeJS.Timeout | undefined;
  return {
    authenticator,
    watch: (cut) => {
      if (mode === 'delegated') return;
      timer = setInterval(() => {
        try {
          const roles = authenticator.reload();
          if (roles.size === 0) return;
          logger.info({ roles: [...roles] }, 'roles were changed; their connections are cut');
          cut(roles);
        } catch (error) {
          logger.error({ err: error }, 'the list of roles cannot be used; the old one stays');
        }
      }, config.tlsReloadMs).unref();
    },
    close: () => {
      clearInterval(timer);
    },
  };
}
