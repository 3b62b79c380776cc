import { describe, expect, it } from 'vitest';
import { CiphertextError, InternalError, InvalidRequestError } from '../../../src/errors/index.ts';
import { CellDek, OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import type { ColumnContext, OpenHandle, TableCipherKeys } from '../../../src/crypto/index.ts';
import { column, pattern, tableKeys, textBits } from './support.ts';

const keys = tableKeys(1);
const otherTable = tableKeys(2);
const pk0 = column('partition', 10);
const pk1 = column('partition', 11);
const ck0 = column('ordered', 12);
const ck1 = column('opaque', 13);
const regular = column('regular', 14);
const regular2 = column('regular', 15);
const padded = column('regular', 16, { padded: true });
const fixed = column('static', 17);
const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof CiphertextError) return error.code;
    throw error;
  }
  return 'opened';
};

interface StoredRow {
  partition: readonly Uint8Array[];
  clustering: Uint8Array[];
  cell: Uint8Array;
  padded: Uint8Array;
  fixed: Uint8Array;
}

interface Where {
  keys?: TableCipherKeys;
  pk?: [Uint8Array, Uint8Array];
  ck?: [Uint8Array, Uint8Array];
  value?: Uint8Array;
}

function sealRow(where: Where = {}): StoredRow {
  const [a, b] = where.pk ?? [text('alice'), text('2026')];
  const [c, d] = where.ck ?? [text('m'), text('n')];
  const batch = new SealBatch();
  const p = batch.partition(where.keys ?? keys, [
    { context: pk0, value: a },
    { context: pk1, value: b },
  ]);
  const clustering = [batch.clustering(p, ck0, c), batch.clustering(p, ck1, d)];
  const row = batch.row(p, clustering);
  const value = where.value ?? text('a secret value');
  const cells = [batch.cell(row, regular, value), batch.cell(row, padded, value)];
  const s = batch.cell(p, fixed, value);
  batch.run();
  const [cell, withPadding] = cells.map((handle) => batch.cellBytes(handle));
  return {
    partition: batch.partitionComponents(p),
    clustering: clustering.map((handle) => batch.clusteringBytes(handle)),
    cell: cell as Uint8Array,
    padded: withPadding as Uint8Array,
    fixed: batch.cellBytes(s),
  };
}

interface OpenOptions {
  keys?: TableCipherKeys;
  cellContext?: ColumnContext;
}

function openRow(stored: StoredRow, options: OpenOptions = {}): string[] {
  const batch = new OpenBatch();
  const p = batch.partition(options.keys ?? keys, stored.partition);
  const row = batch.row(p, stored.clustering);
  const handles = [
    batch.openPartition(p, 0, pk0),
    batch.openPartition(p, 1, pk1),
    batch.openClustering(p, ck0, stored.clustering[0] as Uint8Array),
    batch.openClustering(p, ck1, stored.clustering[1] as Uint8Array),
    batch.openCell(row, options.cellContext ?? regular, stored.cell),
    batch.openCell(row, padded, stored.padded),
    batch.openCell(p, fixed, stored.fixed),
  ];
  batch.run();
  return handles.map((handle) => Buffer.from(batch.bytes(handle)).toString('utf8'));
}

const genuine = sealRow();
const VALUES = ['alice', '2026', 'm', 'n', 'a secret value', 'a secret value', 'a secret value'];

describe('seal and open', () => {
  it('gives back what was sealed', () => {
    expect(openRow(genuine)).toEqual(VALUES);
  });

  it('has the lengths of the format', () => {
    expect(genuine.partition[0]).toHaveLength(5 + 20);
    expect(genuine.clustering[0]).toHaveLength(4 + (9 + 1 + 1) + 16 + 1 + 2);
    expect(genuine.clustering[1]).toHaveLength(1 + 20);
    expect(genuine.cell).toHaveLength(14 + 28);
    expect(genuine.padded).toHaveLength(16 + 28);
    expect([...genuine.cell.subarray(0, 4)]).toEqual([0xc1, 0x01, 0, 1]);
    expect([...genuine.padded.subarray(0, 4)]).toEqual([0xc1, 0x81, 0, 1]);
  });

  it('is deterministic for keys, fresh for cells', () => {
    const again = sealRow();
    expect(again.partition).toEqual(genuine.partition);
    expect(again.clustering).toEqual(genuine.clustering);
    expect(again.cell).not.toEqual(genuine.cell);
    expect(again.padded).not.toEqual(genuine.padded);
    expect(again.fixed).not.toEqual(genuine.fixed);
  });

  it('takes every length, also empty, padded or not, in one batch', () => {
    const lengths = Array.from({ length: 140 }, (_, i) => i).concat([
      1000, 1023, 1024, 4096, 70_001,
    ]);
    const seal = new SealBatch();
    const p = seal.partition(keys, [{ context: pk0, value: pattern(16, 1) }]);
    const row = seal.row(p, []);
    const cells = lengths.flatMap((n) => [
      seal.cell(row, regular, pattern(n, n)),
      seal.cell(row, padded, pattern(n, n)),
      seal.cell(p, fixed, pattern(n, n)),
    ]);
    seal.run();
    const stored = cells.map((cell) => seal.cellBytes(cell));
    for (const [i, n] of lengths.entries()) {
      expect(stored[i * 3]).toHaveLength(n + 28);
      expect(stored[i * 3 + 1]).toHaveLength(n - (n % 16) + 16 + 28);
    }
    const open = new OpenBatch();
    const q = open.partition(keys, seal.partitionComponents(p));
    const r = open.row(q, []);
    const opened = stored.map((bytes, i) =>
      i % 3 === 2
        ? open.openCell(q, fixed, bytes)
        : open.openCell(r, i % 3 === 0 ? regular : padded, bytes),
    );
    open.run();
    for (const [i, handle] of opened.entries()) {
      const n = lengths[Math.floor(i / 3)] as number;
      expect(pattern(n, n).equals(open.bytes(handle))).toBe(true);
    }
  });

  it('handles many rows of many partitions, tables and epochs in one batch', () => {
    const old = tableKeys(3, [7]);
    const rotated = tableKeys(3, [7, 300]);
    const tables = [keys, otherTable, old];
    const seal = new SealBatch();
    const rows = Array.from({ length: 900 }, (_, i) => {
      const p = seal.partition(tables[i % 3] as TableCipherKeys, [
        { context: pk0, value: pattern(i % 40, i >> 2) },
        { context: pk1, value: pattern(4, i >> 2) },
      ]);
      const c = seal.clustering(p, ck0, pattern(i % 30, i));
      const row = seal.row(p, [c]);
      return {
        i,
        p,
        c,
        cells: [seal.cell(row, regular, pattern(i % 99, i)), seal.cell(row, padded, pattern(9, i))],
      };
    });
    seal.run();
    const open = new OpenBatch();
    const handles: { handle: OpenHandle; expected: Buffer }[] = [];
    for (const { i, p, c, cells } of rows) {
      const table = i % 3 === 2 ? rotated : (tables[i % 3] as TableCipherKeys);
      const q = open.partition(
        table,
        seal.partitionComponents(p).map((b) => Buffer.from(b)),
      );
      const stored = Buffer.from(seal.clusteringBytes(c));
      const row = open.row(q, [stored]);
      handles.push(
        { handle: open.openPartition(q, 0, pk0), expected: pattern(i % 40, i >> 2) },
        { handle: open.openClustering(q, ck0, stored), expected: pattern(i % 30, i) },
        {
          handle: open.openCell(row, regular, seal.cellBytes(cells[0] as never)),
          expected: pattern(i % 99, i),
        },
        {
          handle: open.openCell(row, padded, seal.cellBytes(cells[1] as never)),
          expected: pattern(9, i),
        },
      );
    }
    open.run();
    expect(handles.every(({ handle, expected }) => expected.equals(open.bytes(handle)))).toBe(true);
  });

  it('uses stored partition and clustering bytes as they are', () => {
    const seal = new SealBatch();
    const p = seal.storedPartition(keys, genuine.partition);
    const cell = seal.cell(seal.row(p, genuine.clustering), regular, text('later'));
    seal.run();
    expect(seal.partitionComponents(p)).toEqual(genuine.partition);
    expect(openRow({ ...genuine, cell: seal.cellBytes(cell) })[4]).toBe('later');
  });

  it('writes under the active epoch and reads older ones', () => {
    const before = tableKeys(5, [1]);
    const after = tableKeys(5, [1, 2]);
    const oldRow = sealRow({ keys: before });
    const newRow = sealRow({ keys: after });
    expect([...newRow.cell.subarray(2, 4)]).toEqual([0, 2]);
    expect(openRow(oldRow, { keys: after })).toEqual(VALUES);
    expect(openRow({ ...newRow, padded: oldRow.padded }, { keys: after })).toEqual(VALUES);
    expect(codeOf(() => openRow(newRow, { keys: before }))).toBe('CIPHERTEXT_EPOCH');
  });

  it('never repeats a nonce', () => {
    const seen = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const seal = new SealBatch();
      const row = seal.row(seal.storedPartition(keys, genuine.partition), []);
      const cells = Array.from({ length: 257 }, () => seal.cell(row, regular, text('same')));
      seal.run();
      for (const cell of cells)
        seen.add(Buffer.from(seal.cellBytes(cell).subarray(4, 12)).toString('hex'));
    }
    expect(seen.size).toBe(40 * 257);
  });
});

describe('what is not genuine', () => {
  const fields = ['cell', 'padded', 'fixed'] as const;

  it.each(fields)('every single bit of a %s', (field) => {
    const bytes = genuine[field];
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Uint8Array.from(bytes);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      const expected =
        bit < 8
          ? 'CIPHERTEXT_VERSION'
          : bit < 16
            ? 'CIPHERTEXT_SUITE'
            : bit < 32
              ? 'CIPHERTEXT_EPOCH'
              : 'CIPHERTEXT_TAG';
      expect(codeOf(() => openRow({ ...genuine, [field]: altered }))).toBe(expected);
    }
  });

  it.each([0, 1])(
    'every single bit of clustering value %i and of a partition component',
    (index) => {
      for (const field of ['clustering', 'partition'] as const) {
        const bytes = genuine[field][index] as Uint8Array;
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const altered = Uint8Array.from(bytes);
          altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
          const part = [...genuine[field]];
          part[index] = altered;
          expect(codeOf(() => openRow({ ...genuine, [field]: part }))).toMatch(/^CIPHERTEXT_/);
          // Alone, without the row's cells, it must not open either.
          const batch = new OpenBatch();
          const alone = (): unknown => {
            const p = batch.partition(keys, field === 'partition' ? part : genuine.partition);
            if (field === 'partition') batch.openPartition(p, index, index === 0 ? pk0 : pk1);
            else batch.openClustering(p, index === 0 ? ck0 : ck1, altered);
            batch.run();
            return undefined;
          };
          expect(codeOf(alone)).toMatch(/^CIPHERTEXT_/);
        }
      }
    },
  );

  it('the order part alone is checked', () => {
    const altered = Uint8Array.from(genuine.clustering[0] as Uint8Array);
    altered[7] = (altered[7] as number) ^ 1;
    const batch = new OpenBatch();
    const p = batch.partition(keys, genuine.partition);
    batch.openClustering(p, ck0, altered);
    expect(codeOf(() => batch.run())).toBe('CIPHERTEXT_ORDER');
  });

  it('truncation and extension at every length', () => {
    for (const field of fields) {
      const bytes = genuine[field];
      for (let n = 0; n < bytes.length; n++) {
        expect(codeOf(() => openRow({ ...genuine, [field]: bytes.subarray(0, n) }))).toMatch(
          /^CIPHERTEXT_/,
        );
      }
      expect(
        codeOf(() => openRow({ ...genuine, [field]: Buffer.concat([bytes, Buffer.of(0)]) })),
      ).toMatch(/^CIPHERTEXT_(TAG|LENGTH)$/);
    }
    for (const [index, context] of [ck0, ck1].entries()) {
      const bytes = genuine.clustering[index] as Uint8Array;
      const open = (stored: Uint8Array): void => {
        const batch = new OpenBatch();
        batch.openClustering(batch.partition(keys, genuine.partition), context, stored);
        batch.run();
      };
      open(bytes);
      for (let n = 0; n < bytes.length; n++) {
        expect(codeOf(() => open(bytes.subarray(0, n)))).toMatch(/^CIPHERTEXT_/);
        // Bytes of cassandra, with any two bytes as length of the order part.
        const cut = Buffer.concat([bytes.subarray(0, n), Buffer.of(0, n & 0xff)]);
        if (!cut.equals(bytes)) expect(codeOf(() => open(cut))).toMatch(/^CIPHERTEXT_/);
      }
    }
  });

  it('values moved to another row, partition, table or column', () => {
    const moved: StoredRow[] = [
      sealRow({ ck: [text('m'), text('o')] }),
      sealRow({ ck: [text('o'), text('n')] }),
      sealRow({ pk: [text('alice'), text('2027')] }),
      sealRow({ pk: [text('bob'), text('2026')] }),
      sealRow({ keys: otherTable }),
    ];
    for (const row of moved) {
      expect(codeOf(() => openRow({ ...genuine, cell: row.cell }))).toBe('CIPHERTEXT_TAG');
      expect(codeOf(() => openRow({ ...genuine, padded: row.padded }))).toBe('CIPHERTEXT_TAG');
      if (
        row.partition.some(
          (bytes, i) => !Buffer.from(bytes).equals(genuine.partition[i] as Uint8Array),
        )
      ) {
        expect(codeOf(() => openRow({ ...genuine, fixed: row.fixed }))).toBe('CIPHERTEXT_TAG');
        expect(codeOf(() => openRow({ ...genuine, clustering: row.clustering }))).toMatch(
          /TAG|ORDER/,
        );
      }
    }
    expect(codeOf(() => openRow(genuine, { cellContext: regular2 }))).toBe('CIPHERTEXT_TAG');
    expect(codeOf(() => openRow({ ...genuine, partition: [...genuine.partition].reverse() }))).toBe(
      'CIPHERTEXT_TAG',
    );
    expect(
      codeOf(() => openRow({ ...genuine, clustering: [...genuine.clustering].reverse() })),
    ).toMatch(/^CIPHERTEXT_/);
    expect(codeOf(() => openRow(genuine, { keys: otherTable }))).toBe('CIPHERTEXT_TAG');
  });

  it('kinds are apart: the same column id as regular and static, partition and clustering', () => {
    const id = pattern(16, 99);
    const asRegular = column('regular', 1, { columnId: id });
    const asStatic = column('static', 1, { columnId: id });
    const seal = new SealBatch();
    const p = seal.storedPartition(keys, genuine.partition);
    const cell = seal.cell(seal.row(p, []), asRegular, text('x'));
    const fixedCell = seal.cell(p, asStatic, text('x'));
    const opaque = seal.clustering(p, column('opaque', 1, { columnId: id }), text('x'));
    seal.run();
    const openAs = (context: ColumnContext, bytes: Uint8Array): string => {
      const open = new OpenBatch();
      return codeOf(() => {
        const q = open.partition(keys, genuine.partition);
        open.openCell(context.kind === 'static' ? q : open.row(q, []), context, bytes);
        open.run();
      });
    };
    expect(openAs(asRegular, seal.cellBytes(cell))).toBe('opened');
    expect(openAs(asStatic, seal.cellBytes(cell))).toBe('CIPHERTEXT_TAG');
    expect(openAs(asRegular, seal.cellBytes(fixedCell))).toBe('CIPHERTEXT_TAG');
    const open = new OpenBatch();
    const q = open.partition(keys, [seal.clusteringBytes(opaque)]);
    open.openPartition(q, 0, column('partition', 1, { columnId: id }));
    expect(codeOf(() => open.run())).toBe('CIPHERTEXT_TAG');
  });

  it('one wrong value among thousands fails the batch, names its column and shows nothing', () => {
    const seal = new SealBatch();
    const p = seal.storedPartition(keys, genuine.partition);
    const cells = Array.from({ length: 3000 }, (_, i) =>
      seal.cell(seal.row(p, []), regular, pattern(20, i)),
    );
    seal.run();
    const open = new OpenBatch();
    const q = open.partition(keys, genuine.partition);
    const handles = cells.map((cell, i) => {
      const bytes = Uint8Array.from(seal.cellBytes(cell));
      if (i === 2345) bytes[30] = (bytes[30] as number) ^ 4;
      return open.openCell(open.row(q, []), regular, bytes);
    });
    expect(() => open.run()).toThrow(expect.objectContaining({ code: 'CIPHERTEXT_TAG' }) as Error);
    expect(() => open.bytes(handles[0] as OpenHandle)).toThrow(InternalError);
    expect(() => open.run()).toThrow(InternalError);
    let message = '';
    try {
      openRow({ ...genuine, padded: genuine.cell });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(padded.name);
    expect(openRow(genuine)).toEqual(VALUES);
  });

  it('plain bytes where a stored value should be', () => {
    expect(codeOf(() => openRow({ ...genuine, cell: text('plain') }))).toBe('CIPHERTEXT_VERSION');
    expect(codeOf(() => openRow({ ...genuine, cell: new Uint8Array(0) }))).toBe(
      'CIPHERTEXT_LENGTH',
    );
  });

  it('a cell DEK that answers for another epoch is not used', () => {
    const lying: TableCipherKeys = { ...keys, cellDekByEpoch: () => keys.cellDek };
    const cell = Uint8Array.from(genuine.cell);
    cell[3] = 9;
    expect(codeOf(() => openRow({ ...genuine, cell }, { keys: lying }))).toBe('CIPHERTEXT_EPOCH');
  });
});

describe('misuse', () => {
  it('key columns longer than Cassandra takes are refused with both sizes', () => {
    const batch = new SealBatch();
    const p = batch.storedPartition(keys, genuine.partition);
    expect(() => batch.partition(keys, [{ context: pk0, value: Buffer.alloc(65_516) }])).toThrow(
      InvalidRequestError,
    );
    expect(() => batch.clustering(p, ck1, Buffer.alloc(65_516))).toThrow(/65536 .* 65535 .*65516/);
    expect(() => batch.clustering(p, ck0, Buffer.alloc(6552))).toThrow(InvalidRequestError);
    const longest = [
      batch.clustering(p, ck1, pattern(65_515, 1)),
      batch.clustering(p, ck0, pattern(6551, 1)),
    ];
    batch.run();
    expect(batch.clusteringBytes(longest[0] as never)).toHaveLength(65_535);
    const stored = batch.clusteringBytes(longest[1] as never);
    expect(stored.length).toBeLessThanOrEqual(65_535);
    const open = new OpenBatch();
    const handle = open.openClustering(open.partition(keys, genuine.partition), ck0, stored);
    open.run();
    expect(pattern(6551, 1).equals(open.bytes(handle))).toBe(true);
  });

  it('kinds, handles and order of calls', () => {
    const batch = new SealBatch();
    const p = batch.storedPartition(keys, genuine.partition);
    expect(() => batch.cell(p, regular, text('x'))).toThrow(InternalError);
    expect(() => batch.cell(batch.row(p, []), fixed, text('x'))).toThrow(InternalError);
    expect(() => batch.clustering(p, pk0, text('x'))).toThrow(InternalError);
    expect(() => batch.partition(keys, [{ context: ck1, value: text('x') }])).toThrow(
      InternalError,
    );
    const cell = batch.cell(p, fixed, text('x'));
    expect(() => batch.cellBytes(cell)).toThrow(InternalError);
    batch.run();
    expect(() => batch.run()).toThrow(InternalError);
    expect(() => batch.cellBytes(77 as never)).toThrow(InternalError);
    const bad = column('ordered', 3, {
      orderBits: () => ({ bytes: new Uint8Array(1), bitLength: 9 }),
    });
    expect(() => new SealBatch().clustering(p, bad, text('x'))).toThrow(InternalError);
    const { orderBits: _, ...without } = column('ordered', 4);
    expect(() => new SealBatch().clustering(p, without, text('x'))).toThrow(InternalError);
    expect(() =>
      new SealBatch().clustering(p, column('opaque', 4, { padded: true }), text('x')),
    ).toThrow(InternalError);
    expect(textBits(text('a')).bitLength).toBe(10);
  });

  it('nothing is queued after the run, and partitions stay in their batch', () => {
    const seal = new SealBatch();
    const p = seal.storedPartition(keys, genuine.partition);
    const row = seal.row(p, []);
    seal.run();
    expect(() => seal.cell(row, regular, text('x'))).toThrow(InternalError);
    expect(() => seal.cell(p, fixed, text('x'))).toThrow(InternalError);
    expect(() => seal.clustering(p, ck1, text('x'))).toThrow(InternalError);
    expect(() => seal.partition(keys, [{ context: pk0, value: text('x') }])).toThrow(InternalError);
    const other = new SealBatch();
    expect(() => other.cell(row, regular, text('x'))).toThrow(InternalError);
    expect(() => other.cell(p, fixed, text('x'))).toThrow(InternalError);
    expect(() => other.clustering(p, ck0, text('x'))).toThrow(InternalError);
    const open = new OpenBatch();
    const q = open.partition(keys, genuine.partition);
    open.run();
    expect(() => open.openPartition(q, 0, pk0)).toThrow(InternalError);
    expect(() => open.openCell(q, fixed, genuine.fixed)).toThrow(InternalError);
    expect(() => new OpenBatch().openCell(q, fixed, genuine.fixed)).toThrow(InternalError);
  });

  it('a disposed key fails and leaves other keys working', () => {
    const dek = CellDek.derive(pattern(32, 4), pattern(16, 4), 1);
    const table: TableCipherKeys = {
      keyDek: keys.keyDek,
      cellDek: dek,
      cellDekByEpoch: () => dek,
      indexDek: () => undefined,
    };
    const batch = new SealBatch();
    const row = batch.row(batch.storedPartition(table, genuine.partition), genuine.clustering);
    batch.cell(row, regular, text('x'));
    dek.dispose();
    expect(() => batch.run()).toThrow(InternalError);
    expect(openRow(sealRow())).toEqual(VALUES);
  });
});
