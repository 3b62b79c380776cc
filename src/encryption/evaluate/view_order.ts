import type { TableEntry } from '../../schema/index.ts';
import { compareValues } from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { SelectPlan } from '../select_plan.ts';
import type { Row } from '../stored_result.ts';
import { spansBase } from '../view_keys.ts';
import type { Inputs } from './inputs.ts';

/** A clustering column that rows of one partition are sorted by. */
export interface OrderedSlot {
  readonly slot: number;
  readonly type: CqlType;
  readonly descending: boolean;
}

/**
 * The order of rows inside the partitions of a view that spans partitions of its base: its stored clustering has none, so the
 * proxy sorts.
 * @param orderBy of the client: the order of the view, or its reverse, as Cassandra judges
 * @returns undefined where rows come in their order
 */
export function viewOrder(
  table: TableEntry,
  orderBy: SelectPlan['orderBy'],
  inputs: Inputs,
): readonly OrderedSlot[] | undefined {
  if (!spansBase(table)) return undefined;
  const [first] = orderBy;
  const isReversed =
    first !== undefined && first.descending !== (first.column.clusteringOrder === 'desc');
  return table.clustering.map((column) => ({
    slot: inputs.column(column),
    type: column.type,
    descending: (column.clusteringOrder === 'desc') !== isReversed,
  }));
}

/** Compares rows of one partition by their clustering; those of values that are equal and have other bytes by the bytes. */
export function compareOrdered(order: readonly OrderedSlot[], a: Row, b: Row): number {
  for (const { slot, type, descending } of order) {
    const left = a[slot] ?? null;
    const right = b[slot] ?? null;
    if (left === null || right === null) {
      if (left === right) continue;
      return left === null ? -1 : 1;
    }
    const difference = compareValues(type, left, right) || Buffer.compare(left, right);
    if (difference !== 0) return descending ? -difference : difference;
  }
  return 0;
}
