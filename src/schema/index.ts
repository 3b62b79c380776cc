/**
 * What the proxy knows of the cluster's schema, and how it changes it.
 *
 * The logical schema comes from records (authenticated byte strings in the keyspace `cqlock`), the stored schema from
 * Cassandra's system_schema; the catalog verifies the one, compares it with the other and gives immutable snapshots.
 * Whatever cannot be verified is in the snapshot as a table that refuses reads and writes.
 *
 * May import: values, cql, crypto, errors, util. Storage, KMS and clocks are ports (ports.ts), implemented in upstream
 * and keys. Start reading at entries.ts (what the planner sees), then catalog.ts, then changes/.
 */
export { isGone, recordId } from './record.ts';
export { RESERVED_COLUMN_PREFIX, RECORD_KEYSPACE, isSystemKeyspace } from './names.ts';
export { accessState, daysUntil, inaccessibleError, isClosed } from './access.ts';
export type { AccessRecord, AccessState, LossBackup, NoticeRecord } from './access.ts';
export { ClusterLease } from './cluster_lease.ts';
export type { ClusterLeaseOptions } from './cluster_lease.ts';
export { columnForm, isPaddedType } from './column_form.ts';
export { Catalog } from './catalog.ts';
export type { CatalogOptions } from './catalog.ts';
export { adoptTables, initCluster, refuseForeignCluster } from './init_cluster.ts';
export type { InitOptions } from './init_cluster.ts';
export { readRolledBack } from './verified_records.ts';
export { entryOfRecord } from './entry_of_record.ts';
export { rewritingError } from './build_table.ts';
export { keyDeks, keyEpoch, withKeyDek, withOnlyKeyDek } from './key_deks.ts';
export { SchemaChanges } from './changes/schema_changes.ts';
export type { SchemaChangesOptions } from './changes/schema_changes.ts';
export type { RestoreTableDefinition } from './changes/restore_table.ts';
export type { ChangeSet } from './record_changes.ts';
export type { VerifiedRecords } from './verified_records.ts';
export type {
  AlterTableChange,
  CreateTableDefinition,
  EncryptionChoice,
  NewColumn,
  RunStored,
} from './changes/change_types.ts';
export type {
  ColumnEntry,
  ColumnKind,
  ColumnMask,
  ColumnScheme,
  DroppedColumnEntry,
  IndexEntry,
  KeyspaceEntry,
  Snapshot,
  TableEntry,
  TableStatus,
} from './entries.ts';
export type {
  BackupKeys,
  CatalogTrust,
  ClusterTrust,
  KeyedTable,
  KeyNotices,
  KeyRefusal,
  KeyTarget,
  LeaseStore,
  RecordChange,
  RecordPartition,
  RecordStore,
  RootChange,
  SchemaSource,
  StoredRecord,
  TableKeyFactory,
} from './ports.ts';
export { indexDekOf, indexNames, liveIndexes } from './indexes.ts';
export type { HiddenColumnRecord, HiddenType, IndexRecord, IndexTarget } from './indexes.ts';
export { activateIndex } from './changes/index_changes.ts';
export type { IndexStatements, NewIndex } from './changes/index_changes.ts';
export { spansPartitions } from './views.ts';
export type { ViewColumnRecord, ViewRecord } from './views.ts';
export type { NewView, ViewStatements } from './changes/view_changes.ts';
export type { RawColumn, RawSchema, RawTable } from './raw_schema.ts';
export {
  cellDekIn,
  cellDeks,
  dekCreatedAtMs,
  LAST_EPOCH,
  nextCellEpoch,
  withCellDeksRetired,
  withPendingActivated,
  withPendingCellDek,
} from './cell_deks.ts';
export type {
  CellUsage,
  FinishedReencryption,
  FinishedRewrite,
  HoldRecord,
  IndexBuildRecord,
  ReencryptionRecord,
  RewriteRecord,
  RotationRecord,
} from './rotation_record.ts';
export type {
  BackupRecord,
  BackupVerification,
  CatalogRecord,
  ClaimRecord,
  ColumnRecord,
  CustomProperties,
  DekRecord,
  GrantRecord,
  KeyspaceRecord,
  KmsKeyUse,
  MaskArgumentRecord,
  MaskRecord,
  TableForm,
  TableKeyRecord,
  TableKeys,
  TableRecord,
  TypeRecord,
} from './record.ts';
export { recordLabel } from './record.ts';
