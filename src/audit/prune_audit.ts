import { unlinkSync } from 'node:fs';
import { auditStartPointMac } from '../crypto/index.ts';
import { InvalidRequestError, MetadataIntegrityError } from '../errors/index.ts';
import { uuidBytes } from './audit_heads.ts';
import type { AuditStart, AuditStartStore } from './audit_heads.ts';
import type { AuditFile } from './audit_lines.ts';
import { walkAudit } from './verify_audit.ts';
import type { KeptOutside, WalkedChain } from './verify_audit.ts';

/** What is pruned of one process. */
export interface PrunedChain {
  /** UUID text. */
  readonly processId: string;
  readonly files: readonly AuditFile[];
  /** Lines in them. */
  readonly lines: number;
  /** Whether the process has ended and nothing of it is left. */
  readonly isWhole: boolean;
  readonly start: AuditStart;
}

/** What a plan is made from. */
export interface PruneOptions {
  readonly directory: string;
  /** `mk/audit`, 32 bytes. */
  readonly auditKey: Uint8Array;
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  readonly kept: KeptOutside;
  /** Files of days before this one go; UTC, YYYY-MM-DD. */
  readonly beforeDay: string;
}

/**
 * Which files go, with the start points of what stays. Nothing is changed.
 * @throws MetadataIntegrityError METADATA_AUDIT_LOG when any chain is broken: evidence is not deleted.
 */
export async function planPrune(options: PruneOptions): Promise<PrunedChain[]> {
  const { directory, auditKey, clusterId, kept, beforeDay } = options;
  const chains = await walkAudit(directory, auditKey, clusterId, kept);
  const broken = chains.find(({ report }) => report.problem !== undefined)?.report;
  if (broken !== undefined) {
    throw new MetadataIntegrityError(
      'METADATA_AUDIT_LOG',
      `the audit log of process ${broken.processId} in ${directory} is broken (${broken.problem?.reason ?? ''}): nothing is pruned; cqlock audit verify names the place`,
    );
  }
  return chains.flatMap((chain) => planOf(chain, auditKey, clusterId, beforeDay));
}

function planOf(
  { report, ends }: WalkedChain,
  auditKey: Uint8Array,
  clusterId: Uint8Array,
  beforeDay: string,
): PrunedChain[] {
  // By what the lines say: a file that was given an older name is not old.
  const old = ends.filter(({ file, at }) => file.day < beforeDay && at !== '' && at < beforeDay);
  const last = old.at(-1);
  const { processId, firstSeq } = report;
  if (last === undefined) return [];
  const { seq, lastMac } = last;
  // A process that did not say that it ended may run, and write more.
  const isWhole = old.length === ends.length && report.isClosed;
  const startMac = auditStartPointMac(auditKey, {
    clusterId,
    processId: uuidBytes(processId),
    seq: BigInt(seq),
    lastMac,
    isGone: isWhole,
  });
  return [
    {
      processId,
      files: old.map(({ file }) => file),
      lines: seq - firstSeq,
      isWhole,
      start: { processId, seq, lastMac, startMac },
    },
  ];
}

/**
 * Deletes what is planned. The start points are durable before the first file goes, so the log verifies wherever this ends.
 * @param note makes the deletion durable in the log itself, before it
 */
export async function prune(
  plan: readonly PrunedChain[],
  clusterId: Uint8Array,
  store: AuditStartStore,
  note: (chain: PrunedChain) => Promise<void>,
): Promise<void> {
  for (const chain of plan) {
    await store.putStart(clusterId, chain.start);
    await note(chain);
    for (const { path } of chain.files) remove(path);
    if (chain.isWhole) await store.forget(clusterId, chain.processId);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new InvalidRequestError(
      `${path} cannot be deleted; check the permissions of CQLOCK_AUDIT_DIR`,
    );
  }
}
