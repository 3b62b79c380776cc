import { describe, expect, it } from 'vitest';
import type { CqlType, NativeTypeName } from '../../../src/values/index.ts';
import { native } from '../../../src/values/index.ts';
import {
  Reader,
  Writer,
  javaClassName,
  parseJavaClassName,
  readTypeOption,
  writeTypeOption,
} from '../../../src/wire/index.ts';
import { bytes, hex } from './byte_builder.ts';

const P = 'org.apache.cassandra.db.marshal.';

function write(type: CqlType, version: number): string {
  const writer = new Writer();
  writeTypeOption(writer, type, version);
  return hex(writer.toBuffer());
}

function read(option: Buffer): CqlType {
  const reader = new Reader(option);
  const type = readTypeOption(reader);
  expect(reader.remaining()).toBe(0);
  return type;
}

/** The [option] of a type that goes by its class. */
function custom(className: string): Buffer {
  const length = Buffer.byteLength(className).toString(16).padStart(4, '0');
  return bytes(`0000 ${length} '${className}'`);
}

const everyVersion: readonly (readonly [NativeTypeName, string])[] = [
  ['ascii', '0001'],
  ['bigint', '0002'],
  ['blob', '0003'],
  ['boolean', '0004'],
  ['counter', '0005'],
  ['decimal', '0006'],
  ['double', '0007'],
  ['float', '0008'],
  ['int', '0009'],
  ['timestamp', '000b'],
  ['uuid', '000c'],
  ['text', '000d'],
  ['varint', '000e'],
  ['timeuuid', '000f'],
  ['inet', '0010'],
];

const fromV4: readonly (readonly [NativeTypeName, string, string])[] = [
  ['date', '0011', 'SimpleDateType'],
  ['time', '0012', 'TimeType'],
  ['smallint', '0013', 'ShortType'],
  ['tinyint', '0014', 'ByteType'],
];

describe('native types', () => {
  it.each(everyVersion)('%s is %s in v3 and v4', (name, id) => {
    expect(read(bytes(id))).toEqual({ kind: 'native', name });
    expect(write(native(name), 3)).toBe(id);
    expect(write(native(name), 4)).toBe(id);
  });

  it.each(fromV4)('%s is %s in v4 and goes by its class in v3', (name, id, className) => {
    expect(read(bytes(id))).toEqual({ kind: 'native', name });
    expect(read(custom(P + className))).toEqual({ kind: 'native', name });
    expect(write(native(name), 4)).toBe(id);
    expect(write(native(name), 3)).toBe(hex(custom(P + className)));
  });

  it('duration goes by its class in v3 and v4, also inside a list', () => {
    const option = custom(`${P}DurationType`);
    expect(write(native('duration'), 3)).toBe(hex(option));
    expect(write(native('duration'), 4)).toBe(hex(option));
    expect(write({ kind: 'list', element: native('duration'), frozen: false }, 4)).toBe(
      `0020${hex(option)}`,
    );
    expect(read(option)).toEqual({ kind: 'native', name: 'duration' });
    expect(read(bytes('0015'))).toEqual({ kind: 'native', name: 'duration' });
  });

  it('text has an older id', () => {
    expect(read(bytes('000a'))).toEqual({ kind: 'native', name: 'text' });
  });
});

describe('types with parts', () => {
  const int = native('int');
  const text = native('text');
  const cases: readonly (readonly [string, string, CqlType])[] = [
    ['list<int>', '0020 0009', { kind: 'list', element: int, frozen: false }],
    ['set<text>', '0022 000d', { kind: 'set', element: text, frozen: false }],
    ['map<int, text>', '0021 0009 000d', { kind: 'map', key: int, value: text, frozen: false }],
    ['tuple<int, text>', '0031 0002 0009 000d', { kind: 'tuple', elements: [int, text] }],
    [
      'a UDT',
      "0030 0002 'ks' 0001 'u' 0002 0001 'a' 0009 0001 'b' 0020 000d",
      {
        kind: 'udt',
        keyspace: 'ks',
        name: 'u',
        fields: [
          { name: 'a', type: int },
          { name: 'b', type: { kind: 'list', element: text, frozen: false } },
        ],
        frozen: false,
      },
    ],
  ];

  it.each(cases)('%s', (_name, option, type) => {
    expect(read(bytes(option))).toEqual(type);
    expect(write(type, 4)).toBe(hex(bytes(option)));
    expect(write(type, 3)).toBe(hex(bytes(option)));
  });

  it.each(cases)('%s is refused wherever it is cut off', (_name, option) => {
    const whole = bytes(option);
    for (let length = 0; length < whole.length; length++) {
      expect(() => readTypeOption(new Reader(whole.subarray(0, length)))).toThrow(
        expect.objectContaining({ code: 'PROTOCOL_TRUNCATED' }),
      );
    }
  });

  it('does not say what is frozen', () => {
    expect(write({ kind: 'list', element: int, frozen: true }, 4)).toBe('00200009');
  });

  it('refuses ids that do not exist', () => {
    expect(() => read(bytes('0016'))).toThrow(expect.objectContaining({ code: 'PROTOCOL_TYPE' }));
    expect(() => read(bytes('ffff'))).toThrow(expect.objectContaining({ code: 'PROTOCOL_TYPE' }));
  });

  it('refuses nesting without end instead of running out of stack', () => {
    const deep = Buffer.alloc(2_000_000);
    for (let at = 1; at < deep.length; at += 2) deep[at] = 0x20;
    expect(() => readTypeOption(new Reader(deep))).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_TYPE' }),
    );
  });

  it('reads nesting as deep as anybody needs', () => {
    const type = read(bytes(`${'0020 '.repeat(64)} 0009`));
    expect(write(type, 4)).toBe(`${'0020'.repeat(64)}0009`);
  });
});

describe('types that go by their class', () => {
  const vector = (element: CqlType, dimensions: number): CqlType => ({
    kind: 'vector',
    element,
    dimensions,
  });
  const int = native('int');
  const cases: readonly (readonly [string, string, CqlType])[] = [
    // The first is what Cassandra 5.0 stores in the header of an SSTable of such a column.
    ['vector<float, 3>', `${P}VectorType(${P}FloatType , 3)`, vector(native('float'), 3)],
    [
      'vector<vector<int, 2>, 3>',
      `${P}VectorType(${P}VectorType(${P}Int32Type , 2) , 3)`,
      vector(vector(int, 2), 3),
    ],
    [
      'vector<frozen<list<text>>, 1>',
      `${P}VectorType(${P}FrozenType(${P}ListType(${P}UTF8Type)) , 1)`,
      vector({ kind: 'list', element: native('text'), frozen: true }, 1),
    ],
    [
      'vector<frozen<map<int, frozen<set<int>>>>, 2>',
      `${P}VectorType(${P}FrozenType(${P}MapType(${P}Int32Type,${P}SetType(${P}Int32Type))) , 2)`,
      vector(
        {
          kind: 'map',
          key: int,
          value: { kind: 'set', element: int, frozen: true },
          frozen: true,
        },
        2,
      ),
    ],
    [
      'vector<tuple<int, frozen<list<int>>>, 2>',
      `${P}VectorType(${P}TupleType(${P}Int32Type,${P}ListType(${P}Int32Type)) , 2)`,
      vector({ kind: 'tuple', elements: [int, { kind: 'list', element: int, frozen: true }] }, 2),
    ],
    [
      'vector<frozen<ks.u>, 2>',
      // u is 75, a is 61, é is c3a9 in hexadecimal.
      `${P}VectorType(${P}FrozenType(${P}UserType(ks,75,61:${P}Int32Type,c3a9:${P}DurationType)) , 2)`,
      vector(
        {
          kind: 'udt',
          keyspace: 'ks',
          name: 'u',
          fields: [
            { name: 'a', type: int },
            { name: 'é', type: native('duration') },
          ],
          frozen: true,
        },
        2,
      ),
    ],
  ];

  it.each(cases)('%s', (_name, className, type) => {
    expect(javaClassName(type)).toBe(className);
    expect(parseJavaClassName(className)).toEqual(type);
    expect(read(custom(className))).toEqual(type);
    expect(write(type, 4)).toBe(hex(custom(className)));
    expect(write({ kind: 'set', element: type, frozen: false }, 4)).toBe(
      `0022${hex(custom(className))}`,
    );
  });

  it.each([
    ['a class of somebody else', 'com.example.PointType'],
    ['a class of Cassandra that has no CQL name', `${P}EmptyType`],
    ['a composite', `${P}CompositeType(${P}UTF8Type,${P}Int32Type)`],
    ['a vector of something unknown', `${P}VectorType(com.example.PointType , 3)`],
    ['a vector without dimensions', `${P}VectorType(${P}FloatType)`],
    ['a vector of no dimensions', `${P}VectorType(${P}FloatType , 0)`],
    ['a name that goes on behind its end', `${P}Int32Type)`],
    ['a name that does not end', `${P}ListType(${P}Int32Type`],
    ['a UDT with a name that is not hexadecimal', `${P}UserType(ks,7z)`],
    ['nothing', ''],
    ['brackets without end', '('.repeat(60_000)],
    ['lists without end', `${P}ListType(`.repeat(1_500)],
  ])('%s stays opaque and keeps its name', (_name, className) => {
    expect(parseJavaClassName(className)).toBeUndefined();
    const type = read(custom(className));
    expect(type).toEqual({ kind: 'custom', className });
    expect(write(type, 4)).toBe(hex(custom(className)));
  });
});
