import { BackupError, MetadataIntegrityError, SchemaError } from '../errors/index.ts';
import { recordLabel } from '../schema/index.ts';
import type {
  BackupRecord,
  CatalogRecord,
  ClaimRecord,
  TableRecord,
  TypeRecord,
  VerifiedRecords,
} from '../schema/index.ts';
import type { BackupContext } from './context.ts';

/** A table as its record tells, and what belongs to it. */
export interface SourceTable {
  readonly clusterId: Uint8Array;
  readonly record: TableRecord & { readonly keys: NonNullable<TableRecord['keys']> };
  /** All user-defined types of its keyspace. */
  readonly types: readonly TypeRecord[];
}

/** All records of backups, newest first. */
export function backupsIn(view: VerifiedRecords): readonly BackupRecord[] {
  return [...view.records.values()]
    .map(({ record }) => record)
    .filter((record): record is BackupRecord => record.kind === 'backup')
    .sort((a, b) => b.createdAtMs - a.createdAtMs);
}

/** The record of a backup. @throws BackupError BACKUP_NOT_FOUND */
export function backupRecord(view: VerifiedRecords, backupId: string): BackupRecord {
  const record = view.records.get(backupId)?.record;
  if (record?.kind === 'backup') return record;
  throw new BackupError(
    'BACKUP_NOT_FOUND',
    `there is no backup ${backupId} in the catalog of this cluster: it was deleted, has expired, or never was`,
  );
}

/**
 * The record of a table that can be backed up.
 * @throws SchemaError when there is none; MetadataIntegrityError when records or stored schema do not verify
 */
export function sourceTable(
  context: BackupContext,
  view: VerifiedRecords,
  table: { readonly keyspace: string; readonly name: string },
): SourceTable {
  const { keyspace, name } = table;
  const entry = context.catalog.snapshot().table(keyspace, name);
  if (entry?.error instanceof MetadataIntegrityError) throw entry.error;
  const records = [...view.records.values()].map(({ record }) => record);
  const record = records.find(
    (candidate): candidate is TableRecord =>
      candidate.kind === 'table' &&
      candidate.keyspace === keyspace &&
      candidate.name === name &&
      !['CREATING', 'DROPPED', 'ABANDONED'].includes(candidate.state),
  );
  if (record === undefined) {
    throw new SchemaError(
      'SCHEMA_UNKNOWN_TABLE',
      `there is no encrypted table ${keyspace}.${name}; only tables that were created through the proxy can be backed up`,
    );
  }
  const { keys } = record;
  const isWhole = record.restore === undefined && record.rewrite === undefined;
  if (keys === null || !isWhole || record.next !== null) {
    throw new BackupError(
      'BACKUP_STATE',
      `table ${keyspace}.${name} is ${record.state}; it can be backed up when that is done`,
    );
  }
  const types = records.filter(
    (candidate): candidate is TypeRecord =>
      candidate.kind === 'type' && candidate.keyspace === keyspace,
  );
  return { clusterId: view.clusterId, record: { ...record, keys }, types };
}

/** Work of this process on one record: others leave it alone as long as it shows signs of life. */
export class Claim<T extends CatalogRecord & { readonly claim: ClaimRecord | null }> {
  readonly #context: BackupContext;
  readonly #owner: string;
  readonly #find: (view: VerifiedRecords) => T;
  #renewAtMs = 0;

  constructor(context: BackupContext, owner: string, find: (view: VerifiedRecords) => T) {
    this.#context = context;
    this.#owner = owner;
    this.#find = find;
  }

  /** Who works, and until when others believe it. */
  get record(): ClaimRecord {
    const { clock, claimMs } = this.#context;
    return { owner: this.#owner, deadlineMs: clock.nowMs() + claimMs };
  }

  /** Takes the claim. @throws BackupError BACKUP_STATE when another process has it */
  async take(): Promise<T> {
    return await this.update((record) => record, true);
  }

  /**
   * Changes the record and renews the claim.
   * @throws BackupError BACKUP_STATE when another process has taken it over
   */
  async update(edit: (record: T) => T, isFirst = false): Promise<T> {
    let changed: T | undefined;
    await this.#context.catalog.change((view) => {
      const current = this.#find(view);
      const { claim } = current;
      const isFree = claim === null || claim.deadlineMs <= this.#context.clock.nowMs();
      if (claim?.owner !== this.#owner && !(isFirst && isFree)) {
        throw new BackupError(
          'BACKUP_STATE',
          isFirst
            ? `another process is at work on ${recordLabel(current)}; try again when it is done`
            : `another process took over the work on ${recordLabel(current)}, because this one gave no sign of life`,
        );
      }
      changed = { ...edit(current), claim: this.record };
      return { put: [changed] };
    });
    this.#renewAtMs = this.#context.clock.monotonicMs() + this.#context.claimMs / 4;
    return changed as T;
  }

  /** Renews the claim now and then; to be called often. `edit` notes progress. */
  async keep(edit: (record: T) => T = (record) => record): Promise<void> {
    if (this.#context.clock.monotonicMs() >= this.#renewAtMs) await this.update(edit);
  }

  /** Changes the record for the last time and gives the claim back. */
  async release(edit: (record: T) => T = (record) => record): Promise<void> {
    await this.#context.catalog.change((view) => {
      const current = this.#find(view);
      if (current.claim?.owner !== this.#owner) {
        throw new BackupError(
          'BACKUP_STATE',
          `another process took over the work on ${recordLabel(current)}, because this one gave no sign of life`,
        );
      }
      return { put: [{ ...edit(current), claim: null }] };
    });
  }

  /** Gives the claim back after a failure, which is what the caller tells; a claim that stays expires. */
  async abandon(): Promise<void> {
    try {
      await this.release();
    } catch {
      // It expires.
    }
  }
}
