import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeContext } from '../../../../src/kms/context_bytes.ts';
import { parseKeyStoreState } from '../../../../src/kms/key_store.ts';
import { AccessKeys, KmsApi, operator } from '../../../../src/kms/index.ts';
import type { KmsAuditEvent, KmsAuditSink } from '../../../../src/kms/index.ts';
import { exception, startApi } from './support.ts';

describe('a key of the embedded KMS', () => {
  it('goes through the states of AWS KMS', async () => {
    const { call, newKey, passDays } = await startApi();
    const KeyId = await newKey();
    const state = async () =>
      (await call('DescribeKey', { KeyId }))['KeyMetadata'] as Record<string, unknown>;
    const invalid = exception('KMSInvalidStateException');
    await expect(call('CancelKeyDeletion', { KeyId })).rejects.toMatchObject(invalid);
    await call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 });
    for (const operation of ['EnableKey', 'DisableKey', 'ScheduleKeyDeletion']) {
      await expect(call(operation, { KeyId })).rejects.toMatchObject(invalid);
    }
    await expect(call('Encrypt', { KeyId, Plaintext: 'AA==' })).rejects.toMatchObject(invalid);
    await call('CancelKeyDeletion', { KeyId });
    expect(await state()).toMatchObject({ KeyState: 'Disabled', Enabled: false });
    expect(await state()).not.toHaveProperty('DeletionDate');
    await call('EnableKey', { KeyId });
    await call('CreateAlias', { AliasName: 'alias/a', TargetKeyId: KeyId });
    await call('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 30 });
    passDays(30);
    const absent = exception('NotFoundException');
    await expect(state()).rejects.toMatchObject(absent);
    await expect(call('CancelKeyDeletion', { KeyId })).rejects.toMatchObject(absent);
    expect(await call('ListKeys', {})).toMatchObject({ Keys: [] });
    expect(await call('ListAliases', {})).toMatchObject({ Aliases: [] });
    await call('CreateAlias', { AliasName: 'alias/a', TargetKeyId: await newKey() });
  });

  it('is rotated by itself when its period is over, not while it is disabled', async () => {
    const { call, newKey, passDays } = await startApi();
    const KeyId = await newKey();
    const rotations = async () =>
      (await call('ListKeyRotations', { KeyId }))['Rotations'] as object[];
    const { CiphertextBlob } = await call('Encrypt', { KeyId, Plaintext: 'AA==' });
    await call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 });
    passDays(89);
    expect(await rotations()).toEqual([]);
    await call('DisableKey', { KeyId });
    passDays(1);
    expect(await rotations()).toEqual([]);
    await call('EnableKey', { KeyId });
    await call('Encrypt', { KeyId, Plaintext: 'AA==' });
    expect(await rotations()).toMatchObject([{ RotationType: 'AUTOMATIC' }]);
    expect(await call('Decrypt', { CiphertextBlob })).toMatchObject({ Plaintext: 'AA==' });
    await call('DisableKeyRotation', { KeyId });
    passDays(1000);
    expect(await rotations()).toHaveLength(1);
  });

  it('is rotated on demand 25 times', async () => {
    const { call, newKey } = await startApi();
    const KeyId = await newKey();
    const { CiphertextBlob } = await call('Encrypt', { KeyId, Plaintext: 'AQ==' });
    for (let count = 0; count < 25; count += 1) await call('RotateKeyOnDemand', { KeyId });
    await expect(call('RotateKeyOnDemand', { KeyId })).rejects.toMatchObject(
      exception('LimitExceededException'),
    );
    expect(await call('Decrypt', { CiphertextBlob })).toMatchObject({ Plaintext: 'AQ==' });
  });

  it('opens blobs that name no material version, also after a rotation', async () => {
    const { call, kms, newKey, store } = await startApi();
    const arn = await newKey();
    const key = store.read().keys[arn];
    const head = Buffer.concat([Buffer.of(1), Buffer.from(key?.id ?? '', 'hex')]);
    const nonce = randomBytes(12);
    const material = Buffer.from(key?.material ?? '', 'base64');
    const cipher = createCipheriv('aes-256-gcm', material, nonce);
    cipher.setAAD(Buffer.concat([head, encodeContext({ a: '1' })]));
    const body = Buffer.concat([cipher.update('old'), cipher.final()]);
    const blob = Buffer.concat([head, nonce, body, cipher.getAuthTag()]);
    await call('RotateKeyOnDemand', { KeyId: arn });
    expect(Buffer.from(await kms.decrypt(arn, blob, { a: '1' })).toString()).toBe('old');
  });

  it('is found by ARN, id and alias, in the forms of this store', async () => {
    const { call, kms, newKey, storeId } = await startApi();
    const arn = await newKey();
    await call('CreateAlias', { AliasName: 'alias/mine', TargetKeyId: arn });
    const prefix = `arn:cqlock:kms:local:${storeId}:`;
    for (const id of [arn, arn.split('/')[1] ?? '', 'alias/mine', `${prefix}alias/mine`]) {
      expect(kms.recognises(id)).toBe(true);
      expect(await kms.resolveKey(id)).toBe(arn);
    }
    for (const id of ['alias/other', 'mine', 'arn:aws:kms:eu-west-1:1:key/x', `${arn}x`]) {
      expect(kms.recognises(id)).toBe(id === `${arn}x`);
      await expect(kms.resolveKey(id)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    }
    const hidden = await kms.createServiceKey('table', 'a', 'b');
    await expect(kms.resolveKey(hidden)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
  });

  it.each([
    ['Encrypt', { KeyId: 'x' }, 'ValidationException'],
    ['Encrypt', { KeyId: 1, Plaintext: 'AA==' }, 'SerializationException'],
    ['Encrypt', { KeyId: 'x', Plaintext: 'A' }, 'ValidationException'],
    [
      'Encrypt',
      { KeyId: 'x', Plaintext: 'AA==', EncryptionContext: { a: 1 } },
      'ValidationException',
    ],
    [
      'Encrypt',
      { KeyId: 'x', Plaintext: 'AA==', EncryptionContext: { '\ud800': '' } },
      'ValidationException',
    ],
    ['Encrypt', { KeyId: 'x', Plaintext: 'AA==', Recipient: {} }, 'UnsupportedOperationException'],
    ['GenerateDataKey', { KeyId: 'x' }, 'ValidationException'],
    [
      'GenerateDataKey',
      { KeyId: 'x', KeySpec: 'AES_256', NumberOfBytes: 1 },
      'ValidationException',
    ],
    ['CreateKey', { KeySpec: 'RSA_2048' }, 'UnsupportedOperationException'],
    ['CreateAlias', { AliasName: 'mine', TargetKeyId: 'x' }, 'ValidationException'],
    ['CreateAlias', { AliasName: 'alias/aws/x', TargetKeyId: 'x' }, 'NotAuthorizedException'],
    ['DescribeKey', { KeyId: 'nonsense' }, 'NotFoundException'],
    ['DescribeKey', { KeyId: 'arn:nonsense' }, 'InvalidArnException'],
    ['Sign', {}, 'UnknownOperationException'],
    ['toString', {}, 'UnknownOperationException'],
  ])('refuses %s %j', async (operation, request, name) => {
    const { call } = await startApi();
    await expect(call(operation, request)).rejects.toMatchObject(exception(name));
  });

  it('gives nothing for a dry run', async () => {
    const { call, newKey } = await startApi();
    const request = { KeyId: await newKey(), Plaintext: 'AA==', DryRun: true };
    await expect(call('Encrypt', request)).rejects.toMatchObject(
      exception('DryRunOperationException'),
    );
  });
});

function collecting(events: KmsAuditEvent[]): KmsAuditSink {
  return {
    ready: () => undefined,
    record: (event) => {
      events.push(event);
      return Promise.resolve();
    },
  };
}

describe('the audit trail', () => {
  it('has one event for a call; a sink that fails fails the call', async () => {
    const { store, storeId } = await startApi();
    const events: KmsAuditEvent[] = [];
    const api = new KmsApi({ store, audit: collecting(events) });
    const by = { caller: operator(storeId), requestId: 'r1' };
    await api.call('CreateKey', { Description: 'secret text' }, by);
    await expect(api.call('DescribeKey', { KeyId: 'none' }, by)).rejects.toThrow();
    expect(events).toMatchObject([
      { operation: 'CreateKey', result: 'ok', requestId: 'r1', principal: by.caller.principal },
      { operation: 'DescribeKey', result: 'NotFoundException', keyArn: undefined },
    ]);
    expect(JSON.stringify(events)).not.toContain('secret text');
    const failing = {
      ready: () => undefined,
      record: () => Promise.reject(new TypeError('full')),
    };
    await expect(new KmsApi({ store, audit: failing }).call('ListKeys', {}, by)).rejects.toThrow(
      'full',
    );
  });
});

describe('access keys', () => {
  it('are shown once, found by id, and gone when removed', async () => {
    const { store, clock, storeId } = await startApi();
    const keys = new AccessKeys(store, clock);
    const made = await keys.create('alice', ['kms:Decrypt']);
    expect(made.secret).toHaveLength(40);
    expect(JSON.stringify(keys.list())).not.toContain(made.secret);
    expect(keys.find(made.accessKeyId)).toMatchObject({
      secret: made.secret,
      caller: { principal: `arn:cqlock:iam::${storeId}:user/alice`, isOperator: false },
    });
    await keys.remove(made.accessKeyId);
    for (const id of [made.accessKeyId, '__proto__']) expect(keys.find(id)).toBe(undefined);
    for (const actions of [[], ['s3:*'], ['kms:Nothing']]) {
      await expect(keys.create('a', actions)).rejects.toMatchObject(
        exception('ValidationException'),
      );
    }
    await expect(keys.create('a/b', ['kms:*'])).rejects.toMatchObject(
      exception('ValidationException'),
    );
  });
});

describe('a key store of format 1', () => {
  it('is read with what it lacks as it was then', () => {
    const key = { arn: 'k', id: 'i', state: 'enabled', material: 'm' };
    const old = { format: 1, storeId: 's', cluster: null, keys: { k: key } };
    expect(parseKeyStoreState(JSON.stringify(old), 'p')).toMatchObject({
      format: 2,
      keys: { k: { ...key, materialVersion: 1, earlier: [], policy: null, grants: {} } },
      aliases: {},
      access: {},
    });
    const later = { ...old, format: 3 };
    expect(() => parseKeyStoreState(JSON.stringify(later), 'p')).toThrow('unknown format');
  });
});
