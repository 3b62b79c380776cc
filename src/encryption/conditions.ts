import { quoteIdentifier } from '../cql/index.ts';
import type { BindMarker, Condition, Expression } from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { isMultiCell, packEntries, serializeList, serializeTuple } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import { UNSET } from '../wire/index.ts';
import { compileInList } from './in_list.ts';
import type { Receiver } from './markers.ts';
import {
  compareSides,
  conditionTarget,
  containedType,
  contains,
  normalised,
} from './part_conditions.ts';
import type { ConditionTarget } from './part_conditions.ts';
import { requireColumn } from './table_columns.ts';
import { compileTerm } from './terms.ts';
import type { TermContext, TermScope, TermSource } from './terms.ts';

/** Whether the logical value of a cell, null where there is none, meets a condition. */
export type BoundCondition = (cell: Uint8Array | null) => boolean;

/** One condition of a lightweight transaction; it is judged on the logical value of the whole column. */
export interface ColumnCondition {
  readonly column: ColumnEntry;
  /** The condition on the stored column, for Cassandra's own validation. */
  readonly validationText: string;
  /** Evaluates the condition's own values. @throws InvalidRequestError as Cassandra for wrong ones. */
  readonly bind: (context: TermContext) => BoundCondition;
}

/** Bytes that no stored cell can be: every cell begins with the version of the format. */
const NO_CELL: Uint8Array = Buffer.of(0);

/** What the column of a condition is compared with so that it never holds. */
export function impossibleValue({ type }: ColumnEntry): Uint8Array {
  if (!isMultiCell(type)) return NO_CELL;
  switch (type.kind) {
    case 'map':
      return packEntries([[NO_CELL, NO_CELL]]);
    case 'udt':
      return serializeTuple([NO_CELL]);
    default:
      return serializeList([NO_CELL]);
  }
}

/**
 * Compiles the conditions of a lightweight transaction.
 * @throws InvalidRequestError as Cassandra for conditions that a column cannot have
 */
export function compileConditions(
  conditions: readonly Condition[],
  table: TableEntry,
  scope: TermScope,
): ColumnCondition[] {
  return conditions.map((condition) => {
    const column = requireColumn(table, condition.column);
    if (column.kind === 'partition' || column.kind === 'clustering') {
      throw new InvalidRequestError(
        `PRIMARY KEY column '${column.name}' cannot have IF conditions`,
      );
    }
    const { operator } = condition;
    if (operator === 'CONTAINS' || operator === 'CONTAINS KEY') {
      return containsCondition(condition, operator, table, column, scope);
    }
    const target = conditionTarget(condition, table, column, scope);
    const { receiver } = target;
    if (operator === 'IN') {
      const values = inValues(condition.value, receiver, scope);
      return {
        column,
        validationText: `${target.text} IN ?`,
        bind: (context) => {
          const part = target.bind(context);
          const wanted = values(context).map((value) => normalised(target, value));
          return (cell) => {
            const own = part(cell);
            return wanted.some((value) => isSatisfied('=', target, own, value));
          };
        },
      };
    }
    const isSlice = operator !== '=' && operator !== '!=';
    if (isSlice) refuseDurations(target.type, operator);
    const source = compileTerm(single(condition.value), receiver, scope);
    return {
      column,
      validationText: `${target.text} ${operator} ?`,
      bind: (context) => {
        const part = target.bind(context);
        const value = source(context);
        if (value === UNSET) throw new InvalidRequestError("Invalid 'unset' value in condition");
        const wanted = normalised(target, value);
        if (wanted === null && isSlice) {
          const what = value === null ? 'null' : `an empty ${target.type.kind}`;
          // As Cassandra, only when it is this condition's turn: one before it may not hold.
          return () => {
            throw new InvalidRequestError(
              `Invalid comparison with ${what} for operator "${operator}"`,
            );
          };
        }
        return (cell) => isSatisfied(operator, target, part(cell), wanted);
      },
    };
  });
}

function containsCondition(
  condition: Condition,
  operator: 'CONTAINS' | 'CONTAINS KEY',
  table: TableEntry,
  column: ColumnEntry,
  scope: TermScope,
): ColumnCondition {
  const { type, name } = containedType(operator, column);
  const receiver = { keyspace: table.keyspace, table: table.name, name, type };
  const source = compileTerm(single(condition.value), receiver, scope);
  return {
    column,
    // A column of one cell is a blob for Cassandra, which holds nothing.
    validationText: `${quoteIdentifier(column.name)} ${isMultiCell(column.type) ? operator : '='} ?`,
    bind: (context) => {
      const value = source(context);
      if (value === UNSET) throw new InvalidRequestError("Invalid 'unset' value in condition");
      if (value === null) {
        throw new InvalidRequestError(`Invalid comparison with null for operator "${operator}"`);
      }
      return (cell) => contains(operator, column.type, cell, value);
    },
  };
}

function single(value: Condition['value']): Expression {
  if ('kind' in value) return value;
  throw new InvalidRequestError('a condition other than IN takes one value');
}

/** Null and null are equal; a value and null are only ever different. Spec: Cassandra 5.0, ColumnCondition */
function isSatisfied(
  operator: '=' | '!=' | '<' | '<=' | '>' | '>=',
  target: Pick<ConditionTarget, 'type' | 'keyType'>,
  cell: Uint8Array | null,
  value: Uint8Array | null,
): boolean {
  if (cell === null || value === null) {
    return operator === '!=' ? cell !== value : operator === '=' && cell === value;
  }
  const order = compareSides(target, operator === '=' || operator === '!=', cell, value);
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

function inValues(
  value: Condition['value'],
  receiver: Receiver,
  scope: TermScope,
): (context: TermContext) => (Uint8Array | null)[] {
  const name = `in(${receiver.name})`;
  if (isMarker(value)) {
    const source = compileInList(value, receiver, name, scope);
    return (context) => {
      const list = source(context);
      if (list === null || list === UNSET) {
        throw new InvalidRequestError(
          list === null ? 'Invalid null list in IN condition' : `Invalid unset value for ${name}`,
        );
      }
      return list;
    };
  }
  const expressions = 'kind' in value ? [value] : value;
  const sources: TermSource[] = expressions.map((item) => compileTerm(item, receiver, scope));
  return (context) =>
    sources.flatMap((source) => {
      const item = source(context);
      return item === UNSET ? [] : [item];
    });
}

function isMarker(value: Condition['value']): value is BindMarker {
  return 'kind' in value && value.kind === 'bind';
}

/** Cassandra's refusal, which it cannot make where the stored type is blob. */
function refuseDurations(type: CqlType, operator: string): void {
  const what = durationsIn(type);
  if (what === undefined) return;
  throw new InvalidRequestError(`Slice conditions ( ${operator} ) are not supported on ${what}`);
}

function durationsIn(type: CqlType): string | undefined {
  if (!hasDuration(type)) return undefined;
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'map':
      return 'collections containing durations';
    case 'tuple':
      return 'tuples containing durations';
    case 'udt':
      return 'UDT containing durations';
    default:
      return 'durations';
  }
}

function hasDuration(type: CqlType): boolean {
  switch (type.kind) {
    case 'native':
      return type.name === 'duration';
    case 'list':
    case 'set':
    case 'vector':
      return hasDuration(type.element);
    case 'map':
      return hasDuration(type.key) || hasDuration(type.value);
    case 'tuple':
      return type.elements.some(hasDuration);
    case 'udt':
      return type.fields.some((field) => hasDuration(field.type));
    default:
      return false;
  }
}
