import { InternalError } from '../errors/index.ts';
import { accessState, daysUntil, isGone } from '../schema/index.ts';
import type { AccessRecord, AccessState, TableRecord } from '../schema/index.ts';
import { keysToken } from './key_probe.ts';
import type { Verdict } from './key_probe.ts';
import { newNotice } from './notifications/notice.ts';
import type { NoticeEvent } from './notifications/notice.ts';
import type { VerifiedBackup } from './ports.ts';

const DAY_MS = 86_400_000;
/** How long the backup of a dropped table is kept. */
const BACKUP_KEPT_MS = 35 * DAY_MS;
/** A backup this old is made anew before its table is dropped. */
const MAX_BACKUP_AGE_MS = DAY_MS;
/** Days before the end of a backup at which its owner is told. */
const BACKUP_REMINDERS = [7, 1];
/** A receiver that is away while a key comes and goes must not fill the record. */
const MAX_NOTICES = 24;

/** Which state may follow which. */
const LEGAL_STEPS = {
  ACTIVE: ['INACCESSIBLE_ENCRYPTION_CREDENTIALS', 'DROPPED'],
  INACCESSIBLE_ENCRYPTION_CREDENTIALS: ['ACTIVE', 'BACKING_UP', 'DROPPED'],
  BACKING_UP: ['ACTIVE', 'DROPPING', 'DROPPED'],
  DROPPING: ['ACTIVE', 'BACKING_UP', 'DROPPED'],
  DROPPED: [],
} as const satisfies Record<AccessState, readonly AccessState[]>;

/** What every step needs to know. */
export interface StepContext {
  readonly nowMs: number;
  /** How long a key may be refused before its table is backed up and dropped. */
  readonly dropAfterMs: number;
  /** Channels that get the notices. */
  readonly channels: readonly string[];
}

/**
 * The one place where the access of a table changes its state.
 * @throws InternalError for a step that is not legal, a drop without a verified backup, or a dropped table that is there
 */
export function transition(
  record: TableRecord,
  to: AccessState,
  facts: Omit<AccessRecord, 'state' | 'stateSinceMs'>,
  nowMs: number,
): TableRecord {
  const from = accessState(record);
  const legal: readonly AccessState[] = LEGAL_STEPS[from];
  const where = `${record.keyspace}.${record.name}`;
  if (!legal.includes(to)) {
    throw new InternalError(`the access of table ${where} cannot go from ${from} to ${to}`);
  }
  if (to === 'DROPPING' && facts.backup === null) {
    throw new InternalError(`table ${where} cannot be dropped without a verified backup`);
  }
  if ((to === 'DROPPED') !== isGone(record)) {
    throw new InternalError(`table ${where} is ${record.state} and cannot become ${to}`);
  }
  return tidy({ ...record, access: { ...facts, state: to, stateSinceMs: nowMs } });
}

/**
 * The record after a probe of its keys, or `undefined` if nothing changes. An answer that says nothing (the KMS is away)
 * changes no state: the clock runs on, but only a refusal ends it.
 */
export function afterProbe(
  record: TableRecord,
  verdict: Verdict,
  context: StepContext,
): TableRecord | undefined {
  // The keys were changed while they were probed, or the table is being dropped: the next probe tells.
  if (isGone(record) || keysToken(record) !== verdict.keysToken) return undefined;
  const { nowMs } = context;
  const access = record.access ?? undefined;
  if (access === undefined || access.state === 'ACTIVE') {
    return verdict.kind === 'refused' ? lost(record, verdict, context) : undefined;
  }
  if (verdict.kind === 'usable') {
    // The stored table may be gone by now; what it is then, the settled record says.
    if (record.state === 'DROPPING') return undefined;
    const back = transition(record, 'ACTIVE', { ...access, remindedDays: null }, nowMs);
    return told(back, record, 'key_back', context);
  }
  if (access.state !== 'INACCESSIBLE_ENCRYPTION_CREDENTIALS') return undefined;
  if (nowMs < access.dropAtMs) return reminded(record, access, context);
  if (verdict.kind !== 'refused') return undefined;
  return transition(record, 'BACKING_UP', { ...access, reason: verdict.error.code }, nowMs);
}

/** The record once a verified backup is there. */
export function afterBackup(
  record: TableRecord,
  made: VerifiedBackup,
  context: StepContext,
): TableRecord | undefined {
  const { access } = record;
  if (access?.state !== 'BACKING_UP' || isGone(record)) return undefined;
  const { nowMs } = context;
  const expiresAtMs = made.expiresAtMs ?? null;
  const backup = { id: made.backupId, verifiedAtMs: nowMs, expiresAtMs };
  const { backupFailedAtMs: _, ...facts } = access;
  const next = transition(record, 'DROPPING', { ...facts, backup }, nowMs);
  return told(next, next, 'backup_done', context);
}

/** The record after a backup failed; `undefined` if the owner was told of that within a day. */
export function afterBackupFailed(
  record: TableRecord,
  code: string,
  context: StepContext,
): TableRecord | undefined {
  const { access } = record;
  if (access?.state !== 'BACKING_UP' || isGone(record)) return undefined;
  const { nowMs } = context;
  if (nowMs - (access.backupFailedAtMs ?? -Infinity) < DAY_MS) return undefined;
  const next = { ...record, access: { ...access, backupFailedAtMs: nowMs } };
  return told(next, next, 'backup_failed', context, { reason: code });
}

/** The record when its backup has become too old to drop the table on: much of the time it is kept would be over. */
export function afterBackupAged(
  record: TableRecord,
  context: StepContext,
): TableRecord | undefined {
  const { access } = record;
  if (access?.state !== 'DROPPING' || record.state === 'DROPPING' || isGone(record)) {
    return undefined;
  }
  if (!isBackupAged(record, context.nowMs)) return undefined;
  return transition(record, 'BACKING_UP', { ...access, backup: null }, context.nowMs);
}

/** Whether the backup that a table is to be dropped on is too old. */
export function isBackupAged(record: TableRecord, nowMs: number): boolean {
  const { backup } = record.access ?? { backup: null };
  return backup === null || nowMs - backup.verifiedAtMs > MAX_BACKUP_AGE_MS;
}

/** The record of a table that is gone: its backup's time begins. `undefined` if no key of it was lost. */
export function afterDrop(record: TableRecord, context: StepContext): TableRecord | undefined {
  const access = record.access ?? undefined;
  if (access === undefined || access.state === 'DROPPED' || !isGone(record)) return undefined;
  const { nowMs } = context;
  const { backup: made } = access;
  const expiresAtMs = made?.expiresAtMs ?? (record.droppedAtMs ?? nowMs) + BACKUP_KEPT_MS;
  const backup = made === null ? null : { ...made, expiresAtMs };
  const next = transition(record, 'DROPPED', { ...access, backup, remindedDays: null }, nowMs);
  // A client dropped it by a statement: nobody needs to be told.
  return backup === null ? next : told(next, next, 'table_dropped', context);
}

/** The record when the end of its backup comes near; `undefined` if there is nothing to tell now. */
export function beforeBackupEnds(
  record: TableRecord,
  context: StepContext,
): TableRecord | undefined {
  const access = record.access ?? undefined;
  const endsAtMs = access?.backup?.expiresAtMs;
  if (access?.state !== 'DROPPED' || endsAtMs === undefined || endsAtMs === null) return undefined;
  const daysLeft = daysUntil(endsAtMs, context.nowMs);
  const mark = BACKUP_REMINDERS.filter((days) => daysLeft <= days).at(-1);
  if (mark === undefined || daysLeft < 1) return undefined;
  if (access.remindedDays !== null && access.remindedDays <= mark) return undefined;
  const next = { ...record, access: { ...access, remindedDays: mark } };
  return told(next, next, 'backup_expiring', context, { daysLeft });
}

/** The record once its backup was deleted. */
export function afterBackupEnded(
  record: TableRecord,
  context: StepContext,
): TableRecord | undefined {
  const access = record.access ?? undefined;
  if (access === undefined || !isBackupOver(record, context.nowMs)) return undefined;
  const next = { ...record, access: { ...access, backup: null } };
  return told(next, record, 'backup_expired', context);
}

/** Whether the time of a dropped table's backup is over and its record still names it. */
export function isBackupOver(record: TableRecord, nowMs: number): boolean {
  const endsAtMs = record.access?.backup?.expiresAtMs ?? null;
  return endsAtMs !== null && endsAtMs <= nowMs;
}

/** The record after notices of it reached channels. */
export function afterNotices(
  record: TableRecord,
  done: ReadonlyMap<string, readonly string[]>,
): TableRecord | undefined {
  const access = record.access ?? undefined;
  if (access?.notices.some((notice) => done.has(notice.id)) !== true) return undefined;
  const notices = access.notices
    .map((notice) => {
      const gone = done.get(notice.id) ?? [];
      return { ...notice, channels: notice.channels.filter((name) => !gone.includes(name)) };
    })
    .filter((notice) => notice.channels.length > 0);
  return tidy({ ...record, access: { ...access, notices } });
}

function lost(
  record: TableRecord,
  verdict: Extract<Verdict, { kind: 'refused' }>,
  context: StepContext,
): TableRecord {
  const { nowMs, dropAfterMs } = context;
  const dropAtMs = nowMs + dropAfterMs;
  const daysLeft = daysUntil(dropAtMs, nowMs);
  const next = transition(
    record,
    'INACCESSIBLE_ENCRYPTION_CREDENTIALS',
    {
      provider: verdict.provider,
      keyArn: verdict.keyArn,
      reason: verdict.error.code,
      sinceMs: nowMs,
      dropAtMs,
      backup: null,
      remindedDays: daysLeft,
      notices: record.access?.notices ?? [],
    },
    nowMs,
  );
  return told(next, next, 'key_inaccessible', context, { daysLeft });
}

/** The record with a reminder, once a day while the clock runs. */
function reminded(
  record: TableRecord,
  access: AccessRecord,
  context: StepContext,
): TableRecord | undefined {
  const daysLeft = daysUntil(access.dropAtMs, context.nowMs);
  if (access.remindedDays !== null && daysLeft >= access.remindedDays) return undefined;
  const next = { ...record, access: { ...access, remindedDays: daysLeft } };
  return told(next, next, 'days_left', context, { daysLeft });
}

/** Adds a notice to the record, with the facts of `about`: it is kept and delivered in one with the change it tells of. */
function told(
  record: TableRecord,
  about: TableRecord,
  event: NoticeEvent,
  context: StepContext,
  more: { readonly daysLeft?: number; readonly reason?: string } = {},
): TableRecord {
  if (context.channels.length === 0) return record;
  const notice = newNotice(about, event, context.nowMs, context.channels, more);
  const access = record.access ?? idle(about, context.nowMs);
  return {
    ...record,
    access: { ...access, notices: [...access.notices, notice].slice(-MAX_NOTICES) },
  };
}

/** What a record that has nothing but news holds. */
function idle(record: TableRecord, nowMs: number): AccessRecord {
  const access = record.access ?? undefined;
  return {
    state: isGone(record) ? 'DROPPED' : 'ACTIVE',
    provider: access?.provider ?? record.keys?.provider ?? '',
    keyArn: access?.keyArn ?? record.keys?.keyArn ?? '',
    reason: access?.reason ?? '',
    sinceMs: access?.sinceMs ?? nowMs,
    dropAtMs: access?.dropAtMs ?? nowMs,
    stateSinceMs: nowMs,
    backup: null,
    remindedDays: null,
    notices: [],
  };
}

/** An active table without news needs no note of what was. */
function tidy(record: TableRecord): TableRecord {
  const { access } = record;
  return access?.state === 'ACTIVE' && access.notices.length === 0
    ? { ...record, access: null }
    : record;
}
