import type { Expression } from '../../cql/index.ts';
import { InvalidRequestError } from '../../errors/index.ts';
import type { ColumnEntry, TableEntry } from '../../schema/index.ts';
import type { Restrictions } from '../restrictions.ts';
import { requireColumn, storedName } from '../table_columns.ts';
import { compileExpression } from './compile_expression.ts';
import type { CompiledExpression, ExpressionScope } from './expression.ts';
import { columnsIn } from './walk.ts';

/** GROUP BY: a group ends with its partition, and with a change of what follows. */
export interface GroupBy {
  /** Slots of the first clustering columns. */
  readonly clustering: readonly number[];
  /** The function of the last clustering column of the clause, where it is one. */
  readonly last: CompiledExpression | undefined;
  /** What Cassandra judges: the clause with columns only. */
  readonly validationText: string;
}

/**
 * Compiles GROUP BY. Its rules on columns are Cassandra's to judge by the validation text; here are those on functions.
 * @throws InvalidRequestError in Cassandra's words
 */
export function compileGroupBy(
  clause: readonly Expression[],
  table: TableEntry,
  restrictions: Restrictions,
  scope: ExpressionScope,
): GroupBy | undefined {
  if (clause.length === 0) return undefined;
  let last: CompiledExpression | undefined;
  const columns: ColumnEntry[] = [];
  for (const expression of clause) {
    if (expression.kind === 'column') {
      if (last !== undefined) {
        throw new InvalidRequestError(
          'Functions are only supported on the last element of the GROUP BY clause',
        );
      }
      columns.push(requireColumn(table, expression.name));
      continue;
    }
    const before = scope.aggregates.length;
    last = compileExpression(expression, undefined, scope);
    const aggregate = scope.aggregates[before];
    if (aggregate !== undefined) {
      throw new InvalidRequestError(
        `Aggregate functions are not supported within the GROUP BY clause, got: ${aggregate.kind === 'function' ? aggregate.function.name : 'system.count_rows'}`,
      );
    }
    columns.push(functionColumn(expression, table));
  }
  // Columns before the last one that the clause leaves out are fixed by WHERE.
  const end = columns[columns.length - 1];
  const length = end?.kind === 'clustering' ? end.position + 1 : 0;
  const compared = table.clustering.slice(0, last === undefined ? length : Math.max(length - 1, 0));
  const isFixed = (column: ColumnEntry): boolean =>
    restrictions.clustering.some((r) => r.operator === '=' && r.columns.includes(column));
  return {
    clustering: compared
      .filter((column) => !isFixed(column))
      .map((column) => scope.inputs.column(column)),
    last,
    validationText: ` GROUP BY ${columns.map(storedName).join(', ')}`,
  };
}

function functionColumn(expression: Expression, table: TableEntry): ColumnEntry {
  const names = [...columnsIn(expression)];
  const [only] = names;
  if (only === undefined) {
    throw new InvalidRequestError(
      'GROUP BY functions must have one clustering column name as parameter',
    );
  }
  if (names.length > 1) {
    throw new InvalidRequestError(
      `GROUP BY functions accept only one clustering column as parameter, got: ${names.join(',')}`,
    );
  }
  const column = table.columns.get(only);
  if (column?.kind !== 'clustering') {
    throw new InvalidRequestError(
      `Group by functions are only supported on clustering columns, got ${only}`,
    );
  }
  return column;
}
