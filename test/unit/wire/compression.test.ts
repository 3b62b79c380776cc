import { describe, expect, it } from 'vitest';
import { compressBody, decompressBody } from '../../../src/wire/index.ts';
import { bytes, hex } from './byte_builder.ts';

const algorithms = ['lz4', 'snappy'] as const;

describe('compressed bodies', () => {
  it.each(algorithms)('%s restores what it compressed', (algorithm) => {
    const zeros = Buffer.alloc(1_000_000);
    expect(decompressBody(algorithm, compressBody(algorithm, zeros), zeros.length)).toEqual(zeros);
    for (const length of [0, 1, 3, 13, 64, 1000, 70_000]) {
      const body = Buffer.from(Array.from({ length }, (_, i) => (i * i) & 0x3f));
      const compressed = compressBody(algorithm, body);
      const before = hex(compressed);
      expect(decompressBody(algorithm, compressed, length)).toEqual(body);
      expect(hex(compressed)).toBe(before);
    }
  });

  it('lz4 is a big-endian length and one block', () => {
    // Token 0x50: five literals, no match.
    const hand = bytes("00000005 50 'hello'");
    expect(decompressBody('lz4', hand, 100).toString()).toBe('hello');
    expect(hex(compressBody('lz4', Buffer.from('hello')))).toBe(hex(hand));
    // 'a', then a match of 4 + 11 at distance 1, then five literals.
    const match = bytes("00000015 1b 'a' 0100 50 'abcde'");
    expect(decompressBody('lz4', match, 100).toString()).toBe(`${'a'.repeat(16)}abcde`);
  });

  it('snappy is the raw format', () => {
    // Length 5, then a literal of 5: tag (5 - 1) << 2.
    const hand = bytes("05 10 'hello'");
    expect(decompressBody('snappy', hand, 100).toString()).toBe('hello');
    expect(hex(compressBody('snappy', Buffer.from('hello')))).toBe(hex(hand));
  });

  it.each([
    ['lz4', '7fffffff 50 68656c6c6f'],
    ['snappy', 'ffffffff07 1068656c6c6f'],
  ] as const)('%s does not take memory for a length that was only announced', (algorithm, body) => {
    expect(() => decompressBody(algorithm, bytes(body), 256 * 1024 * 1024)).toThrow(
      expect.objectContaining({
        code: 'PROTOCOL_COMPRESSION',
      }),
    );
  });

  it.each(algorithms)('%s refuses a content one byte over the limit', (algorithm) => {
    const compressed = compressBody(algorithm, Buffer.alloc(100));
    expect(decompressBody(algorithm, compressed, 100)).toHaveLength(100);
    expect(() => decompressBody(algorithm, compressed, 99)).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_MESSAGE_SIZE' }),
    );
  });

  it.each([
    ['lz4', 'nothing', ''],
    ['lz4', 'a length that is cut off', '000000'],
    ['lz4', 'a negative length', 'ffffffff 50 68656c6c6f'],
    ['lz4', 'a length above the content', '00000006 50 68656c6c6f'],
    ['lz4', 'a length below the content', '00000004 50 68656c6c6f'],
    ['lz4', 'a block that is cut off', '00000005 50 6865'],
    ['lz4', 'a match before the start', '00000014 1f 61 ff00 50 6162636465'],
    ['lz4', 'a length without a block', '00000001'],
    ['snappy', 'nothing', ''],
    ['snappy', 'a length that does not end', 'ffffffffffff'],
    ['snappy', 'a length above the content', '06 10 68656c6c6f'],
    ['snappy', 'a length below the content', '04 10 68656c6c6f'],
    ['snappy', 'a block that is cut off', '05 10 6865'],
    ['snappy', 'a length that no block of this size can have', 'e707 10 68656c6c6f'],
  ] as const)('%s refuses %s', (algorithm, _name, body) => {
    expect(() => decompressBody(algorithm, bytes(body), 1000)).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_COMPRESSION' }),
    );
  });
});
