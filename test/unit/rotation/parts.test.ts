import { describe, expect, it } from 'vitest';
import { CellDek, OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import type { TableCipherKeys } from '../../../src/crypto/index.ts';
import { columnParts } from '../../../src/encryption/index.ts';
import { oldEntries, reencryptRows, storedTable } from '../../../src/rotation/reencrypt_rows.ts';
import { writeBatches } from '../../../src/rotation/write_back.ts';
import { columnForm } from '../../../src/schema/index.ts';
import type { ColumnEntry, TableEntry, TableKeys } from '../../../src/schema/index.ts';
import type { StoredTableRow } from '../../../src/upstream/index.ts';
import { native } from '../../../src/values/index.ts';
import type { CqlType } from '../../../src/values/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { pattern, tableKeys } from '../crypto/support.ts';

const old = tableKeys(1);
const next = CellDek.derive(pattern(32, 77), pattern(16, 78), old.cellDek.epoch + 1);
const keys: TableCipherKeys = {
  keyDek: old.keyDek,
  cellDek: next,
  cellDekByEpoch: (epoch) => (epoch === next.epoch ? next : old.cellDekByEpoch(epoch)),
  indexDek: () => undefined,
};

const TEXT = native('text');

function column(name: string, kind: ColumnEntry['kind'], type: CqlType, seed: number): ColumnEntry {
  return {
    id: pattern(16, seed),
    name,
    kind,
    position: 0,
    type,
    clusteringOrder: undefined,
    ...columnForm(type),
  };
}

const map: CqlType = { kind: 'map', key: TEXT, value: TEXT, frozen: false };
const fields = [
  { name: 'a', type: TEXT },
  { name: 'b', type: native('varint') },
];
const udt: CqlType = { kind: 'udt', keyspace: 'ks', name: 'pair', fields, frozen: false };
const statics = [column('sm', 'static', map, 1)];
const regulars = [
  column('l', 'regular', { kind: 'list', element: TEXT, frozen: false }, 2),
  column('m', 'regular', map, 3),
  column('s', 'regular', { kind: 'set', element: TEXT, frozen: false }, 4),
  column('u', 'regular', udt, 5),
];
const table: TableEntry = {
  ...encryptedTable(pattern(16, 9), {} as TableKeys),
  statics,
  regulars,
  columns: new Map([...statics, ...regulars].map((entry) => [entry.name, entry])),
};

const partition = [Buffer.from('c1010001partition')];
const clustering = [Buffer.from('c1010001clustering')];

function partsOf(name: string): ReturnType<typeof columnParts> {
  return columnParts(table, table.columns.get(name) as ColumnEntry);
}

/** A stored row under the old keys: an entry in each map, and both fields. */
function storedRow(): { row: StoredTableRow; maps: Record<string, [Buffer, Buffer]> } {
  const batch = new SealBatch();
  const p = batch.storedPartition(old, partition);
  const row = batch.row(p, clustering);
  const sealed = (['sm', 'm'] as const).map((name) => {
    const parts = partsOf(name);
    if (parts?.kind !== 'map') throw new Error('no map');
    const owner = name === 'sm' ? p : row;
    const key = batch.element(owner, parts.key, Buffer.from('key'));
    return [name, key, batch.mapValue(owner, parts.value, key, Buffer.from(`of ${name}`))] as const;
  });
  const parts = partsOf('u');
  if (parts?.kind !== 'fields') throw new Error('no fields');
  const cells = parts.fields.map((context, i) =>
    batch.cell(row, context, Buffer.from(`field ${i}`)),
  );
  batch.run();
  const maps = Object.fromEntries(
    sealed.map(([name, key, value]) => [
      name,
      [Buffer.from(batch.cellBytes(key)), Buffer.from(batch.cellBytes(value))],
    ]),
  ) as Record<string, [Buffer, Buffer]>;
  return {
    maps,
    row: {
      partition,
      clustering,
      statics: [],
      regulars: cells.map((cell) => ({
        value: Buffer.from(batch.cellBytes(cell)),
        timestamp: 5n,
        ttl: null,
      })),
      staticMaps: [[maps['sm'] as [Buffer, Buffer]]],
      regularMaps: [[maps['m'] as [Buffer, Buffer]]],
    },
  };
}

describe('re-encryption of columns of several cells', () => {
  it('knows maps and fields; lists and sets have nothing under the cell key', () => {
    const stored = storedTable(table);
    expect(stored.statics).toEqual([]);
    expect(stored.regulars).toEqual([
      { column: 'u', field: 'a' },
      { column: 'u', field: 'b' },
    ]);
    expect([stored.staticMaps, stored.regularMaps]).toEqual([['sm'], ['m']]);
  });

  it('old entries are found, static ones once a partition', () => {
    const stored = storedTable(table);
    const { row, maps } = storedRow();
    const found = oldEntries(stored, row, next.epoch, true);
    expect(found.map(({ map: name, isStatic }) => [name, isStatic])).toEqual([
      ['sm', true],
      ['m', false],
    ]);
    expect(found[0]?.keys).toEqual([maps['sm']?.[0]]);
    expect(oldEntries(stored, row, next.epoch, false).length).toBe(1);
    expect(oldEntries(stored, row, old.cellDek.epoch, true)).toEqual([]);
  });

  it('values and fields are the same under the new key, keys stay, write times too', () => {
    const { row, maps } = storedRow();
    const entries = (['sm', 'm'] as const).map((name) => ({
      isStatic: name === 'sm',
      map: name,
      key: maps[name]?.[0] as Buffer,
      cell: {
        value: maps[name]?.[1] as Buffer,
        timestamp: name === 'sm' ? 7n : 8n,
        ttl: name === 'sm' ? null : 100,
      },
    }));
    const { cells, damaged } = reencryptRows(table, keys, [{ ...row, entries }]);
    expect(damaged).toEqual([]);
    const batch = new OpenBatch();
    const p = batch.partition(keys, partition);
    const open = batch.row(p, clustering);
    const handles = cells.map((cell) =>
      cell.entry === undefined
        ? batch.openCell(open, cell.context, cell.bytes)
        : batch.openMapValue(
            cell.clustering === null ? p : open,
            cell.context,
            cell.entry.key,
            cell.bytes,
          ),
    );
    batch.run();
    expect(handles.map((handle) => Buffer.from(batch.bytes(handle)).toString())).toEqual([
      'field 0',
      'field 1',
      'of sm',
      'of m',
    ]);
    expect(cells.every(({ bytes }) => bytes.readUInt16BE(2) === next.epoch)).toBe(true);
    const writes = writeBatches(cells, { statics: 0, regulars: 2 }, 1).flat();
    expect(writes.map(({ timestamp, ttl, entry }) => [timestamp, ttl, entry?.map])).toEqual([
      [5n, 0, undefined],
      [7n, 0, 'sm'],
      [8n, 101, 'm'],
    ]);
    expect(writes[2]?.entry?.key).toEqual(maps['m']?.[0]);
  });

  it('a value under another key is damaged, not re-encrypted', () => {
    const { row, maps } = storedRow();
    const cell = { value: maps['sm']?.[1] as Buffer, timestamp: 1n, ttl: null };
    const entry = { isStatic: false, map: 'm', key: maps['m']?.[0] as Buffer, cell };
    const { cells, damaged } = reencryptRows(table, keys, [{ ...row, entries: [entry] }]);
    expect(cells.length).toBe(2);
    expect(damaged).toEqual([{ column: 'ks.t.m', code: 'CIPHERTEXT_TAG' }]);
  });
});
