import type { ColumnKind, ColumnScheme } from '../entries.ts';
import type { CustomProperties, MaskRecord } from '../record.ts';

/** A column of CREATE TABLE or ALTER TABLE ADD. */
export interface NewColumn {
  readonly name: string;
  /** Logical type as `printType` prints it. */
  readonly type: string;
  readonly kind: ColumnKind;
  /** Position inside partition key or clustering; 0 otherwise. */
  readonly position: number;
  readonly order?: 'asc' | 'desc' | undefined;
  /** Default: by kind; clustering columns are ordered. */
  readonly scheme?: ColumnScheme | undefined;
  /** Default: true for cells of varint, decimal and duration. */
  readonly padded?: boolean | undefined;
  /** Type in Cassandra. Default: blob. */
  readonly storedType?: string | undefined;
  /** Default: none. */
  readonly mask?: MaskRecord | undefined;
}

/** The KMS key a statement names: by an identifier of the user's, or the service-owned default. */
export type EncryptionChoice = 'service-owned' | { readonly identifier: string };

/** What CREATE TABLE makes. */
export interface CreateTableDefinition {
  readonly keyspace: string;
  readonly name: string;
  readonly columns: readonly NewColumn[];
  /** Default: the default key of the keyspace, else a service-owned key. */
  readonly encryption?: EncryptionChoice | undefined;
  /** Custom properties beside the encryption. */
  readonly customProperties?: CustomProperties | undefined;
}

/** What ALTER TABLE does to the columns. */
export type AlterTableChange =
  | { readonly kind: 'add'; readonly columns: readonly NewColumn[] }
  | { readonly kind: 'drop'; readonly columns: readonly string[] }
  | {
      readonly kind: 'rename';
      readonly renames: readonly { readonly from: string; readonly to: string }[];
    }
  /** Only table options: the record does not change. */
  | { readonly kind: 'with' };

/**
 * Executes the stored statement on the client's own connection. It resolves when Cassandra has executed it (`exists`: an
 * IF NOT EXISTS or IF EXISTS found nothing to do) and rejects with the error for the client. A rejection with a CQL code
 * of a refusal (syntax, unauthorized, invalid, config, already exists) says that nothing was executed; any other
 * rejection counts as an unknown outcome.
 */
export type RunStored<A = void> = (args: A) => Promise<'created' | 'exists'>;
