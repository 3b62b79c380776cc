import type { ColumnEntry, TableEntry } from '../../schema/index.ts';
import { columnSelector } from '../select_plan.ts';
import type { VisibleColumn } from '../select_plan.ts';
import { storedName } from '../table_columns.ts';

/** The stored columns that an evaluated SELECT reads: rows have them by slot. */
export class Inputs {
  readonly #table: TableEntry;
  readonly #columns: VisibleColumn[] = [];
  readonly #slots = new Map<string, number>();

  constructor(table: TableEntry) {
    this.#table = table;
  }

  /** In the order of their slots. */
  get columns(): readonly VisibleColumn[] {
    return this.#columns;
  }

  /** The slot of a column. */
  column(column: ColumnEntry): number {
    return this.add(columnSelector(this.#table, column, undefined));
  }

  /** The slot of any selector that Cassandra evaluates on stored rows. */
  add(selector: VisibleColumn): number {
    const known = this.#slots.get(selector.text);
    if (known !== undefined) return known;
    const slot = this.#columns.length;
    this.#slots.set(selector.text, slot);
    this.#columns.push(selector);
    return slot;
  }

  /** The slot of a column that is read already; `undefined` for one that is not. */
  known(column: ColumnEntry): number | undefined {
    return this.#slots.get(storedName(column));
  }
}
