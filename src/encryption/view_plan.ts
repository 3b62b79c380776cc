import { editText, quoteIdentifier } from '../cql/index.ts';
import type { CreateViewStatement, Expression, Identifier, Relation, Span } from '../cql/index.ts';
import { InvalidRequestError, UnsupportedStatementError } from '../errors/index.ts';
import type { ColumnEntry, NewView, TableEntry } from '../schema/index.ts';
import { isMultiCell, printType, referencesDuration } from '../values/index.ts';
import { isCounterTable, requireColumn, tableName } from './table_columns.ts';

/** A CREATE MATERIALIZED VIEW on an encrypted table. */
export interface CreateViewPlan {
  readonly view: Omit<NewView, 'cassandraId'>;
  /** The id that the client chose, as it wrote it. */
  readonly clientId: string | undefined;
  /** @param further the stored column of the further key column */
  readonly storedText: (id: string, further: string | undefined) => string;
  readonly addText: (column: string) => string;
  readonly dropText: (columns: readonly string[]) => string;
}

/** Asks Cassandra everything that it can judge: it has an option that no view may have, which is judged last. */
export interface ViewProbe {
  readonly text: string;
  /** What the expected refusal is known by. */
  readonly option: string;
}

const TTL_OPTION = 'default_time_to_live';

/** The statement that Cassandra judges before the proxy does. */
export function viewProbe(
  text: string,
  statement: CreateViewStatement,
  keyspace: string,
): ViewProbe {
  const hasOption = statement.properties.some(({ name }) => name.text.toLowerCase() === TTL_OPTION);
  return {
    text: editText(text, [
      ...nameEdits(statement, keyspace),
      ...(hasOption ? [] : [behind(text, statement, `${TTL_OPTION} = 1`)]),
    ]),
    option: `Cannot set ${TTL_OPTION} for a materialized view`,
  };
}

/**
 * Refuses what Cassandra cannot judge on stored columns, or must not see.
 * @throws InvalidRequestError as Cassandra, UnsupportedStatementError
 */
export function checkView(statement: CreateViewStatement, base: TableEntry): void {
  const label = tableName(base);
  if (statement.where.some((relation) => hasMarker(relation))) {
    throw new InvalidRequestError(
      'Bind variables are not allowed in CREATE MATERIALIZED VIEW statements',
    );
  }
  if (isCounterTable(base)) {
    throw new InvalidRequestError('Materialized views are not supported on counter tables');
  }
  const { partition, clustering } = statement.primaryKey;
  for (const { text } of [...partition, ...clustering]) {
    const column = base.columns.get(text);
    if (column !== undefined) checkKeyType(column);
  }
  for (const relation of statement.where) {
    if (relation.kind === 'is_not_null') continue;
    const illegal = ('column' in relation ? [relation.column] : []).find(
      ({ text }) => ![...partition, ...clustering].some((key) => key.text === text),
    );
    if (illegal !== undefined) {
      throw new InvalidRequestError(
        `Non-primary key columns can only be restricted with 'IS NOT NULL' (got: ${illegal.text} restricted illegally)`,
      );
    }
    throw new UnsupportedStatementError(
      `a restriction on values in the WHERE clause of a materialized view on the encrypted table ${label} is not supported by the proxy: Cassandra would have to compare encrypted values; only IS NOT NULL is (see docs/compatibility.md)`,
    );
  }
}

/**
 * Plans a CREATE MATERIALIZED VIEW that Cassandra's probe let pass.
 * @throws UnsupportedStatementError for a view that gathers rows of several partitions by a clustering column of its base
 */
export function planCreateView(
  text: string,
  statement: CreateViewStatement,
  base: TableEntry,
): CreateViewPlan {
  const { primaryKey, clusteringOrder, selectors } = statement;
  const partition = primaryKey.partition.map((name) => requireColumn(base, name));
  const clustering = primaryKey.clustering.map((name) => {
    const column = requireColumn(base, name);
    const given = clusteringOrder.find((order) => order.column.text === name.text)?.direction;
    return { column, order: given ?? column.clusteringOrder ?? 'asc' };
  });
  const outside = base.partitionKey.filter((column) => !partition.includes(column));
  const bound = partition.filter(({ kind }) => kind === 'clustering');
  if (outside.length > 0 && bound.length > 0) {
    throw new UnsupportedStatementError(
      `a materialized view of the encrypted table ${tableName(base)} with its clustering column ${namesOf(bound)} in the partition key, and without ${namesOf(outside)} there, is not supported by the proxy: equal values of a clustering column are equal inside one partition of the table only (see docs/compatibility.md)`,
    );
  }
  const keys = [...partition, ...clustering.map(({ column }) => column)];
  const further = keys.find(({ kind }) => kind === 'regular');
  const id = statement.properties.find(({ name }) => name.text.toLowerCase() === 'id');
  const quoted = `${quoteIdentifier(base.keyspace)}.${quoteIdentifier(base.name)}`;
  return {
    view: {
      name: statement.view.name.text,
      partition,
      clustering,
      selected: selectors
        ?.flatMap(({ expression }) =>
          expression.kind === 'column' ? [requireColumn(base, expression.name)] : [],
        )
        .filter((column) => !keys.includes(column)),
      notNull: statement.where.flatMap((relation) =>
        relation.kind === 'is_not_null' ? [requireColumn(base, relation.column)] : [],
      ),
      further,
    },
    clientId: id?.value.kind === 'constant' ? id.value.constant.text : undefined,
    storedText: (newId, hidden) =>
      editText(text, [
        ...nameEdits(
          statement,
          base.keyspace,
          hidden === undefined ? undefined : { further, hidden },
        ),
        ...(id === undefined ? [behind(text, statement, `ID = ${newId}`)] : []),
      ]),
    addText: (column) => `ALTER TABLE ${quoted} ADD ${column} blob`,
    dropText: (columns) =>
      `ALTER TABLE ${quoted} DROP ${columns.length === 1 ? columns.join() : `(${columns.join(', ')})`}`,
  };
}

function namesOf(columns: readonly ColumnEntry[]): string {
  return columns.map(({ name }) => quoteIdentifier(name)).join(', ');
}

interface Edit {
  readonly span: Span;
  readonly replacement: string;
}

/** Names with their keyspace, and the stored column in the place of the further key column. */
function nameEdits(
  statement: CreateViewStatement,
  keyspace: string,
  replaced?: { readonly further: ColumnEntry | undefined; readonly hidden: string },
): Edit[] {
  const { view, table, selectors, where, primaryKey, clusteringOrder } = statement;
  const qualified = (name: Identifier): string =>
    `${quoteIdentifier(keyspace)}.${quoteIdentifier(name.text)}`;
  const edits: Edit[] = [
    { span: view.span, replacement: qualified(view.name) },
    { span: table.span, replacement: qualified(table.name) },
  ];
  if (replaced !== undefined) {
    const { further, hidden } = replaced;
    const last = selectors?.at(-1);
    if (last !== undefined) {
      const { end } = last.span;
      edits.push({ span: { start: end, end }, replacement: `, ${hidden}` });
    }
    const names = [
      ...where.flatMap((relation) => (relation.kind === 'is_not_null' ? [relation.column] : [])),
      ...primaryKey.partition,
      ...primaryKey.clustering,
      ...clusteringOrder.map(({ column }) => column),
    ];
    for (const { text, span } of names) {
      if (text === further?.name) edits.push({ span, replacement: hidden });
    }
  }
  return edits.sort((a, b) => a.span.start - b.span.start);
}

/** One more property behind the statement. */
function behind(text: string, statement: CreateViewStatement, property: string): Edit {
  const { properties, clusteringOrder, span } = statement;
  const hasWith = properties.length > 0 || clusteringOrder.length > 0;
  return {
    span: { start: span.end, end: text.length },
    replacement: ` ${hasWith ? 'AND' : 'WITH'} ${property}`,
  };
}

/** CreateViewStatement.apply of Cassandra 5.0.6, on the logical type. */
function checkKeyType({ name, type }: ColumnEntry): void {
  if (isMultiCell(type)) {
    const what = type.kind === 'udt' ? 'user-defined' : 'collection';
    throw new InvalidRequestError(
      `Invalid non-frozen ${what} type '${printType(type)}' for PRIMARY KEY column '${name}'`,
    );
  }
  if (referencesDuration(type)) {
    throw new InvalidRequestError(
      `duration type is not supported for PRIMARY KEY column '${name}'`,
    );
  }
}

function hasMarker(relation: Relation): boolean {
  switch (relation.kind) {
    case 'is_not_null':
      return false;
    case 'in':
    case 'tuple_in':
      return 'kind' in relation.values || relation.values.some(isMarker);
    case 'element':
      return isMarker(relation.key) || isMarker(relation.value);
    default:
      return isMarker(relation.value);
  }
}

function isMarker({ kind }: Expression): boolean {
  return kind === 'bind';
}
