import type {
  AuditHeadStore,
  AuditStartStore,
  AuditTrail,
  KeptOutside,
} from '../../audit/index.ts';
import { zero } from '../../crypto/index.ts';
import { Catalog } from '../../schema/index.ts';
import { CassandraAuditHeads } from '../../upstream/index.ts';
import { systemClock } from '../../util/index.ts';
import { beginAudit } from '../audit_trail.ts';
import { openEmbeddedKms } from '../open_kms.ts';
import { beginServedAudit, servedAudit } from '../served_audit.ts';
import { withCluster } from './catalog_session.ts';
import type { CommandContext } from './catalog_session.ts';

/** An audit log that a command reads, as its key opens it. */
export interface OpenLog {
  readonly directory: string;
  /** 32 bytes; gone after the command. */
  readonly auditKey: Uint8Array;
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly heads: AuditHeadStore & AuditStartStore;
  readonly kept: KeptOutside;
  /** Begins the command's own chain, which is in the log from then on. */
  begin(): Promise<AuditTrail>;
}

/** Opens the log of the cluster, or that of `keys serve` on this machine. What the command itself uses of keys is in it at the end. */
export async function withLog(
  context: CommandContext,
  isServed: boolean,
  action: (log: OpenLog) => Promise<void>,
): Promise<void> {
  await (isServed ? withServedLog(context, action) : withClusterLog(context, action));
}

async function withClusterLog(
  context: CommandContext,
  action: (log: OpenLog) => Promise<void>,
): Promise<void> {
  await withCluster(context, async ({ store, source, trust, audit, control }) => {
    const catalog = await Catalog.open({ store, source, trust, clock: systemClock });
    const { clusterId } = await catalog.readRecords();
    const auditKey = Buffer.from(catalog.keys.audit);
    const heads = new CassandraAuditHeads(control);
    let isBegun = false;
    const begin = async (): Promise<AuditTrail> => {
      if (!isBegun) await beginAudit(audit, control, catalog, clusterId);
      isBegun = true;
      return audit;
    };
    const kept = {
      heads: await heads.list(clusterId),
      starts: await heads.listStarts(clusterId),
    };
    try {
      await action({
        directory: context.config.audit.dir,
        ...{ auditKey, clusterId, heads, kept, begin },
      });
    } finally {
      zero(auditKey);
      await begin();
    }
  });
}

async function withServedLog(
  { config, logger }: CommandContext,
  action: (log: OpenLog) => Promise<void>,
): Promise<void> {
  const { store } = await openEmbeddedKms(config, false);
  const { directory, auditKey, clusterId, heads } = servedAudit(config, store);
  const kept = { heads: await heads.list(), starts: await heads.listStarts() };
  let trail: AuditTrail | undefined;
  const begin = async (): Promise<AuditTrail> =>
    (trail ??= await beginServedAudit(config, store, logger));
  try {
    await action({ directory, auditKey, clusterId, heads, kept, begin });
  } finally {
    zero(auditKey);
    await trail?.close();
  }
}
