import { quoteIdentifier } from '../cql/index.ts';
import type { Condition, Expression } from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import {
  compareValues,
  isMultiCell,
  native,
  splitList,
  splitMap,
  splitTuple,
} from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import type { Receiver } from './markers.ts';
import { compileTerm } from './terms.ts';
import type { TermContext, TermScope, TermSource } from './terms.ts';

/** What a condition looks at: the whole column, or what it finds inside of it. */
export interface ConditionTarget {
  /** What the value of the condition is compared with. */
  readonly type: CqlType;
  /** Of the value of a map: the type of its keys, whose order Cassandra compares values by. */
  readonly keyType: CqlType | undefined;
  /** Whether it is a whole collection of several cells, for which empty is null. */
  readonly isWholeCollection: boolean;
  /** Receiver of the condition's value. */
  readonly receiver: Receiver;
  /** The left side in the statement for Cassandra's own validation. */
  readonly text: string;
  /** Evaluates the target's own terms. @returns takes the part out of the logical value of the column. */
  readonly bind: (context: TermContext) => (cell: Uint8Array | null) => Uint8Array | null;
}

const INT = native('int');

/**
 * The target of a condition.
 * @throws InvalidRequestError as Cassandra for parts that the column does not have
 */
export function conditionTarget(
  condition: Condition,
  table: TableEntry,
  column: ColumnEntry,
  scope: TermScope,
): ConditionTarget {
  const name = quoteIdentifier(column.name);
  const { type } = column;
  // A frozen value is one blob to Cassandra, which has no part of it to judge.
  const part = (suffix: string): string => (isMultiCell(type) ? `${name}${suffix}` : name);
  const receiver = (own: string, of: CqlType): Receiver => ({
    keyspace: table.keyspace,
    table: table.name,
    name: own,
    type: of,
  });
  if (condition.field !== undefined) {
    const field = condition.field.text;
    if (type.kind !== 'udt')
      throw new InvalidRequestError(
        `Invalid field access ${field} on non-UDT column ${column.name}`,
      );
    const index = type.fields.findIndex((known) => known.name === field);
    const found = type.fields[index];
    if (found === undefined) {
      throw new InvalidRequestError(
        `Undefined field ${field} for column ${column.name} of type ${type.name}`,
      );
    }
    return {
      type: found.type,
      keyType: undefined,
      isWholeCollection: false,
      receiver: receiver(`${column.name}.${field}`, found.type),
      text: part(`.${quoteIdentifier(field)}`),
      bind: () => (cell) => (cell === null ? null : (splitTuple(type, cell)[index] ?? null)),
    };
  }
  if (condition.key === undefined) {
    return {
      type,
      keyType: undefined,
      isWholeCollection: isMultiCell(type) && type.kind !== 'udt',
      receiver: receiver(column.name, type),
      text: name,
      bind: () => (cell) => cell,
    };
  }
  if (type.kind === 'list') {
    const key = term(condition.key, receiver(`idx(${column.name})`, INT), scope);
    return {
      type: type.element,
      keyType: undefined,
      isWholeCollection: false,
      receiver: receiver(`value(${column.name})`, type.element),
      text: part('[?]'),
      bind: (context) => {
        const bytes = keyOf(key(context), 'list index');
        const index = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt32(0);
        if (index < 0) throw new InvalidRequestError(`Invalid negative list index <constant>`);
        return (cell) => (cell === null ? null : (splitList(cell)[index] ?? null));
      },
    };
  }
  if (type.kind === 'map') {
    const key = term(condition.key, receiver(`key(${column.name})`, type.key), scope);
    return {
      type: type.value,
      keyType: type.key,
      isWholeCollection: false,
      receiver: receiver(`value(${column.name})`, type.value),
      text: part('[?]'),
      bind: (context) => {
        const wanted = keyOf(key(context), 'map key');
        return (cell) => {
          const entries = cell === null ? [] : splitMap(cell);
          return entries.find(([own]) => compareValues(type.key, own, wanted) === 0)?.[1] ?? null;
        };
      },
    };
  }
  throw new InvalidRequestError(
    `Invalid element access syntax for non-${type.kind === 'set' ? 'map' : 'collection'} column ${column.name}`,
  );
}

function term(expression: Expression, receiver: Receiver, scope: TermScope): TermSource {
  return compileTerm(expression, receiver, scope);
}

function keyOf(value: ReturnType<TermSource>, what: string): Uint8Array {
  if (value === null)
    throw new InvalidRequestError(`Invalid null value for ${what} element access`);
  if (value === UNSET)
    throw new InvalidRequestError(`Invalid unset value for ${what} element access`);
  return value;
}

const BYTES_ORDERED: ReadonlySet<string> = new Set(['ascii', 'blob', 'text']);

/**
 * Compares the two sides of a condition. Values of maps Cassandra compares by the type of the keys: with keys of text by their
 * bytes, so 1.0 and 1.00 differ there. With other keys values that differ in bytes are not equal, and ordered by their own type.
 */
export function compareSides(
  { type, keyType }: Pick<ConditionTarget, 'type' | 'keyType'>,
  isEquality: boolean,
  cell: Uint8Array,
  value: Uint8Array,
): number {
  const isBytes =
    keyType !== undefined &&
    (isEquality || (keyType.kind === 'native' && BYTES_ORDERED.has(keyType.name)));
  return isBytes ? Buffer.compare(cell, value) : compareValues(type, cell, value);
}

/** The value that a whole collection is compared with: empty is null. */
export function normalised(
  { type, isWholeCollection }: Pick<ConditionTarget, 'type' | 'isWholeCollection'>,
  value: Uint8Array | null,
): Uint8Array | null {
  if (!isWholeCollection || value === null) return value;
  const items = type.kind === 'map' ? splitMap(value) : splitList(value);
  return items.length === 0 ? null : value;
}

/** Type of the values that CONTAINS and CONTAINS KEY look for. @throws InvalidRequestError where there are none */
export function containedType(
  operator: 'CONTAINS' | 'CONTAINS KEY',
  column: ColumnEntry,
): { readonly type: CqlType; readonly name: string } {
  const { type } = column;
  if (operator === 'CONTAINS KEY') {
    if (type.kind === 'map') return { type: type.key, name: `key(${column.name})` };
  } else if (type.kind === 'list' || type.kind === 'set') {
    return { type: type.element, name: `value(${column.name})` };
  } else if (type.kind === 'map') {
    return { type: type.value, name: `value(${column.name})` };
  }
  throw new InvalidRequestError(
    `Cannot use ${operator} on non-${operator === 'CONTAINS' ? 'collection' : 'map'} column ${column.name}`,
  );
}

/** Whether a collection has an element, value or key that Cassandra holds equal to `value`. */
export function contains(
  operator: 'CONTAINS' | 'CONTAINS KEY',
  type: CqlType,
  cell: Uint8Array | null,
  value: Uint8Array,
): boolean {
  if (cell === null) return false;
  if (type.kind === 'map') {
    const at = operator === 'CONTAINS KEY' ? 0 : 1;
    const of = at === 0 ? type.key : type.value;
    return splitMap(cell).some((entry) => compareValues(of, entry[at], value) === 0);
  }
  if (type.kind !== 'list' && type.kind !== 'set') return false;
  const { element } = type;
  return splitList(cell, type.kind).some((item) => compareValues(element, item, value) === 0);
}
