import { KeyAccessError } from '../errors/index.ts';
import type { KmsProvider } from '../kms/index.ts';
import type { GrantRecord, KmsKeyUse } from '../schema/index.ts';

const USES = ['working', 'backup'] as const;
const OPERATIONS = ['Decrypt', 'Encrypt', 'GenerateDataKey', 'DescribeKey'] as const;

/**
 * Makes the two grants of a table on a customer managed key. Their names come from the table id, so that a second call
 * makes no others.
 * @returns none where the KMS knows no grants
 */
export async function createGrants(
  provider: KmsProvider,
  keyArn: string,
  tableId: Uint8Array,
): Promise<GrantRecord[]> {
  const table = Buffer.from(tableId).toString('hex');
  const grants: GrantRecord[] = [];
  try {
    for (const use of USES) {
      const id = await provider.createGrant(keyArn, {
        name: `cqlock-${table}-${use}`,
        operations: OPERATIONS,
        contextSubset: { 'cqlock:table-id': table },
      });
      if (id !== undefined) grants.push({ use, id });
    }
  } catch (error) {
    // Where the KMS answered, no half of it is left.
    if (error instanceof KeyAccessError) {
      for (const grant of grants) await provider.retireGrant(keyArn, grant.id);
    }
    throw error;
  }
  return grants;
}

/**
 * Retires grants. Those of which nobody noted whether they were made are made once more, which tells their ids: their
 * names are those of before.
 */
export async function retireGrants(
  provider: KmsProvider,
  use: KmsKeyUse,
  tableId: Uint8Array,
): Promise<void> {
  let grants: readonly GrantRecord[];
  try {
    grants = use.grants ?? (await createGrants(provider, use.keyArn, tableId));
  } catch (error) {
    // A key that is gone has no grants.
    if (error instanceof KeyAccessError && error.code === 'KEY_NOT_FOUND') return;
    throw error;
  }
  for (const grant of grants) await provider.retireGrant(use.keyArn, grant.id);
}
