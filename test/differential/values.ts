/**
 * Random types and values, each value as bytes and as CQL literal at once, written from the protocol specification (section 6)
 * and Cassandra's documentation, apart from the product's own codecs.
 */
import type { Prng } from './prng.ts';
import type { GenType, GenValue } from './types.ts';
import { NULL_VALUE } from './types.ts';

/** 'text' as CQL string literal. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function sized(bytes: Buffer | null): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(bytes === null ? -1 : bytes.length);
  return bytes === null ? head : Buffer.concat([head, bytes]);
}

function count(n: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(n);
  return head;
}

/** The shortest two's complement of a number. */
export function varintBytes(value: bigint): Buffer {
  let length = 1;
  while (BigInt.asIntN(length * 8, value) !== value) length++;
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0');
  return Buffer.from(hex, 'hex');
}

/** An [unsigned vint] of the protocol. */
export function unsignedVint(value: bigint): Buffer {
  for (let extra = 0; extra < 8; extra++) {
    if (value < 1n << BigInt(7 * (extra + 1))) {
      const out = Buffer.alloc(extra + 1);
      for (let i = extra, rest = value; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
      out[0] = (out[0] as number) | (0xff & ~(0xff >> extra));
      return out;
    }
  }
  const out = Buffer.alloc(9, 0xff);
  out.writeBigUInt64BE(value, 1);
  return out;
}

function signedVint(value: bigint): Buffer {
  return unsignedVint(value >= 0n ? value << 1n : (-value << 1n) - 1n);
}

function int(bits: number, value: bigint): GenValue {
  const out = Buffer.alloc(bits / 8);
  for (let i = out.length - 1, rest = value; i >= 0; i--, rest >>= 8n)
    out[i] = Number(rest & 0xffn);
  return { bytes: out, literal: value.toString() };
}

function edgeInt(rng: Prng, bits: number): bigint {
  const max = (1n << BigInt(bits - 1)) - 1n;
  const near = BigInt(rng.between(-3, 3));
  const value = rng.pick([
    0n,
    near,
    near,
    max - (near & 3n),
    -max - 1n + (near & 3n),
    near * 256n,
    BigInt.asIntN(bits, rng.i64()),
  ]);
  return BigInt.asIntN(bits, value);
}

function uuidLiteral(bytes: Buffer): string {
  const h = bytes.toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

const WORDS = [
  '',
  'a',
  'b',
  'aa',
  'ab',
  'a\0',
  'A',
  'zebra',
  "o'clock",
  'über',
  '日本',
  '😀',
  'a b',
  'null',
  '--',
  '$$x$$',
  '"q"',
  '%41',
  '\n',
];

function decimalLiteral(unscaled: bigint, scale: number): string {
  if (scale === 0) return unscaled.toString();
  return `${unscaled.toString()}E${scale < 0 ? '+' : '-'}${Math.abs(scale)}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function scalarValue(rng: Prng, name: string): GenValue {
  switch (name) {
    case 'ascii': {
      const text = rng.pick([
        '',
        'a',
        'b',
        'aa',
        'A',
        'zz',
        'key',
        "it's",
        'x'.repeat(rng.int(40)),
        rng.bytes(4).toString('hex'),
      ]);
      return { bytes: Buffer.from(text, 'latin1'), literal: quote(text) };
    }
    case 'text': {
      const text = rng.chance(0.7)
        ? rng.pick(WORDS)
        : rng.bytes(rng.between(1, 30)).toString('base64');
      return { bytes: Buffer.from(text, 'utf8'), literal: quote(text) };
    }
    case 'blob': {
      const bytes = rng.chance(0.5)
        ? Buffer.from(rng.pick(['', '00', '0000', '01', 'ff', 'ff00', '7f', '80']), 'hex')
        : rng.bytes(rng.int(40));
      return { bytes, literal: `0x${bytes.toString('hex')}` };
    }
    case 'bigint':
      return int(64, edgeInt(rng, 64));
    case 'int':
      return int(32, edgeInt(rng, 32));
    case 'smallint':
      return int(16, edgeInt(rng, 16));
    case 'tinyint':
      return int(8, edgeInt(rng, 8));
    case 'boolean': {
      const yes = rng.chance(0.5);
      return { bytes: Buffer.from([yes ? 1 : 0]), literal: yes ? 'true' : 'false' };
    }
    case 'varint': {
      const value = rng.chance(0.7)
        ? BigInt(rng.between(-300, 300))
        : edgeInt(rng, 64) * (rng.chance(0.5) ? edgeInt(rng, 64) : 1n);
      return { bytes: varintBytes(value), literal: value.toString() };
    }
    case 'decimal': {
      const scale = rng.pick([0, 0, 1, 1, 2, 3, 10, -1, -2, -7]);
      const unscaled = rng.chance(0.8) ? BigInt(rng.between(-120, 120)) : edgeInt(rng, 64);
      return {
        bytes: Buffer.concat([int(32, BigInt(scale)).bytes as Buffer, varintBytes(unscaled)]),
        literal: decimalLiteral(unscaled, scale),
      };
    }
    case 'double': {
      const value = rng.pick([
        0,
        -0,
        1,
        -1,
        1.5,
        NaN,
        Infinity,
        -Infinity,
        1e308,
        -1e-308,
        5e-324,
        Math.fround(rng.u32() / 7),
        rng.u32() - 2147483648.25,
      ]);
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      return { bytes, literal: floatLiteral(value) };
    }
    case 'float': {
      const value = Math.fround(
        rng.pick([
          0,
          -0,
          1,
          -1,
          1.5,
          NaN,
          Infinity,
          -Infinity,
          3e38,
          -1e-30,
          rng.u32() / 7,
          rng.u32() - 2147483648,
        ]),
      );
      const bytes = Buffer.alloc(4);
      bytes.writeFloatBE(value);
      return { bytes, literal: floatLiteral(value) };
    }
    case 'date': {
      const days = rng.pick([0, -1, 1, rng.between(-20_000, 40_000), rng.between(-20_000, 40_000)]);
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(days + 2147483648);
      return { bytes, literal: quote(new Date(days * 86_400_000).toISOString().slice(0, 10)) };
    }
    case 'time': {
      const nanos = rng.pick([
        0n,
        1n,
        86_399_999_999_999n,
        BigInt(rng.u32()) * 20_000n,
        BigInt(rng.int(86_400)) * 1_000_000_000n,
      ]);
      const seconds = Number(nanos / 1_000_000_000n);
      const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`;
      return { bytes: int(64, nanos).bytes, literal: quote(text) };
    }
    case 'timestamp': {
      const ms = rng.pick([
        0,
        1,
        -1,
        rng.u32() * 500,
        -rng.u32(),
        1_700_000_000_000 + rng.int(1000),
      ]);
      const bytes = int(64, BigInt(ms)).bytes;
      return {
        bytes,
        literal: rng.chance(0.5)
          ? String(ms)
          : quote(`${new Date(ms).toISOString().slice(0, -1)}+0000`),
      };
    }
    case 'uuid': {
      const bytes = rng.bytes(16);
      if (rng.chance(0.4)) bytes.fill(rng.pick([0, 0xff]), 0, 15);
      bytes[6] = ((bytes[6] as number) & 0x0f) | (rng.pick([1, 4, 4, 7]) << 4);
      bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
      return { bytes, literal: uuidLiteral(bytes) };
    }
    case 'timeuuid': {
      const bytes = rng.bytes(16);
      if (rng.chance(0.5)) bytes.fill(0, 0, 6);
      bytes[6] = ((bytes[6] as number) & 0x0f) | 0x10;
      // The low half is compared as signed bytes: let its sign vary where the variant bits allow it.
      bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
      return { bytes, literal: uuidLiteral(bytes) };
    }
    case 'inet': {
      if (rng.chance(0.6)) {
        const bytes = rng.chance(0.5) ? rng.bytes(4) : Buffer.from([10, 0, 0, rng.int(4)]);
        return { bytes, literal: quote([...bytes].join('.')) };
      }
      const bytes = rng.bytes(16);
      bytes[0] = 0x20;
      return { bytes, literal: quote((bytes.toString('hex').match(/.{4}/g) ?? []).join(':')) };
    }
    case 'duration': {
      const sign = rng.chance(0.3) ? -1n : 1n;
      const months = BigInt(rng.int(30));
      const days = BigInt(rng.int(400));
      const nanos = BigInt(rng.u32()) * BigInt(rng.pick([0, 1, 1_000_000]));
      const bytes = Buffer.concat([
        signedVint(sign * months),
        signedVint(sign * days),
        signedVint(sign * nanos),
      ]);
      return { bytes, literal: `${sign < 0n ? '-' : ''}${months}mo${days}d${nanos}ns` };
    }
    default:
      throw new TypeError(`no generator for ${name}`);
  }
}

function floatLiteral(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /[.e]/.test(text) ? text.replace('e+', 'E').replace('e', 'E') : `${text}.0`;
}

function all(values: readonly GenValue[], build: (literals: string[]) => string): string | null {
  const literals = values.map((v) => v.literal);
  return literals.every((l) => l !== null) ? build(literals) : null;
}

function distinctKeys(values: readonly GenValue[], type: GenType): GenValue[] {
  const decimal = type.kind === 'scalar' && type.name === 'decimal';
  const same = (a: GenValue, b: GenValue): boolean => {
    const [x, y] = [a.bytes as Buffer, b.bytes as Buffer];
    return decimal ? sameDecimal(x, y) : x.equals(y);
  };
  return values.filter((v, i) => !values.slice(0, i).some((w) => same(v, w)));
}

/** Of equal decimals in a set literal too, which scale stays is by chance. */
function distinctDecimals(values: GenValue[], type: GenType): GenValue[] {
  return type.kind === 'scalar' && type.name === 'decimal' ? distinctKeys(values, type) : values;
}

/** A random value of a type, never null at the top. */
export function randomValue(rng: Prng, type: GenType): GenValue {
  switch (type.kind) {
    case 'scalar':
      return scalarValue(rng, type.name);
    case 'list':
    case 'set': {
      let items = Array.from({ length: rng.int(4) }, () => randomValue(rng, type.of));
      if (type.kind === 'set') items = distinctDecimals(items, type.of);
      const [open, close] = type.kind === 'list' ? ['[', ']'] : ['{', '}'];
      return {
        bytes: Buffer.concat([count(items.length), ...items.map((v) => sized(v.bytes))]),
        // {} is CQL's empty set and empty map alike.
        literal: all(items, (l) => `${open}${l.join(', ')}${close}`),
      };
    }
    case 'map': {
      // Cassandra keeps the terms of a literal in a hash map: which of two equal keys wins is by chance there.
      const keys = distinctKeys(
        Array.from({ length: rng.int(4) }, () => randomValue(rng, type.key)),
        type.key,
      );
      const pairs = keys.map((key) => [key, randomValue(rng, type.of)] as const);
      return {
        bytes: Buffer.concat([
          count(pairs.length),
          ...pairs.flatMap(([k, v]) => [sized(k.bytes), sized(v.bytes)]),
        ]),
        literal: all(pairs.flat(), (l) => {
          const entries: string[] = [];
          for (let i = 0; i < l.length; i += 2) entries.push(`${l[i] ?? ''}: ${l[i + 1] ?? ''}`);
          return `{${entries.join(', ')}}`;
        }),
      };
    }
    case 'tuple': {
      const items = type.of.map((t) => (rng.chance(0.15) ? NULL_VALUE : randomValue(rng, t)));
      return {
        bytes: Buffer.concat(items.map((v) => sized(v.bytes))),
        literal: all(items, (l) => `(${l.join(', ')})`),
      };
    }
    case 'udt': {
      const items = type.fields.map((f) =>
        rng.chance(0.15) ? NULL_VALUE : randomValue(rng, f.type),
      );
      return {
        bytes: Buffer.concat(items.map((v) => sized(v.bytes))),
        literal: all(
          items,
          (l) => `{${l.map((text, i) => `${type.fields[i]?.name ?? ''}: ${text}`).join(', ')}}`,
        ),
      };
    }
    case 'vector': {
      const items = Array.from({ length: type.size }, () => randomValue(rng, type.of));
      const fixed = type.of.kind === 'scalar' && type.of.name !== 'text';
      const parts = items.map((v) => {
        const bytes = v.bytes as Buffer;
        return fixed ? bytes : Buffer.concat([unsignedVint(BigInt(bytes.length)), bytes]);
      });
      return { bytes: Buffer.concat(parts), literal: all(items, (l) => `[${l.join(', ')}]`) };
    }
  }
}

/** True where Cassandra takes zero bytes as a value of the type other than text and blob. */
export function allowsEmpty(type: GenType): boolean {
  return (
    type.kind === 'scalar' &&
    !['tinyint', 'smallint', 'date', 'time', 'duration', 'text', 'ascii', 'blob'].includes(
      type.name,
    )
  );
}

/** Whether two booleans are equal: any byte but 0 is true. */
export function sameBoolean(a: Buffer, b: Buffer): boolean {
  if (a.length !== 1 || b.length !== 1) return a.equals(b);
  return (a[0] === 0) === (b[0] === 0);
}

/** Whether two floats or doubles are equal: all NaNs are one. */
export function sameNaN(a: Buffer, b: Buffer): boolean {
  const isNaNBytes = (x: Buffer): boolean =>
    Number.isNaN(x.length === 4 ? x.readFloatBE(0) : x.length === 8 ? x.readDoubleBE(0) : 0);
  return a.equals(b) || (a.length === b.length && isNaNBytes(a) && isNaNBytes(b));
}

/** Whether two varints are equal, whatever their leading bytes. */
export function sameVarint(a: Buffer, b: Buffer): boolean {
  if (a.length === 0 || b.length === 0) return a.equals(b);
  const value = (x: Buffer): bigint =>
    BigInt.asIntN(x.length * 8, BigInt(`0x${x.toString('hex')}`));
  return value(a) === value(b);
}

/** Compares two decimals by value, not by scale. */
export function sameDecimal(a: Buffer, b: Buffer): boolean {
  if (a.length < 5 || b.length < 5) return a.equals(b);
  const read = (x: Buffer): [bigint, number] => {
    const digits = x.subarray(4);
    let value = BigInt.asIntN(digits.length * 8, BigInt(`0x${digits.toString('hex')}`));
    let scale = x.readInt32BE(0);
    if (value === 0n) return [0n, 0];
    while (value % 10n === 0n) {
      value /= 10n;
      scale--;
    }
    return [value, scale];
  };
  const [va, sa] = read(a);
  const [vb, sb] = read(b);
  return va === vb && sa === sb;
}
