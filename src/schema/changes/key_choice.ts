import {
  KeyAccessError,
  KeyUnavailableError,
  MetadataIntegrityError,
  SchemaError,
} from '../../errors/index.ts';
import type { KeyTarget } from '../ports.ts';
import type { ChangeContext } from './change_context.ts';
import type { EncryptionChoice } from './change_types.ts';

/** What a key is chosen for. */
export interface KeyedObject {
  readonly keyspace: string;
  /** `undefined` for the default of a keyspace. */
  readonly table: string | undefined;
}

/**
 * The KMS key that a statement names, its alias resolved.
 * @throws SchemaError when there is no such key.
 */
export async function chosenKey(
  context: ChangeContext,
  object: KeyedObject,
  choice: EncryptionChoice,
): Promise<KeyTarget> {
  if (choice === 'service-owned') return choice;
  try {
    return await context.keys.resolveKey(choice.identifier);
  } catch (error) {
    throw keyFailure(context, object, choice.identifier, error);
  }
}

/**
 * The KMS key of a new table that names none: its keyspace's default, else a service-owned key.
 * @throws MetadataIntegrityError while a record is damaged: it may be the one of the keyspace, whose key would be forgotten.
 */
export async function defaultKey(context: ChangeContext, keyspace: string): Promise<KeyTarget> {
  const { records, damaged } = await context.catalog.readRecords();
  for (const { record } of records.values()) {
    if (record.kind === 'keyspace' && record.keyspace === keyspace) return record.defaultKey;
  }
  if (damaged.length === 0) return 'service-owned';
  throw new MetadataIntegrityError(
    'METADATA_RECORD',
    `a record of the catalog is missing or altered, and may be that of the default key of keyspace ${keyspace}; name a key in CUSTOM_PROPERTIES, or restore the keyspace cqlock`,
  );
}

/** Tells the owners about a customer managed key that cannot be used, and gives the error for the client. */
export function keyFailure(
  context: ChangeContext,
  object: KeyedObject,
  keyArn: string,
  error: unknown,
): unknown {
  if (!(error instanceof KeyAccessError || error instanceof KeyUnavailableError)) return error;
  const { keyspace, table } = object;
  context.notices.keyRefused({ keyspace, table, keyArn, error });
  const where = table === undefined ? `keyspace ${keyspace}` : `table ${keyspace}.${table}`;
  return new SchemaError(
    'SCHEMA_KEY_REFUSED',
    `The KMS key ${keyArn} cannot be used for ${where}: ${error.message} (${error.code}). Nothing was changed`,
    { cause: error },
  );
}
