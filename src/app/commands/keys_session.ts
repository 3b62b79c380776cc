import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config/index.ts';
import { AccessKeys, KmsApi, operator } from '../../kms/index.ts';
import type { KeyStore, KmsAnswer, KmsAuditSink } from '../../kms/index.ts';
import { systemClock } from '../../util/index.ts';
import { openEmbeddedKms } from '../open_kms.ts';

const keyAnswer = z.object({
  KeyMetadata: z.object({
    KeyId: z.string(),
    Arn: z.string(),
    KeyState: z.string(),
    Description: z.string(),
    CreationDate: z.number(),
    DeletionDate: z.number().optional(),
  }),
});

/** What the commands show of a key. */
export type KeyMetadata = z.infer<typeof keyAnswer>['KeyMetadata'];

/** The key store of this machine, used as its operator: the same operations as the listener has. */
export interface KeysSession {
  readonly store: KeyStore;
  readonly accessKeys: AccessKeys;
  /** Runs one operation of the AWS KMS API. */
  call(operation: string, request: object): Promise<KmsAnswer>;
  /** The key of an id, ARN or alias. */
  key(identifier: string): Promise<KeyMetadata>;
}

/** Where the key store is. */
export function keyStorePath(config: Config): string {
  return join(config.stateDir, 'keystore.cqlock');
}

/**
 * Opens the key store.
 * @param mayCreate whether one is made where there is none
 * @throws ConfigError when it cannot be opened.
 */
export async function openKeys(
  config: Config,
  mayCreate: boolean,
  audit?: KmsAuditSink,
): Promise<KeysSession> {
  const { store } = await openEmbeddedKms(config, mayCreate);
  const api = new KmsApi({ store, ...(audit === undefined ? {} : { audit }) });
  const caller = operator(store.read().storeId);
  const call = (operation: string, request: object): Promise<KmsAnswer> =>
    api.call(operation, request, { caller, requestId: randomUUID() });
  return {
    store,
    accessKeys: new AccessKeys(store, systemClock),
    call,
    key: async (identifier) =>
      keyAnswer.parse(await call('DescribeKey', { KeyId: identifier })).KeyMetadata,
  };
}

/** Takes all pages of a list. */
export async function allPages(
  session: KeysSession,
  operation: string,
  request: object,
  member: string,
): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  let marker: unknown;
  do {
    const answer = await session.call(operation, {
      ...request,
      ...(marker === undefined ? {} : { Marker: marker }),
    });
    items.push(...z.array(z.unknown()).parse(answer[member]));
    marker = answer['NextMarker'];
  } while (marker !== undefined);
  return items;
}
