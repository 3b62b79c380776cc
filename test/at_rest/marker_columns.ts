/** Columns of every kind that the markers are written into. */
import type { Marker, MarkerKind } from './markers.ts';

/** A column and how a value of it is made. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly kinds: readonly MarkerKind[];
  /** Bytes and literal of the cell from its markers. */
  readonly build?: (m: readonly Marker[]) => { bytes: Buffer; literal: string };
}

function sized(bytes: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

function counted(n: number, parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(n);
  return Buffer.concat([head, ...parts.map(sized)]);
}

/** The marker at a place. */
export const at = (m: readonly Marker[], i: number): Marker => m[i] as Marker;

export const PARTITION: Column[] = [
  { name: 'p_text', type: 'text', kinds: ['text'] },
  { name: 'p_blob', type: 'blob', kinds: ['blob'] },
  { name: 'p_big', type: 'bigint', kinds: ['bigint'] },
];
export const CLUSTERING: Column[] = [
  { name: 'c_text', type: 'text', kinds: ['text'] },
  { name: 'c_uuid', type: 'uuid', kinds: ['uuid'] },
  { name: 'c_varint', type: 'varint', kinds: ['varint'] },
];
export const STATIC: Column[] = [
  { name: 's_text', type: 'text', kinds: ['text'] },
  { name: 's_blob', type: 'blob', kinds: ['blob'] },
];
export const REGULAR: Column[] = [
  { name: 'v_text', type: 'text', kinds: ['text'] },
  { name: 'v_ascii', type: 'ascii', kinds: ['text'] },
  { name: 'v_blob', type: 'blob', kinds: ['blob'] },
  { name: 'v_big', type: 'bigint', kinds: ['bigint'] },
  { name: 'v_varint', type: 'varint', kinds: ['varint'] },
  { name: 'v_decimal', type: 'decimal', kinds: ['decimal'] },
  { name: 'v_double', type: 'double', kinds: ['double'] },
  { name: 'v_uuid', type: 'uuid', kinds: ['uuid'] },
  { name: 'v_inet', type: 'inet', kinds: ['inet'] },
  {
    name: 'f_list',
    type: 'frozen<list<text>>',
    kinds: ['text', 'text'],
    build: (m) => ({
      bytes: counted(
        2,
        m.map((x) => x.bytes),
      ),
      literal: `[${m.map((x) => x.literal).join(', ')}]`,
    }),
  },
  {
    name: 'f_set',
    type: 'frozen<set<blob>>',
    kinds: ['blob'],
    build: (m) => ({ bytes: counted(1, [at(m, 0).bytes]), literal: `{${at(m, 0).literal}}` }),
  },
  {
    name: 'f_map',
    type: 'frozen<map<text, blob>>',
    kinds: ['text', 'blob'],
    build: (m) => ({
      bytes: counted(
        1,
        m.map((x) => x.bytes),
      ),
      literal: `{${at(m, 0).literal}: ${at(m, 1).literal}}`,
    }),
  },
  {
    name: 'f_tuple',
    type: 'frozen<tuple<text, bigint>>',
    kinds: ['text', 'bigint'],
    build: (m) => ({
      bytes: Buffer.concat(m.map((x) => sized(x.bytes))),
      literal: `(${m.map((x) => x.literal).join(', ')})`,
    }),
  },
  {
    name: 'f_udt',
    type: 'frozen<pair>',
    kinds: ['text', 'uuid'],
    build: (m) => ({
      bytes: Buffer.concat(m.map((x) => sized(x.bytes))),
      literal: `{a: ${at(m, 0).literal}, b: ${at(m, 1).literal}}`,
    }),
  },
  {
    name: 'f_vector',
    type: 'vector<bigint, 2>',
    kinds: ['bigint', 'bigint'],
    build: (m) => ({
      bytes: Buffer.concat(m.map((x) => x.bytes)),
      literal: `[${m.map((x) => x.literal).join(', ')}]`,
    }),
  },
];

/** The same values in columns of several cells, which are not frozen. */
function unfrozen(name: string, like: string, type: string): Column {
  const column = REGULAR.find((c) => c.name === like);
  if (column === undefined) throw new TypeError(`no column ${like}`);
  return { ...column, name, type };
}

REGULAR.push(
  unfrozen('n_list', 'f_list', 'list<text>'),
  unfrozen('n_set', 'f_set', 'set<blob>'),
  unfrozen('n_map', 'f_map', 'map<text, blob>'),
  unfrozen('n_udt', 'f_udt', 'pair'),
);
STATIC.push(unfrozen('sn_map', 'f_map', 'map<text, blob>'));
