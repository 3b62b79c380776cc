import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../../src/app/embedded_cassandra/index.ts';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { VaultKms } from '../../../src/kms/vault/index.ts';
import { kmsContract } from '../../support/kms_contract.ts';
import type { KmsGaps } from '../../support/kms_contract.ts';
import { serverDirectory, startServer } from '../../support/kms_servers/test_server.ts';
import type { MissingServer, TestServer } from '../../support/kms_servers/test_server.ts';

const NO_STATES = 'Transit keys have policies instead';

const GAPS: KmsGaps = {
  disabledKeys: NO_STATES,
  enablingAgain: NO_STATES,
  pendingDeletion: NO_STATES,
  passingDays: NO_STATES,
  waitingPeriods: NO_STATES,
  manyCalls: 'each is a request',
};
const PREFIX = 'arn:cqlock:vault::transit/keys/';

async function startVault(): Promise<TestServer | MissingServer> {
  const program = process.env['CQLOCK_TEST_VAULT'] ?? 'vault';
  try {
    await promisify(execFile)(program, ['version']);
  } catch {
    return { missing: 'there is no vault on the path or in CQLOCK_TEST_VAULT' };
  }
  const port = await findFreePort();
  return await startServer({
    name: 'vault',
    command: [
      ...[program, 'server', '-dev', '-dev-no-store-token', '-dev-root-token-id=root'],
      `-dev-listen-address=127.0.0.1:${port}`,
    ],
    port,
    directory: await serverDirectory('vault'),
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/v1/sys/health`)).ok,
  });
}

const server = await startVault();

describe.skipIf(server.missing !== undefined)(
  `the Vault provider on Vault ${server.missing ?? ''}`,
  () => {
    const address = `http://127.0.0.1:${server.missing === undefined ? server.port : 0}`;
    const open = (token: string): VaultKms =>
      new VaultKms({
        address,
        namespace: '',
        mount: 'transit',
        caFile: undefined,
        auth: { kind: 'token', token },
        limits: remoteCallLimits(8_000),
      });
    const provider = open('root');
    let count = 0;

    const administer = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
      const answer = await fetch(`${address}/v1/${path}`, {
        method: 'POST',
        headers: { 'x-vault-token': 'root' },
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
      return answer.status === 204 ? {} : ((await answer.json()) as Record<string, unknown>);
    };
    const newKey = async (settings: Record<string, unknown> = {}): Promise<string> => {
      count += 1;
      await administer(`transit/keys/key-${count}`, settings);
      return `${PREFIX}key-${count}`;
    };

    beforeAll(async () => {
      if (server.missing === undefined) await administer('sys/mounts/transit', { type: 'transit' });
    });

    afterAll(async () => {
      if (server.missing === undefined) await server.stop();
    });

    kmsContract(
      async () => ({
        provider,
        absentKey: `${PREFIX}none`,
        createCustomerKey: () => newKey(),
        setKeyEnabled: () => Promise.reject(new Error(NO_STATES)),
        scheduleDeletion: () => Promise.reject(new Error(NO_STATES)),
        passDays: () => Promise.reject(new Error(NO_STATES)),
      }),
      GAPS,
    );

    it('refuses keys that bind no associated data', async () => {
      for (const settings of [{ type: 'rsa-2048' }, { derived: true }]) {
        await expect(provider.resolveKey(await newKey(settings))).rejects.toMatchObject({
          code: 'KEY_ACCESS_DENIED',
        });
      }
    });

    it('refuses versions that the key does not allow any more', async () => {
      const arn = await newKey();
      const { blob } = await provider.generateDataKey(arn, {});
      const name = arn.slice(PREFIX.length);
      await administer(`transit/keys/${name}/rotate`, {});
      expect((await provider.decrypt(arn, blob, {})).length).toBe(32);
      await administer(`transit/keys/${name}/config`, { min_decryption_version: 2 });
      await expect(provider.decrypt(arn, blob, {})).rejects.toMatchObject({ code: 'KEY_DISABLED' });
    });

    it('tells a policy that denies from a token that is not valid', async () => {
      const arn = await newKey();
      const { auth } = await administer('auth/token/create', { policies: ['default'] });
      const token = (auth as { client_token: string }).client_token;
      await expect(open(token).describeKey(arn)).rejects.toMatchObject({
        code: 'KEY_ACCESS_DENIED',
      });
      await expect(open('no-token').describeKey(arn)).rejects.toMatchObject({
        code: 'KEY_KMS_CONFIG',
      });
    });
  },
);
