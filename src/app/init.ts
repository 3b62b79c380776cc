import type { Config } from '../config/index.ts';
import { ConfigError } from '../errors/index.ts';
import type { Logger } from '../observability/index.ts';
import { Catalog, initCluster } from '../schema/index.ts';
import { systemClock } from '../util/index.ts';
import { beginAudit } from './audit_trail.ts';
import { openParts } from './create_proxy.ts';

/** What `init` works with. */
export interface InitContext {
  readonly config: Config;
  readonly logger: Logger;
  /** Takes a line for the user. */
  readonly say: (line: string) => void;
}

/**
 * `cqlock init`: prepares the cluster at the contact points, once. Tables that are there already are listed as plain. Where
 * Cassandra or the key store already know of a cluster nothing is made.
 * @throws ConfigError without contact points, or when the cluster belongs to another key store.
 */
export async function init(context: InitContext): Promise<void> {
  const { config, logger, say } = context;
  const { contactPoints } = config.upstream;
  if (contactPoints.length === 0) {
    throw new ConfigError(
      'CONFIG_NO_CONTACT_POINTS',
      'init prepares the cluster at CQLOCK_CONTACT_POINTS, which is not set; a Cassandra that cqlock starts itself needs no init',
    );
  }
  const parts = await openParts({ config, contactPoints, logger, mayCreateKeyStore: true });
  try {
    const { clusterId, created } = await initCluster(parts);
    // The uses of keys that made the catalog wait for the key of the audit log, which is under the catalog's.
    const catalog = await Catalog.open({ ...parts, clock: systemClock });
    await beginAudit(parts.audit, parts.control, catalog, clusterId);
    const id = Buffer.from(clusterId).toString('hex');
    say(
      created
        ? `cluster ${id} is prepared: its catalog and keys were made`
        : `cluster ${id} was prepared before; nothing was changed`,
    );
  } finally {
    await parts.audit.close();
    await parts.control.close();
  }
}
