import type { ColumnEntry } from '../schema/index.ts';
import { compareValues } from '../values/index.ts';

/** One side of a slice of a WHERE clause: `>`, `>=` (lower) or `<`, `<=` (upper) of one or several columns. */
export interface SliceSide {
  readonly columns: readonly ColumnEntry[];
  readonly values: readonly Uint8Array[];
  readonly isInclusive: boolean;
}

type Side = 'start' | 'end';

/** A place between clusterings, in the order of the table. */
interface Bound {
  readonly values: readonly Uint8Array[];
  /** Before (-1) or after (1) all clusterings that begin with the values. */
  readonly place: -1 | 1;
}

/**
 * Whether a slice ends before it begins. Cassandra finds that out by comparing bounds, without looking at rows: a slice over
 * columns of both directions becomes several, of which none may be left (MultiColumnRestriction.SliceRestriction, MultiCBuilder and
 * Slice.isEmpty of Cassandra 5.0).
 */
export function isEmptySlice(lower: SliceSide, upper: SliceSide): boolean {
  const columns = lower.columns.length >= upper.columns.length ? lower.columns : upper.columns;
  const starts = boundsOf('start', columns, lower, upper);
  const ends = boundsOf('end', columns, lower, upper);
  return starts.every((start, index) => {
    const end = ends[index];
    return end === undefined || compareBounds(columns, start, end) >= 0;
  });
}

/** The bounds of one side, in the order of the table and without duplicates. */
function boundsOf(
  side: Side,
  columns: readonly ColumnEntry[],
  lower: SliceSide,
  upper: SliceSide,
): Bound[] {
  const sideAt = (column: ColumnEntry, of: Side): SliceSide =>
    (of === 'start') === isReversed(column) ? upper : lower;
  const prefixes: Uint8Array[][] = [];
  let prefix: Uint8Array[] = [];
  let reversed = columns[0] !== undefined && isReversed(columns[0]);
  columns.forEach((column, index) => {
    const own = sideAt(column, side);
    if (reversed !== isReversed(column)) {
      // Where the direction changes, one slice ends and the next begins.
      reversed = isReversed(column);
      prefixes.push(prefix);
      if (own.values.length <= index) return;
      const other = own === lower ? upper : lower;
      if (other.values.length > index) prefixes.push(prefix);
      prefix = own.values.slice(0, index);
    }
    const value = own.values[index];
    if (value !== undefined) prefix = [...prefix, value];
  });
  prefixes.push(prefix);
  if (side === 'end') prefixes.reverse();

  const bounds: Bound[] = [];
  const add = (values: readonly Uint8Array[], isInclusive: boolean): void => {
    bounds.push({ values, place: (side === 'start') === isInclusive ? -1 : 1 });
  };
  for (let index = 0; index < prefixes.length; index++) {
    const values = prefixes[index] ?? [];
    const column = columns[values.length - 1];
    if (column === undefined) add(values, true);
    else if (values.length < columns.length && values === prefixes[index + 1]) {
      add(values, false);
      add(values, true);
      index++;
    } else add(values, sideAt(column, side).isInclusive);
  }
  bounds.sort((a, b) => compareBounds(columns, a, b));
  return bounds.filter((bound, index) => {
    const previous = bounds[index - 1];
    return previous === undefined || compareBounds(columns, previous, bound) !== 0;
  });
}

function compareBounds(columns: readonly ColumnEntry[], a: Bound, b: Bound): number {
  const shared = Math.min(a.values.length, b.values.length);
  for (let index = 0; index < shared; index++) {
    const column = columns[index];
    const left = a.values[index];
    const right = b.values[index];
    if (column === undefined || left === undefined || right === undefined) break;
    const order = compareValues(column.type, left, right);
    if (order !== 0) return isReversed(column) ? -order : order;
  }
  if (a.values.length === b.values.length) return a.place - b.place;
  return a.values.length < b.values.length ? a.place : -b.place;
}

function isReversed(column: ColumnEntry): boolean {
  return column.clusteringOrder === 'desc';
}
