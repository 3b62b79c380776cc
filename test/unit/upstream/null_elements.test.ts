/** Lists with nulls, as ttl() of a collection gives them. */
import { createRequire } from 'node:module';
import cassandra from 'cassandra-driver';
import { describe, expect, it } from 'vitest';
import { readNullElements } from '../../../src/upstream/null_elements.ts';

const { dataTypes } = cassandra.types;
const Encoder = createRequire(import.meta.url)('cassandra-driver/lib/encoder.js') as new (
  version: number,
  options: object,
) => { decode(bytes: Buffer | null, type: { code: number; info?: unknown }): unknown };

const INTS = { code: dataTypes.list, info: { code: dataTypes.int } };

describe('lists of the driver', () => {
  readNullElements();
  readNullElements();
  const encoder = new Encoder(4, {});
  const decode = (hex: string, type: { code: number; info?: unknown } = INTS): unknown =>
    encoder.decode(Buffer.from(hex, 'hex'), type);

  it('have null elements where they are', () => {
    expect(decode('00000004ffffffff0000000400001388ffffffff0000000400000007')).toEqual([
      null,
      5000,
      null,
      7,
    ]);
    expect(decode('00000002ffffffffffffffff')).toEqual([null, null]);
    expect(decode('00000000')).toEqual([]);
    expect(encoder.decode(null, INTS)).toBeNull();
  });

  it('have lists and texts inside', () => {
    const text = { code: dataTypes.list, info: { code: dataTypes.text } };
    expect(decode('00000002000000016100000000', text)).toEqual(['a', '']);
    const nested = { code: dataTypes.list, info: INTS };
    expect(decode('000000010000000c00000001000000040000002a', nested)).toEqual([[42]]);
  });

  it('are refused when they end early', () => {
    for (const hex of ['000000', '00000001', '000000010000', '0000000100000004000000']) {
      expect(() => decode(hex), hex).toThrow(/ends early/);
    }
  });
});
