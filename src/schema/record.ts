import { MetadataIntegrityError } from '../errors/index.ts';
import type { AccessRecord } from './access.ts';
import type { ColumnKind, ColumnScheme } from './entries.ts';
import type { IndexRecord } from './indexes.ts';
import type { RotationRecord } from './rotation_record.ts';
import type { ViewRecord } from './views.ts';

/** An argument of a mask. */
export interface MaskArgumentRecord {
  /** As CQL text. */
  readonly type: string;
  /** Hex; `null` for null. */
  readonly value: string | null;
  /** As DESCRIBE shows it: a CQL literal. */
  readonly literal: string;
  /** As system_schema.column_masks shows it. */
  readonly text: string;
}

/** What roles without UNMASK see instead of the values of a column: a masking function of Cassandra's own. */
export interface MaskRecord {
  /** Name without keyspace. */
  readonly function: string;
  /** All but the first, which is the value. */
  readonly args: readonly MaskArgumentRecord[];
}

/** A column as the record keeps it. Bytes are hex. */
export interface ColumnRecord {
  readonly name: string;
  readonly id: string;
  readonly kind: ColumnKind;
  readonly position: number;
  /** Logical type as CQL text. */
  readonly type: string;
  readonly order: 'asc' | 'desc' | null;
  readonly scheme: ColumnScheme;
  readonly padded: boolean;
  readonly storedType: string;
  /** Absent where there is none. */
  readonly mask?: MaskRecord | undefined;
}

/** A dropped column. */
export interface DroppedColumnRecord {
  readonly name: string;
  readonly id: string;
  readonly kind: ColumnKind;
  readonly type: string;
  readonly droppedAtMs: number;
}

/** A wrapped table key. Bytes are hex. */
export interface TableKeyRecord {
  readonly version: number;
  readonly provider: string;
  readonly keyArn: string;
  /** Encryption context the key was wrapped with. */
  readonly context: Readonly<Record<string, string>>;
  readonly blob: string;
  /** Key commitment, 32 bytes. */
  readonly commit: string;
}

/** A wrapped DEK. Bytes are hex. */
export interface DekRecord {
  readonly structure: 'key' | 'cell' | 'index';
  readonly epoch: number;
  readonly dekId: string;
  readonly tableKeyVersion: number;
  readonly wrapped: string;
  /** pending: every proxy may learn of it before the first value is written with it. Cell DEKs only. */
  readonly state: 'pending' | 'active' | 'decrypt_only';
  /** When it was made; missing: with the table. */
  readonly createdAtMs?: number;
  /** When it began only to decrypt; missing where that is not known. */
  readonly inactiveSinceMs?: number;
}

/** What a grant on a customer managed key is for: the table itself, or the backups the system makes of it. */
export type GrantUse = 'working' | 'backup';

/** A grant on a customer managed key. */
export interface GrantRecord {
  readonly use: GrantUse;
  readonly id: string;
}

/** All keys of a table. */
export interface TableKeys {
  readonly provider: string;
  /** KMS key the table is under now. */
  readonly keyArn: string;
  readonly serviceOwned: boolean;
  readonly tableKeys: readonly TableKeyRecord[];
  readonly deks: readonly DekRecord[];
  /** Cells of a lower epoch are refused. */
  readonly minEpoch: number;
  /** Grants on `keyArn`; absent for service-owned keys and where the KMS knows none. */
  readonly grants?: readonly GrantRecord[];
}

/** A KMS key that a table may have been given, or has left: what is held of it is to be given back. */
export interface KmsKeyUse {
  readonly provider: string;
  /** Empty for a service-owned key that was about to be made: every one that the record does not name is meant. */
  readonly keyArn: string;
  readonly serviceOwned: boolean;
  /** `null` when it is not known whether the grants were made. */
  readonly grants: readonly GrantRecord[] | null;
}

/** Settings of Amazon Keyspaces without effect here, kept as they were given: property, setting, value. */
export type CustomProperties = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Who works on a change, and until when others leave it alone. */
export interface ClaimRecord {
  readonly owner: string;
  readonly deadlineMs: number;
}

/** What a table looks like in one form. */
export interface TableForm {
  readonly columns: readonly ColumnRecord[];
  readonly dropped: readonly DroppedColumnRecord[];
  /** Absent in tables that never had one. */
  readonly indexes?: readonly IndexRecord[] | undefined;
  /** Absent in tables that never had one. */
  readonly views?: readonly ViewRecord[] | undefined;
}

/** Body of the record of a table. */
export interface TableRecord extends TableForm {
  readonly format: 1;
  readonly kind: 'table';
  /** ABANDONED: never came to be, or was dropped long ago; its KMS keys are being destroyed, then the record goes too. */
  readonly state:
    | 'CREATING'
    | 'RESTORING'
    | 'ACTIVE'
    | 'ALTERING'
    | 'REWRITING'
    | 'DROPPING'
    | 'DROPPED'
    | 'ABANDONED';
  readonly keyspace: string;
  readonly name: string;
  /** Cassandra's table id, UUID text. */
  readonly cassandraId: string;
  /** 16 bytes, hex. */
  readonly tableId: string;
  /** `null` only while CREATING, before the keys are made. */
  readonly keys: TableKeys | null;
  /** The form after the change while ALTERING. */
  readonly next: TableForm | null;
  readonly claim: ClaimRecord | null;
  readonly createdAtMs: number;
  readonly droppedAtMs: number | null;
  /** Custom properties beside the encryption specification, which `keys` says. */
  readonly customProperties?: CustomProperties;
  /** KMS keys to be given back once no change is under way. What `keys` uses is never given back. */
  readonly release?: readonly KmsKeyUse[];
  /** What came of a lost key; absent or `null`: none is lost. */
  readonly access?: AccessRecord | null;
  /** What the table is restored from; absent once it is complete, and in tables that were not restored. */
  readonly restore?: RestoreProgress | undefined;
  /**
   * Its rows are being moved under a new key DEK; absent otherwise. As long as it is there `keys` has two key DEKs, and nobody
   * reads or writes the table but who does that.
   */
  readonly rewrite?: RewriteMark | undefined;
}

/** A rewrite of a table under a new key DEK. */
export interface RewriteMark {
  /** Epoch of the key DEK that rows are moved to. */
  readonly epoch: number;
  readonly beganAtMs: number;
}

/** How far the restore of a table has come. */
export interface RestoreProgress {
  /** 16 bytes, hex. */
  readonly backupId: string;
  /** Chunks whose rows are all written. */
  readonly chunksDone: number;
  /** True once rows may have been written, for tables where that matters: those with lists that are not frozen. */
  readonly begun?: boolean;
  /** Why it cannot go on as its backup is; absent while it can. */
  readonly failure?: { readonly code: string; readonly atMs: number };
}

/** A field of a type record. */
export interface TypeFieldRecord {
  readonly name: string;
  readonly type: string;
}

/** Body of the record of a user-defined type. */
export interface TypeRecord {
  readonly format: 1;
  readonly kind: 'type';
  readonly state: 'CREATING' | 'ACTIVE' | 'ALTERING' | 'DROPPING';
  readonly keyspace: string;
  readonly name: string;
  /** 16 bytes, hex. */
  readonly typeId: string;
  readonly fields: readonly TypeFieldRecord[];
  /** Fields after the change while ALTERING. */
  readonly next: readonly TypeFieldRecord[] | null;
  readonly claim: ClaimRecord | null;
}

/** Body of the record of a keyspace: there is one only where the keyspace has a default key. */
export interface KeyspaceRecord {
  readonly format: 1;
  readonly kind: 'keyspace';
  readonly state: 'CREATING' | 'ACTIVE' | 'DROPPING';
  readonly keyspace: string;
  /** 16 bytes, hex. */
  readonly keyspaceId: string;
  /** Customer managed key of new tables that name none. */
  readonly defaultKey: { readonly provider: string; readonly keyArn: string };
  readonly claim: ClaimRecord | null;
}

/** What a verification of a backup found. */
export interface BackupVerification {
  readonly atMs: number;
  /** decrypted: sampled cells were decrypted. compared: without the KMS key, the rows were compared with the table's. */
  readonly mode: 'decrypted' | 'compared';
  readonly rows: number;
  readonly cells: number;
  /** Cells that were decrypted. */
  readonly decrypted: number;
}

/** Body of the record of a backup. */
export interface BackupRecord {
  readonly format: 1;
  readonly kind: 'backup';
  /** DELETING: its key envelope is destroyed or about to be; then the chunks go, then the record. */
  readonly state: 'CREATING' | 'READY' | 'DELETING';
  /** Keyspace and name of the table when the backup was begun. */
  readonly keyspace: string;
  readonly name: string;
  /** The table's id, 16 bytes, hex. */
  readonly tableId: string;
  /** 16 bytes, hex. */
  readonly backupId: string;
  /** Where it is, for people. */
  readonly target: string;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
  readonly expiresAtMs: number;
  /** SHA-256 of the manifest object, hex; `null` until it is complete. */
  readonly manifest: string | null;
  /** The key envelope in force: number and SHA-256 (hex) of its object. */
  readonly envelope: { readonly generation: number; readonly hash: string };
  /** KMS keys that the envelope needs. */
  readonly keyArns: readonly string[];
  /** `null` until the backup was read back. */
  readonly verified: BackupVerification | null;
  readonly claim: ClaimRecord | null;
}

/** Any record. */
export type CatalogRecord = TableRecord | TypeRecord | KeyspaceRecord | BackupRecord;

/** What a record is about, for messages. */
export function recordLabel(record: CatalogRecord): string {
  return record.kind === 'keyspace' ? record.keyspace : `${record.keyspace}.${record.name}`;
}

/** True for a record whose table is gone: it holds nothing but keys. */
export function isGone(record: CatalogRecord): boolean {
  return record.state === 'DROPPED' || record.state === 'ABANDONED';
}

/** The id of a record: `table_id` of its row, hex. */
export function recordId(record: CatalogRecord | RotationRecord): string {
  switch (record.kind) {
    case 'table':
      return record.tableId;
    case 'type':
      return record.typeId;
    case 'keyspace':
      return record.keyspaceId;
    case 'rotation':
      return record.rotationId;
    case 'backup':
      return record.backupId;
  }
}

const KINDS: ReadonlySet<string> = new Set(['table', 'type', 'keyspace', 'rotation', 'backup']);

/** The format of tables with a mask: a version of the proxy that knows no masks must not take their records for others. */
const MASKED_FORMAT = 2;

function hasMask(record: CatalogRecord | RotationRecord): boolean {
  if (record.kind !== 'table') return false;
  return [...record.columns, ...(record.next?.columns ?? [])].some(
    ({ mask }) => mask !== undefined,
  );
}

/** Bytes of a record. They are made once and kept as they are: MAC and hash are over them. */
export function serialiseRecord(record: CatalogRecord | RotationRecord): Uint8Array {
  const stored = hasMask(record) ? { ...record, format: MASKED_FORMAT } : record;
  return Buffer.from(JSON.stringify(stored), 'utf8');
}

/**
 * Parses the body of a record whose MAC and hash have been verified.
 * @throws MetadataIntegrityError when a later version of the proxy wrote it.
 */
export function parseRecord(body: Uint8Array): CatalogRecord | RotationRecord {
  const stored = JSON.parse(Buffer.from(body).toString('utf8')) as CatalogRecord | RotationRecord;
  const record =
    stored.kind === 'table' && (stored.format as number) === MASKED_FORMAT
      ? { ...stored, format: 1 as const }
      : stored;
  if ((record.format as number) !== 1 || !KINDS.has(record.kind)) {
    throw new MetadataIntegrityError(
      'METADATA_RECORD_FORMAT',
      'a record has a format that this version of the proxy does not know',
    );
  }
  return record;
}
