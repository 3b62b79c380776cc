import type { DekRecord, TableKeys, TableRecord } from './record.ts';

/** Epochs have 16 bits. */
export const LAST_EPOCH = 0xffff;

/** The cell DEKs of a table by epoch, lowest first. */
export function cellDeks(keys: TableKeys): readonly DekRecord[] {
  return keys.deks.filter((dek) => dek.structure === 'cell').sort((a, b) => a.epoch - b.epoch);
}

/** The cell DEK in a state, the newest of several. */
export function cellDekIn(keys: TableKeys, state: DekRecord['state']): DekRecord | undefined {
  return cellDeks(keys).findLast((dek) => dek.state === state);
}

/** When a DEK was made. */
export function dekCreatedAtMs(record: TableRecord, dek: DekRecord): number {
  return dek.createdAtMs ?? record.createdAtMs;
}

/** The epoch a new cell DEK gets: epochs of a lineage only grow, over retired ones too. */
export function nextCellEpoch(keys: TableKeys): number {
  return Math.max(keys.minEpoch, ...cellDeks(keys).map((dek) => dek.epoch)) + 1;
}

/** The keys with another cell DEK, which is not yet written with. */
export function withPendingCellDek(keys: TableKeys, dek: DekRecord): TableKeys {
  return { ...keys, deks: [...keys.deks, dek] };
}

/**
 * The keys after the pending cell DEK came into use; the active one only decrypts from now on. A pending DEK that was overtaken
 * by a newer one is never written with: epochs only grow.
 */
export function withPendingActivated(keys: TableKeys, nowMs: number): TableKeys {
  const pending = cellDekIn(keys, 'pending');
  if (pending === undefined) return keys;
  const isOvertaken = (cellDekIn(keys, 'active')?.epoch ?? 0) > pending.epoch;
  const deks = keys.deks.map((dek): DekRecord => {
    if (dek.structure !== 'cell') return dek;
    if (isOvertaken) {
      return dek === pending ? { ...dek, state: 'decrypt_only', inactiveSinceMs: nowMs } : dek;
    }
    if (dek === pending) return { ...dek, state: 'active' };
    return dek.state === 'active' ? { ...dek, state: 'decrypt_only', inactiveSinceMs: nowMs } : dek;
  });
  return { ...keys, deks };
}

/** The keys without the cell DEKs below an epoch; their cells are refused from now on. The active DEK always stays. */
export function withCellDeksRetired(keys: TableKeys, belowEpoch: number): TableKeys {
  const active = cellDekIn(keys, 'active');
  const minEpoch = Math.max(keys.minEpoch, Math.min(belowEpoch, active?.epoch ?? 0));
  const deks = keys.deks.filter((dek) => dek.structure !== 'cell' || dek.epoch >= minEpoch);
  return { ...keys, deks, minEpoch };
}
