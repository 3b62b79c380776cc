import { quoteIdentifier } from '../cql/index.ts';
import type { Expression, SelectStatement, Selector } from '../cql/index.ts';
import { UnsupportedStatementError, type ProxyError } from '../errors/index.ts';
import type { ColumnEntry, Snapshot, TableEntry } from '../schema/index.ts';
import { native } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';
import type { ColumnSpec } from '../wire/index.ts';
import { columnParts } from './column_parts.ts';
import { clusteringText } from './key_sealing.ts';
import type { IndexLookup } from './index_lookup.ts';
import type { MarkerRegistry } from './markers.ts';
import { analyseWhere, compileLimit } from './restrictions.ts';
import type { Restrictions } from './restrictions.ts';
import { roleOf } from './stored_result.ts';
import type { StoredRole } from './stored_result.ts';
import { columnContext, requireColumn, storedName, tableName } from './table_columns.ts';
import type { TermContext, TermScope } from './terms.ts';
import { typeResolver } from './type_resolver.ts';

/** One column the client sees. `spec.name` of a selector that is no column is filled in from Cassandra's own answer. */
export interface VisibleColumn {
  readonly text: string;
  readonly spec: ColumnSpec;
  readonly role: StoredRole;
  /** Take the name from the prepared stored statement: `count`, `writetime(v)`, `system.token(pk)`. */
  readonly nameFromCassandra: boolean;
}

/** How the partitions of a read are found. */
export type ReadMode = 'partitions' | 'scan';

/** Everything about a SELECT on an encrypted table that does not depend on its values. */
export interface SelectPlan {
  readonly kind: 'select';
  readonly table: TableEntry;
  /** The statement on the stored table with the client's own structure: PREPAREd for Cassandra's own errors and names. */
  readonly validationText: string;
  readonly refusal: ProxyError | undefined;
  /** The statement that is executed. */
  readonly storedText: string;
  readonly mode: ReadMode;
  /** Whether the partition key has an IN, so that more than one partition may be read. */
  readonly hasPartitionIn: boolean;
  readonly columns: readonly VisibleColumn[];
  readonly roles: readonly StoredRole[];
  /** Indexes of count(*) among the columns; with one of them the answer is one row. */
  readonly counts: readonly number[];
  /** ORDER BY columns, for merging several partitions. */
  readonly orderBy: readonly { readonly column: ColumnEntry; readonly descending: boolean }[];
  readonly limit: ((context: TermContext) => number | undefined) | undefined;
  readonly perPartitionLimit: ((context: TermContext) => number | undefined) | undefined;
  readonly restrictions: Restrictions;
  /** The index by which rows are found. */
  readonly lookup?: IndexLookup | undefined;
  /** Whether WHERE gives the whole clustering by equality. */
  readonly fullClustering: boolean;
}

const WIDTHS: Readonly<
  Record<'writetime' | 'maxwritetime' | 'ttl', { type: CqlType; width: number }>
> = {
  writetime: { type: native('bigint'), width: 8 },
  maxwritetime: { type: native('bigint'), width: 8 },
  ttl: { type: native('int'), width: 4 },
};

/** What a read of stored rows is made of. */
export interface ReadForm {
  readonly table: TableEntry;
  readonly columns: readonly VisibleColumn[];
  readonly distinct: boolean;
  readonly restrictions: Restrictions;
  readonly mode: ReadMode;
  readonly orderBy: SelectPlan['orderBy'];
  readonly limit: SelectPlan['limit'];
  readonly perPartitionLimit: SelectPlan['perPartitionLimit'];
  readonly allowFiltering: boolean;
  readonly lookup?: IndexLookup | undefined;
  /** Read the clustering even if no column needs it: the reader must know where it is. */
  readonly withKey?: boolean;
}

/** How the partitions of a WHERE clause are found. */
export function readMode(table: TableEntry, restrictions: Restrictions): ReadMode {
  const isRestricted = table.partitionKey.every((column) =>
    restrictions.partition.some(
      (r) => r.columns[0] === column && (r.operator === '=' || r.operator === 'IN'),
    ),
  );
  return isRestricted ? 'partitions' : 'scan';
}

/** The columns of ORDER BY. @throws InvalidRequestError for an unknown column. */
export function orderColumns(statement: SelectStatement, table: TableEntry): SelectPlan['orderBy'] {
  return statement.orderBy.map((order) => ({
    column: requireColumn(table, order.column),
    descending: order.direction === 'desc',
  }));
}

/** The clauses behind WHERE; every value is a marker. */
export function tailText(
  form: Pick<ReadForm, 'orderBy' | 'perPartitionLimit' | 'limit' | 'allowFiltering'>,
): string {
  const { orderBy, perPartitionLimit, limit, allowFiltering } = form;
  const order = orderBy.map(
    ({ column, descending }) => `${storedName(column)} ${descending ? 'DESC' : 'ASC'}`,
  );
  return `${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${perPartitionLimit === undefined ? '' : ' PER PARTITION LIMIT ?'}${limit === undefined ? '' : ' LIMIT ?'}${allowFiltering ? ' ALLOW FILTERING' : ''}`;
}

/** Plans the read of stored rows; nobody judges it. */
export function planRead(form: ReadForm): SelectPlan {
  const { table, columns, restrictions, mode } = form;
  const fullClustering =
    table.clustering.length > 0 &&
    table.clustering.every((column) =>
      restrictions.clustering.some((r) => r.operator === '=' && r.columns.includes(column)),
    );
  const hidden = hiddenSelectors(form, fullClustering);
  const selection = [...columns.map((column) => column.text), ...hidden.map(storedName)];
  return {
    kind: 'select',
    table,
    validationText: '',
    refusal: undefined,
    storedText: `SELECT ${form.distinct ? 'DISTINCT ' : ''}${selection.join(', ')}${fromText(table)}${storedWhere(table, mode, restrictions, form.lookup)}${tailText(form)}`,
    mode,
    hasPartitionIn: hasPartitionIn(restrictions),
    columns,
    roles: [
      ...columns.map((column) => column.role),
      ...hidden.map((column) => roleOf(table, column)),
    ],
    counts: columns.flatMap((column, index) => (column.text === 'count(*)' ? [index] : [])),
    orderBy: form.orderBy,
    limit: form.limit,
    perPartitionLimit: form.perPartitionLimit,
    restrictions,
    lookup: form.lookup,
    fullClustering,
  };
}

/** ` FROM` and the table. */
export function fromText(table: TableEntry): string {
  return ` FROM ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`;
}

/**
 * Plans a SELECT that Cassandra can run on stored rows; one that it cannot has a refusal, or no plan where not even its
 * selectors are ones that Cassandra evaluates.
 * @throws InvalidRequestError, UnsupportedStatementError.
 */
export function planSelect(
  statement: SelectStatement,
  table: TableEntry,
  snapshot: Snapshot,
  markers: MarkerRegistry,
): SelectPlan | undefined {
  const scope: TermScope = { markers, types: typeResolver(snapshot, table.keyspace) };
  if (statement.json || statement.groupBy.length > 0 || isNearest(statement)) return undefined;
  const columns: VisibleColumn[] = [];
  if (statement.selectors === undefined) {
    columns.push(...table.allColumns.map((column) => columnSelector(table, column, undefined)));
  }
  for (const selector of statement.selectors ?? []) {
    const planned = planSelector(selector, table);
    if (planned === undefined) return undefined;
    columns.push(planned);
  }
  const restrictions = analyseWhere(statement.where, table, scope);
  let { refusal } = restrictions;
  const perPartitionLimit = compileLimit(
    statement.perPartitionLimit,
    '[per_partition_limit]',
    table,
    scope,
  );
  const limit = compileLimit(statement.limit, '[limit]', table, scope);
  const mode = readMode(table, restrictions);
  if (
    mode === 'scan' &&
    (restrictions.clustering.length > 0 || restrictions.partition.length > 0)
  ) {
    refusal ??= new UnsupportedStatementError(
      `restrictions on key columns across partitions of the encrypted table ${tableName(table)} are not Cassandra's to evaluate`,
    );
  }
  if (mode === 'partitions' && restrictions.token.length > 0) refusal ??= tokenRefusal(table);
  const form: ReadForm = {
    table,
    columns,
    distinct: statement.distinct,
    restrictions,
    mode,
    orderBy: orderColumns(statement, table),
    limit,
    perPartitionLimit,
    allowFiltering: statement.allowFiltering,
  };
  const clientSelection =
    statement.selectors === undefined && !statement.distinct
      ? '*'
      : columns.map((column) => column.text).join(', ');
  return {
    ...planRead(form),
    validationText: `SELECT ${statement.distinct ? 'DISTINCT ' : ''}${clientSelection}${fromText(table)}${restrictions.validationText}${tailText(form)}`,
    refusal,
  };
}

/** Whether it has an ORDER BY … ANN OF: ciphertext has no distance. */
export function isNearest({ orderBy }: SelectStatement): boolean {
  return orderBy.some(({ annOf }) => annOf !== undefined);
}

/** A token beside the key that it is the token of. */
export function tokenRefusal(table: TableEntry): ProxyError {
  return new UnsupportedStatementError(
    `token() together with a partition key is not supported by the proxy on the encrypted table ${tableName(table)}`,
  );
}

/** A column as it is stored. */
export function columnSelector(
  table: TableEntry,
  column: ColumnEntry,
  alias: string | undefined,
): VisibleColumn {
  return {
    text: storedName(column),
    spec: {
      keyspace: table.keyspace,
      table: table.name,
      name: alias ?? column.name,
      type: column.type,
    },
    role: roleOf(table, column),
    nameFromCassandra: false,
  };
}

/** Plans one selector; `undefined` for one that Cassandra cannot evaluate on stored rows. @throws InvalidRequestError for unknown columns. */
export function planSelector(selector: Selector, table: TableEntry): VisibleColumn | undefined {
  const { expression } = selector;
  const alias = selector.alias?.text;
  const plain = (text: string, type: CqlType, width: number): VisibleColumn => ({
    text,
    spec: { keyspace: table.keyspace, table: table.name, name: alias ?? text, type },
    role: { kind: 'plain', width },
    nameFromCassandra: alias === undefined,
  });
  switch (expression.kind) {
    case 'column':
      return columnSelector(table, requireColumn(table, expression.name), alias);
    case 'count_rows':
      return plain('count(*)', native('bigint'), 8);
    case 'metadata': {
      if (expression.value.kind !== 'column') return undefined;
      const column = requireColumn(table, expression.value.name);
      const { type, width } = WIDTHS[expression.function];
      const parts = columnParts(table, column);
      if (parts !== undefined && expression.function !== 'maxwritetime') {
        const list: CqlType = { kind: 'list', element: type, frozen: false };
        const isSorted = parts.kind === 'set' || parts.kind === 'map';
        return {
          ...plain(`${expression.function}(${storedName(column)})`, list, width),
          role: { kind: 'times', width, of: isSorted ? column : undefined },
        };
      }
      return plain(`${expression.function}(${storedName(column)})`, type, width);
    }
    case 'function': {
      if (expression.name.toLowerCase() !== 'token') return undefined;
      const names = expression.args.map((argument) => columnOf(argument, table));
      // Any other argument than the partition key columns in order would be evaluated on ciphertext.
      if (names.length !== table.partitionKey.length) return undefined;
      if (names.some((name, index) => name !== table.partitionKey[index]?.name)) return undefined;
      return plain(`token(${table.partitionKey.map(storedName).join(', ')})`, native('bigint'), 8);
    }
    default:
      return undefined;
  }
}

function columnOf(expression: Expression, table: TableEntry): string | undefined {
  return expression.kind === 'column' ? requireColumn(table, expression.name).name : undefined;
}

/** Whether rows of several partitions are to be put into the order of their clustering columns, which are read for that. */
export function isMerged({
  orderBy,
  restrictions,
}: Pick<SelectPlan, 'orderBy' | 'restrictions'>): boolean {
  return orderBy.length > 0 && hasPartitionIn(restrictions);
}

/** Whether WHERE names partitions by IN. */
export function hasPartitionIn({ partition }: Pick<Restrictions, 'partition'>): boolean {
  return partition.some((r) => r.operator === 'IN');
}

/** Key columns to read beside what the client asked for: a cell opens only with the key of its row, and rows are sorted by it. */
function hiddenSelectors(form: ReadForm, fullClustering: boolean): ColumnEntry[] {
  const { table, columns, mode, restrictions } = form;
  const withKey = form.withKey === true;
  const roles = columns.map((column) => column.role);
  const isSorted = isMerged(form) && columns.every((column) => column.text !== 'count(*)');
  if (!withKey && !isSorted && roles.every((role) => role.kind === 'plain')) return [];
  const timed = roles.flatMap((role) =>
    role.kind === 'times' && role.of !== undefined ? [role.of] : [],
  );
  const missing = [...new Set(timed)].filter(
    (column) =>
      !roles.some((role) => 'context' in role && role.context === columnContext(table, column)),
  );
  const has = (column: ColumnEntry): boolean =>
    roles.some(
      (role) =>
        role.kind === column.kind && 'position' in role && role.position === column.position,
    );
  if (table.view !== undefined && !form.distinct) {
    const { base, cell } = table.view;
    const keys = [...table.partitionKey, ...table.clustering].filter((column) => !has(column));
    const isRead = roles.some(
      (role) =>
        cell !== undefined && 'context' in role && role.context === columnContext(base, cell),
    );
    return [...keys, ...(cell === undefined || isRead ? [] : [cell]), ...missing];
  }
  // DISTINCT reads partition keys, which the client has to name, and static columns.
  if (form.distinct) return missing;
  const hidden: ColumnEntry[] = [];
  if (mode === 'scan') hidden.push(...table.partitionKey.filter((column) => !has(column)));
  const needsRow =
    roles.some((role) => role.kind === 'regular' || role.kind === 'clustering') ||
    missing.some((column) => column.kind === 'regular');
  if (!fullClustering && (withKey || needsRow || isSorted || restrictions.clustering.length > 0)) {
    hidden.push(...table.clustering.filter((column) => !has(column)));
  }
  hidden.push(...missing);
  return hidden;
}

function storedWhere(
  table: TableEntry,
  mode: ReadMode,
  restrictions: Restrictions,
  lookup: IndexLookup | undefined,
): string {
  const keys = keyWhere(table, mode, restrictions);
  if (lookup === undefined) return keys;
  const sought = `${quoteIdentifier(lookup.column)} ${lookup.operator} ?`;
  return keys === '' ? ` WHERE ${sought}` : `${keys} AND ${sought}`;
}

function keyWhere(table: TableEntry, mode: ReadMode, restrictions: Restrictions): string {
  if (mode === 'partitions') {
    const keys = table.partitionKey.map((column) => `${storedName(column)} = ?`);
    return ` WHERE ${keys.join(' AND ')}${clusteringText(restrictions.clustering)}`;
  }
  if (restrictions.token.length === 0) return '';
  const names = table.partitionKey.map(storedName).join(', ');
  return ` WHERE ${restrictions.token
    .map(
      (restriction) =>
        `token(${names}) ${restriction.operator} ${restriction.value.kind === 'token' ? '?' : `token(${table.partitionKey.map(() => '?').join(', ')})`}`,
    )
    .join(' AND ')}`;
}
