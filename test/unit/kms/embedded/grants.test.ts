import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeyStore, KmsApi } from '../../../../src/kms/index.ts';
import { GrantFiles } from '../../../../src/kms/embedded/grant_files.ts';
import { makeGrant } from '../../../../src/kms/embedded/grant.ts';
import type { Grant } from '../../../../src/kms/embedded/grant.ts';
import { exception, ROOT_KEY, startApi } from './support.ts';

const denied = exception('AccessDeniedException');

describe('grants', () => {
  it('are one for a name and its terms, and another for other terms or without a name', async () => {
    const { call, newKey, user } = await startApi();
    const KeyId = await newKey();
    const grant = async (more: object) => {
      const GranteePrincipal = user('alice').principal;
      const request = { KeyId, GranteePrincipal, Operations: ['Decrypt'], ...more };
      return String((await call('CreateGrant', request))['GrantId']);
    };
    const first = await grant({ Name: 'a' });
    expect(await grant({ Name: 'a' })).toBe(first);
    const others = [
      await grant({ Name: 'b' }),
      await grant({ Name: 'a', Operations: ['Encrypt'] }),
      await grant({ Name: 'a', Constraints: { EncryptionContextEquals: { a: '1' } } }),
      await grant({ Name: 'a', Constraints: { EncryptionContextSubset: { a: '1' } } }),
      await grant({}),
      await grant({}),
    ];
    expect(new Set([first, ...others]).size).toBe(7);
  });

  it('with EncryptionContextEquals hold for exactly that context', async () => {
    const { call, newKey, user } = await startApi();
    const KeyId = await newKey();
    const alice = user('alice', ['kms:ListKeys']);
    await call('CreateGrant', {
      KeyId,
      GranteePrincipal: alice.principal,
      Operations: ['Encrypt'],
      Constraints: { EncryptionContextEquals: { a: '1' } },
    });
    const encrypt = (EncryptionContext: object) =>
      call('Encrypt', { KeyId, Plaintext: 'AA==', EncryptionContext }, alice);
    await encrypt({ a: '1' });
    for (const context of [{}, { a: '2' }, { a: '1', b: '' }]) {
      await expect(encrypt(context)).rejects.toMatchObject(denied);
    }
  });

  it('to make grants make none that is wider', async () => {
    const { call, newKey, user } = await startApi();
    const KeyId = await newKey();
    const alice = user('alice', ['kms:ListKeys']);
    await call('CreateGrant', {
      KeyId,
      GranteePrincipal: alice.principal,
      Operations: ['Decrypt', 'CreateGrant'],
      Constraints: { EncryptionContextSubset: { a: '1' } },
    });
    const child = (Operations: string[], Constraints?: object) =>
      call(
        'CreateGrant',
        { KeyId, GranteePrincipal: user('bob').principal, Operations, Constraints },
        alice,
      );
    await child(['Decrypt'], { EncryptionContextSubset: { a: '1', b: '2' } });
    await expect(child(['Decrypt'])).rejects.toMatchObject(denied);
    await expect(child(['Encrypt'], { EncryptionContextSubset: { a: '1' } })).rejects.toMatchObject(
      denied,
    );
  });

  it('are overruled by a Deny of the key policy', async () => {
    const { call, newKey, user } = await startApi();
    const KeyId = await newKey();
    const alice = user('alice', ['kms:ListKeys']);
    const GranteePrincipal = alice.principal;
    await call('CreateGrant', { KeyId, GranteePrincipal, Operations: ['Encrypt'] });
    const encrypt = () => call('Encrypt', { KeyId, Plaintext: 'AA==' }, alice);
    await encrypt();
    const { Policy } = await call('GetKeyPolicy', { KeyId });
    const policy = JSON.parse(String(Policy)) as { Statement: object[] };
    const deny = { Effect: 'Deny', Principal: { AWS: GranteePrincipal }, Resource: '*' };
    policy.Statement.push({ ...deny, Action: 'kms:Encrypt' });
    await call('PutKeyPolicy', { KeyId, Policy: JSON.stringify(policy) });
    await expect(encrypt()).rejects.toMatchObject(denied);
  });

  it('of another store, or tokens of none, are refused', async () => {
    const { call, newKey } = await startApi();
    const KeyId = await newKey();
    const tokens = { KeyId, Plaintext: 'AA==', GrantTokens: ['A'.repeat(76)] };
    await expect(call('Encrypt', tokens)).rejects.toMatchObject(
      exception('InvalidGrantTokenException'),
    );
    const GranteePrincipal = 'arn:cqlock:iam::000000000000:user/alice';
    await expect(
      call('CreateGrant', { KeyId, GranteePrincipal, Operations: ['Decrypt'] }),
    ).rejects.toMatchObject(exception('InvalidArnException'));
  });

  it('of the proxy are made and retired by it', async () => {
    const { call, kms, newKey } = await startApi();
    const arn = await newKey();
    const request = { name: 't:1', operations: ['Decrypt'], contextSubset: { t: '1' } } as const;
    const id = await kms.createGrant(arn, request);
    expect(await kms.createGrant(arn, request)).toBe(id);
    await kms.retireGrant(arn, id ?? '');
    await kms.retireGrant(arn, id ?? '');
    expect(await call('ListGrants', { KeyId: arn })).toMatchObject({ Grants: [] });
    const service = await kms.createServiceKey('table', 'a', 'b');
    expect(await kms.createGrant(service, request)).toBe(undefined);
  });

  it('that were altered on disk are refused', async () => {
    const { call, newKey, user, path } = await startApi();
    const KeyId = await newKey();
    const GranteePrincipal = user('alice').principal;
    await call('CreateGrant', { KeyId, GranteePrincipal, Operations: ['Decrypt'] });
    const [name] = readdirSync(`${path}.grants`);
    const file = join(`${path}.grants`, name ?? '');
    const bytes = readFileSync(file);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const store = KeyStore.open({ path, rootKey: ROOT_KEY });
    const caller = user('admin');
    const fresh = new KmsApi({ store });
    await expect(
      fresh.call('ListGrants', { KeyId }, { caller, requestId: 'r' }),
    ).rejects.toMatchObject({ code: 'CONFIG_KEY_STORE' });
  });

  it('up to 50,000 a key leave the key store small; one more is refused', async () => {
    const { call, newKey, user, store, path } = await startApi();
    const KeyId = await newKey();
    const grantee = user('alice').principal;
    await fill(store, path, KeyId, grantee);
    const newest = { KeyId, GranteePrincipal: user('bob').principal, Operations: ['Decrypt'] };
    const before = new Set(readdirSync(`${path}.grants`));
    const { GrantId } = await call('CreateGrant', { ...newest, Name: 'last' });
    const written = readdirSync(`${path}.grants`).filter((name) => !before.has(name));
    await expect(call('CreateGrant', newest)).rejects.toMatchObject(
      exception('LimitExceededException'),
    );
    expect((await call('CreateGrant', { ...newest, Name: 'last' }))['GrantId']).toBe(GrantId);
    expect(readFileSync(path).length).toBeLessThan(100_000);
    expect(written).toHaveLength(1);
    expect(statSync(join(`${path}.grants`, written[0] ?? '')).size).toBeLessThan(200_000);
    await call('RevokeGrant', { KeyId, GrantId });
    await call('CreateGrant', newest);
  }, 180_000);
});

/** Puts 49,999 grants on a key at once, as 49,999 calls would have. */
async function fill(store: KeyStore, path: string, keyArn: string, grantee: string): Promise<void> {
  const buckets = new Map<string, Grant[]>();
  for (let count = 0; count < 49_999; count += 1) {
    const grant = makeGrant(
      {
        name: `grant-${count}`,
        grantee,
        retiring: null,
        operations: ['Decrypt'],
        constraints: { subset: { t: String(count) } },
      },
      0,
    );
    const bucket = grant.id.slice(0, 2);
    const list = buckets.get(bucket);
    if (list === undefined) buckets.set(bucket, [grant]);
    else list.push(grant);
  }
  const files = new GrantFiles(path);
  const grants = Object.fromEntries(
    [...buckets].map(([id, list]) => [id, files.write(keyArn, list)]),
  );
  await store.update((state) => {
    const key = state.keys[keyArn];
    return key === undefined
      ? state
      : { ...state, keys: { ...state.keys, [keyArn]: { ...key, grants } } };
  });
}
