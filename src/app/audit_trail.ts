import { AuditTrail } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { zero } from '../crypto/index.ts';
import type { Logger, Metrics } from '../observability/index.ts';
import type { Catalog } from '../schema/index.ts';
import { CassandraAuditHeads } from '../upstream/index.ts';
import type { ControlConnection } from '../upstream/index.ts';
import { systemClock } from '../util/index.ts';

/** The audit log of this process; it takes events from now on and writes them once it has begun. */
export function newAuditTrail(config: Config, logger: Logger, metrics: Metrics): AuditTrail {
  return new AuditTrail({
    directory: config.audit.dir,
    required: config.audit.required,
    clock: systemClock,
    logger,
    metrics,
  });
}

/** Begins the audit log with its key, and forgets the key: what is left in memory makes later lines only. */
export async function beginAudit(
  audit: AuditTrail,
  control: ControlConnection,
  catalog: Catalog,
  clusterId: Uint8Array,
): Promise<void> {
  const auditKey = catalog.keys.audit;
  await audit.begin({ auditKey, clusterId, heads: new CassandraAuditHeads(control) });
  zero(auditKey);
}
