/**
 * The audit log: one event for every use of a KMS key, whoever caused it and however it ended.
 *
 * {@link AuditedKms} and {@link AuditedServiceKeys} wrap a provider and hand each call's event to an {@link AuditSink}.
 * {@link ListenerAudit} does it for calls of others through the KMS listener. {@link AuditTrail} is the sink of a process: it chains the events by MACs whose key moves on with every line, writes them as
 * JSON lines to a directory that several processes may share, and keeps heads in a place outside it. {@link verifyAudit}
 * computes all chains again. docs/audit.md says what that proves; docs/format.md has the bytes.
 *
 * May import: kms (interfaces), crypto, errors, util. Start reading at audit_trail.ts and verify_audit.ts.
 */
export { AuditedKms } from './audited_kms.ts';
export { AuditedServiceKeys } from './audited_service_keys.ts';
export type { AuditEvent, AuditSink } from './audit_event.ts';
export { readAuditLines } from './audit_lines.ts';
export type { AuditLine } from './audit_lines.ts';
export type { AuditHead, AuditHeadStore, AuditStart, AuditStartStore } from './audit_heads.ts';
export { FileAuditHeads } from './file_audit_heads.ts';
export { AuditTrail } from './audit_trail.ts';
export type { AuditKeys, AuditTrailOptions, KeyUse, RecordedEvent } from './audit_trail.ts';
export { ListenerAudit } from './listener_audit.ts';
export { planPrune, prune } from './prune_audit.ts';
export type { PrunedChain } from './prune_audit.ts';
export { verifyAudit } from './verify_audit.ts';
export type { ChainProblem, ChainReport, KeptOutside } from './verify_audit.ts';
