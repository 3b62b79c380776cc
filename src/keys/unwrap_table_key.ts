import { constantTimeEqual, tableKeyCommit, zero } from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import type { TableKeyRecord } from '../schema/index.ts';

/**
 * Asks the KMS for a table key and checks it against the commitment of the verified record.
 * @returns 32 bytes; the caller owns them and overwrites them after use
 * @throws KeyAccessError, KeyUnavailableError from the KMS; MetadataIntegrityError when it opens another key. Spec: format 6
 */
export async function unwrapTableKey(
  kms: KmsRegistry,
  table: { readonly tableId: Uint8Array; readonly keyspace: string; readonly name: string },
  wrapped: TableKeyRecord,
): Promise<Uint8Array> {
  const plaintext = await kms
    .onTable(table)
    .named(wrapped.provider)
    .decrypt(wrapped.keyArn, Buffer.from(wrapped.blob, 'hex'), wrapped.context);
  const commit = tableKeyCommit(plaintext, table.tableId);
  if (!constantTimeEqual(commit, Buffer.from(wrapped.commit, 'hex'))) {
    zero(plaintext);
    throw new MetadataIntegrityError(
      'METADATA_TABLE_KEY_COMMITMENT',
      `the KMS opened another key for table ${table.keyspace}.${table.name} than its record commits to`,
    );
  }
  return plaintext;
}
