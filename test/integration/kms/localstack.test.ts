/**
 * The same calls on the listener of the embedded KMS and on LocalStack: members of the answers and names of the errors. Each
 * difference is named, with what AWS's documentation says.
 */
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  GetKeyPolicyCommand,
  GetKeyRotationStatusCommand,
  ListAliasesCommand,
  ListGrantsCommand,
  ListKeyPoliciesCommand,
  ListKeysCommand,
  ListResourceTagsCommand,
  ListRetirableGrantsCommand,
  PutKeyPolicyCommand,
  ReEncryptCommand,
  RetireGrantCommand,
  RevokeGrantCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateKeyDescriptionCommand,
} from '@aws-sdk/client-kms';
import type { KMSClient } from '@aws-sdk/client-kms';
import { afterAll, describe, expect, it } from 'vitest';
import { awsAdministrator, startLocalStack } from '../../support/kms_servers/aws_servers.ts';
import { startFixture } from './support.ts';

const localStack = await startLocalStack().catch((error: unknown) => ({
  missing: String(error).split('\n')[0] ?? 'it does not start',
}));
const fixture = await startFixture();

const MEMBERS = 'the response of the API reference has the members that LocalStack leaves out';
const LENGTH =
  'GenerateDataKey: "You must specify either the KeySpec or the NumberOfBytes parameters (but not both)"';
const POLICY =
  'MalformedPolicyDocumentException: "the specified policy is not syntactically or semantically correct"';

/** Where the two differ, and what the API reference of AWS KMS says. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'CancelKeyDeletion: not pending':
    'CancelKeyDeletion knows KMSInvalidStateException and no DisabledException; LocalStack gives the latter',
  'CreateAlias: reserved': 'CreateAlias: "cannot begin with alias/aws/"; LocalStack makes it',
  'CreateGrant: no operation': 'CreateGrant: Operations is required; LocalStack takes none',
  'CreateKey: policy is no JSON': POLICY,
  Decrypt: MEMBERS,
  Encrypt: MEMBERS,
  'EnableKeyRotation: 1 day': 'RotationPeriodInDays: from 90 to 2560; LocalStack takes any',
  'Encrypt: nothing': 'Encrypt: Plaintext has at least 1 byte; LocalStack takes none',
  GenerateDataKey: MEMBERS,
  'GenerateDataKey: no length': LENGTH,
  'GenerateDataKey: two lengths': LENGTH,
  GenerateDataKeyWithoutPlaintext: MEMBERS,
  GetKeyPolicy: MEMBERS,
  ListAliases: MEMBERS,
  ListGrants: MEMBERS,
  'ListKeys: marker': 'InvalidMarkerException: the marker "is not valid"; LocalStack ignores it',
  ListRetirableGrants: MEMBERS,
  'PutKeyPolicy: no JSON': POLICY,
  ReEncrypt: MEMBERS,
  'RevokeGrant: absent':
    'NotFoundException: the "entity or resource could not be found"; InvalidGrantIdException is for an id of another form',
};

/** One of the two, and what the calls before have left. */
interface Side {
  readonly client: KMSClient;
  /** ARN of a principal that is there. */
  readonly principal: string;
  readonly key: string;
  readonly other: string;
  readonly absent: string;
  blob: Uint8Array;
  dataKey: Uint8Array;
  grant: { readonly id: string; readonly token: string };
}

type Send = (side: Side) => Promise<object>;

const CONTEXT = { a: '1' };

/** The calls in their order; each works on what those before have left. */
const CALLS: readonly (readonly [string, Send])[] = [
  [
    'CreateKey',
    (s) =>
      s.client.send(
        new CreateKeyCommand({ Description: 'd', Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
      ),
  ],
  ['CreateKey: policy is no JSON', (s) => s.client.send(new CreateKeyCommand({ Policy: 'none' }))],
  ['DescribeKey', (s) => s.client.send(new DescribeKeyCommand({ KeyId: s.key }))],
  ['DescribeKey: key id', (s) => s.client.send(new DescribeKeyCommand({ KeyId: idOf(s.key) }))],
  ['DescribeKey: absent', (s) => s.client.send(new DescribeKeyCommand({ KeyId: s.absent }))],
  [
    'DescribeKey: absent alias',
    (s) => s.client.send(new DescribeKeyCommand({ KeyId: 'alias/absent' })),
  ],
  ['ListKeys', (s) => s.client.send(new ListKeysCommand({ Limit: 1 }))],
  ['ListKeys: marker', (s) => s.client.send(new ListKeysCommand({ Marker: 'nonsense' }))],
  [
    'UpdateKeyDescription',
    (s) => s.client.send(new UpdateKeyDescriptionCommand({ KeyId: s.key, Description: 'new' })),
  ],
  [
    'CreateAlias',
    (s) =>
      s.client.send(new CreateAliasCommand({ AliasName: 'alias/one', TargetKeyId: idOf(s.key) })),
  ],
  [
    'CreateAlias: twice',
    (s) =>
      s.client.send(new CreateAliasCommand({ AliasName: 'alias/one', TargetKeyId: idOf(s.other) })),
  ],
  [
    'CreateAlias: reserved',
    (s) =>
      s.client.send(
        new CreateAliasCommand({ AliasName: 'alias/aws/one', TargetKeyId: idOf(s.key) }),
      ),
  ],
  [
    'CreateAlias: bad name',
    (s) => s.client.send(new CreateAliasCommand({ AliasName: 'one', TargetKeyId: idOf(s.key) })),
  ],
  ['ListAliases', (s) => s.client.send(new ListAliasesCommand({ KeyId: idOf(s.key) }))],
  [
    'UpdateAlias',
    (s) =>
      s.client.send(new UpdateAliasCommand({ AliasName: 'alias/one', TargetKeyId: idOf(s.other) })),
  ],
  [
    'UpdateAlias: absent',
    (s) =>
      s.client.send(
        new UpdateAliasCommand({ AliasName: 'alias/none', TargetKeyId: idOf(s.other) }),
      ),
  ],
  ['DeleteAlias', (s) => s.client.send(new DeleteAliasCommand({ AliasName: 'alias/one' }))],
  ['DeleteAlias: absent', (s) => s.client.send(new DeleteAliasCommand({ AliasName: 'alias/one' }))],
  [
    'Encrypt',
    async (s) => {
      const answer = await s.client.send(
        new EncryptCommand({
          KeyId: s.key,
          Plaintext: Buffer.from('x'),
          EncryptionContext: CONTEXT,
        }),
      );
      s.blob = answer.CiphertextBlob ?? s.blob;
      return answer;
    },
  ],
  [
    'Encrypt: nothing',
    (s) => s.client.send(new EncryptCommand({ KeyId: s.key, Plaintext: Buffer.alloc(0) })),
  ],
  [
    'Encrypt: too long',
    (s) => s.client.send(new EncryptCommand({ KeyId: s.key, Plaintext: Buffer.alloc(4097) })),
  ],
  [
    'Decrypt',
    (s) =>
      s.client.send(new DecryptCommand({ CiphertextBlob: s.blob, EncryptionContext: CONTEXT })),
  ],
  [
    'Decrypt: other context',
    (s) =>
      s.client.send(new DecryptCommand({ CiphertextBlob: s.blob, EncryptionContext: { a: '2' } })),
  ],
  [
    'Decrypt: other key',
    (s) =>
      s.client.send(
        new DecryptCommand({ CiphertextBlob: s.blob, EncryptionContext: CONTEXT, KeyId: s.other }),
      ),
  ],
  [
    'GenerateDataKey',
    async (s) => {
      const answer = await s.client.send(
        new GenerateDataKeyCommand({ KeyId: s.key, KeySpec: 'AES_256' }),
      );
      s.dataKey = answer.CiphertextBlob ?? s.dataKey;
      return answer;
    },
  ],
  [
    'GenerateDataKey: no length',
    (s) => s.client.send(new GenerateDataKeyCommand({ KeyId: s.key })),
  ],
  [
    'GenerateDataKey: two lengths',
    (s) =>
      s.client.send(
        new GenerateDataKeyCommand({ KeyId: s.key, KeySpec: 'AES_256', NumberOfBytes: 32 }),
      ),
  ],
  [
    'GenerateDataKeyWithoutPlaintext',
    (s) =>
      s.client.send(
        new GenerateDataKeyWithoutPlaintextCommand({ KeyId: s.key, KeySpec: 'AES_256' }),
      ),
  ],
  ['GenerateRandom', (s) => s.client.send(new GenerateRandomCommand({ NumberOfBytes: 8 }))],
  [
    'GenerateRandom: too long',
    (s) => s.client.send(new GenerateRandomCommand({ NumberOfBytes: 1025 })),
  ],
  [
    'ReEncrypt',
    (s) =>
      s.client.send(
        new ReEncryptCommand({
          CiphertextBlob: s.dataKey,
          SourceKeyId: s.key,
          DestinationKeyId: s.other,
        }),
      ),
  ],
  [
    'ReEncrypt: wrong source',
    (s) =>
      s.client.send(
        new ReEncryptCommand({
          CiphertextBlob: s.dataKey,
          SourceKeyId: s.other,
          DestinationKeyId: s.other,
        }),
      ),
  ],
  [
    'CreateGrant',
    async (s) => {
      const answer = await s.client.send(
        new CreateGrantCommand({
          ...{ KeyId: idOf(s.key), GranteePrincipal: s.principal, RetiringPrincipal: s.principal },
          ...{
            Operations: ['Encrypt'],
            Name: 'g',
            Constraints: { EncryptionContextSubset: CONTEXT },
          },
        }),
      );
      s.grant = { id: answer.GrantId ?? '', token: answer.GrantToken ?? '' };
      return answer;
    },
  ],
  [
    'CreateGrant: no operation',
    (s) =>
      s.client.send(
        new CreateGrantCommand({
          KeyId: idOf(s.key),
          GranteePrincipal: s.principal,
          Operations: [],
        }),
      ),
  ],
  ['ListGrants', (s) => s.client.send(new ListGrantsCommand({ KeyId: idOf(s.key) }))],
  [
    'ListRetirableGrants',
    (s) => s.client.send(new ListRetirableGrantsCommand({ RetiringPrincipal: s.principal })),
  ],
  [
    'RetireGrant',
    (s) => s.client.send(new RetireGrantCommand({ KeyId: s.key, GrantId: s.grant.id })),
  ],
  [
    'RevokeGrant: absent',
    (s) => s.client.send(new RevokeGrantCommand({ KeyId: idOf(s.key), GrantId: s.grant.id })),
  ],
  [
    'GetKeyPolicy',
    (s) => s.client.send(new GetKeyPolicyCommand({ KeyId: idOf(s.key), PolicyName: 'default' })),
  ],
  ['ListKeyPolicies', (s) => s.client.send(new ListKeyPoliciesCommand({ KeyId: idOf(s.key) }))],
  [
    'PutKeyPolicy',
    async (s) => {
      const { Policy } = await s.client.send(
        new GetKeyPolicyCommand({ KeyId: idOf(s.key), PolicyName: 'default' }),
      );
      return await s.client.send(
        new PutKeyPolicyCommand({ KeyId: idOf(s.key), PolicyName: 'default', Policy }),
      );
    },
  ],
  [
    'PutKeyPolicy: no JSON',
    (s) =>
      s.client.send(
        new PutKeyPolicyCommand({ KeyId: idOf(s.key), PolicyName: 'default', Policy: 'none' }),
      ),
  ],
  ['EnableKeyRotation', (s) => s.client.send(new EnableKeyRotationCommand({ KeyId: idOf(s.key) }))],
  [
    'EnableKeyRotation: 1 day',
    (s) =>
      s.client.send(new EnableKeyRotationCommand({ KeyId: idOf(s.key), RotationPeriodInDays: 1 })),
  ],
  [
    'GetKeyRotationStatus',
    (s) => s.client.send(new GetKeyRotationStatusCommand({ KeyId: idOf(s.key) })),
  ],
  [
    'DisableKeyRotation',
    (s) => s.client.send(new DisableKeyRotationCommand({ KeyId: idOf(s.key) })),
  ],
  ['RotateKeyOnDemand', (s) => s.client.send(new RotateKeyOnDemandCommand({ KeyId: idOf(s.key) }))],
  [
    'TagResource',
    (s) =>
      s.client.send(
        new TagResourceCommand({ KeyId: idOf(s.key), Tags: [{ TagKey: 't', TagValue: 'v' }] }),
      ),
  ],
  ['ListResourceTags', (s) => s.client.send(new ListResourceTagsCommand({ KeyId: idOf(s.key) }))],
  [
    'UntagResource',
    (s) => s.client.send(new UntagResourceCommand({ KeyId: idOf(s.key), TagKeys: ['t'] })),
  ],
  ['DisableKey', (s) => s.client.send(new DisableKeyCommand({ KeyId: idOf(s.key) }))],
  [
    'Encrypt: disabled',
    (s) => s.client.send(new EncryptCommand({ KeyId: s.key, Plaintext: Buffer.from('x') })),
  ],
  [
    'GenerateDataKey: disabled',
    (s) => s.client.send(new GenerateDataKeyCommand({ KeyId: s.key, KeySpec: 'AES_256' })),
  ],
  [
    'Decrypt: disabled',
    (s) =>
      s.client.send(new DecryptCommand({ CiphertextBlob: s.blob, EncryptionContext: CONTEXT })),
  ],
  ['EnableKey', (s) => s.client.send(new EnableKeyCommand({ KeyId: idOf(s.key) }))],
  [
    'ScheduleKeyDeletion: 6 days',
    (s) =>
      s.client.send(new ScheduleKeyDeletionCommand({ KeyId: idOf(s.key), PendingWindowInDays: 6 })),
  ],
  [
    'ScheduleKeyDeletion',
    (s) =>
      s.client.send(new ScheduleKeyDeletionCommand({ KeyId: idOf(s.key), PendingWindowInDays: 7 })),
  ],
  ['DescribeKey: pending deletion', (s) => s.client.send(new DescribeKeyCommand({ KeyId: s.key }))],
  [
    'Encrypt: pending deletion',
    (s) => s.client.send(new EncryptCommand({ KeyId: s.key, Plaintext: Buffer.from('x') })),
  ],
  [
    'EnableKey: pending deletion',
    (s) => s.client.send(new EnableKeyCommand({ KeyId: idOf(s.key) })),
  ],
  [
    'ScheduleKeyDeletion: twice',
    (s) =>
      s.client.send(new ScheduleKeyDeletionCommand({ KeyId: idOf(s.key), PendingWindowInDays: 7 })),
  ],
  ['CancelKeyDeletion', (s) => s.client.send(new CancelKeyDeletionCommand({ KeyId: idOf(s.key) }))],
  [
    'CancelKeyDeletion: not pending',
    (s) => s.client.send(new CancelKeyDeletionCommand({ KeyId: idOf(s.key) })),
  ],
  ['DescribeKey: after', (s) => s.client.send(new DescribeKeyCommand({ KeyId: s.key }))],
];

function idOf(arn: string): string {
  return arn.slice(arn.indexOf('/') + 1);
}

async function sideOf(client: KMSClient, principal: string): Promise<Side> {
  const make = async () => (await client.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
  const key = await make();
  const absent = `${key.slice(0, key.indexOf('/'))}/00000000-0000-4000-8000-000000000000`;
  const grant = { id: '', token: '' };
  const empty = Buffer.alloc(0);
  return {
    client,
    principal,
    key,
    other: await make(),
    absent,
    blob: empty,
    dataKey: empty,
    grant,
  };
}

/** Members with the kinds of their values, or the name of the error. */
async function outcome(send: Send, side: Side): Promise<string> {
  try {
    return shape(await send(side));
  } catch (error) {
    return error instanceof Error ? error.name : 'no error';
  }
}

function membersOf(text: string): string[] {
  return text.split(/[{},[\]]+ ?/).filter((part) => part !== '');
}

function shape(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes`;
  if (value instanceof Date) return 'time';
  if (Array.isArray(value)) return `[${value.length === 0 ? '' : shape(value[0])}]`;
  if (typeof value !== 'object' || value === null) return typeof value;
  const members = Object.entries(value).filter(
    ([name, member]) => name !== '$metadata' && member !== undefined,
  );
  return `{${members
    .map(([name, member]) => `${name}: ${name === 'KeyState' ? String(member) : shape(member)}`)
    .sort()
    .join(', ')}}`;
}

afterAll(async () => {
  await fixture.listener.close();
  if (localStack.missing === undefined) await localStack.stop();
});

describe.skipIf(localStack.missing !== undefined)(
  `the listener beside LocalStack ${localStack.missing ?? ''}`,
  () => {
    it(`answers ${CALLS.length} calls in the same way, but for the named differences`, async () => {
      if (localStack.missing !== undefined) return;
      const ours = await sideOf(
        fixture.client(await fixture.credentials('admin')),
        fixture.principal('admin'),
      );
      const theirs = await sideOf(
        awsAdministrator(localStack.port),
        'arn:aws:iam::000000000000:role/admin',
      );
      const found: Record<string, string> = {};
      for (const [name, send] of CALLS) {
        const [mine, other] = [await outcome(send, ours), await outcome(send, theirs)];
        if (mine === other) continue;
        found[name] = `listener ${mine} | LocalStack ${other}`;
        if (DIFFERENCES[name] === MEMBERS)
          expect(membersOf(mine)).toEqual(expect.arrayContaining(membersOf(other)));
        else expect(mine).toMatch(/Exception$/);
      }
      ours.client.destroy();
      theirs.client.destroy();
      // A new difference is shown with both answers.
      const unnamed = Object.entries(found).filter(([name]) => DIFFERENCES[name] === undefined);
      expect(unnamed).toEqual([]);
      expect(Object.keys(found).sort()).toEqual(Object.keys(DIFFERENCES).sort());
    }, 300_000);
  },
);
