import { InternalError } from '../errors/index.ts';
import { ID_BYTES } from './bytes.ts';
import { requireLength } from './check.ts';
import { cmacMany } from './cmac.ts';
import { copyBlock, double, xorBlock } from './gf128.ts';
import type { SivKey } from './siv_key.ts';

/** A prefix-free, order-preserving bit string, most significant bit first. */
export interface OrderBits {
  readonly bytes: Uint8Array;
  /** Number of bits that count, at least 1. */
  readonly bitLength: number;
}

/** What a column's values are, for this folder. One object a column and table, kept as long as the plan. */
export interface ColumnContext {
  /** Logical id of the column, 16 bytes. */
  readonly columnId: Uint8Array;
  readonly kind: 'partition' | 'ordered' | 'opaque' | 'static' | 'regular';
  /** `keyspace.table.column`, for error texts only. */
  readonly name: string;
  /** Cells: whether the length is hidden up to 16 bytes (suite 0x81). */
  readonly padded: boolean;
  /** Ordered clustering columns: the order encoding of a canonical value. */
  readonly orderBits?: (canonical: Uint8Array) => OrderBits;
}

/** First byte of every stored value. Spec: format 1 */
export const FORMAT_VERSION = 0xc1;
/** Suite AES-256-SIV. Spec: format 1 */
export const SUITE_SIV = 0x01;
/** Suite AES-256-SIV of a padded cell. Spec: format 1 */
export const SUITE_SIV_PADDED = 0x81;
/** Length of the column context S1 in bytes. Spec: format 3 */
export const S1_BYTES = 37;

/** Code of a kind; part of the format. Spec: format 3 */
export const KIND_CODE = {
  partition: 0x01,
  ordered: 0x02,
  opaque: 0x03,
  static: 0x10,
  regular: 0x11,
  blind: 0x30,
} as const;

/** How often the state after S1 is doubled before the last associated data is added: one less than components follow. */
const DOUBLINGS = { partition: 0, ordered: 1, opaque: 1, static: 2, regular: 3 } as const;

/** A column context under one DEK. */
export interface PreparedContext {
  readonly context: ColumnContext;
  readonly padded: boolean;
  /** Version, suite and epoch as the word that lies at the start of a stored value. */
  readonly head: number;
  readonly suite: number;
  /** S2V state after S1, doubled for all components that follow: those only have to be added. */
  readonly state: Int32Array;
  /** S1 itself. */
  readonly s1: Buffer;
}

/** Version, suite, kind, epoch, DEK id, column id. Spec: format 3 */
export function columnContextBytes(
  context: Pick<ColumnContext, 'columnId'> & { readonly kind: keyof typeof KIND_CODE },
  suite: number,
  epoch: number,
  dekId: Uint8Array,
): Buffer {
  const s1 = Buffer.alloc(S1_BYTES);
  s1[0] = FORMAT_VERSION;
  s1[1] = suite;
  s1[2] = KIND_CODE[context.kind];
  s1.writeUInt16BE(epoch, 3);
  s1.set(dekId, 5);
  s1.set(context.columnId, 21);
  return s1;
}

/** Computes what every value of the column under this DEK shares. */
export function prepareContext(
  context: ColumnContext,
  key: SivKey,
  epoch: number,
  dekId: Uint8Array,
): PreparedContext {
  requireLength(context.columnId, ID_BYTES, 'column id');
  const isCell = context.kind === 'static' || context.kind === 'regular';
  if (context.padded && !isCell) throw new InternalError('only cells can be padded');
  if (context.kind === 'ordered' && context.orderBits === undefined) {
    throw new InternalError('an ordered clustering column needs an order encoding');
  }
  const suite = context.padded ? SUITE_SIV_PADDED : SUITE_SIV;
  const s1 = columnContextBytes(context, suite, epoch, dekId);
  const state = new Int32Array(4);
  const mac = new Int32Array(4);
  cmacMany(key.mac, [s1], mac);
  copyBlock(key.zeroMac, 0, state, 0);
  double(state, 0, state, 0);
  xorBlock(mac, 0, state, 0);
  for (let i = 0; i < DOUBLINGS[context.kind]; i++) double(state, 0, state, 0);
  const head = FORMAT_VERSION | (suite << 8) | ((epoch >> 8) << 16) | ((epoch & 0xff) << 24);
  return { context, padded: context.padded, head, suite, state, s1 };
}

/** Refuses a column of another kind than its use. */
export function requireKind(context: ColumnContext, kind: ColumnContext['kind']): void {
  if (context.kind !== kind) throw new InternalError(`a ${context.kind} column used as ${kind}`);
}
