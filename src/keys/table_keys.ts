import { CellDek, IndexDek, KeyDek, tableKeyCommit, unwrapDek, zero } from '../crypto/index.ts';
import type { TableCipherKeys } from '../crypto/index.ts';
import { KeyAccessError, MetadataIntegrityError } from '../errors/index.ts';
import { clientCaller } from '../kms/index.ts';
import type { KmsCaller, KmsRegistry } from '../kms/index.ts';
import type {
  DekRecord,
  KeyedTable,
  KeyTarget,
  KmsKeyUse,
  TableEntry,
  TableKeyFactory,
  TableKeyRecord,
  TableKeys,
} from '../schema/index.ts';
import { systemClock } from '../util/index.ts';
import type { Clock } from '../util/index.ts';
import { beginCellDek, newestTableKeyVersion, newWrappedDek } from './cell_dek.ts';
import { createGrants, retireGrants } from './grants.ts';
import { rewrapDeks } from './rewrap_deks.ts';
import { unwrapTableKey } from './unwrap_table_key.ts';

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
  readonly #clock: Pick<Clock, 'nowMs'>;

  constructor(kms: KmsRegistry, clock: Pick<Clock, 'nowMs'> = systemClock) {
    this.#kms = kms;
    this.#clock = clock;
  }

  /** See {@link TableKeyFactory.onBehalfOf}. */
  onBehalfOf(principal: string): KmsTableKeys {
    return new KmsTableKeys(this.#kms.onBehalfOf(clientCaller(principal)), this.#clock);
  }

  /** See {@link TableKeyFactory.resolveKey}. */
  async resolveKey(identifier: string): Promise<{ provider: string; keyArn: string }> {
    const provider = this.#kms.forIdentifier(identifier);
    const keyArn = await provider.resolveKey(identifier);
    // Service-owned keys do not exist for users.
    if ((await provider.describeKey(keyArn)).serviceOwned) {
      throw new KeyAccessError('KEY_NOT_FOUND', `the KMS has no key ${identifier}`);
    }
    return { provider: provider.name, keyArn };
  }

  /** See {@link TableKeyFactory.tryKey}. */
  async tryKey(target: { readonly provider: string; readonly keyArn: string }): Promise<void> {
    const context = { 'cqlock:purpose': 'key-check', 'cqlock:version': '1' };
    const { plaintext } = await this.#kms
      .named(target.provider)
      .generateDataKey(target.keyArn, context);
    zero(plaintext);
  }

  /** See {@link TableKeyFactory.newTableKeys}. */
  async newTableKeys(table: KeyedTable, target: KeyTarget = 'service-owned'): Promise<TableKeys> {
    const made = await this.#newTableKey(table, target, FIRST_TABLE_KEY_VERSION);
    try {
      return {
        ...made.keys,
        deks: (['key', 'cell'] as const).map((structure) =>
          newWrappedDek(
            structure,
            FIRST_EPOCH,
            FIRST_TABLE_KEY_VERSION,
            made.plaintext,
            table,
            this.#clock.nowMs(),
          ),
        ),
        minEpoch: FIRST_EPOCH,
      };
    } finally {
      zero(made.plaintext);
    }
  }

  /** See {@link TableKeyFactory.changedTableKeys}. */
  async changedTableKeys(
    table: KeyedTable,
    keys: TableKeys,
    target: KeyTarget,
    asking: (keyArn: string) => void,
  ): Promise<TableKeys> {
    const version = newestTableKeyVersion(keys) + 1;
    const old = new Map<number, Uint8Array>();
    try {
      asking(keys.keyArn);
      for (const tableKey of keys.tableKeys) {
        old.set(tableKey.version, await unwrapTableKey(this.#kms, table, tableKey));
      }
      if (target !== 'service-owned') asking(target.keyArn);
      const made = await this.#newTableKey(table, target, version);
      try {
        const deks = rewrapDeks(keys.deks, old, { plaintext: made.plaintext, version }, table);
        const moved = { ...made.keys, deks, minEpoch: keys.minEpoch };
        return beginCellDek(moved, made.plaintext, table, this.#clock.nowMs());
      } finally {
        zero(made.plaintext);
      }
    } finally {
      for (const plaintext of old.values()) zero(plaintext);
    }
  }

  /** See {@link TableKeyFactory.newIndexDek}. */
  async newIndexDek(table: KeyedTable, keys: TableKeys): Promise<DekRecord> {
    const version = newestTableKeyVersion(keys);
    const newest = keys.tableKeys.find((tableKey) => tableKey.version === version);
    if (newest === undefined) {
      throw new MetadataIntegrityError(
        'METADATA_TABLE_KEYS',
        `table ${table.keyspace}.${table.name} has no keys`,
      );
    }
    const plaintext = await unwrapTableKey(this.#kms, table, newest);
    try {
      return newWrappedDek('index', FIRST_EPOCH, version, plaintext, table, this.#clock.nowMs());
    } finally {
      zero(plaintext);
    }
  }

  /** See {@link TableKeyFactory.releaseKey}. */
  async releaseKey(tableId: Uint8Array, use: KmsKeyUse, kept: readonly string[]): Promise<void> {
    if (!use.serviceOwned) {
      await retireGrants(this.#kms.named(use.provider), use, tableId);
    } else if (use.keyArn !== '') {
      await this.#kms.service.deleteServiceKey(use.keyArn);
    } else {
      const owner = Buffer.from(tableId).toString('hex');
      await this.#kms.service.deleteServiceKeysOf('table', owner, kept);
    }
  }

  async #newTableKey(
    table: KeyedTable,
    target: KeyTarget,
    version: number,
  ): Promise<{
    readonly plaintext: Uint8Array;
    readonly keys: Omit<TableKeys, 'deks' | 'minEpoch'>;
  }> {
    const { clusterId, tableId, keyspace, name } = table;
    const tableHex = Buffer.from(tableId).toString('hex');
    const serviceOwned = target === 'service-owned';
    const kms = this.#kms.onTable(table);
    const provider = serviceOwned ? kms.service : kms.named(target.provider);
    const keyArn = serviceOwned
      ? await kms.service.createServiceKey('table', `table ${keyspace}.${name}`, tableHex)
      : target.keyArn;
    const context = {
      'cqlock:cluster': Buffer.from(clusterId).toString('hex'),
      'cqlock:table-id': tableHex,
      'cqlock:purpose': 'table-key',
      'cqlock:version': String(version),
      'cqlock:keyspace': keyspace,
      'cqlock:table': name,
    };
    const { plaintext, blob } = await provider.generateDataKey(keyArn, context);
    try {
      const grants = serviceOwned ? [] : await createGrants(provider, keyArn, tableId);
      const wrapped: TableKeyRecord = {
        version,
        provider: provider.name,
        keyArn,
        context,
        blob: Buffer.from(blob).toString('hex'),
        commit: Buffer.from(tableKeyCommit(plaintext, tableId)).toString('hex'),
      };
      return {
        plaintext,
        keys: {
          provider: provider.name,
          keyArn,
          serviceOwned,
          tableKeys: [wrapped],
          ...(grants.length === 0 ? {} : { grants }),
        },
      };
    } catch (error) {
      zero(plaintext);
      throw error;
    }
  }

  /** See {@link TableKeyFactory.discardTableKeys}. */
  async discardTableKeys(tableId: Uint8Array): Promise<void> {
    await this.#kms.service.deleteServiceKeysOf('table', Buffer.from(tableId).toString('hex'));
  }

  /**
   * Asks the KMS for the table key and opens the DEKs.
   * @param caller who causes the call, for the audit log; the proxy itself if not given
   * @throws KeyAccessError, KeyUnavailableError from the KMS; MetadataIntegrityError when wraps do not belong together.
   */
  async open(
    table: TableEntry,
    clusterId: Uint8Array,
    caller?: KmsCaller,
  ): Promise<OpenedTableKeys> {
    const keys = table.record?.keys ?? undefined;
    if (keys === undefined) {
      throw new MetadataIntegrityError(
        'METADATA_TABLE_KEYS',
        `table ${table.keyspace}.${table.name} has no keys`,
      );
    }
    const kms = caller === undefined ? this.#kms : this.#kms.onBehalfOf(caller);
    const opened: Opened = {
      key: undefined,
      active: undefined,
      byEpoch: new Map(),
      indexes: new Map(),
    };
    try {
      for (const tableKey of keys.tableKeys) {
        const plaintext = await unwrapTableKey(kms, table, tableKey);
        try {
          openDeks(table, keys, tableKey, plaintext, clusterId, opened);
        } finally {
          zero(plaintext);
        }
      }
      return cipherKeys(table, opened);
    } catch (error) {
      opened.key?.dispose();
      for (const dek of [...opened.byEpoch.values(), ...opened.indexes.values()]) dek.dispose();
      throw error;
    }
  }
}

interface Opened {
  key: KeyDek | undefined;
  active: CellDek | undefined;
  readonly byEpoch: Map<number, CellDek>;
  /** By id, hex. */
  readonly indexes: Map<string, IndexDek>;
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
        // Rows are under one key DEK. Only who moves them to another one has both, by a set of keys for each.
        if (opened.key !== undefined) throw twoKeyDeks(table);
        opened.key = KeyDek.derive(bytes, dekId, dek.epoch);
      } else if (dek.structure === 'index') {
        opened.indexes.set(dek.dekId, IndexDek.derive(bytes, dekId, dek.epoch));
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

function twoKeyDeks(table: TableEntry): MetadataIntegrityError {
  return new MetadataIntegrityError(
    'METADATA_TABLE_KEYS',
    `the record of table ${table.keyspace}.${table.name} has two key DEKs`,
  );
}

function cipherKeys(table: TableEntry, opened: Opened): OpenedTableKeys {
  const { key, active, byEpoch, indexes } = opened;
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
    indexDek: (dekId) => indexes.get(dekId),
    dispose: () => {
      key.dispose();
      for (const dek of [...byEpoch.values(), ...indexes.values()]) dek.dispose();
    },
  };
}
