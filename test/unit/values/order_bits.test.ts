import { describe, expect, it } from 'vitest';
import { native, orderBits } from '../../../src/values/index.ts';
import type { CqlType } from '../../../src/values/index.ts';

/** The bits as text, from a value in hex. */
function bits(type: CqlType, hex: string): string {
  const { bytes, bitLength } = orderBits(type, new Uint8Array(Buffer.from(hex, 'hex')));
  let text = '';
  for (let i = 0; i < bitLength; i++)
    text += String(((bytes[i >> 3] as number) >> (7 - (i & 7))) & 1);
  expect(bytes.length).toBe((bitLength + 7) >> 3);
  return text;
}

describe('orderBits', () => {
  it.each<[CqlType, string, string]>([
    [native('int'), '', '0'],
    [native('int'), '00000001', '1' + '1' + '0'.repeat(30) + '1'],
    [native('tinyint'), 'ff', '101111111'],
    [native('date'), '80000000', '11' + '0'.repeat(31)],
    [native('boolean'), '01', '11'],
    [native('boolean'), '00', '10'],
    [native('text'), '', '0'],
    [native('text'), '61', '1' + '101100001' + '0'],
    [native('float'), '3f800000', '1' + '10111111100000000000000000000000'],
    [native('float'), 'bf800000', '1' + '01000000011111111111111111111111'],
    [native('inet'), '7f000001', '1' + '01111111000000000000000000000001' + '0'],
    [native('varint'), '05', '1' + '1' + '0' + '0000101'],
    [native('varint'), '0100', '1' + '1' + '10' + '000000100000000'],
    [native('varint'), 'fb', '1' + '0' + '1' + '1111011'],
    // 2.5 = 0.25 × 10^1: positive, exponent 1, digits 2 and 5.
    [native('decimal'), '0000000119', '1' + '10' + '10' + '0000001' + '0011' + '0110' + '0000'],
    [native('decimal'), '0000000000', '1' + '01'],
    [native('decimal'), '00000001e7', '1' + '00' + '01' + '1111110' + '1100' + '1001' + '1111'],
    [
      { kind: 'list', element: native('boolean'), frozen: true },
      '00000001' + '0000000101',
      '1' + '1' + '11' + '0',
    ],
    [
      { kind: 'tuple', elements: [native('boolean'), native('boolean'), native('boolean')] },
      'ffffffff' + '0000000100',
      '1' + '10' + '11' + '10' + '0',
    ],
    [{ kind: 'vector', element: native('boolean'), dimensions: 2 }, '0100', '1' + '11' + '10'],
  ])('%o %s', (type, hex, expected) => {
    expect(bits(type, hex)).toBe(expected);
  });
});
