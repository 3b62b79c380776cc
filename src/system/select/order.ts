import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { SelectStatement } from '../../cql/index.ts';
import { compareValues } from '../../values/index.ts';
import type { VirtualColumn, VirtualRow } from '../virtual_table.ts';
import type { Columns } from './columns.ts';
import type { Where } from './where.ts';

/** Puts the partitions' rows into the asked order. */
export type Orderer = (partitions: VirtualRow[][]) => VirtualRow[][];

/** A checked ORDER BY clause. */
export interface Order {
  readonly arrange: Orderer;
  /** Whether rows of several partitions are sorted together, which Cassandra cannot page. */
  readonly sortsAcrossPartitions: boolean;
}

/**
 * Compiles ORDER BY, and the order of the partitions of `pk IN`: by value, as Cassandra reads them.
 * @throws InvalidRequestError with Cassandra's texts.
 */
export function compileOrder(statement: SelectStatement, where: Where, columns: Columns): Order {
  const byKey: Orderer = where.partitionRestricted
    ? (partitions) => [...partitions].sort((a, b) => compareKeys(a, b, columns))
    : (partitions) => partitions;
  if (statement.orderBy.length === 0) return { arrange: byKey, sortsAcrossPartitions: false };
  if (statement.orderBy.some((item) => item.annOf !== undefined)) {
    throw new UnsupportedStatementError('ORDER BY … ANN OF is not supported on system tables');
  }
  if (!where.partitionRestricted) {
    throw new InvalidRequestError(
      'ORDER BY is only supported when the partition key is restricted by an EQ or an IN.',
    );
  }
  const sorted: { column: VirtualColumn; sign: number }[] = [];
  let reversed: boolean | undefined;
  let position = 0;
  for (const item of statement.orderBy) {
    const column = columns.get(item.column.text);
    if (column.kind !== 'clustering') {
      throw new InvalidRequestError(
        `Order by is currently only supported on the clustered columns of the PRIMARY KEY, got ${column.name}`,
      );
    }
    while (
      position < column.position &&
      where.equalClustering.has(columns.clustering[position]?.name ?? '')
    ) {
      position += 1;
    }
    if (column.position !== position) {
      throw new InvalidRequestError(
        'Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY',
      );
    }
    position += 1;
    const flip = item.direction !== (column.order ?? 'asc');
    if (reversed !== undefined && reversed !== flip) {
      throw new InvalidRequestError('Unsupported order by relation');
    }
    reversed = flip;
    sorted.push({ column, sign: item.direction === 'asc' ? 1 : -1 });
  }
  const turn: Orderer = (partitions) =>
    byKey(reversed === true ? partitions.map((rows) => [...rows].reverse()) : partitions);
  return {
    arrange: where.partitionIn ? mergeBy(sorted, turn, columns) : turn,
    sortsAcrossPartitions: where.partitionIn,
  };
}

/** Sorts the rows of all partitions together; the limit per partition has been applied before. */
function mergeBy(
  sorted: readonly { column: VirtualColumn; sign: number }[],
  turn: Orderer,
  columns: Columns,
): Orderer {
  return (partitions) => {
    const rows = turn(partitions).flat();
    rows.sort((a, b) => {
      for (const { column, sign } of sorted) {
        const order = compareCell(column, a, b, columns);
        if (order !== 0) return order * sign;
      }
      return 0;
    });
    return [rows];
  };
}

function compareKeys(a: VirtualRow[], b: VirtualRow[], columns: Columns): number {
  const [first, second] = [a[0] ?? [], b[0] ?? []];
  for (const column of columns.partition) {
    const order = compareCell(column, first, second, columns);
    if (order !== 0) return order;
  }
  return 0;
}

function compareCell(
  column: VirtualColumn,
  a: VirtualRow,
  b: VirtualRow,
  columns: Columns,
): number {
  const index = columns.cellIndex(column);
  const [x, y] = [a[index] ?? null, b[index] ?? null];
  if (x === null || y === null) return x === y ? 0 : x === null ? -1 : 1;
  return compareValues(column.type, x, y);
}
