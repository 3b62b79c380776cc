import type { SelectStatement } from '../cql/index.ts';
import { UnsupportedStatementError } from '../errors/index.ts';
import type { Snapshot, TableEntry } from '../schema/index.ts';
import { isMasked } from './column_mask.ts';
import { planEvaluated } from './evaluate/evaluated_plan.ts';
import type { EvaluatedPlan } from './evaluate/evaluated_plan.ts';
import type { MarkerRegistry } from './markers.ts';
import { planSelect } from './select_plan.ts';
import type { SelectPlan } from './select_plan.ts';
import { tableName } from './table_columns.ts';
import { furtherColumn, spansBase } from './view_keys.ts';

/**
 * Plans a SELECT: for Cassandra to run on stored rows where it can, else for the proxy to evaluate.
 * @param callsUserFunctions whether functions written by users may be called with plain values
 * @throws InvalidRequestError, UnsupportedStatementError.
 */
export function planAnySelect(
  statement: SelectStatement,
  table: TableEntry,
  snapshot: Snapshot,
  markers: MarkerRegistry,
  callsUserFunctions = false,
): SelectPlan | EvaluatedPlan {
  const isSpanning = spansBase(table);
  if (statement.distinct && (isSpanning || furtherColumn(table)?.kind === 'partition')) {
    throw new UnsupportedStatementError(
      `DISTINCT on the view ${tableName(table)} is not supported by the proxy: it reads no cell that the partition key could be checked with (see docs/compatibility.md)`,
    );
  }
  // Rows of one partition of such a view have no order in Cassandra. And only there are values masked before anything else is made of them.
  if (!isSpanning && !isMasked(table)) {
    const plan = planSelect(statement, table, snapshot, markers);
    if (plan !== undefined && plan.refusal === undefined) return plan;
  }
  return planEvaluated(statement, table, snapshot, markers, callsUserFunctions);
}
