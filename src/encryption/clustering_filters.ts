import { InvalidRequestError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import type { KeyRestriction } from './restrictions.ts';

/** Whether clustering restrictions are no slice of each partition. */
export function needsFiltering(
  table: TableEntry,
  restrictions: readonly KeyRestriction[],
): boolean {
  return notOfSlice(table, restrictions).size > 0;
}

/**
 * The clustering restrictions that Cassandra tests row by row, as they are not of the slice that it reads.
 * Spec: ClusteringColumnRestrictions.needFiltering and addToRowFilter of Cassandra 5.0.6
 */
export function notOfSlice(
  table: TableEntry,
  restrictions: readonly KeyRestriction[],
): ReadonlySet<KeyRestriction> {
  const ordered = [...restrictions].sort(
    (a, b) => (a.columns[0]?.position ?? 0) - (b.columns[0]?.position ?? 0),
  );
  const tested = new Set<KeyRestriction>();
  let position = 0;
  for (const restriction of ordered) {
    const isSlice = restriction.operator !== '=' && restriction.operator !== 'IN';
    if (restriction.columns[0]?.position !== position) tested.add(restriction);
    else if (!isSlice)
      position = (restriction.columns.at(-1)?.position ?? table.clustering.length) + 1;
  }
  return tested;
}

/** Cassandra's error where it cannot test rows by a restriction on several columns. */
export function tupleFilterRefusal({
  operator,
  columns,
  multiColumn,
}: KeyRestriction): InvalidRequestError | undefined {
  if (!multiColumn || operator === '=') return undefined;
  if (operator !== 'IN') {
    return new InvalidRequestError('Multi-column slice restrictions cannot be used for filtering.');
  }
  if (columns.length === 1) return undefined;
  return new InvalidRequestError('Multicolumn IN filters are not supported');
}
