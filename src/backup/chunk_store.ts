import { BackupError } from '../errors/index.ts';
import type { BackupRecord } from '../schema/index.ts';
import type { BackupKey } from './backup_key.ts';
import { tagOf } from './backup_key.ts';
import type { Claim } from './backup_records.ts';
import { ChunkWriter, readChunk } from './chunk.ts';
import type { BackupRow, ChunkContent, ChunkCounts, ScanPosition } from './chunk.ts';
import { cellColumnsOf, isUnderCellDek } from './cell_columns.ts';
import type { CellTable } from './cell_columns.ts';
import type { BackupContext } from './context.ts';
import { requireObject } from './load_backup.ts';
import type { ManifestChunk } from './manifest.ts';
import { objectNames } from './target.ts';

const BEGINNING: ScanPosition = { range: 0, pagingState: '' };

/**
 * The chunks of a backup that is being made. Each chunk says where the scan goes on after it, so the stored chunks are the progress:
 * a process that takes over reads them all back and continues after the last one that ends with a page.
 */
export class ChunkStore {
  readonly #context: BackupContext;
  readonly #backupId: string;
  readonly #key: BackupKey;
  readonly #writer = new ChunkWriter();
  readonly #chunks: ManifestChunk[] = [];
  readonly #epochs = new Set<number>();
  /** For each column whether its cells name an epoch of the cell DEK. */
  readonly #haveEpochs: readonly boolean[];
  /** A chunk that is cut and not stored: only the next one tells whether it is the last. */
  #held: { readonly plaintext: Buffer; readonly counts: ChunkCounts } | undefined;
  #put: Promise<void> | undefined;
  #position = BEGINNING;
  #rows = 0;
  #cells = 0;
  #bytes = 0;
  #isComplete = false;
  #lastPartition: readonly Uint8Array[] | undefined;

  private constructor(context: BackupContext, backupId: string, key: BackupKey, table: CellTable) {
    this.#context = context;
    this.#backupId = backupId;
    this.#key = key;
    this.#haveEpochs = cellColumnsOf(table).map(isUnderCellDek);
  }

  /** Reads the stored chunks. @throws BackupError BACKUP_INTEGRITY when one is missing or altered */
  static async open(
    context: BackupContext,
    backupId: string,
    key: BackupKey,
    table: CellTable,
    claim: Claim<BackupRecord>,
  ): Promise<ChunkStore> {
    const store = new ChunkStore(context, backupId, key, table);
    const names = await context.target.list(objectNames.chunks(backupId));
    let good: Progress = { chunks: 0, rows: 0, cells: 0, bytes: 0, lastPartition: undefined };
    for (let number = 0; number < names.length; number += 1) {
      await claim.keep();
      const object = await requireObject(context, objectNames.chunk(backupId, number));
      const { content, isLast } = store.#open(number, object);
      store.#note(object, content.counts);
      for (const row of content.rows()) store.#noteRow(row);
      if (isLast) {
        store.#isComplete = true;
        return store;
      }
      if (content.position !== undefined) {
        store.#position = content.position;
        good = store.#progress();
      }
    }
    // What comes after the last end of a page is read again.
    for (const name of names.slice(good.chunks)) await context.target.delete(name);
    store.#chunks.length = good.chunks;
    store.#rows = good.rows;
    store.#cells = good.cells;
    store.#bytes = good.bytes;
    store.#lastPartition = good.lastPartition;
    return store;
  }

  /** Where the scan goes on. */
  get position(): ScanPosition {
    return this.#position;
  }

  /** The stored partition key of the last row. */
  get lastPartition(): readonly Uint8Array[] | undefined {
    return this.#lastPartition;
  }

  /** True when nothing is left to read. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get chunks(): readonly ManifestChunk[] {
    return this.#chunks;
  }

  get rows(): number {
    return this.#rows;
  }

  get cells(): number {
    return this.#cells;
  }

  /** Bytes stored. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Epochs that stored cells name. */
  get epochs(): ReadonlySet<number> {
    return this.#epochs;
  }

  /** Adds a row. */
  async add(row: BackupRow): Promise<void> {
    this.#writer.add(row);
    this.#noteRow(row);
    if (this.#writer.size >= this.#context.chunkBytes) await this.#cut(undefined);
  }

  /** Ends a page of the scan: chunks are cut here where they can be, so that the work can go on after them. */
  async endPage(next: ScanPosition): Promise<void> {
    if (this.#writer.size >= this.#context.chunkBytes / 2) await this.#cut(next);
  }

  /** Stores what is left as the last chunk. */
  async end(): Promise<void> {
    if (this.#writer.size > 0 || this.#held === undefined) await this.#cut(undefined);
    await this.#store(true);
    await this.#put;
    this.#isComplete = true;
  }

  async #cut(position: ScanPosition | undefined): Promise<void> {
    if (this.#held !== undefined) await this.#store(false);
    this.#held = this.#writer.finish(position);
  }

  /** Seals and stores the held chunk; one write is under way at a time, while rows are read. */
  async #store(isLast: boolean): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const number = this.#chunks.length;
    const object = this.#key.seal({ kind: 'chunk', number, isLast }, held.plaintext);
    await this.#put;
    await this.#context.step('backup.chunk');
    this.#note(object, held.counts);
    this.#put = this.#context.target.put(objectNames.chunk(this.#backupId, number), object);
    // Awaited before the next one; a failure before that must not count as unhandled.
    this.#put.catch(() => undefined);
  }

  #open(number: number, object: Buffer): { content: ChunkContent; isLast: boolean } {
    for (const isLast of [false, true]) {
      try {
        const plaintext = this.#key.open({ kind: 'chunk', number, isLast }, object);
        return { content: readChunk(plaintext), isLast };
      } catch (error) {
        if (isLast || !(error instanceof BackupError)) throw error;
      }
    }
    throw new BackupError('BACKUP_INTEGRITY', 'a chunk of a backup cannot be opened');
  }

  #note(object: Buffer, counts: ChunkCounts): void {
    this.#chunks.push({ tag: tagOf(object).toString('hex'), ...counts, bytes: object.length });
    this.#cells += counts.cells;
    this.#bytes += object.length;
  }

  #noteRow(row: BackupRow): void {
    if (row.clustering !== undefined) this.#rows += 1;
    this.#lastPartition = row.partition;
    for (const { column, value } of row.cells) {
      if (this.#haveEpochs[column] !== true) continue;
      this.#epochs.add(((value[2] as number) << 8) | (value[3] as number));
    }
  }

  #progress(): Progress {
    return {
      chunks: this.#chunks.length,
      rows: this.#rows,
      cells: this.#cells,
      bytes: this.#bytes,
      lastPartition: this.#lastPartition,
    };
  }
}

interface Progress {
  readonly chunks: number;
  readonly rows: number;
  readonly cells: number;
  readonly bytes: number;
  readonly lastPartition: readonly Uint8Array[] | undefined;
}
