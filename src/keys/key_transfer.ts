import { randomBytes } from 'node:crypto';
import { tableKeyCommit, unwrapDek, wrapDek, zero } from '../crypto/index.ts';
import type { DekStructure } from '../crypto/index.ts';
import { MetadataIntegrityError } from '../errors/index.ts';
import { clientCaller } from '../kms/index.ts';
import type { KmsRegistry } from '../kms/index.ts';
import type { DekRecord, KeyTarget, TableKeyRecord, TableKeys } from '../schema/index.ts';
import { createGrants } from './grants.ts';
import { unwrapTableKey } from './unwrap_table_key.ts';

/** The table that keys belong to. */
export interface KeyOwner {
  /** 16 bytes. */
  readonly clusterId: Uint8Array;
  /** 16 bytes. */
  readonly tableId: Uint8Array;
  readonly keyspace: string;
  readonly name: string;
}

/** A wrapped DEK, of a record or of a backup. Bytes are hex. */
export interface WrappedDek {
  readonly structure: keyof typeof DekStructure;
  readonly epoch: number;
  readonly dekId: string;
  readonly tableKeyVersion: number;
  readonly wrapped: string;
}

/** A DEK in the clear; who opened it zeroes it. */
export interface OpenDek<T extends WrappedDek = WrappedDek> {
  readonly from: T;
  /** 32 bytes. */
  readonly dek: Buffer;
}

/** Moves DEKs from one table key to another: for backups, whose key envelopes outlive table keys, and for restored tables. */
export class KeyTransfer {
  readonly #kms: KmsRegistry;

  constructor(kms: KmsRegistry) {
    this.#kms = kms;
  }

  /** The same for what a client's role asks for: its uses of KMS keys are noted under that name. */
  onBehalfOf(principal: string): KeyTransfer {
    return new KeyTransfer(this.#kms.onBehalfOf(clientCaller(principal)));
  }

  /**
   * Opens a table key by the KMS; the caller zeroes it.
   * @throws KeyAccessError, KeyUnavailableError; MetadataIntegrityError when it is not the key that the record commits to
   */
  openTableKey(owner: KeyOwner, wrapped: TableKeyRecord): Promise<Uint8Array> {
    return unwrapTableKey(this.#kms, owner, wrapped);
  }

  /**
   * Opens DEKs under their table keys.
   * @throws MetadataIntegrityError when a table key is missing or a wrap fails authentication; see {@link openTableKey}
   */
  async openDeks<T extends WrappedDek>(
    owner: KeyOwner,
    tableKeys: readonly TableKeyRecord[],
    deks: readonly T[],
  ): Promise<OpenDek<T>[]> {
    const opened: OpenDek<T>[] = [];
    let isComplete = false;
    try {
      for (const version of new Set(deks.map((dek) => dek.tableKeyVersion))) {
        const record = tableKeys.find((tableKey) => tableKey.version === version);
        if (record === undefined) {
          throw new MetadataIntegrityError(
            'METADATA_TABLE_KEYS',
            `a table key of ${owner.keyspace}.${owner.name} is missing`,
          );
        }
        const tableKey = await this.openTableKey(owner, record);
        try {
          for (const from of deks) {
            if (from.tableKeyVersion !== version) continue;
            const wrapped = Buffer.from(from.wrapped, 'hex');
            opened.push({ from, dek: unwrapDek(tableKey, contextOf(owner, from), wrapped) });
          }
        } finally {
          zero(tableKey);
        }
      }
      isComplete = true;
      return opened;
    } finally {
      if (!isComplete) zeroDeks(opened);
    }
  }

  /** Wraps a DEK that is in the clear. Bytes of the answer are hex. */
  wrap<T extends Omit<WrappedDek, 'wrapped'>>(
    owner: KeyOwner,
    tableKey: Uint8Array,
    dek: T,
    plaintext: Uint8Array,
  ): T & { readonly wrapped: string } {
    return { ...dek, wrapped: wrapDek(tableKey, contextOf(owner, dek), plaintext).toString('hex') };
  }

  /**
   * Keys of a restored table: a new table key under `target` (for a service-owned one the KMS key too) with its grants, the
   * opened DEKs under it with their ids and epochs, cell DEKs decrypt-only, and a new cell DEK for what is written from now on.
   * @throws KeyAccessError with no grant left behind; KeyUnavailableError when that is not known
   */
  async importTableKeys(
    owner: KeyOwner,
    opened: readonly OpenDek<DekRecord>[],
    minEpoch: number,
    target: KeyTarget,
  ): Promise<TableKeys> {
    const tableKeyVersion = 1;
    const serviceOwned = target === 'service-owned';
    const kms = this.#kms.onTable(owner);
    const provider = serviceOwned ? kms.service : kms.named(target.provider);
    const keyArn = serviceOwned
      ? await kms.service.createServiceKey(
          'table',
          `table ${owner.keyspace}.${owner.name}`,
          Buffer.from(owner.tableId).toString('hex'),
        )
      : target.keyArn;
    const context = {
      'cqlock:cluster': Buffer.from(owner.clusterId).toString('hex'),
      'cqlock:table-id': Buffer.from(owner.tableId).toString('hex'),
      'cqlock:purpose': 'table-key',
      'cqlock:version': String(tableKeyVersion),
      'cqlock:keyspace': owner.keyspace,
      'cqlock:table': owner.name,
    };
    const { plaintext, blob } = await provider.generateDataKey(keyArn, context);
    const newDek = randomBytes(32);
    try {
      const grants = serviceOwned ? [] : await createGrants(provider, keyArn, owner.tableId);
      // A restored table has no indexes.
      const kept = opened.filter(({ from }) => from.structure !== 'index');
      const deks = kept.map(({ from, dek }) =>
        this.wrap(
          owner,
          plaintext,
          {
            ...from,
            tableKeyVersion,
            state: from.structure === 'cell' ? 'decrypt_only' : from.state,
          },
          dek,
        ),
      );
      const epoch = 1 + Math.max(...opened.map(({ from }) => from.epoch));
      const fresh = {
        structure: 'cell',
        epoch,
        dekId: randomBytes(16).toString('hex'),
        tableKeyVersion,
        state: 'active',
      } as const;
      return {
        provider: provider.name,
        keyArn,
        serviceOwned,
        tableKeys: [
          {
            version: tableKeyVersion,
            provider: provider.name,
            keyArn,
            context,
            blob: Buffer.from(blob).toString('hex'),
            commit: tableKeyCommit(plaintext, owner.tableId).toString('hex'),
          },
        ],
        deks: [...deks, this.wrap(owner, plaintext, fresh, newDek)],
        minEpoch,
        ...(grants.length === 0 ? {} : { grants }),
      };
    } finally {
      zero(plaintext);
      zero(newDek);
    }
  }
}

/** Overwrites DEKs. */
export function zeroDeks(opened: readonly OpenDek[]): void {
  for (const { dek } of opened) zero(dek);
}

function contextOf(owner: KeyOwner, dek: Omit<WrappedDek, 'wrapped'>) {
  return {
    clusterId: owner.clusterId,
    tableId: owner.tableId,
    structure: dek.structure,
    epoch: dek.epoch,
    dekId: Buffer.from(dek.dekId, 'hex'),
    tableKeyVersion: dek.tableKeyVersion,
  };
}
