import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { MetadataIntegrityError, SchemaError } from '../../../src/errors/index.ts';
import { KeyService, KmsTableKeys } from '../../../src/keys/index.ts';
import { EmbeddedKms, KeyStore, KmsRegistry, loadRootKey } from '../../../src/kms/index.ts';
import type { ServiceKeyProvider } from '../../../src/kms/index.ts';
import type { TableKeys } from '../../../src/schema/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { encryptedTable } from '../../support/table_entry.ts';

const CLUSTER = Buffer.alloc(16, 0xc1);
const A = Buffer.alloc(16, 0xa);
const B = Buffer.alloc(16, 0xb);

let kms: EmbeddedKms;
let keyStore: KeyStore;
let keysOfA: TableKeys;
let keysOfB: TableKeys;

beforeAll(async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'cqlock-tk-')), 'keystore');
  const value = Buffer.alloc(32, 5).toString('base64');
  keyStore = await KeyStore.create({ path, rootKey: loadRootKey({ kind: 'base64', value }) });
  kms = new EmbeddedKms({ store: keyStore });
  const factory = new KmsTableKeys(new KmsRegistry(kms));
  const table = { clusterId: CLUSTER, keyspace: 'ks' };
  keysOfA = await factory.newTableKeys({ ...table, tableId: A, name: 'a' });
  keysOfB = await factory.newTableKeys({ ...table, tableId: B, name: 'b' });
});

/** The embedded KMS, with every plaintext that leaves it and every key it was asked with. */
function watched(): { provider: ServiceKeyProvider; plaintexts: Uint8Array[]; arns: string[] } {
  const plaintexts: Uint8Array[] = [];
  const arns: string[] = [];
  const provider: ServiceKeyProvider = Object.create(kms) as ServiceKeyProvider;
  Object.defineProperties(provider, {
    name: { value: kms.name },
    decrypt: {
      value: async (...args: Parameters<ServiceKeyProvider['decrypt']>) => {
        arns.push(args[0]);
        const plaintext = await kms.decrypt(...args);
        plaintexts.push(plaintext);
        return plaintext;
      },
    },
    generateDataKey: {
      value: async (...args: Parameters<ServiceKeyProvider['generateDataKey']>) => {
        const dataKey = await kms.generateDataKey(...args);
        plaintexts.push(dataKey.plaintext);
        return dataKey;
      },
    },
    createServiceKey: {
      value: (...args: Parameters<ServiceKeyProvider['createServiceKey']>) =>
        kms.createServiceKey(...args),
    },
  });
  return { provider, plaintexts, arns };
}

async function refusalOf(keys: TableKeys, tableId: Uint8Array = A, cluster: Uint8Array = CLUSTER) {
  try {
    (
      await new KmsTableKeys(new KmsRegistry(kms)).open(encryptedTable(tableId, keys), cluster)
    ).dispose();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

describe('new keys of a table', () => {
  it('are one key DEK and one cell DEK, under a table key of a service-owned key of its own', () => {
    expect(keysOfA.deks.map((dek) => [dek.structure, dek.epoch, dek.state])).toEqual([
      ['key', 1, 'active'],
      ['cell', 1, 'active'],
    ]);
    expect(keysOfA.serviceOwned).toBe(true);
    expect(keysOfA.keyArn).not.toBe(keysOfB.keyArn);
    const ids = [...keysOfA.deks, ...keysOfB.deks].map((dek) => dek.dekId);
    expect(new Set(ids).size).toBe(4);
    // 1 version, 16 id, 16 tag, 32 key. Spec: format, wrapped DEK
    for (const dek of keysOfA.deks) expect(dek.wrapped.length).toBe(65 * 2);
    expect(keysOfA.tableKeys[0]?.context).toEqual({
      'cqlock:cluster': CLUSTER.toString('hex'),
      'cqlock:table-id': A.toString('hex'),
      'cqlock:purpose': 'table-key',
      'cqlock:version': '1',
      'cqlock:keyspace': 'ks',
      'cqlock:table': 'a',
    });
  });

  it('leave no table key in memory, nor any in what is kept', async () => {
    const { provider, plaintexts } = watched();
    let leaked: Buffer | undefined;
    const spy = Object.create(provider) as ServiceKeyProvider;
    Object.defineProperty(spy, 'generateDataKey', {
      value: async (...args: Parameters<ServiceKeyProvider['generateDataKey']>) => {
        const dataKey = await provider.generateDataKey(...args);
        leaked = Buffer.from(dataKey.plaintext);
        return dataKey;
      },
    });
    const keys = await new KmsTableKeys(new KmsRegistry(spy)).newTableKeys({
      clusterId: CLUSTER,
      tableId: Buffer.alloc(16, 0xd),
      keyspace: 'ks',
      name: 'd',
    });
    expect(plaintexts.map((bytes) => Buffer.from(bytes).equals(Buffer.alloc(32)))).toEqual([true]);
    expect(JSON.stringify(keys)).not.toContain(leaked?.toString('hex'));
  });

  it('that came to nothing are destroyed by the id of their table', async () => {
    const factory = new KmsTableKeys(new KmsRegistry(kms));
    const tableId = Buffer.alloc(16, 0xe);
    const about = { clusterId: CLUSTER, tableId, keyspace: 'ks', name: 'e' };
    const { keyArn } = await factory.newTableKeys(about);
    await factory.discardTableKeys(tableId);
    await expect(kms.describeKey(keyArn)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    expect((await kms.describeKey(keysOfA.keyArn)).state).toBe('enabled');
  });
});

describe('opening the keys of a table', () => {
  it('asks with the key of the record, zeroes the table key, and ends all ciphers at disposal', async () => {
    const { provider, plaintexts, arns } = watched();
    const opened = await new KmsTableKeys(new KmsRegistry(provider)).open(
      encryptedTable(A, keysOfA),
      CLUSTER,
    );
    expect(arns).toEqual([keysOfA.keyArn]);
    expect(plaintexts.length).toBe(1);
    expect(Buffer.from(plaintexts[0] as Uint8Array)).toEqual(Buffer.alloc(32));
    const ciphers = [
      opened.keyDek.det.ctr,
      opened.keyDek.det.mac,
      opened.keyDek.order.bind,
      opened.keyDek.order.chain,
      opened.keyDek.order.final,
      opened.cellDek.cell.ctr,
      opened.cellDek.cell.mac,
    ];
    const use = (cipher: (typeof ciphers)[number]): void => {
      cipher.encryptInPlace(Buffer.alloc(16), 1);
    };
    for (const cipher of ciphers) use(cipher);
    expect(opened.cellDekByEpoch(1)).toBe(opened.cellDek);
    expect(opened.cellDekByEpoch(2)).toBeUndefined();
    opened.dispose();
    for (const cipher of ciphers) {
      expect(() => {
        use(cipher);
      }).toThrow('a key was used after its disposal');
    }
  });

  it('zeroes the table key too when a DEK does not open', async () => {
    const { provider, plaintexts } = watched();
    const swapped = { ...keysOfA, deks: keysOfB.deks };
    await expect(
      new KmsTableKeys(new KmsRegistry(provider)).open(encryptedTable(A, swapped), CLUSTER),
    ).rejects.toMatchObject({ code: 'METADATA_WRAPPED_DEK' });
    expect(plaintexts.map((bytes) => Buffer.from(bytes).equals(Buffer.alloc(32)))).toEqual([true]);
  });

  it('refuses keys of another table, whole or in part', async () => {
    expect(await refusalOf(keysOfA)).toBeUndefined();
    expect(await refusalOf(keysOfB)).toBe('METADATA_TABLE_KEY_COMMITMENT');
    expect(await refusalOf({ ...keysOfA, tableKeys: keysOfB.tableKeys })).toBe(
      'METADATA_TABLE_KEY_COMMITMENT',
    );
    expect(await refusalOf({ ...keysOfA, deks: keysOfB.deks })).toBe('METADATA_WRAPPED_DEK');
  });

  it('refuses keys of another cluster', async () => {
    expect(await refusalOf(keysOfA, A, Buffer.alloc(16, 0xc2))).toBe('METADATA_WRAPPED_DEK');
  });

  it('refuses a key DEK as cell DEK, another epoch, another id and another version', async () => {
    const change = (edit: Partial<TableKeys['deks'][number]>): TableKeys => ({
      ...keysOfA,
      deks: keysOfA.deks.map((dek) => (dek.structure === 'cell' ? { ...dek, ...edit } : dek)),
    });
    const key = keysOfA.deks.find((dek) => dek.structure === 'key');
    if (key === undefined) throw new TypeError('no key DEK');
    expect(await refusalOf(change({ wrapped: key.wrapped, dekId: key.dekId }))).toBe(
      'METADATA_WRAPPED_DEK',
    );
    expect(await refusalOf(change({ epoch: 2 }))).toBe('METADATA_WRAPPED_DEK');
    expect(await refusalOf(change({ dekId: key.dekId }))).toBe('METADATA_WRAPPED_DEK');
    expect(await refusalOf(change({ tableKeyVersion: 2 }))).toBe('METADATA_TABLE_KEYS');
  });

  it('refuses a table key under another KMS key, context, commitment or provider', async () => {
    const [first] = keysOfA.tableKeys;
    if (first === undefined) throw new TypeError('no table key');
    const change = (edit: Partial<typeof first>): TableKeys => ({
      ...keysOfA,
      tableKeys: [{ ...first, ...edit }],
    });
    expect(await refusalOf(change({ keyArn: keysOfB.keyArn }))).toBe('METADATA_WRAPPED_KEY');
    expect(await refusalOf(change({ context: { ...first.context, more: '' } }))).toBe(
      'METADATA_WRAPPED_KEY',
    );
    expect(await refusalOf(change({ commit: '00'.repeat(32) }))).toBe(
      'METADATA_TABLE_KEY_COMMITMENT',
    );
    expect(await refusalOf(change({ provider: 'other' }))).toBe('KEY_NOT_FOUND');
    expect(await refusalOf(change({ blob: '' }))).toBe('METADATA_WRAPPED_KEY');
  });

  it('refuses a record that lacks a DEK, or whose cell DEK is below the lowest epoch', async () => {
    for (const structure of ['key', 'cell']) {
      const deks = keysOfA.deks.filter((dek) => dek.structure !== structure);
      expect(await refusalOf({ ...keysOfA, deks })).toBe('METADATA_TABLE_KEYS');
    }
    expect(await refusalOf({ ...keysOfA, minEpoch: 2 })).toBe('METADATA_TABLE_KEYS');
    expect(await refusalOf({ ...keysOfA, tableKeys: [] })).toBe('METADATA_TABLE_KEYS');
  });
});

describe('a lease', () => {
  function service(open: () => Promise<never> | ReturnType<KmsTableKeys['open']>) {
    let calls = 0;
    const clock = fakeClock();
    const keys = new KeyService({
      clusterId: CLUSTER,
      clock,
      metrics: { leases: () => undefined },
      tableKeys: {
        open: async () => {
          calls += 1;
          return await open();
        },
      },
    });
    return { keys, clock, calls: () => calls };
  }
  const opensA = (): ReturnType<KmsTableKeys['open']> =>
    new KmsTableKeys(new KmsRegistry(kms)).open(encryptedTable(A, keysOfA), CLUSTER);

  it('goes on for a table whose columns changed; new wrapped keys need a new call', async () => {
    const { keys, calls } = service(opensA);
    const leases = keys.leases();
    const granted = await leases.acquire(encryptedTable(A, keysOfA));
    expect(leases.acquire(encryptedTable(A, { ...keysOfA }))).toBe(granted);
    expect(calls()).toBe(1);
    const other = await leases.acquire(encryptedTable(A, { ...keysOfA, keyArn: 'arn:other' }));
    expect(other).not.toBe(granted);
    expect(calls()).toBe(2);
    keys.close();
  });

  it.each(['unknown', 'broken', 'plain'] as const)(
    'is not given for a table that is %s',
    async (kind) => {
      const { keys, calls } = service(opensA);
      const leases = keys.leases();
      await leases.acquire(encryptedTable(A, keysOfA));
      const error = new SchemaError('SCHEMA_TEST', 'no');
      const entry = {
        ...encryptedTable(A, keysOfA),
        kind,
        error: kind === 'plain' ? undefined : error,
      };
      await expect((async () => await leases.acquire(entry))()).rejects.toMatchObject({
        code: kind === 'plain' ? 'SCHEMA_PLAIN_TABLE' : 'SCHEMA_TEST',
      });
      expect(calls()).toBe(1);
      keys.close();
    },
  );

  it('that failed verification is refused for 5 seconds without asking the KMS again', async () => {
    const { keys, clock, calls } = service(() =>
      Promise.reject(new MetadataIntegrityError('METADATA_WRAPPED_KEY', 'altered')),
    );
    const ask = async (): Promise<unknown> =>
      await keys.leases().acquire(encryptedTable(A, keysOfA));
    for (let request = 0; request < 100; request += 1) {
      await expect(ask()).rejects.toMatchObject({ code: 'METADATA_WRAPPED_KEY' });
    }
    clock.advance(4_999);
    await expect(ask()).rejects.toMatchObject({ code: 'METADATA_WRAPPED_KEY' });
    expect(calls()).toBe(1);
    clock.advance(1);
    await expect(ask()).rejects.toMatchObject({ code: 'METADATA_WRAPPED_KEY' });
    expect(calls()).toBe(2);
  });
});
