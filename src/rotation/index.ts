/**
 * Rotation of cell DEKs: new epochs by age, by count and by command, and the background job that re-encrypts old cells and
 * then retires their epochs. Operators' view: docs/rotation.md.
 *
 * An epoch is pending, active, decrypt-only, retired. Each step is one compare-and-set of the catalog, so a crash leaves the
 * step done or not done, and several proxies may try the same step. Counts and jobs are in a rotation record of their own
 * beside the table's record.
 *
 * May import: upstream (rows), schema, keys, encryption, crypto, errors, observability, util. Start reading at
 * rotation_service.ts, then epochs.ts and jobs.ts (what the catalog holds), then reencrypt_table.ts.
 */
export { CellCounter } from './cell_counter.ts';
export { RotationService } from './rotation_service.ts';
export type {
  RotationLogger,
  RotationMetrics,
  RotationOptions,
  RotationPorts,
  RotationProgress,
} from './ports.ts';
export { rotationStatus } from './status.ts';
export type { JobPhase, RewritePhase, TableRotationStatus } from './status.ts';
export { beginTruncation, liveHolds, PERMIT_MS } from './truncation.ts';
export { rotationOf } from './records.ts';
export { sameKey } from './reencrypt_rows.ts';
export { cellBytes, ScanPace } from './scan_pace.ts';
