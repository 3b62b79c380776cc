import type { ColumnEntry, TableEntry } from '../../schema/index.ts';
import { columnSelector } from '../select_plan.ts';
import type { VisibleColumn } from '../select_plan.ts';
import { storedName } from '../table_columns.ts';

/** The stored columns that an evaluated SELECT reads: rows have them by slot. */
export class Inputs {
  readonly #table: TableEntry;
  readonly #columns: VisibleColumn[] = [];
  readonly #slots = new Map<string, number>();
  #asked: Set<number> | undefined;

  constructor(table: TableEntry) {
    this.#table = table;
  }

  /** In the order of their slots. */
  get columns(): readonly VisibleColumn[] {
    return this.#columns;
  }

  /** What `compile` gives, while all slots that it asks for are put in `asked`. */
  recorded<T>(asked: Set<number>, compile: () => T): T {
    this.#asked = asked;
    try {
      return compile();
    } finally {
      this.#asked = undefined;
    }
  }

  /** The slot of a column. */
  column(column: ColumnEntry): number {
    return this.add(columnSelector(this.#table, column, undefined));
  }

  /** The slot of any selector that Cassandra evaluates on stored rows. */
  add(selector: VisibleColumn): number {
    let slot = this.#slots.get(selector.text);
    if (slot === undefined) {
      slot = this.#columns.length;
      this.#slots.set(selector.text, slot);
      this.#columns.push(selector);
    }
    this.#asked?.add(slot);
    return slot;
  }

  /** The slot of a column that is read already; `undefined` for one that is not. */
  known(column: ColumnEntry): number | undefined {
    return this.#slots.get(storedName(column));
  }
}
