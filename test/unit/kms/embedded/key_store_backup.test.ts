import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  backUpKeyStore,
  checkBackup,
  compareWithBackup,
  EmbeddedKms,
  KeyStore,
  loadRootKey,
  restoreKeyStore,
} from '../../../../src/kms/index.ts';
import { newStorePath, ROOT_KEY, startApi } from './support.ts';

const refused = { name: 'ConfigError', code: 'CONFIG_KEY_STORE_BACKUP' };
const damaged = { name: 'ConfigError', code: 'CONFIG_KEY_STORE' };
const CLUSTER = { clusterId: '00', catalogKeyArn: 'a' };

async function filled() {
  const parts = await startApi();
  const arn = await parts.newKey();
  await parts.call('CreateAlias', { AliasName: 'alias/a', TargetKeyId: arn });
  await parts.call('CreateGrant', {
    KeyId: arn,
    GranteePrincipal: parts.user('alice').principal,
    Operations: ['Decrypt'],
  });
  const service = await parts.kms.createServiceKey('table', 'a', 'b');
  const { blob } = await parts.kms.generateDataKey(service, {});
  await parts.store.update((state) => ({ ...state, cluster: { ...CLUSTER, rootVersion: '9' } }));
  const file = newStorePath();
  const backup = await backUpKeyStore(parts.store, file, 5);
  return { ...parts, arn, service, blob, file, backup };
}

describe('a backup of a key store', () => {
  it('brings everything back where there is no key store', async () => {
    const { arn, service, blob, file, backup } = await filled();
    expect(backup).toMatchObject({ customerKeys: [arn], serviceKeyCount: 1, grantCount: 1 });
    const path = newStorePath();
    const store = await restoreKeyStore(path, ROOT_KEY, checkBackup(file, ROOT_KEY), false);
    const kms = new EmbeddedKms({ store });
    await kms.decrypt(service, blob, {});
    expect(await kms.resolveKey('alias/a')).toBe(arn);
    const grants = store.read().keys[arn]?.grants ?? {};
    expect(Object.values(grants)).toMatchObject([{ count: 1 }]);
  });

  it('is sealed, and of no use with another root key or as a key store', async () => {
    const { arn, file } = await filled();
    expect(readFileSync(file).includes(arn)).toBe(false);
    const value = Buffer.alloc(32, 6).toString('base64');
    expect(() => checkBackup(file, loadRootKey({ kind: 'base64', value }))).toThrow(
      expect.objectContaining(damaged),
    );
    expect(() => KeyStore.open({ path: file, rootKey: ROOT_KEY })).toThrow(
      expect.objectContaining(damaged),
    );
    const disguised = readFileSync(file);
    disguised.write('cqlock-keystore-1\n', 0, 'latin1');
    writeFileSync(file, disguised);
    expect(() => KeyStore.open({ path: file, rootKey: ROOT_KEY })).toThrow(
      expect.objectContaining(damaged),
    );
  });

  it('is refused when it was altered, and never overwrites a file', async () => {
    const { store, file } = await filled();
    await expect(backUpKeyStore(store, file, 5)).rejects.toMatchObject(refused);
    const bytes = readFileSync(file);
    for (let at = 0; at < bytes.length; at += 97) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(file, changed);
      // The salt of a raw root key is not used.
      const isSalt = at >= 19 && at < 51;
      if (isSalt) checkBackup(file, ROOT_KEY);
      else expect(() => checkBackup(file, ROOT_KEY)).toThrow(expect.objectContaining(damaged));
    }
  });

  it('replaces a key store only when told to, says what changes, and never lowers the anchor', async () => {
    const { path, store, arn, newKey, kms, service, file } = await filled();
    const later = await newKey();
    await kms.deleteServiceKey(service);
    await store.update((state) => ({ ...state, cluster: { ...CLUSTER, rootVersion: '12' } }));
    const backup = checkBackup(file, ROOT_KEY);
    expect(compareWithBackup(store, backup)).toEqual({ lost: [later], back: [service] });
    await expect(restoreKeyStore(path, ROOT_KEY, backup, false)).rejects.toMatchObject(refused);
    await restoreKeyStore(path, ROOT_KEY, backup, true);
    expect(store.read().cluster?.rootVersion).toBe('12');
    expect(Object.keys(store.read().keys).sort()).toEqual([arn, service].sort());
    const other = await startApi();
    await expect(restoreKeyStore(other.path, ROOT_KEY, backup, true)).rejects.toMatchObject(
      refused,
    );
  });

  it('must have the grants; a key store without its grants refuses them', async () => {
    const { path, file, arn } = await filled();
    const copy = newStorePath();
    copyFileSync(path, copy);
    const store = KeyStore.open({ path: copy, rootKey: ROOT_KEY });
    await expect(backUpKeyStore(store, `${copy}.b`, 1)).rejects.toMatchObject(refused);
    const [bucket = ''] = Object.keys(store.read().keys[arn]?.grants ?? {});
    const grantId = `${bucket}${'0'.repeat(62)}`;
    await expect(new EmbeddedKms({ store }).retireGrant(arn, grantId)).rejects.toMatchObject(
      damaged,
    );
    rmSync(file);
  });
});
