import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { native, valueCodec, writeBigInt, writeDecimal } from '../../../src/values/index.ts';
import type { CqlType } from '../../../src/values/index.ts';
import { compareBits } from '../../unit/values/vector_checks.ts';

/** The order of the bits, which must be that of the values that went in. */
function bitOrder(type: CqlType, a: Uint8Array, b: Uint8Array): number | undefined {
  const codec = valueCodec(type);
  return compareBits(codec.orderBits(codec.canonical(a)), codec.orderBits(codec.canonical(b)));
}

const int64 = (value: bigint): Uint8Array => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigInt64(0, value);
  return out;
};
const float64 = (value: number): Uint8Array => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, value);
  return out;
};
const sign = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

describe('order bits follow the values', () => {
  it('bigint', () => {
    const number = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(bitOrder(native('bigint'), int64(a), int64(b))).toBe(sign(a, b));
      }),
    );
  });

  it('varint, near and far', () => {
    const number = fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n });
    const step = fc.bigInt({ min: -2n, max: 2n });
    fc.assert(
      fc.property(number, number, step, (a, b, d) => {
        expect(bitOrder(native('varint'), writeBigInt(a), writeBigInt(b))).toBe(sign(a, b));
        expect(bitOrder(native('varint'), writeBigInt(a), writeBigInt(a + d))).toBe(sign(0n, d));
      }),
    );
  });

  it('decimal', () => {
    const number = fc.tuple(
      fc.bigInt({ min: -100_000n, max: 100_000n }),
      fc.integer({ min: -6, max: 6 }),
    );
    fc.assert(
      fc.property(number, number, ([a, aScale], [b, bScale]) => {
        const left = a * 10n ** BigInt(6 - aScale);
        const right = b * 10n ** BigInt(6 - bScale);
        const order = bitOrder(native('decimal'), writeDecimal(a, aScale), writeDecimal(b, bScale));
        expect(order).toBe(sign(left, right));
      }),
    );
  });

  it('double: −0 before 0, NaN last', () => {
    const number = fc.double();
    fc.assert(
      fc.property(number, number, (a, b) => {
        const rank = (x: number): number => (Number.isNaN(x) ? 1 : 0);
        const zero = (x: number): number => (Object.is(x, -0) ? -1 : 0);
        const expected =
          rank(a) - rank(b) ||
          (rank(a) === 1 ? 0 : Math.sign(a - b) || (a < b ? -1 : a > b ? 1 : zero(a) - zero(b)));
        const order = bitOrder(native('double'), float64(a), float64(b));
        expect(order).toBe(Math.sign(expected));
      }),
    );
  });

  it('bytes: never a prefix of another', () => {
    const text = fc.uint8Array({ maxLength: 4, max: 3 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(bitOrder(native('blob'), a, b)).toBe(Math.sign(Buffer.compare(a, b)));
      }),
    );
  });
});

describe('integers', () => {
  it('writes and reads two’s complement back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }), (value) => {
        const bytes = writeBigInt(value);
        const hex = Buffer.from(bytes).toString('hex');
        expect(BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))).toBe(value);
        const shorter = BigInt.asIntN((bytes.length - 1) * 8, value);
        expect(bytes.length === 1 || shorter !== value).toBe(true);
      }),
    );
  });
});
