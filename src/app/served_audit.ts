import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AuditTrail, FileAuditHeads } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { hkdf, zero } from '../crypto/index.ts';
import type { KeyStore } from '../kms/index.ts';
import { noopMetrics } from '../observability/index.ts';
import type { Logger } from '../observability/index.ts';
import { systemClock } from '../util/index.ts';

const ID_BYTES = 16;

/** The audit log of a KMS that is served without a cluster: its key is under the root key, its heads lie beside the key store. */
export interface ServedAudit {
  readonly directory: string;
  /** 32 bytes that belong to the caller. */
  readonly auditKey: Buffer;
  /** 16 bytes, of the key store's id; stands for the cluster's. */
  readonly clusterId: Buffer;
  readonly heads: FileAuditHeads;
}

/** The audit log of `cqlock keys serve` on this machine. */
export function servedAudit(config: Config, store: KeyStore): ServedAudit {
  const salt = createHash('sha256').update(store.read().storeId, 'ascii').digest();
  return {
    directory: join(config.audit.dir, 'served'),
    auditKey: hkdf(store.rootKey.bytes(salt), salt, 'ks/audit', 32),
    clusterId: salt.subarray(0, ID_BYTES),
    heads: new FileAuditHeads(join(config.stateDir, 'audit_heads')),
  };
}

/** Begins the audit log of a process that serves a key store; the caller closes it. */
export async function beginServedAudit(
  config: Config,
  store: KeyStore,
  logger: Logger,
): Promise<AuditTrail> {
  const { directory, auditKey, clusterId, heads } = servedAudit(config, store);
  const trail = new AuditTrail({
    directory,
    required: config.audit.required,
    clock: systemClock,
    logger,
    metrics: noopMetrics,
  });
  await trail.begin({ auditKey, clusterId, heads });
  zero(auditKey);
  return trail;
}
