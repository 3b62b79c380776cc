import { quoteIdentifier } from '../cql/index.ts';
import type {
  Assignment,
  DeleteStatement,
  Expression,
  ModificationStatement,
  UpdateStatement,
} from '../cql/index.ts';
import { InvalidRequestError } from '../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../schema/index.ts';
import { UNSET } from '../wire/index.ts';
import { analyseWhere } from './restrictions.ts';
import { columnContext, isCounter, requireColumn } from './table_columns.ts';
import { compileTerm } from './terms.ts';
import type { TermSource } from './terms.ts';
import {
  compileUsing,
  planDelete,
  receiver,
  refuseKeyAssignment,
  tokenRefusal,
} from './write_plan.ts';
import type { CellAssignment, Planning, WritePlan } from './write_plan.ts';

const LOWEST = -(2n ** 63n);

/** Plans a data statement on a counter table. @throws InvalidRequestError as Cassandra. */
export function planCounterWrite(statement: ModificationStatement, planning: Planning): WritePlan {
  switch (statement.kind) {
    case 'insert':
      throw new InvalidRequestError(
        'INSERT statements are not allowed on counter tables, use UPDATE instead',
      );
    case 'update':
      return planCounterUpdate(statement, planning);
    case 'delete':
      return planCounterDelete(statement, planning);
  }
}

/**
 * Plans an UPDATE of counters. The stored text serves Cassandra's validation only: what is executed is made for each row, as
 * rows of one partition are written together.
 */
function planCounterUpdate(statement: UpdateStatement, planning: Planning): WritePlan {
  const { table, scope, target } = planning;
  compileUsing(statement.using, planning);
  const cells: CellAssignment[] = [];
  const named = new Set<ColumnEntry>();
  for (const assignment of statement.assignments) {
    const column = requireColumn(table, assignment.column);
    refuseKeyAssignment(column);
    named.add(column);
    const source = increment(assignment, column, planning);
    cells.push({ column, context: columnContext(table, column), source });
  }
  const where = analyseWhere(statement.where, table, scope);
  const head = `UPDATE ${target} SET ${[...named].map(({ name }) => `${quoteIdentifier(name)} = ?`).join(', ')}`;
  const text = `${head}${where.validationText}`;
  return {
    kind: 'write',
    statement: 'update',
    table,
    validationText: text,
    refusal: ownRefusal(statement, table) ?? where.refusal ?? tokenRefusal(where, table),
    storedText: text,
    markers: [],
    partition: where.partition,
    clustering: where.clustering,
    cells,
    blinds: [],
    mirrors: [],
    viewMirrors: [],
    conditional: false,
    conditions: [],
    conditionColumns: [],
    hasTimestamp: statement.using.timestamp !== undefined,
    counter: 'increments',
  };
}

function planCounterDelete(statement: DeleteStatement, planning: Planning): WritePlan {
  const plan = planDelete({ ...statement, ifExists: false, conditions: [] }, planning);
  return {
    ...plan,
    refusal: ownRefusal(statement, planning.table) ?? plan.refusal,
    counter: 'delete',
  };
}

/** What Cassandra refuses of a well-formed write of a counter table. */
function ownRefusal(
  { ifExists, conditions, using }: UpdateStatement | DeleteStatement,
  table: TableEntry,
): InvalidRequestError | undefined {
  const [condition] = conditions;
  if (condition !== undefined) {
    const column = requireColumn(table, condition.column);
    return new InvalidRequestError(
      isCounter(column)
        ? 'Conditions on counters are not supported'
        : `PRIMARY KEY column '${column.name}' cannot have IF conditions`,
    );
  }
  if (ifExists) {
    return new InvalidRequestError('Conditional updates are not supported on counter tables');
  }
  if (using.timestamp !== undefined) {
    return new InvalidRequestError('Cannot provide custom timestamp for counter updates');
  }
  if (using.ttl !== undefined) {
    return new InvalidRequestError('Cannot provide custom TTL for counter updates');
  }
  return undefined;
}

/** What an assignment adds to its counter. */
function increment(assignment: Assignment, column: ColumnEntry, planning: Planning): TermSource {
  const { table, scope } = planning;
  const { name } = column;
  const compiled = (value: Expression): TermSource => {
    if (value.kind === 'null') {
      throw new InvalidRequestError('Invalid null value for counter increment/decrement');
    }
    return compileTerm(value, receiver(table, column, false), scope);
  };
  switch (assignment.kind) {
    case 'operation': {
      const source = compiled(assignment.value);
      const isNegative = assignment.operator === '-';
      return (context) => {
        const bytes = source(context);
        if (bytes === UNSET) return UNSET;
        if (bytes?.length !== 8) {
          throw new InvalidRequestError('Invalid null value for counter increment');
        }
        return isNegative ? negated(bytes) : bytes;
      };
    }
    case 'set':
      compiled(assignment.value);
      throw new InvalidRequestError(
        `Cannot set the value of counter column ${name} (counters can only be incremented/decremented, not set)`,
      );
    case 'prepend':
      compiled(assignment.value);
      throw new InvalidRequestError(
        `Invalid operation (${name} = ${printed(assignment.value)} - ${name}) for non list column ${name}`,
      );
    case 'set_element':
      throw new InvalidRequestError(
        `Invalid operation (${name}[${printed(assignment.key)}] = ${printed(assignment.value)}) for non collection column ${name}`,
      );
    case 'set_field':
      throw new InvalidRequestError(
        `Invalid operation (${name}.${assignment.field.text} = ${printed(assignment.value)}) for non-UDT column ${name}`,
      );
  }
}

/** A term in an error: never its value. */
function printed(term: Expression): string {
  if (term.kind === 'bind') return term.name === undefined ? '?' : `:${term.name}`;
  return '<constant>';
}

function negated(bytes: Uint8Array): Uint8Array {
  const value = counterValue(bytes);
  if (value === LOWEST) {
    throw new InvalidRequestError(
      `The negation of ${String(LOWEST)} overflows supported counter precision (signed 8 bytes integer)`,
    );
  }
  return counterBytes(-value);
}

/** The value of a counter's 8 bytes. */
export function counterValue(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0);
}

/** The 8 bytes of a counter; what exceeds 64 bits wraps, as in Cassandra. */
export function counterBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, value));
  return bytes;
}
