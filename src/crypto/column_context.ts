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

/** What a value of a column of several cells is: its field, or what of its collection. */
export type ColumnPart = 'field' | 'map_value' | 'set_element' | 'map_key' | 'list_element';

/** Kinds of cells; a static one is bound to its partition, the others to their row. */
export type CellKind = 'static' | 'regular' | 'counter' | 'static_counter';

/** What a column's values are, for this folder. One object a column, part and table, kept as long as the plan. */
export interface ColumnContext {
  /** Logical id of the column, 16 bytes. */
  readonly columnId: Uint8Array;
  readonly kind: 'partition' | 'ordered' | 'opaque' | CellKind;
  /** `keyspace.table.column`, for error texts only. */
  readonly name: string;
  /** Cells: whether the length is hidden up to 16 bytes (suite 0x81). */
  readonly padded: boolean;
  /** Ordered clustering columns: the order encoding of a canonical value. */
  readonly orderBits?: (canonical: Uint8Array) => OrderBits;
  /** Static and regular columns of several cells: which part of them the values are. */
  readonly part?: ColumnPart;
  /** Part `field`: index of the field, 0..65535. */
  readonly fieldIndex?: number;
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
  counter: 0x40,
  static_counter: 0x41,
  blind: 0x30,
  blind_entry: 0x31,
} as const;

/** Codes of the parts of static columns; those of regular ones are one more. Spec: format 3 */
const PART_CODE = {
  field: 0x12,
  map_value: 0x14,
  set_element: 0x20,
  map_key: 0x22,
  list_element: 0x24,
} as const;

/** How often the state after S1 is doubled before the last associated data is added: one less than components follow. */
const DOUBLINGS = {
  partition: 0,
  ordered: 1,
  opaque: 1,
  static: 2,
  regular: 3,
  counter: 3,
  static_counter: 2,
} as const;

function kindCode({ kind, part }: KindOfContext): number {
  if (part === undefined) return KIND_CODE[kind];
  return PART_CODE[part] + (kind === 'regular' ? 1 : 0);
}

/** Elements have no nonce, fields and values of maps have one component more than a cell. */
function doublings(context: ColumnContext): number {
  const count = DOUBLINGS[context.kind];
  if (context.part === undefined) return count;
  return isElement(context) ? count - 1 : count + 1;
}

/** Whether values of the context are deterministic, under the key DEK. */
export function isElement({ part }: ColumnContext): boolean {
  return part === 'set_element' || part === 'map_key' || part === 'list_element';
}

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

/** What the kind of S1 comes from. */
interface KindOfContext {
  readonly kind: keyof typeof KIND_CODE;
  readonly part?: ColumnPart | undefined;
}

/** Version, suite, kind, epoch, DEK id, column id. Spec: format 3 */
export function columnContextBytes(
  context: KindOfContext & Pick<ColumnContext, 'columnId'>,
  suite: number,
  epoch: number,
  dekId: Uint8Array,
): Buffer {
  const s1 = Buffer.alloc(S1_BYTES);
  s1[0] = FORMAT_VERSION;
  s1[1] = suite;
  s1[2] = kindCode(context);
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
  if (context.padded && (!isCell(context) || isElement(context))) {
    throw new InternalError('only cells can be padded');
  }
  if (context.part !== undefined && context.kind !== 'static' && context.kind !== 'regular') {
    throw new InternalError('only static and regular columns have parts');
  }
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
  for (let i = doublings(context); i > 0; i--) double(state, 0, state, 0);
  if (context.part === 'field') {
    // S4 of a field is the same for all rows, so it stands in the state: only the nonce follows it.
    cmacMany(key.mac, [fieldBytes(context.fieldIndex)], mac);
    double(mac, 0, mac, 0);
    xorBlock(mac, 0, state, 0);
  }
  const head = FORMAT_VERSION | (suite << 8) | ((epoch >> 8) << 16) | ((epoch & 0xff) << 24);
  return { context, padded: context.padded, head, suite, state, s1 };
}

function fieldBytes(index: number | undefined): Buffer {
  if (index === undefined) throw new InternalError('a field without its index');
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(index);
  return bytes;
}

/** Refuses a part of a column used as another one, or as a whole cell. */
export function requirePart(context: ColumnContext, ...parts: (ColumnPart | undefined)[]): void {
  if (parts.includes(context.part)) return;
  throw new InternalError(`the ${context.part ?? 'cell'} of a column used as something else`);
}

function isCell({ kind }: ColumnContext): boolean {
  return isStaticCell(kind) || kind === 'regular' || kind === 'counter';
}

/** Whether cells of this kind are bound to their partition alone. */
export function isStaticCell(kind: ColumnContext['kind']): boolean {
  return kind === 'static' || kind === 'static_counter';
}

/** Refuses a column that is no cell, or whose cells are bound to something else. */
export function requireCell(context: ColumnContext, isRow: boolean): void {
  if (!isCell(context) || isStaticCell(context.kind) === isRow) {
    throw new InternalError(
      `a ${context.kind} column used as a cell of a ${isRow ? 'row' : 'partition'}`,
    );
  }
}

/** Refuses a column that is no cell. */
export function requireAnyCell(context: ColumnContext): void {
  if (!isCell(context)) throw new InternalError(`a ${context.kind} column used as a cell`);
}

/** Refuses a column of another kind than its use. */
export function requireKind(context: ColumnContext, kind: ColumnContext['kind']): void {
  if (context.kind !== kind) throw new InternalError(`a ${context.kind} column used as ${kind}`);
}
