/**
 * A new key DEK for a table: all of its rows are moved to stored keys under it, in place, while nobody uses the table. Operators'
 * view: docs/rotation.md; why it is so: docs/decisions/0017.
 *
 * The record says REWRITING, with both key DEKs; the job is in the rotation record. A row is read, sealed anew, written, read back
 * and compared before its partition is deleted under the old key, so a crash leaves rows under one key, under the other, or
 * under both alike.
 *
 * May import: backup (rows), rotation, encryption, upstream, keys, schema, crypto, cql, errors, util. Start reading at
 * rewrite_service.ts, then rewrite_jobs.ts (what the catalog holds), then rewrite_scan.ts.
 */
export { checkTable } from './check_table.ts';
export type { TableCheck } from './check_table.ts';
export type { RewriteOptions, RewritePorts, RewriteProgress } from './ports.ts';
export { requireRewritable, tableNamed } from './requirements.ts';
export { RewriteService } from './rewrite_service.ts';
