/** The API on a fresh key store, with a clock that is moved by hand. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EmbeddedKms,
  KeyStore,
  KmsApi,
  loadRootKey,
  userPrincipal,
} from '../../../../src/kms/index.ts';
import type { KmsAnswer, KmsPrincipal } from '../../../../src/kms/index.ts';
import { fakeClock } from '../../../support/fake_clock.ts';

/** Opens the key stores of these tests. */
export const ROOT_KEY = loadRootKey({
  kind: 'base64',
  value: Buffer.alloc(32, 5).toString('base64'),
});

/** A path in a directory of its own. */
export function newStorePath(): string {
  return join(mkdtempSync(join(tmpdir(), 'cqlock-api-')), 'keystore');
}

/** The API, and users who call it. */
export async function startApi(path = newStorePath()) {
  const clock = fakeClock();
  const store = await KeyStore.create({ path, rootKey: ROOT_KEY });
  const api = new KmsApi({ store, clock });
  const { storeId } = store.read();
  const user = (name: string, actions: readonly string[] = ['kms:*']): KmsPrincipal => ({
    principal: userPrincipal(storeId, name),
    actions,
    isOperator: false,
  });
  const admin = user('admin');
  const call = (
    operation: string,
    request: object,
    caller: KmsPrincipal = admin,
  ): Promise<KmsAnswer> => api.call(operation, request, { caller, requestId: 'r' });
  const newKey = async (): Promise<string> => {
    const { KeyMetadata: key } = await call('CreateKey', {});
    return (key as { Arn: string }).Arn;
  };
  const passDays = (days: number): void => {
    clock.advance(days * 86_400_000);
  };
  const kms = new EmbeddedKms({ store, clock });
  return { path, store, storeId, api, kms, clock, user, admin, call, newKey, passDays };
}

/** What a call that fails as AWS says is refused with. */
export function exception(name: string): object {
  return { exception: name };
}
