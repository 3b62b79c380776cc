import { describe, expect, it } from 'vitest';
import {
  cellDekIn,
  nextCellEpoch,
  withCellDeksRetired,
  withPendingActivated,
  withPendingCellDek,
} from '../../../src/schema/index.ts';
import type { DekRecord, TableKeys } from '../../../src/schema/index.ts';

function dek(epoch: number, state: DekRecord['state'], structure: 'key' | 'cell' = 'cell') {
  const id = `${structure}${String(epoch)}`;
  return { structure, epoch, dekId: id, tableKeyVersion: 1, wrapped: id, state } as const;
}

function keys(deks: readonly DekRecord[], minEpoch = 1): TableKeys {
  const deksWithKey = [dek(1, 'active', 'key'), ...deks];
  return {
    provider: 'embedded',
    keyArn: 'arn',
    serviceOwned: true,
    tableKeys: [],
    deks: deksWithKey,
    minEpoch,
  };
}

function states({ deks }: TableKeys): string[] {
  return deks.map(({ structure, epoch, state }) => `${structure} ${String(epoch)} ${state}`);
}

describe('cell DEKs of a record', () => {
  it('get epochs that were never used, also after all but one are retired', () => {
    expect(nextCellEpoch(keys([dek(1, 'active')]))).toBe(2);
    expect(nextCellEpoch(keys([dek(3, 'active')], 3))).toBe(4);
    expect(nextCellEpoch(keys([dek(2, 'active'), dek(5, 'pending')]))).toBe(6);
  });

  it('come into use and stop, the key DEK stays', () => {
    const begun = withPendingCellDek(keys([dek(1, 'active')]), dek(2, 'pending'));
    const activated = withPendingActivated(begun, 77);
    expect(states(activated)).toEqual(['key 1 active', 'cell 1 decrypt_only', 'cell 2 active']);
    expect(cellDekIn(activated, 'decrypt_only')?.inactiveSinceMs).toBe(77);
    expect(withPendingActivated(activated, 78)).toBe(activated);
  });

  it('that a newer one has overtaken are never written with', () => {
    const overtaken = keys([dek(1, 'decrypt_only'), dek(2, 'pending'), dek(3, 'active')]);
    expect(states(withPendingActivated(overtaken, 77))).toEqual([
      'key 1 active',
      'cell 1 decrypt_only',
      'cell 2 decrypt_only',
      'cell 3 active',
    ]);
  });

  it('retire below an epoch, the active one never', () => {
    const all = keys([dek(1, 'decrypt_only'), dek(2, 'decrypt_only'), dek(3, 'active')]);
    const two = withCellDeksRetired(all, 2);
    expect(states(two)).toEqual(['key 1 active', 'cell 2 decrypt_only', 'cell 3 active']);
    expect(two.minEpoch).toBe(2);
    const most = withCellDeksRetired(all, 99);
    expect(states(most)).toEqual(['key 1 active', 'cell 3 active']);
    expect(most.minEpoch).toBe(3);
    expect(withCellDeksRetired(most, 1).minEpoch).toBe(3);
  });
});
