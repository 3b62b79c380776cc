import { quoteIdentifier } from '../cql/index.ts';
import type { RawTable, Snapshot } from '../schema/index.ts';
import { parseTypeText } from '../values/index.ts';
import { Cells, withoutHiddenKeyspace } from './schema_rows.ts';
import type { VirtualColumn, VirtualRow, VirtualTable } from './virtual_table.ts';

/** Where the columns of a table and the state of its indexes come from. */
export interface ReadTableSource {
  raw(keyspace: string, table: string): RawTable | undefined;
  snapshot(): Snapshot;
}

const KINDS: Readonly<Record<string, VirtualColumn['kind']>> = {
  partition_key: 'partition',
  clustering: 'clustering',
};

/**
 * A system table whose rows are read from Cassandra for each execution, with the client's role, and shown without those that
 * are hidden. `undefined` if there is no such table.
 */
export function readTable(
  source: ReadTableSource,
  keyspace: string,
  table: string,
): VirtualTable | undefined {
  const columns = columnsOf(source, keyspace, table);
  if (columns.length === 0) return undefined;
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  return {
    keyspace,
    name: table,
    columns,
    filtersFreely: keyspace === 'system_views',
    readBy: `SELECT ${names} FROM ${quoteIdentifier(keyspace)}.${quoteIdentifier(table)}`,
    rows: (read) => shownRows({ keyspace, name: table, columns, rows: read ?? [] }, source),
  };
}

function columnsOf(source: ReadTableSource, keyspace: string, table: string): VirtualColumn[] {
  const schema = keyspace === 'system_views' ? 'system_virtual_schema' : 'system_schema';
  const raw = source.raw(schema, 'columns');
  if (raw === undefined) return [];
  const cells = new Cells(raw);
  return raw.rows
    .filter(
      (row) =>
        cells.text(row, 'keyspace_name') === keyspace && cells.text(row, 'table_name') === table,
    )
    .map((row): VirtualColumn => {
      const kind = KINDS[cells.text(row, 'kind') ?? ''] ?? 'regular';
      const order = cells.text(row, 'clustering_order');
      return {
        name: cells.text(row, 'column_name') ?? '',
        type: parseTypeText(cells.text(row, 'type') ?? '', () => undefined, keyspace),
        kind,
        position: kind === 'regular' ? 0 : cells.int(row, 'position'),
        order: kind === 'clustering' && order === 'desc' ? 'desc' : undefined,
      };
    })
    .sort((a, b) => rank(a) - rank(b) || a.position - b.position || (a.name < b.name ? -1 : 1));
}

/** The order of SELECT *. */
function rank({ kind }: VirtualColumn): number {
  return ['partition', 'clustering', 'regular'].indexOf(kind);
}

function shownRows(
  table: Pick<RawTable, 'keyspace' | 'name' | 'rows'> & {
    readonly columns: readonly VirtualColumn[];
  },
  source: ReadTableSource,
): VirtualRow[] {
  const visible = withoutHiddenKeyspace(table);
  const cells = new Cells(table);
  const isComplete = (row: VirtualRow): boolean =>
    !isBuilding(
      source.snapshot(),
      cells.text(row, 'keyspace_name') ?? '',
      cells.text(row, 'view_name') ?? '',
    );
  switch (`${table.keyspace}.${table.name}`) {
    case 'system.IndexInfo':
      // Confusingly, table_name is the name of the keyspace.
      return visible.filter((row) =>
        isBuilt(
          source.snapshot(),
          cells.text(row, 'table_name') ?? '',
          cells.text(row, 'index_name') ?? '',
        ),
      );
    case 'system.built_views':
      return visible.filter(isComplete);
    case 'system_distributed.view_build_status': {
      const at = table.columns.findIndex(({ name }) => name === 'status');
      return visible.map((row) =>
        isComplete(row) ? row : row.map((cell, index) => (index === at ? STARTED : cell)),
      );
    }
    default:
      return visible;
  }
}

const STARTED = Buffer.from('STARTED', 'utf8');

/** A view whose hidden column rows of before may lack is not complete, though Cassandra has looked at every row. */
function isBuilding(snapshot: Snapshot, keyspace: string, name: string): boolean {
  return snapshot.keyspace(keyspace)?.views.get(name)?.view?.record.state === 'building';
}

/** An index on a hidden column is complete when the proxy has built it, too. */
function isBuilt(snapshot: Snapshot, keyspace: string, name: string): boolean {
  for (const table of snapshot.keyspace(keyspace)?.tables.values() ?? []) {
    const index = table.indexes.find((candidate) => candidate.name === name);
    if (index !== undefined) return index.isActive;
  }
  return true;
}
