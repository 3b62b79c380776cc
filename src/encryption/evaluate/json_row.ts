import { UnsupportedStatementError } from '../../errors/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { EvaluatedPlan } from './evaluated_plan.ts';
import type { Constants, Evaluate } from './expression.ts';

/** A row as SELECT JSON gives it: one text. Spec: Selection.rowToJson of Cassandra 5.0. */
export function jsonRow(
  plan: EvaluatedPlan,
  columns: readonly Evaluate[],
  constants: Constants,
  print: (type: CqlType, bytes: Uint8Array | null) => string,
): Evaluate {
  const names = plan.columns.map(({ expression, alias }, at) => {
    const name = alias ?? expression.name(constants);
    const quoted = name === name.toLowerCase() ? name : `"${name}"`;
    return `${at === 0 ? '{' : ', '}"${jsonString(quoted)}": `;
  });
  return (row, aggregates) => {
    let text = names.length === 0 ? '{' : '';
    for (const [at, evaluate] of columns.entries()) {
      const column = plan.columns[at];
      if (column === undefined) throw new UnsupportedStatementError('a column without a name');
      text += `${names[at] ?? ''}${print(column.expression.type, evaluate(row, aggregates))}`;
    }
    return new Uint8Array(Buffer.from(`${text}}`, 'utf8'));
  };
}

/** Content of a JSON string as Jackson escapes it: control characters, quotes and backslashes only. */
function jsonString(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
