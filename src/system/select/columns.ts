import { quoteIdentifier } from '../../cql/index.ts';
import { InvalidRequestError } from '../../errors/index.ts';
import type { VirtualColumn, VirtualTable } from '../virtual_table.ts';

/** The columns of a table by name, kind and cell index. */
export class Columns {
  readonly table: VirtualTable;
  readonly partition: readonly VirtualColumn[];
  readonly clustering: readonly VirtualColumn[];
  readonly #index = new Map<string, number>();

  constructor(table: VirtualTable) {
    this.table = table;
    const byPosition = (a: VirtualColumn, b: VirtualColumn): number => a.position - b.position;
    this.partition = table.columns.filter((c) => c.kind === 'partition').sort(byPosition);
    this.clustering = table.columns.filter((c) => c.kind === 'clustering').sort(byPosition);
    table.columns.forEach((column, index) => this.#index.set(column.name, index));
  }

  /** The column of that name. @throws InvalidRequestError with Cassandra's text if there is none. */
  get(name: string): VirtualColumn {
    const index = this.#index.get(name);
    const column = index === undefined ? undefined : this.table.columns[index];
    if (column === undefined) {
      const { keyspace, name: table } = this.table;
      throw new InvalidRequestError(
        `Undefined column name ${quoteIdentifier(name)} in table ${quoteIdentifier(keyspace)}.${quoteIdentifier(table)}`,
      );
    }
    return column;
  }

  /** Index of the column's cell in a row. */
  cellIndex(column: VirtualColumn): number {
    return this.#index.get(column.name) ?? -1;
  }
}
