import { randomBytes } from 'node:crypto';
import { wrapDek, zero } from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import type { DekRecord, TableKeyRecord, TableRecord } from '../schema/index.ts';
import { unwrapTableKey } from './unwrap_table_key.ts';

/** Makes further cell DEKs and key DEKs of tables that have keys. */
export class CellDekFactory {
  readonly #kms: KmsRegistry;

  constructor(kms: KmsRegistry) {
    this.#kms = kms;
  }

  /**
   * Makes a pending cell DEK, wrapped under the newest table key. The record does not change.
   * @throws KeyAccessError, KeyUnavailableError from the KMS; MetadataIntegrityError when it opens another key
   */
  async newCellDek(
    record: TableRecord,
    clusterId: Uint8Array,
    epoch: number,
    nowMs: number,
  ): Promise<DekRecord> {
    return await this.#newDek('cell', record, clusterId, epoch, nowMs);
  }

  /** Makes a key DEK as {@link newCellDek} does, for a rewrite of the table. */
  async newKeyDek(
    record: TableRecord,
    clusterId: Uint8Array,
    epoch: number,
    nowMs: number,
  ): Promise<DekRecord> {
    return await this.#newDek('key', record, clusterId, epoch, nowMs);
  }

  async #newDek(
    structure: 'key' | 'cell',
    record: TableRecord,
    clusterId: Uint8Array,
    epoch: number,
    nowMs: number,
  ): Promise<DekRecord> {
    const tableId = Buffer.from(record.tableId, 'hex');
    const newest = newestTableKey(record);
    const tableKey = await unwrapTableKey(this.#kms, { ...record, tableId }, newest);
    const dekId = randomBytes(16);
    const dek = randomBytes(32);
    try {
      const wrapped = wrapDek(
        tableKey,
        { clusterId, tableId, structure, epoch, dekId, tableKeyVersion: newest.version },
        dek,
      );
      return {
        structure,
        epoch,
        dekId: dekId.toString('hex'),
        tableKeyVersion: newest.version,
        wrapped: wrapped.toString('hex'),
        state: structure === 'cell' ? 'pending' : 'active',
        createdAtMs: nowMs,
      };
    } finally {
      zero(dek);
      zero(tableKey);
    }
  }

  /**
   * Asks the KMS for every table key of a record: after a change of the record each process has to.
   * @throws KeyAccessError, KeyUnavailableError from the KMS
   */
  async checkAccess(record: TableRecord): Promise<void> {
    const tableId = Buffer.from(record.tableId, 'hex');
    const table = { ...record, tableId };
    for (const key of record.keys?.tableKeys ?? []) {
      zero(await unwrapTableKey(this.#kms, table, key));
    }
  }
}

function newestTableKey(record: TableRecord): TableKeyRecord {
  const [newest] = [...(record.keys?.tableKeys ?? [])].sort((a, b) => b.version - a.version);
  if (newest !== undefined) return newest;
  throw new MetadataIntegrityError(
    'METADATA_TABLE_KEYS',
    `table ${record.keyspace}.${record.name} has no keys`,
  );
}
