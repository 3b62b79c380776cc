import { InternalError } from '../errors/index.ts';
import { Partition, Row } from './associated_data.ts';
import { requireCell, requirePart } from './column_context.ts';
import type { ColumnContext } from './column_context.ts';
import { OpenPage } from './open_page.ts';
import type { StoredCells } from './open_page.ts';
import { OpenQueues } from './open_queues.ts';
import type { PartitionHandle, RowHandle } from './seal_batch.ts';
import type { TableCipherKeys } from './table_keys.ts';

/** A value of an {@link OpenBatch}. */
export type OpenHandle = number & { readonly __open: never };

/**
 * Decrypts and verifies the values of pages, or values one by one. Fill it, {@link run} it once, read the plain texts:
 * parts of one buffer that belongs to the caller. Stored bytes are read when it runs. Nothing can be read unless every
 * value was genuine. What takes stored bytes throws CiphertextError at once when their form is wrong: CIPHERTEXT_VERSION,
 * _SUITE, _EPOCH (the catalog may be old) or _LENGTH. Spec: format 3 to 5
 */
export class OpenBatch {
  readonly #queues = new OpenQueues();

  /** A page of a table's stored cells, to open column by column. */
  page(keys: TableCipherKeys, cells: StoredCells): OpenPage {
    return new OpenPage(this.#queues, keys, cells);
  }

  /** A partition by the stored bytes of its key. */
  partition(keys: TableCipherKeys, stored: readonly Uint8Array[]): PartitionHandle {
    const { ad } = this.#queues;
    const key = ad.nextKey();
    for (const part of stored) ad.addPart(this.#queues.addSource(part), 0, part.length);
    return new Partition(ad, keys, ad.addPartition(keys, key, stored.length));
  }

  /** A row by the stored bytes of its clustering columns, in the order of the table. */
  row(p: PartitionHandle, storedClustering: readonly Uint8Array[]): RowHandle {
    const { ad } = this.#queues;
    ad.requireOwn(p);
    return new Row(p, ad.addRow(p.index, ad.addKey(storedClustering), storedClustering.length));
  }

  /** Queues component `index` of a partition key. */
  openPartition(p: PartitionHandle, index: number, context: ColumnContext): OpenHandle {
    const queues = this.#queues;
    queues.ad.requireOwn(p);
    if (index >= queues.ad.partCount(p.index)) {
      throw new InternalError('the partition key has fewer components');
    }
    const stored = queues.ad.partBytes(p.index, index);
    const column = queues.keyColumn(p.keys, context);
    return queues.partition(column, queues.addSource(stored), 0, stored.length) as OpenHandle;
  }

  /** Queues a clustering value; of an ordered column the order part is computed again and compared. */
  openClustering(p: PartitionHandle, context: ColumnContext, stored: Uint8Array): OpenHandle {
    const queues = this.#queues;
    queues.ad.requireOwn(p);
    const column = queues.keyColumn(p.keys, context);
    const source = queues.addSource(stored);
    return queues.clustering(column, p.index, source, 0, stored.length) as OpenHandle;
  }

  /**
   * Queues a cell, or a field of a user type.
   *
   * @param r the row, or the partition for static columns
   */
  openCell(r: RowHandle | PartitionHandle, context: ColumnContext, stored: Uint8Array): OpenHandle {
    requirePart(context, undefined, 'field');
    const queues = this.#queues;
    const column = queues.cellColumn(this.#partitionOf(r, context).keys, context);
    const source = queues.addSource(stored);
    return queues.cell(column, r.index, source, 0, stored.length) as OpenHandle;
  }

  /** Queues an element of a list or set, or a key of a map. */
  openElement(
    r: RowHandle | PartitionHandle,
    context: ColumnContext,
    stored: Uint8Array,
  ): OpenHandle {
    const queues = this.#queues;
    const column = queues.keyColumn(this.#partitionOf(r, context).keys, context);
    const source = queues.addSource(stored);
    return queues.element(column, r.index, source, 0, stored.length) as OpenHandle;
  }

  /** Queues the value of a map under its stored key. */
  openMapValue(
    r: RowHandle | PartitionHandle,
    context: ColumnContext,
    storedKey: Uint8Array,
    stored: Uint8Array,
  ): OpenHandle {
    const queues = this.#queues;
    const column = queues.cellColumn(this.#partitionOf(r, context).keys, context);
    const key = { source: queues.addSource(storedKey), start: 0, length: storedKey.length };
    const source = queues.addSource(stored);
    return queues.cell(column, r.index, source, 0, stored.length, key) as OpenHandle;
  }

  #partitionOf(r: RowHandle | PartitionHandle, context: ColumnContext): PartitionHandle {
    const isRow = r instanceof Row;
    requireCell(context, isRow);
    const partition = isRow ? r.partition : r;
    this.#queues.ad.requireOwn(partition);
    return partition;
  }

  /**
   * Decrypts everything queued and checks every tag, order part and padding.
   *
   * @throws CiphertextError CIPHERTEXT_TAG, _ORDER or _PADDING, naming the column of the first value that is not genuine;
   *   then all plain texts are zeroed
   */
  run(): void {
    this.#queues.run();
  }

  /** The plain text, after {@link run}. */
  bytes(h: OpenHandle): Uint8Array {
    const { output, places } = this.#queues;
    if (!(h >= 0 && h < places.at.length)) throw new InternalError('unknown handle');
    const at = places.at.at(h);
    return output.subarray(at, at + places.length.at(h));
  }
}
