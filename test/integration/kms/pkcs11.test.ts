import { afterAll, describe, expect, it } from 'vitest';
import { Pkcs11Kms } from '../../../src/kms/pkcs11/index.ts';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { kmsContract } from '../../support/kms_contract.ts';
import type { KmsGaps, KmsUnderTest } from '../../support/kms_contract.ts';
import type { SoftHsm } from '../../support/kms_servers/softhsm.ts';
import type { MissingServer } from '../../support/kms_servers/test_server.ts';

const WORKER = new URL('../../support/pkcs11_worker.mjs', import.meta.url);
const NO_DELETION = 'PKCS#11 destroys keys at once';

const GAPS: KmsGaps = {
  pendingDeletion: NO_DELETION,
  passingDays: NO_DELETION,
  waitingPeriods: NO_DELETION,
  emptyPlaintext: 'tokens take none',
};

/** The binding is an optional package: it may not have been built here. */
async function start(): Promise<SoftHsm | MissingServer> {
  try {
    await import('pkcs11js');
  } catch {
    return { missing: 'the package pkcs11js was not built' };
  }
  const { startSoftHsm } = await import('../../support/kms_servers/softhsm.ts');
  return await startSoftHsm();
}

const hsm = await start();

describe.skipIf(hsm.missing !== undefined)(
  `the PKCS#11 provider on SoftHSM ${hsm.missing ?? ''}`,
  () => {
    const token = hsm as SoftHsm;
    const limits = remoteCallLimits(20_000);
    const open = (pin = token.pin): Pkcs11Kms =>
      new Pkcs11Kms({ ...token, pin, limits, workerScript: WORKER });
    const provider = hsm.missing === undefined ? open() : undefined;
    const kms = (): Pkcs11Kms => provider as Pkcs11Kms;
    const arnOf = (id: string): string => `arn:cqlock:pkcs11:cqlock%20test:id/${id}`;
    const idOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

    afterAll(async () => {
      if (hsm.missing === undefined) await hsm.stop();
    });

    kmsContract(
      async (): Promise<KmsUnderTest> => ({
        provider: kms(),
        absentKey: arnOf('00'),
        createCustomerKey: async () => arnOf(token.createKey('contract')),
        setKeyEnabled: async (arn, enabled) => {
          token.setUsable(idOf(arn), enabled);
        },
        scheduleDeletion: () => Promise.reject(new Error(NO_DELETION)),
        passDays: () => Promise.reject(new Error(NO_DELETION)),
      }),
      GAPS,
    );

    it('resolves PKCS#11 URIs to the id of the key', async () => {
      const id = token.createKey('orders key');
      const percent = id.replace(/../g, '%$&');
      for (const uri of [
        'pkcs11:object=orders%20key',
        'pkcs11:token=cqlock%20test;object=orders%20key;type=secret-key',
        `pkcs11:id=${percent}`,
        arnOf(id),
      ]) {
        expect(kms().recognises(uri)).toBe(true);
        expect(await kms().resolveKey(uri)).toBe(arnOf(id));
      }
    });

    it.each([
      'pkcs11:object=none',
      'pkcs11:token=other;object=orders%20key',
      'pkcs11:object=orders%20key;object=x',
      'pkcs11:object=orders%20key;module-path=/x.so',
      'pkcs11:',
      'arn:cqlock:pkcs11:other:id/a0',
    ])('knows no key %s', async (uri) => {
      await expect(kms().resolveKey(uri)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    });

    it('refuses a label that two keys have, and keys that are too short', async () => {
      token.createKey('twice');
      token.createKey('twice');
      token.createKey('short', 16);
      for (const uri of ['pkcs11:object=twice', 'pkcs11:object=short']) {
        await expect(kms().resolveKey(uri)).rejects.toMatchObject({
          name: 'KeyAccessError',
          code: 'KEY_ACCESS_DENIED',
        });
      }
    });

    it('refuses a key that was destroyed', async () => {
      const arn = arnOf(token.createKey('gone'));
      const { blob } = await kms().generateDataKey(arn, {});
      token.destroy(idOf(arn));
      await expect(kms().decrypt(arn, blob, {})).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    });

    it('a library that is not there is a matter of the settings', async () => {
      const other = new Pkcs11Kms({
        ...token,
        library: '/nonexistent/libpkcs11.so',
        limits,
        workerScript: WORKER,
      });
      await expect(other.describeKey(arnOf('a0'))).rejects.toMatchObject({
        name: 'KeyUnavailableError',
        code: 'KEY_KMS_CONFIG',
      });
    });

    it('answers many calls at once', async () => {
      const arn = arnOf(token.createKey('busy'));
      const { blob } = await kms().generateDataKey(arn, {});
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => kms().decrypt(arn, blob, {})),
      );
      expect(new Set(answers.map((answer) => Buffer.from(answer).toString('hex'))).size).toBe(1);
    });
  },
);
