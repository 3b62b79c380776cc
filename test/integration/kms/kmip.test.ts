import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  enumeration,
  integer,
  KmipClient,
  KmipKms,
  structure,
  text,
} from '../../../src/kms/kmip/index.ts';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { httpAnswer, startFaultProxy } from '../../support/fault_proxy.ts';
import type { FaultProxy } from '../../support/fault_proxy.ts';
import { kmsContract } from '../../support/kms_contract.ts';
import type { KmsGaps, KmsUnderTest } from '../../support/kms_contract.ts';
import { startPyKmip } from '../../support/kms_servers/pykmip_server.ts';
import type { KmipFiles } from '../../support/kms_servers/pykmip_server.ts';

const NO_DELETION = 'KMIP destroys keys at once';

const GAPS: KmsGaps = {
  enablingAgain: 'a key that is revoked stays so',
  pendingDeletion: NO_DELETION,
  passingDays: NO_DELETION,
  waitingPeriods: NO_DELETION,
  emptyPlaintext: 'KMIP encrypts none',
  manyCalls: 'each is a TLS handshake',
};

const CREATE = 0x01;
const ACTIVATE = 0x12;
const REVOKE = 0x13;
const DESTROY = 0x14;
const UNIQUE_IDENTIFIER = 0x420094;

const server = await startPyKmip();

describe.skipIf(server.missing !== undefined)(
  `the KMIP provider on PyKMIP ${server.missing ?? ''}`,
  () => {
    const port = server.missing === undefined ? server.port : 0;
    const limits = remoteCallLimits(20_000);
    const options = (
      files: KmipFiles | undefined,
      at = port,
    ): KmipFiles & { address: { host: string; port: number } } => ({
      address: { host: '127.0.0.1', port: at },
      ...(files as KmipFiles),
    });
    let administrator: KmipClient;
    let provider: KmipKms;
    let faults: FaultProxy;

    beforeAll(async () => {
      if (server.missing !== undefined) return;
      administrator = new KmipClient(options(server.files));
      provider = new KmipKms({ ...options(server.files), limits });
      faults = await startFaultProxy(port);
    });

    afterAll(async () => {
      await faults.stop();
      if (server.missing === undefined) await server.stop();
    });

    const administer = async (operation: number, payload: Buffer[]): Promise<string> => {
      const answer = await administrator.run(operation, payload);
      if ('reason' in answer) throw new Error(`KMIP: ${answer.message}`);
      const id = answer.payload?.items.find((item) => item.tag === UNIQUE_IDENTIFIER);
      return id?.value.toString('utf8') ?? '';
    };
    const attribute = (name: string, value: Buffer): Buffer =>
      structure(0x420008, [text(0x42000a, name), value]);
    const createKey = async (bits = 256, isActive = true): Promise<string> => {
      const id = await administer(CREATE, [
        enumeration(0x420057, 2),
        structure(0x420091, [
          attribute('Cryptographic Algorithm', enumeration(0x42000b, 3)),
          attribute('Cryptographic Length', integer(0x42000b, bits)),
          // Encrypt and decrypt.
          attribute('Cryptographic Usage Mask', integer(0x42000b, 0x0c)),
        ]),
      ]);
      if (isActive) await administer(ACTIVATE, [text(UNIQUE_IDENTIFIER, id)]);
      return `arn:cqlock:kmip:${id}`;
    };
    const idOf = (arn: string): string => arn.slice('arn:cqlock:kmip:'.length);
    const revoke = async (arn: string): Promise<void> => {
      await administer(REVOKE, [
        text(UNIQUE_IDENTIFIER, idOf(arn)),
        // Cessation of operation.
        structure(0x420081, [enumeration(0x420082, 6)]),
      ]);
    };

    kmsContract(
      async (): Promise<KmsUnderTest> => ({
        provider,
        absentKey: 'arn:cqlock:kmip:999999',
        createCustomerKey: () => createKey(),
        setKeyEnabled: async (arn, enabled) => {
          if (enabled) throw new Error(GAPS.enablingAgain);
          await revoke(arn);
        },
        scheduleDeletion: () => Promise.reject(new Error(NO_DELETION)),
        passDays: () => Promise.reject(new Error(NO_DELETION)),
      }),
      GAPS,
    );

    it('resolves unique identifiers', async () => {
      const arn = await createKey();
      for (const identifier of [arn, `kmip:${idOf(arn)}`]) {
        expect(provider.recognises(identifier)).toBe(true);
        expect(await provider.resolveKey(identifier)).toBe(arn);
      }
    });

    it('refuses keys that are too short, not yet active, or destroyed', async () => {
      await expect(provider.resolveKey(await createKey(128))).rejects.toMatchObject({
        code: 'KEY_ACCESS_DENIED',
      });
      const inactive = await createKey(256, false);
      await expect(provider.encrypt(inactive, Buffer.of(1), {})).rejects.toMatchObject({
        code: 'KEY_DISABLED',
      });
      const arn = await createKey();
      const { blob } = await provider.generateDataKey(arn, {});
      await revoke(arn);
      await administer(DESTROY, [text(UNIQUE_IDENTIFIER, idOf(arn))]);
      await expect(provider.decrypt(arn, blob, {})).rejects.toMatchObject({
        code: 'KEY_NOT_FOUND',
      });
    });

    it('a certificate that the server does not know says nothing about the key', async () => {
      const arn = await createKey();
      const files = server.missing === undefined ? server.strangerFiles : undefined;
      const stranger = new KmipKms({ ...options(files), limits: remoteCallLimits(3_000) });
      await expect(stranger.describeKey(arn)).rejects.toMatchObject({
        name: 'KeyUnavailableError',
      });
    });

    it.each([
      ['nothing listens', 'refuse'],
      ['it says nothing', 'hang'],
      ['it resets the connection', 'reset'],
      ['it talks garbage', 'garbage'],
      ['its answer ends early', 'truncate'],
      ['it is an HTTP server', httpAnswer('200 OK', 'text/plain', 'welcome')],
    ] as const)('%s: unavailable in time', async (_, fault) => {
      const arn = await createKey();
      const files = server.missing === undefined ? server.files : undefined;
      const kms = new KmipKms({ ...options(files, faults.port), limits: remoteCallLimits(2_000) });
      await faults.set(fault);
      const startedMs = performance.now();
      await expect(kms.describeKey(arn)).rejects.toMatchObject({
        name: 'KeyUnavailableError',
        code: 'KEY_UNAVAILABLE',
      });
      expect(performance.now() - startedMs).toBeLessThan(7_000);
      await faults.set('none');
      expect((await kms.describeKey(arn)).state).toBe('enabled');
    });
  },
);
