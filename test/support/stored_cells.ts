import type { StoredCells } from '../../src/crypto/index.ts';

/** Rows of cells as they lie in one buffer, not aligned to anything. */
export function storedCells(rows: readonly (readonly (Uint8Array | null)[])[]): StoredCells {
  const cells = rows.flat();
  const lengths = Int32Array.from(cells, (cell) => cell?.length ?? -1);
  const starts = new Int32Array(cells.length);
  let at = 3;
  for (let i = 0; i < cells.length; i++) {
    starts[i] = at;
    at += Math.max(lengths[i] as number, 0) + 1;
  }
  const bytes = Buffer.alloc(at);
  for (const [i, cell] of cells.entries()) if (cell !== null) bytes.set(cell, starts[i]);
  const columnCount = rows[0]?.length ?? 0;
  return { bytes, columnCount, rowCount: rows.length, starts, lengths };
}
