import { randomUUID } from 'node:crypto';
import type { NoticeRecord, TableRecord } from '../../schema/index.ts';

/** What owners are told. */
export type NoticeEvent =
  | 'key_inaccessible'
  | 'key_refused'
  | 'days_left'
  | 'backup_failed'
  | 'backup_done'
  | 'table_dropped'
  | 'key_back'
  | 'backup_expiring'
  | 'backup_expired'
  | 'grant_released';

/** One piece of news. It names tables, keys and times; never values, never key material. */
export interface Notice extends Omit<NoticeRecord, 'channels' | 'event'> {
  readonly event: NoticeEvent;
  readonly keyspace: string;
  /** `null` where it is about a keyspace. */
  readonly table: string | null;
}

/** Makes the notice of an event as the record keeps it, with the facts that the record has. */
export function newNotice(
  record: TableRecord,
  event: NoticeEvent,
  nowMs: number,
  channels: readonly string[],
  more: { readonly daysLeft?: number; readonly reason?: string } = {},
): NoticeRecord {
  const access = record.access ?? undefined;
  return {
    id: randomUUID(),
    event,
    atMs: nowMs,
    reason: event === 'key_back' ? null : (more.reason ?? access?.reason ?? null),
    keyArn: access?.keyArn ?? record.keys?.keyArn ?? null,
    dropAtMs:
      event === 'key_inaccessible' || event === 'days_left' ? (access?.dropAtMs ?? null) : null,
    daysLeft: more.daysLeft ?? null,
    backupId: access?.backup?.id ?? null,
    backupExpiresAtMs: access?.backup?.expiresAtMs ?? null,
    channels,
  };
}

/** `keyspace.table`, or the keyspace alone. */
export function noticeSubject(notice: Notice): string {
  return notice.table === null ? notice.keyspace : `${notice.keyspace}.${notice.table}`;
}

/** The notice of a record, for delivery. */
export function noticeOf(record: TableRecord, stored: NoticeRecord): Notice {
  const { channels: _, event, ...facts } = stored;
  return { ...facts, event: event as NoticeEvent, keyspace: record.keyspace, table: record.name };
}
