import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { isMultiCell, printType, referencesDuration } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import type { Receiver } from './markers.ts';

/**
 * Refuses relations that the column's type does not have, which Cassandra cannot see on the stored column.
 * Spec: SingleColumnRelation.toReceivers of Cassandra 5.0.
 * @throws InvalidRequestError in Cassandra's words
 */
export function refuseRelation(column: ColumnEntry, operator: string): void {
  const { name, type } = column;
  const isCollection = type.kind === 'list' || type.kind === 'set' || type.kind === 'map';
  const isSlice = operator.startsWith('<') || operator.startsWith('>');
  if (isSlice && referencesDuration(type)) {
    const what = isCollection
      ? 'collections containing durations'
      : type.kind === 'tuple'
        ? 'tuples containing durations'
        : type.kind === 'udt'
          ? 'UDTs containing durations'
          : 'duration columns';
    throw new InvalidRequestError(`Slice restrictions are not supported on ${what}`);
  }
  if (operator === 'CONTAINS KEY' && type.kind !== 'map') {
    throw new InvalidRequestError(`Cannot use CONTAINS KEY on non-map column ${name}`);
  }
  if (operator === 'CONTAINS' && !isCollection) {
    throw new InvalidRequestError(`Cannot use CONTAINS on non-collection column ${name}`);
  }
  if (!isMultiCell(type)) return;
  if (type.kind === 'udt') {
    throw new InvalidRequestError(
      `Non-frozen UDT column '${name}' (${printType(type)}) cannot be restricted by any relation`,
    );
  }
  if (operator !== 'CONTAINS' && operator !== 'CONTAINS KEY') {
    throw new InvalidRequestError(
      `Collection column '${name}' (${printType(type)}) cannot be restricted by a '${operator}' relation`,
    );
  }
}

/** What the value of CONTAINS or CONTAINS KEY is compared with. */
export function containsReceiver(table: TableEntry, column: ColumnEntry, isKey: boolean): Receiver {
  const { type } = column;
  if (type.kind === 'map') {
    return isKey
      ? partOf(table, `key(${column.name})`, type.key)
      : partOf(table, `value(${column.name})`, type.value);
  }
  const element = type.kind === 'list' || type.kind === 'set' ? type.element : type;
  return partOf(table, `value(${column.name})`, element);
}

/**
 * Key and value of `column[key] = value`.
 * @throws InvalidRequestError in Cassandra's words for what is no such restriction of a map
 */
export function elementReceivers(
  table: TableEntry,
  column: ColumnEntry,
  operator: string,
): { readonly key: Receiver; readonly value: Receiver } {
  const { name, type } = column;
  if (type.kind === 'list') {
    throw new InvalidRequestError(
      `Indexes on list entries (${name}[index] = value) are not currently supported.`,
    );
  }
  if (type.kind !== 'map') {
    throw new InvalidRequestError(`Column ${name} cannot be used as a map`);
  }
  if (!isMultiCell(type)) {
    throw new InvalidRequestError(
      `Map-entry equality predicates on frozen map column ${name} are not supported`,
    );
  }
  if (operator !== '=') {
    throw new InvalidRequestError('Only EQ relations are supported on map entries');
  }
  return {
    key: partOf(table, `key(${name})`, type.key),
    value: partOf(table, `value(${name})`, type.value),
  };
}

function partOf(table: TableEntry, name: string, type: CqlType): Receiver {
  return { keyspace: table.keyspace, table: table.name, name, type };
}
