import { InvalidRequestError } from '../errors/index.ts';
import type { KeyRestriction } from './restrictions.ts';

/**
 * The clustering restrictions that Cassandra tests row by row, as they are not of the slice of a partition that it reads.
 * Spec: ClusteringColumnRestrictions.needFiltering and addToRowFilter of Cassandra 5.0.6
 */
export function notOfSlice(clustering: readonly KeyRestriction[]): ReadonlySet<KeyRestriction> {
  const first = ({ columns }: KeyRestriction): number => columns[0]?.position ?? 0;
  const tested = new Set<KeyRestriction>();
  let position = 0;
  for (const restriction of [...clustering].sort((a, b) => first(a) - first(b))) {
    const { operator, columns } = restriction;
    if (first(restriction) !== position) tested.add(restriction);
    else if (!isSlice(operator)) position = (columns.at(-1)?.position ?? position) + 1;
  }
  return tested;
}

/** Whether an operator is one side of a slice. */
export function isSlice(operator: string): boolean {
  return operator === '<' || operator === '<=' || operator === '>' || operator === '>=';
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
