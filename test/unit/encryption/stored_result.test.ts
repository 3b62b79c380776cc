import { describe, expect, it } from 'vitest';
import { OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import { openRows, roleOf } from '../../../src/encryption/index.ts';
import type { KnownKeys, OpenedRows, StoredRole } from '../../../src/encryption/index.ts';
// The contexts of a table's columns are not part of the folder's interface.
import { columnContext } from '../../../src/encryption/table_columns.ts';
import type { ColumnEntry, TableEntry, TableKeys } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import { RowsWriter } from '../../../src/wire/index.ts';
import { storedCells } from '../../support/stored_cells.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { pattern, tableKeys } from '../crypto/support.ts';

const keys = tableKeys(1);

function entry(name: string, kind: ColumnEntry['kind'], type: string, seed: number): ColumnEntry {
  return {
    id: pattern(16, seed),
    name,
    kind,
    position: 0,
    type: native(type as 'text'),
    scheme: kind === 'clustering' ? 'ordered' : undefined,
    clusteringOrder: kind === 'clustering' ? 'asc' : undefined,
    padded: false,
  } as unknown as ColumnEntry;
}

const id = entry('id', 'partition', 'text', 1);
const at = entry('at', 'clustering', 'int', 2);
const common = entry('common', 'static', 'text', 3);
const name = entry('name', 'regular', 'text', 4);
const table: TableEntry = {
  ...encryptedTable(pattern(16, 9), {} as TableKeys),
  partitionKey: [id],
  clustering: [at],
  statics: [common],
  regulars: [name],
  columns: new Map([id, at, common, name].map((column) => [column.name, column])),
};
const roles: StoredRole[] = [
  ...[id, at, common, name].map((column) => roleOf(table, column)),
  { kind: 'plain', width: 8 },
];

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

type Cells = (Buffer | null)[];

function sealRow(partition: string, clustering: number | null): { stored: Cells; plain: Cells } {
  const batch = new SealBatch();
  const p = batch.partition(keys, [{ context: columnContext(table, id), value: text(partition) }]);
  const value = text(`${partition}/${String(clustering)}`);
  const shared = batch.cell(p, columnContext(table, common), text(partition));
  const c =
    clustering === null ? null : batch.clustering(p, columnContext(table, at), int(clustering));
  const cell = c === null ? null : batch.cell(batch.row(p, [c]), columnContext(table, name), value);
  batch.run();
  const plain = int(0).fill(clustering ?? 7);
  const time = Buffer.concat([plain, plain]);
  return {
    stored: [
      Buffer.from(batch.partitionComponents(p)[0] as Uint8Array),
      c === null ? null : Buffer.from(batch.clusteringBytes(c)),
      Buffer.from(batch.cellBytes(shared)),
      cell === null ? null : Buffer.from(batch.cellBytes(cell)),
      time,
    ],
    plain: [
      text(partition),
      clustering === null ? null : int(clustering),
      text(partition),
      clustering === null ? null : value,
      time,
    ],
  };
}

const rows = [
  sealRow('a', null),
  sealRow('b', -2),
  sealRow('b', 5),
  sealRow('c', 5),
  sealRow('b', 9),
];
const inB = [rows[1], rows[2], rows[4]] as typeof rows;
const nothing: KnownKeys = {
  partition: undefined,
  clustering: undefined,
  restrictions: [],
  storedRestrictions: [],
};
const partitionB: KnownKeys = {
  ...nothing,
  partition: { logical: [text('b')], stored: [inB[0]?.stored[0] as Buffer] },
};

function open(stored: readonly Cells[], known: KnownKeys, visible = roles.length): Cells[] {
  const batch = new OpenBatch();
  const opened = openRows(batch, keys, table, roles, visible, known, storedCells(stored));
  batch.run();
  const views = opened.rows().map((row) => row.map((cell) => cell && Buffer.from(cell)));
  const specs = [id, at, common, name, name].slice(0, visible).map((column) => ({
    keyspace: 'ks',
    table: 't',
    name: column.name,
    type: column.type,
  }));
  const [written, copied] = [0, 1].map((way) => {
    const writer = new RowsWriter({ columns: specs, noMetadata: true }, 4);
    if (way === 0) opened.writeTo(writer);
    else for (const row of views) for (const cell of row) writer.writeCell(cell);
    return writer.finish();
  });
  expect(written).toEqual(copied);
  return views;
}

const plainOf = (all: typeof rows): Cells[] => all.map(({ plain }) => plain);
const storedOf = (all: typeof rows): Cells[] => all.map(({ stored }) => stored);
const foreign = expect.objectContaining({ code: 'METADATA_FOREIGN_RESULT' }) as Error;

describe('rows of a result', () => {
  it('of a scan, of one partition, of one row', () => {
    expect(open(storedOf(rows), nothing)).toEqual(plainOf(rows));
    expect(open(storedOf(inB), partitionB)).toEqual(plainOf(inB));
    const one = { logical: [int(5)], stored: [inB[1]?.stored[1] as Buffer] };
    expect(open([inB[1]?.stored as Cells], { ...partitionB, clustering: one })).toEqual([
      inB[1]?.plain,
    ]);
    expect(open([], nothing)).toEqual([]);
    expect(open(storedOf(rows), nothing, 2)).toEqual(plainOf(rows).map((row) => row.slice(0, 2)));
  });

  it('are opened by some columns alone, which are authenticated as ever', () => {
    const openName = (stored: Cells[], known: KnownKeys): OpenedRows => {
      const batch = new OpenBatch();
      const only = new Set([3]);
      const opened = openRows(batch, keys, table, roles, 4, known, storedCells(stored), only);
      batch.run();
      return opened;
    };
    for (const [all, known] of [
      [rows, nothing],
      [inB, partitionB],
    ] as const) {
      const opened = openName(storedOf(all), known);
      const names = opened.rows().map((row) => row.map((cell) => cell && Buffer.from(cell)));
      expect(names).toEqual(plainOf(all).map((row) => [null, null, null, row[3]]));
      expect(() => {
        opened.writeTo(new RowsWriter({ columns: [], noMetadata: true }, 4));
      }).toThrow('not opened');
    }
    const tag = expect.objectContaining({ code: 'CIPHERTEXT_TAG' }) as Error;
    const forged = (column: number): Cells[] => {
      const all = storedOf(inB);
      const cell = Buffer.from(all[1]?.[column] as Buffer);
      cell[20] = (cell[20] as number) ^ 1;
      all[1] = (all[1] as Cells).map((one, at) => (at === column ? cell : one));
      return all;
    };
    // Its own bytes, and those of the key that it is bound to.
    expect(() => openName(forged(3), partitionB)).toThrow(tag);
    expect(() => openName(forged(1), partitionB)).toThrow(tag);
    expect(() => openName(forged(0), partitionB)).toThrow(foreign);
    expect(() => openName(forged(0), nothing)).toThrow(tag);
    expect(openName(forged(2), partitionB).rowCount).toBe(3);
  });

  it('of another partition or without a key are refused', () => {
    expect(() => open(storedOf(rows), partitionB)).toThrow(foreign);
    const withoutKey = storedOf(inB);
    withoutKey[2] = [null, ...(withoutKey[2] as Cells).slice(1)];
    expect(() => open(withoutKey, partitionB)).toThrow(foreign);
    expect(() => open(withoutKey, nothing)).toThrow(foreign);
  });

  it('with a cell but without a clustering key, or with plain cells of another width, are refused', () => {
    const [a, b] = storedOf(inB) as [Cells, Cells];
    expect(() => open([a, [b[0] as Buffer, null, ...b.slice(2)]], partitionB)).toThrow(foreign);
    expect(() => open([a, [...b.slice(0, 4), int(1)]], partitionB)).toThrow(foreign);
  });

  it('outside the restrictions are refused', () => {
    const [first, second, third] = inB.map(({ stored }) => stored[1] as Buffer) as [
      Buffer,
      Buffer,
      Buffer,
    ];
    const within = (
      operator: '=' | 'IN' | '<' | '<=' | '>' | '>=',
      ...bounds: Buffer[]
    ): KnownKeys => ({
      ...partitionB,
      restrictions: [
        {
          columns: [at],
          operator,
          multiColumn: false,
        } as unknown as KnownKeys['restrictions'][number],
      ],
      storedRestrictions: [bounds.map((bound) => [bound])],
    });
    const all = storedOf(inB);
    for (const known of [
      within('>=', first),
      within('<=', third),
      within('IN', first, second, third),
    ]) {
      expect(open(all, known)).toEqual(plainOf(inB));
    }
    for (const known of [
      within('>', first),
      within('<', third),
      within('IN', first, second),
      within('=', second),
    ]) {
      expect(() => open(all, known)).toThrow(foreign);
    }
  });

  it('of another clustering than asked for are refused', () => {
    const one = { logical: [int(5)], stored: [inB[1]?.stored[1] as Buffer] };
    expect(() => open([inB[0]?.stored as Cells], { ...partitionB, clustering: one })).toThrow(
      foreign,
    );
  });

  it('moved between partitions are not genuine', () => {
    const moved = storedOf(rows);
    moved[3] = [rows[1]?.stored[0] as Buffer, ...(rows[3]?.stored as Cells).slice(1)];
    expect(() => open(moved, nothing)).toThrow(
      expect.objectContaining({ code: 'CIPHERTEXT_TAG' }) as Error,
    );
  });
});
