/** Bytes of key values by type: random ones, neighbours of them, and the edges of each type. */
import type { Prng } from '../../differential/prng.ts';

/** Random values and edges of a type that a clustering column can have. */
export interface KeyType {
  /** The name in CQL. */
  readonly cql: string;
  /** A name for tables. */
  readonly label: string;
  readonly edges: readonly Buffer[];
  /** A value: new, or a neighbour of `previous`. */
  readonly random: (prng: Prng, previous: Buffer | undefined) => Buffer;
}

/** No byte at all: a value that many types have besides null. */
export const EMPTY = Buffer.alloc(0);

/** Buffers of hexadecimal texts. */
export function hex(...values: readonly string[]): Buffer[] {
  return values.map((value) => Buffer.from(value.replaceAll(' ', ''), 'hex'));
}

function randomBytes(prng: Prng, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = prng.u32() & 0xff;
  return bytes;
}

/** Adds ±1 to big-endian bytes, wrapping. */
function step(bytes: Buffer, up: boolean, from = 0): Buffer {
  const result = Buffer.from(bytes);
  for (let i = result.length - 1; i >= from; i--) {
    const value = ((result[i] as number) + (up ? 1 : 255)) & 0xff;
    result[i] = value;
    if (value !== (up ? 0 : 255)) break;
  }
  return result;
}

function flipBit(prng: Prng, bytes: Buffer): Buffer {
  const result = Buffer.from(bytes);
  if (result.length > 0) {
    const at = prng.int(result.length);
    result[at] = (result[at] as number) ^ (1 << prng.int(8));
  }
  return result;
}

/** Fixed-width values: random, of few significant bits, one beside the last, one bit away, again the same. */
function fixed(width: number): KeyType['random'] {
  return (prng, previous) => {
    const kind = prng.int(8);
    if (previous?.length === width) {
      if (kind === 0) return step(previous, true);
      if (kind === 1) return step(previous, false);
      if (kind === 2) return flipBit(prng, previous);
      if (kind === 3) return previous;
    }
    const bytes = randomBytes(prng, width);
    if (kind === 4) bytes.fill(0, 0, prng.int(width));
    if (kind === 5) bytes.fill(0xff, 0, prng.int(width));
    return bytes;
  };
}

function masked(
  random: KeyType['random'],
  mask: (bytes: Buffer, prng: Prng) => void,
): KeyType['random'] {
  return (prng, previous) => {
    const bytes = Buffer.from(random(prng, previous));
    mask(bytes, prng);
    return bytes;
  };
}

function int64(...values: readonly bigint[]): Buffer[] {
  return values.map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt.asIntN(64, value));
    return bytes;
  });
}

const UUID_EDGES = hex(
  '00000000 0000 0000 0000 000000000000',
  'ffffffff ffff ffff ffff ffffffffffff',
  '00000000 0000 1000 8000 000000000000',
  '00000000 0000 1000 7f00 000000000000',
  'ffffffff ffff 1fff 8080 808080808080',
  'ffffffff ffff 1fff 7f7f 7f7f7f7f7f7f',
  '00000001 0000 1000 8080 808080808080',
  '00000000 0001 1000 8080 808080808080',
  '00000000 0000 1001 8080 808080808080',
  '00000000 0000 4000 8000 000000000000',
  '00000000 0000 4000 0000 000000000000',
  '00000000 0000 7000 8000 000000000000',
  '00000000 0000 f000 ffff ffffffffffff',
);

const TEXTS = [
  '',
  '\0',
  '\0\0',
  'a',
  'a\0',
  'aa',
  'ab',
  'b',
  '~',
  '\u007f',
  '\u0080',
  'ß',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
  'a\u{1f600}',
  'e\u0301',
  'é',
  'x'.repeat(255),
  'x'.repeat(256),
];

const ALPHABETS = [
  'ab',
  'abcdefghij\0',
  'aäß€\u{1f600}',
  '\u007f\u0080\u07ff\u0800\uffff\u{10ffff}',
];

function textValue(alphabets: readonly string[]): KeyType['random'] {
  return (prng, previous) => {
    const kind = prng.int(8);
    const letters = Array.from(prng.pick(alphabets));
    const tail = (): string =>
      Array.from({ length: prng.int(12) + 1 }, () => prng.pick(letters)).join('');
    if (previous !== undefined && previous.length < 60) {
      const text = previous.toString('utf8');
      if (kind <= 1) return Buffer.from(text + tail());
      if (kind === 2) return Buffer.from(Array.from(text).slice(0, -1).join(''));
      if (kind === 3) return previous;
    }
    return Buffer.from(tail());
  };
}

function integerBytes(prng: Prng): Buffer {
  const bytes = randomBytes(prng, prng.int(12) + 1);
  const kind = prng.int(6);
  if (kind === 0)
    return Buffer.concat([Buffer.from([(bytes.at(0) ?? 0) >= 0x80 ? 0xff : 0]), bytes]);
  if (kind === 1) bytes.fill(0, Math.min(1, bytes.length - 1));
  if (kind === 2) bytes.fill(0xff, Math.min(1, bytes.length - 1));
  return bytes;
}

function varint(prng: Prng, previous: Buffer | undefined): Buffer {
  const kind = prng.int(8);
  if (previous !== undefined && previous.length > 0) {
    if (kind === 0) return step(previous, true);
    if (kind === 1) return step(previous, false);
    // The same number in a longer form.
    if (kind === 2 && previous.length < 30)
      return Buffer.concat([Buffer.from([(previous[0] as number) >= 0x80 ? 0xff : 0]), previous]);
  }
  return integerBytes(prng);
}

/** Bytes of a decimal: its scale, then its unscaled value in the shortest form. */
export function decimalBytes(unscaled: bigint, scale: number): Buffer {
  let digits = unscaled < 0n ? (-unscaled - 1n).toString(16) : unscaled.toString(16);
  if (digits.length % 2 === 1) digits = `0${digits}`;
  if (Number.parseInt(digits.slice(0, 2), 16) >= 0x80) digits = `00${digits}`;
  const magnitude = Buffer.from(digits, 'hex');
  if (unscaled < 0n)
    for (let i = 0; i < magnitude.length; i++) magnitude[i] = ~(magnitude[i] as number);
  const head = Buffer.alloc(4);
  head.writeInt32BE(scale);
  return Buffer.concat([head, magnitude]);
}

function decimal(prng: Prng, previous: Buffer | undefined): Buffer {
  const kind = prng.int(8);
  if (previous !== undefined && previous.length >= 5) {
    const scale = previous.readInt32BE(0);
    let unscaled = BigInt.asIntN(
      (previous.length - 4) * 8,
      BigInt(`0x${previous.toString('hex', 4)}`),
    );
    if (kind === 0) return decimalBytes(unscaled + 1n, scale);
    if (kind === 1) return decimalBytes(unscaled - 1n, scale);
    if (kind === 2) return decimalBytes(unscaled, scale + (prng.int(2) === 0 ? 1 : -1));
    if (kind <= 4 && Math.abs(scale) < 60) {
      // The same number with another scale.
      const by = prng.int(4) + 1;
      for (let i = 0; i < by; i++) unscaled *= 10n;
      return decimalBytes(unscaled, scale + by);
    }
  }
  const digits = BigInt(`0x${randomBytes(prng, prng.int(9) + 1).toString('hex')}`);
  return decimalBytes(prng.int(2) === 0 ? digits : -digits, prng.int(40) - 15);
}

function inet(prng: Prng, previous: Buffer | undefined): Buffer {
  const kind = prng.int(6);
  if (kind === 0) {
    const mapped = Buffer.alloc(16);
    mapped.fill(0xff, 10, 12);
    randomBytes(prng, 4).copy(mapped, 12);
    return mapped;
  }
  if (kind === 1 && previous?.length === 4)
    return Buffer.concat([Buffer.from('00000000000000000000ffff', 'hex'), previous]);
  return fixed(kind % 2 === 0 ? 4 : 16)(prng, previous);
}

function blob(prng: Prng, previous: Buffer | undefined): Buffer {
  const kind = prng.int(8);
  if (previous !== undefined) {
    if (kind === 0 && previous.length < 40) return Buffer.concat([previous, randomBytes(prng, 1)]);
    if (kind === 1) return previous.subarray(0, prng.int(previous.length + 1));
    if (kind === 2) return flipBit(prng, previous);
    if (kind === 3) return step(previous, prng.int(2) === 0);
  }
  const bytes = randomBytes(prng, prng.int(20));
  if (prng.int(4) === 0) bytes.fill(prng.int(2) === 0 ? 0 : 0xff, prng.int(bytes.length + 1));
  return bytes;
}

/** A timeuuid must say version 1. */
const timeuuid = masked(fixed(16), (bytes, prng) => {
  bytes[6] = 0x10 | ((bytes[6] as number) & 0x0f);
  if (prng.int(3) === 0) bytes.fill(0, 0, 6);
});

const uuid = masked(fixed(16), (bytes, prng) => {
  const kind = prng.int(4);
  if (kind === 0) bytes[6] = 0x10 | ((bytes[6] as number) & 0x0f);
  if (kind === 1) bytes[6] = 0x40 | ((bytes[6] as number) & 0x0f);
  if (prng.int(4) === 0) bytes.fill(0, 0, 6);
});

/** Every scalar type that may stand in a primary key. */
export const SCALAR_KEY_TYPES: readonly KeyType[] = [
  {
    cql: 'ascii',
    label: 'ascii',
    edges: ['', '\0', 'a', 'a\0', 'aa', '\u007f'].map((value) => Buffer.from(value)),
    random: textValue(['ab', 'abc\0\u007f ~']),
  },
  {
    cql: 'bigint',
    label: 'bigint',
    edges: [
      EMPTY,
      ...int64(0n, 1n, -1n, 127n, 128n, 255n, 256n, -128n, -129n, -(2n ** 63n), 2n ** 63n - 1n),
      ...int64(-(2n ** 63n) + 1n, 2n ** 63n - 2n, 2n ** 32n, -(2n ** 32n)),
    ],
    random: fixed(8),
  },
  {
    cql: 'blob',
    label: 'blob',
    edges: [EMPTY, ...hex('00', '0000', '00ff', '01', '7f', '80', 'ff', 'ff00', 'ffff')],
    random: blob,
  },
  {
    cql: 'boolean',
    label: 'boolean',
    edges: [EMPTY, ...hex('00', '01', '05', 'ff')],
    random: fixed(1),
  },
  {
    cql: 'date',
    label: 'date',
    edges: hex('00000000', '00000001', '7fffffff', '80000000', '80000001', 'ffffffff'),
    random: fixed(4),
  },
  {
    cql: 'decimal',
    label: 'decimal',
    edges: [
      EMPTY,
      decimalBytes(0n, 0),
      decimalBytes(0n, 5),
      decimalBytes(0n, -5),
      decimalBytes(1n, 0),
      decimalBytes(10n, 1),
      decimalBytes(100n, 2),
      decimalBytes(-1n, 0),
      decimalBytes(-10n, 1),
      decimalBytes(1n, 100_000),
      decimalBytes(-1n, 100_000),
      decimalBytes(1n, -100_000),
      decimalBytes(-1n, -100_000),
      decimalBytes(999n, 3),
      decimalBytes(9999n, 4),
      decimalBytes(1001n, 3),
      decimalBytes(2n ** 200n, 0),
      decimalBytes(-(2n ** 200n), 0),
    ],
    random: decimal,
  },
  {
    cql: 'double',
    label: 'double',
    edges: [
      EMPTY,
      ...hex('0000000000000000', '8000000000000000', '0000000000000001', '8000000000000001'),
      ...hex('7ff0000000000000', 'fff0000000000000', '7fefffffffffffff', 'ffefffffffffffff'),
      ...hex('7ff8000000000000', 'fff8000000000000', '7ff0000000000001', '7fffffffffffffff'),
      ...hex('000fffffffffffff', '0010000000000000', '3ff0000000000000', 'bff0000000000000'),
    ],
    random: fixed(8),
  },
  {
    cql: 'float',
    label: 'float',
    edges: [
      EMPTY,
      ...hex('00000000', '80000000', '00000001', '80000001', '7f800000', 'ff800000', '7f7fffff'),
      ...hex('ff7fffff', '7fc00000', 'ffc00000', '7f800001', '7fffffff', '3f800000', 'bf800000'),
    ],
    random: fixed(4),
  },
  {
    cql: 'inet',
    label: 'inet',
    edges: [
      EMPTY,
      ...hex('00000000', '7f000001', '80000000', 'ffffffff', '01020304'),
      ...hex('00000000000000000000ffff01020304', '00000000000000000000000000000000'),
      ...hex('00000000000000000000000000000001', 'ffffffffffffffffffffffffffffffff'),
      ...hex('0102030400000000000000000000000', '01020304ffffffffffffffffffffffff').slice(1),
    ],
    random: inet,
  },
  {
    cql: 'int',
    label: 'int',
    edges: [EMPTY, ...hex('00000000', '00000001', 'ffffffff', '7fffffff', '80000000', '80000001')],
    random: fixed(4),
  },
  {
    cql: 'smallint',
    label: 'smallint',
    edges: hex('0000', '0001', 'ffff', '7fff', '8000', '8001'),
    random: fixed(2),
  },
  {
    cql: 'text',
    label: 'text',
    edges: TEXTS.map((value) => Buffer.from(value)),
    random: textValue(ALPHABETS),
  },
  {
    cql: 'time',
    label: 'time',
    edges: int64(0n, 1n, 86_399_999_999_999n, 43_200_000_000_000n, 255n, 256n),
    random: masked(fixed(8), (bytes) => {
      bytes.writeBigInt64BE((bytes.readBigUInt64BE() % 86_400_000_000_000n) & (2n ** 63n - 1n));
    }),
  },
  {
    cql: 'timestamp',
    label: 'timestamp',
    edges: [EMPTY, ...int64(0n, 1n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 1_700_000_000_000n)],
    random: fixed(8),
  },
  { cql: 'timeuuid', label: 'timeuuid', edges: [EMPTY, ...UUID_EDGES], random: timeuuid },
  {
    cql: 'tinyint',
    label: 'tinyint',
    edges: hex('00', '01', 'ff', '7f', '80'),
    random: fixed(1),
  },
  { cql: 'uuid', label: 'uuid', edges: [EMPTY, ...UUID_EDGES], random: uuid },
  {
    cql: 'varint',
    label: 'varint',
    edges: [
      EMPTY,
      ...hex(
        '00',
        '0000',
        '01',
        '0001',
        'ff',
        'ffff',
        '7f',
        '80',
        '0080',
        'ff7f',
        'ff80',
        '000000ff',
      ),
      ...hex(
        '7fffffffffffffffff',
        '800000000000000000',
        '00ffffffffffffffff',
        'ff0000000000000000',
      ),
      Buffer.concat([Buffer.from([1]), Buffer.alloc(130)]),
      Buffer.concat([Buffer.from([0xfe]), Buffer.alloc(130)]),
    ],
    random: varint,
  },
];
