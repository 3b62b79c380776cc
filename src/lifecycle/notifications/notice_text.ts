import { noticeSubject } from './notice.ts';
import type { Notice } from './notice.ts';

/** Subject and text of a notice for people. */
export function noticeText(notice: Notice): { readonly subject: string; readonly text: string } {
  const table = noticeSubject(notice);
  const [subject, ...lines] = sentences(notice, table);
  const facts = [
    ['Table', table],
    ['KMS key', notice.keyArn],
    ['Reason', notice.reason],
    ['Backup and drop at', time(notice.dropAtMs)],
    ['Backup', notice.backupId],
    ['Backup kept until', time(notice.backupExpiresAtMs)],
    ['At', time(notice.atMs)],
    ['Notice', `${notice.event} ${notice.id}`],
  ].flatMap(([name, fact]) =>
    fact === null || fact === undefined ? [] : [`${name ?? ''}: ${fact}`],
  );
  return { subject: `cqlock: ${subject}`, text: `${lines.join('\n')}\n\n${facts.join('\n')}\n` };
}

function sentences(notice: Notice, table: string): readonly [string, ...string[]] {
  const days = notice.daysLeft === 1 ? '1 day' : `${String(notice.daysLeft ?? 0)} days`;
  const howBack =
    'Enable the key, cancel its deletion, or give the permission back: the table then works again by itself.';
  switch (notice.event) {
    case 'key_inaccessible':
      return [
        `${table} is inaccessible: its KMS key is refused`,
        'Reads and writes of the table fail because the KMS refuses its customer managed key.',
        howBack,
        `If the key is still refused in ${days}, the table is backed up and dropped.`,
      ];
    case 'days_left':
      return [
        `${table} is dropped in ${days}: its KMS key is refused`,
        `The KMS still refuses the key of the table. In ${days} the table is backed up and dropped.`,
        howBack,
      ];
    case 'key_refused':
      return [
        `a KMS key for ${table} was refused`,
        'A statement (CREATE, ALTER) named a KMS key that cannot be used. Nothing was changed.',
      ];
    case 'key_back':
      return [
        `${table} is accessible again`,
        'The KMS accepts the key of the table again. Reads and writes work; the clock is stopped.',
      ];
    case 'backup_failed':
      return [
        `${table} cannot be backed up, so it is not dropped`,
        'The key of the table was refused for too long, and the backup before the drop failed. The log of the proxy says why.',
        'It is tried again, at most an hour apart. Until then the table stays, inaccessible.',
        howBack,
      ];
    case 'backup_done':
      return [
        `${table} was backed up before it is dropped`,
        'The key of the table was refused for too long. A backup was made and verified; the table is dropped next.',
      ];
    case 'table_dropped':
      return [
        `${table} was dropped: its KMS key was lost`,
        'The table can be restored from its backup until the backup expires, if its last key is usable by then.',
      ];
    case 'backup_expiring':
      return [
        `the backup of ${table} expires in ${days}`,
        'The table was dropped because its KMS key was lost. After this time it cannot be restored.',
      ];
    case 'backup_expired':
      return [
        `the backup of ${table} has expired`,
        'The backup was deleted. The table cannot be restored.',
      ];
    case 'grant_released':
      return [
        `the grants on the KMS key of ${table} were released`,
        'Nothing of the proxy depends on the key for this table any more.',
      ];
  }
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
