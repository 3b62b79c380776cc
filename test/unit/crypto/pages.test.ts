import { describe, expect, it } from 'vitest';
import { CiphertextError, InternalError } from '../../../src/errors/index.ts';
import { OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import type { OpenPage, TableCipherKeys } from '../../../src/crypto/index.ts';
import { storedCells } from '../../support/stored_cells.ts';
import { column, pattern, tableKeys } from './support.ts';

const old = tableKeys(1, [1]);
const keys = tableKeys(1, [1, 2]);
const pk = column('partition', 10);
const ck0 = column('ordered', 12);
const ck1 = column('opaque', 13);
const regular = column('regular', 14);
const padded = column('regular', 16, { padded: true });
const fixed = column('static', 17);

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

type Cells = (Buffer | null)[];

/** Seals rows of one partition: first clustering column, second, regular, padded and static cell. */
function sealPage(
  values: readonly (readonly [Buffer, Buffer])[],
  tableKeysOf: (row: number) => TableCipherKeys = () => keys,
): { stored: Cells[]; plain: Cells[] } {
  const plain: Cells[] = [];
  const stored = values.map(([a, b], i): Cells => {
    const cells = [pattern(i % 70, i), i % 5 === 0 ? null : pattern(i % 33, i), pattern(9, i)];
    plain.push([a, b, ...cells]);
    const batch = new SealBatch();
    const p = batch.partition(tableKeysOf(i), [{ context: pk, value: text('alice') }]);
    const clustering = [batch.clustering(p, ck0, a), batch.clustering(p, ck1, b)];
    const row = batch.row(p, clustering);
    const handles = [regular, padded, fixed].map((context, c) => {
      const value = cells[c] as Buffer | null;
      return value === null ? null : batch.cell(context === fixed ? p : row, context, value);
    });
    batch.run();
    return [
      Buffer.from(batch.partitionComponents(p)[0] as Uint8Array),
      ...clustering.map((handle) => Buffer.from(batch.clusteringBytes(handle))),
      ...handles.map((handle) => (handle === null ? null : Buffer.from(batch.cellBytes(handle)))),
    ];
  });
  return { stored, plain };
}

function queuePage(batch: OpenBatch, stored: readonly Cells[]): () => Cells[] {
  const page: OpenPage = batch.page(keys, storedCells(stored));
  const partition = page.partition([stored[0]?.[0] as Buffer]);
  const partitions = new Int32Array(stored.length).fill(partition);
  const rows = Int32Array.from(stored, (_, row) => page.rowAt(partition, row, [1, 2]));
  const columns = [
    page.openClusterings(ck0, 1, partitions),
    page.openClusterings(ck1, 2, partitions),
    page.openCells(regular, 3, rows),
    page.openCells(padded, 4, rows),
    page.openCells(fixed, 5, partitions),
  ];
  return () =>
    stored.map((_, row) =>
      columns.map((handles) => {
        const handle = handles[row] as number;
        const start = page.startOf(handle);
        return handle < 0
          ? null
          : Buffer.from(page.output.subarray(start, start + page.lengthOf(handle)));
      }),
    );
}

function openPage(stored: readonly Cells[]): Cells[] {
  const batch = new OpenBatch();
  const opened = queuePage(batch, stored);
  batch.run();
  return opened();
}

const codeOf = (stored: readonly Cells[]): string => {
  try {
    openPage(stored);
  } catch (error) {
    if (error instanceof CiphertextError) return error.code;
    throw error;
  }
  return 'opened';
};

/** A copy of a page with cell (row, column) altered in place. */
function altered(
  stored: readonly Cells[],
  ...changes: [row: number, column: number, change: (cell: Buffer) => void][]
): Cells[] {
  const copy = stored.map((row) => row.map((cell) => (cell === null ? null : Buffer.from(cell))));
  for (const [row, at, change] of changes) change(copy[row]?.[at] as Buffer);
  return copy;
}

const orderLengthOf = (stored: Buffer): number => stored.readUInt16BE(stored.length - 2);

const numbered = Array.from({ length: 30 }, (_, i): [Buffer, Buffer] => [
  text(`2026-01-01 ${String(i).padStart(3, '0')}`),
  text(String(i)),
]);

describe('pages', () => {
  it('give back what was sealed, under former keys too', () => {
    const { stored, plain } = sealPage(numbered, (row) => (row % 3 === 0 ? old : keys));
    expect(openPage(stored)).toEqual(plain);
  });

  it('take equal, empty and long neighbours, in any order', () => {
    const first = ['', 'a', 'a', 'a', 'ab', 'b', 'long'.repeat(200), 'long'.repeat(200), 'm'];
    const values = [...first, ...first.toReversed(), 'x'.repeat(1000), 'x'.repeat(1001)].map(
      (value, i): [Buffer, Buffer] => [text(value), text(String(i))],
    );
    const { stored, plain } = sealPage(values);
    expect(openPage(stored)).toEqual(plain);
  });

  it('give the same as values one by one, and share a batch', () => {
    const { stored, plain } = sealPage(numbered);
    const batch = new OpenBatch();
    const p = batch.partition(keys, [stored[4]?.[0] as Buffer]);
    const single = batch.openClustering(p, ck0, stored[4]?.[1] as Buffer);
    const pages = [queuePage(batch, stored), queuePage(batch, stored.slice(3, 5))];
    batch.run();
    expect(batch.bytes(single)).toEqual(plain[4]?.[0]);
    expect(pages.map((opened) => opened())).toEqual([plain, plain.slice(3, 5)]);
  });

  it('every byte of two neighbours is checked', () => {
    const { stored } = sealPage(numbered.slice(0, 4));
    for (const row of [1, 2]) {
      for (const [at, cell] of (stored[row] as Cells).entries()) {
        if (at === 0 || cell === null) continue;
        for (let i = 0; i < cell.length; i++) {
          const change = (bytes: Buffer): void => void (bytes[i] = (bytes[i] as number) ^ 0x10);
          expect(codeOf(altered(stored, [row, at, change]))).toMatch(/^CIPHERTEXT_/);
        }
      }
    }
  });

  it('an order part that two neighbours share is wrong for both', () => {
    const { stored } = sealPage(numbered.slice(0, 4));
    const length = orderLengthOf(stored[1]?.[1] as Buffer);
    for (let i = 0; i < length; i++) {
      const change = (bytes: Buffer): void => void (bytes[4 + i] = (bytes[4 + i] as number) ^ 1);
      // The regular cells are bound to the stored clustering, so only the clustering column itself is read.
      const page = altered(stored, [0, 1, change], [1, 1, change], [2, 1, change], [3, 1, change]);
      const batch = new OpenBatch();
      const opened = batch.page(keys, storedCells(page));
      const partition = opened.partition([page[0]?.[0] as Buffer]);
      opened.openClusterings(ck0, 1, new Int32Array(page.length).fill(partition));
      expect(() => batch.run()).toThrow(
        expect.objectContaining({ code: 'CIPHERTEXT_ORDER' }) as Error,
      );
    }
  });

  it('the order part of a neighbour is refused, as a whole and in part', () => {
    const { stored } = sealPage(numbered.slice(0, 4));
    const other = stored[2]?.[1] as Buffer;
    const length = orderLengthOf(other);
    for (const until of [length, length - 1, length - 4, length - 8, 0]) {
      for (const from of [0, 1, 40]) {
        const change = (bytes: Buffer): void =>
          void other.copy(bytes, 4 + from, 4 + from, 4 + until);
        if (until <= from) continue;
        const page = altered(stored, [1, 1, change]);
        if ((page[1]?.[1] as Buffer).equals(stored[1]?.[1] as Buffer)) continue;
        const batch = new OpenBatch();
        const opened = batch.page(keys, storedCells(page));
        const partition = opened.partition([page[0]?.[0] as Buffer]);
        opened.openClusterings(ck0, 1, new Int32Array(page.length).fill(partition));
        expect(() => batch.run()).toThrow(
          expect.objectContaining({ code: 'CIPHERTEXT_ORDER' }) as Error,
        );
      }
    }
  });

  it('values of another row, column or partition are refused', () => {
    const { stored } = sealPage(numbered.slice(0, 8));
    const swapped = (column: number): Cells[] => {
      const copy = altered(stored);
      const [a, b] = [copy[2] as Cells, copy[3] as Cells];
      [a[column], b[column]] = [b[column] as Buffer, a[column] as Buffer];
      return copy;
    };
    for (const at of [1, 2, 3, 4]) expect(codeOf(swapped(at))).toBe('CIPHERTEXT_TAG');
    // The clustering columns themselves are genuine, but rows of another partition are not rows of this one.
    const elsewhere = altered(stored);
    for (const row of elsewhere) row[0] = Buffer.from((row[0] as Buffer).map((byte) => byte ^ 1));
    expect(codeOf(elsewhere)).toBe('CIPHERTEXT_TAG');
  });

  it('lengths that do not fit are refused at once', () => {
    const { stored } = sealPage(numbered.slice(0, 2));
    for (const [at, cell] of (stored[1] as Cells).entries()) {
      if (at === 0 || cell === null) continue;
      for (let length = 0; length < cell.length; length++) {
        const copy = altered(stored);
        (copy[1] as Cells)[at] = cell.subarray(0, length);
        expect(codeOf(copy)).toMatch(/^CIPHERTEXT_/);
      }
    }
  });

  it('a cell needs its row, a clustering value its partition, and nothing comes after the run', () => {
    const { stored } = sealPage(numbered.slice(0, 2));
    const batch = new OpenBatch();
    const page = batch.page(keys, storedCells(stored));
    const none = new Int32Array(2).fill(-1);
    expect(() => page.openCells(regular, 3, none)).toThrow(InternalError);
    expect(() => page.openClusterings(ck0, 1, none)).toThrow(InternalError);
    expect(() => page.openCells(ck0, 3, none)).toThrow(InternalError);
    expect(() => page.output).toThrow(InternalError);
    batch.run();
    expect(() => page.partition([stored[0]?.[0] as Buffer])).toThrow(InternalError);
    expect(() => page.rowAt(0, 0, [1, 2])).toThrow(InternalError);
  });
});
