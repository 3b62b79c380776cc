import { InvalidRequestError } from '../../errors/index.ts';
import type { Relation } from '../../cql/index.ts';
import type { BoundValue } from '../../wire/index.ts';
import type { VirtualColumn } from '../virtual_table.ts';
import type { Columns } from './columns.ts';
import { compileRelation } from './relations.ts';
import type { Predicate, Restriction } from './restriction.ts';
import type { Variables } from './variables.ts';

const NEEDS_FILTERING =
  'Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. ' +
  'If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING';

/** A checked WHERE clause. */
export interface Where {
  /** Whether =, or IN on every component, names the partitions. */
  readonly partitionRestricted: boolean;
  /** Whether a component of the partition key is restricted by IN. */
  readonly partitionIn: boolean;
  /** Whether a restriction names a column outside the partition key. */
  readonly beyondPartition: boolean;
  /** Clustering columns that are equal in all rows; ORDER BY may leave them out. */
  readonly equalClustering: ReadonlySet<string>;
  bind(values: readonly BoundValue[]): Predicate;
}

/** Compiles a WHERE clause and applies Cassandra's rules on it. @throws InvalidRequestError with Cassandra's texts. */
export function compileWhere(
  relations: readonly Relation[],
  columns: Columns,
  variables: Variables,
  allowFiltering: boolean,
): Where {
  const restrictions = relations.map((relation) => compileRelation(relation, columns, variables));
  const free = allowFiltering || columns.table.filtersFreely === true;
  checkMerges(restrictions);
  const partition = restrictions.filter(
    (r) => r.kind !== 'token' && r.columns[0]?.kind === 'partition',
  );
  const clustering = restrictions.filter((r) => r.columns[0]?.kind === 'clustering');
  const regular = restrictions.filter((r) => r.columns[0]?.kind === 'regular');
  if (!allowFiltering) checkClusteringMerges(clustering);

  const named = new Set(
    partition.filter((r) => r.kind === 'eq' || r.kind === 'in').map((r) => r.columns[0]?.name),
  );
  const partitionRestricted = columns.partition.every((column) => named.has(column.name));
  if (partition.length > 0 && !partitionRestricted && !free) {
    throw new InvalidRequestError(NEEDS_FILTERING);
  }
  if (partition.some((r) => r.kind === 'slice' || r.kind === 'contains') && !free) {
    throw new InvalidRequestError(NEEDS_FILTERING);
  }
  if (!free) checkClustering(clustering, columns);
  if (regular.length > 0 && !free) throw new InvalidRequestError(NEEDS_FILTERING);
  if (clustering.length > 0 && !partitionRestricted && !free) {
    throw new InvalidRequestError(NEEDS_FILTERING);
  }
  return {
    partitionRestricted,
    partitionIn: partition.some((r) => r.kind === 'in'),
    beyondPartition: clustering.length + regular.length > 0,
    equalClustering: new Set(
      clustering.filter((r) => r.kind === 'eq').flatMap((r) => r.columns.map((c) => c.name)),
    ),
    bind: (values) => {
      const predicates = restrictions.map((restriction) => restriction.bind(values));
      return (row) => predicates.every((predicate) => predicate(row));
    },
  };
}

/** Which relations may stand together on one column. */
function checkMerges(restrictions: readonly Restriction[]): void {
  const seen = new Map<string, Restriction[]>();
  for (const restriction of restrictions) {
    for (const column of restriction.columns) {
      // A token may stand beside restrictions of the same columns.
      const slot = restriction.kind === 'token' ? 'token()' : column.name;
      const before = seen.get(slot) ?? [];
      for (const other of before) {
        if (other !== restriction) checkPair(column, other, restriction);
      }
      before.push(restriction);
      seen.set(slot, before);
    }
  }
}

function checkPair(column: VirtualColumn, first: Restriction, second: Restriction): void {
  const { name } = column;
  const kinds = [first.kind, second.kind];
  if (first.kind === 'token') {
    checkTokens(first, second);
    return;
  }
  if (
    first.kind === 'eq' ||
    (first.kind !== 'in' && second.kind === 'eq' && first.kind !== 'slice')
  ) {
    throw new InvalidRequestError(
      `${name} cannot be restricted by more than one relation if it includes an Equal`,
    );
  }
  if (first.kind === 'in') {
    throw new InvalidRequestError(
      `${name} cannot be restricted by more than one relation if it includes a IN`,
    );
  }
  if (kinds.includes('contains') && !kinds.every((kind) => kind === 'contains')) {
    throw new InvalidRequestError(
      `Collection column ${name} can only be restricted by CONTAINS, CONTAINS KEY, or map-entry equality`,
    );
  }
  if (first.kind === 'slice' && second.kind !== 'slice') {
    throw new InvalidRequestError(
      `Column "${name}" cannot be restricted by both an equality and an inequality relation`,
    );
  }
  if (first.kind === 'slice' && first.columns[0] !== second.columns[0]) {
    throw new InvalidRequestError(
      `Column "${name}" cannot be restricted by two inequalities not starting with the same column`,
    );
  }
  if (first.kind === 'slice' && first.bound === second.bound && first.bound !== undefined) {
    throw new InvalidRequestError(
      `More than one restriction was found for the ${first.bound} bound on ${second.columns.map((c) => c.name).join(' ,')}`,
    );
  }
}

function checkTokens(first: Restriction, second: Restriction): void {
  const names = first.columns.map((column) => column.name).join(', ');
  if (first.bound === undefined || second.bound === undefined) {
    throw new InvalidRequestError(
      first.bound === undefined
        ? `${names} cannot be restricted by more than one relation if it includes an Equal`
        : `Columns "${names}" cannot be restricted by both an equality and an inequality relation`,
    );
  }
  if (first.bound === second.bound) {
    throw new InvalidRequestError(
      `More than one restriction was found for the ${first.bound} bound on ${names}`,
    );
  }
}

/** No column may be restricted after one with a slice. */
function checkClusteringMerges(clustering: readonly Restriction[]): void {
  const last = (restriction: Restriction): VirtualColumn => restriction.columns[0] as VirtualColumn;
  for (const [index, next] of clustering.entries()) {
    for (const previous of clustering.slice(0, index)) {
      const [a, b] = [last(previous), last(next)];
      if (previous.kind === 'slice' && b.position > a.position) {
        throw new InvalidRequestError(
          `Clustering column "${b.name}" cannot be restricted (preceding column "${a.name}" is restricted by a non-EQ relation)`,
        );
      }
      if (next.kind === 'slice' && b.position < a.position) {
        throw new InvalidRequestError(
          `PRIMARY KEY column "${a.name}" cannot be restricted (preceding column "${b.name}" is restricted by a non-EQ relation)`,
        );
      }
    }
  }
}

/** The restricted clustering columns must be a prefix of the clustering. */
function checkClustering(clustering: readonly Restriction[], columns: Columns): void {
  if (clustering.some((r) => r.kind === 'contains')) {
    throw new InvalidRequestError(
      'Clustering columns can only be restricted with CONTAINS with a secondary index or filtering',
    );
  }
  const restricted = new Set(clustering.flatMap((r) => r.columns.map((column) => column.name)));
  let missing: VirtualColumn | undefined;
  for (const column of columns.clustering) {
    if (!restricted.has(column.name)) missing ??= column;
    else if (missing !== undefined) {
      throw new InvalidRequestError(
        `PRIMARY KEY column "${column.name}" cannot be restricted as preceding column "${missing.name}" is not restricted`,
      );
    }
  }
}
