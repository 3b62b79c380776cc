import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../../src/kms/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { kmsContract, serviceKeyContract } from '../../support/kms_contract.ts';
import type { KmsUnderTest } from '../../support/kms_contract.ts';

const ROOT_KEY = loadRootKey({ kind: 'base64', value: Buffer.alloc(32, 5).toString('base64') });

function newPath(): string {
  return join(mkdtempSync(join(tmpdir(), 'cqlock-kms-')), 'keystore');
}

async function setUp(): Promise<KmsUnderTest<EmbeddedKms>> {
  const clock = fakeClock();
  const store = await KeyStore.create({ path: newPath(), rootKey: ROOT_KEY });
  const provider = new EmbeddedKms({ store, clock });
  return {
    provider,
    absentKey: 'arn:cqlock:kms:local:000000000000:key/00000000-0000-0000-0000-000000000000',
    createCustomerKey: () => provider.createCustomerKey('test'),
    setKeyEnabled: (arn, enabled) => provider.setKeyEnabled(arn, enabled),
    scheduleDeletion: (arn, days) => provider.scheduleDeletion(arn, days),
    passDays: async (days) => {
      clock.advance(days * 86_400_000);
      await Promise.resolve();
    },
  };
}

describe('the embedded KMS keeps the contract of providers:', () => {
  kmsContract(setUp);
});

describe('the embedded KMS keeps the contract of service-owned keys:', () => {
  serviceKeyContract(setUp);
});

describe('two instances of the embedded KMS on one key store', () => {
  it('see each other’s keys and states at once', async () => {
    const path = newPath();
    const a = new EmbeddedKms({ store: await KeyStore.create({ path, rootKey: ROOT_KEY }) });
    const b = new EmbeddedKms({ store: KeyStore.open({ path, rootKey: ROOT_KEY }) });
    const arn = await a.createCustomerKey('a');
    const { blob, plaintext } = await b.generateDataKey(arn, {});
    expect(Buffer.from(await a.decrypt(arn, blob, {}))).toEqual(Buffer.from(plaintext));
    await a.setKeyEnabled(arn, false);
    await expect(b.decrypt(arn, blob, {})).rejects.toMatchObject({ code: 'KEY_DISABLED' });
    await b.setKeyEnabled(arn, true);
    await a.decrypt(arn, blob, {});
  });

  it('lose no key when both make some at the same time', async () => {
    const path = newPath();
    const a = new EmbeddedKms({ store: await KeyStore.create({ path, rootKey: ROOT_KEY }) });
    const b = new EmbeddedKms({ store: KeyStore.open({ path, rootKey: ROOT_KEY }) });
    const arns = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        (index % 2 === 0 ? a : b).createServiceKey('table', String(index), 'owner'),
      ),
    );
    expect(new Set(arns).size).toBe(30);
    const c = new EmbeddedKms({ store: KeyStore.open({ path, rootKey: ROOT_KEY }) });
    for (const arn of arns) await c.generateDataKey(arn, {});
  });
});
