import { join, resolve } from 'node:path';
import type { BackupTargetSetting } from './types.ts';

const S3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** Whether a setting names a place for backups. */
export function isBackupTarget(text: string | undefined): boolean {
  return text?.includes('://') !== true || S3.test(text);
}

/** The place that a setting names; `backups` in the data directory if there is none. Call {@link isBackupTarget} first. */
export function backupTarget(
  text: string | undefined,
  dataDir: string,
  workingDir: string,
  environment: Readonly<Record<string, string | undefined>>,
): BackupTargetSetting {
  const [, bucket, prefix = ''] = S3.exec(text ?? '') ?? [];
  if (bucket !== undefined) {
    // What is not AWS itself rarely answers to a bucket in the host name.
    const endpoint = environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL'];
    return {
      kind: 's3',
      bucket,
      prefix: prefix.replace(/^\/+|\/+$/g, ''),
      usesPathStyle: endpoint !== undefined && endpoint !== '',
    };
  }
  const path = text === undefined ? join(dataDir, 'backups') : resolve(workingDir, text);
  return { kind: 'directory', path };
}
