import { quoteIdentifier } from '../../cql/index.ts';
import type { SelectStatement, Selector } from '../../cql/index.ts';
import { InvalidRequestError, type ProxyError } from '../../errors/index.ts';
import type { ColumnEntry, Snapshot, TableEntry } from '../../schema/index.ts';
import { native } from '../../values/index.ts';
import type { ColumnSpec } from '../../wire/index.ts';
import type { MarkerRegistry } from '../markers.ts';
import {
  foreignHit,
  hasKeySlices,
  indexLookup,
  mayBeStale,
  servesClusteringSlices,
  usesAttachedIndex,
} from '../index_lookup.ts';
import type { IndexLookup } from '../index_lookup.ts';
import { analyseWhere, compileLimit } from '../restrictions.ts';
import type { FilterRestriction, KeyRestriction, Restrictions } from '../restrictions.ts';
import {
  fromText,
  hasPartitionIn,
  orderColumns,
  planRead,
  readMode,
  tailText,
  tokenRefusal,
} from '../select_plan.ts';
import type { SelectPlan } from '../select_plan.ts';
import { storedName } from '../table_columns.ts';
import { typeResolver } from '../type_resolver.ts';
import { spansBase } from '../view_keys.ts';
import { compileExpression, expressionScope } from './compile_expression.ts';
import type {
  AggregateSlot,
  CompiledExpression,
  Constants,
  ExpressionScope,
} from './expression.ts';
import { attachedFilters, columnFilter, keyFilter, tokenFilter } from './filters.ts';
import type { RowFilter } from './filters.ts';
import { compileGroupBy } from './groups.ts';
import type { GroupBy } from './groups.ts';
import { Inputs } from './inputs.ts';
import { PARTITION_IN_BESIDE_INDEX, planNearest } from './nearest.ts';
import type { NearestPlan } from './nearest.ts';
import { userFunctions } from './user_functions.ts';
import type { UserCallSlot } from './user_functions.ts';
import { viewOrder } from './view_order.ts';
import type { OrderedSlot } from './view_order.ts';
import { columnsIn, hasConstants } from './walk.ts';

/** One column of the answer. */
export interface EvaluatedColumn {
  readonly expression: CompiledExpression;
  /** The name that the client gave it. */
  readonly alias: string | undefined;
}

/**
 * A SELECT that Cassandra cannot evaluate on ciphertext: rows are read with what it can (keys, order, tokens), and filtered,
 * grouped and projected by the proxy. Without values, as every plan.
 */
export interface EvaluatedPlan {
  readonly kind: 'evaluated';
  readonly table: TableEntry;
  /** See {@link SelectPlan.validationText}; what depends on types is left out of it. */
  readonly validationText: string;
  readonly refusal: ProxyError | undefined;
  /** The read of the stored rows, without limits. Its columns are the slots of the expressions. */
  readonly read: SelectPlan;
  /** Slots of the partition key; empty where WHERE gives it. */
  readonly partitionSlots: readonly number[];
  readonly filters: readonly RowFilter[];
  /** Slots that the filters look at; undefined where rows are not to be tested before the rest of them is decrypted. */
  readonly filterSlots: ReadonlySet<number> | undefined;
  readonly columns: readonly EvaluatedColumn[];
  /** Answers rows as one column of JSON text. */
  readonly json: boolean;
  /** All aggregates of the selection, by their index. */
  readonly aggregates: readonly AggregateSlot[];
  /** Calls of functions written by users; results of each stand behind the columns of a row, in this order. */
  readonly calls: readonly UserCallSlot[];
  /** Undefined without GROUP BY. */
  readonly groupBy: GroupBy | undefined;
  /** Undefined without ORDER BY … ANN OF. */
  readonly nearest: NearestPlan | undefined;
  /** One answer over all rows: aggregates without GROUP BY. */
  readonly isTotal: boolean;
  /** ORDER BY over several partitions: slots to sort the answer by. */
  readonly sortBy: readonly {
    readonly slot: number;
    readonly column: ColumnEntry;
    readonly descending: boolean;
  }[];
  /** How the rows of a partition are to be sorted before anything else; undefined where they come in their order. */
  readonly rowOrder: readonly OrderedSlot[] | undefined;
  readonly limit: SelectPlan['limit'];
  readonly perPartitionLimit: SelectPlan['perPartitionLimit'];
  /** Whether the plan holds for other constants, too: names and types of the answer do not depend on them. */
  readonly isReusable: boolean;
  /** Names of masked columns that WHERE or ANN OF asks for, in their order. */
  readonly maskedRestrictions: readonly string[];
  /** Cassandra's warning about aggregates over several partitions. */
  readonly warning: string | undefined;
}

const NEEDS_FILTERING =
  'Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING';

/**
 * Plans a SELECT for the proxy to evaluate.
 * @throws InvalidRequestError as Cassandra; UnsupportedStatementError for what the proxy cannot evaluate either.
 */
export function planEvaluated(
  statement: SelectStatement,
  table: TableEntry,
  snapshot: Snapshot,
  markers: MarkerRegistry,
  callsUserFunctions = false,
): EvaluatedPlan {
  const terms = { markers, types: typeResolver(snapshot, table.keyspace) };
  const inputs = new Inputs(table);
  const scope = expressionScope(
    table,
    inputs,
    terms,
    callsUserFunctions ? userFunctions(snapshot, table) : undefined,
  );
  const columns = selectedColumns(statement, scope);
  const restrictions = analyseWhere(statement.where, table, terms);
  const mode = readMode(table, restrictions);
  let refusal = restrictions.unsupported;
  const filterSlots = new Set<number>();
  const tokens = inputs.recorded(filterSlots, () =>
    mode === 'partitions'
      ? restrictions.token.map((restriction) => tokenFilter(table, restriction, inputs))
      : [],
  );
  if (tokens.includes(undefined)) refusal ??= tokenRefusal(table);
  const isOfMany = hasPartitionIn(restrictions);
  const isFiltered = restrictions.filters.length > 0 || restrictions.tested.size > 0;
  if (isOfMany && isFiltered && servesClusteringSlices(table, restrictions.clustering)) {
    refusal ??= new InvalidRequestError(PARTITION_IN_BESIDE_INDEX);
  }
  if (!statement.allowFiltering && restrictions.filters.some(isPartOfPartitionKey)) {
    refusal ??= new InvalidRequestError(NEEDS_FILTERING);
  }
  const aggregates = scope.aggregates.length;
  const groupBy = compileGroupBy(statement.groupBy, table, restrictions, scope);
  scope.aggregates.length = aggregates;
  const isTotal = groupBy === undefined && aggregates > 0;
  const lookup = indexLookup(table, restrictions, mode === 'scan');
  const filters = [
    ...inputs.recorded(filterSlots, () =>
      compileFilters(statement, table, restrictions, mode, inputs, lookup),
    ),
    ...tokens.filter((test) => test !== undefined),
  ];
  const nearest = planNearest(statement, table, restrictions, mode === 'scan', inputs, terms);
  if (nearest !== undefined && (isTotal || groupBy !== undefined)) {
    throw new InvalidRequestError('Top-K queries can not be run with aggregation');
  }
  const orderBy = nearest === undefined ? orderColumns(statement, table) : [];
  const limit = compileLimit(statement.limit, '[limit]', table, terms);
  const perPartitionLimit = compileLimit(
    statement.perPartitionLimit,
    '[per_partition_limit]',
    table,
    terms,
  );
  const sortBy =
    isOfMany && mode === 'partitions'
      ? orderBy.map((order) => ({ ...order, slot: inputs.column(order.column) }))
      : [];
  const isUnordered =
    isTotal &&
    perPartitionLimit === undefined &&
    columns.every(({ expression }) => expression.isAggregate === true) &&
    scope.aggregates.every((slot) => slot.kind === 'rows' || slot.function.isOrderFree);
  const rowOrder = isUnordered ? undefined : viewOrder(table, orderBy, inputs);
  // A scan must see where a partition ends.
  const partitionSlots =
    mode === 'scan' || statement.distinct
      ? table.partitionKey.map((column) => inputs.column(column))
      : [];
  if (inputs.columns.length === 0) anyColumn(table, inputs);
  const isPartitions = mode === 'partitions';
  const isSlice = isPartitions && !spansBase(table);
  if (isPartitions && restrictions.clustering.length > 0) rowColumn(table, inputs);
  const read = planRead({
    table,
    columns: inputs.columns,
    withKey: true,
    distinct: statement.distinct,
    restrictions: {
      ...restrictions,
      partition: isPartitions ? restrictions.partition : [],
      clustering: isSlice ? restrictions.clustering : [],
      token: isPartitions ? [] : restrictions.token,
      filters: [],
    },
    mode,
    orderBy: isSlice ? orderBy : [],
    limit: undefined,
    perPartitionLimit: undefined,
    lookup,
    allowFiltering: (statement.allowFiltering && isSlice) || lookup !== undefined,
  });
  const tail = tailText({
    orderBy,
    limit,
    perPartitionLimit,
    allowFiltering:
      statement.allowFiltering || nearest !== undefined || hasKeySlices(table, restrictions),
  });
  return {
    kind: 'evaluated',
    table,
    validationText: `SELECT ${statement.distinct ? 'DISTINCT ' : ''}${validationSelection(statement, columns, table)}${fromText(table)}${restrictions.validationText}${groupBy?.validationText ?? ''}${tail}`,
    refusal,
    read,
    partitionSlots,
    filters,
    filterSlots:
      lookup === undefined &&
      rowOrder === undefined &&
      filters.length > 0 &&
      hasMore(read, filterSlots, isPartitions)
        ? filterSlots
        : undefined,
    columns,
    json: statement.json,
    aggregates: scope.aggregates,
    calls: scope.calls,
    groupBy,
    nearest,
    isTotal,
    sortBy,
    rowOrder,
    limit,
    perPartitionLimit,
    isReusable: !hasConstants([
      ...(statement.selectors ?? []).map(({ expression }) => expression),
      ...statement.groupBy,
    ]),
    maskedRestrictions: maskedRestrictions(statement, table),
    warning: isTotal || groupBy !== undefined ? aggregateWarning(restrictions) : undefined,
  };
}

/** No index serves CONTAINS on a column of the partition key. */
function isPartOfPartitionKey(filter: FilterRestriction): boolean {
  return filter.kind !== 'compare' && filter.column.kind === 'partition';
}

/** Spec: SelectStatement.authorize of Cassandra 5.0. */
function maskedRestrictions(statement: SelectStatement, table: TableEntry): string[] {
  const names = new Set(
    statement.where.flatMap((relation) =>
      ('columns' in relation ? relation.columns : [relation.column]).map(({ text }) => text),
    ),
  );
  for (const { column, annOf } of statement.orderBy)
    if (annOf !== undefined) names.add(column.text);
  return table.allColumns
    .filter(({ name, mask }) => mask !== undefined && names.has(name))
    .map(({ name }) => name)
    .sort();
}

/** Whether a row has more to decrypt than what its filters look at. */
function hasMore(
  { columns }: SelectPlan,
  slots: ReadonlySet<number>,
  isKeyKnown: boolean,
): boolean {
  return columns.some(
    ({ role: { kind } }, slot) =>
      !slots.has(slot) && kind !== 'plain' && !(kind === 'partition' && isKeyKnown),
  );
}

function selectedColumns(statement: SelectStatement, scope: ExpressionScope): EvaluatedColumn[] {
  const { table } = scope;
  if (statement.selectors !== undefined) {
    return statement.selectors.map((selector) => ({
      expression: compileExpression(selector.expression, undefined, scope),
      alias: selector.alias?.text,
    }));
  }
  return table.allColumns.map((column) => ({
    expression: compileExpression(
      {
        kind: 'column',
        name: { text: column.name, quoted: true, span: statement.span },
        span: statement.span,
      },
      undefined,
      scope,
    ),
    alias: undefined,
  }));
}

/** Metadata of the answer; names hold the constants of the statement. */
export function evaluatedSpecs(plan: EvaluatedPlan, constants: Constants): ColumnSpec[] {
  const { keyspace, name: table } = plan.table;
  if (plan.json) return [{ keyspace, table, name: '[json]', type: native('text') }];
  return plan.columns.map(({ expression, alias }) => ({
    keyspace,
    table,
    name: alias ?? expression.name(constants),
    type: expression.type,
  }));
}

function compileFilters(
  statement: SelectStatement,
  table: TableEntry,
  restrictions: Restrictions,
  mode: SelectPlan['mode'],
  inputs: Inputs,
  lookup: IndexLookup | undefined,
): RowFilter[] {
  // It comes first: no other restriction hides a row that should not be there.
  const checked: RowFilter[] = [];
  const isAttached = usesAttachedIndex(table, restrictions);
  const filters = restrictions.filters.flatMap((filter) => {
    const column = filter.kind === 'compare' ? undefined : filter.column;
    if (column?.kind === 'clustering' && !statement.allowFiltering) {
      throw new InvalidRequestError(
        restrictions.clustering.some((r) => isIndexedEquality(table, r))
          ? NEEDS_FILTERING
          : 'Clustering columns can only be restricted with CONTAINS with a secondary index or filtering',
      );
    }
    const test = columnFilter(filter, inputs);
    const others = attachedFilters(table, filter, inputs, isAttached);
    const restriction = filter.kind === 'compare' ? filter.restriction : filter;
    if (lookup?.restriction !== restriction) return [test, ...others];
    checked.push(checkedHit(table, lookup, test));
    return others;
  });
  if (mode === 'partitions' && !spansBase(table)) return [...checked, ...filters];
  const filtered = mode === 'scan' ? restrictions.partition : [];
  const partition = filtered.flatMap((r) => {
    const test = keyFilter(r, inputs, true);
    if (r !== lookup?.restriction) return [test];
    checked.push(checkedHit(table, lookup, test));
    return [];
  });
  const clustering = restrictions.clustering.map((r) =>
    keyFilter(r, inputs, restrictions.tested.has(r)),
  );
  return [...checked, ...partition, ...clustering, ...filters];
}

/** Whether Cassandra would take the index of a clustering column. */
function isIndexedEquality(table: TableEntry, { columns, operator }: KeyRestriction): boolean {
  return operator === '=' && table.indexes.some(({ column }) => columns.includes(column));
}

/** Every row that an index gives must have the value that was sought. @throws CiphertextError by its test */
function checkedHit(table: TableEntry, lookup: IndexLookup, filter: RowFilter): RowFilter {
  if (mayBeStale(lookup)) return filter;
  return (context) => {
    const test = filter(context);
    return (row) => {
      if (!test(row)) throw foreignHit(table, lookup);
      return true;
    };
  };
}

/** An expression over no column reads one all the same: there is one answer a row. */
function anyColumn(table: TableEntry, inputs: Inputs): void {
  const [column] = table.partitionKey;
  if (column !== undefined) inputs.column(column);
}

/** Cassandra reads no rows of a slice for static columns alone, which a filter may need where the client reads none. */
function rowColumn(table: TableEntry, inputs: Inputs): void {
  const [column] = table.clustering;
  const hasRow = [...table.clustering, ...table.regulars].some(
    (one) => inputs.known(one) !== undefined,
  );
  if (column !== undefined && table.statics.length > 0 && !hasRow) inputs.column(column);
}

/**
 * The selection as Cassandra may judge it on the stored table: the columns of each expression, counted where the expression
 * is an aggregate.
 */
function validationSelection(
  statement: SelectStatement,
  columns: readonly EvaluatedColumn[],
  table: TableEntry,
): string {
  const { selectors } = statement;
  if (selectors === undefined) return '*';
  return selectors
    .map((selector, at) =>
      validationSelector(selector, columns[at]?.expression.hasAggregate === true, table),
    )
    .join(', ');
}

function validationSelector(
  { expression }: Selector,
  isAggregate: boolean,
  table: TableEntry,
): string {
  const isMetadata = expression.kind === 'metadata';
  const names = [...columnsIn(expression)].map((name) => {
    const column = table.columns.get(name);
    return column === undefined ? quoteIdentifier(name) : storedName(column);
  });
  const of = isMetadata ? expression.function : isAggregate ? 'count' : undefined;
  if (names.length === 0) return isAggregate ? 'count(*)' : "(text)'x'";
  return names.map((name) => (of === undefined ? name : `${of}(${name})`)).join(', ');
}

/** Spec: SelectStatement.execute of Cassandra 5.0. */
function aggregateWarning({ partition, token }: Restrictions): string | undefined {
  if (partition.length === 0 && token.length === 0) {
    return 'Aggregation query used without partition key';
  }
  return hasPartitionIn({ partition })
    ? 'Aggregation query used on multiple partition keys (IN restriction)'
    : undefined;
}
