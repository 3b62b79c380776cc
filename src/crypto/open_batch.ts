import { CiphertextError, InternalError } from '../errors/index.ts';
import { AssociatedData, Partition, Row, abandon } from './associated_data.ts';
import { FORMAT_VERSION, SUITE_SIV, SUITE_SIV_PADDED } from './column_context.ts';
import type { ColumnContext, PreparedContext } from './column_context.ts';
import { checkOrderBits, orderLength, orderMany } from './order.ts';
import type { OrderJob } from './order.ts';
import type { PartitionHandle, RowHandle } from './seal_batch.ts';
import { chunk, newOutput } from './siv_chunk.ts';
import type { Output } from './siv_chunk.ts';
import { NONCE_BYTES, SivQueue } from './siv_queue.ts';
import type { CellDek, KeyDek, TableCipherKeys } from './table_keys.ts';

const HEAD_BYTES = 4;
const TAG_BYTES = 16;
const MAX_KEY_BYTES = 0xffff;

/** A value of an {@link OpenBatch}. */
export type OpenHandle = number & { readonly __open: never };

interface OpenQueue {
  readonly queue: SivQueue;
  readonly handles: number[];
}

interface OrderCheck {
  readonly dek: KeyDek;
  readonly context: ColumnContext;
  readonly start: number;
  readonly handle: number;
  readonly stored: Uint8Array;
  /** Length of the order part. */
  readonly length: number;
}

/**
 * Decrypts and verifies the values of a page. Fill it, {@link run} it once, read the plain texts: views of one buffer
 * that belongs to the caller. Stored bytes are read when it runs. Nothing can be read unless every value was genuine.
 * Methods that take stored bytes throw {@link CiphertextError} at once when their form is wrong: CIPHERTEXT_VERSION, _SUITE,
 * _EPOCH (the catalog may be old) or _LENGTH. Spec: format 3 to 5
 */
export class OpenBatch {
  readonly #ad = new AssociatedData();
  readonly #keyQueues: { readonly dek: KeyDek; readonly open: OpenQueue }[] = [];
  readonly #cellQueues: { readonly dek: CellDek; readonly open: OpenQueue }[] = [];
  readonly #orders: OrderCheck[] = [];
  readonly #at: number[] = [];
  readonly #size: number[] = [];
  readonly #padded: { readonly handle: number; readonly context: ColumnContext }[] = [];
  #length = 0;
  #out: Output | undefined;

  /** A partition by the stored bytes of its key. */
  partition(keys: TableCipherKeys, stored: readonly Uint8Array[]): PartitionHandle {
    return new Partition(this.#ad, keys, stored);
  }

  /** A row by the stored bytes of its clustering columns, in the order of the table. */
  row(p: PartitionHandle, storedClustering: readonly Uint8Array[]): RowHandle {
    return new Row(p, storedClustering);
  }

  /** Queues component `index` of a partition key. */
  openPartition(p: PartitionHandle, index: number, context: ColumnContext): OpenHandle {
    requireKind(context, 'partition');
    const stored = p.stored[index];
    if (stored === undefined) throw new InternalError('the partition key has fewer components');
    const dek = p.keys.keyDek;
    checkHead(stored, context, HEAD_BYTES + TAG_BYTES, MAX_KEY_BYTES);
    if (epochOf(stored) !== dek.epoch) throw new CiphertextError('CIPHERTEXT_EPOCH', context.name);
    const length = stored.length - HEAD_BYTES - TAG_BYTES;
    return this.#queue(this.#keyQueue(dek), dek.prepared(context), -1, stored, HEAD_BYTES, length);
  }

  /** Queues a clustering value; of an ordered column the order part is computed again and compared. */
  openClustering(p: PartitionHandle, context: ColumnContext, stored: Uint8Array): OpenHandle {
    const dek = p.keys.keyDek;
    const ordered = context.kind === 'ordered';
    if (!ordered) requireKind(context, 'opaque');
    const overhead = HEAD_BYTES + TAG_BYTES;
    checkHead(stored, context, ordered ? overhead + 4 : overhead, MAX_KEY_BYTES);
    if (epochOf(stored) !== dek.epoch) throw new CiphertextError('CIPHERTEXT_EPOCH', context.name);
    const prepared = dek.prepared(context);
    const slot = this.#ad.detSlot(p);
    const queue = this.#keyQueue(dek);
    if (!ordered) {
      return this.#queue(queue, prepared, slot, stored, HEAD_BYTES, stored.length - overhead);
    }
    const end = stored.length;
    const order = ((stored[end - 2] as number) << 8) | (stored[end - 1] as number);
    const length = end - overhead - order - 2;
    if (order < 2 || length < 0) throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
    const handle = this.#queue(queue, prepared, slot, stored, HEAD_BYTES + order, length);
    const start = this.#ad.orderSlot(p, prepared);
    this.#orders.push({ dek, context, start, handle, stored, length: order });
    return handle;
  }

  /**
   * Queues a cell.
   *
   * @param r the row, or the partition for static columns
   */
  openCell(r: RowHandle | PartitionHandle, context: ColumnContext, stored: Uint8Array): OpenHandle {
    const isRow = r instanceof Row;
    requireKind(context, isRow ? 'regular' : 'static');
    const keys = isRow ? r.partition.keys : r.keys;
    const overhead = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;
    checkHead(stored, context, overhead, Number.MAX_SAFE_INTEGER);
    const epoch = epochOf(stored);
    const dek = keys.cellDek.epoch === epoch ? keys.cellDek : keys.cellDekByEpoch(epoch);
    if (dek?.epoch !== epoch) throw new CiphertextError('CIPHERTEXT_EPOCH', context.name);
    const length = stored.length - overhead;
    if (context.padded && (length === 0 || (length & 15) !== 0)) {
      throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
    }
    const handle = this.#queue(
      this.#cellQueue(dek),
      dek.prepared(context),
      this.#ad.cellSlot(r, dek),
      stored,
      HEAD_BYTES + NONCE_BYTES,
      length,
    );
    if (context.padded) this.#padded.push({ handle, context });
    return handle;
  }

  /**
   * Decrypts everything queued and checks every tag, order part and padding.
   *
   * @throws {@link CiphertextError} CIPHERTEXT_TAG, _ORDER or _PADDING, naming the column of the first value that is not
   *   genuine; then all plain texts are zeroed
   */
  run(): void {
    this.#ad.close();
    const out = newOutput(this.#length);
    const states = new Int32Array(this.#ad.words);
    let complete = false;
    try {
      this.#ad.runPartitions(states);
      this.#ad.runRows(states);
      this.#openAll(states, out);
      for (const { handle, context } of this.#padded) this.#removePadding(handle, context, out);
      this.#checkOrders(states, out);
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

  /** The plain text, after {@link run}. */
  bytes(h: OpenHandle): Uint8Array {
    if (this.#out === undefined) throw new InternalError('the batch has not run');
    const at = this.#at[h];
    if (at === undefined) throw new InternalError('unknown handle');
    return this.#out.bytes.subarray(at, at + (this.#size[h] as number));
  }

  #openAll(states: Int32Array, out: Output): void {
    let failed: { readonly handle: number; readonly name: string } | undefined;
    for (const { open } of [...this.#keyQueues, ...this.#cellQueues]) {
      const wrong = open.queue.open(states, out);
      if (wrong < 0) continue;
      const handle = open.handles[wrong] as number;
      const name = (open.queue.prepared[wrong] as PreparedContext).context.name;
      if (failed === undefined || handle < failed.handle) failed = { handle, name };
    }
    if (failed !== undefined) throw new CiphertextError('CIPHERTEXT_TAG', failed.name);
  }

  /** ISO 7816-4. The text is authenticated, so where it is wrong says nothing to an attacker. */
  #removePadding(handle: number, context: ColumnContext, out: Output): void {
    const at = this.#at[handle] as number;
    const size = this.#size[handle] as number;
    let end = at + size - 1;
    while (end > at + size - 16 && out.bytes[end] === 0) end--;
    if (out.bytes[end] !== 0x80) throw new CiphertextError('CIPHERTEXT_PADDING', context.name);
    out.bytes[end] = 0;
    this.#size[handle] = end - at;
  }

  #checkOrders(states: Int32Array, out: Output): void {
    const orders = this.#orders;
    for (let i = 0; i < orders.length;) {
      const dek = (orders[i] as OrderCheck).dek;
      const first = i;
      const jobs: OrderJob[] = [];
      let total = 0;
      for (; i < orders.length && orders[i]?.dek === dek && total < 1 << 20; i++) {
        const { context, handle, start, length } = orders[i] as OrderCheck;
        const at = this.#at[handle] as number;
        const plain = out.bytes.subarray(at, at + (this.#size[handle] as number));
        const bits = (context.orderBits as NonNullable<ColumnContext['orderBits']>)(plain);
        checkOrderBits(bits);
        if (orderLength(bits) !== length)
          throw new CiphertextError('CIPHERTEXT_ORDER', context.name);
        jobs.push({ start, bits, target: Buffer.alloc(0), at: total });
        total += length;
      }
      const computed = Buffer.alloc(total);
      orderMany(
        dek.order,
        jobs.map((job) => ({ ...job, target: computed })),
        states,
      );
      this.#compareOrders(first, i, computed);
      computed.fill(0);
    }
  }

  #compareOrders(first: number, end: number, computed: Buffer): void {
    let failed: string | undefined;
    for (let i = first, o = 0; i < end; i++) {
      const { context, stored, length } = this.#orders[i] as OrderCheck;
      let difference = 0;
      for (let k = 0; k < length; k++) {
        difference |= (stored[HEAD_BYTES + k] as number) ^ (computed[o + k] as number);
      }
      o += length;
      if (difference !== 0) failed ??= context.name;
    }
    if (failed !== undefined) throw new CiphertextError('CIPHERTEXT_ORDER', failed);
  }

  #queue(
    open: OpenQueue,
    prepared: PreparedContext,
    slot: number,
    stored: Uint8Array,
    from: number,
    length: number,
  ): OpenHandle {
    this.#ad.requireOpen();
    const at = this.#length;
    this.#length = (at + length + 3) & ~3;
    const handle = this.#at.length as OpenHandle;
    this.#at.push(at);
    this.#size.push(length);
    open.queue.push(prepared, slot, stored, from, length, at >> 2);
    open.handles.push(handle);
    return handle;
  }

  #keyQueue(dek: KeyDek): OpenQueue {
    for (const known of this.#keyQueues) if (known.dek === dek) return known.open;
    const open: OpenQueue = { queue: new SivQueue(dek.det, false), handles: [] };
    this.#keyQueues.push({ dek, open });
    return open;
  }

  #cellQueue(dek: CellDek): OpenQueue {
    for (const known of this.#cellQueues) if (known.dek === dek) return known.open;
    const open: OpenQueue = { queue: new SivQueue(dek.cell, true), handles: [] };
    this.#cellQueues.push({ dek, open });
    return open;
  }
}

function epochOf(stored: Uint8Array): number {
  return ((stored[2] as number) << 8) | (stored[3] as number);
}

/** Spec: format 1 */
function checkHead(stored: Uint8Array, context: ColumnContext, min: number, max: number): void {
  if (stored.length < HEAD_BYTES) throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
  if (stored[0] !== FORMAT_VERSION) throw new CiphertextError('CIPHERTEXT_VERSION', context.name);
  if (stored[1] !== (context.padded ? SUITE_SIV_PADDED : SUITE_SIV)) {
    throw new CiphertextError('CIPHERTEXT_SUITE', context.name);
  }
  if (stored.length < min || stored.length > max) {
    throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
  }
}

function requireKind(context: ColumnContext, kind: ColumnContext['kind']): void {
  if (context.kind !== kind) throw new InternalError(`a ${context.kind} column used as ${kind}`);
}
