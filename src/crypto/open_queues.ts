import { CiphertextError, InternalError } from '../errors/index.ts';
import { AssociatedData, abandon } from './associated_data.ts';
import {
  FORMAT_VERSION,
  SUITE_SIV,
  SUITE_SIV_PADDED,
  isElement,
  isStaticCell,
  requireKind,
  requirePart,
} from './column_context.ts';
import type { ColumnContext } from './column_context.ts';
import { Ints } from './ints.ts';
import { OpenQueue } from './open_queue.ts';
import { OrderChecks } from './order_checks.ts';
import { chunk, newOutput } from './siv_chunk.ts';
import type { Output } from './siv_chunk.ts';
import { NONCE_BYTES } from './siv_queue.ts';
import type { CellDek, KeyDek, TableCipherKeys } from './table_keys.ts';
import { viewOf } from './word_copy.ts';

const HEAD_BYTES = 4;
const TAG_BYTES = 16;
const CELL_OVERHEAD = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;
const KEY_OVERHEAD = HEAD_BYTES + TAG_BYTES;
const MAX_KEY_BYTES = 0xffff;

/** A stored map key, which the value under it is bound to: bytes of a source. */
export interface StoredMapKey {
  readonly source: number;
  readonly start: number;
  readonly length: number;
}

/** Where cells of one column go, under the active cell DEK and with its head. */
export interface CellColumn {
  readonly context: ColumnContext;
  readonly keys: TableCipherKeys;
  readonly dek: CellDek;
  /** Head of a stored value under `dek`. */
  readonly head: number;
  readonly queue: OpenQueue;
  /** Number of the context in the queue. */
  readonly number: number;
}

/** Where key values of one column go. */
export interface KeyColumn {
  readonly context: ColumnContext;
  readonly dek: KeyDek;
  readonly head: number;
  readonly queue: OpenQueue;
  readonly number: number;
  /** Of an ordered clustering column. */
  readonly checks: OrderChecks | undefined;
  /** Number of the context in the checks. */
  readonly checkNumber: number;
}

/**
 * What an open batch holds: values by number of their source and place in it, so that a page of tens of thousands of
 * cells is integers, not objects. Spec: format 3 to 5
 */
export class OpenQueues {
  readonly ad = new AssociatedData();
  /** Places of the plain texts, by handle. */
  readonly places = { at: new Ints(), length: new Ints() };
  readonly #views: DataView[] = [];
  readonly #keyQueues: { readonly dek: KeyDek; readonly queue: OpenQueue }[] = [];
  readonly #cellQueues: { readonly dek: CellDek; readonly queue: OpenQueue }[] = [];
  readonly #checks: OrderChecks[] = [];
  /** Handle, number of the context, in turn. */
  readonly #padded = new Ints();
  readonly #paddedContexts: ColumnContext[] = [];
  #length = 0;
  #out: Output | undefined;

  /** Takes bytes that stored values lie in; they are read when the batch runs. Returns their number. */
  addSource(bytes: Uint8Array): number {
    const source = this.ad.addSource(bytes);
    this.#views[source] = viewOf(bytes);
    return source;
  }

  /** The view of a source. */
  view(source: number): DataView {
    return this.#views[source] as DataView;
  }

  keyColumn(keys: TableCipherKeys, context: ColumnContext): KeyColumn {
    const dek = keys.keyDek;
    const prepared = dek.prepared(context);
    const queue = this.#keyQueue(dek);
    const checks = context.kind === 'ordered' ? this.#orderChecks(dek) : undefined;
    return {
      context,
      dek,
      head: prepared.head,
      queue,
      number: queue.context(prepared),
      checks,
      checkNumber: checks === undefined ? -1 : checks.context(context),
    };
  }

  cellColumn(keys: TableCipherKeys, context: ColumnContext, dek = keys.cellDek): CellColumn {
    const prepared = dek.prepared(context);
    const queue = this.#cellQueue(dek);
    return { context, keys, dek, head: prepared.head, queue, number: queue.context(prepared) };
  }

  /** Queues a component of a partition key. */
  partition(column: KeyColumn, source: number, start: number, length: number): number {
    requireKind(column.context, 'partition');
    const view = this.view(source);
    checkKey(view, start, length, column, KEY_OVERHEAD);
    const handle = this.#place(length - KEY_OVERHEAD);
    column.queue.push(handle, column.number, -1, source, start + HEAD_BYTES);
    return handle;
  }

  /** Queues a clustering value; of an ordered column the order part is computed again and compared. */
  clustering(
    column: KeyColumn,
    partition: number,
    source: number,
    start: number,
    length: number,
  ): number {
    const { context, queue, checks, dek } = column;
    const view = this.view(source);
    const slot = this.ad.detSlot(partition);
    if (checks === undefined) {
      requireKind(context, 'opaque');
      checkKey(view, start, length, column, KEY_OVERHEAD);
      const handle = this.#place(length - KEY_OVERHEAD);
      queue.push(handle, column.number, slot, source, start + HEAD_BYTES);
      return handle;
    }
    checkKey(view, start, length, column, KEY_OVERHEAD + 4);
    const order = view.getUint16(start + length - 2);
    const plain = length - KEY_OVERHEAD - order - 2;
    if (order < 2 || plain < 0) throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
    const handle = this.#place(plain);
    queue.push(handle, column.number, slot, source, start + HEAD_BYTES + order);
    const t0 = this.ad.orderSlot(partition, dek.prepared(context));
    checks.push(column.checkNumber, t0, handle, source, start + HEAD_BYTES, order);
    return handle;
  }

  /**
   * Queues an element of a list or set, or a key of a map.
   *
   * @param owner index of the row, or of the partition for static columns
   */
  element(column: KeyColumn, owner: number, source: number, start: number, length: number): number {
    const { context } = column;
    if (!isElement(context)) throw new InternalError('a cell used as an element');
    checkKey(this.view(source), start, length, column, KEY_OVERHEAD, Number.MAX_SAFE_INTEGER);
    const slot = context.kind === 'static' ? this.ad.detSlot(owner) : this.ad.rowDetSlot(owner);
    const handle = this.#place(length - KEY_OVERHEAD);
    column.queue.push(handle, column.number, slot, source, start + HEAD_BYTES);
    return handle;
  }

  /**
   * Queues a cell, a field of a user type, or the value of a map.
   *
   * @param owner index of the row, or of the partition for static columns
   * @param key of a map's value
   */
  cell(
    column: CellColumn,
    owner: number,
    source: number,
    start: number,
    length: number,
    key?: StoredMapKey,
  ): number {
    const { context } = column;
    const view = this.view(source);
    if (length < CELL_OVERHEAD || view.getInt32(start, true) !== column.head) {
      return this.#unusualCell(column, owner, source, start, length, key);
    }
    const plain = length - CELL_OVERHEAD;
    if (context.padded && (plain === 0 || (plain & 15) !== 0)) {
      throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
    }
    const slot = this.#cellSlot(column, owner, key);
    const handle = this.#place(plain);
    column.queue.push(handle, column.number, slot, source, start + HEAD_BYTES + NONCE_BYTES);
    if (context.padded) this.#pushPadded(handle, context);
    return handle;
  }

  #cellSlot({ context, dek }: CellColumn, owner: number, key: StoredMapKey | undefined): number {
    const isRow = !isStaticCell(context.kind);
    if (key !== undefined) {
      requirePart(context, 'map_value');
      return this.ad.entrySlot(owner, isRow, dek, key.source, key.start, key.length);
    }
    requirePart(context, undefined, 'field');
    if (context.part === 'field') return this.ad.fieldSlot(owner, isRow, dek);
    return isRow ? this.ad.rowSlot(owner, dek) : this.ad.partitionSlot(owner, dek);
  }

  /** A cell of another epoch, or none at all. */
  #unusualCell(
    column: CellColumn,
    owner: number,
    source: number,
    start: number,
    length: number,
    key: StoredMapKey | undefined,
  ): number {
    const { context, keys } = column;
    const view = this.view(source);
    checkHead(view, start, length, context, CELL_OVERHEAD, Number.MAX_SAFE_INTEGER);
    const epoch = view.getUint16(start + 2);
    const dek = keys.cellDekByEpoch(epoch);
    if (dek?.epoch !== epoch || dek === column.dek) {
      throw new CiphertextError('CIPHERTEXT_EPOCH', context.name);
    }
    return this.cell(this.cellColumn(keys, context, dek), owner, source, start, length, key);
  }

  /**
   * Decrypts everything queued and checks every tag, order part and padding.
   *
   * @throws {@link CiphertextError} CIPHERTEXT_TAG, _ORDER or _PADDING, naming the column of the first value that is not
   *   genuine; then all plain texts are zeroed
   */
  run(): void {
    this.ad.close();
    const out = newOutput(this.#length);
    const states = new Int32Array(this.ad.words);
    let complete = false;
    try {
      this.ad.runPartitions(states);
      this.ad.runRows(states);
      this.ad.runEntries(states);
      this.#openAll(states, out);
      for (let i = 0; i < this.#padded.length; i += 2) {
        const context = this.#paddedContexts[this.#padded.at(i + 1)] as ColumnContext;
        this.#removePadding(this.#padded.at(i), context, out);
      }
      for (const checks of this.#checks) checks.run(this.#views, this.places, states, out);
      complete = true;
      this.#out = out;
    } finally {
      states.fill(0);
      this.ad.release();
      this.ad.releaseKeys();
      for (const { queue } of [...this.#keyQueues, ...this.#cellQueues]) queue.release();
      if (!complete) {
        abandon();
        chunk.reset();
        out.bytes.fill(0);
      }
    }
  }

  /** The plain texts, after {@link run}. */
  get output(): Buffer {
    if (this.#out === undefined) throw new InternalError('the batch has not run');
    return this.#out.bytes;
  }

  #openAll(states: Int32Array, out: Output): void {
    let failed: { readonly handle: number; readonly name: string } | undefined;
    for (const { queue } of [...this.#keyQueues, ...this.#cellQueues]) {
      const wrong = queue.open(this.#views, this.places, states, out);
      if (wrong === undefined) continue;
      if (failed === undefined || wrong.handle < failed.handle) failed = wrong;
    }
    if (failed !== undefined) throw new CiphertextError('CIPHERTEXT_TAG', failed.name);
  }

  /** ISO 7816-4. The text is authenticated, so where it is wrong says nothing to an attacker. */
  #removePadding(handle: number, context: ColumnContext, out: Output): void {
    const at = this.places.at.at(handle);
    const size = this.places.length.at(handle);
    let end = at + size - 1;
    while (end > at + size - 16 && out.bytes[end] === 0) end--;
    if (out.bytes[end] !== 0x80) throw new CiphertextError('CIPHERTEXT_PADDING', context.name);
    out.bytes[end] = 0;
    this.places.length.data[handle] = end - at;
  }

  #pushPadded(handle: number, context: ColumnContext): void {
    let number = this.#paddedContexts.indexOf(context);
    if (number < 0) number = this.#paddedContexts.push(context) - 1;
    this.#padded.push(handle);
    this.#padded.push(number);
  }

  /** Gives a plain text of `length` bytes its place; returns its handle. */
  #place(length: number): number {
    this.ad.requireOpen();
    const at = this.#length;
    this.#length = (at + length + 3) & ~3;
    const handle = this.places.at.length;
    this.places.at.push(at);
    this.places.length.push(length);
    return handle;
  }

  #keyQueue(dek: KeyDek): OpenQueue {
    for (const known of this.#keyQueues) if (known.dek === dek) return known.queue;
    const queue = new OpenQueue(dek.det, false);
    this.#keyQueues.push({ dek, queue });
    return queue;
  }

  #cellQueue(dek: CellDek): OpenQueue {
    for (const known of this.#cellQueues) if (known.dek === dek) return known.queue;
    const queue = new OpenQueue(dek.cell, true);
    this.#cellQueues.push({ dek, queue });
    return queue;
  }

  #orderChecks(dek: KeyDek): OrderChecks {
    for (const known of this.#checks) if (known.dek === dek) return known;
    const checks = new OrderChecks(dek);
    this.#checks.push(checks);
    return checks;
  }
}

function checkKey(
  view: DataView,
  start: number,
  length: number,
  column: KeyColumn,
  min: number,
  max = MAX_KEY_BYTES,
): void {
  const isUsual = length >= min && length <= max && view.getInt32(start, true) === column.head;
  if (isUsual) return;
  checkHead(view, start, length, column.context, min, max);
  throw new CiphertextError('CIPHERTEXT_EPOCH', column.context.name);
}

/** Spec: format 1 */
function checkHead(
  view: DataView,
  start: number,
  length: number,
  context: ColumnContext,
  min: number,
  max: number,
): void {
  if (length < HEAD_BYTES) throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
  if (view.getUint8(start) !== FORMAT_VERSION) {
    throw new CiphertextError('CIPHERTEXT_VERSION', context.name);
  }
  if (view.getUint8(start + 1) !== (context.padded ? SUITE_SIV_PADDED : SUITE_SIV)) {
    throw new CiphertextError('CIPHERTEXT_SUITE', context.name);
  }
  if (length < min || length > max) throw new CiphertextError('CIPHERTEXT_LENGTH', context.name);
}
