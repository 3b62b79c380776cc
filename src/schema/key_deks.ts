import { MetadataIntegrityError } from '../errors/index.ts';
import type { DekRecord, TableKeys, TableRecord } from './record.ts';

/** The key DEKs of a table by epoch, lowest first: one, and a second one while the table is rewritten. */
export function keyDeks(keys: TableKeys): readonly DekRecord[] {
  return keys.deks.filter((dek) => dek.structure === 'key').sort((a, b) => a.epoch - b.epoch);
}

/** The epoch of the key DEK that a table's rows are under; 0 for a record without keys. */
export function keyEpoch(record: TableRecord | undefined): number {
  const keys = record?.keys ?? undefined;
  return keys === undefined ? 0 : (keyDeks(keys).at(-1)?.epoch ?? 0);
}

/** The keys with one more key DEK. */
export function withKeyDek(keys: TableKeys, dek: DekRecord): TableKeys {
  return { ...keys, deks: [...keys.deks, dek] };
}

/** The keys with the key DEK of one epoch alone. @throws MetadataIntegrityError when there is none */
export function withOnlyKeyDek(keys: TableKeys, epoch: number): TableKeys {
  const deks = keys.deks.filter((dek) => dek.structure !== 'key' || dek.epoch === epoch);
  if (deks.some((dek) => dek.structure === 'key')) return { ...keys, deks };
  throw new MetadataIntegrityError(
    'METADATA_TABLE_KEYS',
    `the record of a table has no key DEK of epoch ${String(epoch)}`,
  );
}
