import { InvalidRequestError } from '../errors/index.ts';
import { accessState } from '../schema/index.ts';
import type { Catalog, SchemaChanges, TableEntry } from '../schema/index.ts';
import type { DropPort } from './ports.ts';

/** What the drop of lost tables works with. */
export interface SchemaDropOptions {
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly changes: Pick<SchemaChanges, 'dropTable'>;
  /** Executes a statement with the proxy's own role. */
  readonly execute: (statement: string) => Promise<void>;
}

/** Drops lost tables as a client's DROP TABLE does: claim, stored statement, agreement, record. */
export class SchemaDrop implements DropPort {
  readonly #options: SchemaDropOptions;

  constructor(options: SchemaDropOptions) {
    this.#options = options;
  }

  /** See {@link DropPort.dropTable}. */
  async dropTable(table: TableEntry): Promise<void> {
    const { catalog, changes, execute } = this.#options;
    const { keyspace, name } = table;
    await changes.dropTable(table, async () => {
      // The name is claimed now: what it means cannot change any more.
      const current = (await catalog.refresh()).table(keyspace, name);
      if (current === undefined) return 'exists';
      if (!isSame(current, table)) {
        throw new InvalidRequestError(
          `table ${keyspace}.${name} is not the one whose key was lost; it is not dropped`,
        );
      }
      await execute(`DROP TABLE IF EXISTS ${quoted(keyspace)}.${quoted(name)}`);
      return 'created';
    });
  }
}

/** The same table, verified, and its record says that it is backed up. */
function isSame(current: TableEntry, table: TableEntry): boolean {
  const { record } = current;
  return (
    current.kind === 'encrypted' &&
    current.id === table.id &&
    record?.tableId === table.record?.tableId &&
    record !== undefined &&
    accessState(record) === 'DROPPING'
  );
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
