import { describe, expect, it } from 'vitest';
import type { TypeName } from '../../../src/cql/ast.ts';
import { InvalidRequestError } from '../../../src/errors/index.ts';
import {
  isMultiCell,
  native,
  parseTypeText,
  printType,
  referencesCounter,
  referencesDuration,
  resolveTypeName,
  sameType,
  udtNames,
} from '../../../src/values/index.ts';
import type { CqlType, UdtType } from '../../../src/values/index.ts';

const span = { start: 0, end: 0 };
const named = (text: string, keyspace?: string, quoted = false): TypeName => ({
  kind: 'named',
  name: {
    keyspace: keyspace === undefined ? undefined : { text: keyspace, quoted: false, span },
    name: { text, quoted, span },
    span,
  },
  span,
});
const of = (name: 'list' | 'set' | 'map' | 'tuple' | 'frozen', ...args: TypeName[]): TypeName => ({
  kind: 'parametrised',
  name,
  args,
  span,
});
const vector = (element: TypeName, dimensions: number): TypeName => ({
  kind: 'vector',
  element,
  dimensions,
  span,
});

const UDT: UdtType = {
  kind: 'udt',
  keyspace: 'ks',
  name: 'My type',
  fields: [{ name: 'a', type: { kind: 'list', element: native('int'), frozen: false } }],
  frozen: false,
};
const context = {
  keyspace: 'ks',
  udt: (name: string) => (name === UDT.name ? UDT : undefined),
};
const resolve = (name: TypeName): CqlType => resolveTypeName(name, context);
const int = named('int');

describe('resolveTypeName', () => {
  it.each<[TypeName, string]>([
    [int, 'int'],
    [named('varchar'), 'text'],
    [of('list', int), 'list<int>'],
    [of('map', named('text'), of('frozen', of('list', int))), 'map<text, frozen<list<int>>>'],
    [of('frozen', of('list', of('set', int))), 'frozen<list<frozen<set<int>>>>'],
    [of('tuple', int, of('list', int)), 'frozen<tuple<int, frozen<list<int>>>>'],
    [of('frozen', of('tuple', int)), 'frozen<tuple<int>>'],
    [named('My type', undefined, true), '"My type"'],
    [of('frozen', named('My type', 'ks', true)), 'frozen<"My type">'],
    [vector(named('float'), 3), 'vector<float, 3>'],
    [vector(of('list', int), 3), 'vector<frozen<list<int>>, 3>'],
    [{ kind: 'custom', className: 'org.apache.cassandra.db.marshal.Int32Type', span }, 'int'],
    [{ kind: 'custom', className: 'Unknown', span }, "'Unknown'"],
    [of('map', int, named('duration')), 'map<int, duration>'],
  ])('%# resolves to %s', (name, text) => {
    expect(printType(resolve(name))).toBe(text);
  });

  it.each<[TypeName, string]>([
    [named('nosuch'), 'Unknown type ks.nosuch'],
    [named('int', undefined, true), 'Unknown type ks.int'],
    [
      named('x', 'other'),
      'Statement on keyspace ks cannot refer to a user type in keyspace other; user types can only be used in the keyspace they are defined in',
    ],
    [
      of('list', of('set', int)),
      'Non-frozen collections are not allowed inside collections: list<set<int>>',
    ],
    [
      of('map', of('list', int), int),
      'Non-frozen collections are not allowed inside collections: map<list<int>, int>',
    ],
    [
      of('set', named('My type', undefined, true)),
      'Non-frozen UDTs are not allowed inside collections: set<"My type">',
    ],
    [of('list', named('counter')), 'Counters are not allowed inside collections: list<counter>'],
    [
      of('map', named('counter'), int),
      'Counters are not allowed inside collections: map<counter, int>',
    ],
    [of('tuple', named('counter')), 'Counters are not allowed inside tuples'],
    [of('set', named('duration')), 'Durations are not allowed inside sets: set<duration>'],
    [
      of('frozen', of('map', named('duration'), int)),
      'Durations are not allowed as map keys: frozen<map<duration, int>>',
    ],
    [
      of('frozen', int),
      'frozen<> is only allowed on collections, tuples, and user-defined types (got int)',
    ],
    [vector(int, 0), 'vectors may only have positive dimensions; given 0'],
  ])('%# is refused: %s', (name, message) => {
    expect(() => resolve(name)).toThrow(new InvalidRequestError(message));
  });

  it('freezes what is inside a frozen type', () => {
    const type = resolve(of('frozen', named('My type', undefined, true)));
    expect(type.kind === 'udt' && type.fields[0]?.type).toEqual({
      kind: 'list',
      element: native('int'),
      frozen: true,
    });
    expect(isMultiCell(type)).toBe(false);
    expect(isMultiCell(resolve(named('My type', undefined, true)))).toBe(true);
  });
});

describe('parseTypeText', () => {
  const parse = (text: string): CqlType =>
    parseTypeText(text, (_keyspace, name) => context.udt(name), 'ks');

  it.each([
    'int',
    'map<text, frozen<"My type">>',
    'frozen<map<int, frozen<set<text>>>>',
    'frozen<tuple<int, frozen<tuple<text>>>>',
    'vector<float, 1536>',
    "'com.example.Type'",
    '"My type"',
  ])('reads back %s', (text) => {
    expect(printType(parse(text))).toBe(text);
  });

  it.each([
    '',
    'list<int',
    'list<int>>',
    'list<int, int>',
    'vector<int>',
    'vector<int, x>',
    'int int',
    '"x',
    'nosuch',
  ])('refuses %s', (text) => {
    expect(() => parse(text)).toThrow(InvalidRequestError);
  });

  it('refuses endless nesting', () => {
    expect(() => parse(`${'list<'.repeat(10_000)}int${'>'.repeat(10_000)}`)).toThrow(
      InvalidRequestError,
    );
  });
});

describe('questions about types', () => {
  const type: CqlType = {
    kind: 'map',
    key: native('int'),
    value: { kind: 'tuple', elements: [{ ...UDT, frozen: true }, native('duration')] },
    frozen: false,
  };
  it('finds what is inside', () => {
    expect(referencesDuration(type)).toBe(true);
    expect(referencesCounter(type)).toBe(false);
    expect([...udtNames(type)]).toEqual(['My type']);
  });

  it('compares types by structure', () => {
    expect(sameType(type, structuredClone(type))).toBe(true);
    expect(sameType(type, { ...type, frozen: true })).toBe(false);
    expect(sameType(UDT, { ...UDT, fields: [{ name: 'b', type: native('int') }] })).toBe(false);
    expect(sameType(native('int'), native('bigint'))).toBe(false);
  });
});
