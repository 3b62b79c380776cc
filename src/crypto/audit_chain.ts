import { ID_BYTES, hmacSha256, u64 } from './bytes.ts';
import { requireLength } from './check.ts';

const KEY_BYTES = 32;
const MAC_BYTES = 32;

/** The MAC before the first line of a chain. */
export const AUDIT_CHAIN_START: Uint8Array = new Uint8Array(MAC_BYTES);

function label(name: string): Buffer {
  return Buffer.from(`cqlock/1/audit/${name}\0`, 'ascii');
}

/** Key of the first line of a process' chain, 32 bytes that belong to the caller. Spec: format 11 */
export function auditStartKey(auditKey: Uint8Array, processId: Uint8Array): Buffer {
  requireLength(auditKey, KEY_BYTES, 'audit key');
  requireLength(processId, ID_BYTES, 'process id');
  return hmacSha256(auditKey, [label('start'), processId]);
}

/** Key of the line after the one that `key` is for; `key` cannot be had back from it. Spec: format 11 */
export function auditNextKey(key: Uint8Array): Buffer {
  requireLength(key, KEY_BYTES, 'audit line key');
  return hmacSha256(key, [label('next')]);
}

/**
 * MAC of one line, 32 bytes.
 * @param previousMac MAC of the line before; {@link AUDIT_CHAIN_START} for the first one
 * @param body bytes of the line without its MAC
 * Spec: format 11
 */
export function auditLineMac(key: Uint8Array, previousMac: Uint8Array, body: Uint8Array): Buffer {
  requireLength(key, KEY_BYTES, 'audit line key');
  requireLength(previousMac, MAC_BYTES, 'previous MAC');
  return hmacSha256(key, [label('line'), previousMac, body]);
}

/** What a head says: the last line that was there when it was made. */
export interface AuditHeadFields {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  /** 16 bytes. */
  readonly processId: Uint8Array;
  /** Number of the line. */
  readonly seq: bigint;
  /** MAC of the line, 32 bytes. */
  readonly lineMac: Uint8Array;
}

/**
 * MAC of a head, 32 bytes.
 * @param nextKey key of the line after the head's: who has a later one can make no earlier head
 * Spec: format 11
 */
export function auditHeadMac(nextKey: Uint8Array, head: AuditHeadFields): Buffer {
  requireLength(nextKey, KEY_BYTES, 'audit line key');
  requireLength(head.clusterId, ID_BYTES, 'cluster id');
  requireLength(head.processId, ID_BYTES, 'process id');
  requireLength(head.lineMac, MAC_BYTES, 'line MAC');
  return hmacSha256(nextKey, [
    label('head'),
    head.clusterId,
    head.processId,
    u64(head.seq),
    head.lineMac,
  ]);
}

/** Where a chain begins after its first lines were deleted. */
export interface AuditStartFields {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  /** 16 bytes. */
  readonly processId: Uint8Array;
  /** Number of the first line that is kept. */
  readonly seq: bigint;
  /** MAC of the line before it, 32 bytes. */
  readonly lastMac: Uint8Array;
  /** Whether the process has ended and no line of it is kept. */
  readonly isGone: boolean;
}

/**
 * MAC of a start point, 32 bytes. It needs the key of the log itself: no process that writes lines could make one.
 * @param auditKey `mk/audit`, 32 bytes
 * Spec: format 11
 */
export function auditStartPointMac(auditKey: Uint8Array, start: AuditStartFields): Buffer {
  requireLength(auditKey, KEY_BYTES, 'audit key');
  requireLength(start.clusterId, ID_BYTES, 'cluster id');
  requireLength(start.processId, ID_BYTES, 'process id');
  requireLength(start.lastMac, MAC_BYTES, 'line MAC');
  return hmacSha256(auditKey, [
    label(start.isGone ? 'gone' : 'pruned'),
    start.clusterId,
    start.processId,
    u64(start.seq),
    start.lastMac,
  ]);
}
