import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  ListGrantsCommand,
  ScheduleKeyDeletionCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import type { KMSClient } from '@aws-sdk/client-kms';
import { afterAll, describe, expect, it } from 'vitest';
import { AwsKms } from '../../../src/kms/aws/index.ts';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { kmsContract } from '../../support/kms_contract.ts';
import type { KmsGaps, KmsUnderTest } from '../../support/kms_contract.ts';
import {
  awsAdministrator,
  startLocalStack,
  startMoto,
  TEST_REGION,
} from '../../support/kms_servers/aws_servers.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'test';
process.env['AWS_SECRET_ACCESS_KEY'] = 'test';

const GRANTEE = 'arn:aws:iam::000000000000:role/cqlock';
const NO_CLOCK = 'its clock cannot be moved';

/** moto 5.2.5. */
const MOTO_GAPS: KmsGaps = {
  contextFraming: 'it joins names and values without lengths',
  foreignBlobs: 'it says that a blob of another key may not be used',
  disabledKeys: 'it lets disabled keys be used',
  enablingAgain: 'it lets disabled keys be used',
  pendingDeletion: 'it lets deleted keys be used',
  passingDays: NO_CLOCK,
  waitingPeriods: 'it takes any',
  emptyPlaintext: 'AWS KMS takes none',
  absentGrants: 'it fails',
  manyCalls: 'it is slow',
};

/** LocalStack 2026.3.0. */
const LOCALSTACK_GAPS: KmsGaps = {
  foreignBlobs: 'it fails at a key id in a blob that is no text',
  contextFraming: 'it joins names and values without lengths',
  passingDays: NO_CLOCK,
  waitingPeriods: 'it checks them itself, in words of its own',
  emptyPlaintext: 'AWS KMS takes none',
  manyCalls: 'it is slow',
};

const servers = [
  ['moto', await startMoto(), MOTO_GAPS],
  ['LocalStack', await startLocalStack(), LOCALSTACK_GAPS],
] as const;

afterAll(async () => {
  for (const [, server] of servers) if (server.missing === undefined) await server.stop();
});

function providerOn(port: number, takesBareNames = true): AwsKms {
  return new AwsKms({
    region: TEST_REGION,
    endpoint: `http://127.0.0.1:${port}`,
    granteePrincipal: GRANTEE,
    takesBareNames,
    limits: remoteCallLimits(8_000),
  });
}

/** Both emulators take ids where they fail at ARNs. */
function idOf(arn: string): string {
  return arn.slice(arn.indexOf('/') + 1);
}

async function newKey(administrator: KMSClient): Promise<string> {
  const { KeyMetadata: key } = await administrator.send(
    new CreateKeyCommand({ KeyUsage: 'ENCRYPT_DECRYPT' }),
  );
  return key?.Arn ?? '';
}

for (const [name, server, gaps] of servers) {
  describe.skipIf(server.missing !== undefined)(
    `the AWS KMS provider on ${name} ${server.missing ?? ''}`,
    () => {
      const port = server.missing === undefined ? server.port : 0;
      const administrator = awsAdministrator(port);
      const provider = providerOn(port);

      const setUp = async (): Promise<KmsUnderTest> => ({
        provider,
        absentKey: `arn:aws:kms:${TEST_REGION}:000000000000:key/00000000-0000-0000-0000-000000000000`,
        createCustomerKey: () => newKey(administrator),
        setKeyEnabled: async (arn, enabled) => {
          const KeyId = idOf(arn);
          if (!enabled) await administrator.send(new DisableKeyCommand({ KeyId }));
          else {
            if ((await provider.describeKey(arn)).state === 'pending_deletion') {
              await administrator.send(new CancelKeyDeletionCommand({ KeyId }));
            }
            await administrator.send(new EnableKeyCommand({ KeyId }));
          }
        },
        scheduleDeletion: async (KeyId, PendingWindowInDays) => {
          await administrator.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays }));
        },
        passDays: () => Promise.reject(new Error(NO_CLOCK)),
      });

      kmsContract(setUp, gaps);

      it('resolves aliases, alias ARNs and key ids to the ARN of the key', async () => {
        const arn = await newKey(administrator);
        const other = await newKey(administrator);
        const AliasName = `alias/cqlock-${name}`;
        await administrator.send(new CreateAliasCommand({ AliasName, TargetKeyId: idOf(arn) }));
        const aliasArn = arn.replace(/:key\/.*/, `:${AliasName}`);
        for (const identifier of [arn, AliasName, aliasArn, idOf(arn)]) {
          expect(provider.recognises(identifier)).toBe(true);
          expect(await provider.resolveKey(identifier)).toBe(arn);
        }
        await administrator.send(new UpdateAliasCommand({ AliasName, TargetKeyId: idOf(other) }));
        expect(await provider.resolveKey(aliasArn)).toBe(other);
        // A record never keeps an alias: it could come to stand for another key.
        await expect(provider.encrypt(aliasArn, Buffer.of(1), {})).rejects.toMatchObject({
          code: 'KEY_NOT_FOUND',
        });
      });

      // moto does not find its own multi-Region keys by their ARN.
      it.skipIf(name === 'moto')('uses multi-Region keys by the ARN of their Region', async () => {
        const created = await administrator.send(new CreateKeyCommand({ MultiRegion: true }));
        const arn = created.KeyMetadata?.Arn ?? '';
        expect(arn).toMatch(/:key\/mrk-/);
        const { blob, plaintext } = await provider.generateDataKey(arn, { a: 'b' });
        expect(await provider.decrypt(arn, blob, { a: 'b' })).toEqual(plaintext);
      });

      it('refuses keys that are not for symmetric encryption', async () => {
        const created = await administrator.send(
          new CreateKeyCommand({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' }),
        );
        await expect(provider.resolveKey(created.KeyMetadata?.Arn ?? '')).rejects.toMatchObject({
          name: 'KeyAccessError',
          code: 'KEY_ACCESS_DENIED',
        });
      });

      it('makes a grant with its constraint, and retires it', async () => {
        const arn = await newKey(administrator);
        const request = {
          name: 'cqlock-working-0a',
          operations: ['Decrypt', 'DescribeKey'] as const,
          contextSubset: { 'cqlock:table-id': '0a' },
        };
        const grant = await provider.createGrant(arn, request);
        const { Grants = [] } = await administrator.send(new ListGrantsCommand({ KeyId: arn }));
        expect(Grants).toHaveLength(1);
        expect(Grants[0]).toMatchObject({
          GrantId: grant,
          Name: request.name,
          GranteePrincipal: GRANTEE,
          Operations: request.operations,
          Constraints: { EncryptionContextSubset: request.contextSubset },
        });
        await provider.retireGrant(arn, grant ?? '');
        const after = await administrator.send(new ListGrantsCommand({ KeyId: arn }));
        expect(after.Grants).toHaveLength(0);
      });

      // moto gives every call a grant of its own, whatever its name.
      it.skipIf(name === 'moto')('makes one grant for one name', async () => {
        const arn = await newKey(administrator);
        const request = {
          name: 'one',
          operations: ['Decrypt'] as const,
          contextSubset: { a: 'b' },
        };
        const first = await provider.createGrant(arn, request);
        expect(await provider.createGrant(arn, request)).toBe(first);
        expect(await provider.createGrant(arn, { ...request, name: 'two' })).not.toBe(first);
      });
    },
  );
}
