/**
 * What happens when the key of a table is lost: a state for each table with a customer managed key, kept in its
 * authenticated record; a monitor that asks the KMS and moves the clocks; backup and drop when the time has run out;
 * release of grants; notices to the owner.
 *
 * No deletion without a verified backup and a refusal of that very moment. A KMS that does not answer is never a refusal.
 *
 * May import: schema, keys, kms, observability, errors, util. Sockets, files, backups and Cassandra are ports (ports.ts).
 * Start reading at access_transitions.ts (which state follows which), then key_loss_monitor.ts.
 */
export { KeyLossMonitor } from './key_loss_monitor.ts';
export type { KeyLossMonitorOptions } from './key_loss_monitor.ts';
export { KeyProbe } from './key_probe.ts';
export { Courier } from './notifications/courier.ts';
export { KeyNotices } from './notifications/key_notices.ts';
export type { Notice, NoticeEvent } from './notifications/notice.ts';
export { noticeText } from './notifications/notice_text.ts';
export { joinedOutbox, RecordOutbox } from './notifications/record_outbox.ts';
export { SchemaDrop } from './schema_drop.ts';
export type { SchemaDropOptions } from './schema_drop.ts';
export type {
  BackupPort,
  DropPort,
  KeyLossMetrics,
  NoticeChannel,
  Outbox,
  PendingNotice,
  VerifiedBackup,
} from './ports.ts';
