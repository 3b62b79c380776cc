import { describe, expect, it } from 'vitest';
import { unwrapDek, wrapDek } from '../../../src/crypto/index.ts';
import { beginCellDek } from '../../../src/keys/index.ts';
import type { DekRecord, TableKeys } from '../../../src/schema/index.ts';

const IDS = { clusterId: Buffer.alloc(16, 1), tableId: Buffer.alloc(16, 2) };
const TABLE_KEY = Buffer.alloc(32, 9);
const NOW_MS = 1_700_000_000_000;

function dek(structure: 'key' | 'cell', epoch: number, state: DekRecord['state']): DekRecord {
  const dekId = Buffer.alloc(16, epoch);
  const context = { ...IDS, structure, epoch, dekId, tableKeyVersion: 3 };
  const wrapped = wrapDek(TABLE_KEY, context, Buffer.alloc(32, epoch));
  return {
    structure,
    epoch,
    dekId: dekId.toString('hex'),
    tableKeyVersion: 3,
    wrapped: Buffer.from(wrapped).toString('hex'),
    state,
  };
}

function keys(lastEpoch: number): TableKeys {
  return {
    provider: 'embedded',
    keyArn: 'arn',
    serviceOwned: true,
    tableKeys: [
      { version: 3, provider: 'embedded', keyArn: 'arn', context: {}, blob: '', commit: '' },
    ],
    deks: [
      dek('key', 1, 'active'),
      dek('cell', 1, 'decrypt_only'),
      dek('cell', lastEpoch, 'active'),
    ],
    minEpoch: 1,
  };
}

describe('a new cell DEK', () => {
  it('has the next epoch, opens under the newest table key only, and leaves the others as they are', () => {
    const before = keys(4);
    const after = beginCellDek(before, TABLE_KEY, IDS, NOW_MS);
    expect(after.deks.map((d) => [d.structure, d.epoch, d.state])).toEqual([
      ['key', 1, 'active'],
      ['cell', 1, 'decrypt_only'],
      ['cell', 4, 'decrypt_only'],
      ['cell', 5, 'active'],
    ]);
    expect(after.deks.slice(0, 3).map((d) => d.wrapped)).toEqual(before.deks.map((d) => d.wrapped));
    expect(after.deks[2]?.inactiveSinceMs).toBe(NOW_MS);
    expect(after.deks[3]?.createdAtMs).toBe(NOW_MS);
    const added = after.deks[3];
    if (added === undefined) throw new TypeError('no DEK');
    const context = {
      ...IDS,
      structure: 'cell',
      epoch: 5,
      dekId: Buffer.from(added.dekId, 'hex'),
      tableKeyVersion: 3,
    } as const;
    const wrapped = Buffer.from(added.wrapped, 'hex');
    expect(unwrapDek(TABLE_KEY, context, wrapped)).toHaveLength(32);
    expect(() => unwrapDek(Buffer.alloc(32, 8), context, wrapped)).toThrow();
    expect(before.deks).toHaveLength(3);
  });

  it('is another one each time', () => {
    const [a, b] = [
      beginCellDek(keys(1), TABLE_KEY, IDS, NOW_MS),
      beginCellDek(keys(1), TABLE_KEY, IDS, NOW_MS),
    ];
    expect(a.deks.at(-1)?.dekId).not.toBe(b.deks.at(-1)?.dekId);
  });

  it('is refused when the epochs are used up', () => {
    expect(() => beginCellDek(keys(0xffff), TABLE_KEY, IDS, NOW_MS)).toThrow(/65,535/);
  });
});
