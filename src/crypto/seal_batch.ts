import { InternalError, InvalidRequestError } from '../errors/index.ts';
import { AssociatedData, Partition, Row, abandon } from './associated_data.ts';
import { requireLength } from './check.ts';
import { isElement, requireCell, requireKind, requirePart } from './column_context.ts';
import type { ColumnContext } from './column_context.ts';
import { OrderJobs, checkOrderBits, orderLength, orderMany } from './order.ts';
import { chunk, newOutput, paddedLength } from './siv_chunk.ts';
import type { Output } from './siv_chunk.ts';
import { NONCE_BYTES, SivQueue } from './siv_queue.ts';
import type { CellDek, KeyDek, TableCipherKeys } from './table_keys.ts';

/** Longest stored key column: Cassandra's limit. */
const MAX_KEY_BYTES = 0xffff;
/** Version, suite and epoch. */
const HEAD_BYTES = 4;
const TAG_BYTES = 16;
/** Stored length of a cell minus that of its value (before padding). Spec: format 4 */
const CELL_OVERHEAD = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

const EMPTY = new Uint8Array(0);

/** A partition of a batch. */
export type PartitionHandle = Partition;
/** A row of a batch. */
export type RowHandle = Row;
/** A cell or an element of a {@link SealBatch}. */
export type CellHandle = number & { readonly __cell: never };

/** A clustering value of a {@link SealBatch}. */
export class ClusteringHandle {
  /** The batch it belongs to: `at` counts within its output. */
  readonly batch: AssociatedData;
  /** Place in the output. */
  readonly at: number;
  readonly length: number;

  constructor(batch: AssociatedData, at: number, length: number) {
    this.batch = batch;
    this.at = at;
    this.length = length;
  }
}

interface KeyQueue {
  readonly dek: KeyDek;
  readonly partitions: SivQueue;
  readonly clusterings: SivQueue;
  readonly elements: SivQueue;
  readonly orders: OrderJobs;
  /** Place and length of each order part's own length, in turn. */
  readonly orderLengths: number[];
}

/**
 * Encrypts the values of one request, or of several, in lock-step. Fill it, {@link run} it once, read the stored bytes:
 * views of one buffer that belongs to the caller. Nothing is computed before the run, and nothing can be read before it.
 * Spec: format 3 to 5
 */
export class SealBatch {
  readonly #ad = new AssociatedData();
  /** The output as a source of stored keys. */
  readonly #own = this.#ad.addSource(EMPTY);
  readonly #keyQueues: KeyQueue[] = [];
  readonly #cellQueues: { readonly dek: CellDek; readonly queue: SivQueue }[] = [];
  readonly #cellAt: number[] = [];
  readonly #cellLength: number[] = [];
  readonly #heads: number[] = [];
  #length = 0;
  #out: Output | undefined;

  /**
   * Queues a partition key to encrypt.
   *
   * @param components exact bytes of all components, in the order of the table; read when the batch runs
   * @throws InvalidRequestError when a stored component would be longer than 65,535 bytes
   */
  partition(
    keys: TableCipherKeys,
    components: readonly { readonly context: ColumnContext; readonly value: Uint8Array }[],
  ): PartitionHandle {
    this.#ad.requireOpen();
    const queue = this.#keyQueue(keys.keyDek);
    const key = this.#ad.nextKey();
    for (const { context, value } of components) {
      requireKind(context, 'partition');
      const length = HEAD_BYTES + TAG_BYTES + value.length;
      if (length > MAX_KEY_BYTES) throw keyTooLong(length, value.length);
      const at = this.#reserve(length);
      const prepared = keys.keyDek.prepared(context);
      this.#heads.push(at, prepared.head);
      queue.partitions.push(prepared, -1, value, 0, value.length, (at + HEAD_BYTES) >> 2);
      this.#ad.addPart(this.#own, at, length);
    }
    return new Partition(this.#ad, keys, this.#ad.addPartition(keys, key, components.length));
  }

  /** A partition key whose stored bytes are known; they are not checked. */
  storedPartition(keys: TableCipherKeys, components: readonly Uint8Array[]): PartitionHandle {
    const key = this.#ad.addKey(components);
    return new Partition(this.#ad, keys, this.#ad.addPartition(keys, key, components.length));
  }

  /**
   * Queues a clustering value of a partition.
   *
   * @param canonical canonical value, read when the batch runs
   * @throws InvalidRequestError when the stored value would be longer than 65,535 bytes
   */
  clustering(p: PartitionHandle, context: ColumnContext, canonical: Uint8Array): ClusteringHandle {
    this.#ad.requireOwn(p);
    const dek = p.keys.keyDek;
    const slot = this.#ad.detSlot(p.index);
    const queue = this.#keyQueue(dek);
    const prepared = dek.prepared(context);
    if (context.kind === 'ordered' && context.orderBits !== undefined) {
      const bits = context.orderBits(canonical);
      checkOrderBits(bits);
      const front = HEAD_BYTES + orderLength(bits);
      const length = front + TAG_BYTES + canonical.length + 2;
      if (length > MAX_KEY_BYTES) throw keyTooLong(length, canonical.length);
      // The tag is word aligned, so the value may begin anywhere.
      const tagAt = (this.#length + front + 3) & ~3;
      const at = tagAt - front;
      this.#length = (at + length + 3) & ~3;
      queue.clusterings.push(prepared, slot, canonical, 0, canonical.length, tagAt >> 2);
      queue.orders.add(this.#ad.orderSlot(p.index, prepared), bits, at + HEAD_BYTES);
      queue.orderLengths.push(at + length - 2, orderLength(bits));
      this.#heads.push(at, prepared.head);
      return new ClusteringHandle(this.#ad, at, length);
    }
    requireKind(context, 'opaque');
    const length = HEAD_BYTES + TAG_BYTES + canonical.length;
    if (length > MAX_KEY_BYTES) throw keyTooLong(length, canonical.length);
    const at = this.#reserve(length);
    queue.clusterings.push(prepared, slot, canonical, 0, canonical.length, (at + HEAD_BYTES) >> 2);
    this.#heads.push(at, prepared.head);
    return new ClusteringHandle(this.#ad, at, length);
  }

  /**
   * A row: what its regular cells are bound to.
   *
   * @param clustering all clustering columns in the order of the table, queued in this batch or already stored bytes;
   *   empty for a table without clustering columns
   */
  row(p: PartitionHandle, clustering: readonly (ClusteringHandle | Uint8Array)[]): RowHandle {
    const ad = this.#ad;
    ad.requireOwn(p);
    const key = ad.nextKey();
    for (const part of clustering) {
      if (part instanceof Uint8Array) ad.addPart(ad.addSource(part), 0, part.length);
      else ad.addPart(this.#own, this.#requireOwn(part).at, part.length);
    }
    return new Row(p, ad.addRow(p.index, key, clustering.length));
  }

  /**
   * Queues a cell, or a field of a user type, under the active cell DEK.
   *
   * @param r the row, or the partition for static columns
   * @param value serialised value, read when the batch runs; empty is a value
   * @param nonce 8 bytes, for cells of indexed columns only: fresh ones otherwise
   */
  cell(
    r: RowHandle | PartitionHandle,
    context: ColumnContext,
    value: Uint8Array,
    nonce?: Uint8Array,
  ): CellHandle {
    requirePart(context, undefined, 'field');
    if (nonce !== undefined) requireLength(nonce, NONCE_BYTES, 'nonce');
    const isRow = r instanceof Row;
    const dek = this.#partitionOf(r, context).keys.cellDek;
    let slot: number;
    if (context.part === 'field') slot = this.#ad.fieldSlot(r.index, isRow, dek);
    else slot = isRow ? this.#ad.rowSlot(r.index, dek) : this.#ad.partitionSlot(r.index, dek);
    return this.#pushCell(dek, context, slot, value, nonce);
  }

  /**
   * Queues an element of a list or set, or a key of a map, under the key DEK: equal values of one row and column have equal
   * stored bytes.
   *
   * @param r the row, or the partition for static columns
   * @param value canonical value of a set element or map key, stored value of a list element; read when the batch runs
   */
  element(r: RowHandle | PartitionHandle, context: ColumnContext, value: Uint8Array): CellHandle {
    if (!isElement(context)) throw new InternalError('a cell used as an element');
    const { keyDek } = this.#partitionOf(r, context).keys;
    const slot = r instanceof Row ? this.#ad.rowDetSlot(r.index) : this.#ad.detSlot(r.index);
    const prepared = keyDek.prepared(context);
    const length = HEAD_BYTES + TAG_BYTES + value.length;
    const at = this.#reserve(length);
    this.#heads.push(at, prepared.head);
    const { elements } = this.#keyQueue(keyDek);
    elements.push(prepared, slot, value, 0, value.length, (at + HEAD_BYTES) >> 2);
    return this.#handle(at, length);
  }

  /**
   * Queues the value of a map under the active cell DEK.
   *
   * @param r the row, or the partition for static columns
   * @param key its key: an element of this batch, or stored bytes
   * @param value serialised value, read when the batch runs; empty is a value
   * @param nonce 8 bytes where the column has an index; random without
   */
  mapValue(
    r: RowHandle | PartitionHandle,
    context: ColumnContext,
    key: CellHandle | Uint8Array,
    value: Uint8Array,
    nonce?: Uint8Array,
  ): CellHandle {
    requirePart(context, 'map_value');
    if (nonce !== undefined) requireLength(nonce, NONCE_BYTES, 'nonce');
    const dek = this.#partitionOf(r, context).keys.cellDek;
    const ad = this.#ad;
    const isRow = r instanceof Row;
    let slot: number;
    if (key instanceof Uint8Array) {
      slot = ad.entrySlot(r.index, isRow, dek, ad.addSource(key), 0, key.length);
    } else {
      const at = this.#cellAt[key];
      const length = this.#cellLength[key];
      if (at === undefined || length === undefined) throw new InternalError('unknown cell handle');
      slot = ad.entrySlot(r.index, isRow, dek, this.#own, at, length);
    }
    return this.#pushCell(dek, context, slot, value, nonce);
  }

  #partitionOf(r: RowHandle | PartitionHandle, context: ColumnContext): PartitionHandle {
    const isRow = r instanceof Row;
    requireCell(context, isRow);
    const partition = isRow ? r.partition : r;
    this.#ad.requireOwn(partition);
    return partition;
  }

  #pushCell(
    dek: CellDek,
    context: ColumnContext,
    slot: number,
    value: Uint8Array,
    nonce?: Uint8Array,
  ): CellHandle {
    const prepared = dek.prepared(context);
    const length = CELL_OVERHEAD + (context.padded ? paddedLength(value.length) : value.length);
    const at = this.#reserve(length);
    const tagAt = at + HEAD_BYTES + NONCE_BYTES;
    this.#heads.push(at, prepared.head);
    this.#cellQueue(dek).push(prepared, slot, value, 0, value.length, tagAt >> 2, nonce);
    return this.#handle(at, length);
  }

  #handle(at: number, length: number): CellHandle {
    const handle = this.#cellAt.length as CellHandle;
    this.#cellAt.push(at);
    this.#cellLength.push(length);
    return handle;
  }

  /** Encrypts everything queued. */
  run(): void {
    this.#ad.close();
    const out = newOutput(this.#length);
    const states = new Int32Array(this.#ad.words);
    let complete = false;
    try {
      this.#writeHeads(out);
      this.#ad.setSource(this.#own, out.bytes);
      for (const queue of this.#keyQueues) queue.partitions.seal(states, out);
      this.#ad.runPartitions(states);
      for (const queue of this.#keyQueues) sealClusterings(queue, states, out);
      this.#ad.runRows(states);
      for (const { elements } of this.#keyQueues) elements.seal(states, out);
      this.#ad.runEntries(states);
      for (const { queue } of this.#cellQueues) queue.seal(states, out);
      complete = true;
      this.#out = out;
    } finally {
      states.fill(0);
      for (const { orders } of this.#keyQueues) orders.release();
      this.#ad.release();
      if (!complete) {
        abandon();
        chunk.reset();
        out.bytes.fill(0);
      }
    }
  }

  /** Stored components of a partition, after {@link run}. */
  partitionComponents(p: PartitionHandle): readonly Uint8Array[] {
    this.#output();
    if (p.batch !== this.#ad) throw new InternalError('the partition is of another batch');
    const count = this.#ad.partCount(p.index);
    return Array.from({ length: count }, (_, index) => this.#ad.partBytes(p.index, index));
  }

  /** Stored bytes of a clustering value, after {@link run}. */
  clusteringBytes(c: ClusteringHandle): Uint8Array {
    const { at, length } = this.#requireOwn(c);
    return this.#output().bytes.subarray(at, at + length);
  }

  /** Stored bytes of a cell or an element, after {@link run}. */
  cellBytes(c: CellHandle): Uint8Array {
    const at = this.#cellAt[c];
    const length = this.#cellLength[c];
    if (at === undefined || length === undefined) throw new InternalError('unknown cell handle');
    return this.#output().bytes.subarray(at, at + length);
  }

  #output(): Output {
    if (this.#out === undefined) throw new InternalError('the batch has not run');
    return this.#out;
  }

  #requireOwn(c: ClusteringHandle): ClusteringHandle {
    if (c.batch !== this.#ad) throw new InternalError('the clustering value is of another batch');
    return c;
  }

  #reserve(length: number): number {
    const at = this.#length;
    this.#length = (at + length + 3) & ~3;
    return at;
  }

  #writeHeads(out: Output): void {
    const heads = this.#heads;
    for (let i = 0; i < heads.length; i += 2) {
      const at = heads[i] as number;
      const head = heads[i + 1] as number;
      if ((at & 3) === 0) out.words[at >> 2] = head;
      else out.bytes.writeInt32LE(head, at);
    }
  }

  #keyQueue(dek: KeyDek): KeyQueue {
    for (const queue of this.#keyQueues) if (queue.dek === dek) return queue;
    const queue: KeyQueue = {
      dek,
      partitions: new SivQueue(dek.det, false),
      clusterings: new SivQueue(dek.det, false),
      elements: new SivQueue(dek.det, false),
      orders: new OrderJobs(),
      orderLengths: [],
    };
    this.#keyQueues.push(queue);
    return queue;
  }

  #cellQueue(dek: CellDek): SivQueue {
    for (const known of this.#cellQueues) if (known.dek === dek) return known.queue;
    const queue = new SivQueue(dek.cell, true);
    this.#cellQueues.push({ dek, queue });
    return queue;
  }
}

function sealClusterings(queue: KeyQueue, states: Int32Array, out: Output): void {
  queue.clusterings.seal(states, out);
  if (queue.orders.count === 0) return;
  orderMany(queue.dek.order, queue.orders, states, out.bytes);
  const lengths = queue.orderLengths;
  for (let i = 0; i < lengths.length; i += 2) {
    out.bytes.writeUInt16BE(lengths[i + 1] as number, lengths[i]);
  }
}

function keyTooLong(stored: number, plain: number): InvalidRequestError {
  return new InvalidRequestError(
    `Key length of ${String(stored)} is longer than maximum of ${String(MAX_KEY_BYTES)}` +
      ` (encrypted; ${String(plain)} bytes as sent)`,
  );
}
