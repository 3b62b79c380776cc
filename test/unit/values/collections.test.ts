import { describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../src/errors/index.ts';
import {
  canonicalValue,
  constantToBytes,
  native,
  padMissingFields,
  serializeList,
  serializeMap,
  serializeSet,
  serializeTuple,
  serializeVector,
  splitList,
  splitMap,
  splitTuple,
  splitVector,
  storedValue,
  validateValue,
} from '../../../src/values/index.ts';
import type { CqlType, TupleType, VectorType } from '../../../src/values/index.ts';
import { fromHex, toHex } from './vector_checks.ts';

const decimal = native('decimal');
const ONE = fromHex('000000010a');
const ONE_TOO = fromHex('0000000264');
const TWO = fromHex('0000000002');
const pair: TupleType = { kind: 'tuple', elements: [native('int'), native('text')] };
const numbers: VectorType = { kind: 'vector', element: native('varint'), dimensions: 2 };

describe('serialising', () => {
  it('writes lists as they are', () => {
    expect(toHex(serializeList([fromHex('02'), fromHex('')]))).toBe(
      '00000002' + '0000000102' + '00000000',
    );
  });

  it('sorts sets and keeps the first of equal elements', () => {
    const bytes = serializeSet(decimal, [TWO, ONE, ONE_TOO]);
    expect(splitList(bytes, 'set').map(toHex)).toEqual(['000000010a', '0000000002']);
  });

  it('sorts maps and keeps the first key with the last value', () => {
    const [a, b, c] = [fromHex('61'), fromHex('62'), fromHex('63')];
    const bytes = serializeMap(decimal, [
      [TWO, a],
      [ONE, b],
      [ONE_TOO, c],
    ]);
    expect(splitMap(bytes).map((entry) => entry.map(toHex))).toEqual([
      ['000000010a', '63'],
      ['0000000002', '61'],
    ]);
  });

  it('writes and splits tuples with nulls', () => {
    const bytes = serializeTuple([null, fromHex('61')]);
    expect(toHex(bytes)).toBe('ffffffff' + '0000000161');
    expect(splitTuple(pair, bytes)).toEqual([null, fromHex('61')]);
  });

  it('writes vectors of variable elements with lengths', () => {
    const bytes = serializeVector(numbers, [fromHex('05'), fromHex('0100')]);
    expect(toHex(bytes)).toBe('0105' + '020100');
    expect(splitVector(numbers, bytes).map(toHex)).toEqual(['05', '0100']);
    expect(() => serializeVector(numbers, [fromHex('05')])).toThrow(
      new InvalidRequestError('Required 2 elements, but saw 1'),
    );
  });

  it('writes vectors of fixed elements without lengths', () => {
    const type: VectorType = { kind: 'vector', element: native('int'), dimensions: 2 };
    const bytes = serializeVector(type, [fromHex('00000001'), fromHex('00000002')]);
    expect(toHex(bytes)).toBe('0000000100000002');
  });

  it('writes long lengths of vector elements', () => {
    const type: VectorType = { kind: 'vector', element: native('blob'), dimensions: 1 };
    const bytes = serializeVector(type, [new Uint8Array(300)]);
    // 300 as an unsigned vint: 10 and 14 bits.
    expect(toHex(bytes.subarray(0, 2))).toBe('812c');
    expect(splitVector(type, bytes)[0]?.length).toBe(300);
  });
});

describe('padMissingFields', () => {
  it('adds nulls for missing trailing components', () => {
    expect(toHex(padMissingFields(pair, fromHex('0000000400000001')))).toBe(
      '0000000400000001' + 'ffffffff',
    );
    const whole = serializeTuple([null, null]);
    expect(padMissingFields(pair, whole)).toBe(whole);
    const empty = new Uint8Array(0);
    expect(padMissingFields(pair, empty)).toBe(empty);
  });
});

describe('canonical forms of composites', () => {
  const canonical = (type: CqlType, hex: string): string =>
    toHex(canonicalValue(type, fromHex(hex)));

  it('sorts a bound frozen set, also in canonicalValue', () => {
    const type: CqlType = { kind: 'set', element: native('tinyint'), frozen: true };
    const sorted = '00000002' + '0000000101' + '0000000102';
    expect(canonical(type, '00000002' + '0000000102' + '0000000101')).toBe(sorted);
    expect(toHex(storedValue(type, fromHex('00000002' + '0000000102' + '0000000101')))).toBe(
      sorted,
    );
  });

  it('does not depend on trailing nulls of tuples, and keeps one of nothing but nulls', () => {
    expect(canonical(pair, '0000000400000001' + 'ffffffff')).toBe('0000000400000001');
    expect(canonical(pair, 'ffffffff' + 'ffffffff')).toBe('ffffffff');
    expect(canonical(pair, '')).toBe('');
    expect(canonical(pair, '80000000' + '0000000161')).toBe('ffffffff' + '0000000161');
  });

  it('refuses what would become another value when it is bound again', () => {
    const inner: CqlType = { kind: 'set', element: decimal, frozen: true };
    const type: CqlType = { kind: 'list', element: inner, frozen: true };
    const nested = serializeList([serializeList([ONE, ONE_TOO])]);
    expect(toHex(storedValue(type, nested))).toBe(toHex(nested));
    expect(() => canonicalValue(type, nested)).toThrow(InvalidRequestError);
  });

  it('returns the input when it is canonical', () => {
    const type: CqlType = { kind: 'map', key: native('text'), value: decimal, frozen: true };
    const bytes = serializeMap(native('text'), [[fromHex('61'), fromHex('0000000001')]]);
    expect(canonicalValue(type, bytes)).toBe(bytes);
  });
});

describe('refusals', () => {
  it('refuses null elements', () => {
    const type: CqlType = { kind: 'list', element: native('int'), frozen: false };
    expect(() => {
      validateValue(type, fromHex('00000001' + 'ffffffff'));
    }).toThrow(new InvalidRequestError('null is not supported inside collections'));
  });

  it('refuses a count that the bytes cannot hold without reading on', () => {
    const type: CqlType = { kind: 'list', element: native('int'), frozen: false };
    expect(() => {
      validateValue(type, fromHex('7fffffff'));
    }).toThrow(InvalidRequestError);
  });

  it('names no constant in messages', () => {
    const secret = { type: 'string', text: 'secret' } as const;
    for (const type of [native('int'), native('inet'), native('timestamp'), native('date'), pair]) {
      let message = '';
      try {
        constantToBytes(secret, type, 'c');
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).not.toBe('');
      expect(message).not.toContain('secret');
    }
  });

  it("reads the timestamp 'now' only with a clock", () => {
    const now = { type: 'string', text: 'NOW' } as const;
    expect(toHex(constantToBytes(now, native('timestamp'), 'c', () => 5))).toBe('0000000000000005');
    expect(() => constantToBytes(now, native('timestamp'), 'c')).toThrow(InvalidRequestError);
  });
});
