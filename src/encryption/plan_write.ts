import { quoteIdentifier } from '../cql/index.ts';
import type { ModificationStatement } from '../cql/index.ts';
import type { Snapshot, TableEntry } from '../schema/index.ts';
import { planCounterWrite } from './counter_plan.ts';
import type { MarkerRegistry } from './markers.ts';
import { isCounterTable } from './table_columns.ts';
import { typeResolver } from './type_resolver.ts';
import { planCellWrite } from './write_plan.ts';
import type { Planning, WritePlan } from './write_plan.ts';

/**
 * Plans a data statement. The statements of a batch share one registry, as their markers are counted through.
 *
 * @throws InvalidRequestError, UnsupportedStatementError.
 */
export function planWrite(
  statement: ModificationStatement,
  table: TableEntry,
  snapshot: Snapshot,
  markers: MarkerRegistry,
): WritePlan {
  const planning: Planning = {
    table,
    scope: { markers, types: typeResolver(snapshot, table.keyspace) },
    target: `${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`,
  };
  return isCounterTable(table)
    ? planCounterWrite(statement, planning)
    : planCellWrite(statement, planning);
}
