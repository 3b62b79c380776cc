import { MetadataIntegrityError } from '../errors/index.ts';
import type { ColumnKind, ColumnScheme } from './entries.ts';

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
  readonly structure: 'key' | 'cell';
  readonly epoch: number;
  readonly dekId: string;
  readonly tableKeyVersion: number;
  readonly wrapped: string;
  readonly state: 'active' | 'decrypt_only';
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
}

/** Who works on a change, and until when others leave it alone. */
export interface ClaimRecord {
  readonly owner: string;
  readonly deadlineMs: number;
}

/** What a table looks like in one form. */
export interface TableForm {
  readonly columns: readonly ColumnRecord[];
  readonly dropped: readonly DroppedColumnRecord[];
}

/** Body of the record of a table. */
export interface TableRecord extends TableForm {
  readonly format: 1;
  readonly kind: 'table';
  /** ABANDONED: never came to be, or was dropped long ago; its KMS keys are being destroyed, then the record goes too. */
  readonly state:
    'CREATING' | 'RESTORING' | 'ACTIVE' | 'ALTERING' | 'DROPPING' | 'DROPPED' | 'ABANDONED';
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
  /** What the table is restored from; absent once it is complete, and in tables that were not restored. */
  readonly restore?: RestoreProgress | undefined;
}

/** How far the restore of a table has come. */
export interface RestoreProgress {
  /** 16 bytes, hex. */
  readonly backupId: string;
  /** Chunks whose rows are all written. */
  readonly chunksDone: number;
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
export type CatalogRecord = TableRecord | TypeRecord | BackupRecord;

/** True for a record whose table is gone: it holds nothing but keys. */
export function isGone(record: CatalogRecord): boolean {
  return record.state === 'DROPPED' || record.state === 'ABANDONED';
}

/** The id of a record: `table_id` of its row, hex. */
export function recordId(record: CatalogRecord): string {
  switch (record.kind) {
    case 'table':
      return record.tableId;
    case 'type':
      return record.typeId;
    case 'backup':
      return record.backupId;
  }
}

/** Bytes of a record. They are made once and kept as they are: MAC and hash are over them. */
export function serialiseRecord(record: CatalogRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record), 'utf8');
}

/**
 * Parses the body of a record whose MAC and hash have been verified.
 * @throws MetadataIntegrityError when a later version of the proxy wrote it.
 */
export function parseRecord(body: Uint8Array): CatalogRecord {
  const record = JSON.parse(Buffer.from(body).toString('utf8')) as CatalogRecord;
  if (
    (record.format as number) !== 1 ||
    !(['table', 'type', 'backup'] as string[]).includes(record.kind)
  ) {
    throw new MetadataIntegrityError(
      'METADATA_RECORD_FORMAT',
      'a record has a format that this version of the proxy does not know',
    );
  }
  return record;
}
