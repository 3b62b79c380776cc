import { InvalidRequestError } from '../../errors/index.ts';
import {
  compareValues,
  printType,
  serializeMap,
  serializeSet,
  splitList,
  splitMap,
  splitTuple,
} from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';

/**
 * A field of a user type.
 * @param shown the expression it is taken from, for messages
 * @throws InvalidRequestError in Cassandra's words
 */
export function fieldOf(
  type: CqlType | undefined,
  field: string,
  shown: string,
): {
  readonly type: CqlType;
  /** Index among the fields. */
  readonly position: number;
  readonly extract: (bytes: Uint8Array) => Uint8Array | null;
} {
  if (type?.kind !== 'udt') {
    throw new InvalidRequestError(
      `Invalid field selection: ${shown} of type ${type === undefined ? 'unknown' : printType(type)} is not a user type`,
    );
  }
  const position = type.fields.findIndex(({ name }) => name === field);
  const found = type.fields[position];
  if (found === undefined) {
    throw new InvalidRequestError(`${shown} of type ${printType(type)} has no field ${field}`);
  }
  const extract = (bytes: Uint8Array): Uint8Array | null =>
    splitTuple(type, bytes)[position] ?? null;
  return { type: found.type, position, extract };
}

/** How the elements of a set or map are found. */
export interface Elements {
  readonly collection: CqlType;
  readonly key: CqlType;
  /** Type of what an element selection gives. */
  readonly value: CqlType;
  /** What elements are found by, in order. */
  readonly keys: (bytes: Uint8Array) => readonly Uint8Array[];
  readonly find: (bytes: Uint8Array, key: Uint8Array) => Uint8Array | null;
  /** The part between two keys, both included; `undefined` has no end. */
  readonly between: (
    bytes: Uint8Array,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
  ) => Uint8Array | null;
}

/** @throws InvalidRequestError in Cassandra's words for what has no elements that can be selected */
export function elementOf(
  type: CqlType | undefined,
  shown: string,
  what: 'Element' | 'Slice',
): Elements {
  if (type?.kind === 'list') {
    throw new InvalidRequestError(
      `${what} selection is only allowed on sets and maps, but ${shown} is a list`,
    );
  }
  if (type?.kind === 'map') {
    const { key, value } = type;
    return {
      collection: type,
      key,
      value,
      keys: (bytes) => splitMap(bytes).map(([own]) => own),
      find: (bytes, wanted) =>
        splitMap(bytes).find(([own]) => compareValues(key, own, wanted) === 0)?.[1] ?? null,
      between: (bytes, from, to) => {
        const kept = splitMap(bytes).filter(([own]) => isBetween(key, own, from, to));
        return kept.length === 0 && !type.frozen ? null : serializeMap(key, kept);
      },
    };
  }
  if (type?.kind === 'set') {
    const { element } = type;
    return {
      collection: type,
      key: element,
      value: element,
      keys: (bytes) => splitList(bytes, 'set'),
      find: (bytes, wanted) =>
        splitList(bytes, 'set').find((own) => compareValues(element, own, wanted) === 0) ?? null,
      between: (bytes, from, to) => {
        const kept = splitList(bytes, 'set').filter((own) => isBetween(element, own, from, to));
        return kept.length === 0 && !type.frozen ? null : serializeSet(element, kept);
      },
    };
  }
  const text = type === undefined ? 'unknown' : printType(type);
  throw new InvalidRequestError(
    what === 'Element'
      ? `Invalid element selection: ${shown} is of type ${text} is not a collection`
      : `Invalid slice selection: ${shown} of type ${text} is not a collection`,
  );
}

function isBetween(
  type: CqlType,
  value: Uint8Array,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
): boolean {
  if (from !== undefined && compareValues(type, value, from) < 0) return false;
  return to === undefined || compareValues(type, value, to) <= 0;
}
