import type { CellHandle, PartitionHandle, RowHandle, SealBatch } from '../crypto/index.ts';
import {
  canonicalValue,
  packEntries,
  serializeList,
  serializeTuple,
  splitList,
  splitMap,
  splitTuple,
} from '../values/index.ts';
import type { ColumnParts } from './column_parts.ts';

/** A value of a column of several cells, or of one part of it, queued for sealing. */
export interface SealedParts {
  /** How many ciphertexts it has. */
  readonly count: number;
  /** The stored value, after the batch ran. */
  bytes(batch: SealBatch): Uint8Array;
}

type Owner = RowHandle | PartitionHandle;

/** Gives the nonces of values of a map that has an index; without one they are random. */
export type NonceSource = (values: readonly Uint8Array[]) => readonly Uint8Array[];

/** Queues a whole collection or user type: what a column is set to, or what is added to it or taken from it. */
export function sealWhole(
  batch: SealBatch,
  owner: Owner,
  parts: ColumnParts,
  value: Uint8Array,
  nonces?: NonceSource,
): SealedParts {
  switch (parts.kind) {
    case 'list': {
      // Elements keep their exact bytes, as Cassandra keeps and compares them.
      const handles = splitList(value).map((item) => batch.element(owner, parts.element, item));
      return {
        count: handles.length,
        bytes: (ran) => serializeList(handles.map((handle) => ran.cellBytes(handle))),
      };
    }
    case 'set':
      return sealElements(splitList(value, 'set'), (item) =>
        sealElement(batch, owner, parts, item),
      );
    case 'map': {
      const split = splitMap(value);
      const chosen = nonces?.(split.map(([, item]) => item));
      const entries = split.map(([key, item], at) => {
        const handle = sealKey(batch, owner, parts, key);
        return [handle, batch.mapValue(owner, parts.value, handle, item, chosen?.[at])] as const;
      });
      return {
        count: 2 * entries.length,
        bytes(ran) {
          const stored = entries.map(
            ([key, item]) => [ran.cellBytes(key), ran.cellBytes(item)] as const,
          );
          stored.sort(([a], [b]) => Buffer.compare(a, b));
          return packEntries(stored);
        },
      };
    }
    case 'fields': {
      let count = 0;
      const handles = splitTuple(parts.type, value).map((field, index) => {
        const context = parts.fields[index];
        if (field === null || context === undefined) return null;
        count++;
        return batch.cell(owner, context, field);
      });
      return {
        count,
        bytes: (ran) =>
          serializeTuple(handles.map((handle) => (handle === null ? null : ran.cellBytes(handle)))),
      };
    }
  }
}

/** Queues the keys that a map is to lose: a set for Cassandra. */
export function sealKeys(
  batch: SealBatch,
  owner: Owner,
  parts: ColumnParts & { readonly kind: 'map' },
  value: Uint8Array,
): SealedParts {
  return sealElements(splitList(value, 'set'), (key) => sealKey(batch, owner, parts, key));
}

/** Queues the key of a map: the representative of the values that Cassandra holds equal. */
export function sealKey(
  batch: SealBatch,
  owner: Owner,
  { keyType, key: context }: ColumnParts & { readonly kind: 'map' },
  key: Uint8Array,
): CellHandle {
  return batch.element(owner, context, canonicalValue(keyType, key));
}

/** Queues one element of a list or set. */
export function sealElement(
  batch: SealBatch,
  owner: Owner,
  { kind, type, element }: ColumnParts & { readonly kind: 'list' | 'set' },
  value: Uint8Array,
): CellHandle {
  return batch.element(owner, element, kind === 'set' ? canonicalValue(type, value) : value);
}

function sealElements(
  values: readonly Uint8Array[],
  seal: (value: Uint8Array) => CellHandle,
): SealedParts {
  const handles = values.map(seal);
  return {
    count: handles.length,
    bytes: (ran) =>
      serializeList(
        handles.map((handle) => ran.cellBytes(handle)).sort((a, b) => Buffer.compare(a, b)),
      ),
  };
}

/** One ciphertext as {@link SealedParts}. */
export function sealedPart(handle: CellHandle): SealedParts {
  return { count: 1, bytes: (ran) => ran.cellBytes(handle) };
}
