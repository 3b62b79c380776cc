import { z } from 'zod';
import { materialId } from '../blob.ts';
import { DEFAULT_ROTATION_DAYS, rotatedOnDemand, rotationOff, rotationOn } from '../key_changes.ts';
import { keyUuid } from '../key_lookup.ts';
import { seconds } from './key_operations.ts';
import { operation } from './kms_call.ts';
import type { KmsOperation } from './kms_call.ts';
import { pageOf } from './paging.ts';
import { keyId, marker, whole, word } from './parse_request.ts';

const KINDS = { automatic: 'AUTOMATIC', on_demand: 'ON_DEMAND' };
const onlyKey = z.strictObject({ KeyId: keyId });

/** Rotation of key material; what earlier material encrypted stays readable. */
export const rotationOperations = {
  EnableKeyRotation: operation(
    z.strictObject({
      KeyId: keyId,
      RotationPeriodInDays: whole(90, 2560).default(DEFAULT_ROTATION_DAYS),
    }),
    async (call, { KeyId: identifier, RotationPeriodInDays: days }) => {
      const { arn } = call.key({ identifier, action: 'EnableKeyRotation' });
      await call.keys.change(arn, (key) => rotationOn(key, days, call.nowMs()));
      return {};
    },
  ),

  DisableKeyRotation: operation(onlyKey, async (call, { KeyId: identifier }) => {
    const { arn } = call.key({ identifier, action: 'DisableKeyRotation' });
    await call.keys.change(arn, rotationOff);
    return {};
  }),

  GetKeyRotationStatus: operation(onlyKey, async (call, { KeyId: identifier }) => {
    const found = call.key({ identifier, action: 'GetKeyRotationStatus' });
    const { arn, rotation, state } = await call.keys.rotateWhenDue(found);
    const isOn = rotation !== null && state !== 'pending_deletion';
    return {
      KeyId: keyUuid(arn),
      KeyRotationEnabled: isOn,
      ...(isOn
        ? {
            RotationPeriodInDays: rotation.periodDays,
            NextRotationDate: seconds(rotation.nextAtMs),
          }
        : {}),
    };
  }),

  RotateKeyOnDemand: operation(onlyKey, async (call, { KeyId: identifier }) => {
    const { arn } = call.key({ identifier, action: 'RotateKeyOnDemand' });
    await call.keys.change(arn, (key) => rotatedOnDemand(key, call.nowMs()));
    return { KeyId: keyUuid(arn) };
  }),

  ListKeyRotations: operation(
    z.strictObject({
      KeyId: keyId,
      IncludeKeyMaterial: word(['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY']).default('ROTATIONS_ONLY'),
      Limit: whole(1, 1000).optional(),
      Marker: marker,
    }),
    async (call, request) => {
      const found = call.key({ identifier: request.KeyId, action: 'ListKeyRotations' });
      const key = await call.keys.rotateWhenDue(found);
      const isAll = request.IncludeKeyMaterial === 'ALL_KEY_MATERIAL';
      const first = { version: 1, atMs: undefined, kind: undefined };
      const all = [...(isAll ? [first] : []), ...key.rotations];
      const page = pageOf(all, ({ version }) => String(version).padStart(9, '0'), request, 100);
      return {
        Rotations: page.items.map(({ version, atMs, kind }) => ({
          KeyId: keyUuid(key.arn),
          KeyMaterialId: materialId(key, version),
          ...(isAll
            ? { KeyMaterialState: version === key.materialVersion ? 'CURRENT' : 'NON_CURRENT' }
            : {}),
          ...(kind === undefined ? {} : { RotationDate: seconds(atMs), RotationType: KINDS[kind] }),
        })),
        ...page.next,
      };
    },
  ),
} as const satisfies Record<string, KmsOperation>;
