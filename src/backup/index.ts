/**
 * Backup and restore of tables: the stored ciphertext of all rows with write times and times of expiry, in sealed chunks, with an
 * authenticated manifest, and apart from them a key envelope that is rewritten when keys change. Normative text:
 * docs/backup_format.md.
 *
 * May import: upstream, encryption, keys, kms, schema, crypto, cql, errors, util. Start reading at backup_service.ts; then
 * create_backup.ts, verify_backup.ts, restore_backup.ts, rewrap.ts. Objects: backup_key.ts, chunk.ts, manifest.ts, envelope.ts.
 * Where they are kept is a port (target.ts): a directory or an S3 bucket.
 */
export { BackupService } from './backup_service.ts';
export { cellColumnsOf, indexOfPath } from './cell_columns.ts';
export type { CellColumn, CellTable } from './cell_columns.ts';
export { isSamePartition } from './chunk.ts';
export type { BackupCell, BackupRow } from './chunk.ts';
export { isSameRow } from './compare_table.ts';
export type { BackupOptions, BackupPorts, BackupProgress, RowConnection } from './context.ts';
export type { CreateOptions } from './create_backup.ts';
export { DirectoryTarget } from './directory_target.ts';
export type { ContinueOptions, RestoreRequest, RestoreResult } from './restore_backup.ts';
export { isLastingRestoreFailure } from './restoring.ts';
export { RowReader } from './row_reader.ts';
export { RowSink } from './row_sink.ts';
export { S3Target } from './s3_target.ts';
export type { S3Location } from './s3_target.ts';
export { retrying } from './table_scan.ts';
export type { BackupTarget } from './target.ts';
