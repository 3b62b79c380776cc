import type { StoredCellWrite } from '../upstream/index.ts';
import { sameKey } from './reencrypt_rows.ts';
import type { RewrittenCell } from './reencrypt_rows.ts';

/** Statements and bytes of one batch: a partition of any size is written in parts. */
const MAX_STATEMENTS = 64;
const MAX_BYTES = 256 * 1024;

/**
 * Turns rewritten cells into writes with their own write times, in batches of one partition each. Cells of one row with one
 * write time and time to live share a statement.
 *
 * @param width how many static (for static cells) or regular columns the table has
 * @param addTtl seconds added to what is left of a cell's time to live
 */
export function writeBatches(
  cells: readonly RewrittenCell[],
  width: { readonly statics: number; readonly regulars: number },
  addTtl: number,
): StoredCellWrite[][] {
  const batches: StoredCellWrite[][] = [];
  let current: { write: StoredCellWrite; cells: (Buffer | undefined)[] }[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (current.length > 0) batches.push(current.map(({ write }) => write));
    current = [];
    bytes = 0;
  };
  for (const cell of cells) {
    const [first] = current;
    const isFull = current.length >= MAX_STATEMENTS || bytes >= MAX_BYTES;
    if (first !== undefined && (isFull || !sameKey(first.write.partition, cell.partition))) flush();
    const { timestamp, ttl } = cell.cell;
    const seconds = ttl === null ? 0 : ttl + addTtl;
    if (cell.entry !== undefined) {
      const { partition, clustering, entry } = cell;
      const write = { partition, clustering, timestamp, ttl: seconds, cells: [] };
      current.push({ write: { ...write, entry: { ...entry, value: cell.bytes } }, cells: [] });
      bytes += cell.bytes.length;
      continue;
    }
    let group = current.find(
      ({ write }) =>
        write.entry === undefined &&
        write.timestamp === timestamp &&
        write.ttl === seconds &&
        sameRow(write.clustering, cell),
    );
    if (group === undefined) {
      const count = cell.clustering === null ? width.statics : width.regulars;
      const values = Array.from({ length: count }, (): Buffer | undefined => undefined);
      const { partition, clustering } = cell;
      group = {
        write: { partition, clustering, timestamp, ttl: seconds, cells: values },
        cells: values,
      };
      current.push(group);
    }
    group.cells[cell.index] = cell.bytes;
    bytes += cell.bytes.length;
  }
  flush();
  return batches;
}

function sameRow(clustering: readonly Buffer[] | null, cell: RewrittenCell): boolean {
  if (clustering === null || cell.clustering === null) return clustering === cell.clustering;
  return sameKey(clustering, cell.clustering);
}
