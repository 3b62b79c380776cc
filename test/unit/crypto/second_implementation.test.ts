import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  CellDek,
  KeyDek,
  OpenBatch,
  SealBatch,
  deriveCatalogKeys,
  pagingSeal,
  preparedStatementId,
  randomId,
  randomSecret,
  rootMac,
  sealKeyStore,
} from '../../../src/crypto/index.ts';
import type { ColumnContext, OrderBits, TableCipherKeys } from '../../../src/crypto/index.ts';
import { hex, pattern, textBits } from './support.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const vectorFile = (name: string): string => join(repository, 'test/vectors/crypto', name);
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Dek {
  dek: string;
  id: string;
  epoch: number;
}
type CellColumn = 'value' | 'padded' | 'fixed' | 'count' | 'total';
interface Second {
  keyDek: Dek;
  cellDeks: Dek[];
  columns: Record<'pk0' | 'pk1' | 'text' | 'opaque' | CellColumn, string>;
  partition: { plain: string[]; stored: string[] };
  ordered: { plain: string; orderBits: string; orderBitLength: number; stored: string }[];
  opaque: { plain: string; stored: string }[];
  clustering: string[];
  cells: {
    column: CellColumn;
    clustering: boolean;
    plain: string;
    stored: string;
  }[];
  rootMac: { catalogKey: string; clusterId: string; root: string; mac: string };
  prepared: { keyspace: string | null; text: string; id: string }[];
}

const second = JSON.parse(readFileSync(vectorFile('format_v1_second.json'), 'utf8')) as Second;

const encodings = new Map<string, OrderBits>(
  second.ordered.map((v) => [v.plain, { bytes: hex(v.orderBits), bitLength: v.orderBitLength }]),
);
const context = (column: keyof Second['columns'], kind: ColumnContext['kind']): ColumnContext => ({
  columnId: hex(second.columns[column]),
  kind,
  name: `k.t.${column}`,
  padded: column === 'padded',
  orderBits: (canonical) => encodings.get(toHex(canonical)) as OrderBits,
});
const contexts = {
  pk0: context('pk0', 'partition'),
  pk1: context('pk1', 'partition'),
  text: context('text', 'ordered'),
  opaque: context('opaque', 'opaque'),
  value: context('value', 'regular'),
  padded: context('padded', 'regular'),
  fixed: context('fixed', 'static'),
  count: context('count', 'counter'),
  total: context('total', 'static_counter'),
};

function keysOf(): TableCipherKeys {
  const cells = second.cellDeks.map((v) => CellDek.derive(hex(v.dek), hex(v.id), v.epoch));
  const k = second.keyDek;
  return {
    keyDek: KeyDek.derive(hex(k.dek), hex(k.id), k.epoch),
    cellDek: cells[0] as CellDek,
    cellDekByEpoch: (epoch) => cells.find((dek) => dek.epoch === epoch),
    indexDek: () => undefined,
  };
}

describe('vectors of the second implementation', () => {
  const keys = keysOf();
  const stored = second.partition.stored.map(hex);

  it('keys are made byte for byte', () => {
    const batch = new SealBatch();
    const [a, b] = second.partition.plain.map(hex) as [Buffer, Buffer];
    const p = batch.partition(keys, [
      { context: contexts.pk0, value: a },
      { context: contexts.pk1, value: b },
    ]);
    const ordered = second.ordered.map((v) => batch.clustering(p, contexts.text, hex(v.plain)));
    const opaque = second.opaque.map((v) => batch.clustering(p, contexts.opaque, hex(v.plain)));
    batch.run();
    expect(batch.partitionComponents(p).map(toHex)).toEqual(second.partition.stored);
    expect(ordered.map((h) => toHex(batch.clusteringBytes(h)))).toEqual(
      second.ordered.map((v) => v.stored),
    );
    expect(opaque.map((h) => toHex(batch.clusteringBytes(h)))).toEqual(
      second.opaque.map((v) => v.stored),
    );
  });

  it('order encodings of the vectors are those of text', () => {
    for (const v of second.ordered) {
      const bits = textBits(hex(v.plain));
      expect([toHex(bits.bytes), bits.bitLength]).toEqual([v.orderBits, v.orderBitLength]);
    }
  });

  it('keys and cells are opened, of both epochs, with and without clustering columns', () => {
    const batch = new OpenBatch();
    const p = batch.partition(keys, stored);
    const withClustering = batch.row(p, second.clustering.map(hex));
    const without = batch.row(p, []);
    const ordered = second.ordered.map((v) =>
      batch.openClustering(p, contexts.text, hex(v.stored)),
    );
    const opaque = second.opaque.map((v) =>
      batch.openClustering(p, contexts.opaque, hex(v.stored)),
    );
    const cells = second.cells.map((v) => {
      const isStatic = v.column === 'fixed' || v.column === 'total';
      const owner = isStatic ? p : v.clustering ? withClustering : without;
      return batch.openCell(owner, contexts[v.column], hex(v.stored));
    });
    batch.run();
    const opened = [...ordered, ...opaque, ...cells].map((h) => toHex(batch.bytes(h)));
    expect(opened).toEqual(
      [...second.ordered, ...second.opaque, ...second.cells].map((v) => v.plain),
    );
    expect(second.cells.length).toBeGreaterThan(100);
  });

  it('root MAC and statement ids', () => {
    const v = second.rootMac;
    const catalog = deriveCatalogKeys(hex(v.catalogKey), hex(v.clusterId));
    expect(toHex(rootMac(catalog.root, hex(v.clusterId), hex(v.root)))).toBe(v.mac);
    for (const { keyspace, text, id } of second.prepared) {
      expect(toHex(preparedStatementId(keyspace ?? undefined, text))).toBe(id);
    }
  });
});

/** A Python with the package the second implementation needs; made in .cache when the machine has none. */
function python(): string {
  const usable = (command: string): boolean => {
    try {
      execFileSync(command, ['-c', 'import cryptography.hazmat.primitives.ciphers.aead'], {
        stdio: 'ignore',
      });
      return true;
    } catch {
      return false;
    }
  };
  if (usable('python3')) return 'python3';
  const venv = join(repository, '.cache/second_implementation');
  const command = join(venv, 'bin/python');
  if (!existsSync(command) || !usable(command)) {
    execFileSync('python3', ['-m', 'venv', venv], { stdio: 'ignore' });
    const requirements = join(repository, 'test/second_implementation/requirements.txt');
    execFileSync(command, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
  }
  return command;
}

/** Values just made under random keys, with everything needed to check them elsewhere. */
function freshValues(): unknown {
  const dek = (): Dek => ({ dek: toHex(randomSecret(32)), id: toHex(randomId()), epoch: 513 });
  const [k, c] = [dek(), dek()];
  const cellDek = CellDek.derive(hex(c.dek), hex(c.id), c.epoch);
  const keys: TableCipherKeys = {
    keyDek: KeyDek.derive(hex(k.dek), hex(k.id), k.epoch),
    cellDek,
    cellDekByEpoch: () => cellDek,
    indexDek: () => undefined,
  };
  const lengths = [0, 1, 15, 16, 17, 40, 100, 1300];
  const batch = new SealBatch();
  const queued = Array.from({ length: 48 }, (_, i) => {
    const length = lengths[i % lengths.length] as number;
    const plain = pattern(Math.min(length, 100), i);
    const value = pattern(length, i + 1);
    const p = batch.partition(keys, [{ context: contexts.pk0, value: plain }]);
    const text: ColumnContext = { ...contexts.text, orderBits: textBits };
    const clustering = [text, contexts.opaque].slice(0, i % 3);
    const handles = clustering.map((column) => batch.clustering(p, column, plain));
    const row = batch.row(p, handles);
    const columns = [contexts.value, contexts.padded, contexts.fixed];
    const cells = columns.map((column) =>
      batch.cell(column.kind === 'static' ? p : row, column, value),
    );
    return { p, plain, value, clustering, handles, columns, cells };
  });
  batch.run();
  const rows = queued.map(({ p, plain, value, clustering, handles, columns, cells }) => ({
    partition: [
      {
        column: second.columns.pk0,
        plain: toHex(plain),
        stored: toHex(batch.partitionComponents(p)[0] as Uint8Array),
      },
    ],
    clustering: clustering.map((column, i) => ({
      column: toHex(column.columnId),
      plain: toHex(plain),
      stored: toHex(batch.clusteringBytes(handles[i] as (typeof handles)[number])),
      ...(column.kind === 'ordered'
        ? { orderBits: toHex(textBits(plain).bytes), orderBitLength: textBits(plain).bitLength }
        : {}),
    })),
    cells: columns.map((column, i) => ({
      column: toHex(column.columnId),
      kind: column.kind === 'static' ? 0x10 : 0x11,
      suite: column.padded ? 0x81 : 1,
      plain: toHex(value),
      stored: toHex(batch.cellBytes(cells[i] as (typeof cells)[number])),
    })),
  }));
  const [rootKey, catalogKey, clusterId] = [randomSecret(32), randomSecret(32), randomId()];
  const data = [pattern(5, 1), pattern(32, 2)];
  const content = pattern(50, 3);
  const catalog = deriveCatalogKeys(catalogKey, clusterId);
  return {
    keyDek: k,
    cellDek: c,
    rows,
    keyStore: {
      rootKey: toHex(rootKey),
      content: toHex(content),
      sealed: toHex(sealKeyStore(rootKey, 3n, content)),
    },
    paging: {
      catalogKey: toHex(catalogKey),
      clusterId: toHex(clusterId),
      data: data.map(toHex),
      content: toHex(content),
      state: toHex(pagingSeal(catalog.paging, data, content)),
    },
  };
}

describe('second implementation', () => {
  it('agrees with the vectors and opens what was just made', { timeout: 180_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cqlock-second-'));
    try {
      const made = join(folder, 'made.json');
      writeFileSync(made, JSON.stringify(freshValues()));
      const script = join(repository, 'test/second_implementation/check_vectors.py');
      const args = ['-B', script, vectorFile('format_v1.json'), made];
      const checked = execFileSync(python(), args, { encoding: 'utf8' });
      // 12 of the vectors; 48 rows of a partition key, 0 to 2 clustering values and 3 cells; key store, paging state.
      expect(Number(checked)).toBe(12 + 48 * (1 + 3) + 16 * (0 + 1 + 2) + 2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
