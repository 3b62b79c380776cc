import { BlockKey, ChainKey } from './aes_key.ts';
import { ID_BYTES, zero } from './bytes.ts';
import { requireLength, requireUint } from './check.ts';
import { CmacKey, cmacMany } from './cmac.ts';
import { columnContextBytes, FORMAT_VERSION, prepareContext, SUITE_SIV } from './column_context.ts';
import type { ColumnContext, PreparedContext } from './column_context.ts';
import { hkdf } from './kdf.ts';
import type { KeyLabel } from './kdf.ts';
import { SivKey } from './siv_key.ts';

/** The keys of the order part. Spec: format 5 */
export interface OrderKeys {
  /** Kbind: CMAC of column and partition key. */
  readonly bind: ChainKey;
  /** Kchain: chain over whole chunks of prefix bits. */
  readonly chain: ChainKey;
  /** Kfinal: one digit of noise for each bit. */
  readonly final: BlockKey;
}

function derive<T>(
  dek: Uint8Array,
  dekId: Uint8Array,
  label: KeyLabel,
  length: number,
  use: (bytes: Buffer) => T,
): T {
  const bytes = hkdf(dek, dekId, label, length);
  try {
    return use(bytes);
  } finally {
    zero(bytes);
  }
}

function checkDek(dek32: Uint8Array, dekId: Uint8Array, epoch: number): void {
  requireLength(dek32, 32, 'DEK');
  requireLength(dekId, ID_BYTES, 'DEK id');
  requireUint(epoch, 0xffff, 'epoch');
}

/** Prepared contexts by the context object, as long as both the plan and the key live. */
class ContextCache {
  readonly #prepared = new WeakMap<ColumnContext, PreparedContext>();
  readonly #prepare: (context: ColumnContext) => PreparedContext;
  #lastContext: ColumnContext | undefined;
  #last: PreparedContext | undefined;

  constructor(prepare: (context: ColumnContext) => PreparedContext) {
    this.#prepare = prepare;
  }

  get(context: ColumnContext): PreparedContext {
    if (context === this.#lastContext) return this.#last as PreparedContext;
    let prepared = this.#prepared.get(context);
    if (prepared === undefined) {
      prepared = this.#prepare(context);
      this.#prepared.set(context, prepared);
    }
    this.#lastContext = context;
    this.#last = prepared;
    return prepared;
  }
}

/** The key DEK of a table in use: everything deterministic (partition key, clustering columns, elements). */
export class KeyDek {
  readonly det: SivKey;
  readonly order: OrderKeys;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  readonly epoch: number;
  /** CMAC of the stored clustering key of a table without clustering columns. */
  readonly noClusteringMac = new Int32Array(4);
  readonly #contexts: ContextCache;

  private constructor(det: SivKey, order: OrderKeys, dekId: Uint8Array, epoch: number) {
    this.det = det;
    this.order = order;
    this.dekId = dekId;
    this.epoch = epoch;
    this.#contexts = new ContextCache((context) => prepareContext(context, det, epoch, dekId));
    cmacMany(det.mac, [Buffer.of(0)], this.noClusteringMac);
  }

  /**
   * @param dek32 the DEK, 32 bytes; not kept, the caller zeroes it
   * @param dekId 16 bytes
   * @param epoch 0..65535
   * Spec: format 2
   */
  static derive(dek32: Uint8Array, dekId: Uint8Array, epoch: number): KeyDek {
    checkDek(dek32, dekId, epoch);
    const det = derive(dek32, dekId, 'det', 64, (bytes) => SivKey.fromBytes(bytes));
    const order = derive(dek32, dekId, 'order', 96, (bytes) => ({
      bind: new ChainKey(bytes.subarray(0, 32)),
      chain: new ChainKey(bytes.subarray(32, 64)),
      final: new BlockKey(bytes.subarray(64, 96)),
    }));
    return new KeyDek(det, order, Uint8Array.from(dekId), epoch);
  }

  /** The column context under this DEK, computed once. */
  prepared(context: ColumnContext): PreparedContext {
    return this.#contexts.get(context);
  }

  /** Ends all cipher objects of the key. */
  dispose(): void {
    this.det.dispose();
    this.noClusteringMac.fill(0);
    this.order.bind.dispose();
    this.order.chain.dispose();
    this.order.final.dispose();
  }
}

/** A cell DEK of a table in use: everything random. */
export class CellDek {
  readonly cell: SivKey;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  readonly epoch: number;
  /** CMAC of the stored clustering key of a table without clustering columns. */
  readonly noClusteringMac = new Int32Array(4);
  readonly #contexts: ContextCache;

  private constructor(cell: SivKey, dekId: Uint8Array, epoch: number) {
    this.cell = cell;
    this.dekId = dekId;
    this.epoch = epoch;
    this.#contexts = new ContextCache((context) => prepareContext(context, cell, epoch, dekId));
    cmacMany(cell.mac, [Buffer.of(0)], this.noClusteringMac);
  }

  /**
   * @param dek32 the DEK, 32 bytes; not kept, the caller zeroes it
   * @param dekId 16 bytes
   * @param epoch 0..65535
   * Spec: format 2
   */
  static derive(dek32: Uint8Array, dekId: Uint8Array, epoch: number): CellDek {
    checkDek(dek32, dekId, epoch);
    const cell = derive(dek32, dekId, 'cell', 64, (bytes) => SivKey.fromBytes(bytes));
    return new CellDek(cell, Uint8Array.from(dekId), epoch);
  }

  /** The column context under this DEK, computed once. */
  prepared(context: ColumnContext): PreparedContext {
    return this.#contexts.get(context);
  }

  /** Ends all cipher objects of the key. */
  dispose(): void {
    this.cell.dispose();
    this.noClusteringMac.fill(0);
  }
}

/** The index DEK of a blind index in use. */
export class IndexDek {
  readonly mac: CmacKey;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  readonly epoch: number;

  private constructor(mac: CmacKey, dekId: Uint8Array, epoch: number) {
    this.mac = mac;
    this.dekId = dekId;
    this.epoch = epoch;
  }

  /**
   * @param dek32 the DEK, 32 bytes; not kept, the caller zeroes it
   * @param dekId 16 bytes
   * @param epoch 0..65535
   * Spec: format 2
   */
  static derive(dek32: Uint8Array, dekId: Uint8Array, epoch: number): IndexDek {
    checkDek(dek32, dekId, epoch);
    const mac = derive(dek32, dekId, 'index', 32, (bytes) => CmacKey.fromBytes(bytes));
    return new IndexDek(mac, Uint8Array.from(dekId), epoch);
  }

  /**
   * The blind values of values of one column: equal for equal values, and nothing else can be seen in them. 20 bytes each.
   * @param columnId logical id of the indexed column, 16 bytes
   * Spec: format 4
   */
  blindValues(columnId: Uint8Array, canonical: readonly Uint8Array[]): Buffer[] {
    const tags = this.#tags(
      'blind',
      columnId,
      canonical.map((value) => [value]),
    );
    return tags.map((tag) => Buffer.concat([this.#head(), tag]));
  }

  /**
   * The blind values of entries of a map, 28 bytes each: equal for equal keys and values. They begin as those of the values
   * alone, so that at equal write times Cassandra decides an entry, its value and both blind values alike.
   * @param columnId logical id of the indexed column, 16 bytes
   * @param canonical keys and values
   * Spec: format 4
   */
  blindEntries(
    columnId: Uint8Array,
    canonical: readonly (readonly [Uint8Array, Uint8Array])[],
  ): Buffer[] {
    const values = this.#tags(
      'blind',
      columnId,
      canonical.map(([, value]) => [value]),
    );
    const entries = this.#tags(
      'blind_entry',
      columnId,
      canonical.map(([key, value]) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(key.length);
        return [length, key, value];
      }),
    );
    return entries.map((tag, index) =>
      Buffer.concat([this.#head(), (values[index] as Buffer).subarray(0, 8), tag]),
    );
  }

  #head(): Buffer {
    return Buffer.of(FORMAT_VERSION, SUITE_SIV, this.epoch >> 8, this.epoch & 0xff);
  }

  #tags(
    kind: 'blind' | 'blind_entry',
    columnId: Uint8Array,
    inputs: readonly (readonly Uint8Array[])[],
  ): Buffer[] {
    requireLength(columnId, ID_BYTES, 'column id');
    const s1 = columnContextBytes({ columnId, kind }, SUITE_SIV, this.epoch, this.dekId);
    const joined = inputs.map((parts) => Buffer.concat([s1, ...parts]));
    const tags = this.mac.macMany(joined);
    for (const input of joined) zero(input);
    return tags;
  }

  /** Ends the cipher objects of the key. */
  dispose(): void {
    this.mac.dispose();
  }
}

/** Bytes of a hidden value (blind value, partition key component) that are the nonce of the cell beside it. Spec: format 4 */
export function nonceOfHidden(hidden: Uint8Array): Uint8Array {
  return hidden.subarray(4, 12);
}

/** The keys of one table, as a lease gives them. */
export interface TableCipherKeys {
  readonly keyDek: KeyDek;
  /** The active cell DEK: everything written is under it. */
  readonly cellDek: CellDek;
  /** The cell DEK of an epoch, also of decrypt-only ones. */
  cellDekByEpoch(epoch: number): CellDek | undefined;
  /** The index DEK with an id (hex). */
  indexDek(dekId: string): IndexDek | undefined;
}
