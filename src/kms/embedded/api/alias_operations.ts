import { z } from 'zod';
import type { AliasEntry } from '../../key_entry.ts';
import type { KeyStoreState } from '../../key_store.ts';
import { notPending } from '../key_changes.ts';
import { arnPrefix, entryOf, keyUuid } from '../key_lookup.ts';
import { keyNotFound, KmsFault } from '../kms_fault.ts';
import { operation } from './kms_call.ts';
import type { KmsCall, KmsOperation } from './kms_call.ts';
import { seconds } from './key_operations.ts';
import { pageOf } from './paging.ts';
import { keyId, marker, text, whole } from './parse_request.ts';

const MAX_ALIASES = 50;
const aliasName = text(1, 256);

/** Names for keys. A change needs the permission on every key it touches. */
export const aliasOperations = {
  CreateAlias: operation(
    z.strictObject({ AliasName: aliasName, TargetKeyId: keyId }),
    async (call, { AliasName: name, TargetKeyId: identifier }) => {
      checkName(name);
      const { arn } = call.key({ identifier, action: 'CreateAlias' });
      const nowMs = call.nowMs();
      await call.keys.changeState((state) => {
        if (Object.hasOwn(state.aliases, name)) {
          throw new KmsFault(
            'AlreadyExistsException',
            `An alias with the name ${arnPrefix(state.storeId)}${name} already exists`,
          );
        }
        return pointed(state, name, { targetArn: arn, createdAtMs: nowMs, updatedAtMs: nowMs });
      });
      return {};
    },
  ),

  UpdateAlias: operation(
    z.strictObject({ AliasName: aliasName, TargetKeyId: keyId }),
    async (call, { AliasName: name, TargetKeyId: identifier }) => {
      checkName(name);
      allowOnTarget(call, name, 'UpdateAlias');
      const { arn } = call.key({ identifier, action: 'UpdateAlias' });
      await call.keys.changeState((state) => {
        const alias = present(state, name);
        return pointed(state, name, { ...alias, targetArn: arn, updatedAtMs: call.nowMs() });
      });
      return {};
    },
  ),

  DeleteAlias: operation(z.strictObject({ AliasName: aliasName }), async (call, request) => {
    const { AliasName: name } = request;
    checkName(name);
    allowOnTarget(call, name, 'DeleteAlias');
    await call.keys.changeState((state) => {
      present(state, name);
      const { [name]: _gone, ...aliases } = state.aliases;
      return { ...state, aliases };
    });
    return {};
  }),

  ListAliases: operation(
    z.strictObject({
      KeyId: keyId.optional(),
      Limit: whole(1, 100).optional(),
      Marker: marker,
    }),
    (call, request) => {
      call.allowAccount('ListAliases');
      const state = call.state();
      const only = request.KeyId === undefined ? undefined : call.visible(request.KeyId).arn;
      const aliases = Object.entries(state.aliases).filter(
        ([name, { targetArn }]) =>
          (only === undefined || targetArn === only) && call.keys.find(name) !== undefined,
      );
      const page = pageOf(aliases, ([name]) => name, request, 50);
      return {
        Aliases: page.items.map(([name, alias]) => ({
          AliasName: name,
          AliasArn: arnPrefix(state.storeId) + name,
          TargetKeyId: keyUuid(alias.targetArn),
          CreationDate: seconds(alias.createdAtMs),
          LastUpdatedDate: seconds(alias.updatedAtMs),
        })),
        ...page.next,
      };
    },
  ),
} as const satisfies Record<string, KmsOperation>;

function checkName(name: string): void {
  if (!name.startsWith('alias/') || name === 'alias/') {
    throw new KmsFault(
      'ValidationException',
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  }
  if (!/^[a-zA-Z0-9/_-]+$/.test(name)) {
    throw new KmsFault(
      'ValidationException',
      `1 validation error detected: Value '${name}' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^alias/[a-zA-Z0-9/_-]+$`,
    );
  }
  if (name.startsWith('alias/aws/')) {
    throw new KmsFault('NotAuthorizedException', 'Aliases that begin with alias/aws/ are reserved');
  }
}

/** The permission on the key that an alias stands for now. */
function allowOnTarget(call: KmsCall, name: string, action: 'UpdateAlias' | 'DeleteAlias'): void {
  const state = call.state();
  const key = entryOf(state.keys, present(state, name).targetArn);
  if (key === undefined) throw aliasNotFound(state, name);
  call.allow(key, action, {});
}

function present(state: KeyStoreState, name: string): AliasEntry {
  const alias = Object.hasOwn(state.aliases, name) ? state.aliases[name] : undefined;
  if (alias === undefined) throw aliasNotFound(state, name);
  return alias;
}

function pointed(state: KeyStoreState, name: string, alias: AliasEntry): KeyStoreState {
  const key = entryOf(state.keys, alias.targetArn);
  if (key === undefined) throw keyNotFound(alias.targetArn);
  notPending(key);
  const others = Object.entries(state.aliases).filter(
    ([other, { targetArn }]) => other !== name && targetArn === key.arn,
  );
  if (others.length >= MAX_ALIASES) {
    throw new KmsFault('LimitExceededException', `a key has at most ${MAX_ALIASES} aliases`);
  }
  return { ...state, aliases: { ...state.aliases, [name]: alias } };
}

function aliasNotFound(state: KeyStoreState, name: string): KmsFault {
  return new KmsFault(
    'NotFoundException',
    `Alias ${arnPrefix(state.storeId)}${name} is not found.`,
  );
}
