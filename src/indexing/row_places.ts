import type { TableEntry } from '../schema/index.ts';
import type { StoredCell, StoredCellWrite, StoredTableRow } from '../upstream/index.ts';
import type { BuiltColumn } from './built_columns.ts';

/** Seconds by which a blind value ends before its cell: it must never outlive it. More than a page may take to be written. */
const TTL_MARGIN_S = 3;

/** What rows lack in an index. */
export interface MissingBlinds {
  readonly writes: readonly StoredCellWrite[];
  /** Codes of cells that fail authentication, or that cannot be what is built. */
  readonly damaged: readonly string[];
}

/** Where a cell is: of a static one `clustering` is null. */
export interface RowPlace {
  readonly partition: readonly Buffer[];
  readonly clustering: readonly Buffer[] | null;
}

/** Where the indexed cell of a row is; `undefined` for a row that has none, as it is there for its static cells only. */
export function placeOf(
  table: TableEntry,
  { hidden }: Pick<BuiltColumn, 'hidden'>,
  { partition, clustering }: StoredTableRow,
): RowPlace | undefined {
  // Rows of a partition all carry its static cells: writing them twice changes nothing.
  if (hidden.kind === 'static') return { partition, clustering: null };
  if (clustering === null && table.clustering.length > 0) return undefined;
  return { partition, clustering: clustering ?? [] };
}

/** The time to live of the blind value of a cell, 0 for one that does not expire; `undefined` for one that ends in a moment. */
export function ttlOf({ ttl }: Pick<StoredCell, 'ttl'>): number | undefined {
  if (ttl === null) return 0;
  return ttl > TTL_MARGIN_S ? ttl - TTL_MARGIN_S : undefined;
}
