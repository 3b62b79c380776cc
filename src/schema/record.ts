import { MetadataIntegrityError } from '../errors/index.ts';
import type { AccessRecord } from './access.ts';
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
  readonly state: 'CREATING' | 'ACTIVE' | 'ALTERING' | 'DROPPING' | 'DROPPED' | 'ABANDONED';
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
  /** What came of a lost key; absent or `null`: none is lost. */
  readonly access?: AccessRecord | null;
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

/** Any record. */
export type CatalogRecord = TableRecord | TypeRecord;

/** True for a record whose table is gone: it holds nothing but keys. */
export function isGone(record: CatalogRecord): boolean {
  return record.state === 'DROPPED' || record.state === 'ABANDONED';
}

/** The id of a record: `table_id` of its row, hex. */
export function recordId(record: CatalogRecord): string {
  return record.kind === 'table' ? record.tableId : record.typeId;
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
    ((record.kind as string) !== 'table' && (record.kind as string) !== 'type')
  ) {
    throw new MetadataIntegrityError(
      'METADATA_RECORD_FORMAT',
      'a record has a format that this version of the proxy does not know',
    );
  }
  return record;
}
