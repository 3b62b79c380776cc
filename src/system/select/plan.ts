import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { Expression, SelectStatement } from '../../cql/index.ts';
import type { BoundValue, ColumnSpec } from '../../wire/index.ts';
import { UNSET } from '../../wire/index.ts';
import { native } from '../../values/index.ts';
import type { VirtualRow, VirtualTable } from '../virtual_table.ts';
import { Columns } from './columns.ts';
import { compileJson } from './json.ts';
import { compileOrder } from './order.ts';
import { decodePagingState, encodePagingState, fingerprint } from './paging.ts';
import { compileSelectors } from './selectors.ts';
import type { Output } from './selectors.ts';
import { compileTerm } from './terms.ts';
import { Variables } from './variables.ts';
import { compileWhere } from './where.ts';
import type { Where } from './where.ts';

/** How one execution is paged. */
export interface VirtualPaging {
  /** Rows of a page; absent or not positive for all. */
  readonly pageSize?: number | undefined;
  /** What the page before returned. */
  readonly pagingState?: Uint8Array | undefined;
}

/** One page of the result. Cells are views of the table's bytes: read only. */
export interface VirtualPage {
  readonly rows: (Uint8Array | null)[][];
  /** Absent on the last page. */
  readonly pagingState?: Uint8Array;
}

/** A SELECT on a virtual table, ready to run any number of times. */
export interface PlannedSelect {
  /** The bind markers as Cassandra names and types them. */
  readonly variables: ColumnSpec[];
  /** Which markers make up the partition key; empty if not all components have one. */
  readonly partitionKeyIndices: number[];
  readonly resultColumns: ColumnSpec[];
  /** See {@link VirtualTable.readBy}. */
  readonly readBy: string | undefined;
  /**
   * Runs it on the rows as they are now. `values` are in order of the markers.
   * @param read Cassandra's rows, where `readBy` asks for them
   * @throws InvalidRequestError for values that do not fit; ProtocolError for a foreign paging state.
   */
  execute(
    values: readonly BoundValue[],
    paging: VirtualPaging,
    read?: readonly VirtualRow[],
  ): VirtualPage;
}

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * Plans a SELECT on a virtual table. The statement's own constants are built in.
 * @throws InvalidRequestError with Cassandra's code and text for what Cassandra refuses too; UnsupportedStatementError for what
 * only the proxy does not do.
 */
export function planVirtualSelect(statement: SelectStatement, table: VirtualTable): PlannedSelect {
  const columns = new Columns(table);
  const variables = new Variables(table);
  if (statement.groupBy.length > 0) {
    throw new UnsupportedStatementError(
      `GROUP BY on ${table.keyspace}.${table.name} is not supported by the proxy`,
    );
  }
  const selected = compileSelectors(statement.selectors, columns);
  const where = compileWhere(statement.where, columns, variables, statement.allowFiltering);
  const order = compileOrder(statement, where, columns);
  const aggregates = selected.some((output) => output.aggregate);
  if (statement.distinct) checkDistinct(statement, selected, columns, where);
  const limit = compileLimit(statement.limit, '[limit]', variables);
  const perPartition = compileLimit(
    statement.perPartitionLimit,
    '[per_partition_limit]',
    variables,
  );
  checkPerPartitionLimit(statement, aggregates);
  const outputs = statement.json ? [compileJson(selected, columns)] : selected;
  const specs = variables.specs();
  const statementId = fingerprint(statementKey(statement, table, outputs));

  return {
    variables: specs,
    partitionKeyIndices: variables.partitionKeyIndices(),
    resultColumns: outputs.map((output) => output.spec),
    readBy: table.readBy,
    execute: (values, { pageSize, pagingState }, read) => {
      if (values.length !== specs.length) {
        throw new InvalidRequestError('Invalid amount of bind variables');
      }
      const matches = where.bind(values);
      const most = limit(values);
      const mostPerPartition = statement.distinct ? 1 : perPartition(values);
      const paged = pageSize !== undefined && pageSize > 0 && most > pageSize && !aggregates;
      if (paged && order.sortsAcrossPartitions) {
        throw new InvalidRequestError(
          'Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ' +
            'ORDER BY or the IN and sort client side, or disable paging for this query',
        );
      }
      const start = pagingState === undefined ? 0 : decodePagingState(pagingState, statementId);
      const partitions = groupPartitions(table.rows(read), matches, columns);
      const arranged = limitedArrange(order.arrange, partitions, mostPerPartition);
      const groups = aggregates ? [arranged] : arranged.map((row) => [row]);
      const end = Math.min(groups.length, most, paged ? start + pageSize : NO_LIMIT);
      const rows = groups
        .slice(start, Math.max(start, end))
        .map((group) => outputs.map((output) => output.evaluate(group)));
      return paged && end < Math.min(groups.length, most)
        ? { rows, pagingState: encodePagingState(end, statementId) }
        : { rows };
    },
  };
}

/** Cuts each partition in its asked order, then orders all rows. */
function limitedArrange(
  arrange: (partitions: VirtualRow[][]) => VirtualRow[][],
  partitions: VirtualRow[][],
  mostPerPartition: number,
): VirtualRow[] {
  if (mostPerPartition === NO_LIMIT) return arrange(partitions).flat();
  const cut = partitions.map((rows) => (arrange([rows])[0] ?? []).slice(0, mostPerPartition));
  // The rows of each partition are turned already: only the partitions' order is taken from the second pass.
  const turned = new Set(cut.flat());
  return arrange(partitions)
    .flat()
    .filter((row) => turned.has(row));
}

/** The matching rows by partition, in the order of the table. */
function groupPartitions(
  rows: Iterable<VirtualRow>,
  matches: (row: VirtualRow) => boolean,
  columns: Columns,
): VirtualRow[][] {
  const keys = columns.partition.map((column) => columns.cellIndex(column));
  const partitions: VirtualRow[][] = [];
  let current: VirtualRow[] | undefined;
  for (const row of rows) {
    if (!matches(row)) continue;
    const head = current?.[0];
    if (current === undefined || head === undefined || !samePartition(head, row, keys)) {
      current = [];
      partitions.push(current);
    }
    current.push(row);
  }
  return partitions;
}

function samePartition(a: VirtualRow, b: VirtualRow, keys: readonly number[]): boolean {
  return keys.every((index) => {
    const [x, y] = [a[index] ?? null, b[index] ?? null];
    if (x === null || y === null) return x === y;
    return Buffer.compare(x, y) === 0;
  });
}

function compileLimit(
  expression: Expression | undefined,
  name: string,
  variables: Variables,
): (values: readonly BoundValue[]) => number {
  if (expression === undefined) return () => NO_LIMIT;
  const term = compileTerm(expression, variables.spec(name, native('int')), variables);
  return (values) => {
    const value = term(values);
    if (value === UNSET) return NO_LIMIT;
    if (value === null) throw new InvalidRequestError('Invalid null value of limit');
    if (value.length !== 4) throw new InvalidRequestError('Invalid limit value');
    const count = Buffer.from(value).readInt32BE(0);
    if (count <= 0) throw new InvalidRequestError('LIMIT must be strictly positive');
    return count;
  };
}

function checkPerPartitionLimit(statement: SelectStatement, aggregates: boolean): void {
  if (statement.perPartitionLimit === undefined) return;
  if (statement.distinct) {
    throw new InvalidRequestError(
      'PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries',
    );
  }
  if (aggregates) {
    throw new InvalidRequestError('PER PARTITION LIMIT is not allowed with aggregate queries.');
  }
}

function checkDistinct(
  statement: SelectStatement,
  selected: readonly Output[],
  columns: Columns,
  where: Where,
): void {
  if (where.beyondPartition) {
    throw new InvalidRequestError(
      'SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.',
    );
  }
  const requested = new Set<string>();
  for (const column of selected.flatMap((output) => output.reads)) {
    if (column.kind !== 'partition') {
      throw new InvalidRequestError(
        `SELECT DISTINCT queries must only request partition key columns and/or static columns (not ${column.name})`,
      );
    }
    requested.add(column.name);
  }
  // Cassandra lets one partition, or none, be asked without its key.
  if (statement.selectors === undefined || where.partitionRestricted) return;
  const missing = columns.partition.find((column) => !requested.has(column.name));
  if (missing !== undefined) {
    throw new InvalidRequestError(
      `SELECT DISTINCT queries must request all the partition key columns (missing ${missing.name})`,
    );
  }
}

/** What two statements must share to continue each other's pages. */
function statementKey(
  statement: SelectStatement,
  table: VirtualTable,
  outputs: readonly Output[],
): string {
  const names = outputs.map((output) => output.spec.name).join(',');
  return `${table.keyspace}.${table.name}|${names}|${String(statement.where.length)}|${String(statement.distinct)}`;
}
