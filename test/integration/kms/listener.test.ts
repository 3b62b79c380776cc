/** The listener of the embedded KMS under the real AWS command line and the AWS SDK. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyPairCommand,
  GenerateRandomCommand,
  GetKeyRotationStatusCommand,
  ListAliasesCommand,
  ListGrantsCommand,
  ListKeyRotationsCommand,
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
} from '@aws-sdk/client-kms';
import type { KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awsKms, installAwsCli, startFixture } from './support.ts';
import type { Credentials, KmsFixture } from './support.ts';

let fixture: KmsFixture;
let admin: Credentials;
let client: KMSClient;

beforeAll(async () => {
  await installAwsCli();
  fixture = await startFixture();
  admin = await fixture.credentials('admin');
  client = fixture.client(admin);
});

afterAll(async () => {
  client.destroy();
  await fixture.listener.close();
});

async function newKey(): Promise<string> {
  const { KeyMetadata: key } = await client.send(new CreateKeyCommand({ Description: 'test' }));
  return key?.Arn ?? '';
}

const CONTEXT = { 'cqlock:table-id': '0b', ä: 'ö', __proto__: 'x' };

describe('the AWS command line', () => {
  it('takes a key through its whole life', async () => {
    const aws = (...args: string[]) => awsKms(fixture, admin, ...args);
    const done = async (...args: string[]) => {
      const { output, complaint } = await aws(...args);
      expect(complaint).toBe('');
      return output;
    };
    const { KeyMetadata: key } = (await done('create-key', '--description', 'cli')) as {
      KeyMetadata: { Arn: string; KeyId: string; KeyState: string; CreationDate: number };
    };
    expect(key.KeyState).toBe('Enabled');
    await done('create-alias', '--alias-name', 'alias/cli', '--target-key-id', key.KeyId);
    const { CiphertextBlob: blob } = await done(
      ...['encrypt', '--key-id', 'alias/cli', '--plaintext', 'hello'],
      ...['--encryption-context', 'a=1'],
    );
    const file = join(mkdtempSync(join(tmpdir(), 'cqlock-aws-')), 'blob');
    writeFileSync(file, Buffer.from(String(blob), 'base64'));
    const decrypt = ['decrypt', '--ciphertext-blob', `fileb://${file}`, '--encryption-context'];
    expect(await done(...decrypt, 'a=1')).toMatchObject({ Plaintext: 'aGVsbG8=', KeyId: key.Arn });
    expect((await aws(...decrypt, 'a=2')).complaint).toContain('(InvalidCiphertextException)');
    await done('disable-key', '--key-id', key.KeyId);
    expect((await aws(...decrypt, 'a=1')).complaint).toContain('(DisabledException)');
    await done('enable-key', '--key-id', key.KeyId);
    await done(...decrypt, 'a=1');
    expect(
      await done('schedule-key-deletion', '--key-id', key.KeyId, '--pending-window-in-days', '7'),
    ).toMatchObject({ KeyId: key.Arn, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    expect((await aws(...decrypt, 'a=1')).complaint).toContain('(KMSInvalidStateException)');
    expect(await done('cancel-key-deletion', '--key-id', key.KeyId)).toEqual({ KeyId: key.Arn });
    expect(await done('describe-key', '--key-id', 'alias/cli')).toMatchObject({
      KeyMetadata: { KeyState: 'Disabled', Enabled: false, AWSAccountId: fixture.storeId },
    });
    const short = await aws(
      ...['schedule-key-deletion', '--key-id', key.KeyId, '--pending-window-in-days', '6'],
    );
    expect(short.complaint).toContain('(ValidationException)');
    await done('delete-alias', '--alias-name', 'alias/cli');
    const gone = await aws('describe-key', '--key-id', 'alias/cli');
    expect(gone.complaint).toContain('(NotFoundException)');
    expect(gone.complaint).toContain('Alias arn:');
  }, 400_000);

  it('is refused with a wrong secret, an unknown key id and without a permission', async () => {
    const wrong = { ...admin, secretAccessKey: 'x'.repeat(40) };
    expect((await awsKms(fixture, wrong, 'list-keys')).complaint).toContain(
      '(InvalidSignatureException)',
    );
    const unknown = { ...admin, accessKeyId: 'CQLKAAAAAAAAAAAAAAAA' };
    expect((await awsKms(fixture, unknown, 'list-keys')).complaint).toContain(
      '(UnrecognizedClientException)',
    );
    const reader = await fixture.credentials('reader', ['kms:List*']);
    expect((await awsKms(fixture, reader, 'list-keys')).complaint).toBe('');
    expect((await awsKms(fixture, reader, 'create-key')).complaint).toContain(
      '(AccessDeniedException)',
    );
  });
});

describe('the SDK', () => {
  it('encrypts, decrypts and re-encrypts with contexts, names and all', async () => {
    const [from, to] = [await newKey(), await newKey()];
    const Plaintext = Buffer.from('secret');
    const context = Object.fromEntries(Object.entries(CONTEXT));
    const sealed = await client.send(
      new EncryptCommand({ KeyId: from, Plaintext, EncryptionContext: context }),
    );
    const again = await client.send(
      new ReEncryptCommand({
        CiphertextBlob: sealed.CiphertextBlob,
        SourceEncryptionContext: context,
        DestinationKeyId: to,
        DestinationEncryptionContext: { other: '1' },
      }),
    );
    expect(again).toMatchObject({ SourceKeyId: from, KeyId: to });
    const opened = await client.send(
      new DecryptCommand({
        CiphertextBlob: again.CiphertextBlob,
        EncryptionContext: { other: '1' },
        KeyId: to,
      }),
    );
    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('secret');
    const decrypt = (KeyId: string, CiphertextBlob: Uint8Array | undefined) =>
      client.send(new DecryptCommand({ KeyId, CiphertextBlob, EncryptionContext: context }));
    await expect(decrypt(to, sealed.CiphertextBlob)).rejects.toThrow(
      expect.objectContaining({ name: 'IncorrectKeyException' }),
    );
    await expect(decrypt(from, again.CiphertextBlob)).rejects.toThrow(
      expect.objectContaining({ name: 'IncorrectKeyException' }),
    );
    await expect(decrypt(from, Buffer.alloc(80, 2))).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCiphertextException' }),
    );
  });

  it('opens what the proxy wrapped, and the proxy what the SDK wrapped', async () => {
    const arn = await newKey();
    const made = await fixture.kms.generateDataKey(arn, { a: '1' });
    const opened = await client.send(
      new DecryptCommand({ CiphertextBlob: made.blob, EncryptionContext: { a: '1' } }),
    );
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Buffer.from(made.plaintext));
    const data = await client.send(
      new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256', EncryptionContext: { b: '2' } }),
    );
    const back = await fixture.kms.decrypt(arn, data.CiphertextBlob ?? Buffer.of(), { b: '2' });
    expect(Buffer.from(back)).toEqual(Buffer.from(data.Plaintext ?? []));
  });

  it('rotates, and old blobs stay readable', async () => {
    const KeyId = await newKey();
    const first = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.of(1) }));
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    await client.send(new RotateKeyOnDemandCommand({ KeyId }));
    const second = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.of(2) }));
    const opened = await Promise.all(
      [first, second].map(({ CiphertextBlob }) =>
        client.send(new DecryptCommand({ CiphertextBlob })),
      ),
    );
    expect(opened.map(({ Plaintext }) => Plaintext?.[0])).toEqual([1, 2]);
    expect(opened[0]?.KeyMaterialId).not.toBe(opened[1]?.KeyMaterialId);
    const { Rotations } = await client.send(new ListKeyRotationsCommand({ KeyId }));
    expect(Rotations).toMatchObject([{ RotationType: 'ON_DEMAND' }]);
    const status = await client.send(new GetKeyRotationStatusCommand({ KeyId }));
    expect(status).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    expect(status.NextRotationDate?.getTime()).toBeGreaterThan(Date.now() + 89 * 86_400_000);
  });

  it('grants a user one use of a key, under its context, and takes it back', async () => {
    const KeyId = await newKey();
    const user = fixture.client(await fixture.credentials('granted', ['kms:ListKeys']));
    const encrypt = (EncryptionContext: Record<string, string>) =>
      user.send(new EncryptCommand({ KeyId, Plaintext: Buffer.of(1), EncryptionContext }));
    const denied = expect.objectContaining({ name: 'AccessDeniedException' });
    await expect(encrypt({ t: '1' })).rejects.toThrow(denied);
    const request = new CreateGrantCommand({
      KeyId,
      GranteePrincipal: fixture.principal('granted'),
      RetiringPrincipal: fixture.principal('admin'),
      Operations: ['Encrypt'],
      Constraints: { EncryptionContextSubset: { t: '1' } },
      Name: 'working',
    });
    const grant = await client.send(request);
    const same = await client.send(request);
    expect(same.GrantId).toBe(grant.GrantId);
    expect(same.GrantToken).not.toBe(grant.GrantToken);
    await encrypt({ t: '1', more: '2' });
    await expect(encrypt({ t: '2' })).rejects.toThrow(denied);
    await expect(user.send(new DescribeKeyCommand({ KeyId }))).rejects.toThrow(denied);
    const { Grants } = await client.send(new ListGrantsCommand({ KeyId }));
    expect(Grants).toMatchObject([
      {
        Name: 'working',
        Operations: ['Encrypt'],
        Constraints: { EncryptionContextSubset: { t: '1' } },
      },
    ]);
    const retirable = await client.send(
      new ListRetirableGrantsCommand({ RetiringPrincipal: fixture.principal('admin') }),
    );
    expect(retirable.Grants?.map((one) => one.GrantId)).toContain(grant.GrantId);
    const { GrantToken } = grant;
    await expect(user.send(new RetireGrantCommand({ GrantToken }))).rejects.toThrow(denied);
    await client.send(new RetireGrantCommand({ GrantToken }));
    await expect(encrypt({ t: '1' })).rejects.toThrow(denied);
    await expect(
      client.send(new RevokeGrantCommand({ KeyId, GrantId: grant.GrantId })),
    ).rejects.toThrow(expect.objectContaining({ name: 'NotFoundException' }));
    user.destroy();
  });

  it('lets a key policy shut out the proxy, and in again', async () => {
    const KeyId = await newKey();
    const { blob } = await fixture.kms.generateDataKey(KeyId, {});
    const statement = (Principal: object, Effect: string, Action: string) => ({
      Effect,
      Principal,
      Action,
      Resource: '*',
    });
    const put = (...Statement: object[]) =>
      client.send(
        new PutKeyPolicyCommand({
          KeyId,
          Policy: JSON.stringify({ Version: '2012-10-17', Statement }),
        }),
      );
    const mine = statement({ AWS: fixture.principal('admin') }, 'Allow', 'kms:*');
    await put(mine);
    await expect(fixture.kms.decrypt(KeyId, blob, {})).rejects.toMatchObject({
      code: 'KEY_ACCESS_DENIED',
    });
    await put(mine, statement({ AWS: fixture.proxy }, 'Allow', 'kms:Decrypt'));
    await fixture.kms.decrypt(KeyId, blob, {});
    const malformed = expect.objectContaining({ name: 'MalformedPolicyDocumentException' });
    await expect(put(statement({ AWS: fixture.proxy }, 'Allow', 'kms:*'))).rejects.toThrow(
      malformed,
    );
    await expect(put({ ...mine, NotAction: 'kms:Encrypt' })).rejects.toThrow(malformed);
  });

  it('pages through keys and aliases, each once', async () => {
    const made: string[] = [];
    for (let count = 0; count < 7; count += 1) made.push(await newKey());
    const listed: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const page = await client.send(new ListKeysCommand({ Limit: 3, Marker }));
      listed.push(...(page.Keys ?? []).map((key) => key.KeyArn));
      expect(page.Truncated).toBe(page.NextMarker !== undefined);
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed).toEqual(expect.arrayContaining(made));
    await expect(client.send(new ListKeysCommand({ Marker: 'nonsense' }))).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidMarkerException' }),
    );
    const AliasName = 'alias/paged';
    await client.send(new CreateAliasCommand({ AliasName, TargetKeyId: made[0] }));
    const twice = client.send(new CreateAliasCommand({ AliasName, TargetKeyId: made[1] }));
    await expect(twice).rejects.toThrow(
      expect.objectContaining({ name: 'AlreadyExistsException' }),
    );
    const { Aliases } = await client.send(new ListAliasesCommand({ KeyId: made[0] }));
    expect(Aliases?.map((alias) => alias.AliasName)).toEqual([AliasName]);
    await client.send(
      new TagResourceCommand({ KeyId: made[0], Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
    );
    const { Tags } = await client.send(new ListResourceTagsCommand({ KeyId: made[0] }));
    expect(Tags).toEqual([{ TagKey: 'a', TagValue: 'b' }]);
  });

  it('finds nothing of service-owned keys', async () => {
    const KeyId = await fixture.kms.createServiceKey('table', 'hidden', 'owner');
    const { blob } = await fixture.kms.generateDataKey(KeyId, {});
    const bare = KeyId.slice(KeyId.lastIndexOf('/') + 1);
    const absent = expect.objectContaining({ name: 'NotFoundException' });
    for (const id of [KeyId, bare]) {
      for (const call of [
        () => client.send(new DescribeKeyCommand({ KeyId: id })),
        () => client.send(new DisableKeyCommand({ KeyId: id })),
        () => client.send(new EnableKeyCommand({ KeyId: id })),
        () => client.send(new ScheduleKeyDeletionCommand({ KeyId: id })),
        () => client.send(new CancelKeyDeletionCommand({ KeyId: id })),
        () => client.send(new EncryptCommand({ KeyId: id, Plaintext: Buffer.of(1) })),
        () => client.send(new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_256' })),
        () => client.send(new DecryptCommand({ KeyId: id, CiphertextBlob: blob })),
        () => client.send(new CreateAliasCommand({ AliasName: 'alias/hidden', TargetKeyId: id })),
        () => client.send(new ListGrantsCommand({ KeyId: id })),
      ]) {
        await expect(call()).rejects.toThrow(absent);
      }
    }
    await expect(client.send(new DecryptCommand({ CiphertextBlob: blob }))).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCiphertextException' }),
    );
    const { Keys } = await client.send(new ListKeysCommand({ Limit: 1000 }));
    expect(Keys?.map((key) => key.KeyArn)).not.toContain(KeyId);
    expect((await fixture.kms.describeKey(KeyId)).state).toBe('enabled');
  });

  it('records every call, refused ones too', async () => {
    const KeyId = await newKey();
    const before = fixture.events.length;
    await client.send(
      new EncryptCommand({ KeyId, Plaintext: Buffer.of(1), EncryptionContext: { a: '1' } }),
    );
    await expect(
      client.send(new GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'RSA_2048' })),
    ).rejects.toThrow(expect.objectContaining({ name: 'UnknownOperationException' }));
    const stranger = fixture.client({ accessKeyId: 'CQLKAAAA', secretAccessKey: 'x' });
    await expect(stranger.send(new GenerateRandomCommand({ NumberOfBytes: 1 }))).rejects.toThrow();
    stranger.destroy();
    expect(fixture.events.slice(before)).toMatchObject([
      {
        operation: 'Encrypt',
        keyArn: KeyId,
        context: { a: '1' },
        principal: fixture.principal('admin'),
        result: 'ok',
      },
      { operation: 'GenerateDataKeyPair', result: 'UnknownOperationException' },
      { operation: 'GenerateRandom', principal: undefined, result: 'UnrecognizedClientException' },
    ]);
  });

  it('is refused with a body beyond the limit', async () => {
    const response = await fetch(`http://127.0.0.1:${fixture.listener.port}/`, {
      method: 'POST',
      body: 'x'.repeat(300_000),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ __type: 'RequestEntityTooLargeException' });
  });
});
