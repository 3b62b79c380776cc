import { InternalError } from '../errors/index.ts';
import type { ChainKey } from './aes_key.ts';
import { finishMessage, messageBlocks, tasks } from './cmac.ts';
import type { PreparedContext } from './column_context.ts';
import { double, xorBlock } from './gf128.ts';
import { FLUSH_WORDS, messages } from './scratch.ts';
import type { CellDek, KeyDek, TableCipherKeys } from './table_keys.ts';
import { copyBytes } from './word_copy.ts';

/** Where the state of one owner under one cell DEK lies. */
interface CellState {
  readonly dek: CellDek;
  readonly slot: number;
  readonly next: CellState | undefined;
}

/** A partition in a batch. */
export class Partition {
  readonly keys: TableCipherKeys;
  /** The batch it belongs to: places are numbered within it. */
  readonly batch: AssociatedData;
  /** Stored components; empty until they are sealed, when this batch seals them. */
  stored: readonly Uint8Array[];
  detSlot = -1;
  orderSlots: { readonly prepared: PreparedContext; readonly slot: number }[] | undefined;
  cellState: CellState | undefined;

  constructor(batch: AssociatedData, keys: TableCipherKeys, stored: readonly Uint8Array[]) {
    this.batch = batch;
    this.keys = keys;
    this.stored = stored;
  }
}

/** A clustering column's value in a batch. */
export interface StoredPart {
  /** Stored bytes; `undefined` until they are sealed. */
  readonly stored: Uint8Array | undefined;
}

/** A row in a batch. */
export class Row {
  readonly partition: Partition;
  readonly clustering: readonly (StoredPart | Uint8Array)[];
  cellState: CellState | undefined;

  constructor(partition: Partition, clustering: readonly (StoredPart | Uint8Array)[]) {
    this.partition = partition;
    this.clustering = clustering;
  }
}

interface KeyQueue {
  readonly dek: KeyDek;
  readonly partitions: Partition[];
  readonly orders: {
    readonly partition: Partition;
    readonly prepared: PreparedContext;
    readonly slot: number;
  }[];
}

interface CellQueue {
  readonly dek: CellDek;
  readonly partitions: { readonly partition: Partition; readonly slot: number }[];
  readonly rows: { readonly row: Row; readonly slot: number; readonly partitionSlot: number }[];
}

/** Words a partition takes under a cell DEK: its CMAC doubled once (static cells) and twice (rows). */
const PARTITION_WORDS = 8;

function queueContext(
  key: ChainKey,
  prefix: Uint8Array | undefined,
  parts: readonly (StoredPart | Uint8Array)[],
  slot: number,
  states: Int32Array,
): void {
  if (parts.length > 255) throw new InternalError('a key with more than 255 columns');
  let length = 1 + (prefix === undefined ? 0 : prefix.length);
  for (const part of parts) length += 2 + storedBytes(part).length;
  const blocks = messageBlocks(length);
  const at = messages.alloc(blocks);
  const bytes = messages.bytes;
  let to = at * 4;
  if (prefix !== undefined) {
    copyBytes(prefix, 0, prefix.length, bytes, to);
    to += prefix.length;
  }
  bytes[to++] = parts.length;
  for (const part of parts) {
    const stored = storedBytes(part);
    if (stored.length > 0xffff)
      throw new InternalError('a stored key column longer than 65535 bytes');
    bytes[to++] = stored.length >> 8;
    bytes[to++] = stored.length & 0xff;
    copyBytes(stored, 0, stored.length, bytes, to);
    to += stored.length;
  }
  finishMessage(key, at, length);
  tasks.add(at, blocks, slot);
  if (tasks.full || messages.used > FLUSH_WORDS) flush(key, states);
}

function storedBytes(part: StoredPart | Uint8Array): Uint8Array {
  if (part instanceof Uint8Array) return part;
  if (part.stored === undefined)
    throw new InternalError('a clustering value was used before it was sealed');
  return part.stored;
}

function flush(key: ChainKey, states: Int32Array): void {
  tasks.run(key, states);
  messages.clear();
}

/**
 * The S2V states of a batch's partitions and rows: each stored key is authenticated once under each key that needs it.
 * Places are given while a batch is filled, blocks are computed when it runs. Spec: format 3, 4
 */
export class AssociatedData {
  /** Words needed so far. */
  words = 0;
  #closed = false;
  readonly #keyQueues = new Map<KeyDek, KeyQueue>();
  readonly #cellQueues = new Map<CellDek, CellQueue>();
  #lastCellQueue: CellQueue | undefined;

  /** Place of the partition's CMAC under the key DEK: what clustering values add. */
  detSlot(partition: Partition): number {
    this.#requireOwn(partition);
    if (partition.detSlot < 0) {
      partition.detSlot = this.#take(4);
      this.#keyQueue(partition.keys.keyDek).partitions.push(partition);
    }
    return partition.detSlot;
  }

  /** Place of T0, the start of the order part of one column in one partition. */
  orderSlot(partition: Partition, prepared: PreparedContext): number {
    this.#requireOwn(partition);
    partition.orderSlots ??= [];
    for (const known of partition.orderSlots) if (known.prepared === prepared) return known.slot;
    const slot = this.#take(4);
    partition.orderSlots.push({ prepared, slot });
    this.#keyQueue(partition.keys.keyDek).orders.push({ partition, prepared, slot });
    return slot;
  }

  /** Place of what the cells of a row, or the static cells of a partition, add under a cell DEK. */
  cellSlot(owner: Row | Partition, dek: CellDek): number {
    this.#requireOwn(owner instanceof Row ? owner.partition : owner);
    for (let state = owner.cellState; state !== undefined; state = state.next) {
      if (state.dek === dek) return state.slot;
    }
    const queue = this.#cellQueue(dek);
    let slot: number;
    if (owner instanceof Row) {
      const partitionSlot = this.cellSlot(owner.partition, dek);
      slot = this.#take(4);
      queue.rows.push({ row: owner, slot, partitionSlot });
    } else {
      slot = this.#take(PARTITION_WORDS);
      queue.partitions.push({ partition: owner, slot });
    }
    owner.cellState = { dek, slot, next: owner.cellState };
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

  #requireOwn(partition: Partition): void {
    this.requireOpen();
    if (partition.batch !== this) throw new InternalError('the partition is of another batch');
  }

  /** Computes everything that depends on stored partition keys. */
  runPartitions(states: Int32Array): void {
    for (const { dek, partitions, orders } of this.#keyQueues.values()) {
      for (const p of partitions) queueContext(dek.det.mac, undefined, p.stored, p.detSlot, states);
      flush(dek.det.mac, states);
      for (const { partition, prepared, slot } of orders) {
        queueContext(dek.order.bind, prepared.s1, partition.stored, slot, states);
      }
      flush(dek.order.bind, states);
    }
    for (const { dek, partitions } of this.#cellQueues.values()) {
      for (const { partition, slot } of partitions) {
        queueContext(dek.cell.mac, undefined, partition.stored, slot, states);
      }
      flush(dek.cell.mac, states);
      for (const { slot } of partitions) {
        double(states, slot, states, slot);
        double(states, slot, states, slot + 4);
      }
    }
  }

  /** Computes everything that depends on stored clustering keys; after {@link runPartitions}. */
  runRows(states: Int32Array): void {
    for (const { dek, rows } of this.#cellQueues.values()) {
      for (const { row, slot } of rows) {
        if (row.clustering.length === 0) xorBlock(dek.noClusteringMac, 0, states, slot);
        else queueContext(dek.cell.mac, undefined, row.clustering, slot, states);
      }
      flush(dek.cell.mac, states);
      for (const { slot, partitionSlot } of rows) {
        double(states, slot, states, slot);
        xorBlock(states, partitionSlot + 4, states, slot);
      }
    }
  }

  #take(words: number): number {
    const slot = this.words;
    this.words += words;
    return slot;
  }

  #keyQueue(dek: KeyDek): KeyQueue {
    let queue = this.#keyQueues.get(dek);
    if (queue === undefined) {
      queue = { dek, partitions: [], orders: [] };
      this.#keyQueues.set(dek, queue);
    }
    return queue;
  }

  #cellQueue(dek: CellDek): CellQueue {
    let queue = this.#lastCellQueue;
    if (queue?.dek === dek) return queue;
    queue = this.#cellQueues.get(dek);
    if (queue === undefined) {
      queue = { dek, partitions: [], rows: [] };
      this.#cellQueues.set(dek, queue);
    }
    this.#lastCellQueue = queue;
    return queue;
  }
}

/** Drops chains and messages that an error left behind. */
export function abandon(): void {
  tasks.reset();
  messages.clear();
}
