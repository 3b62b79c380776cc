import { randomBytes } from 'node:crypto';
import { InvalidRequestError, UnsupportedStatementError } from '../../errors/index.ts';
import type { ColumnScheme } from '../entries.ts';
import { RESERVED_COLUMN_PREFIX } from '../names.ts';
import type { ColumnRecord, TableForm, TableRecord } from '../record.ts';
import type { AlterTableChange, NewColumn } from './change_types.ts';

const PADDED_TYPES: ReadonlySet<string> = new Set(['varint', 'decimal', 'duration']);

/** The record of a new column. */
export function newColumnRecord(column: NewColumn, id: string | undefined): ColumnRecord {
  if (column.name.startsWith(RESERVED_COLUMN_PREFIX)) {
    throw new InvalidRequestError(
      `Column names starting with '${RESERVED_COLUMN_PREFIX}' are reserved (${column.name})`,
    );
  }
  const scheme: ColumnScheme = column.scheme ?? defaultScheme(column);
  return {
    name: column.name,
    id: id ?? randomBytes(16).toString('hex'),
    kind: column.kind,
    position: column.kind === 'partition' || column.kind === 'clustering' ? column.position : 0,
    type: column.type,
    order: column.kind === 'clustering' ? (column.order ?? 'asc') : null,
    scheme,
    padded: column.padded ?? (scheme === 'cell' && PADDED_TYPES.has(column.type)),
    storedType: column.storedType ?? 'blob',
    ...(column.mask === undefined ? {} : { mask: column.mask }),
  };
}

/** The form of a table after ALTER TABLE; Cassandra's own errors where it could no longer notice. */
export function formAfter(
  record: TableRecord,
  change: AlterTableChange,
  nowMs: number,
): TableForm | undefined {
  switch (change.kind) {
    case 'with':
      return undefined;
    case 'add': {
      const columns = [...record.columns];
      for (const column of change.columns) {
        const dropped = record.dropped.find((old) => old.name === column.name);
        if (dropped !== undefined) checkReAdd(record, dropped, column);
        columns.push(newColumnRecord(column, dropped?.id));
      }
      // A dropped column stays listed: its id is needed when it is dropped and added once more.
      return { columns, dropped: record.dropped, indexes: record.indexes, views: record.views };
    }
    case 'drop': {
      const names = new Set(change.columns);
      const gone = record.columns.filter((column) => names.has(column.name));
      return {
        columns: record.columns.filter((column) => !names.has(column.name)),
        dropped: [
          ...record.dropped.filter((column) => !names.has(column.name)),
          ...gone.map((column) => ({
            name: column.name,
            id: column.id,
            kind: column.kind,
            type: column.type,
            droppedAtMs: nowMs,
          })),
        ],
        indexes: record.indexes,
        views: record.views,
      };
    }
    case 'rename': {
      const names = new Map(change.renames.map((rename) => [rename.from, rename.to]));
      for (const to of names.values()) {
        if (to.startsWith(RESERVED_COLUMN_PREFIX)) {
          throw new InvalidRequestError(`Column name ${to} is reserved`);
        }
      }
      return {
        columns: record.columns.map((column) => ({
          ...column,
          name: names.get(column.name) ?? column.name,
        })),
        dropped: record.dropped,
        indexes: record.indexes,
        views: record.views,
      };
    }
  }
}

/**
 * Cassandra refuses to add a dropped column again with a type that could not read its old cells, or as another kind.
 * Every stored type is blob, so only the record can tell.
 */
function checkReAdd(
  record: TableRecord,
  dropped: { readonly name: string; readonly kind: string; readonly type: string },
  column: NewColumn,
): void {
  const where = `${record.keyspace}.${record.name}`;
  if (isCompatible(dropped.type, column.type)) {
    checkKind(dropped, column);
    return;
  }
  const [was, is] = [collectionKind(dropped.type), collectionKind(column.type)];
  if (was === is && isComposite(dropped.type) && isComposite(column.type)) {
    // Some are compatible for Cassandra, by their elements.
    throw new UnsupportedStatementError(
      `column ${column.name} of ${where} was dropped as ${dropped.type}; it can be added again as ${dropped.type}${was === undefined ? ' or blob' : ''} only`,
    );
  }
  throw new InvalidRequestError(
    `Cannot re-add previously dropped column '${column.name}' of type ${column.type}, incompatible with previous type ${dropped.type}`,
  );
}

/** What Cassandra asks of a column whose types are compatible. @throws InvalidRequestError */
function checkKind(
  dropped: { readonly kind: string; readonly type: string },
  { name, kind }: NewColumn,
): void {
  if ((dropped.kind === 'static') !== (kind === 'static')) {
    throw new InvalidRequestError(
      `Cannot re-add previously dropped column '${name}' of kind ${kind.toUpperCase()}, incompatible with previous kind ${dropped.kind.toUpperCase()}`,
    );
  }
  // Old increments would count again.
  if (dropped.type === 'counter') {
    throw new InvalidRequestError(`Cannot re-add previously dropped counter column ${name}`);
  }
}

function isCompatible(previous: string, next: string): boolean {
  if (previous === next || isReadableAs(previous, next)) return true;
  const [before, after] = [listElement(previous), listElement(next)];
  return before !== undefined && after !== undefined && isReadableAs(before, after);
}

/** Native types whose cells have one length: nothing of another length reads them. */
const FIXED_LENGTH: ReadonlySet<string> = new Set([
  'bigint',
  'boolean',
  'double',
  'float',
  'int',
  'timestamp',
  'timeuuid',
  'uuid',
]);

/** Types whose cells Cassandra lets another type read (AbstractType.isSerializationCompatibleWith of 5.0.6). */
function isReadableAs(previous: string, next: string): boolean {
  switch (next) {
    case 'blob':
      return !hasFixedLength(previous);
    case 'text':
    case 'varchar':
      return previous === 'ascii';
    case 'bigint':
      return previous === 'timestamp';
    case 'timestamp':
      return previous === 'bigint';
    case 'uuid':
      return previous === 'timeuuid';
    default:
      return false;
  }
}

function hasFixedLength(type: string): boolean {
  const element = /^vector<(.*), *\d+>$/.exec(type)?.[1];
  return element === undefined ? FIXED_LENGTH.has(type) : hasFixedLength(element);
}

/** Type of the elements of a list that is not frozen: its elements are read one by one. */
function listElement(type: string): string | undefined {
  return /^list<(.*)>$/.exec(type)?.[1];
}

/** Kind of a collection that is not frozen: no other type reads its cells. */
function collectionKind(type: string): string | undefined {
  return /^(list|set|map)</.exec(type)?.[1];
}

function isComposite(type: string): boolean {
  return /^(frozen|tuple|vector|list|set|map)</.test(type);
}

function defaultScheme(column: NewColumn): ColumnScheme {
  if (column.kind === 'partition') return 'partition';
  return column.kind === 'clustering' ? 'ordered' : 'cell';
}
