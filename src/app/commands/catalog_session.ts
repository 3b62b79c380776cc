import type { Config } from '../../config/index.ts';
import { KeyUnavailableError } from '../../errors/index.ts';
import { KeyService } from '../../keys/index.ts';
import type { Logger } from '../../observability/index.ts';
import { Catalog } from '../../schema/index.ts';
import { systemClock } from '../../util/index.ts';
import { beginAudit } from '../audit_trail.ts';
import { openParts } from '../create_proxy.ts';

/** What a command works with. */
export interface CommandContext {
  readonly config: Config;
  readonly logger: Logger;
}

/** Runs a command with the loaded settings and ends the process with its code. */
export type CommandRunner = (command: (context: CommandContext) => Promise<void>) => Promise<void>;

/** The parts of a process and the catalog, open. */
export interface OpenCatalog {
  readonly parts: Awaited<ReturnType<typeof openParts>>;
  readonly catalog: Catalog;
}

/** Where a command finds the cluster: the contact points, else the Cassandra that a running `cqlock start` has started. */
export function clusterOf({ upstream }: Config): Config['upstream']['contactPoints'] {
  return upstream.contactPoints.length > 0
    ? upstream.contactPoints
    : [{ host: '127.0.0.1', port: upstream.embeddedPort }];
}

/** Opens KMS, control connection and records for a command, and closes them after it. */
export async function withCluster(
  { config, logger }: CommandContext,
  action: (parts: OpenCatalog['parts']) => Promise<void>,
): Promise<void> {
  const contactPoints = clusterOf(config);
  const parts = await openParts({ config, contactPoints, logger, mayCreateKeyStore: false });
  try {
    await action(parts);
  } finally {
    await parts.audit.close();
    await parts.control.close();
  }
}

/** As {@link withCluster}, with the verified catalog; what the command uses of the KMS goes into the audit log. */
export async function withCatalog(
  context: CommandContext,
  action: (opened: OpenCatalog) => Promise<void>,
): Promise<void> {
  await withCluster(context, async (parts) => {
    const { store, source, trust, audit, control } = parts;
    const catalog = await Catalog.open({ store, source, trust, clock: systemClock });
    const { clusterId } = await catalog.readRecords();
    await beginAudit(audit, control, catalog, clusterId);
    await action({ parts, catalog });
  });
}

/** As {@link withCatalog}, with the keys of tables, which are forgotten after the command. */
export async function withTableKeys(
  context: CommandContext,
  action: (opened: OpenCatalog & { readonly keys: KeyService }) => Promise<void>,
): Promise<void> {
  await withCatalog(context, async ({ parts, catalog }) => {
    const cluster = await parts.trust.cluster();
    if (cluster === undefined) {
      throw new KeyUnavailableError('KEY_LEASE_ENDED', 'the key store lost its cluster');
    }
    const { idleMs, maxAgeMs } = context.config.leases;
    const keys = new KeyService(
      {
        tableKeys: parts.tableKeys,
        clusterId: cluster.clusterId,
        clock: systemClock,
        // A proxy may change the key of a table meanwhile.
        catalog: {
          table: (keyspace, name) => catalog.snapshot().table(keyspace, name),
          refresh: () => catalog.refresh(),
        },
        metrics: { leases: () => undefined },
      },
      { idleMs, maxAgeMs },
    );
    try {
      await action({ parts, catalog, keys });
    } finally {
      keys.close();
    }
  });
}
