import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  CellDek,
  CmacKey,
  IndexDek,
  KeyDek,
  OpenBatch,
  SealBatch,
  deriveCatalogKeys,
  recordMac,
  sivSealMany,
  tableKeyCommit,
  unwrapDek,
  wrapDek,
} from '../../../src/crypto/index.ts';
import type { ColumnContext, DekWrapContext, TableCipherKeys } from '../../../src/crypto/index.ts';

interface Value {
  comment: string;
  column: 'pk' | 'ck' | 'v';
  plain: string;
  stored: string;
}
interface Vectors {
  keys: {
    keyDek: { dek: string; id: string; epoch: number };
    cellDek: { dek: string; id: string; epoch: number };
    tableKey: string;
    catalogKey: string;
    tableId: string;
    clusterId: string;
  };
  columns: Record<'pk' | 'ck' | 'v', string>;
  partition: Value[];
  ordered: (Value & { orderBits: string; orderBitLength: number })[];
  cells: (Value & { suite: number; kind: number; nonce: string })[];
  setElement: Value & { kind: number };
  blindIndex: Value & { kind: number };
  blindEntry: Value & { key: string };
  wrappedDek: { tableKeyVersion: number; wrapped: string };
  tableKeyCommit: string;
  recordMac: { version: number; body: string; mac: string };
}

const url = new URL('../../vectors/crypto/format_v1.json', import.meta.url);
const vectors = JSON.parse(readFileSync(url, 'utf8')) as Vectors;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

const { keyDek: k, cellDek: c } = vectors.keys;
const keyDek = KeyDek.derive(hex(k.dek), hex(k.id), k.epoch);
const cellDek = CellDek.derive(hex(c.dek), hex(c.id), c.epoch);
const keys: TableCipherKeys = {
  keyDek,
  cellDek,
  cellDekByEpoch: (epoch) => (epoch === cellDek.epoch ? cellDek : undefined),
  indexDek: () => undefined,
};
const ordered = vectors.ordered[0] as Vectors['ordered'][number];
const contexts = {
  pk: { columnId: hex(vectors.columns.pk), kind: 'partition', name: 'k.t.pk', padded: false },
  ck: {
    columnId: hex(vectors.columns.ck),
    kind: 'ordered',
    name: 'k.t.ck',
    padded: false,
    orderBits: () => ({ bytes: hex(ordered.orderBits), bitLength: ordered.orderBitLength }),
  },
  v: { columnId: hex(vectors.columns.v), kind: 'regular', name: 'k.t.v', padded: false },
} as const satisfies Record<string, ColumnContext>;

const storedPk = hex((vectors.partition[0] as Value).stored);
const storedCk = hex(ordered.stored);
const s1 = (kind: number, id: string, column: string): Buffer =>
  Buffer.concat([hex('c101'), Buffer.of(kind), hex('0001'), hex(id), hex(column)]);
const lp = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of(1, 0, bytes.length), bytes]);

describe('vectors of format.md', () => {
  it('partition and ordered clustering', () => {
    const batch = new SealBatch();
    const p = batch.partition(keys, [
      { context: contexts.pk, value: hex((vectors.partition[0] as Value).plain) },
    ]);
    const clustering = batch.clustering(p, contexts.ck, hex(ordered.plain));
    batch.run();
    expect(Buffer.from(batch.partitionComponents(p)[0] as Uint8Array).toString('hex')).toBe(
      (vectors.partition[0] as Value).stored,
    );
    expect(Buffer.from(batch.clusteringBytes(clustering)).toString('hex')).toBe(ordered.stored);
  });

  it('opens all values in one batch', () => {
    const batch = new OpenBatch();
    const p = batch.partition(keys, [storedPk]);
    const row = batch.row(p, [storedCk]);
    const pk = batch.openPartition(p, 0, contexts.pk);
    const ck = batch.openClustering(p, contexts.ck, storedCk);
    const cells = vectors.cells.map((cell) => batch.openCell(row, contexts.v, hex(cell.stored)));
    batch.run();
    expect(Buffer.from(batch.bytes(pk)).toString('utf8')).toBe('alice');
    expect(Buffer.from(batch.bytes(ck)).toString('hex')).toBe(ordered.plain);
    expect(cells.map((cell) => Buffer.from(batch.bytes(cell)).toString('hex'))).toEqual(
      vectors.cells.map((cell) => cell.plain),
    );
  });

  it('cells from their components', () => {
    for (const cell of vectors.cells) {
      const components = [
        s1(0x11, c.id, vectors.columns.v),
        lp(storedPk),
        lp(storedCk),
        hex(cell.nonce),
      ];
      const [sealed] = sivSealMany(cellDek.cell, [{ components, plaintext: hex(cell.plain) }]);
      expect(`c1010001${cell.nonce}${(sealed as Buffer).toString('hex')}`).toBe(cell.stored);
    }
  });

  it('set element and blind index', () => {
    const { setElement, blindIndex } = vectors;
    const components = [s1(setElement.kind, k.id, vectors.columns.v), lp(storedPk), lp(storedCk)];
    const [sealed] = sivSealMany(keyDek.det, [{ components, plaintext: hex(setElement.plain) }]);
    expect(`c1010001${(sealed as Buffer).toString('hex')}`).toBe(setElement.stored);
    const index = IndexDek.derive(hex(k.dek), hex(k.id), k.epoch);
    expect(index.mac).toBeInstanceOf(CmacKey);
    const message = Buffer.concat([
      s1(blindIndex.kind, k.id, vectors.columns.v),
      hex(blindIndex.plain),
    ]);
    expect(`c1010001${index.mac.macMany([message])[0]?.toString('hex') ?? ''}`).toBe(
      blindIndex.stored,
    );
    const [blind] = index.blindValues(hex(vectors.columns.v), [hex(blindIndex.plain)]);
    expect(blind?.toString('hex')).toBe(blindIndex.stored);
    const { blindEntry } = vectors;
    const [entry] = index.blindEntries(hex(vectors.columns.v), [
      [hex(blindEntry.key), hex(blindEntry.plain)],
    ]);
    expect(entry?.toString('hex')).toBe(blindEntry.stored);
  });

  it('wrapped DEK, commitment, record MAC', () => {
    const { keys: all, wrappedDek } = vectors;
    const context: DekWrapContext = {
      clusterId: hex(all.clusterId),
      tableId: hex(all.tableId),
      structure: 'cell',
      epoch: 1,
      dekId: hex(c.id),
      tableKeyVersion: wrappedDek.tableKeyVersion,
    };
    expect(wrapDek(hex(all.tableKey), context, hex(c.dek)).toString('hex')).toBe(
      wrappedDek.wrapped,
    );
    expect(unwrapDek(hex(all.tableKey), context, hex(wrappedDek.wrapped)).toString('hex')).toBe(
      c.dek,
    );
    expect(tableKeyCommit(hex(all.tableKey), hex(all.tableId)).toString('hex')).toBe(
      vectors.tableKeyCommit,
    );
    const catalog = deriveCatalogKeys(hex(all.catalogKey), hex(all.clusterId));
    const mac = recordMac(catalog.record, {
      clusterId: hex(all.clusterId),
      tableId: hex(all.tableId),
      version: BigInt(vectors.recordMac.version),
      body: hex(vectors.recordMac.body),
    });
    expect(mac.toString('hex')).toBe(vectors.recordMac.mac);
  });
});
