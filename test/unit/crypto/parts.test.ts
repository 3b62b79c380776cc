import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CellDek, KeyDek, OpenBatch, SealBatch } from '../../../src/crypto/index.ts';
import type { ColumnContext, ColumnPart, TableCipherKeys } from '../../../src/crypto/index.ts';
import { hex } from './support.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Dek {
  dek: string;
  id: string;
  epoch: number;
}
interface Parts {
  keyDek: Dek;
  cellDeks: Dek[];
  columns: Record<'pk' | 'ck' | 'set' | 'map' | 'list' | 'udt', string>;
  partition: string[];
  clustering: string[];
  elements: {
    column: 'set' | 'map' | 'list';
    kind: number;
    clustering: boolean;
    plain: string;
    stored: string;
  }[];
  values: {
    column: 'map' | 'udt';
    kind: number;
    suite: number;
    epoch: number;
    clustering: boolean;
    field?: number;
    key?: string;
    plain: string;
    stored: string;
  }[];
}

const file = new URL('../../vectors/crypto/format_v1_parts.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Parts;

function keysOf(activeEpoch: number): TableCipherKeys {
  const cells = vectors.cellDeks.map((v) => CellDek.derive(hex(v.dek), hex(v.id), v.epoch));
  const k = vectors.keyDek;
  return {
    keyDek: KeyDek.derive(hex(k.dek), hex(k.id), k.epoch),
    cellDek: cells.find((dek) => dek.epoch === activeEpoch) as CellDek,
    cellDekByEpoch: (epoch) => cells.find((dek) => dek.epoch === epoch),
    indexDek: () => undefined,
  };
}

const made = new Map<string, ColumnContext>();

function context(
  column: keyof Parts['columns'],
  isStatic: boolean,
  part: ColumnPart,
  padded = false,
  fieldIndex?: number,
): ColumnContext {
  const name = `${column} ${String(isStatic)} ${part} ${String(padded)} ${String(fieldIndex)}`;
  const known = made.get(name);
  if (known !== undefined) return known;
  const built: ColumnContext = {
    columnId: hex(vectors.columns[column]),
    kind: isStatic ? 'static' : 'regular',
    name,
    padded,
    part,
    ...(fieldIndex === undefined ? {} : { fieldIndex }),
  };
  made.set(name, built);
  return built;
}

const ELEMENT_PART = { set: 'set_element', map: 'map_key', list: 'list_element' } as const;

function elementContext(v: Parts['elements'][number]): ColumnContext {
  return context(v.column, (v.kind & 1) === 0, ELEMENT_PART[v.column]);
}

function valueContext(v: Parts['values'][number]): ColumnContext {
  const isStatic = (v.kind & 1) === 0;
  const padded = v.suite === 0x81;
  return v.key === undefined
    ? context('udt', isStatic, 'field', padded, v.field)
    : context('map', isStatic, 'map_value', padded);
}

describe('elements, fields and values of maps', () => {
  const partition = vectors.partition.map(hex);
  const clustering = vectors.clustering.map(hex);

  it.each([1, 0x0102])('the vectors are opened, with epoch %i active', (activeEpoch) => {
    const keys = keysOf(activeEpoch);
    const batch = new OpenBatch();
    const p = batch.partition(keys, partition);
    const withClustering = batch.row(p, clustering);
    const without = batch.row(p, []);
    const owner = (v: { kind: number; clustering: boolean }): typeof p | typeof without =>
      (v.kind & 1) === 0 ? p : v.clustering ? withClustering : without;
    const elements = vectors.elements.map((v) =>
      batch.openElement(owner(v), elementContext(v), hex(v.stored)),
    );
    const values = vectors.values.map((v) =>
      v.key === undefined
        ? batch.openCell(owner(v), valueContext(v), hex(v.stored))
        : batch.openMapValue(owner(v), valueContext(v), hex(v.key), hex(v.stored)),
    );
    batch.run();
    expect([...elements, ...values].map((handle) => toHex(batch.bytes(handle)))).toEqual(
      [...vectors.elements, ...vectors.values].map((v) => v.plain),
    );
    expect(vectors.values.length).toBeGreaterThan(150);
  });

  it('elements are made byte for byte', () => {
    const keys = keysOf(1);
    const batch = new SealBatch();
    const p = batch.storedPartition(keys, partition);
    const withClustering = batch.row(p, clustering);
    const without = batch.row(p, []);
    const handles = vectors.elements.map((v) => {
      const owner = (v.kind & 1) === 0 ? p : v.clustering ? withClustering : without;
      return batch.element(owner, elementContext(v), hex(v.plain));
    });
    batch.run();
    expect(handles.map((handle) => toHex(batch.cellBytes(handle)))).toEqual(
      vectors.elements.map((v) => v.stored),
    );
  });

  it('what is made in one batch is opened, by its page too', () => {
    const keys = keysOf(1);
    const seal = new SealBatch();
    const p = seal.storedPartition(keys, partition);
    const row = seal.row(p, clustering);
    const made = [p, row].map((owner) => {
      const isStatic = owner === p;
      const key = seal.element(owner, context('map', isStatic, 'map_key'), Buffer.from('key'));
      const valueOf = context('map', isStatic, 'map_value');
      const value = seal.mapValue(owner, valueOf, key, Buffer.from('value'));
      const field = context('udt', isStatic, 'field', false, 1);
      return { owner, isStatic, key, value, field: seal.cell(owner, field, Buffer.from('field')) };
    });
    seal.run();
    const stored = made.map(({ key, value, field }) => ({
      key: Buffer.from(seal.cellBytes(key)),
      value: Buffer.from(seal.cellBytes(value)),
      field: Buffer.from(seal.cellBytes(field)),
    }));
    const bytes = Buffer.concat(stored.flatMap(({ key, value, field }) => [key, value, field]));
    const open = new OpenBatch();
    const page = open.page(keys, {
      bytes,
      columnCount: 0,
      rowCount: 0,
      starts: new Int32Array(0),
      lengths: new Int32Array(0),
    });
    const partitionNumber = page.partition(partition);
    const owners = [partitionNumber, page.row(partitionNumber, clustering)];
    let at = 0;
    const handles = stored.flatMap(({ key, value, field }, i) => {
      const isStatic = i === 0;
      const owner = owners[i] as number;
      const keyAt = at;
      const valueAt = keyAt + key.length;
      const fieldAt = valueAt + value.length;
      at = fieldAt + field.length;
      return [
        page.elements(context('map', isStatic, 'map_key')).open(owner, keyAt, key.length),
        page
          .parts(context('map', isStatic, 'map_value'))
          .openMapValue(owner, keyAt, key.length, valueAt, value.length),
        page
          .parts(context('udt', isStatic, 'field', false, 1))
          .openField(owner, fieldAt, field.length),
      ];
    });
    open.run();
    const plain = handles.map((h) =>
      Buffer.from(page.output.subarray(page.startOf(h), page.startOf(h) + page.lengthOf(h))),
    );
    expect(plain.map(String)).toEqual(['key', 'value', 'field', 'key', 'value', 'field']);
  });

  const regular = (column: 'set' | 'map' | 'list' | 'udt'): Parts['values'][number] =>
    vectors.values.find(
      (v) =>
        v.column === column && v.clustering && v.suite === 1 && v.epoch === 1 && v.field !== 258,
    ) as Parts['values'][number];
  const element = vectors.elements.find(
    (v) => v.column === 'set' && v.clustering && v.plain !== '',
  ) as Parts['elements'][number];

  interface Place {
    readonly partition?: Buffer[];
    readonly clustering?: Buffer[];
  }

  function openElement(of: ColumnContext, stored: Buffer, place: Place = {}): () => void {
    return () => {
      const batch = new OpenBatch();
      const p = batch.partition(keysOf(1), place.partition ?? partition);
      const row = batch.row(p, place.clustering ?? clustering);
      batch.openElement(of.kind === 'static' ? p : row, of, stored);
      batch.run();
    };
  }

  it('an element elsewhere is not genuine: other row, partition, column, kind of collection, static', () => {
    const stored = hex(element.stored);
    const set = elementContext(element);
    expect(openElement(set, stored)).not.toThrow();
    const other = hex(vectors.elements[0]?.stored ?? '');
    for (const attempt of [
      openElement(set, stored, { clustering: [other] }),
      openElement(set, stored, { clustering: [] }),
      openElement(set, stored, { partition: [other] }),
      openElement(context('map', false, 'set_element'), stored),
      openElement(context('set', false, 'list_element'), stored),
      openElement(context('set', false, 'map_key'), stored),
      openElement(context('set', true, 'set_element'), stored),
    ]) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'CIPHERTEXT_TAG' }));
    }
  });

  it('an element with another head or length is refused', () => {
    const set = elementContext(element);
    const stored = hex(element.stored);
    const changed = (at: number): Buffer => {
      const copy = Buffer.from(stored);
      copy[at] = (copy[at] as number) ^ 1;
      return copy;
    };
    const codes = [0, 1, 2, 3].map((at) => {
      try {
        openElement(set, changed(at))();
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'opened';
    });
    expect(codes).toEqual([
      'CIPHERTEXT_VERSION',
      'CIPHERTEXT_SUITE',
      'CIPHERTEXT_EPOCH',
      'CIPHERTEXT_EPOCH',
    ]);
    for (let length = 0; length < 20; length++) {
      expect(openElement(set, stored.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'CIPHERTEXT_LENGTH' }),
      );
    }
  });

  it('the value of a map under another key, and a field in the place of another, are not genuine', () => {
    const mapValue = regular('map');
    const field = regular('udt');
    const otherKey = vectors.elements.find((v) => v.column === 'map' && v.clustering)?.stored ?? '';
    const attempt =
      (queue: (batch: OpenBatch, row: ReturnType<OpenBatch['row']>) => void) => () => {
        const batch = new OpenBatch();
        queue(batch, batch.row(batch.partition(keysOf(1), partition), clustering));
        batch.run();
      };
    const value = valueContext(mapValue);
    const key = hex(mapValue.key ?? '');
    expect(
      attempt((batch, row) => batch.openMapValue(row, value, key, hex(mapValue.stored))),
    ).not.toThrow();
    expect(
      attempt((batch, row) => batch.openMapValue(row, value, hex(otherKey), hex(mapValue.stored))),
    ).toThrow(expect.objectContaining({ code: 'CIPHERTEXT_TAG' }));
    const second = context('udt', false, 'field', false, 1);
    expect(
      attempt((batch, row) => batch.openCell(row, valueContext(field), hex(field.stored))),
    ).not.toThrow();
    expect(attempt((batch, row) => batch.openCell(row, second, hex(field.stored)))).toThrow(
      expect.objectContaining({ code: 'CIPHERTEXT_TAG' }),
    );
  });

  it('a part cannot be used as another one', () => {
    const batch = new SealBatch();
    const row = batch.row(batch.storedPartition(keysOf(1), partition), clustering);
    const value = Buffer.from('x');
    expect(() => batch.cell(row, context('set', false, 'set_element'), value)).toThrow();
    expect(() => batch.element(row, context('udt', false, 'field', false, 0), value)).toThrow();
    expect(() => batch.cell(row, context('map', false, 'map_value'), value)).toThrow();
    expect(() => batch.cell(row, context('udt', false, 'field'), value)).toThrow(
      'a field without its index',
    );
  });
});
