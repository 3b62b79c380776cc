/** Bytes of key values of frozen collections, tuples, user types and vectors. */
import type { Prng } from '../../differential/prng.ts';
import { decimalBytes, EMPTY, hex } from './key_values.ts';
import type { KeyType } from './key_values.ts';

function sized(bytes: Buffer | null): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(bytes === null ? -1 : bytes.length);
  return bytes === null ? head : Buffer.concat([head, bytes]);
}

function counted(items: readonly Buffer[], count = items.length): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(count);
  return Buffer.concat([head, ...items]);
}

const smallInt: KeyType['random'] = (prng) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(prng.int(7) - 3);
  return bytes;
};
const shortText: KeyType['random'] = (prng) =>
  Buffer.from(prng.pick(['', 'a', 'aa', 'ab', 'b', '\0', 'ä', '€', 'a\0b']));
const smallDecimal: KeyType['random'] = (prng) =>
  decimalBytes(BigInt(prng.pick([-10, -1, 0, 1, 2, 10, 20, 100])), prng.int(4) - 1);

/** Strictly ascending bytes of fixed-width or text elements: how a client must send a set. */
function sortedUnique(items: readonly Buffer[]): Buffer[] {
  const sorted = [...items].sort((a, b) => Buffer.compare(a, b));
  return sorted.filter((item, i) => i === 0 || !item.equals(sorted[i - 1] as Buffer));
}

function several(prng: Prng, random: KeyType['random'], most = 4): Buffer[] {
  return Array.from({ length: prng.int(most + 1) }, () => random(prng, undefined));
}

/** Frozen types as clustering columns; `udt` is `frozen<pair>` with the fields a int, b text. */
export const FROZEN_KEY_TYPES: readonly KeyType[] = [
  {
    cql: 'frozen<list<int>>',
    label: 'list_int',
    edges: [counted([]), EMPTY],
    random: (prng) => counted(several(prng, smallInt).map(sized)),
  },
  {
    cql: 'frozen<list<text>>',
    label: 'list_text',
    edges: [counted([])],
    random: (prng) => counted(several(prng, shortText).map(sized)),
  },
  {
    cql: 'frozen<set<text>>',
    label: 'set_text',
    edges: [counted([])],
    random: (prng) => counted(sortedUnique(several(prng, shortText)).map(sized)),
  },
  {
    cql: 'frozen<list<decimal>>',
    label: 'list_decimal',
    edges: [counted([])],
    random: (prng) => counted(several(prng, smallDecimal, 3).map(sized)),
  },
  {
    cql: 'frozen<map<text, int>>',
    label: 'map_text_int',
    edges: [counted([])],
    random: (prng) => {
      const keys = sortedUnique(several(prng, shortText, 3));
      return counted(
        keys.flatMap((key) => [sized(key), sized(smallInt(prng, undefined))]),
        keys.length,
      );
    },
  },
  {
    cql: 'frozen<tuple<int, text>>',
    label: 'tuple_int_text',
    edges: [sized(null), Buffer.concat([sized(null), sized(null)])],
    random: (prng) => {
      const first = prng.int(6) === 0 ? null : smallInt(prng, undefined);
      const second = prng.int(6) === 0 ? null : shortText(prng, undefined);
      return prng.int(8) === 0 ? sized(first) : Buffer.concat([sized(first), sized(second)]);
    },
  },
  {
    cql: 'frozen<pair>',
    label: 'udt_pair',
    edges: [Buffer.concat([sized(null), sized(null)])],
    random: (prng) => {
      const first = prng.int(6) === 0 ? null : smallInt(prng, undefined);
      const second = prng.int(6) === 0 ? null : shortText(prng, undefined);
      return prng.int(8) === 0 ? sized(first) : Buffer.concat([sized(first), sized(second)]);
    },
  },
  {
    cql: 'vector<int, 3>',
    label: 'vector_int',
    edges: [],
    random: (prng) => Buffer.concat(Array.from({ length: 3 }, () => smallInt(prng, undefined))),
  },
  {
    cql: 'vector<float, 2>',
    label: 'vector_float',
    edges: [],
    random: (prng) =>
      Buffer.concat(
        Array.from({ length: 2 }, () =>
          prng.pick(hex('00000000', '80000000', '3f800000', 'bf800000', '7fc00000', 'ff800000')),
        ),
      ),
  },
];
