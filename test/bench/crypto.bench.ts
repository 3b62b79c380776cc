/**
 * Speed of sealing and opening: `npx vitest bench --run test/bench/crypto.bench.ts`. One iteration is one batch; divide by the
 * cells in the name. Compare runs of one machine only.
 */
import { bench, describe } from 'vitest';
import { CellDek, KeyDek, OpenBatch, SealBatch } from '../../src/crypto/index.ts';
import type { ColumnContext, OrderBits, TableCipherKeys } from '../../src/crypto/index.ts';

const fill = (length: number, seed: number): Buffer => Buffer.alloc(length, seed);

const cellDek = CellDek.derive(fill(32, 1), fill(16, 1), 1);
const keys: TableCipherKeys = {
  keyDek: KeyDek.derive(fill(32, 2), fill(16, 2), 1),
  cellDek,
  cellDekByEpoch: () => cellDek,
  indexDek: () => undefined,
};

function bigintBits(value: Uint8Array): OrderBits {
  const bytes = new Uint8Array(9);
  bytes[0] = 0x80 | (((value[0] as number) ^ 0x80) >> 1);
  for (let i = 1; i < 8; i++) {
    bytes[i] = ((value[i - 1] as number) << 7) | ((value[i] as number) >> 1);
  }
  bytes[8] = (value[7] as number) << 7;
  return { bytes, bitLength: 65 };
}

const column = (kind: ColumnContext['kind'], id: number): ColumnContext => ({
  columnId: fill(16, id),
  kind,
  name: 'k.t.c',
  padded: false,
  orderBits: bigintBits,
});
const pk = column('partition', 20);
const ck = column('ordered', 21);
const columns = [30, 31, 32, 33, 34].map((id) => column('regular', id));

function seal(rows: number, cells: number, size: number, clustering: boolean): SealBatch {
  const batch = new SealBatch();
  const value = fill(size, 7);
  for (let i = 0; i < rows; i++) {
    const id = Buffer.alloc(16);
    id.writeUInt32BE(i);
    const p = batch.partition(keys, [{ context: pk, value: id }]);
    const parts = clustering ? [batch.clustering(p, ck, id.subarray(0, 8))] : [];
    const row = batch.row(p, parts);
    for (let c = 0; c < cells; c++) batch.cell(row, columns[c] as ColumnContext, value);
  }
  batch.run();
  return batch;
}

interface StoredRow {
  readonly partition: readonly Uint8Array[];
  readonly clustering: readonly Uint8Array[];
  readonly cells: readonly Uint8Array[];
}

/** A page of one partition, or of a partition a row. */
function page(rows: number, size: number, onePartition: boolean): StoredRow[] {
  const batch = new SealBatch();
  const shared = batch.partition(keys, [{ context: pk, value: fill(16, 1) }]);
  const handles = Array.from({ length: rows }, (_, i) => {
    const id = Buffer.alloc(16);
    id.writeUInt32BE(i);
    const p = onePartition ? shared : batch.partition(keys, [{ context: pk, value: id }]);
    const clustering = onePartition ? [batch.clustering(p, ck, id.subarray(0, 8))] : [];
    const row = batch.row(p, clustering);
    return { p, clustering, cells: columns.map((c) => batch.cell(row, c, fill(size, 3))) };
  });
  batch.run();
  return handles.map(({ p, clustering, cells }) => ({
    partition: batch.partitionComponents(p),
    clustering: clustering.map((c) => batch.clusteringBytes(c)),
    cells: cells.map((c) => batch.cellBytes(c)),
  }));
}

function open(rows: readonly StoredRow[], withKeys: boolean): void {
  const batch = new OpenBatch();
  for (const { partition, clustering, cells } of rows) {
    const p = batch.partition(keys, partition);
    const row = batch.row(p, clustering);
    if (withKeys) batch.openPartition(p, 0, pk);
    for (let c = 0; c < cells.length; c++) {
      batch.openCell(row, columns[c] as ColumnContext, cells[c] as Uint8Array);
    }
  }
  batch.run();
}

function openOnePartition(rows: readonly StoredRow[]): void {
  const batch = new OpenBatch();
  const p = batch.partition(keys, (rows[0] as StoredRow).partition);
  for (const { clustering, cells } of rows) {
    const row = batch.row(p, clustering);
    batch.openClustering(p, ck, clustering[0] as Uint8Array);
    for (let c = 0; c < cells.length; c++) {
      batch.openCell(row, columns[c] as ColumnContext, cells[c] as Uint8Array);
    }
  }
  batch.run();
}

describe('seal: uuid partition key and 4 cells of 50 bytes', () => {
  for (const rows of [1, 4, 32]) {
    bench(`${String(rows)} rows, ${String(rows * 4)} cells`, () => void seal(rows, 4, 50, false));
  }
  bench('1 row with a bigint clustering column, 4 cells', () => void seal(1, 4, 50, true));
  bench('32 rows with a bigint clustering column, 128 cells', () => void seal(32, 4, 50, true));
  bench('250 rows, 1000 cells of 100 bytes', () => void seal(250, 4, 100, false));
});

describe('open', () => {
  const one = page(1, 50, false);
  bench('1 row of 5 cells', () => open(one, false));
  const some = page(32, 50, false);
  bench('32 rows of 5 cells, a partition each', () => open(some, true));
  const many = page(5000, 50, false);
  bench('5000 rows of 5 cells, a partition each', () => open(many, true));
  const wide = page(5000, 50, true);
  bench('5000 rows of 5 cells and a bigint clustering column, one partition', () =>
    openOnePartition(wide),
  );
});

describe('large cells', () => {
  for (const size of [1000, 10_000, 1_000_000]) {
    bench(`1 cell of ${String(size)} bytes`, () => void seal(1, 1, size, false));
  }
});
