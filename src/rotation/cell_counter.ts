import { cellDekIn } from '../schema/index.ts';
import type { TableEntry } from '../schema/index.ts';

/** Values encrypted under one cell DEK and not yet made durable. */
export interface CountedCells {
  /** Table id, hex. */
  readonly tableId: string;
  readonly epoch: number;
  readonly cells: number;
}

/** Counts values that this process encrypts, by table and epoch; cheap enough for every write. */
export class CellCounter {
  readonly #byEntry = new WeakMap<TableEntry, { cells: number }>();
  readonly #counts = new Map<string, { tableId: string; epoch: number; cells: number }>();

  /** `count` values of a table were encrypted under its active cell DEK. */
  add(table: TableEntry, count: number): void {
    let counted = this.#byEntry.get(table);
    if (counted === undefined) {
      const keys = table.record?.keys ?? undefined;
      const epoch = keys === undefined ? 0 : (cellDekIn(keys, 'active')?.epoch ?? 0);
      counted = this.#of(Buffer.from(table.tableId).toString('hex'), epoch);
      this.#byEntry.set(table, counted);
    }
    counted.cells += count;
  }

  /** What was counted of a table (id, hex) and epoch and not yet taken. */
  pending(tableId: string, epoch: number): number {
    return this.#counts.get(keyOf(tableId, epoch))?.cells ?? 0;
  }

  /** Takes all that was counted; {@link giveBack} it when it could not be made durable. */
  take(): CountedCells[] {
    const taken: CountedCells[] = [];
    for (const counted of this.#counts.values()) {
      if (counted.cells === 0) continue;
      taken.push({ ...counted });
      counted.cells = 0;
    }
    return taken;
  }

  /** See {@link take}. */
  giveBack(taken: readonly CountedCells[]): void {
    for (const { tableId, epoch, cells } of taken) this.#of(tableId, epoch).cells += cells;
  }

  #of(tableId: string, epoch: number): { cells: number } {
    const key = keyOf(tableId, epoch);
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const made = { tableId, epoch, cells: 0 };
    this.#counts.set(key, made);
    return made;
  }
}

function keyOf(tableId: string, epoch: number): string {
  return `${tableId}:${String(epoch)}`;
}
