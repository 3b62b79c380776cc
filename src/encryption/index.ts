/**
 * What a statement on encrypted tables becomes: plans (pure functions of the syntax tree and the catalog) and their
 * application to the values of one execution and to the rows of an answer. No I/O and no clock; keys come in as cipher
 * objects.
 *
 * A plan never contains a value, so it serves every statement of its shape. Execution goes bind (terms to validated
 * logical bytes) → seal (queue in a batch shared by many requests) → stored (take the ciphertext out and order it by the
 * markers of the stored statement); rows come back through {@link openRows}.
 *
 * May import: schema, keys (types), crypto, cql, values, wire, errors, util.
 */
export { MarkerRegistry } from './markers.ts';
export type { Receiver } from './markers.ts';
export { CryptoTicks } from './crypto_ticks.ts';
export { isMasked, maskerOf } from './column_mask.ts';
export type { Masker } from './column_mask.ts';
export type { MaskSight } from './mask_sight.ts';
export { columnParts } from './column_parts.ts';
export type { ColumnParts } from './column_parts.ts';
export { columnContext, HIDDEN_PREFIX, isCounterTable, tableName } from './table_columns.ts';
export type { TermContext } from './terms.ts';
export { typeResolver } from './type_resolver.ts';
export { isMerged } from './select_plan.ts';
export type { SelectPlan } from './select_plan.ts';
export { bindSelect, int32, limitMarkers, sealRead, storedRead } from './select_seal.ts';
export type { BoundSelect, SealedRead, StoredRead } from './select_seal.ts';
export { planAnySelect } from './plan_any_select.ts';
export { columnsIn } from './evaluate/walk.ts';
export { evaluatedSpecs, type EvaluatedPlan } from './evaluate/evaluated_plan.ts';
export type { PartitionMark } from './evaluate/partition_tracker.ts';
export type { BoundUserCall } from './evaluate/user_functions.ts';
export { bindEvaluated, sortAnswer } from './evaluate/sinks.ts';
export { compareOrdered, type OrderedSlot } from './evaluate/view_order.ts';
export type { BoundEvaluation, Sink } from './evaluate/sinks.ts';
export { openRows, roleOf, storedRow } from './stored_result.ts';
export type { KnownKeys, OpenedRows, Row, StoredRole } from './stored_result.ts';
export { blindIndexes, blindValue, lacksIndexKeys, storedBlind } from './blind_columns.ts';
export type { BlindIndex } from './blind_columns.ts';
export { partBlinds } from './blind_parts.ts';
export type { PartValue } from './blind_parts.ts';
export { planWrite } from './plan_write.ts';
export { counterValue } from './counter_plan.ts';
export { comparedWith, counterPartitions, incremented, sealCounterRow } from './counter_rows.ts';
export type { CounterPartition, CounterRow } from './counter_rows.ts';
export type { WritePlan } from './write_plan.ts';
export type { BoundCondition } from './conditions.ts';
export {
  bindConditions,
  bindWrite,
  checkConditionalBatch,
  namesWholeRow,
  sealWrite,
  storedStatements,
} from './write_seal.ts';
export type { BoundWrite, SealedWrite, StoredStatement } from './write_seal.ts';
export { planRestoreTable } from './restore_plan.ts';
export type { RestoreTablePlan } from './restore_plan.ts';
export { lacksLookupKey } from './index_lookup.ts';
export { indexProbe, planCreateIndex } from './index_plan.ts';
export type { CreateIndexPlan } from './index_plan.ts';
export { mirrorValue } from './view_mirrors.ts';
export { checkView, planCreateView, viewProbe } from './view_plan.ts';
export { planKeyspaceKey } from './keyspace_plan.ts';
export type { KeyspaceKeyPlan } from './keyspace_plan.ts';
export {
  checkTypeUnused,
  planAlterTable,
  planAlterType,
  planCreateTable,
  planCreateType,
} from './ddl_plan.ts';
export type { AlterTablePlan, AlterTypePlan, CreateTablePlan, CreateTypePlan } from './ddl_plan.ts';
