import { describe, expect, it } from 'vitest';
import { CellDek, IndexDek, KeyDek, SealBatch } from '../../../src/crypto/index.ts';
import type { TableCipherKeys } from '../../../src/crypto/index.ts';
import {
  blindIndexes,
  columnContext,
  columnParts,
  partBlinds,
} from '../../../src/encryption/index.ts';
import type { BlindIndex, ColumnParts } from '../../../src/encryption/index.ts';
import { missingPartBlinds } from '../../../src/indexing/blind_part_rows.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import type { StoredElement } from '../../../src/upstream/index.ts';
import { tableWith } from '../encryption/indexed_table.ts';

const keys: TableCipherKeys = ((): TableCipherKeys => {
  const [keyDek, cellDek, indexDek] = [KeyDek, CellDek, IndexDek].map((dek, at) =>
    dek.derive(Buffer.alloc(32, at + 1), Buffer.alloc(16, at + 1), 1),
  ) as [KeyDek, CellDek, IndexDek];
  return { keyDek, cellDek, cellDekByEpoch: () => cellDek, indexDek: () => indexDek };
})();

type Entry = readonly [
  key: number | undefined,
  value: number | string,
  timestamp: bigint,
  ttl?: number,
];

/** One row of `ks.t` whose indexed collection has some elements. */
class World {
  readonly table: TableEntry;
  readonly index: BlindIndex;
  readonly parts: ColumnParts;

  private constructor(table: TableEntry, index: BlindIndex, parts: ColumnParts) {
    this.table = table;
    this.index = index;
    this.parts = parts;
  }

  static async of(
    column: string,
    type: 'set<blob>' | 'list<blob>' | 'map<blob, blob>',
    target: 'values' | 'keys' | 'entries' = 'values',
  ): Promise<World> {
    const { table } = await tableWith([{ column, hidden: { name: 'h', type }, target }]);
    const entry = table.columns.get(column);
    if (entry === undefined) throw new TypeError('no column');
    const [index] = blindIndexes(table, entry);
    const parts = columnParts(table, entry);
    if (index === undefined || parts === undefined) throw new TypeError('no index');
    return new World(table, index, parts);
  }

  /** The elements as they are stored, and the row that they are of. */
  stored(entries: readonly Entry[]): {
    readonly partition: Buffer[];
    readonly clustering: Buffer[];
    readonly elements: StoredElement[];
  } {
    const { table, parts } = this;
    const [pk] = table.partitionKey;
    const [ck] = table.clustering;
    if (pk === undefined || ck === undefined || parts.kind === 'fields')
      throw new TypeError('keys');
    const batch = new SealBatch();
    const partition = batch.partition(keys, [{ context: columnContext(table, pk), value: int(1) }]);
    const clustering = batch.clustering(partition, columnContext(table, ck), int(2));
    const row = batch.row(partition, [clustering]);
    const handles = entries.map(([key, value]) => {
      if (parts.kind !== 'map') return { value: batch.element(row, parts.element, bytes(value)) };
      const sealed = batch.element(row, parts.key, int(key ?? 0));
      return { key: sealed, value: batch.mapValue(row, parts.value, sealed, bytes(value)) };
    });
    batch.run();
    return {
      partition: batch.partitionComponents(partition).map((part) => Buffer.from(part)),
      clustering: [Buffer.from(batch.clusteringBytes(clustering))],
      elements: handles.map(({ key, value }, at) => ({
        ...(key === undefined ? {} : { key: Buffer.from(batch.cellBytes(key)) }),
        value: Buffer.from(batch.cellBytes(value)),
        timestamp: entries[at]?.[2] ?? 0n,
        ttl: entries[at]?.[3] ?? null,
      })),
    };
  }

  blind([key, value]: Entry): Buffer {
    const of = key === undefined ? undefined : int(key);
    const [blind] = partBlinds(this.index, this.parts, [{ key: of, value: bytes(value) }], keys);
    return Buffer.from(blind ?? []);
  }

  /** What is to be written where the row has `entries` and the hidden column `blinds`. */
  missing(entries: readonly Entry[], blinds: (stored: StoredElement[]) => StoredElement[]) {
    const { partition, clustering, elements } = this.stored(entries);
    const { writes, damaged } = missingPartBlinds(this.table, this.index, keys, [
      {
        partition,
        clustering,
        statics: [],
        regulars: [],
        regularCollections: [elements, blinds(elements)],
      },
    ]);
    return {
      damaged,
      writes: writes.map(({ timestamp, ttl, element, entry }) => ({
        timestamp,
        ttl,
        change: element?.change ?? 'put',
        value: Buffer.from(element?.value ?? entry?.value ?? []).toString('hex'),
        key: entry?.key.toString('hex'),
      })),
      elements,
    };
  }
}

function int(value: number): Buffer {
  const made = Buffer.alloc(4);
  made.writeInt32BE(value);
  return made;
}

function bytes(value: number | string): Buffer {
  return typeof value === 'number' ? int(value) : Buffer.from(value);
}

describe('building an index of a collection', () => {
  it('adds the blind values that a set lacks and deletes those without an element', async () => {
    const w = await World.of('se', 'set<blob>');
    const entries: Entry[] = [
      [undefined, 1, 10n],
      [undefined, 2, 20n, 500],
      [undefined, 3, 30n, 2],
      [undefined, 4, 40n],
    ];
    const there = { value: w.blind([undefined, 4, 0n]), timestamp: 40n, ttl: null };
    const gone = { value: w.blind([undefined, 9, 0n]), timestamp: 7n, ttl: null };
    const { writes } = w.missing(entries, () => [there, gone]);
    expect(writes).toEqual([
      {
        timestamp: 10n,
        ttl: 0,
        change: 'add',
        value: w.blind([undefined, 1, 0n]).toString('hex'),
        key: undefined,
      },
      // It ends before its element, and where that ends in a moment it is not written.
      {
        timestamp: 20n,
        ttl: 497,
        change: 'add',
        value: w.blind([undefined, 2, 0n]).toString('hex'),
        key: undefined,
      },
      {
        timestamp: 7n,
        ttl: 0,
        change: 'delete',
        value: gone.value.toString('hex'),
        key: undefined,
      },
    ]);
  });

  it.each(['values', 'keys', 'entries'] as const)(
    'puts %s of a map under the stored keys',
    async (target) => {
      const w = await World.of('ma', 'map<blob, blob>', target);
      const entries: Entry[] = [
        [1, 'a', 10n],
        [2, 'a', 20n],
      ];
      const { writes, elements } = w.missing(entries, (stored) => [
        { ...(stored[0] as StoredElement), value: Buffer.from('old'), timestamp: 5n },
        { key: Buffer.from('gone'), value: Buffer.from('old'), timestamp: 3n, ttl: null },
      ]);
      expect(writes).toEqual([
        ...entries.map((entry, at) => ({
          timestamp: entry[2],
          ttl: 0,
          change: 'put',
          value: w.blind(entry).toString('hex'),
          key: elements[at]?.key?.toString('hex'),
        })),
        {
          timestamp: 3n,
          ttl: 0,
          change: 'delete',
          value: Buffer.from('gone').toString('hex'),
          key: undefined,
        },
      ]);
      const [first, second] = writes;
      expect(first?.value === second?.value).toBe(target === 'values');
      // An entry begins as its value does, so that both are decided alike at equal write times.
      if (target === 'entries') expect(first?.value.slice(0, 24)).toBe(second?.value.slice(0, 24));
    },
  );

  it('gives every element of a list a blind value of its write time, and leaves the others', async () => {
    const w = await World.of('li', 'list<blob>');
    const entries: Entry[] = [
      [undefined, 1, 10n],
      [undefined, 1, 10n],
      [undefined, 1, 11n],
      [undefined, 2, 10n],
    ];
    const one = { value: w.blind([undefined, 1, 0n]), timestamp: 10n, ttl: null };
    const other = { value: w.blind([undefined, 8, 0n]), timestamp: 10n, ttl: null };
    const { writes } = w.missing(entries, () => [one, other]);
    expect(writes.map(({ timestamp, change, value }) => [timestamp, change, value])).toEqual([
      [10n, 'add', one.value.toString('hex')],
      [11n, 'add', one.value.toString('hex')],
      [10n, 'add', w.blind([undefined, 2, 0n]).toString('hex')],
    ]);
  });

  it('reports elements of another row', async () => {
    const w = await World.of('se', 'set<blob>');
    const { partition, elements } = w.stored([[undefined, 1, 10n]]);
    const { damaged, writes } = missingPartBlinds(w.table, w.index, keys, [
      {
        partition,
        clustering: [Buffer.from('another row')],
        statics: [],
        regulars: [],
        regularCollections: [elements, []],
      },
    ]);
    expect(damaged).toEqual(['CIPHERTEXT_TAG']);
    expect(writes).toEqual([]);
  });
});
