import {
  CellDek,
  constantTimeEqual,
  KeyDek,
  tableKeyCommit,
  unwrapDek,
  zero,
} from '../crypto/index.ts';
import type { TableCipherKeys } from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import type { TableEntry, TableKeyFactory, TableKeyRecord, TableKeys } from '../schema/index.ts';
import { newWrappedDek } from './cell_dek.ts';

const FIRST_EPOCH = 1;
const FIRST_TABLE_KEY_VERSION = 1;

/** Keys of one table, opened. */
export interface OpenedTableKeys extends TableCipherKeys {
  /** Ends all cipher objects; the keys MUST NOT be used afterwards. */
  dispose(): void;
}

/** Makes and opens the table keys and DEKs that records hold. */
export class KmsTableKeys implements TableKeyFactory {
  readonly #kms: KmsRegistry;

  constructor(kms: KmsRegistry) {
    this.#kms = kms;
  }

  /** See {@link TableKeyFactory.newTableKeys}. */
  async newTableKeys(table: {
    readonly clusterId: Uint8Array;
    readonly tableId: Uint8Array;
    readonly keyspace: string;
    readonly name: string;
  }): Promise<TableKeys> {
    const { clusterId, tableId, keyspace, name } = table;
    const keyArn = await this.#kms.service.createServiceKey(
      'table',
      `table ${keyspace}.${name}`,
      Buffer.from(tableId).toString('hex'),
    );
    const context = {
      'cqlock:cluster': Buffer.from(clusterId).toString('hex'),
      'cqlock:table-id': Buffer.from(tableId).toString('hex'),
      'cqlock:purpose': 'table-key',
      'cqlock:version': String(FIRST_TABLE_KEY_VERSION),
      'cqlock:keyspace': keyspace,
      'cqlock:table': name,
    };
    const { plaintext, blob } = await this.#kms.service.generateDataKey(keyArn, context);
    try {
      const deks = (['key', 'cell'] as const).map((structure) =>
        newWrappedDek(structure, FIRST_EPOCH, FIRST_TABLE_KEY_VERSION, plaintext, {
          clusterId,
          tableId,
        }),
      );
      return {
        provider: this.#kms.service.name,
        keyArn,
        serviceOwned: true,
        tableKeys: [
          {
            version: FIRST_TABLE_KEY_VERSION,
            provider: this.#kms.service.name,
            keyArn,
            context,
            blob: Buffer.from(blob).toString('hex'),
            commit: Buffer.from(tableKeyCommit(plaintext, tableId)).toString('hex'),
          },
        ],
        deks,
        minEpoch: FIRST_EPOCH,
      };
    } finally {
      zero(plaintext);
    }
  }

  /** See {@link TableKeyFactory.discardTableKeys}. */
  async discardTableKeys(tableId: Uint8Array): Promise<void> {
    await this.#kms.service.deleteServiceKeysOf('table', Buffer.from(tableId).toString('hex'));
  }

  /**
   * Asks the KMS for the table key and opens the DEKs.
   * @throws KeyAccessError, KeyUnavailableError from the KMS; MetadataIntegrityError when wraps do not belong together.
   */
  async open(table: TableEntry, clusterId: Uint8Array): Promise<OpenedTableKeys> {
    const keys = table.record?.keys ?? undefined;
    if (keys === undefined) {
      throw new MetadataIntegrityError(
        'METADATA_TABLE_KEYS',
        `table ${table.keyspace}.${table.name} has no keys`,
      );
    }
    const opened: Opened = { key: undefined, active: undefined, byEpoch: new Map() };
    try {
      for (const tableKey of keys.tableKeys) {
        const plaintext = await this.#unwrapTableKey(table, tableKey);
        try {
          openDeks(table, keys, tableKey, plaintext, clusterId, opened);
        } finally {
          zero(plaintext);
        }
      }
      return cipherKeys(table, opened);
    } catch (error) {
      opened.key?.dispose();
      for (const dek of opened.byEpoch.values()) dek.dispose();
      throw error;
    }
  }

  async #unwrapTableKey(table: TableEntry, wrapped: TableKeyRecord): Promise<Uint8Array> {
    const plaintext = await this.#kms
      .named(wrapped.provider)
      .decrypt(wrapped.keyArn, Buffer.from(wrapped.blob, 'hex'), wrapped.context);
    const commit = tableKeyCommit(plaintext, table.tableId);
    if (!constantTimeEqual(commit, Buffer.from(wrapped.commit, 'hex'))) {
      zero(plaintext);
      throw new MetadataIntegrityError(
        'METADATA_TABLE_KEY_COMMITMENT',
        `the KMS opened another key for table ${table.keyspace}.${table.name} than its record commits to`,
      );
    }
    return plaintext;
  }
}

interface Opened {
  key: KeyDek | undefined;
  active: CellDek | undefined;
  readonly byEpoch: Map<number, CellDek>;
}

function openDeks(
  table: TableEntry,
  keys: TableKeys,
  tableKey: TableKeyRecord,
  plaintext: Uint8Array,
  clusterId: Uint8Array,
  opened: Opened,
): void {
  for (const dek of keys.deks) {
    if (dek.tableKeyVersion !== tableKey.version) continue;
    const dekId = Buffer.from(dek.dekId, 'hex');
    const bytes = unwrapDek(
      plaintext,
      {
        clusterId,
        tableId: table.tableId,
        structure: dek.structure,
        epoch: dek.epoch,
        dekId,
        tableKeyVersion: dek.tableKeyVersion,
      },
      Buffer.from(dek.wrapped, 'hex'),
    );
    try {
      if (dek.structure === 'key') {
        opened.key?.dispose();
        opened.key = KeyDek.derive(bytes, dekId, dek.epoch);
      } else if (dek.epoch >= keys.minEpoch) {
        const cell = CellDek.derive(bytes, dekId, dek.epoch);
        opened.byEpoch.set(dek.epoch, cell);
        if (dek.state === 'active') opened.active = cell;
      }
    } finally {
      zero(bytes);
    }
  }
}

function cipherKeys(table: TableEntry, opened: Opened): OpenedTableKeys {
  const { key, active, byEpoch } = opened;
  if (key === undefined || active === undefined) {
    throw new MetadataIntegrityError(
      'METADATA_TABLE_KEYS',
      `the record of table ${table.keyspace}.${table.name} lacks a data encryption key`,
    );
  }
  return {
    keyDek: key,
    cellDek: active,
    cellDekByEpoch: (epoch) => byEpoch.get(epoch),
    dispose: () => {
      key.dispose();
      for (const dek of byEpoch.values()) dek.dispose();
    },
  };
}
