import { randomBytes, randomFillSync } from 'node:crypto';
import { wrapDek, zero } from '../crypto/index.ts';
import type { DekStructure } from '../crypto/index.ts';
import { InternalError, OverloadError } from '../errors/index.ts';
import { LAST_EPOCH, nextCellEpoch } from '../schema/index.ts';
import type { DekRecord, TableKeys } from '../schema/index.ts';

/** What wrapped DEKs of a table are bound to, 16 bytes each. */
export interface TableIds {
  readonly clusterId: Uint8Array;
  readonly tableId: Uint8Array;
}

/**
 * Begins a new cell DEK: the next epoch, wrapped under the table's newest table key and active; the older ones stay for
 * reading only. Pure: nothing is changed or stored, and the record MUST be durable before the DEK is used.
 * @param plaintextTableKey 32 bytes of the newest table key; stays the caller's
 * @throws OverloadError when the table has used up its 65,535 epochs.
 */
export function beginCellDek(
  keys: TableKeys,
  plaintextTableKey: Uint8Array,
  ids: TableIds,
  nowMs: number,
): TableKeys {
  const epoch = nextCellEpoch(keys);
  if (epoch > LAST_EPOCH) {
    throw new OverloadError(
      'OVERLOAD_EPOCHS',
      'the table has used up its 65,535 epochs of cell keys; copy it into a new table',
    );
  }
  const version = newestTableKeyVersion(keys);
  const next = newWrappedDek('cell', epoch, version, plaintextTableKey, ids, nowMs);
  return {
    ...keys,
    deks: [
      ...keys.deks.map((dek): DekRecord =>
        dek.structure === 'cell' && dek.state !== 'decrypt_only'
          ? { ...dek, state: 'decrypt_only', inactiveSinceMs: nowMs }
          : dek,
      ),
      next,
    ],
  };
}

/** Version of the table key that new DEKs are wrapped under. */
export function newestTableKeyVersion(keys: TableKeys): number {
  if (keys.tableKeys.length === 0) throw new InternalError('a table without a table key');
  return Math.max(...keys.tableKeys.map((tableKey) => tableKey.version));
}

/** Makes a DEK and wraps it; the DEK itself is overwritten. */
export function newWrappedDek(
  structure: Extract<DekStructure, 'key' | 'cell' | 'index'>,
  epoch: number,
  tableKeyVersion: number,
  plaintextTableKey: Uint8Array,
  ids: TableIds,
  nowMs: number,
): DekRecord {
  const dekId = randomBytes(16);
  const dek = Buffer.allocUnsafeSlow(32);
  randomFillSync(dek);
  try {
    const wrapped = wrapDek(
      plaintextTableKey,
      { clusterId: ids.clusterId, tableId: ids.tableId, structure, epoch, dekId, tableKeyVersion },
      dek,
    );
    return {
      structure,
      epoch,
      dekId: dekId.toString('hex'),
      tableKeyVersion,
      wrapped: Buffer.from(wrapped).toString('hex'),
      state: 'active',
      createdAtMs: nowMs,
    };
  } finally {
    zero(dek);
  }
}
