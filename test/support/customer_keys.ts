/** Tables under a customer managed key of the embedded KMS. */
import { KmsTableKeys } from '../../src/keys/index.ts';
import { KmsRegistry } from '../../src/kms/index.ts';
import type { EmbeddedKms, ServiceKeyProvider } from '../../src/kms/index.ts';
import type { Catalog } from '../../src/schema/index.ts';

/**
 * Gives a table keys under a customer managed key, made as its first ones were. To be called before anything is written:
 * the old keys are gone.
 * @param existing the key; a new one if not given
 * @returns the ARN of the key
 */
export async function putUnderCustomerKey(
  catalog: Catalog,
  kms: EmbeddedKms,
  keyspace: string,
  name: string,
  existing?: string,
): Promise<string> {
  const keyArn = existing ?? (await kms.createCustomerKey(`key of ${keyspace}.${name}`));
  const provider = {
    name: kms.name,
    createServiceKey: () => Promise.resolve(keyArn),
    generateDataKey: kms.generateDataKey.bind(kms),
  };
  const maker = new KmsTableKeys(new KmsRegistry(provider as unknown as ServiceKeyProvider));
  const table = catalog.snapshot().table(keyspace, name);
  if (table === undefined) throw new TypeError(`no table ${keyspace}.${name}`);
  const { clusterId } = await catalog.readRecords();
  const keys = await maker.newTableKeys({ clusterId, tableId: table.tableId, keyspace, name });
  const id = Buffer.from(table.tableId).toString('hex');
  await catalog.change(({ records }) => {
    const record = records.get(id)?.record;
    if (record?.kind !== 'table') throw new TypeError('no record');
    return { put: [{ ...record, keys: { ...keys, serviceOwned: false } }] };
  });
  await catalog.refresh();
  return keyArn;
}
