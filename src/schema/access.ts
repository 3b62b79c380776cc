import { KeyAccessError } from '../errors/index.ts';
import type { TableRecord } from './record.ts';

const DAY_MS = 86_400_000;

/** Where a table with a customer managed key stands; the names of Amazon Keyspaces where it has them. */
export type AccessState =
  | 'ACTIVE'
  /** The KMS refuses the key; the clock runs. */
  | 'INACCESSIBLE_ENCRYPTION_CREDENTIALS'
  /** The clock has run out; a backup is being made, and nobody reads or writes. */
  | 'BACKING_UP'
  /** There is a verified backup; the table may be dropped. */
  | 'DROPPING'
  | 'DROPPED';

/** A verified backup of a table whose key was lost. */
export interface LossBackup {
  readonly id: string;
  readonly verifiedAtMs: number;
  /** `null` until it is known: else it is kept 35 days from the drop. */
  readonly expiresAtMs: number | null;
}

/** News of the owner's that is not yet delivered everywhere. Names and times only. */
export interface NoticeRecord {
  /** UUID; a receiver that gets one twice knows it by this. */
  readonly id: string;
  readonly event: string;
  readonly atMs: number;
  /** Code of a refusal or of what failed, e.g. KEY_…; `null` where it is about none. */
  readonly reason: string | null;
  readonly keyArn: string | null;
  readonly dropAtMs: number | null;
  readonly daysLeft: number | null;
  readonly backupId: string | null;
  readonly backupExpiresAtMs: number | null;
  /** Channels that do not have it yet. */
  readonly channels: readonly string[];
}

/** What a record knows of the loss of its key. All times are milliseconds since the epoch. */
export interface AccessRecord {
  readonly state: AccessState;
  readonly provider: string;
  readonly keyArn: string;
  /** Code of the last refusal, KEY_…. */
  readonly reason: string;
  /** When the refusal was first met. */
  readonly sinceMs: number;
  /** Not backed up and dropped before. */
  readonly dropAtMs: number;
  /** When the state began. */
  readonly stateSinceMs: number;
  readonly backup: LossBackup | null;
  /** When the owner was last told that the backup before the drop failed. */
  readonly backupFailedAtMs?: number;
  /** Days that were left at the last reminder, of the drop or of the backup's end. */
  readonly remindedDays: number | null;
  readonly notices: readonly NoticeRecord[];
}

/** The state of a table's access; ACTIVE for tables that never lost a key. */
export function accessState(record: TableRecord): AccessState {
  return record.access?.state ?? 'ACTIVE';
}

/** True while nobody may read or write whatever the KMS says: what is written now would miss in the backup. */
export function isClosed(record: TableRecord): boolean {
  const state = accessState(record);
  return state !== 'ACTIVE' && state !== 'INACCESSIBLE_ENCRYPTION_CREDENTIALS';
}

/** True while the record of a dropped table must stay because there is news of it to deliver. */
export function isHeld(record: TableRecord): boolean {
  return (record.access?.notices ?? []).length > 0;
}

/** What reads and writes of a table whose key was lost are answered with; `undefined` for tables that are accessible. */
export function inaccessibleError(record: TableRecord): KeyAccessError | undefined {
  const { access } = record;
  if (access === undefined || access === null || access.state === 'ACTIVE') return undefined;
  const table = `${record.keyspace}.${record.name}`;
  const since = new Date(access.sinceMs).toISOString();
  const what = `table ${table} is INACCESSIBLE_ENCRYPTION_CREDENTIALS: the KMS refuses its key ${access.keyArn} (${access.reason}) since ${since}`;
  return new KeyAccessError('KEY_INACCESSIBLE', `${what}; ${outlook(access)}`);
}

function outlook(access: AccessRecord): string {
  switch (access.state) {
    case 'BACKING_UP':
      return 'its time has run out: it is being backed up and will then be dropped; make the key usable again to keep it';
    case 'DROPPING':
    case 'DROPPED':
      return `it was backed up (${access.backup?.id ?? 'unknown'}) and is being dropped`;
    case 'ACTIVE':
    case 'INACCESSIBLE_ENCRYPTION_CREDENTIALS':
      return `make the key usable again before ${new Date(access.dropAtMs).toISOString()}, when the table is backed up and dropped`;
  }
}

/** Whole days from `nowMs` to `thenMs`, rounded up. */
export function daysUntil(thenMs: number, nowMs: number): number {
  return Math.ceil((thenMs - nowMs) / DAY_MS);
}
