import { randomUUID } from 'node:crypto';
import { OpenBatch } from '../crypto/index.ts';
import type { PartitionHandle, RowHandle, TableCipherKeys } from '../crypto/index.ts';
import { columnContext, columnParts } from '../encryption/index.ts';
import { BackupError, KeyAccessError, KeyUnavailableError } from '../errors/index.ts';
import { entryOfRecord } from '../schema/index.ts';
import type { BackupRecord, BackupVerification, ColumnEntry, TableEntry } from '../schema/index.ts';
import { backupRecord, Claim, sourceTable } from './backup_records.ts';
import { indexOfPath } from './cell_columns.ts';
import type { BackupCell, BackupRow } from './chunk.ts';
import { compareWithTable, differs } from './compare_table.ts';
import type { BackupContext, BackupProgress } from './context.ts';
import { checkTotals, loadBackup, loadChunk, loadManifest } from './load_backup.ts';
import type { LoadedBackup } from './load_backup.ts';
import { isOfForm, recordOfPlan } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { rewrapEnvelope } from './rewrap.ts';
import { removeOtherEnvelopes } from './write_envelope.ts';

/**
 * Reads a backup back: opens every chunk and counts it against the manifest, and decrypts a sample of its cells and keys. When the
 * KMS does not give the table key, every row is compared with the table instead. The result is noted in the backup's record.
 * @throws BackupError when anything differs
 */
export async function verifyBackup(
  context: BackupContext,
  backupId: string,
  onProgress: ((progress: BackupProgress) => void) | undefined,
): Promise<BackupVerification> {
  const claim = new Claim<BackupRecord>(context, randomUUID(), (view) =>
    backupRecord(view, backupId),
  );
  const record = await claim.take();
  try {
    const loaded = await loadBackup(context, await context.catalog.readRecords(), record);
    try {
      const verified = await readBack(context, loaded, claim, onProgress);
      await context.step('verify.record');
      await claim.release((latest) => ({ ...latest, verified }));
      const { envelope } = loaded;
      if (verified.mode === 'decrypted' && envelope.backupDek.tableWrapped === null) {
        // Made without the KMS key, which is there again: now another cluster can open it too.
        await rewrapEnvelope(context, backupId, envelope.keys);
      } else await removeOtherEnvelopes(context, backupId, envelope.generation);
      return verified;
    } finally {
      loaded.key.dispose();
    }
  } catch (error) {
    await claim.abandon();
    throw error;
  }
}

async function readBack(
  context: BackupContext,
  loaded: LoadedBackup,
  claim: Claim<BackupRecord>,
  onProgress: ((progress: BackupProgress) => void) | undefined,
): Promise<BackupVerification> {
  const manifest = await loadManifest(context, loaded);
  checkTotals(manifest);
  const entry = entryOfRecord(recordOfPlan(manifest, loaded.envelope.keys), manifest.types);
  const keys = await openKeys(context, entry, manifest);
  try {
    const sampler =
      keys === undefined ? undefined : new Sampler(entry, manifest, keys, context.sampleEvery);
    let rows = 0;
    let bytes = 0;
    let cells = 0;
    for (const [number, listed] of manifest.chunks.entries()) {
      await claim.keep();
      const content = await loadChunk(context, loaded.key, manifest, number);
      for (const row of content.rows()) {
        if (row.clustering !== undefined) rows += 1;
        cells += row.cells.length;
        sampler?.take(row);
      }
      sampler?.open();
      bytes += listed.bytes;
      onProgress?.({
        phase: 'verify',
        rows,
        bytes,
        fraction: (number + 1) / manifest.chunks.length / (sampler === undefined ? 2 : 1),
      });
    }
    if (sampler === undefined) {
      const view = await context.catalog.readRecords();
      const source = sourceTable(context, view, manifest);
      if (source.record.tableId !== manifest.tableId) throw tableIsGone(manifest);
      if (!isOfForm(manifest, source)) throw differs(manifest);
      await compareWithTable(context, loaded.key, manifest, claim);
    }
    return {
      atMs: context.clock.nowMs(),
      mode: sampler === undefined ? 'compared' : 'decrypted',
      rows,
      cells,
      decrypted: sampler?.decrypted ?? 0,
    };
  } finally {
    keys?.dispose();
  }
}

async function openKeys(context: BackupContext, entry: TableEntry, manifest: Manifest) {
  try {
    return await context.tableKeys.open(entry, Buffer.from(manifest.clusterId, 'hex'));
  } catch (error) {
    if (error instanceof KeyAccessError || error instanceof KeyUnavailableError) return undefined;
    throw error;
  }
}

/** Decrypts every k-th cell, every k-th row's keys, and all keys of the rows of those cells. */
class Sampler {
  decrypted = 0;
  readonly #table: TableEntry;
  readonly #cellColumns: readonly ColumnEntry[];
  readonly #keys: TableCipherKeys;
  readonly #every: number;
  #batch = new OpenBatch();
  #row = 0;
  #cell = 0;

  constructor(table: TableEntry, manifest: Manifest, keys: TableCipherKeys, every: number) {
    this.#table = table;
    this.#cellColumns = manifest.cellColumns.map((name) => {
      const column = table.columns.get(name);
      if (column === undefined) {
        throw new BackupError(
          'BACKUP_INTEGRITY',
          `the manifest of backup ${manifest.backupId} contradicts itself`,
        );
      }
      return column;
    });
    this.#keys = keys;
    this.#every = every;
  }

  /** Queues what falls into the sample. */
  take(row: BackupRow): void {
    const first = this.#cell;
    this.#row += 1;
    this.#cell += row.cells.length;
    const every = this.#every;
    // The first of all is always in the sample.
    const isSampled =
      (this.#row - 1) % every === 0 || Math.ceil(first / every) * every < this.#cell;
    if (!isSampled) return;
    const table = this.#table;
    const partition = this.#batch.partition(this.#keys, row.partition);
    for (const [position, column] of table.partitionKey.entries()) {
      this.#batch.openPartition(partition, position, columnContext(table, column));
    }
    const { clustering } = row;
    const owner = clustering === undefined ? partition : this.#batch.row(partition, clustering);
    for (const [position, column] of table.clustering.entries()) {
      const stored = clustering?.[position];
      if (stored === undefined) continue;
      this.#batch.openClustering(partition, columnContext(table, column), stored);
    }
    for (const [index, cell] of row.cells.entries()) {
      if ((first + index) % every !== 0) continue;
      const column = this.#cellColumns[cell.column];
      if (column === undefined) throw noColumn();
      this.#queue(owner, column, cell);
      this.decrypted += 1;
    }
  }

  #queue(owner: RowHandle | PartitionHandle, column: ColumnEntry, cell: BackupCell): void {
    const batch = this.#batch;
    const { path, value } = cell;
    const parts = columnParts(this.#table, column);
    if (parts === undefined && path === undefined) {
      batch.openCell(owner, columnContext(this.#table, column), value);
      return;
    }
    if (parts === undefined || path === undefined) throw noColumn();
    switch (parts.kind) {
      case 'list':
        batch.openElement(owner, parts.element, value);
        return;
      case 'set':
        batch.openElement(owner, parts.element, path);
        return;
      case 'map':
        batch.openElement(owner, parts.key, path);
        batch.openMapValue(owner, parts.value, path, value);
        return;
      case 'fields': {
        const field = parts.fields[indexOfPath(path)];
        if (field === undefined) throw noColumn();
        batch.openCell(owner, field, value);
      }
    }
  }

  /** Decrypts what is queued. @throws CiphertextError */
  open(): void {
    this.#batch.run();
    this.#batch = new OpenBatch();
  }
}

function noColumn(): BackupError {
  return new BackupError('BACKUP_INTEGRITY', 'a backup has a cell of no column');
}

function tableIsGone(manifest: Manifest): BackupError {
  return new BackupError(
    'BACKUP_COMPARE',
    `backup ${manifest.backupId} cannot be verified: the KMS does not give the key of ${manifest.keyspace}.${manifest.name}, and the table it was made of is gone`,
  );
}
