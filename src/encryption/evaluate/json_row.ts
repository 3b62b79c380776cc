import { InternalError } from '../../errors/index.ts';
import { jsonName, toJson } from '../../functions/index.ts';
import { native } from '../../values/index.ts';
import type { EvaluatedPlan } from './evaluated_plan.ts';
import type { Constants, Evaluate } from './expression.ts';

/** A row as SELECT JSON gives it: one text. Spec: Selection.rowToJson of Cassandra 5.0. */
export function jsonRow(
  plan: EvaluatedPlan,
  columns: readonly Evaluate[],
  constants: Constants,
): Evaluate {
  const keys = plan.columns.map(({ expression, alias }) => {
    const name = Buffer.from(jsonName(alias ?? expression.name(constants)), 'utf8');
    return toJson(native('text'), name);
  });
  return (row, aggregates) => {
    const members = columns.map((evaluate, at) => {
      const column = plan.columns[at];
      if (column === undefined) throw new InternalError('a column of JSON without its plan');
      return `${keys[at] ?? ''}: ${toJson(column.expression.type, evaluate(row, aggregates))}`;
    });
    return new Uint8Array(Buffer.from(`{${members.join(', ')}}`, 'utf8'));
  };
}
