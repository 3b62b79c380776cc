import { InternalError } from '../errors/index.ts';
import type { ChainKey } from './aes_key.ts';
import { finishMessage, messageBlocks, tasks } from './cmac.ts';
import type { PreparedContext } from './column_context.ts';
import { double, xorBlock } from './gf128.ts';
import { Ints } from './ints.ts';
import { FLUSH_WORDS, messages } from './scratch.ts';
import type { CellDek, KeyDek, TableCipherKeys } from './table_keys.ts';
import { copyBytes } from './word_copy.ts';

/** A partition in a batch. */
export class Partition {
  /** The batch it belongs to: `index` counts within it. */
  readonly batch: AssociatedData;
  readonly keys: TableCipherKeys;
  readonly index: number;

  constructor(batch: AssociatedData, keys: TableCipherKeys, index: number) {
    this.batch = batch;
    this.keys = keys;
    this.index = index;
  }
}

/** A row in a batch. */
export class Row {
  readonly partition: Partition;
  readonly index: number;

  constructor(partition: Partition, index: number) {
    this.partition = partition;
    this.index = index;
  }
}

interface KeyQueue {
  readonly dek: KeyDek;
  /** Partitions whose CMAC under the key DEK is needed. */
  readonly partitions: Ints;
  /** Order starts that are needed. */
  readonly orders: Ints;
  /** Row, slot, slot of the partition, in turn: what elements of regular columns add. */
  readonly rows: Ints;
}

interface CellQueue {
  readonly dek: CellDek;
  /** Partition, slot, in turn. */
  readonly partitions: Ints;
  /** Row, slot, slot of the partition, in turn. */
  readonly rows: Ints;
  /** Slots of owners for which this is not the active DEK: a row, or -1 - partition. */
  readonly former: Map<number, number>;
  /** Slot, slot of the owner, source, first byte, length, in turn: stored map keys. */
  readonly entries: Ints;
}

/** Words a partition takes under a cell DEK: its CMAC doubled once (static cells) and twice (rows). */
const PARTITION_WORDS = 8;
/** Words a row takes under a cell DEK: what its cells add, and the same doubled, for fields and values of maps. */
const ROW_WORDS = 8;

const scratch = new Int32Array(4);

// Records of integers, one after the other; -1 stands for a slot that was not needed yet.
const PART = { source: 0, start: 1, length: 2, size: 3 } as const;
const PARTITION = { key: 0, count: 1, det: 2, cell: 3, order: 4, size: 5 } as const;
const ROW = { partition: 0, key: 1, count: 2, cell: 3, det: 4, size: 5 } as const;
const ENTRY = { slot: 0, owner: 1, source: 2, start: 3, length: 4, size: 5 } as const;
const ORDER = { partition: 0, slot: 1, next: 2, size: 3 } as const;

/**
 * The S2V states of a batch's partitions and rows: each stored key is authenticated once under each key that needs it.
 * Places are given while a batch is filled, blocks are computed when it runs. A stored key is a number of parts, each a
 * range of bytes in a source; they are read when the batch runs. A page has thousands of rows, so everything is kept as
 * integers. Spec: format 3, 4
 */
export class AssociatedData {
  /** Words needed so far. */
  words = 0;
  #closed = false;
  readonly #sources: Uint8Array[] = [];
  readonly #parts = new Ints();
  readonly #partitionKeys: TableCipherKeys[] = [];
  readonly #partitions = new Ints();
  readonly #rows = new Ints();
  readonly #orderContexts: PreparedContext[] = [];
  readonly #orders = new Ints();
  readonly #keyQueues: KeyQueue[] = [];
  readonly #cellQueues: CellQueue[] = [];

  /** Takes bytes that parts lie in; returns their number. */
  addSource(bytes: Uint8Array): number {
    return this.#sources.push(bytes) - 1;
  }

  /** Gives a source its bytes later than {@link addSource} did. */
  setSource(source: number, bytes: Uint8Array): void {
    this.#sources[source] = bytes;
  }

  /** Number of the key that begins with the next part. */
  nextKey(): number {
    return this.#parts.length / PART.size;
  }

  /** The next part of a stored key: `length` bytes of a source from `start` on. */
  addPart(source: number, start: number, length: number): void {
    if (length > 0xffff) throw new InternalError('a stored key column longer than 65535 bytes');
    const parts = this.#parts;
    parts.push(source);
    parts.push(start);
    parts.push(length);
  }

  /** Adds stored bytes of their own as parts; returns the number of the key. */
  addKey(stored: readonly Uint8Array[]): number {
    const key = this.nextKey();
    for (const part of stored) this.addPart(this.addSource(part), 0, part.length);
    return key;
  }

  /** A partition by its stored key; returns its index. */
  addPartition(keys: TableCipherKeys, key: number, count: number): number {
    if (count > 255) throw new InternalError('a key with more than 255 columns');
    const records = this.#partitions;
    records.push(key);
    records.push(count);
    records.push(-1);
    records.push(-1);
    records.push(-1);
    return this.#partitionKeys.push(keys) - 1;
  }

  /** A row of a partition by its stored clustering key, of no parts for a table without; returns its index. */
  addRow(partition: number, key: number, count: number): number {
    if (count > 255) throw new InternalError('a key with more than 255 columns');
    const records = this.#rows;
    const row = records.length / ROW.size;
    records.push(partition);
    records.push(key);
    records.push(count);
    records.push(-1);
    records.push(-1);
    return row;
  }

  /** Number of parts of a partition's key. */
  partCount(partition: number): number {
    return this.#partitions.at(partition * PARTITION.size + PARTITION.count);
  }

  /** Bytes of part `index` of a partition's key, a view. */
  partBytes(partition: number, index: number): Uint8Array {
    const key = this.#partitions.at(partition * PARTITION.size + PARTITION.key);
    const at = (key + index) * PART.size;
    const start = this.#parts.at(at + PART.start);
    const source = this.#sources[this.#parts.at(at + PART.source)] as Uint8Array;
    return source.subarray(start, start + this.#parts.at(at + PART.length));
  }

  /** Place of the partition's CMAC under the key DEK: what clustering values add. */
  detSlot(partition: number): number {
    const records = this.#partitions;
    const at = partition * PARTITION.size + PARTITION.det;
    const known = records.at(at);
    if (known >= 0) return known;
    this.requireOpen();
    const slot = this.#take(4);
    records.data[at] = slot;
    this.#keyQueue(this.#keysOf(partition).keyDek).partitions.push(partition);
    return slot;
  }

  /** Place of what the elements of a row's regular columns add. */
  rowDetSlot(row: number): number {
    const records = this.#rows;
    const at = row * ROW.size + ROW.det;
    const known = records.at(at);
    if (known >= 0) return known;
    this.requireOpen();
    const partition = records.at(row * ROW.size + ROW.partition);
    const partitionSlot = this.detSlot(partition);
    const slot = this.#take(4);
    records.data[at] = slot;
    const { rows } = this.#keyQueue(this.#keysOf(partition).keyDek);
    rows.push(row);
    rows.push(slot);
    rows.push(partitionSlot);
    return slot;
  }

  /** Place of what the value of a map adds: row (or partition, for static columns) and stored key, bytes of a source. */
  entrySlot(
    owner: number,
    isRow: boolean,
    dek: CellDek,
    source: number,
    start: number,
    length: number,
  ): number {
    this.requireOpen();
    const ownerSlot = this.fieldSlot(owner, isRow, dek);
    const slot = this.#take(4);
    const { entries } = this.#cellQueue(dek);
    entries.push(slot);
    entries.push(ownerSlot);
    entries.push(source);
    entries.push(start);
    entries.push(length);
    return slot;
  }

  /** Place of what the fields of a row, or of a partition's static columns, add under a cell DEK. */
  fieldSlot(owner: number, isRow: boolean, dek: CellDek): number {
    return (isRow ? this.rowSlot(owner, dek) : this.partitionSlot(owner, dek)) + 4;
  }

  /** Place of T0, the start of the order part of one column in one partition. */
  orderSlot(partition: number, prepared: PreparedContext): number {
    const first = partition * PARTITION.size + PARTITION.order;
    const orders = this.#orders;
    for (let o = this.#partitions.at(first); o >= 0; o = orders.at(o * ORDER.size + ORDER.next)) {
      if (this.#orderContexts[o] === prepared) return orders.at(o * ORDER.size + ORDER.slot);
    }
    this.requireOpen();
    const slot = this.#take(4);
    const order = this.#orderContexts.push(prepared) - 1;
    orders.push(partition);
    orders.push(slot);
    orders.push(this.#partitions.at(first));
    this.#partitions.data[first] = order;
    this.#keyQueue(this.#keysOf(partition).keyDek).orders.push(order);
    return slot;
  }

  /** Place of what the static cells of a partition add under a cell DEK. */
  partitionSlot(partition: number, dek: CellDek): number {
    const records = this.#partitions;
    const at = partition * PARTITION.size + PARTITION.cell;
    const isActive = this.#keysOf(partition).cellDek === dek;
    if (isActive && records.at(at) >= 0) return records.at(at);
    this.requireOpen();
    const queue = this.#cellQueue(dek);
    if (!isActive) {
      const known = queue.former.get(-1 - partition);
      if (known !== undefined) return known;
    }
    const slot = this.#take(PARTITION_WORDS);
    queue.partitions.push(partition);
    queue.partitions.push(slot);
    if (isActive) records.data[at] = slot;
    else queue.former.set(-1 - partition, slot);
    return slot;
  }

  /** Place of what the cells of a row add under a cell DEK. */
  rowSlot(row: number, dek: CellDek): number {
    const records = this.#rows;
    const at = row * ROW.size + ROW.cell;
    const partition = records.at(row * ROW.size + ROW.partition);
    const isActive = this.#keysOf(partition).cellDek === dek;
    if (isActive && records.at(at) >= 0) return records.at(at);
    this.requireOpen();
    const queue = this.#cellQueue(dek);
    if (!isActive) {
      const known = queue.former.get(row);
      if (known !== undefined) return known;
    }
    const partitionSlot = this.partitionSlot(partition, dek);
    const slot = this.#take(ROW_WORDS);
    queue.rows.push(row);
    queue.rows.push(slot);
    queue.rows.push(partitionSlot);
    if (isActive) records.data[at] = slot;
    else queue.former.set(row, slot);
    return slot;
  }

  /** Refuses everything that is queued from now on: it would never be computed. */
  close(): void {
    if (this.#closed) throw new InternalError('a batch runs once');
    this.#closed = true;
  }

  /** Refuses to go on once {@link close} was called. */
  requireOpen(): void {
    if (this.#closed) throw new InternalError('nothing can be queued once the batch has run');
  }

  /** Refuses a partition of another batch, and everything once {@link close} was called. */
  requireOwn(partition: Partition): void {
    this.requireOpen();
    if (partition.batch !== this) throw new InternalError('the partition is of another batch');
  }

  /** Computes everything that depends on stored partition keys. */
  runPartitions(states: Int32Array): void {
    for (const { dek, partitions, orders } of this.#keyQueues) {
      for (let i = 0; i < partitions.length; i++) {
        const partition = partitions.at(i);
        const slot = this.#partitions.at(partition * PARTITION.size + PARTITION.det);
        this.#queuePartition(dek.det.mac, undefined, partition, slot, states);
      }
      flush(dek.det.mac, states);
      for (let i = 0; i < orders.length; i++) {
        const order = orders.at(i);
        const { s1 } = this.#orderContexts[order] as PreparedContext;
        const partition = this.#orders.at(order * ORDER.size + ORDER.partition);
        const slot = this.#orders.at(order * ORDER.size + ORDER.slot);
        this.#queuePartition(dek.order.bind, s1, partition, slot, states);
      }
      flush(dek.order.bind, states);
    }
    for (const { dek, partitions } of this.#cellQueues) {
      for (let i = 0; i < partitions.length; i += 2) {
        const slot = partitions.at(i + 1);
        this.#queuePartition(dek.cell.mac, undefined, partitions.at(i), slot, states);
      }
      flush(dek.cell.mac, states);
      for (let i = 1; i < partitions.length; i += 2) {
        const slot = partitions.at(i);
        double(states, slot, states, slot);
        double(states, slot, states, slot + 4);
      }
    }
  }

  /** Computes everything that depends on stored clustering keys; after {@link runPartitions}. */
  runRows(states: Int32Array): void {
    for (const { dek, rows } of this.#keyQueues) {
      for (let i = 0; i < rows.length; i += 3) this.#queueRow(dek.det.mac, dek, rows, i, states);
      flush(dek.det.mac, states);
      for (let i = 0; i < rows.length; i += 3) {
        double(states, rows.at(i + 2), scratch, 0);
        xorBlock(scratch, 0, states, rows.at(i + 1));
      }
    }
    scratch.fill(0);
    for (const { dek, rows } of this.#cellQueues) {
      for (let i = 0; i < rows.length; i += 3) this.#queueRow(dek.cell.mac, dek, rows, i, states);
      flush(dek.cell.mac, states);
      for (let i = 0; i < rows.length; i += 3) {
        const slot = rows.at(i + 1);
        double(states, slot, states, slot);
        xorBlock(states, rows.at(i + 2) + 4, states, slot);
        double(states, slot, states, slot + 4);
      }
    }
  }

  /** Computes everything that depends on stored map keys; after {@link runRows}. */
  runEntries(states: Int32Array): void {
    for (const { dek, entries } of this.#cellQueues) {
      for (let e = 0; e < entries.length; e += ENTRY.size) {
        const source = this.#sources[entries.at(e + ENTRY.source)] as Uint8Array;
        const length = entries.at(e + ENTRY.length);
        const blocks = messageBlocks(length);
        const at = messages.alloc(blocks);
        copyBytes(source, entries.at(e + ENTRY.start), length, messages.bytes, at * 4);
        finishMessage(dek.cell.mac, at, length);
        tasks.add(at, blocks, entries.at(e + ENTRY.slot));
        if (tasks.full || messages.used > FLUSH_WORDS) flush(dek.cell.mac, states);
      }
      flush(dek.cell.mac, states);
      for (let e = 0; e < entries.length; e += ENTRY.size) {
        const slot = entries.at(e + ENTRY.slot);
        double(states, slot, states, slot);
        xorBlock(states, entries.at(e + ENTRY.owner), states, slot);
      }
    }
  }

  /** After the run: gives back what it needed. Stored keys stay until {@link releaseKeys}. */
  release(): void {
    this.#rows.release();
    this.#orders.release();
    for (const { partitions, orders, rows } of this.#keyQueues) {
      for (const list of [partitions, orders, rows]) list.release();
    }
    for (const { partitions, rows, entries } of this.#cellQueues) {
      for (const list of [partitions, rows, entries]) list.release();
    }
  }

  /** Gives back the stored keys, which nobody asks for any more. */
  releaseKeys(): void {
    this.#parts.release();
    this.#partitions.release();
  }

  #queuePartition(
    key: ChainKey,
    prefix: Uint8Array | undefined,
    partition: number,
    slot: number,
    states: Int32Array,
  ): void {
    const record = partition * PARTITION.size;
    const first = this.#partitions.at(record + PARTITION.key);
    const count = this.#partitions.at(record + PARTITION.count);
    this.#queueContext(key, prefix, first, count, slot, states);
  }

  /** Queues the CMAC of the stored clustering key of the row that record `i` of `rows` names. */
  #queueRow(
    key: ChainKey,
    { noClusteringMac }: { readonly noClusteringMac: Int32Array },
    rows: Ints,
    i: number,
    states: Int32Array,
  ): void {
    const record = rows.at(i) * ROW.size;
    const slot = rows.at(i + 1);
    const count = this.#rows.at(record + ROW.count);
    if (count === 0) {
      xorBlock(noClusteringMac, 0, states, slot);
      return;
    }
    this.#queueContext(key, undefined, this.#rows.at(record + ROW.key), count, slot, states);
  }

  /** Queues the CMAC of a prefix, the number of parts, and each part with its length. */
  #queueContext(
    key: ChainKey,
    prefix: Uint8Array | undefined,
    first: number,
    count: number,
    slot: number,
    states: Int32Array,
  ): void {
    const parts = this.#parts.data;
    const from = first * PART.size;
    const end = (first + count) * PART.size;
    let length = 1 + (prefix === undefined ? 0 : prefix.length);
    for (let p = from; p < end; p += PART.size) length += 2 + (parts[p + PART.length] as number);
    const blocks = messageBlocks(length);
    const at = messages.alloc(blocks);
    const bytes = messages.bytes;
    let to = at * 4;
    if (prefix !== undefined) {
      copyBytes(prefix, 0, prefix.length, bytes, to);
      to += prefix.length;
    }
    bytes[to++] = count;
    for (let p = from; p < end; p += PART.size) {
      const size = parts[p + PART.length] as number;
      const source = this.#sources[parts[p + PART.source] as number] as Uint8Array;
      bytes[to++] = size >> 8;
      bytes[to++] = size;
      copyBytes(source, parts[p + PART.start] as number, size, bytes, to);
      to += size;
    }
    finishMessage(key, at, length);
    tasks.add(at, blocks, slot);
    if (tasks.full || messages.used > FLUSH_WORDS) flush(key, states);
  }

  #keysOf(partition: number): TableCipherKeys {
    return this.#partitionKeys[partition] as TableCipherKeys;
  }

  #take(words: number): number {
    const slot = this.words;
    this.words += words;
    return slot;
  }

  #keyQueue(dek: KeyDek): KeyQueue {
    for (const queue of this.#keyQueues) if (queue.dek === dek) return queue;
    const queue = { dek, partitions: new Ints(), orders: new Ints(), rows: new Ints() };
    this.#keyQueues.push(queue);
    return queue;
  }

  #cellQueue(dek: CellDek): CellQueue {
    for (const queue of this.#cellQueues) if (queue.dek === dek) return queue;
    const queue = {
      dek,
      partitions: new Ints(),
      rows: new Ints(),
      former: new Map<number, number>(),
      entries: new Ints(),
    };
    this.#cellQueues.push(queue);
    return queue;
  }
}

function flush(key: ChainKey, states: Int32Array): void {
  tasks.run(key, states);
  messages.clear();
}

/** Drops chains and messages that an error left behind. */
export function abandon(): void {
  tasks.reset();
  messages.clear();
}
