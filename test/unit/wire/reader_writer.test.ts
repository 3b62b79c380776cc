import { describe, expect, it } from 'vitest';
import { Reader, UNSET, Writer } from '../../../src/wire/index.ts';
import { bytes, hex } from './byte_builder.ts';

type Case = readonly [
  name: string,
  encoded: string,
  value: unknown,
  read: (r: Reader) => unknown,
  write: (w: Writer) => void,
];

const cases: readonly Case[] = [
  ['[byte]', 'fe', 254, (r) => r.readByte(), (w) => w.writeByte(254)],
  ['[short]', 'fffe', 65534, (r) => r.readUnsignedShort(), (w) => w.writeUnsignedShort(65534)],
  ['[int]', '7fffffff', 2147483647, (r) => r.readInt(), (w) => w.writeInt(2147483647)],
  ['[int] below zero', '80000000', -2147483648, (r) => r.readInt(), (w) => w.writeInt(-2147483648)],
  ['[int] of four bytes', '01020304', 16909060, (r) => r.readInt(), (w) => w.writeInt(16909060)],
  [
    '[long]',
    '8000000000000001',
    -9223372036854775807n,
    (r) => r.readLong(),
    (w) => w.writeLong(-9223372036854775807n),
  ],
  ['[string]', '0003 61 c3a9', 'aé', (r) => r.readString(), (w) => w.writeString('aé')],
  ['[string], empty', '0000', '', (r) => r.readString(), (w) => w.writeString('')],
  [
    '[string] that holds U+FFFD itself',
    '0003 efbfbd',
    '\ufffd',
    (r) => r.readString(),
    (w) => w.writeString('\ufffd'),
  ],
  [
    '[long string] outside of the first plane',
    '00000004 f09f9880',
    '\u{1f600}',
    (r) => r.readLongString(),
    (w) => w.writeLongString('\u{1f600}'),
  ],
  ['[bytes]', '00000001 aa', bytes('aa'), (r) => r.readBytes(), (w) => w.writeBytes(bytes('aa'))],
  ['[bytes], null', 'ffffffff', null, (r) => r.readBytes(), (w) => w.writeBytes(null)],
  [
    '[short bytes]',
    '0002 aabb',
    bytes('aabb'),
    (r) => r.readShortBytes(),
    (w) => w.writeShortBytes(bytes('aabb')),
  ],
  ['[value], unset', 'fffffffe', UNSET, (r) => r.readValue(), (w) => w.writeValue(UNSET)],
  ['[value], null', 'ffffffff', null, (r) => r.readValue(), (w) => w.writeValue(null)],
  ['[value], empty', '00000000', bytes(''), (r) => r.readValue(), (w) => w.writeValue(bytes(''))],
  [
    '[string list]',
    "0002 0001 'a' 0000",
    ['a', ''],
    (r) => r.readStringList(),
    (w) => w.writeStringList(['a', '']),
  ],
  [
    '[string map]',
    "0001 0001 'a' 0001 'b'",
    new Map([['a', 'b']]),
    (r) => r.readStringMap(),
    (w) => w.writeStringMap(new Map([['a', 'b']])),
  ],
  [
    '[string multimap]',
    "0001 0001 'a' 0002 0001 'b' 0001 'c'",
    new Map([['a', ['b', 'c']]]),
    (r) => r.readStringMultimap(),
    (w) => w.writeStringMultimap(new Map([['a', ['b', 'c']]])),
  ],
  [
    '[bytes map]',
    "0002 0001 'a' 00000001 ff 0001 'b' ffffffff",
    new Map([
      ['a', bytes('ff')],
      ['b', null],
    ]),
    (r) => r.readBytesMap(),
    (w) =>
      w.writeBytesMap(
        new Map([
          ['a', bytes('ff')],
          ['b', null],
        ]),
      ),
  ],
  [
    '[uuid]',
    '000102030405060708090a0b0c0d0e0f',
    bytes('000102030405060708090a0b0c0d0e0f'),
    (r) => r.readUuid(),
    (w) => w.writeUuid(bytes('000102030405060708090a0b0c0d0e0f')),
  ],
  [
    '[inet]',
    '04 7f000001 00002352',
    { address: bytes('7f000001'), port: 9042 },
    (r) => r.readInet(),
    (w) => w.writeInet({ address: bytes('7f000001'), port: 9042 }),
  ],
  ['[consistency]', '000a', 10, (r) => r.readConsistency(), (w) => w.writeConsistency(10)],
];

describe('notations', () => {
  it.each(cases)('%s is read', (_name, encoded, value, read) => {
    const reader = new Reader(bytes(encoded));
    expect(read(reader)).toEqual(value);
    expect(reader.remaining()).toBe(0);
  });

  it.each(cases)('%s is written', (_name, encoded, _value, _read, write) => {
    const writer = new Writer(0);
    write(writer);
    expect(hex(writer.toBuffer())).toBe(hex(bytes(encoded)));
    expect(writer.length()).toBe(bytes(encoded).length);
  });

  it.each(cases)('%s is refused wherever it is cut off', (_name, encoded, _value, read) => {
    const whole = bytes(encoded);
    for (let end = 0; end < whole.length; end++) {
      // The bytes behind the end are there, but do not belong to the message.
      expect(() => read(new Reader(whole, 0, end)), `cut to ${end}`).toThrow(
        expect.objectContaining({ code: 'PROTOCOL_TRUNCATED' }),
      );
    }
  });
});

describe('Reader', () => {
  it('hands out views', () => {
    const source = bytes('00000001 aa');
    const view = new Reader(source).readBytes();
    source[4] = 0xbb;
    expect(view).toEqual(bytes('bb'));
  });

  it('begins and ends where it is told', () => {
    const reader = new Reader(bytes('01 02 03 04'), 1, 3);
    expect([reader.readByte(), reader.readByte(), reader.remaining()]).toEqual([2, 3, 0]);
  });

  it.each([
    [-1, 2],
    [3, 2],
    [0, 5],
  ])('is not made outside of its buffer (%d to %d)', (from, to) => {
    expect(() => new Reader(bytes('01 02 03 04'), from, to)).toThrow(/outside/);
  });

  it.each(['c0af', 'c3', 'ed a0 80', 'f5 80 80 80', '61 ff 62', 'e2 82'])(
    'refuses %s as UTF-8',
    (invalid) => {
      const text = bytes(invalid);
      const string = Buffer.concat([Buffer.from([0, text.length]), text]);
      expect(() => new Reader(string).readString()).toThrow(
        expect.objectContaining({ code: 'PROTOCOL_UTF8' }),
      );
    },
  );

  it('takes any negative length of [bytes] for null', () => {
    expect(new Reader(bytes('80000000')).readBytes()).toBeNull();
  });

  it('gives no part of a field that is cut off', () => {
    const reader = new Reader(bytes('00000004 aabbcc'));
    expect(() => reader.readBytes()).toThrow(/ends 1 bytes before/);
  });
});

describe('Writer', () => {
  it('keeps what was written when it grows', () => {
    const writer = new Writer(1);
    for (let i = 0; i < 1000; i++) writer.writeUnsignedShort(i);
    const reader = new Reader(writer.toBuffer());
    for (let i = 0; i < 1000; i++) expect(reader.readUnsignedShort()).toBe(i);
  });

  it.each([23, 24, 25, 1000])('copies %d bytes', (length) => {
    const value = Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff));
    const writer = new Writer();
    writer.writeByte(1);
    writer.writeBytes(value);
    const size = length.toString(16).padStart(8, '0');
    expect(hex(writer.toBuffer())).toBe(`01${size}${hex(value)}`);
  });

  it('holds exactly its limit', () => {
    const writer = new Writer(4, 10);
    writer.writeFixed(Buffer.alloc(10));
    expect(() => writer.writeByte(0)).toThrow(/length 11 exceeds maximum allowed length 10/);
    expect(writer.length()).toBe(10);
  });

  it('fills what is reserved with zeros until it is patched', () => {
    const writer = new Writer(64);
    const at = writer.reserve(5);
    expect(hex(writer.toBuffer())).toBe('0000000000');
    writer.patchInt(at, -2);
    writer.patchByte(at + 4, 9);
    expect(hex(writer.toBuffer())).toBe('fffffffe09');
    expect(() => writer.patchInt(at + 2, 1)).toThrow(/outside/);
    expect(() => writer.patchByte(at + 5, 1)).toThrow(/outside/);
  });

  it.each([
    ['a [string] of 65,536 bytes', (w: Writer) => w.writeString('é'.repeat(32_768))],
    ['[short bytes] of 65,536 bytes', (w: Writer) => w.writeShortBytes(Buffer.alloc(65_536))],
    ['a list of 65,536', (w: Writer) => w.writeStringList(new Array<string>(65_536).fill(''))],
    ['a short below zero', (w: Writer) => w.writeUnsignedShort(-1)],
  ])('refuses %s', (_name, write) => {
    expect(() => {
      write(new Writer());
    }).toThrow(expect.objectContaining({ cqlCode: 0x2200 }));
  });

  it('writes the longest [string]', () => {
    const writer = new Writer();
    writer.writeString('é'.repeat(32_767) + 'x');
    expect(writer.length()).toBe(2 + 65_535);
    expect(hex(writer.toBuffer().subarray(0, 2))).toBe('ffff');
  });

  it.each([
    ['a long above 64 bits', (w: Writer) => w.writeLong(2n ** 63n)],
    ['a UUID of 15 bytes', (w: Writer) => w.writeUuid(Buffer.alloc(15))],
    ['an address of 5 bytes', (w: Writer) => w.writeInet({ address: Buffer.alloc(5), port: 1 })],
    ['an unset value in v3', (w: Writer) => w.writeValue(UNSET, 3)],
  ])('takes %s for a defect', (_name, write) => {
    expect(() => {
      write(new Writer());
    }).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });
});
