import type { SelectStatement } from '../../cql/index.ts';
import { InternalError, InvalidRequestError } from '../../errors/index.ts';
import { similarityNamed } from '../../functions/index.ts';
import type { Similarity } from '../../functions/index.ts';
import type { ColumnEntry, TableEntry } from '../../schema/index.ts';
import { UNSET } from '../../wire/index.ts';
import { isVectorIndex } from '../blind_columns.ts';
import type { Restrictions } from '../restrictions.ts';
import { hasPartitionIn } from '../select_plan.ts';
import { requireColumn } from '../table_columns.ts';
import { compileTerm } from '../terms.ts';
import type { TermContext, TermScope } from '../terms.ts';
import type { Inputs } from './inputs.ts';

/** The most rows that Cassandra gives of one search. */
const MAX_LIMIT = 1000;

/** ORDER BY … ANN OF: the rows whose vectors are nearest, the nearest first. */
export interface NearestPlan {
  /** Slot of the vector. */
  readonly slot: number;
  readonly similarity: Similarity;
  /** The vector that is searched for. @throws InvalidRequestError for none */
  readonly sought: (context: TermContext) => Uint8Array;
}

/**
 * Plans ORDER BY … ANN OF. The proxy compares all rows, so the answer is exact.
 * Spec: StatementRestrictions.addOrderingRestrictions and SelectStatement of Cassandra 5.0.6
 * @returns undefined for another ORDER BY
 * @throws InvalidRequestError as Cassandra
 */
export function planNearest(
  statement: SelectStatement,
  table: TableEntry,
  restrictions: Restrictions,
  isScan: boolean,
  inputs: Inputs,
  scope: TermScope,
): NearestPlan | undefined {
  const { orderBy } = statement;
  refuseComparison(table, restrictions);
  const order = orderBy.find(({ annOf }) => annOf !== undefined);
  if (order?.annOf === undefined) return undefined;
  const column = requireColumn(table, order.column);
  const { keyspace, name, type } = { ...table, type: column.type };
  const source = compileTerm(
    order.annOf,
    { keyspace, table: name, name: column.name, type },
    scope,
  );
  if (orderBy.filter(({ annOf }) => annOf !== undefined).length > 1) {
    throw new InvalidRequestError('Cannot specify more than one ANN ordering');
  }
  if (orderBy.length > 1) {
    throw new InvalidRequestError('ANN ordering does not support any other ordering');
  }
  if (order.direction === 'desc') {
    throw new InvalidRequestError('Descending ANN ordering is not supported');
  }
  if (type.kind !== 'vector' || type.element.kind !== 'native' || type.element.name !== 'float') {
    throw new InvalidRequestError('ANN ordering is only supported on float vector indexes');
  }
  const index = table.indexes.find((one) => one.column === column && isVectorIndex(one));
  if (index === undefined) {
    throw new InvalidRequestError('ANN ordering by vector requires the column to be indexed');
  }
  checkRestrictions(table, restrictions, isScan);
  if (statement.distinct) {
    throw new InvalidRequestError(
      'SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.',
    );
  }
  const similarity = similarityNamed(
    (index.options['similarity_function'] ?? 'cosine').toLowerCase(),
  );
  if (similarity === undefined) throw new InternalError('a vector index has no known similarity');
  return {
    slot: inputs.column(column),
    similarity,
    sought: (context) => {
      const value = source(context);
      if (value instanceof Uint8Array) return value;
      throw new InvalidRequestError(
        `Unsupported ${value === UNSET ? 'unset' : 'null'} value for column ${column.name}`,
      );
    },
  };
}

/** Cassandra's refusal of IN on the partition key where an index serves another restriction. */
export const PARTITION_IN_BESIDE_INDEX =
  'Select on indexed columns and with IN clause for the PRIMARY KEY are not supported';

/** A vector index serves nothing else, and Cassandra does not filter beside it. */
function refuseComparison(table: TableEntry, { filters }: Restrictions): void {
  for (const filter of filters) {
    if (filter.kind !== 'compare') continue;
    const { columns } = filter.restriction;
    if (table.indexes.some((index) => columns.includes(index.column) && isVectorIndex(index))) {
      throw new InvalidRequestError('Vector indexes only support ANN queries');
    }
  }
}

function checkRestrictions(
  table: TableEntry,
  { filters, partition, clustering, tested }: Restrictions,
  isScan: boolean,
): void {
  if (!isScan && hasPartitionIn({ partition })) {
    throw new InvalidRequestError(PARTITION_IN_BESIDE_INDEX);
  }
  const restricted: ColumnEntry[] = filters.flatMap((filter) =>
    filter.kind === 'compare' ? filter.restriction.columns : [filter.column],
  );
  if (isScan) restricted.push(...partition.flatMap(({ columns }) => columns));
  if (isScan || tested.size > 0) restricted.push(...clustering.flatMap(({ columns }) => columns));
  const isIndexed = (column: ColumnEntry): boolean =>
    table.indexes.some((index) => index.column === column && index.className !== null);
  if (!restricted.every(isIndexed)) {
    throw new InvalidRequestError(
      'ANN ordering by vector requires all restricted column(s) to be indexed',
    );
  }
}

/** How many rows a search is to give. @throws InvalidRequestError as Cassandra */
export function nearestLimit(limit: number | undefined, perPartition: number | undefined): number {
  if (limit === undefined) {
    throw new InvalidRequestError(
      'Top-K queries must have a limit specified and the limit must be less than the query page size',
    );
  }
  if (perPartition !== undefined) {
    throw new InvalidRequestError('Top-K queries do not support per-partition limits');
  }
  if (limit > MAX_LIMIT) {
    throw new InvalidRequestError(
      `Use of ANN OF in an ORDER BY clause requires a LIMIT that is not greater than ${String(MAX_LIMIT)}. LIMIT was ${String(limit)}`,
    );
  }
  return limit;
}
