import { describe, expect, it } from 'vitest';
import { OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import { openRows, roleOf } from '../../../src/encryption/index.ts';
import type { KnownKeys } from '../../../src/encryption/index.ts';
// The contexts of a table's columns are not part of the folder's interface.
import { columnContext } from '../../../src/encryption/table_columns.ts';
import { mirrorValue } from '../../../src/encryption/view_mirrors.ts';
import type { ColumnEntry, TableEntry, TableKeys } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import { storedCells } from '../../support/stored_cells.ts';
import { encryptedTable } from '../../support/table_entry.ts';
import { pattern, tableKeys } from '../crypto/support.ts';

const keys = tableKeys(1);
const TYPES = { partition: 'text', clustering: 'int', static: 'text', regular: 'decimal' } as const;

function column(
  name: string,
  kind: ColumnEntry['kind'],
  position: number,
  seed: number,
): ColumnEntry {
  return {
    id: pattern(16, seed),
    name,
    kind,
    position,
    type: native(TYPES[kind]),
    scheme: kind === 'clustering' ? 'ordered' : kind === 'partition' ? 'partition' : 'cell',
    clusteringOrder: kind === 'clustering' ? 'asc' : undefined,
    padded: false,
    storedType: 'blob',
  };
}

function table(columns: readonly ColumnEntry[], extra: Partial<TableEntry> = {}): TableEntry {
  const of = (kind: ColumnEntry['kind']): ColumnEntry[] =>
    columns.filter((one) => one.kind === kind).sort((a, b) => a.position - b.position);
  return {
    ...encryptedTable(pattern(16, 9), {} as TableKeys),
    partitionKey: of('partition'),
    clustering: of('clustering'),
    regulars: of('regular'),
    columns: new Map(columns.map((one) => [one.name, one])),
    allColumns: columns,
    ...extra,
  };
}

const a = column('a', 'partition', 0, 1);
const b = column('b', 'clustering', 0, 2);
const c = column('c', 'clustering', 1, 3);
const v = column('v', 'regular', 0, 4);
const w = column('w', 'regular', 0, 5);
const base = table([a, b, c, v, w]);

/** `PRIMARY KEY ((a, c), v, b)`. */
const inView: ColumnEntry[] = [
  a,
  { ...c, kind: 'partition', position: 1, clusteringOrder: undefined },
  { ...v, kind: 'clustering', position: 0, scheme: 'ordered', storedName: 'cqlock_v_1' },
  { ...b, position: 1 },
  w,
];
const record = {
  name: 'm',
  cassandraId: '',
  partition: [{ columnId: Buffer.from(a.id).toString('hex'), order: null }],
  clustering: [],
  selected: null,
  notNull: [],
  state: 'active',
} as const;
const view = table(inView, { name: 'm', view: { base, cell: v, spansPartitions: false, record } });

const roles = [...inView.map((one) => roleOf(view, one)), roleOf(base, v)];
const nothing: KnownKeys = {
  partition: undefined,
  clustering: undefined,
  restrictions: [],
  storedRestrictions: [],
};
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
/** 1.0, and 1 in canonical form. */
const ONE = Buffer.from([0, 0, 0, 1, 10]);
const TWO = Buffer.from([0, 0, 0, 0, 2]);

type Cells = (Buffer | null)[];

/** The stored values of a row of the base. */
function baseRow(partition: string, at: number, value: Buffer) {
  const batch = new SealBatch();
  const p = batch.partition(keys, [
    { context: columnContext(base, a), value: Buffer.from(partition) },
  ]);
  const first = batch.clustering(p, columnContext(base, b), int(at));
  const second = batch.clustering(p, columnContext(base, c), int(7));
  const owner = batch.row(p, [first, second]);
  const cell = batch.cell(owner, columnContext(base, v), value);
  const other = batch.cell(owner, columnContext(base, w), TWO);
  batch.run();
  const key = batch.partitionComponents(p);
  const mirror = (of: Parameters<typeof mirrorValue>[1]): Uint8Array =>
    mirrorValue(base, of, v, keys, key, value);
  return {
    a: key[0] as Uint8Array,
    b: batch.clusteringBytes(first),
    c: batch.clusteringBytes(second),
    v: batch.cellBytes(cell),
    w: batch.cellBytes(other),
    mirror,
  };
}

const buffers = (cells: readonly Uint8Array[]): Cells => cells.map((cell) => Buffer.from(cell));

/** The view's row of a row of the base: a, c, key of v, b, w, cell of v. */
function row(at: number, value: Buffer): Cells {
  const stored = baseRow('p', at, value);
  return buffers([stored.a, stored.c, stored.mirror(record), stored.b, stored.w, stored.v]);
}

function open(rows: readonly Cells[], visible = inView.length): Cells[] {
  const batch = new OpenBatch();
  const opened = openRows(batch, keys, view, roles, visible, nothing, storedCells(rows));
  batch.run();
  return opened.rows().map((cells) => cells.map((cell) => cell && Buffer.from(cell)));
}

const rejects = (code: string): Error => expect.objectContaining({ code }) as Error;

describe('rows of a view', () => {
  it('are opened by the key of their base, and show the bytes of the cell', () => {
    expect(open([row(1, ONE), row(2, TWO)])).toEqual([
      [Buffer.from('p'), int(7), ONE, int(1), TWO],
      [Buffer.from('p'), int(7), TWO, int(2), TWO],
    ]);
  });

  it('with the key of another row are an error, also where the value is not shown', () => {
    const [one, two] = [row(1, ONE), row(2, TWO)];
    const moved = one.with(2, two[2] as Buffer);
    expect(() => open([moved])).toThrow(rejects('CIPHERTEXT_VIEW_KEY'));
    expect(() => open([moved], 1)).toThrow(rejects('CIPHERTEXT_VIEW_KEY'));
  });

  it('with a cell of another row, or without one, are an error', () => {
    const [one, two] = [row(1, ONE), row(2, ONE)];
    expect(() => open([one.with(5, two[5] as Buffer)])).toThrow(rejects('CIPHERTEXT_TAG'));
    expect(() => open([one.with(4, two[4] as Buffer)])).toThrow(rejects('CIPHERTEXT_TAG'));
    expect(() => open([one.with(5, null)])).toThrow(rejects('CIPHERTEXT_VIEW_KEY'));
    expect(() => open([one.with(3, two[3] as Buffer)])).toThrow(rejects('CIPHERTEXT_TAG'));
  });

  it('without the key of their base are refused', () => {
    expect(() => open([row(1, ONE).with(1, null)])).toThrow(rejects('METADATA_FOREIGN_RESULT'));
  });
});

/** `PRIMARY KEY (v, a, b, c)`: rows of several partitions. */
const spanningRecord = { ...record, partition: [{ columnId: '', order: null }] };
const inSpanning: ColumnEntry[] = [
  { ...v, kind: 'partition', position: 0, scheme: 'partition', storedName: 'cqlock_v_2' },
  { ...a, kind: 'clustering', position: 0, clusteringOrder: 'asc' },
  { ...b, position: 1 },
  { ...c, position: 2 },
  w,
];
const spanning = table(inSpanning, {
  name: 's',
  view: { base, cell: v, spansPartitions: true, record: spanningRecord },
});
const spanningRoles = [...inSpanning.map((one) => roleOf(spanning, one)), roleOf(base, v)];

/** The row of the spanning view: key of v, a, b, c, w, cell of v. */
function spanningRow(partition: string, at: number, value: Buffer): Cells {
  const stored = baseRow(partition, at, value);
  const key = stored.mirror(spanningRecord);
  return buffers([key, stored.a, stored.b, stored.c, stored.w, stored.v]);
}

function openSpanning(rows: readonly Cells[]): Cells[] {
  const batch = new OpenBatch();
  const cells = storedCells(rows);
  const opened = openRows(batch, keys, spanning, spanningRoles, inSpanning.length, nothing, cells);
  batch.run();
  return opened.rows().map((row) => row.map((cell) => cell && Buffer.from(cell)));
}

describe('rows of a view over several partitions', () => {
  const rows = [spanningRow('p', 1, ONE), spanningRow('p', 2, ONE), spanningRow('q', 1, ONE)];

  it('have equal bytes for equal values, and are opened by the key of their base', () => {
    expect(rows[0]?.[0]).toEqual(rows[2]?.[0]);
    expect(rows[0]?.[2]).not.toEqual(rows[2]?.[2]);
    expect(openSpanning([...rows, spanningRow('q', 1, TWO)])).toEqual([
      [ONE, Buffer.from('p'), int(1), int(7), TWO],
      [ONE, Buffer.from('p'), int(2), int(7), TWO],
      [ONE, Buffer.from('q'), int(1), int(7), TWO],
      [TWO, Buffer.from('q'), int(1), int(7), TWO],
    ]);
  });

  it('keep the exact bytes of the key: equal decimals of another scale are other partitions', () => {
    const other = spanningRow('p', 1, Buffer.from([0, 0, 0, 0, 1]));
    expect(other[0]).not.toEqual(rows[0]?.[0]);
  });

  it('moved under another value, to another partition, or without a key, are an error', () => {
    const [one, , three] = rows as [Cells, Cells, Cells];
    const two = spanningRow('p', 1, TWO);
    const moved = one.with(0, two[0] as Buffer);
    expect(() => openSpanning([moved])).toThrow(rejects('CIPHERTEXT_VIEW_KEY'));
    const foreign = one.with(1, three[1] as Buffer);
    expect(() => openSpanning([foreign])).toThrow(rejects('CIPHERTEXT_TAG'));
    for (const at of [0, 1, 2, 3]) {
      expect(() => openSpanning([one.with(at, null)])).toThrow();
    }
    expect(() => openSpanning([one.with(5, null)])).toThrow(rejects('CIPHERTEXT_VIEW_KEY'));
    // The form of another column is none of this one.
    expect(() => openSpanning([one.with(0, one[1] as Buffer)])).toThrow(rejects('CIPHERTEXT_TAG'));
  });
});
