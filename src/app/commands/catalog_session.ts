import type { Config } from '../../config/index.ts';
import { ConfigError } from '../../errors/index.ts';
import type { Logger } from '../../observability/index.ts';
import { openParts } from '../create_proxy.ts';

/** What a command works with. */
export interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
}

/** Runs a command with the loaded settings and ends the process with its code. */
export type CommandRunner = (command: (context: CommandContext) => Promise<void>) => Promise<void>;

/**
 * Runs an action with KMS, records and control connection of the cluster at the contact points.
 * @throws ConfigError without contact points or key store.
 */
export async function withCluster(
  { config, logger }: CommandContext,
  action: (parts: Awaited<ReturnType<typeof openParts>>) => Promise<void>,
): Promise<void> {
  const { contactPoints } = config.upstream;
  if (contactPoints.length === 0) {
    throw new ConfigError(
      'CONFIG_NO_CONTACT_POINTS',
      'this command needs the cluster at CQLOCK_CONTACT_POINTS, which is not set; for a Cassandra that cqlock started: 127.0.0.1 and its port, while it runs',
    );
  }
  const parts = await openParts({ config, contactPoints, logger, mayCreateKeyStore: false });
  try {
    await action(parts);
  } finally {
    await parts.control.close();
  }
}
