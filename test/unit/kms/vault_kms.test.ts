import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { remoteCallLimits } from '../../../src/kms/remote_calls.ts';
import { VaultKms } from '../../../src/kms/vault/index.ts';
import type { VaultAuth } from '../../../src/kms/vault/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import { kmsContract } from '../../support/kms_contract.ts';
import { startTransitServer } from '../../support/transit_server.ts';
import type { TransitServer } from '../../support/transit_server.ts';

const NO_DELETION = 'Transit has no waiting period';
const TOKEN: VaultAuth = { kind: 'token', token: 'root' };
const APPROLE: VaultAuth = {
  kind: 'approle',
  mount: 'approle',
  roleId: 'role',
  secretId: 'secret',
};
const PREFIX = 'arn:cqlock:vault::transit/keys/';

let engine: TransitServer;
let provider: VaultKms;
let count = 0;

function open(auth: VaultAuth, clock = fakeClock()): VaultKms {
  const limits = remoteCallLimits(2_000);
  const { address } = engine;
  return new VaultKms({
    address,
    namespace: '',
    mount: 'transit',
    caFile: undefined,
    auth,
    limits,
    clock,
  });
}

function newKey(): string {
  count += 1;
  engine.newKey(`key-${count}`);
  return `${PREFIX}key-${count}`;
}

beforeAll(async () => {
  engine = await startTransitServer();
  engine.tokens.set('root', 'allowed');
  provider = open(TOKEN);
});

afterAll(async () => {
  await engine.stop();
});

describe('the Vault provider on a stand-in of Transit:', () => {
  kmsContract(
    async () => ({
      provider,
      absentKey: `${PREFIX}none`,
      createCustomerKey: async () => newKey(),
      setKeyEnabled: async (arn, enabled) => {
        const key = engine.keys.get(arn.slice(PREFIX.length));
        if (key !== undefined) key.soft_deleted = !enabled;
      },
      scheduleDeletion: () => Promise.reject(new Error(NO_DELETION)),
      passDays: () => Promise.reject(new Error(NO_DELETION)),
    }),
    {
      pendingDeletion: NO_DELETION,
      passingDays: NO_DELETION,
      waitingPeriods: NO_DELETION,
      manyCalls: 'each is a request',
    },
  );

  it('never makes a key by encrypting under one that is not there', async () => {
    await expect(provider.generateDataKey(`${PREFIX}new`, {})).rejects.toMatchObject({
      code: 'KEY_NOT_FOUND',
    });
    expect(engine.keys.has('new')).toBe(false);
  });

  it('resolves names of its mount only, and reaches no other path of Vault', async () => {
    const arn = newKey();
    const name = arn.slice(PREFIX.length);
    expect(await provider.resolveKey(`vault:transit/keys/${name}`)).toBe(arn);
    const before = engine.log.length;
    for (const other of [
      `vault:other/keys/${name}`,
      'vault:transit/keys/../../sys/seal',
      'vault:transit/keys/..',
      `vault:transit/keys/${name}?x`,
      `arn:cqlock:vault:ns:transit/keys/${name}`,
    ]) {
      expect(provider.recognises(other)).toBe(true);
      await expect(provider.resolveKey(other)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    }
    expect(engine.log.length).toBe(before);
  });

  it('refuses keys that bind no associated data', async () => {
    for (const change of [{ type: 'rsa-4096' }, { derived: true }]) {
      const arn = newKey();
      Object.assign(engine.keys.get(arn.slice(PREFIX.length)) ?? {}, change);
      await expect(provider.resolveKey(arn)).rejects.toMatchObject({
        name: 'KeyAccessError',
        code: 'KEY_ACCESS_DENIED',
      });
    }
  });

  it('tells a policy that denies from a token that has ended', async () => {
    const arn = newKey();
    engine.tokens.set('limited', 'denied');
    const limited = open({ kind: 'token', token: 'limited' });
    await expect(limited.describeKey(arn)).rejects.toMatchObject({
      name: 'KeyAccessError',
      code: 'KEY_ACCESS_DENIED',
    });
    engine.tokens.delete('limited');
    await expect(limited.describeKey(arn)).rejects.toMatchObject({
      name: 'KeyUnavailableError',
      code: 'KEY_KMS_CONFIG',
    });
  });

  it('logs in by AppRole once, and again when the token has ended', async () => {
    const arn = newKey();
    const kms = open(APPROLE);
    const logins = (): number => engine.log.filter((line) => line.endsWith('approle/login')).length;
    const before = logins();
    await Promise.all([kms.describeKey(arn), kms.describeKey(arn)]);
    await kms.describeKey(arn);
    expect(logins()).toBe(before + 1);
    for (const token of engine.tokens.keys()) if (token !== 'root') engine.tokens.delete(token);
    await kms.describeKey(arn);
    expect(logins()).toBe(before + 2);
    const wrong = open({ ...APPROLE, secretId: 'wrong' });
    await expect(wrong.describeKey(arn)).rejects.toMatchObject({ code: 'KEY_KMS_CONFIG' });
  });

  it('renews the token after two thirds of its life', async () => {
    const clock = fakeClock();
    const kms = open(APPROLE, clock);
    await kms.describeKey(newKey());
    const renewals = (): number => engine.log.filter((line) => line.endsWith('renew-self')).length;
    const before = renewals();
    clock.advance(2_399_000);
    expect(renewals()).toBe(before);
    clock.advance(2_000);
    await expect.poll(renewals).toBe(before + 1);
  });

  it.each([
    [503, '{"errors":["Vault is sealed"]}'],
    [500, '{"errors":["internal error"]}'],
    [429, '{"errors":["request path is rate limited"]}'],
    [200, '<html>'],
    [404, 'not found'],
    [403, '<html>proxy</html>'],
    [200, '{}'],
  ])('status %d with %s: unavailable', async (status, body) => {
    const arn = newKey();
    engine.override = { status, body };
    try {
      await expect(open(TOKEN).describeKey(arn)).rejects.toMatchObject({
        name: 'KeyUnavailableError',
        code: 'KEY_UNAVAILABLE',
      });
    } finally {
      engine.override = undefined;
    }
  });

  it('follows no redirect, which would carry the token away', async () => {
    engine.override = { status: 307, body: '' };
    await expect(open(TOKEN).describeKey(newKey())).rejects.toMatchObject({
      code: 'KEY_KMS_CONFIG',
    });
    engine.override = undefined;
  });
});
