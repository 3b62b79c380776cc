import { OpenBatch } from '../crypto/index.ts';
import type { OpenHandle, TableCipherKeys } from '../crypto/index.ts';
import { columnParts, partBlinds } from '../encryption/index.ts';
import type { BlindIndex, ColumnParts, PartValue } from '../encryption/index.ts';
import { CiphertextError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import type { StoredCellWrite, StoredElement, StoredTableRow } from '../upstream/index.ts';
import { placeOf, ttlOf } from './row_places.ts';
import type { MissingBlinds, RowPlace } from './row_places.ts';

/** What is missing in the index of a column of several cells: {@link MissingBlinds}. */
export function missingPartBlinds(
  table: TableEntry,
  index: BlindIndex,
  keys: TableCipherKeys,
  rows: readonly StoredTableRow[],
): MissingBlinds {
  const parts = columnParts(table, index.column);
  const damaged: string[] = [];
  const writes: StoredCellWrite[] = [];
  if (parts === undefined) return { writes, damaged };
  for (const row of rows) {
    const place = placeOf(table, index, row);
    if (place === undefined) continue;
    const isStatic = place.clustering === null;
    const [elements = [], blinds = []] =
      (isStatic ? row.staticCollections : row.regularCollections) ?? [];
    if (elements.length === 0 && blinds.length === 0) continue;
    let expected: Buffer[];
    try {
      expected = expectedBlinds(index, parts, keys, place, elements);
    } catch (error) {
      if (!(error instanceof CiphertextError)) throw error;
      damaged.push(error.code);
      continue;
    }
    const found = { index, place, elements, expected, blinds };
    writes.push(...(parts.kind === 'list' ? missingInList(found) : missingByKey(found)));
  }
  return { writes, damaged };
}

/** What one row has. */
interface RowParts {
  readonly index: BlindIndex;
  readonly place: RowPlace;
  readonly elements: readonly StoredElement[];
  /** The blind value of each element. */
  readonly expected: readonly Buffer[];
  /** The elements of the hidden column. */
  readonly blinds: readonly StoredElement[];
}

/**
 * Of a set or map: blind values lie under the blind value itself or under the stored key, so that each has its place; what has
 * no element any more is deleted.
 */
function missingByKey({ index, place, elements, expected, blinds }: RowParts): StoredCellWrite[] {
  const isMap = index.column.type.kind === 'map';
  const present = new Map(
    blinds.map((blind) => [(blind.key ?? blind.value).toString('hex'), blind]),
  );
  const collection = index.hidden.name;
  const writes: StoredCellWrite[] = [];
  elements.forEach((element, at) => {
    const value = expected[at] as Buffer;
    const name = (element.key ?? value).toString('hex');
    const blind = present.get(name);
    present.delete(name);
    const isSame = blind?.value.equals(value) === true;
    if (isSame && blind.timestamp === element.timestamp) return;
    const ttl = ttlOf(element);
    if (ttl === undefined) return;
    const isLater = blind !== undefined && blind.timestamp > element.timestamp;
    const { timestamp } = isLater ? blind : element;
    const stored = storedForm(index, value);
    const write = { ...place, timestamp, ttl, cells: [] };
    writes.push(
      isMap && element.key !== undefined
        ? { ...write, entry: { map: collection, key: element.key, value: stored } }
        : { ...write, element: { collection, change: 'add', value: stored } },
    );
  });
  for (const blind of present.values()) {
    const value = isMap && blind.key !== undefined ? blind.key : storedForm(index, blind.value);
    writes.push({
      ...place,
      timestamp: blind.timestamp,
      ttl: 0,
      cells: [],
      element: { collection, change: 'delete', value },
    });
  }
  return writes;
}

/** Of a list: each element has a blind value of its write time, in any order. What is there beside them may stay. */
function missingInList({ index, place, elements, expected, blinds }: RowParts): StoredCellWrite[] {
  const nameOf = (value: Buffer, timestamp: bigint): string =>
    `${value.toString('hex')} ${String(timestamp)}`;
  const left = new Map<string, number>();
  for (const { value, timestamp } of blinds) {
    const name = nameOf(value, timestamp);
    left.set(name, (left.get(name) ?? 0) + 1);
  }
  return elements.flatMap((element, at): StoredCellWrite[] => {
    const value = expected[at] as Buffer;
    const name = nameOf(value, element.timestamp);
    const count = left.get(name) ?? 0;
    left.set(name, count - 1);
    const ttl = ttlOf(element);
    if (count > 0 || ttl === undefined) return [];
    return [
      {
        ...place,
        timestamp: element.timestamp,
        ttl,
        cells: [],
        element: {
          collection: index.hidden.name,
          change: 'add',
          value: storedForm(index, value),
        },
      },
    ];
  });
}

/** @throws CiphertextError when an element of the row is not genuine */
function expectedBlinds(
  index: BlindIndex,
  parts: ColumnParts,
  keys: TableCipherKeys,
  place: RowPlace,
  elements: readonly StoredElement[],
): Buffer[] {
  if (elements.length === 0 || parts.kind === 'fields') return [];
  const batch = new OpenBatch();
  const partition = batch.partition(keys, place.partition);
  const owner = place.clustering === null ? partition : batch.row(partition, place.clustering);
  const handles = elements.map(
    ({ key, value }): { readonly key?: OpenHandle; readonly value: OpenHandle } => {
      if (parts.kind !== 'map' || key === undefined) {
        const context = parts.kind === 'map' ? parts.key : parts.element;
        return { value: batch.openElement(owner, context, value) };
      }
      return {
        key: batch.openElement(owner, parts.key, key),
        value: batch.openMapValue(owner, parts.value, key, value),
      };
    },
  );
  batch.run();
  const plain = handles.map(({ key, value }): PartValue => ({
    key: key === undefined ? undefined : batch.bytes(key),
    value: batch.bytes(value),
  }));
  try {
    return partBlinds(index, parts, plain, keys).map((blind) => Buffer.from(blind));
  } finally {
    for (const { key, value } of plain) {
      key?.fill(0);
      value.fill(0);
    }
  }
}

/** As the driver takes it: columns of ascii take text. */
function storedForm({ hidden }: BlindIndex, value: Buffer): Buffer | string {
  return hidden.type.includes('ascii') ? value.toString('latin1') : value;
}
