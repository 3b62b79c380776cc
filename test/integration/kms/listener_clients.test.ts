/** The listener as other cqlocks use it: the AWS KMS provider on it, with grants, and TLS. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMSClient, ListKeysCommand, PutKeyPolicyCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsKms } from '../../../src/kms/aws/index.ts';
import { KmsRegistry } from '../../../src/kms/index.ts';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { kmsContract } from '../../support/kms_contract.ts';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from '../../support/localhost_certificate.ts';
import { shiftedClock } from '../../support/shifted_clock.ts';
import { awsKms, installAwsCli, startFixture } from './support.ts';
import type { Credentials, KmsFixture } from './support.ts';

const clock = shiftedClock();
const fixture = await startFixture({ clock });
const user = await fixture.credentials('proxy2');
process.env['AWS_ACCESS_KEY_ID'] = user.accessKeyId;
process.env['AWS_SECRET_ACCESS_KEY'] = user.secretAccessKey;

afterAll(async () => {
  await fixture.listener.close();
});

function providerOn(endpoint: string, granteePrincipal: string | undefined): AwsKms {
  return new AwsKms({
    region: 'eu-west-1',
    endpoint,
    granteePrincipal,
    takesBareNames: true,
    limits: remoteCallLimits(8_000),
  });
}

describe('the AWS KMS provider on the listener', () => {
  const provider = providerOn(fixture.endpoint, fixture.principal('proxy2'));

  kmsContract(
    () =>
      Promise.resolve({
        provider,
        absentKey: `arn:cqlock:kms:local:${fixture.storeId}:key/00000000-0000-0000-0000-000000000000`,
        createCustomerKey: () => fixture.kms.createCustomerKey('shared'),
        setKeyEnabled: (arn: string, enabled: boolean) => fixture.kms.setKeyEnabled(arn, enabled),
        scheduleDeletion: (arn: string, days: number) => fixture.kms.scheduleDeletion(arn, days),
        passDays: (days: number) => {
          clock.shift(days * 86_400_000);
          return Promise.resolve();
        },
      }),
    { emptyPlaintext: 'AWS KMS takes none' },
  );

  it('uses a key by the right of a grant alone, under its context, until it is retired', async () => {
    const arn = await fixture.kms.createCustomerKey('granted');
    const admin = fixture.client(await fixture.credentials('admin'));
    const contextSubset = { 'cqlock:table-id': '0a' };
    const terms = { name: 'cqlock-working-0a', operations: ['Encrypt', 'Decrypt'] as const };
    const grant = await provider.createGrant(arn, { ...terms, contextSubset });
    expect(await provider.createGrant(arn, { ...terms, contextSubset })).toBe(grant);
    const statement = { Effect: 'Allow', Resource: '*', Action: 'kms:*' };
    const Principal = { AWS: fixture.principal('admin') };
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ ...statement, Principal }],
    });
    await admin.send(new PutKeyPolicyCommand({ KeyId: arn, Policy }));
    admin.destroy();
    const blob = await provider.encrypt(arn, Buffer.of(7), contextSubset);
    expect([...(await provider.decrypt(arn, blob, contextSubset))]).toEqual([7]);
    const denied = { code: 'KEY_ACCESS_DENIED' };
    await expect(provider.encrypt(arn, Buffer.of(7), { other: 'x' })).rejects.toMatchObject(denied);
    await expect(provider.describeKey(arn)).rejects.toMatchObject(denied);
    await provider.retireGrant(arn, grant ?? '');
    await expect(provider.decrypt(arn, blob, contextSubset)).rejects.toMatchObject(denied);
    await provider.retireGrant(arn, grant ?? '');
    expect(fixture.events).toContainEqual(
      expect.objectContaining({
        operation: 'RetireGrant',
        keyArn: arn,
        principal: fixture.principal('proxy2'),
      }),
    );
  });

  it('has keys of another key store, and the proxy’s own stay with it', async () => {
    const own = await startFixture();
    await own.listener.close();
    const registry = new KmsRegistry(own.kms, [provider], 'aws');
    const [mine, theirs] = [
      await own.kms.createCustomerKey('mine'),
      await fixture.kms.createCustomerKey('theirs'),
    ];
    expect(registry.forIdentifier(mine).name).toBe('embedded');
    expect(registry.forIdentifier(theirs).name).toBe('aws');
    expect(await registry.forIdentifier(theirs).resolveKey(theirs)).toBe(theirs);
    const elsewhere = new KmsRegistry(own.kms);
    expect(() => elsewhere.forIdentifier(theirs)).toThrow(/no configured KMS/);
  });

  it('neither sees nor uses service-owned keys', async () => {
    const arn = await fixture.kms.createServiceKey('table', 'hidden', 'owner');
    const { blob } = await fixture.kms.generateDataKey(arn, {});
    const absent = { code: 'KEY_NOT_FOUND' };
    for (const call of [
      () => provider.resolveKey(arn),
      () => provider.describeKey(arn),
      () => provider.generateDataKey(arn, {}),
      () => provider.decrypt(arn, blob, {}),
      () => provider.createGrant(arn, { name: 'x', operations: ['Decrypt'], contextSubset: {} }),
    ]) {
      await expect(call()).rejects.toMatchObject(absent);
    }
    expect((await fixture.kms.describeKey(arn)).state).toBe('enabled');
  });
});

describe('the listener with TLS', () => {
  let secure: KmsFixture;
  let caFile: string;
  let admin: Credentials;

  beforeAll(async () => {
    await installAwsCli();
    secure = await startFixture({ tls: { cert: LOCALHOST_CERTIFICATE, key: LOCALHOST_KEY } });
    caFile = join(mkdtempSync(join(tmpdir(), 'cqlock-ca-')), 'ca.pem');
    writeFileSync(caFile, LOCALHOST_CERTIFICATE);
    admin = await secure.credentials('admin');
  });

  afterAll(async () => {
    await secure.listener.close();
  });

  it('serves the AWS command line that knows its CA, and not one that does not', async () => {
    const made = await awsKms(secure, { ...admin, caFile }, 'create-key');
    expect(made).toMatchObject({ complaint: '', output: { KeyMetadata: { Enabled: true } } });
    const refused = await awsKms(secure, admin, 'list-keys');
    expect(refused.complaint).toMatch(/certificate verify failed|SSL validation failed/i);
  });

  it('serves the SDK over TLS 1.2 and later; no plain HTTP and no older TLS', async () => {
    const withTls = (options: object) =>
      new KMSClient({
        endpoint: secure.endpoint,
        region: 'eu-west-1',
        credentials: admin,
        maxAttempts: 1,
        requestHandler: { httpsAgent: new Agent({ ca: LOCALHOST_CERTIFICATE, ...options }) },
      });
    const client = withTls({});
    expect((await client.send(new ListKeysCommand({}))).Keys).toHaveLength(1);
    client.destroy();
    const old = withTls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    await expect(old.send(new ListKeysCommand({}))).rejects.toThrow(/protocol|version|alert/i);
    old.destroy();
    const plain = secure.endpoint.replace('https', 'http');
    await expect(fetch(plain, { method: 'POST' })).rejects.toThrow();
  });
});
