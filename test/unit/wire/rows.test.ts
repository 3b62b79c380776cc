import { describe, expect, it } from 'vitest';
import type { ColumnSpec, RowsResult } from '../../../src/wire/index.ts';
import { RowsWriter, Writer, decodeResult, encodeRowsHeader } from '../../../src/wire/index.ts';
import { native } from '../../../src/values/index.ts';
import { bytes, hex, plain } from './byte_builder.ts';

const column = (table: string, name: string): ColumnSpec => ({
  keyspace: 'k',
  table,
  name,
  type: native('int'),
});
const a = column('t', 'a');
const b = column('t', 'b');

function decodeRows(body: Buffer): RowsResult {
  const result = decodeResult(body, 4);
  if (result.kind !== 'rows') throw new TypeError(result.kind);
  return result;
}

function cells(result: RowsResult): (string | null)[] {
  const all: (string | null)[] = [];
  for (let i = 0; i < result.rowCount * result.metadata.columnCount; i++) {
    const cell = result.rows.readBytes();
    all.push(cell === null ? null : hex(cell));
  }
  expect(result.rows.remaining()).toBe(0);
  return all;
}

describe('rows', () => {
  it('of one table name it once', () => {
    const writer = new RowsWriter({ columns: [a, b] }, 4);
    for (const cell of [bytes('00000001'), null, bytes(''), bytes('ff')]) writer.writeCell(cell);
    const body = bytes(
      '00000002 00000001 00000002',
      "0001 'k' 0001 't'",
      "0001 'a' 0009  0001 'b' 0009",
      '00000002',
      '00000004 00000001  ffffffff  00000000  00000001 ff',
    );
    expect(hex(writer.finish())).toBe(hex(body));
    const result = decodeRows(body);
    expect(plain(result.metadata)).toEqual({ flags: 1, columnCount: 2, columns: plain([a, b]) });
    expect(cells(result)).toEqual(['00000001', null, '', 'ff']);
  });

  it('of several tables name each', () => {
    const other = column('u', 'c');
    const body = bytes(
      '00000002 00000000 00000002',
      "0001 'k' 0001 't' 0001 'a' 0009",
      "0001 'k' 0001 'u' 0001 'c' 0009",
      '00000000',
    );
    expect(hex(new RowsWriter({ columns: [a, other] }, 4).finish())).toBe(hex(body));
    expect(decodeRows(body).metadata.columns).toEqual([a, other]);
  });

  it('of two keyspaces are of two tables', () => {
    const other = { ...b, keyspace: 'l' };
    const body = new RowsWriter({ columns: [a, other] }, 4).finish();
    expect(body.readInt32BE(4)).toBe(0);
    expect(decodeRows(body).metadata.columns).toEqual([a, other]);
  });

  it('carry the paging state before the columns', () => {
    const writer = new RowsWriter({ columns: [a], pagingState: bytes('beef') }, 4);
    const body = bytes(
      "00000002 00000003 00000001 00000002 beef 0001 'k' 0001 't' 0001 'a' 0009 00000000",
    );
    expect(hex(writer.finish())).toBe(hex(body));
    expect(plain(decodeRows(body).metadata.pagingState)).toBe('0xbeef');
  });

  it('leave the columns out when asked to', () => {
    const header = { columns: [a, b], pagingState: bytes('01'), noMetadata: true };
    const writer = new RowsWriter(header, 4);
    writer.writeCell(bytes('01'));
    writer.writeCell(bytes('02'));
    const body = bytes(
      '00000002 00000007 00000002 00000001 01 00000001',
      '00000001 01 00000001 02',
    );
    expect(hex(writer.finish())).toBe(hex(body));
    const result = decodeRows(body);
    expect(result.metadata.columns).toBeUndefined();
    expect(cells(result)).toEqual(['01', '02']);
  });

  it('have types by version', () => {
    const date = { ...a, type: native('date') };
    const columns = [date];
    expect(decodeRows(new RowsWriter({ columns }, 3).finish()).metadata.columns).toEqual(columns);
    const inV4 = new RowsWriter({ columns }, 4).finish().length;
    const inV3 = new RowsWriter({ columns }, 3).finish().length;
    // A length and the 46 characters of the class instead of nothing.
    expect(inV3 - inV4).toBe(2 + 'org.apache.cassandra.db.marshal.SimpleDateType'.length);
  });

  it('take cells out of a larger buffer', () => {
    const source = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const writer = new RowsWriter({ columns: [a] }, 4);
    writer.writeCellFrom(source, 3, 5);
    writer.writeCellFrom(source, 0, 256);
    writer.writeCellFrom(source, 7, 7);
    expect(cells(decodeRows(writer.finish()))).toEqual(['0304', hex(source), '']);
    expect(() => writer.writeCellFrom(source, 5, 257)).toThrow(/outside/);
    expect(() => writer.writeCellFrom(source, -1, 2)).toThrow(/outside/);
    expect(() => writer.writeCellFrom(source, 5, 4)).toThrow(/outside/);
  });

  it('must be complete', () => {
    const writer = new RowsWriter({ columns: [a, b] }, 4);
    writer.writeCell(null);
    expect(() => writer.finish()).toThrow(/too few cells/);
  });

  it('stop at the limit', () => {
    const writer = new RowsWriter({ columns: [a] }, 4, 16, 100);
    expect(() => {
      for (let i = 0; i < 20; i++) writer.writeCell(bytes('aabbccdd'));
    }).toThrow(expect.objectContaining({ cqlCode: 0x2200 }));
    expect(writer.length()).toBeLessThanOrEqual(100);
  });

  it('can be stepped over without making views', () => {
    const result = decodeRows(
      bytes('00000002 00000004 00000001 00000003', '00000002 aabb ffffffff 00000000'),
    );
    const { rows } = result;
    expect(rows.skipBytes()).toBe(2);
    expect(hex(rows.bytes.subarray(rows.offset - 2, rows.offset))).toBe('aabb');
    expect(rows.skipBytes()).toBe(-1);
    expect(rows.skipBytes()).toBe(0);
    expect(() => rows.skipBytes()).toThrow(expect.objectContaining({ code: 'PROTOCOL_TRUNCATED' }));
  });

  it('can have their number patched by the caller', () => {
    const writer = new Writer(1);
    const at = encodeRowsHeader(writer, { columns: [a], noMetadata: true }, 0, 4);
    writer.writeBytes(bytes('01'));
    writer.patchInt(at, 1);
    expect(cells(decodeRows(writer.toBuffer()))).toEqual(['01']);
  });
});
