import { InternalError, InvalidRequestError } from '../errors/index.ts';
import { AssociatedData, Partition, Row, abandon } from './associated_data.ts';
import type { ColumnContext } from './column_context.ts';
import { checkOrderBits, orderLength, orderMany } from './order.ts';
import type { OrderJob } from './order.ts';
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

/** A partition of a batch. */
export type PartitionHandle = Partition;
/** A row of a batch. */
export type RowHandle = Row;
/** A cell of a {@link SealBatch}. */
export type CellHandle = number & { readonly __cell: never };

/** A clustering value of a {@link SealBatch}. */
export class ClusteringHandle {
  /** Place in the output. */
  readonly at: number;
  readonly length: number;
  /** The stored bytes, once the batch has run. */
  stored: Uint8Array | undefined;

  constructor(at: number, length: number) {
    this.at = at;
    this.length = length;
  }
}

interface KeyQueue {
  readonly dek: KeyDek;
  readonly partitions: SivQueue;
  readonly clusterings: SivQueue;
  readonly handles: ClusteringHandle[];
  readonly orders: {
    readonly start: number;
    readonly bits: OrderJob['bits'];
    readonly at: number;
    readonly end: number;
  }[];
}

interface SealedPartition {
  readonly partition: Partition;
  /** Place and length of each component in the output, in turn. */
  readonly places: readonly number[];
}

/**
 * Encrypts the values of one request, or of several, in lock-step. Fill it, {@link run} it once, read the stored bytes:
 * views of one buffer that belongs to the caller. Nothing is computed before the run, and nothing can be read before it.
 * Spec: format 3 to 5
 */
export class SealBatch {
  readonly #ad = new AssociatedData();
  readonly #keyQueues: KeyQueue[] = [];
  readonly #cellQueues: { readonly dek: CellDek; readonly queue: SivQueue }[] = [];
  readonly #partitions: SealedPartition[] = [];
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
    const partition = new Partition(this.#ad, keys, []);
    const places: number[] = [];
    for (const { context, value } of components) {
      requireKind(context, 'partition');
      const length = HEAD_BYTES + TAG_BYTES + value.length;
      if (length > MAX_KEY_BYTES) throw keyTooLong(length, value.length);
      const at = this.#reserve(length);
      const prepared = keys.keyDek.prepared(context);
      this.#heads.push(at, prepared.head);
      queue.partitions.push(prepared, -1, value, 0, value.length, (at + HEAD_BYTES) >> 2);
      places.push(at, length);
    }
    this.#partitions.push({ partition, places });
    return partition;
  }

  /** A partition key whose stored bytes are known; they are not checked. */
  storedPartition(keys: TableCipherKeys, components: readonly Uint8Array[]): PartitionHandle {
    return new Partition(this.#ad, keys, components);
  }

  /**
   * Queues a clustering value of a partition.
   *
   * @param canonical canonical value, read when the batch runs
   * @throws InvalidRequestError when the stored value would be longer than 65,535 bytes
   */
  clustering(p: PartitionHandle, context: ColumnContext, canonical: Uint8Array): ClusteringHandle {
    const dek = p.keys.keyDek;
    const slot = this.#ad.detSlot(p);
    const queue = this.#keyQueue(dek);
    const prepared = dek.prepared(context);
    let handle: ClusteringHandle;
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
      queue.orders.push({
        start: this.#ad.orderSlot(p, prepared),
        bits,
        at: at + HEAD_BYTES,
        end: at + length,
      });
      this.#heads.push(at, prepared.head);
      handle = new ClusteringHandle(at, length);
    } else {
      requireKind(context, 'opaque');
      const length = HEAD_BYTES + TAG_BYTES + canonical.length;
      if (length > MAX_KEY_BYTES) throw keyTooLong(length, canonical.length);
      const at = this.#reserve(length);
      queue.clusterings.push(
        prepared,
        slot,
        canonical,
        0,
        canonical.length,
        (at + HEAD_BYTES) >> 2,
      );
      this.#heads.push(at, prepared.head);
      handle = new ClusteringHandle(at, length);
    }
    queue.handles.push(handle);
    return handle;
  }

  /**
   * A row: what its regular cells are bound to.
   *
   * @param clustering all clustering columns in the order of the table, queued in this batch or already stored bytes;
   *   empty for a table without clustering columns
   */
  row(p: PartitionHandle, clustering: readonly (ClusteringHandle | Uint8Array)[]): RowHandle {
    return new Row(p, clustering);
  }

  /**
   * Queues a cell under the active cell DEK.
   *
   * @param r the row, or the partition for static columns
   * @param value serialised value, read when the batch runs; empty is a value
   */
  cell(r: RowHandle | PartitionHandle, context: ColumnContext, value: Uint8Array): CellHandle {
    requireKind(context, r instanceof Row ? 'regular' : 'static');
    const keys = r instanceof Row ? r.partition.keys : r.keys;
    const dek = keys.cellDek;
    const prepared = dek.prepared(context);
    const slot = this.#ad.cellSlot(r, dek);
    const length = CELL_OVERHEAD + (context.padded ? paddedLength(value.length) : value.length);
    const at = this.#reserve(length);
    const tagAt = at + HEAD_BYTES + NONCE_BYTES;
    this.#heads.push(at, prepared.head);
    this.#cellQueue(dek).push(prepared, slot, value, 0, value.length, tagAt >> 2);
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
      for (const queue of this.#keyQueues) queue.partitions.seal(states, out);
      for (const { partition, places } of this.#partitions) {
        partition.stored = storedComponents(places, out);
      }
      this.#ad.runPartitions(states);
      for (const queue of this.#keyQueues) sealClusterings(queue, states, out);
      this.#ad.runRows(states);
      for (const { queue } of this.#cellQueues) queue.seal(states, out);
      complete = true;
      this.#out = out;
    } finally {
      states.fill(0);
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
    return p.stored;
  }

  /** Stored bytes of a clustering value, after {@link run}. */
  clusteringBytes(c: ClusteringHandle): Uint8Array {
    this.#output();
    if (c.stored === undefined) throw new InternalError('the clustering value is of another batch');
    return c.stored;
  }

  /** Stored bytes of a cell, after {@link run}. */
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
      handles: [],
      orders: [],
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

function storedComponents(places: readonly number[], out: Output): Uint8Array[] {
  const stored: Uint8Array[] = [];
  for (let i = 0; i < places.length; i += 2) {
    const at = places[i] as number;
    stored.push(out.bytes.subarray(at, at + (places[i + 1] as number)));
  }
  return stored;
}

function sealClusterings(queue: KeyQueue, states: Int32Array, out: Output): void {
  if (queue.handles.length === 0) return;
  queue.clusterings.seal(states, out);
  if (queue.orders.length > 0) {
    const jobs = queue.orders.map(({ start, bits, at }) => ({
      start,
      bits,
      target: out.bytes,
      at,
    }));
    orderMany(queue.dek.order, jobs, states);
    for (const { bits, end } of queue.orders) out.bytes.writeUInt16BE(orderLength(bits), end - 2);
  }
  for (const handle of queue.handles) {
    handle.stored = out.bytes.subarray(handle.at, handle.at + handle.length);
  }
}

function requireKind(context: ColumnContext, kind: ColumnContext['kind']): void {
  if (context.kind !== kind) throw new InternalError(`a ${context.kind} column used as ${kind}`);
}

function keyTooLong(stored: number, plain: number): InvalidRequestError {
  return new InvalidRequestError(
    `Key length of ${String(stored)} is longer than maximum of ${String(MAX_KEY_BYTES)}` +
      ` (encrypted; ${String(plain)} bytes as sent)`,
  );
}
