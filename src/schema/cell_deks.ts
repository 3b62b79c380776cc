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

/** When a DEK came into its state. */
export function dekSinceMs(record: TableRecord, dek: DekRecord): number {
  return dek.sinceMs ?? dekCreatedAtMs(record, dek);
}

/** The epoch a new cell DEK gets: epochs of a lineage only grow, over retired ones too. */
export function nextCellEpoch(keys: TableKeys): number {
  return Math.max(keys.minEpoch, ...cellDeks(keys).map((dek) => dek.epoch)) + 1;
}

/** The keys with another cell DEK, which is not yet written with. */
export function withPendingCellDek(keys: TableKeys, dek: DekRecord): TableKeys {
  return { ...keys, deks: [...keys.deks, dek] };
}

/** The keys after the pending cell DEK came into use; the active one only decrypts from now on. */
export function withPendingActivated(keys: TableKeys, nowMs: number): TableKeys {
  const pending = cellDekIn(keys, 'pending');
  if (pending === undefined) return keys;
  const deks = keys.deks.map((dek): DekRecord => {
    if (dek.structure !== 'cell') return dek;
    if (dek === pending) return { ...dek, state: 'active', sinceMs: nowMs };
    return dek.state === 'active' ? { ...dek, state: 'decrypt_only', sinceMs: nowMs } : dek;
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

/**
 * When the last of the epochs below `targetEpoch` stopped being active; `undefined` while one of them is still active or
 * pending.
 */
export function inactiveSinceMs(record: TableRecord, targetEpoch: number): number | undefined {
  let since = 0;
  for (const dek of record.keys === null ? [] : cellDeks(record.keys)) {
    if (dek.epoch >= targetEpoch) continue;
    if (dek.state !== 'decrypt_only') return undefined;
    since = Math.max(since, dekSinceMs(record, dek));
  }
  return since;
}
