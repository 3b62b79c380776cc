import { describe, expect, it } from 'vitest';
import { rowsOf } from '../../../src/encryption/write_seal.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('rowsOf', () => {
  it('gives one row for each tuple of each restriction', () => {
    expect(rowsOf([[[bytes(1)], [bytes(2)]], [[bytes(3)]]])).toEqual([
      [[[bytes(1)]], [[bytes(3)]]],
      [[[bytes(2)]], [[bytes(3)]]],
    ]);
  });

  it('names a row once that IN names twice', () => {
    expect(rowsOf([[[bytes(1)], [bytes(2)], [bytes(1)]]])).toEqual([
      [[[bytes(1)]]],
      [[[bytes(2)]]],
    ]);
    expect(rowsOf([[[bytes(1), bytes(0)], [bytes(1)], [bytes(1), bytes(0)]]])).toHaveLength(2);
  });
});
