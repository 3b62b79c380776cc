import { unwrapDek, wrapDek, zero } from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import type { DekRecord } from '../schema/index.ts';
import type { TableIds } from './cell_dek.ts';

/**
 * Wraps all DEKs of a table under another table key. The DEKs stay the same.
 * @param old table keys by version, 32 bytes each; they stay the caller's
 * @throws MetadataIntegrityError when a DEK does not open under its table key.
 */
export function rewrapDeks(
  deks: readonly DekRecord[],
  old: ReadonlyMap<number, Uint8Array>,
  next: { readonly plaintext: Uint8Array; readonly version: number },
  ids: TableIds,
): DekRecord[] {
  return deks.map((dek) => {
    const tableKey = old.get(dek.tableKeyVersion);
    if (tableKey === undefined) {
      throw new MetadataIntegrityError(
        'METADATA_TABLE_KEYS',
        `a data encryption key is wrapped under table key ${dek.tableKeyVersion}, which the record does not have`,
      );
    }
    const context = {
      clusterId: ids.clusterId,
      tableId: ids.tableId,
      structure: dek.structure,
      epoch: dek.epoch,
      dekId: Buffer.from(dek.dekId, 'hex'),
    };
    const bytes = unwrapDek(
      tableKey,
      { ...context, tableKeyVersion: dek.tableKeyVersion },
      Buffer.from(dek.wrapped, 'hex'),
    );
    try {
      const wrapped = wrapDek(next.plaintext, { ...context, tableKeyVersion: next.version }, bytes);
      return {
        ...dek,
        tableKeyVersion: next.version,
        wrapped: Buffer.from(wrapped).toString('hex'),
      };
    } finally {
      zero(bytes);
    }
  });
}
