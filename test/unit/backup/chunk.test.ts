/** The bytes of chunks, and the statements that rows become. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkWriter, readChunk } from '../../../src/backup/chunk.ts';
import type { BackupRow } from '../../../src/backup/chunk.ts';

const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const cell = fc.record({
  column: fc.integer({ min: 0, max: 0xffff }),
  writeTime: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  expiresAt: fc.integer({ min: 0, max: 0xffffffff }),
  value: bytes(40),
});
const element = fc.record({
  writeTime: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  expiresAt: fc.integer({ min: 0, max: 0xffffffff }),
  path: bytes(20),
  value: bytes(20),
});
/** Elements of one column. */
const parts = fc
  .tuple(fc.integer({ min: 0, max: 0xffff }), fc.array(element, { minLength: 1, maxLength: 5 }))
  .map(([column, elements]) => elements.map((one) => ({ ...one, column })));
const row: fc.Arbitrary<BackupRow> = fc.record({
  partition: fc.array(bytes(8), { minLength: 1, maxLength: 3 }),
  clustering: fc.option(fc.array(bytes(8), { maxLength: 3 }), { nil: undefined }),
  cells: fc
    .array(
      fc.oneof(
        cell.map((one) => [one]),
        parts,
      ),
      { maxLength: 4 },
    )
    .map((columns): BackupRow['cells'] => columns.flat()),
});

const plain = (rows: readonly BackupRow[]): unknown =>
  rows.map((r) => ({
    partition: r.partition.map((part) => Buffer.from(part).toString('hex')),
    clustering: r.clustering?.map((part) => Buffer.from(part).toString('hex')),
    cells: r.cells.map((c) => ({
      ...c,
      path: c.path && Buffer.from(c.path).toString('hex'),
      value: Buffer.from(c.value).toString('hex'),
    })),
  }));

describe('a chunk', () => {
  it('gives back rows, counts and position', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
        const writer = new ChunkWriter();
        for (const one of rows) writer.add(one);
        const { plaintext, counts } = writer.finish({ range: 3, pagingState: 'c0ffee' });
        const content = readChunk(plaintext);
        expect(content.counts).toEqual(counts);
        expect(counts.rows).toBe(rows.filter((r) => r.clustering !== undefined).length);
        expect(content.position).toEqual({ range: 3, pagingState: 'c0ffee' });
        expect(plain([...content.rows()])).toEqual(plain(rows));
        expect(writer.size).toBe(0);
      }),
    );
  });

  it('has the bytes of the document', () => {
    const writer = new ChunkWriter();
    const value = Buffer.from('aabb', 'hex');
    writer.add({
      partition: [Buffer.from('01', 'hex')],
      clustering: [],
      cells: [{ column: 2, writeTime: 5n, expiresAt: 7, value }],
    });
    expect(writer.finish(undefined).plaintext.toString('hex')).toBe(
      `010000000000000000010000000100000000` +
        `01010001010300000100020000000000000000050000000700000002aabb`,
    );
  });

  it('has the elements of a column as one cell, as the document says', () => {
    const writer = new ChunkWriter();
    const times = { writeTime: 5n, expiresAt: 7 };
    writer.add({
      partition: [Buffer.from('01', 'hex')],
      clustering: undefined,
      cells: [
        { column: 2, path: Buffer.from('aa', 'hex'), ...times, value: Buffer.from('bb', 'hex') },
        { column: 2, path: Buffer.from('cc', 'hex'), ...times, value: Buffer.alloc(0) },
        { column: 3, ...times, value: Buffer.alloc(0) },
      ],
    });
    const { plaintext, counts } = writer.finish(undefined);
    expect(counts).toEqual({ rows: 0, cells: 3 });
    expect(plaintext.toString('hex')).toBe(
      `010000000000000000000000000300000000` +
        `01010001010200020002010000000200000001aa00000000000000050000000700000001bb` +
        `00000001cc0000000000000005000000070000000000030000000000000000050000000700000000`,
    );
    plaintext[28] = 2;
    expect(() => [...readChunk(plaintext).rows()]).toThrow(/does not know/);
  });

  it('is refused when it is cut, or of a later version', () => {
    const writer = new ChunkWriter();
    writer.add({ partition: [Buffer.from('01', 'hex')], clustering: [], cells: [] });
    const { plaintext } = writer.finish(undefined);
    for (let length = 0; length < plaintext.length; length += 1) {
      const read = () => [...readChunk(plaintext.subarray(0, length)).rows()];
      expect(read, String(length)).toThrow(/backup/);
    }
    plaintext[0] = 2;
    expect(() => readChunk(plaintext)).toThrow(/does not know/);
  });
});
