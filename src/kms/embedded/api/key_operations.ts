import { z } from 'zod';
import type { KmsKeyEntry } from '../../key_entry.ts';
import { materialId } from '../blob.ts';
import {
  DAY_MS,
  deletionCancelled,
  disabled,
  enabled,
  notPending,
  pendingDeletion,
} from '../key_changes.ts';
import { keyUuid } from '../key_lookup.ts';
import { KmsFault } from '../kms_fault.ts';
import { operation } from './kms_call.ts';
import type { KmsAnswer, KmsOperation } from './kms_call.ts';
import { grantTokens, keyId, marker, text, whole } from './parse_request.ts';
import { pageOf } from './paging.ts';
import { checkedPolicy } from './policy_operations.ts';
import { checkedTags, tagList } from './tag_operations.ts';

const STATES = { enabled: 'Enabled', disabled: 'Disabled', pending_deletion: 'PendingDeletion' };
const onlyKey = z.strictObject({ KeyId: keyId });
const DEFAULT_WINDOW_DAYS = 30;

/** Operations that make keys, show them and change their states. */
export const keyOperations = {
  CreateKey: operation(
    z.strictObject({
      Policy: text(1, 131_072).optional(),
      Description: text(0, 8192).default(''),
      KeyUsage: z.string().optional(),
      CustomerMasterKeySpec: z.string().optional(),
      KeySpec: z.string().optional(),
      Origin: z.string().optional(),
      MultiRegion: z.boolean().optional(),
      BypassPolicyLockoutSafetyCheck: z.boolean().default(false),
      Tags: tagList.default([]),
    }),
    async (call, request) => {
      call.allowAccount('CreateKey');
      only('KeyUsage', request.KeyUsage, 'ENCRYPT_DECRYPT');
      only('KeySpec', request.KeySpec ?? request.CustomerMasterKeySpec, 'SYMMETRIC_DEFAULT');
      only('Origin', request.Origin, 'AWS_KMS');
      only('MultiRegion', request.MultiRegion, false);
      const { Policy: policy, Description: description } = request;
      const tags = checkedTags({}, request.Tags);
      const about = { serviceOwned: false, purpose: 'customer', description, owner: '', tags };
      const key = await call.keys.create(about, (storeId, arn) =>
        policy === undefined
          ? null
          : checkedPolicy(policy, arn, storeId, {
              caller: call.caller,
              mayLockOut: request.BypassPolicyLockoutSafetyCheck,
            }),
      );
      call.note(key.arn);
      return { KeyMetadata: metadata(key, call.state().storeId) };
    },
  ),

  DescribeKey: operation(
    z.strictObject({ KeyId: keyId, GrantTokens: grantTokens }),
    (call, { KeyId: identifier, GrantTokens: tokens }) => {
      const key = call.key({
        identifier,
        action: 'DescribeKey',
        mayBeAlias: true,
        grantTokens: tokens,
      });
      return { KeyMetadata: metadata(key, call.state().storeId) };
    },
  ),

  ListKeys: operation(
    z.strictObject({ Limit: whole(1, 1000).optional(), Marker: marker }),
    (call, request) => {
      call.allowAccount('ListKeys');
      const keys = Object.values(call.state().keys).filter(
        (key) => !key.serviceOwned && call.keys.find(key.arn) !== undefined,
      );
      const page = pageOf(keys, (key) => key.arn, request, 100);
      return {
        Keys: page.items.map((key) => ({ KeyId: keyUuid(key.arn), KeyArn: key.arn })),
        ...page.next,
      };
    },
  ),

  EnableKey: operation(onlyKey, async (call, { KeyId: identifier }) => {
    const key = call.key({ identifier, action: 'EnableKey' });
    await call.keys.change(key.arn, enabled);
    return {};
  }),

  DisableKey: operation(onlyKey, async (call, { KeyId: identifier }) => {
    const key = call.key({ identifier, action: 'DisableKey' });
    await call.keys.change(key.arn, disabled);
    return {};
  }),

  ScheduleKeyDeletion: operation(
    z.strictObject({
      KeyId: keyId,
      PendingWindowInDays: whole(7, 30).default(DEFAULT_WINDOW_DAYS),
    }),
    async (call, { KeyId: identifier, PendingWindowInDays: days }) => {
      const { arn } = call.key({ identifier, action: 'ScheduleKeyDeletion' });
      const nowMs = call.nowMs();
      await call.keys.change(arn, (key) => pendingDeletion(key, days, nowMs));
      return {
        KeyId: arn,
        DeletionDate: seconds(nowMs + days * DAY_MS),
        KeyState: STATES.pending_deletion,
        PendingWindowInDays: days,
      };
    },
  ),

  CancelKeyDeletion: operation(onlyKey, async (call, { KeyId: identifier }) => {
    const key = call.key({ identifier, action: 'CancelKeyDeletion' });
    await call.keys.change(key.arn, deletionCancelled);
    return { KeyId: key.arn };
  }),

  UpdateKeyDescription: operation(
    z.strictObject({ KeyId: keyId, Description: text(0, 8192) }),
    async (call, { KeyId: identifier, Description: description }) => {
      const { arn } = call.key({ identifier, action: 'UpdateKeyDescription' });
      await call.keys.change(arn, (key) => {
        notPending(key);
        return { ...key, description };
      });
      return {};
    },
  ),
} as const satisfies Record<string, KmsOperation>;

/** Seconds since the epoch, as JSON of AWS has dates. */
export function seconds(ms: number): number {
  return ms / 1000;
}

function metadata(key: KmsKeyEntry, storeId: string): KmsAnswer {
  return {
    AWSAccountId: storeId,
    KeyId: keyUuid(key.arn),
    Arn: key.arn,
    CreationDate: seconds(key.createdAtMs),
    Enabled: key.state === 'enabled',
    Description: key.description,
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeyState: STATES[key.state],
    ...(key.deletionAtMs === null ? {} : { DeletionDate: seconds(key.deletionAtMs) }),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    MultiRegion: false,
    CurrentKeyMaterialId: materialId(key, key.materialVersion),
  };
}

function only(name: string, value: unknown, supported: unknown): void {
  if (value === undefined || value === supported) return;
  throw new KmsFault(
    'UnsupportedOperationException',
    `the embedded KMS has only keys with ${name} ${String(supported)}`,
  );
}
