import { quoteIdentifier } from '../cql/index.ts';
import type { Assignment, DeleteTarget, Expression } from '../cql/index.ts';
import type { PartitionHandle, RowHandle, SealBatch } from '../crypto/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { native } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { BoundValue } from '../wire/index.ts';
import { columnParts } from './column_parts.ts';
import type { ColumnParts } from './column_parts.ts';
import type { Receiver } from './markers.ts';
import type { PartOperation } from './blind_parts.ts';
import { sealedPart, sealElement, sealKey, sealKeys, sealWhole } from './part_seal.ts';
import type { NonceSource, SealedParts } from './part_seal.ts';
import { columnContext } from './table_columns.ts';
import { compileTerm } from './terms.ts';
import type { TermScope, TermSource } from './terms.ts';
import type { CellAssignment } from './write_plan.ts';

/** How what a term gives is encrypted for a column of several cells. */
export interface PartWrite {
  /** Key of an entry of a map: a marker of its own. */
  readonly key?: TermSource;
  /** Queues a value, and the key where there is one; both are values, not null. */
  readonly seal: (
    batch: SealBatch,
    owner: RowHandle | PartitionHandle,
    value: Uint8Array,
    nonces?: NonceSource,
  ) => SealedParts;
  /** Of an entry of a map: queues key and value; `value` is null where the entry is deleted. */
  readonly sealEntry?: (
    batch: SealBatch,
    owner: RowHandle | PartitionHandle,
    key: Uint8Array,
    value: Uint8Array | null,
    nonces?: NonceSource,
  ) => { readonly key: SealedParts; readonly value: SealedParts | null };
}

/** One assignment of an UPDATE, or one target of a DELETE, on the stored table. */
export interface PlannedPart {
  /** `c = c + ?`, `m[?] = ?`; of a DELETE `m[?]`. */
  readonly text: string;
  /** Values that are not encrypted, before those of the cell: the index in a list. */
  readonly plain: readonly TermSource[];
  readonly cell: CellAssignment | undefined;
  /** What it does to a collection; `undefined` where no index has anything of it. */
  readonly operation?: PartOperation;
}

const INT = native('int');

/** How a whole value of a column of several cells is written; `undefined` for other columns. */
export function wholeWrite(table: TableEntry, column: ColumnEntry): PartWrite | undefined {
  const parts = columnParts(table, column);
  if (parts === undefined) return undefined;
  return { seal: (batch, owner, value, nonces) => sealWhole(batch, owner, parts, value, nonces) };
}

/**
 * Plans an assignment that is not `c = value`.
 * @throws InvalidRequestError as Cassandra for operations that the column's type does not have
 */
export function planPartAssignment(
  assignment: Exclude<Assignment, { readonly kind: 'set' }>,
  table: TableEntry,
  column: ColumnEntry,
  scope: TermScope,
): PlannedPart {
  const parts = columnParts(table, column);
  const name = quoteIdentifier(column.name);
  const cell = (source: TermSource, write: PartWrite): CellAssignment => ({
    column,
    context: columnContext(table, column),
    source,
    parts: write,
  });
  const term = (value: Expression, receiverName: string, type: CqlType): TermSource =>
    compileTerm(value, receiverOf(table, receiverName, type), scope);
  switch (assignment.kind) {
    case 'operation':
    case 'prepend': {
      if (parts === undefined || parts.kind === 'fields') throw noOperation(column);
      if (assignment.kind === 'prepend') {
        if (parts.kind !== 'list') {
          throw new InvalidRequestError(
            `Invalid operation (${name} = <value> + ${name}) for non list column ${column.name}`,
          );
        }
        const source = term(assignment.value, column.name, column.type);
        return {
          text: `${name} = ? + ${name}`,
          plain: [],
          cell: cell(source, whole(parts)),
          operation: 'prepend',
        };
      }
      const isKeys = parts.kind === 'map' && assignment.operator === '-';
      const type: CqlType = isKeys
        ? { kind: 'set', element: parts.keyType, frozen: false }
        : column.type;
      const source = term(assignment.value, column.name, type);
      const write: PartWrite = isKeys
        ? { seal: (batch, owner, value) => sealKeys(batch, owner, parts, value) }
        : whole(parts);
      return {
        text: `${name} = ${name} ${assignment.operator} ?`,
        plain: [],
        cell: cell(source, write),
        operation: assignment.operator === '-' ? 'remove' : 'append',
      };
    }
    case 'set_element': {
      if (parts?.kind === 'list') {
        const index = term(assignment.key, `idx(${column.name})`, INT);
        const source = term(assignment.value, `value(${column.name})`, parts.type);
        return {
          text: `${name}[?] = ?`,
          plain: [index],
          cell: cell(source, elementWrite(parts)),
          operation: 'put_at',
        };
      }
      if (parts?.kind !== 'map' || column.type.kind !== 'map') {
        throw new InvalidRequestError(
          `Invalid operation (${name}[<constant>] = <value>) for ${elementTarget(column)} column ${column.name}`,
        );
      }
      const key = term(assignment.key, `key(${column.name})`, parts.keyType);
      const source = term(assignment.value, `value(${column.name})`, column.type.value);
      return {
        text: `${name}[?] = ?`,
        plain: [],
        cell: cell(source, entryWrite(parts, key)),
        operation: 'put',
      };
    }
    case 'set_field': {
      if (column.type.kind !== 'udt') {
        throw new InvalidRequestError(
          `Invalid operation (${name}.${assignment.field.text} = <value>) for non-UDT column ${column.name}`,
        );
      }
      if (parts?.kind !== 'fields') {
        throw new InvalidRequestError(
          `Invalid operation (${name}.${assignment.field.text} = <value>) for frozen UDT column ${column.name}`,
        );
      }
      const index = column.type.fields.findIndex(
        ({ name: known }) => known === assignment.field.text,
      );
      const field = column.type.fields[index];
      const context = parts.fields[index];
      if (field === undefined || context === undefined) {
        throw new InvalidRequestError(
          `UDT column ${column.name} does not have a field named ${assignment.field.text}`,
        );
      }
      const source = term(assignment.value, `${column.name}.${field.name}`, field.type);
      return {
        text: `${name}.${quoteIdentifier(field.name)} = ?`,
        plain: [],
        cell: cell(source, {
          seal: (batch, owner, value) => sealedPart(batch.cell(owner, context, value)),
        }),
      };
    }
  }
}

/**
 * Plans what a DELETE removes of a column.
 * @throws InvalidRequestError as Cassandra for parts that the column does not have
 */
export function planPartDeletion(
  target: DeleteTarget,
  table: TableEntry,
  column: ColumnEntry,
  scope: TermScope,
): PlannedPart {
  const name = quoteIdentifier(column.name);
  const parts = columnParts(table, column);
  if (target.field !== undefined) {
    if (column.type.kind !== 'udt') {
      throw new InvalidRequestError(
        `Invalid field deletion operation for non-UDT column ${column.name}`,
      );
    }
    const field = target.field.text;
    if (parts === undefined) {
      throw new InvalidRequestError(
        `Frozen UDT column ${column.name} does not support field deletions`,
      );
    }
    if (!column.type.fields.some((known) => known.name === field)) {
      throw new InvalidRequestError(
        `UDT column ${column.name} does not have a field named ${field}`,
      );
    }
    return { text: `${name}.${quoteIdentifier(field)}`, plain: [], cell: undefined };
  }
  if (target.key === undefined) return { text: name, plain: [], cell: undefined };
  const { key } = target;
  const term = (receiverName: string, type: CqlType): TermSource =>
    compileTerm(key, receiverOf(table, receiverName, type), scope);
  const cell = (source: TermSource, seal: PartWrite['seal']): PlannedPart => ({
    text: `${name}[?]`,
    plain: [],
    cell: { column, context: columnContext(table, column), source, parts: { seal } },
    operation: 'delete',
  });
  switch (parts?.kind) {
    case 'list':
      return { text: `${name}[?]`, plain: [term(`idx(${column.name})`, INT)], cell: undefined };
    case 'set':
      return cell(term(`value(${column.name})`, parts.type), elementWrite(parts).seal);
    case 'map':
      return cell(term(`key(${column.name})`, parts.keyType), (batch, owner, value) =>
        sealedPart(sealKey(batch, owner, parts, value)),
      );
    default: {
      const { kind } = column.type;
      const isCollection = kind === 'list' || kind === 'set' || kind === 'map';
      throw new InvalidRequestError(
        `Invalid deletion operation for ${isCollection ? 'frozen' : 'non'} collection column ${column.name}`,
      );
    }
  }
}

function whole(parts: ColumnParts): PartWrite {
  return { seal: (batch, owner, value, nonces) => sealWhole(batch, owner, parts, value, nonces) };
}

function elementWrite(parts: ColumnParts & { readonly kind: 'list' | 'set' }): PartWrite {
  return {
    seal: (batch, owner, value) => sealedPart(sealElement(batch, owner, parts, value)),
  };
}

function entryWrite(parts: ColumnParts & { readonly kind: 'map' }, key: TermSource): PartWrite {
  return {
    key,
    seal: (batch, owner, value) => sealedPart(sealKey(batch, owner, parts, value)),
    sealEntry: (batch, owner, keyBytes, value, nonces) => {
      const handle = sealKey(batch, owner, parts, keyBytes);
      if (value === null) return { key: sealedPart(handle), value: null };
      const nonce = nonces?.([value])[0];
      const sealed = batch.mapValue(owner, parts.value, handle, value, nonce);
      return { key: sealedPart(handle), value: sealedPart(sealed) };
    },
  };
}

/** Values of one execution for a {@link PartWrite}. */
export interface BoundPart {
  readonly key: BoundValue | undefined;
  readonly value: BoundValue;
}

/** A part queued for sealing: what its markers get. */
export interface SealedPart {
  readonly key: SealedParts | null | typeof UNSET | undefined;
  readonly value: SealedParts | null | typeof UNSET;
  readonly count: number;
}

/** Queues a bound part; null and unset go to Cassandra as they are, which has its own words for them. */
export function sealPart(
  batch: SealBatch,
  owner: RowHandle | PartitionHandle,
  write: PartWrite,
  { key, value }: BoundPart,
  nonces?: NonceSource,
): SealedPart {
  if (write.sealEntry !== undefined) {
    // Cassandra refuses a key that is null or unset whatever the value is.
    if (key === undefined || key === null || key === UNSET) {
      return { key: key ?? null, value: null, count: 0 };
    }
    const isValue = value !== null && value !== UNSET;
    const sealed = write.sealEntry(batch, owner, key, isValue ? value : null, nonces);
    return {
      key: sealed.key,
      value: isValue ? sealed.value : value,
      count: isValue ? 2 : 1,
    };
  }
  if (value === null || value === UNSET) return { key: undefined, value, count: 0 };
  const sealed = write.seal(batch, owner, value, nonces);
  return { key: undefined, value: sealed, count: sealed.count };
}

function receiverOf(table: TableEntry, name: string, type: CqlType): Receiver {
  return { keyspace: table.keyspace, table: table.name, name, type };
}

function elementTarget({ type }: ColumnEntry): string {
  if (type.kind === 'set' && !type.frozen) return 'set';
  const isCollection = type.kind === 'list' || type.kind === 'set' || type.kind === 'map';
  return isCollection ? 'frozen collection' : 'non collection';
}

function noOperation(column: ColumnEntry): InvalidRequestError {
  const { kind } = column.type;
  const isFrozen = kind === 'list' || kind === 'set' || kind === 'map';
  return new InvalidRequestError(
    `Invalid operation on ${column.name}: it is ${isFrozen ? 'frozen' : 'neither a counter nor a collection'}`,
  );
}
